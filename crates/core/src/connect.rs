//! A keeper connects: what it has and what the ledger says are made one.
//!
//! 1. A run that only the keeper has is nobody's: it is killed, and its worker spawns nothing before it is gone.
//!    If it has ended, its end was accounted before: it is only acknowledged.
//! 2. The formation is put in line with the release, or the shutdown is carried on, where a death interrupted that:
//!    what is wanted must be right before anything follows from what is found.
//! 3. A run that both have goes on; an end that was not accounted is accounted, a stop under way is sent again.
//! 4. A run that only the ledger has was never spawned, and is spawned now; or it ended and nobody saw how.

use std::collections::BTreeMap;

use ganger_spec::WorkerName;

use crate::io::{Action, Instant, KnownRun, RunId, Wanted};
use crate::worker::{Stimulus, WorkerRecord};
use crate::{Core, kill};

impl Core {
    pub(crate) fn connected(&mut self, now: Instant, runs: Vec<KnownRun>) {
        let known: BTreeMap<RunId, KnownRun> = runs.into_iter().map(|run| (run.run, run)).collect();
        for run in
            known.values().filter(|run| !self.index.runs.contains_key(&run.run)).cloned().collect::<Vec<_>>()
        {
            self.foreign(now, &run, &known);
        }
        let own: Vec<(RunId, WorkerName)> =
            self.index.runs.iter().map(|(run, name)| (*run, name.clone())).collect();
        match self.shutdown.as_ref().map(|shutdown| shutdown.now) {
            Some(kill) => self.stop_everything(now, kill),
            None => self.reform(now),
        }
        for (run, name) in own {
            match known.get(&run) {
                Some(run) => self.reconcile(now, &name, run),
                None => self.step(now, &name, Stimulus::Lost),
            }
        }
    }

    fn foreign(&mut self, now: Instant, run: &KnownRun, known: &BTreeMap<RunId, KnownRun>) {
        if run.exit.is_some() && !run.leftovers {
            self.round.actions.push(Action::Acknowledge(run.run));
            return;
        }
        let name = &run.worker;
        if !self.workers.contains_key(name) {
            let worker = WorkerRecord::new(now, Wanted::Gone);
            self.index.add(name, &worker.life);
            self.workers.insert(name.clone(), worker);
        }
        let present = self.workers.get(name).and_then(|worker| worker.life.run());
        if present.is_some_and(|present| known.contains_key(&present)) {
            self.round.actions.push(kill(run.run));
        } else {
            self.step(now, name, Stimulus::Foreign { run: run.run, pid: run.pid, exit: run.exit });
        }
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
