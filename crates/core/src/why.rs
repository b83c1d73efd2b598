//! The sentences that tell an operator what happened to a worker and what comes next.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use ganger_spec::{Signal, Stop, WorkerName};
use serde::{Deserialize, Serialize};

use crate::span::Span;

/// Who or what wished that a worker be up or down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Motive {
    /// The app was started.
    App,
    /// An operator's command.
    Command,
    /// The count of its group changed.
    Scale,
    /// Its group changed or went in a reload.
    Reload,
    /// The app is shutting down.
    Shutdown,
    /// What its runs are made of changed, as a sentence says.
    Change(Arc<str>),
    /// Nothing is known of the run but that it exists.
    Stray,
}

pub(crate) const UP: &str = "up";
pub(crate) const READY: &str = "up and ready";
pub(crate) const NOT_READY_YET: &str = "up, not ready yet";
pub(crate) const AWAITED: &str = "started: all that it waits for is there";
pub(crate) const STOPPED_BEFORE: &str = "stopped by a command before the app was started";
pub(crate) const NOT_STARTED: &str = "declared, and not started with the app: waits for a command";
pub(crate) const WAITS_TO_STOP: &str =
    "stops with the app, when what has a higher priority or depends on it is down";
pub(crate) const TAKEN_OVER: &str = "up: its run was found, which the ledger had lost";
pub(crate) const STRAY: &str = "its run has ended, and no release says what follows";

pub(crate) fn started(motive: &Motive) -> String {
    match motive {
        Motive::App => "started with the app",
        Motive::Command => "started by a command",
        Motive::Scale => "started: its group was scaled",
        Motive::Reload => "started: its spec changed",
        Motive::Change(what) => return format!("started: {what}"),
        Motive::Shutdown | Motive::Stray => "started",
    }
    .to_owned()
}

pub(crate) fn stopped(motive: &Motive) -> String {
    format!("stopped{}", reason(motive))
}

pub(crate) fn stopping(motive: &Motive, stop: &Stop) -> String {
    let reason = reason(motive);
    if stop.signal == Signal::KILL {
        return format!("stopping{reason}: killed, waits for its processes to go");
    }
    format!("stopping{reason}: got {}, is killed if it is not gone in {}", stop.signal, Span(stop.timeout))
}

pub(crate) fn unborn(motive: &Motive) -> String {
    format!("stopping{}: waits for the answer to its start", reason(motive))
}

pub(crate) fn leftovers(judged: &str, stop: &Stop) -> String {
    let patience = Span(stop.timeout);
    format!("{judged}; first its remaining processes are stopped, by KILL after {patience}")
}

pub(crate) fn unfit(judged: &str, stop: &Stop) -> String {
    format!("{judged}; first it is stopped, by KILL after {}", Span(stop.timeout))
}

pub(crate) fn not_ready(reason: &str) -> String {
    format!("up, not ready: {reason}")
}

pub(crate) fn killed_after(timeout: Duration) -> String {
    format!("not gone {} after the stop signal: killed, with its whole tree", Span(timeout))
}

pub(crate) fn killed_by(motive: &Motive) -> String {
    format!("killed at once{}", reason(motive))
}

pub(crate) fn stuck(pid: u32) -> String {
    format!(
        "a process of its tree (main PID {pid}) does not die even of KILL; it is started again only after that"
    )
}

pub(crate) fn fatal(judged: &str, name: &WorkerName) -> String {
    format!("{judged}; `ganger start {name}` tries again")
}

fn reason(motive: &Motive) -> Cow<'static, str> {
    match motive {
        Motive::App | Motive::Shutdown => " with the app",
        Motive::Command => " by a command",
        Motive::Scale => ": its group was scaled down",
        Motive::Reload => " by a reload",
        Motive::Stray => ": its run was not in the ledger",
        Motive::Change(what) => return format!(" since {what}").into(),
    }
    .into()
}
