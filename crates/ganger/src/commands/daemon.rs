//! `ganger daemon`: the app, or all that were added, without a terminal, in this process.

use std::ffi::OsString;
use std::path::PathBuf;

use ganger_api::{AppsInfo, Data, Environment, Request};
use ganger_keeper::OverseerCommand;
use ganger_overseer::Survivors;

use super::app::none_added;
use super::{overmind, supervisord};
use crate::ask::{current_dir, here};
use crate::cli::{self, Command, DaemonArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::load::load;

/// Runs the app until it is told to end.
pub(crate) fn run(place: &Where, args: &DaemonArgs) -> Outcome {
    if is_for_all(place, args)? {
        let none = Data::Apps(AppsInfo::default());
        // A daemon that runs already is the overseer's to find.
        let known = ganger_overseer::edit(&Environment::of_process(), &Request::Apps);
        if known.is_ok_and(|known| known == Ok(none)) {
            return Err(none_added());
        }
    }
    let found = survivors_for(place, args)?;
    // What is wrong with the file is the overseer's to tell.
    let loaded = load(&args.place(place), &args.spec, &args.groups).ok();
    if let Some(daemon) = loaded.and_then(|loaded| loaded.spec.supervisor) {
        supervisord::raise_limits(&daemon)?;
    }
    keep(std::env::args_os().skip(1), true, found)
}

/// The same for the words of `start -D` and `daemon`, where a keeper begins that nobody waits for; and for those of any
/// app whose keeper executes another program over itself.
pub(crate) fn keep_detached(words: Vec<OsString>) -> Outcome {
    let cli = match cli::parse(std::iter::once("ganger".into()).chain(words.clone())) {
        Ok(cli) => cli,
        Err(shown) => return Ok(shown),
    };
    if matches!(&cli.command, Some(Command::Start(args)) if args.ui) {
        // Who holds the screen is not there for ever, and nothing of the app outlives it.
        ganger_keeper::end_with_parent();
    }
    let is_background = match &cli.command {
        Some(Command::Start(args)) => args.daemon,
        Some(Command::Overmind(args)) => overmind::Task::of(&args.words)?.is_daemon(),
        _ => true,
    };
    let found = match cli.command {
        // Who is handed the runs need not look for them.
        _ if ganger_keeper::is_handed_over() => None,
        Some(Command::Daemon(args)) => survivors_for(&cli.place, &args)?,
        Some(Command::Supervisord(args)) => supervisord::survivors(&args.words)?,
        Some(Command::Overmind(args)) => find(&overmind::Task::of(&args.words)?.place())?,
        _ => find(&cli.place)?,
    };
    keep(words, is_background, found)
}

fn survivors_for(place: &Where, args: &DaemonArgs) -> Result<Option<Survivors>, Failure> {
    if is_for_all(place, args)? {
        return Ok(ganger_overseer::survivors_of_all(&Environment::of_process())?);
    }
    find(&args.place(place))
}

/// Whether all apps that were added are meant: no app is named, and there is none in this directory.
pub(crate) fn is_for_all(place: &Where, args: &DaemonArgs) -> Result<bool, Failure> {
    let here = current_dir()?;
    let nothing_is_said = *place == Where::default() && *args == DaemonArgs::default();
    Ok(nothing_is_said && !["Procfile", "ganger.toml"].iter().any(|name| here.join(name).exists()))
}

/// This process becomes the keeper, of an overseer that is given these words. What survived the death of all of ganger
/// goes on.
pub(crate) fn keep(
    words: impl IntoIterator<Item = OsString>,
    background: bool,
    found: Option<Survivors>,
) -> Outcome {
    let args = std::iter::once("overseer".into()).chain(words).collect();
    let command = OverseerCommand { program: program()?, args, background };
    Ok(match found {
        Some(survivors) => ganger_keeper::keep_on(command, survivors.adopt()),
        None => ganger_keeper::keep(command),
    }
    .into())
}

/// The runs of the app that have no keeper.
pub(crate) fn find(place: &Where) -> Result<Option<Survivors>, Failure> {
    Ok(ganger_overseer::survivors(&here(place)?, &Environment::of_process())?)
}

/// The same, with all that is left of runs that a terminal had.
pub(crate) fn find_all(place: &Where) -> Result<Option<Survivors>, Failure> {
    Ok(ganger_overseer::survivors_and_stragglers(&here(place)?, &Environment::of_process())?)
}

/// Where the program of this process is or was: by that name each of ganger's parts is started.
pub(crate) fn program() -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()
        .map_err(|error| Failure::new(format!("cannot find the program of this process: {error}")))?;
    // So the kernel marks one whose file is gone.
    let path =
        path.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map(PathBuf::from).unwrap_or(path);
    Ok(path)
}
