//! `ganger start`: the app in this terminal; while it runs, its workers from another one.

use ganger_api::Request;

use super::act::act;
use crate::ask::find_running;
use crate::cli::{StartArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::render::Verb;

/// Starts the app, or workers of the app that runs.
pub(crate) fn run(place: &Where, args: &StartArgs) -> Outcome {
    match find_running(place)? {
        Some(running) if args.names.is_empty() => {
            let failure = Failure::new(format!("the app is running already as {}", running.id));
            Err(failure
                .hinted("`ganger ps` lists its workers; `ganger start all` brings up those that are down"))
        }
        Some(running) => act(&running, Verb::Start, &Request::Start { names: args.names.clone() }, args.json),
        None => foreground(place, args),
    }
}

/// The app in this terminal.
fn foreground(place: &Where, args: &StartArgs) -> Outcome {
    crate::load::load(place, &args.spec, &args.names)?;
    let printing = (args.wants_color(), args.wants_timestamps());
    Err(Failure::new(format!("the foreground is not wired yet ({printing:?})")))
}
