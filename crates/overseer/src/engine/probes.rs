//! Asking workers, and hearing what they answer.

use ganger_core::{Input, Instant, RunId};
use ganger_keeper::{Event, RunReport};
use ganger_spec::ProbeKind;

use super::Engine;
use crate::prober::{Asked, Commands};
use crate::{clock, hands, launch, views};

impl Engine {
    /// When somebody is to be asked. While the app stops nobody is.
    pub(super) fn next_probe(&self) -> Option<Instant> {
        let is_on = self.core.is_connected() && self.core.shutting_down().is_none();
        if is_on { self.prober.next() } else { None }
    }

    /// Asks those whose time has come.
    pub(super) fn probe(&mut self) {
        let (core, spec, terminals) = (&self.core, self.spec(), &self.hands.outputs.terminals);
        let workers = || core.workers().map(|view| views::worker(&spec, &view, terminals)).collect();
        let work = self.prober.work(clock::now(), workers);
        for run in work.late {
            self.hands.kill(run);
        }
        for asked in work.commands {
            let tag = format!("{}probe-{}", self.launcher.prefix(), asked.id.0);
            match self.launcher.launch_in_place_of(&spec, &asked.worker, &asked.command, tag) {
                Ok(launch) => self.hands.spawn_probe(asked.id, asked.name(), launch),
                Err(failure) => self.failed_to_ask(asked.id, &failure.reason),
            }
        }
    }

    /// Who is asked follows from what runs: a worker may be another now.
    pub(super) fn look_at(&mut self, worker: &ganger_spec::WorkerName) {
        if self.prober.concerns(worker) {
            let spec = self.spec();
            self.prober.look(worker, self.core.worker(worker).as_ref(), &spec);
        }
    }

    /// A release is in force, or an overseer begins with one.
    pub(super) fn look_at_all(&mut self) {
        let spec = self.spec();
        self.prober.renew(&spec);
        for view in self.core.workers() {
            if self.prober.concerns(&view.name) {
                self.prober.look(&view.name, Some(&view), &spec);
            }
        }
    }

    pub(super) fn answered(&mut self, run: RunId, kind: ProbeKind, answer: Result<(), String>) {
        self.prober.answered(clock::now(), run, kind, answer.is_ok());
        self.decide(Input::Probed { run, kind, answer });
    }

    fn failed_to_ask(&mut self, id: RunId, reason: &str) {
        if let Some(((run, kind), answer)) = self.prober.commands().failed(id, reason) {
            self.answered(run, kind, answer);
        }
    }

    /// What the keeper says of the commands of probes is dealt with here; all else is given back.
    pub(super) fn of_probe(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::SpawnFailed { run, step, errno, transient, .. } if Commands::is_one(RunId(run.0)) => {
                let failure = launch::failure(None, &Asked::nobody(), step, errno, transient);
                self.failed_to_ask(RunId(run.0), &failure.reason);
            }
            Event::Exited { run, exit, leftovers, .. } if Commands::is_one(RunId(run.0)) => {
                let id = RunId(run.0);
                if !leftovers.is_empty() {
                    self.hands.kill(id);
                }
                if let Some(((run, kind), answer)) = self.prober.commands().exited(id, hands::exit(exit)) {
                    self.answered(run, kind, answer);
                }
                self.hands.forget_probe(id);
            }
            Event::Spawned { run, .. } | Event::Emptied { run } if Commands::is_one(RunId(run.0)) => {}
            Event::Welcome { .. }
            | Event::Spawned { .. }
            | Event::SpawnFailed { .. }
            | Event::Signalled { .. }
            | Event::Exited { .. }
            | Event::Emptied { .. }
            | Event::Swept { .. }
            | Event::Signal { .. }
            | Event::Tried { .. }
            | Event::Terminal { .. }
            | Event::Rejected { .. } => return Some(event),
        }
        None
    }

    /// Nobody waits any more for the commands of the overseer before.
    pub(super) fn end_stray_probes(&mut self, runs: &[RunReport]) {
        for report in runs.iter().filter(|report| Commands::is_one(RunId(report.run.0))) {
            let id = RunId(report.run.0);
            self.prober.commands().begin_after(id);
            self.hands.take_probe(id, report.worker.clone());
            self.hands.kill(id);
            if report.exit.is_some() {
                self.hands.forget_probe(id);
            }
        }
    }
}
