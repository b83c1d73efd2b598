//! Telling how to type to workers that wait for it.

use std::os::fd::OwnedFd;

use ganger_api::EventKind;
use ganger_core::{KnownRun, RunId};
use ganger_spec::WorkerName;

use super::Engine;
use crate::clock;

/// How what is told of a worker begins.
const WAITS: &str = "waits for input: ";
/// So many of a worker's latest events are searched for what an overseer before told.
const EVENTS: usize = 64;

impl Engine {
    /// A run has begun.
    pub(super) fn attend(&mut self, worker: &WorkerName, run: RunId) {
        if self.unattended.is_on() && self.hands.outputs.terminals.screen(worker).is_some() {
            self.unattended.watch(clock::now(), worker, run);
        }
    }

    /// The overseer before may have told of a run.
    pub(super) fn attend_again(&mut self, run: &KnownRun) {
        if !self.unattended.is_on() || run.exit.is_some() {
            return;
        }
        let events = self.journal.of_worker(&run.worker, self.started, EVENTS);
        let of_run = events.iter().rev().take_while(|event| event.kind != EventKind::Started);
        if !of_run.into_iter().any(|event| event.text.starts_with(WAITS)) {
            self.attend(&run.worker, run.run);
        }
    }

    /// Looks at those that were quiet for long enough.
    pub(super) fn look_at_unattended(&mut self) {
        let terminals = &self.hands.outputs.terminals;
        let screen =
            |worker: &WorkerName| terminals.screen(worker).map(OwnedFd::try_clone).transpose().ok().flatten();
        self.unattended.look(clock::now(), screen);
    }

    /// Tells of those that read their terminals while nobody is attached.
    pub(super) fn tell_unattended(&mut self, found: Vec<(WorkerName, RunId)>) {
        for worker in self.unattended.looked(found) {
            let text = format!("{WAITS}type `ganger attach {worker}` in another terminal");
            self.narrator.note(EventKind::Notice, Some(&worker), text);
        }
    }
}
