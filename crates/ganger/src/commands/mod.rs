//! One module for each command.

mod act;
mod app;
mod attach;
mod background;
mod check;
mod completions;
mod daemon;
mod doctor;
mod env;
mod events;
mod export_logs;
mod flags;
pub(crate) mod foreman;
mod forwards;
mod import;
mod logs;

pub(crate) mod overmind;
mod overseer;
mod ports;
mod ps;
mod quit;
mod readiness;
mod reload;
mod run;
mod start;
mod stored_logs;
pub(crate) mod supervisorctl;
pub(crate) mod supervisord;
mod top;
mod ui;
mod upgrade;
mod version;
mod welcome;
mod why;

pub(crate) use attach::DetachKeys;
pub(crate) use import::ImportArgs;

use crate::cli::{Cli, Command};
use crate::failure::Outcome;

/// Does what the command line says.
pub(crate) fn dispatch(cli: Cli) -> Outcome {
    let place = &cli.place;
    let Some(command) = cli.command else { return welcome::run() };
    match command {
        Command::Start(args) => start::run(place, &args),
        Command::App(command) => app::run(command),
        Command::Daemon(args) => daemon::run(place, &args),
        Command::Run(args) => run::run(place, &args),
        Command::Check(args) => check::run(place, &args),
        Command::Import(args) => import::run(place, &args),
        Command::Ps(args) => ps::run(place, args),
        Command::Top(args) => top::run(place, args),
        Command::Ui(args) => ui::run(place, &args),
        Command::Stop(args) => act::stop(place, args),
        Command::Restart(args) => act::restart(place, args),
        Command::Scale(args) => act::scale(place, args),
        Command::Signal(args) => act::signal(place, args),
        Command::Attach(args) => attach::run(place, &args),
        Command::Logs(args) => logs::run(place, &args),
        Command::Env(args) => env::run(place, &args),
        Command::Ports(args) => ports::run(place, &args),
        Command::Forwards(args) => forwards::run(place, &args),
        Command::Why(args) => why::run(place, args),
        Command::Events(args) => events::run(place, &args),
        Command::Reload(args) => reload::run(place, &args),
        Command::Quit(args) => quit::run(place, &args),
        Command::Upgrade(args) => upgrade::run(place, &args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Supervisord(_) => supervisord::run_inner(),
        Command::Supervisorctl(args) => supervisorctl::run_inner(args.words),
        Command::Overmind(_) => overmind::run_inner(),
        Command::Foreman(_) => foreman::run_inner(),
        Command::Completions(args) => completions::run(&args),
        Command::Version(args) => version::run(&args),
        Command::Overseer(args) => overseer::run(args.words),
        Command::Keeper(args) => daemon::keep_detached(args.words),
        Command::Attempt(args) => upgrade::attempt(args.words),
    }
}
