//! The order in which a shutdown stops workers.
//!
//! 1. A wave is the workers of all families of one priority; the highest priority goes first. Of one priority, those go
//!    first that no other group depends on, then those that only these depend on, and so on. Where all are equal, all go
//!    at once.
//! 2. A wave begins when nothing of those before it can be waited for: it is down, or stuck.
//! 3. Who waits for its wave goes on with its run. Nothing follows any more if that ends by itself, and who has no run
//!    does not get one: it is down at once.
//! 4. Nothing of this is in the ledger: who is to be down and has a run that nobody asked to end waits for its wave.

use std::collections::{BTreeMap, BTreeSet};

use ganger_spec::{USUAL_PRIORITY, WorkerName};

use crate::Core;
use crate::io::{Instant, Wanted};
use crate::tickets::Goal;
use crate::turn::Stimulus;
use crate::why::{self, Motive};

/// Whom a shutdown waits for, by their ranks; empty unless somebody waits for a turn.
#[derive(Debug, Default)]
pub(crate) struct Waves(BTreeMap<Rank, BTreeSet<WorkerName>>);

/// The priority of a family, and how far a group is from those that depend on it, as a negative number.
type Rank = (i32, i32);

impl Core {
    /// Also after a death of the overseer, which may have come before every worker was told.
    pub(crate) fn stop_everything(&mut self, now: Instant, kill: bool) {
        self.waves = Waves::default();
        let names: Vec<WorkerName> = self.workers.keys().cloned().collect();
        for name in &names {
            self.tickets.supersede(name, Goal::Down, &mut self.round.actions);
            if let Some(worker) = self.workers.get_mut(name)
                && worker.wanted == Wanted::Up
            {
                worker.wanted = Wanted::Down;
            }
        }
        let first = names.iter().filter(|name| self.has_open_run(name)).map(|name| self.rank(name)).max();
        for name in names {
            let rank = self.rank(&name);
            if !kill && first.is_some_and(|first| rank < first) && self.is_at_work(&name) {
                self.wait_for_turn(&name);
            } else {
                let stimulus =
                    if kill { Stimulus::Kill(Motive::Shutdown) } else { Stimulus::Stop(Motive::Shutdown) };
                self.step(now, &name, stimulus);
            }
            if !kill && self.is_unsettled(&name) {
                self.waves.0.entry(rank).or_default().insert(name);
            }
        }
        if self.waves.0.len() < 2 {
            self.waves = Waves::default();
        }
    }

    /// Lets those begin whose turn has come.
    pub(crate) fn next_waves(&mut self, now: Instant) {
        if self.waves.0.is_empty() {
            return;
        }
        let changed = self.round.changed.iter().filter(|name| !self.is_unsettled(name));
        for name in changed.cloned().collect::<Vec<_>>() {
            let rank = self.rank(&name);
            if let Some(wave) = self.waves.0.get_mut(&rank) {
                wave.remove(&name);
            }
        }
        let mut has_ended = false;
        while self.waves.0.last_key_value().is_some_and(|(_, wave)| wave.is_empty()) {
            self.waves.0.pop_last();
            has_ended = true;
        }
        if !has_ended {
            return;
        }
        let next: Vec<WorkerName> =
            self.waves.0.last_key_value().map(|(_, wave)| wave.iter().cloned().collect()).unwrap_or_default();
        for name in next.iter().filter(|name| self.is_at_work(name)).cloned().collect::<Vec<_>>() {
            self.step(now, &name, Stimulus::Stop(Motive::Shutdown));
        }
    }

    fn wait_for_turn(&mut self, name: &WorkerName) {
        if let Some(worker) = self.workers.get_mut(name) {
            why::WAITS_TO_STOP.clone_into(&mut worker.why);
            self.round.changed.insert(name.clone());
        }
    }

    fn is_at_work(&self, name: &WorkerName) -> bool {
        self.workers.get(name).is_some_and(crate::WorkerRecord::is_at_work)
    }

    fn has_open_run(&self, name: &WorkerName) -> bool {
        self.is_unsettled(name) && self.workers.get(name).is_some_and(|worker| worker.run().is_some())
    }

    fn is_unsettled(&self, name: &WorkerName) -> bool {
        self.workers.get(name).is_some_and(|worker| !worker.life.is_settled())
    }

    /// Those of the highest go first.
    fn rank(&self, name: &WorkerName) -> Rank {
        let priority = self.group(name).map_or(USUAL_PRIORITY, ganger_spec::Group::family_priority);
        (priority, -self.depth(&name.group))
    }
}
