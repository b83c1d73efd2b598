//! A keeper connects: what it has and what the ledger says are made one.
//!
//! 1. The numbers of runs go on after all that the keeper has. A run that only the keeper has is one that a damaged
//!    ledger has lost. Its worker takes it over: it goes on if the worker is to be up, or while no release says what
//!    is to be; else it is stopped. Beside another run of its worker that the keeper has, it is killed. If it has
//!    ended, its end is accounted unless the ledger says that it was.
//! 2. The formation is put in line with the release, or the shutdown is carried on, where a death interrupted that:
//!    what is wanted must be right before anything follows from what is found.
//! 3. A run that both have goes on; an end that was not accounted is accounted, a stop under way is sent again.
//! 4. A run that only the ledger has was never spawned, and is spawned now; or it ended and nobody saw how.

use std::collections::BTreeMap;

use ganger_spec::WorkerName;

use crate::io::{Action, Instant, KnownRun, RunId, Wanted};
use crate::turn::Stimulus;
use crate::worker::WorkerRecord;
use crate::{Core, kill};

impl Core {
    pub(crate) fn connected(&mut self, now: Instant, runs: Vec<KnownRun>) {
        self.connected = true;
        let known: BTreeMap<RunId, KnownRun> = runs.into_iter().map(|run| (run.run, run)).collect();
        if let Some(RunId(last)) = known.keys().next_back() {
            self.next_run = self.next_run.max(last.saturating_add(1));
        }
        for run in
            known.values().filter(|run| !self.index.runs.contains_key(&run.run)).cloned().collect::<Vec<_>>()
        {
            self.foreign(now, &run, &known);
        }
        let own: Vec<(RunId, WorkerName)> =
            self.index.runs.iter().map(|(run, name)| (*run, name.clone())).collect();
        match self.shutdown.as_ref().map(|shutdown| shutdown.now) {
            Some(kill) => self.stop_everything(now, kill),
            None if self.release.is_some() => self.reform(now),
            None => {}
        }
        for (run, name) in own {
            match known.get(&run) {
                Some(run) => self.reconcile(now, &name, run),
                None => self.step(now, &name, Stimulus::Lost),
            }
        }
        self.stir_all();
    }

    fn foreign(&mut self, now: Instant, run: &KnownRun, known: &BTreeMap<RunId, KnownRun>) {
        let name = &run.worker;
        let is_over = run.exit.is_some() && !run.leftovers;
        if is_over && self.is_accounted(run) {
            self.round.actions.push(Action::Acknowledge(run.run));
            return;
        }
        if !self.workers.contains_key(name) {
            let worker = WorkerRecord::new(now, self.wanted_by_release(name));
            self.index.add(name, &worker.life);
            self.workers.insert(name.clone(), worker);
        }
        let present = self.workers.get(name).and_then(|worker| worker.life.run());
        if !is_over && present.is_some_and(|present| known.contains_key(&present)) {
            self.round.actions.push(kill(run.run));
        } else {
            let (pid, exit, leftovers) = (run.pid, run.exit, run.leftovers);
            self.step(now, name, Stimulus::Foreign { run: run.run, pid, exit, leftovers });
        }
    }

    /// Whether the end of a run that the ledger has not is one that it had: the worker went on after it, or is no
    /// more, as far as anybody can say.
    fn is_accounted(&self, run: &KnownRun) -> bool {
        let worker = self.workers.get(&run.worker);
        let last = worker.and_then(WorkerRecord::accounted).map(|(last, _)| last);
        let present = worker.and_then(|worker| worker.life.run());
        last.max(present).is_none_or(|last| run.run <= last)
    }

    /// What a worker is to be of which the ledger says nothing.
    fn wanted_by_release(&self, name: &WorkerName) -> Wanted {
        let is_up =
            self.release.is_none() || self.group_count(&name.group).is_some_and(|count| name.number <= count);
        if is_up { Wanted::Up } else { Wanted::Gone }
    }

    fn reconcile(&mut self, now: Instant, name: &WorkerName, run: &KnownRun) {
        let over = run.exit.is_some() && !run.leftovers;
        // Of a run that came and went without an overseer, the start is told, too.
        let unborn = self.workers.get(name).is_some_and(|worker| worker.life.process().is_none());
        if !over || unborn {
            self.step(now, name, Stimulus::Known { pid: run.pid });
        }
        if let Some(exit) = run.exit {
            self.step(now, name, Stimulus::Exited { exit, leftovers: run.leftovers });
        }
    }
}
