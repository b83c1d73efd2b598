//! The ledger: what must be on disk so that the next overseer goes on where this one ended.
//!
//! A record is emitted before the actions that it covers, so at any instant the ledger is at most ahead of the
//! world, never behind it. What it is ahead by, `Connected` shows: a run that was recorded and never spawned is
//! unknown to the keeper, a signal that was not sent is sent again, an end that was accounted and not acknowledged
//! is acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;

use ganger_spec::{Spec, WorkerName};
use serde::{Deserialize, Serialize};

use crate::io::Instant;
use crate::probes::Streaks;
use crate::worker::WorkerRecord;

/// A line of the ledger. The last record of a subject counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// The release in force.
    Release {
        /// Its number, from 1.
        number: u64,
        /// What it says.
        spec: Arc<Spec>,
        /// Whether the app finishes when every worker has ended by itself.
        finish_when_idle: bool,
    },
    /// An operator's count of a group. It counts only while the spec says `instead_of`.
    Scale {
        /// The group.
        group: String,
        /// Its count.
        count: u32,
        /// The spec's count that it overrides.
        instead_of: u32,
    },
    /// All that must be known of a worker to go on with it.
    Worker {
        /// Which worker.
        name: WorkerName,
        /// Its state; none means that the worker is no more.
        state: Option<Box<WorkerRecord>>,
    },
    /// Runs may have been given any number below this.
    NextRun(u64),
    /// The app is stopping and will end with this status.
    ShuttingDown(Shutdown),
}

/// An app that is stopping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shutdown {
    /// Its exit status.
    pub status: u8,
    /// Why, for people.
    pub reason: String,
    /// Whether processes are killed at once.
    pub now: bool,
}

/// All records of a ledger, folded.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) release: Option<(u64, Arc<Spec>, bool)>,
    pub(crate) scales: BTreeMap<String, (u32, u32)>,
    pub(crate) workers: BTreeMap<WorkerName, WorkerRecord>,
    pub(crate) next_run: u64,
    pub(crate) shutdown: Option<Shutdown>,
}

impl Ledger {
    /// Folds records in the order in which they were written.
    pub(crate) fn read(now: Instant, records: impl IntoIterator<Item = Record>) -> Self {
        let mut ledger = Self::default();
        for record in records {
            match record {
                Record::Release { number, spec, finish_when_idle } => {
                    ledger.release = Some((number, spec, finish_when_idle));
                }
                Record::Scale { group, count, instead_of } => {
                    ledger.scales.insert(group, (count, instead_of));
                }
                Record::Worker { name, state: Some(state) } => {
                    ledger.workers.insert(name, *state);
                }
                Record::Worker { name, state: None } => {
                    ledger.workers.remove(&name);
                }
                Record::NextRun(number) => ledger.next_run = ledger.next_run.max(number),
                Record::ShuttingDown(shutdown) => ledger.shutdown = Some(shutdown),
            }
        }
        for worker in ledger.workers.values_mut() {
            worker.rebase(now);
            worker.streaks = Streaks::default();
        }
        ledger
    }
}
