//! What can happen to a worker, and what a step of it may see and use.

use std::time::Duration;

use ganger_spec::{Group, Signal, Stop, StopScope, WorkerName};

use crate::dependencies::Awaited;
use crate::event::Event;
use crate::io::{Action, Exit, Instant, RunId};
use crate::random::Random;
use crate::why::Motive;

/// How a run is stopped whose group is in no spec any more.
const STOP_OF_UNKNOWN: Stop =
    Stop { signal: Signal::TERM, timeout: Duration::from_secs(10), scope: StopScope::Tree };

/// What can happen to a worker.
#[derive(Clone, Debug)]
pub(crate) enum Stimulus {
    /// It is to run.
    Start(Motive),
    /// It is not to run.
    Stop(Motive),
    /// Its present run is to end and a new one to begin.
    Restart(Motive),
    /// It is not to run, and its processes are killed at once.
    Kill(Motive),
    /// Its group has another policy; the present run goes on.
    Retune,
    /// The keeper started its run.
    Spawned { pid: u32 },
    /// The keeper could not start its run.
    SpawnFailed { reason: String, transient: bool, status: u8 },
    /// The main process of its run ended.
    Exited { exit: Exit, leftovers: bool },
    /// The tree of its run is empty.
    Emptied,
    /// Its deadline has come.
    Due,
    /// What its group depends on has changed.
    Look,
    /// It passes its readiness probe.
    Ready,
    /// It does not pass its readiness probe.
    NotReady { why: String },
    /// It is not all right, or takes too much: its run is to end as a failure.
    Unfit { why: String },
    /// A keeper connected that does not know its run.
    Lost,
    /// A keeper connected that knows its run; what was said before may be lost, in both directions.
    Known { pid: u32 },
    /// A keeper connected that has a run of it which the ledger has lost.
    Foreign { run: RunId, pid: u32, exit: Option<Exit>, leftovers: bool },
}

/// What a step of a worker may see and use beside the worker itself.
pub(crate) struct Turn<'a> {
    pub(crate) now: Instant,
    pub(crate) name: &'a WorkerName,
    /// Its group in the spec in force; none if it has none any more.
    pub(crate) group: Option<&'a Group>,
    /// The fingerprint of what a run of that group is made of.
    pub(crate) made_of: u64,
    /// What the group waits for; none if everything is there.
    pub(crate) awaited: Option<Awaited>,
    pub(crate) random: &'a mut Random,
    pub(crate) next_run: &'a mut u64,
    pub(crate) actions: &'a mut Vec<Action>,
}

impl Turn<'_> {
    pub(crate) fn stop(&self) -> Stop {
        self.group.map_or(STOP_OF_UNKNOWN, |group| group.stop.clone())
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.actions.push(Action::Event(event));
    }
}
