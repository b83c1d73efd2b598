//! What is told to followers, to `why` and to `events`.

use ganger_spec::WorkerName;
use serde::{Deserialize, Serialize};

use crate::io::{Exit, RunId, State};

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A worker is in another state.
    State {
        /// Which worker.
        worker: WorkerName,
        /// The state it left.
        from: State,
        /// The state it is in.
        to: State,
        /// The process, if it has one.
        pid: Option<u32>,
        /// Why: a sentence.
        why: String,
    },
    /// A run started.
    Started {
        /// Which worker.
        worker: WorkerName,
        /// Its new run.
        run: RunId,
        /// Its process.
        pid: u32,
    },
    /// A run could not be started.
    SpawnFailed {
        /// Which worker.
        worker: WorkerName,
        /// The failing step and why.
        reason: String,
    },
    /// A run ended.
    Ended {
        /// Which worker.
        worker: WorkerName,
        /// Which run.
        run: RunId,
        /// How.
        exit: Exit,
    },
    /// A worker waits before it is started; told again when it waits in vain.
    Waiting {
        /// Which worker.
        worker: WorkerName,
        /// For what: a sentence.
        why: String,
        /// Whether nothing that is under way leads there.
        in_vain: bool,
    },
    /// A worker has become ready by its probe, or is not ready any more.
    Ready {
        /// Which worker.
        worker: WorkerName,
        /// Its run.
        run: RunId,
        /// Whether it is ready.
        ready: bool,
        /// Why: a sentence.
        why: String,
    },
    /// A stop took too long: the tree is killed.
    Killing {
        /// Which worker.
        worker: WorkerName,
        /// Why: a sentence.
        why: String,
    },
    /// Even a kill did not end it: it is left behind in the kernel.
    Stuck {
        /// Which worker.
        worker: WorkerName,
        /// The process.
        pid: u32,
    },
    /// A new release is in force.
    Released {
        /// Its number.
        number: u64,
        /// What it changes, a sentence each.
        changes: Vec<String>,
    },
    /// A group has another count.
    Scaled {
        /// The group.
        group: String,
        /// Its old count.
        from: u32,
        /// Its new count.
        to: u32,
    },
    /// Everything stops.
    ShuttingDown {
        /// Why, for people.
        reason: String,
        /// By a kill at once.
        now: bool,
    },
}
