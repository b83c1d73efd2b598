//! `ganger quit`: the end.

use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::time::Duration;

use ganger_api::{AppFile, Data, Environment, Place, Request, read_app_file};

use crate::ask::{ask_at, find, unexpected};
use crate::cli::{QuitArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::output::show;
use crate::render::quit;

/// The keeper ends this long after the answer, at most: it waits for its overseer.
const KEEPER_PATIENCE: Duration = Duration::from_secs(10);
/// Who waits for the end of the first process of a container ends with it.
const FIRST_PROCESS: u32 = 1;

/// Stops everything and ends. When it returns, the app can be started again.
pub(crate) fn run(place: &Where, args: &QuitArgs) -> Outcome {
    let (running, app) = find(place)?;
    let ends = app.keeper_pid != FIRST_PROCESS && !is_shared(&running, &app);
    let keeper = ends.then(|| ganger_keeper::hold(app.keeper_pid)).flatten();
    let Data::Quit(info) = ask_at(&running, &Request::Quit { now: args.now })? else {
        return Err(unexpected());
    };
    show(args.json, &info, quit)?;
    if keeper.is_some_and(|keeper| !ganger_keeper::await_end(keeper.as_fd(), KEEPER_PATIENCE)) {
        let failure =
            format!("the workers are stopped, but the keeper (pid {}) has not ended", app.keeper_pid);
        return Err(Failure::new(failure).hinted("until it has, the app cannot be started again"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether other apps have the same keeper: it goes on.
fn is_shared(running: &Place, app: &AppFile) -> bool {
    let Ok(daemon) = Place::of_daemon(&Environment::of_process()) else { return false };
    let office = read_app_file(&daemon);
    running.id != daemon.id && office.is_some_and(|office| office.keeper_pid == app.keeper_pid)
}
