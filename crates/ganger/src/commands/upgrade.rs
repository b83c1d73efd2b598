//! `ganger upgrade`: another program in place of the one that runs.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use ganger_api::{
    Client, ClientError, Data, Environment, ErrorCode, Place, Request, UpgradeInfo, read_app_file,
};

use super::daemon::{is_for_all, program};
use super::overmind;
use crate::ask::{block_on, current_dir, find, here, unexpected};
use crate::cli::{self, Command, UpgradeArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::output::show;

/// How long it is asked how an upgrade ended: longer than the keeper takes to try a program out, to give it up, and to go
/// back.
const KNOWN_WITHIN: Duration = Duration::from_mins(3);
/// How long an app that is gone may take to come back under the process that stood by.
const STANDS_BY_WITHIN: Duration = Duration::from_secs(5);
/// How soon it is asked again what a broken connection kept from us.
const ASKED_EVERY: Duration = Duration::from_millis(20);

/// Puts it in place; the workers run on.
pub(crate) fn run(place: &Where, args: &UpgradeArgs) -> Outcome {
    let program = match &args.binary {
        Some(path) => current_dir()?.join(path),
        None => program()?,
    };
    let asked = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
    let request = Request::Upgrade { program, ticket: format!("{}-{asked}", std::process::id()) };
    let here = asked_at(place)?;
    let info = block_on(async {
        let deadline = Instant::now() + KNOWN_WITHIN;
        let mut gone_at = None;
        loop {
            let error = match ask(&here, &request).await {
                Ok(Data::Upgrade(info)) => return Ok(info),
                Ok(_) => return Err(unexpected()),
                Err(error) => error,
            };
            // One that never was there does not come back.
            if !matches!(error, ClientError::NotRunning { .. }) {
                gone_at = gone_at.or(Some(Instant::now()));
            }
            let until = match after(&error) {
                Next::Overseer => deadline,
                Next::Keeper => gone_at.map_or_else(Instant::now, |at| at + STANDS_BY_WITHIN),
                Next::None => Instant::now(),
            };
            if Instant::now() >= until {
                return Err(explained(error));
            }
            // A connection waits for the next overseer by itself; this is for the death of a keeper, which it takes for
            // the end.
            let _ = tokio::time::timeout(ASKED_EVERY, std::future::pending::<()>()).await;
        }
    })?;
    show(args.json, &info, told)?;
    Ok(ExitCode::SUCCESS)
}

async fn ask(place: &Place, request: &Request) -> Result<Data, ClientError> {
    Client::connect(place).await?.request(request).await
}

/// Who has the answer instead.
enum Next {
    /// The next overseer, or the next but one.
    Overseer,
    /// That of the process that stood by and goes on as the keeper, should there be one.
    Keeper,
    None,
}

fn after(error: &ClientError) -> Next {
    match error {
        ClientError::Broken { .. } | ClientError::Unanswered | ClientError::NoOverseer { .. } => {
            Next::Overseer
        }
        ClientError::Api(error) if error.code == ErrorCode::ShuttingDown => Next::Overseer,
        ClientError::NotRunning { .. } | ClientError::Ended => Next::Keeper,
        _ => Next::None,
    }
}

/// A program of before there were upgrades does not know the path.
fn explained(error: ClientError) -> Failure {
    match &error {
        ClientError::Api(api) if api.code == ErrorCode::UnknownPath => {
            Failure::new("the ganger that runs cannot be upgraded while its workers run")
                .hinted("`ganger quit`, then start the app with this one")
        }
        _ => error.into(),
    }
}

/// Whom to ask: the app that is meant, or the daemon that oversees it with others.
fn asked_at(place: &Where) -> Result<Place, Failure> {
    let environment = Environment::of_process();
    let daemon = Place::of_daemon(&environment)?;
    match (find(place), read_app_file(&daemon)) {
        (Ok((_, app)), Some(file)) if app.keeper_pid == file.keeper_pid => Ok(daemon),
        (Ok((here, _)), _) => Ok(here),
        (Err(_), Some(_)) if *place == Where::default() => Ok(daemon),
        (Err(failure), _) => Err(failure),
    }
}

fn told(info: &UpgradeInfo) -> String {
    let UpgradeInfo { from, to, program, keeper_pid } = info;
    format!("ganger {from} -> {to} ({}, pid {keeper_pid}); the workers ran on\n", program.display())
}

/// Says whether this program could take the place of a keeper that was started with these words.
pub(crate) fn attempt(words: Vec<OsString>) -> Outcome {
    ganger_keeper::attempt()
        .map_err(|error| Failure::new(format!("cannot read what the keeper hands over: {error}")))?;
    let cli = match cli::parse(std::iter::once("ganger".into()).chain(words)) {
        Ok(cli) => cli,
        Err(shown) => return Ok(shown),
    };
    let environment = Environment::of_process();
    let of_app = |place: &Where| -> Result<(), Failure> { Ok(ganger_overseer::can_go_on(&here(place)?)?) };
    match cli.command {
        Some(Command::Daemon(args)) if is_for_all(&cli.place, &args)? => {
            ganger_overseer::can_go_on_with_all(&environment)?;
        }
        Some(Command::Daemon(args)) => of_app(&args.place(&cli.place))?,
        Some(Command::Start(_)) => of_app(&cli.place)?,
        Some(Command::Overmind(args)) => of_app(&overmind::Task::of(&args.words)?.place())?,
        _ => return Err(Failure::usage("only `start` and `daemon` have a keeper")),
    }
    writeln!(io::stdout(), "{}", ganger_keeper::ACCEPTS)?;
    Ok(ExitCode::SUCCESS)
}
