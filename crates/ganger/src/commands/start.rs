//! `ganger start`: the app in this terminal, or with `-D` in the background; while it runs, its workers from another
//! terminal.

use ganger_api::{AppFile, Environment, Place, Request};

use super::act::act;
use super::background;
use super::daemon::keep;
use crate::ask::{directory, find_running};
use crate::cli::{StartArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::render::Verb;

/// Starts the app, or workers of the app that runs.
pub(crate) fn run(place: &Where, args: &StartArgs) -> Outcome {
    match running_here(place)? {
        Some((_, app)) if args.names.is_empty() => {
            let (name, pid) = (app.name, app.keeper_pid);
            let failure = Failure::new(format!("{name} is already running (pid {pid})"));
            Err(failure
                .hinted("`ganger ps` lists its workers; `ganger start all` brings up those that are down"))
        }
        Some((running, _)) => {
            act(&running, Verb::Start, &Request::Start { names: args.names.clone() }, args.json)
        }
        None if args.daemon => background::run(place, args),
        None => keep(std::env::args_os().skip(1), false),
    }
}

/// The app of this directory, if it runs; one of a directory above is another app.
fn running_here(place: &Where) -> Result<Option<(Place, AppFile)>, Failure> {
    let here = Place::of(&directory(place)?, &Environment::of_process())?;
    let found = find_running(place)?;
    Ok(found.filter(|(running, _)| place.app.is_some() || running.id == here.id))
}
