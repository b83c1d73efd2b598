//! Who waits for whom.
//!
//! 1. A group says which others must have come how far before a worker of it starts: *started*, each of their workers has
//!    a process, or had one and ended for good; *ready*, each passes its readiness probe, or is up where there is none;
//!    *completed*, each has ended with success. Workers that are leaving do not count, nor does a group of no workers.
//! 2. That is asked each time a worker is to be spawned, by whatever cause. If it is not so, the worker waits, and says for
//!    what; what was there when a run began may go later, and the run goes on.
//! 3. A worker waits *in vain* when nothing that is under way leads there: what it waits for has ended in another way, was
//!    stopped, or waits in vain itself. Who asked that it be up is told so; it goes on waiting all the same.
//! 4. When a worker has come further or fallen back, the groups that depend on its own are marked. What is marked is looked
//!    at when the input is dealt with, again and again until nothing is marked: nothing recurses.
//! 5. Nothing of this is in the ledger but that a worker waits: when a keeper connects, everything is looked at.

use ganger_spec::{Condition, Group, WorkerName};

use crate::Core;
use crate::io::{Instant, Wanted};
use crate::life::{Ending, Life, Phase};
use crate::turn::Stimulus;
use crate::worker::WorkerRecord;

/// What a group waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Awaited {
    /// A sentence.
    pub(crate) why: String,
    /// Nothing that is under way leads there.
    pub(crate) in_vain: bool,
}

/// What was found of what a group waits for.
#[derive(Clone, Debug, Default)]
pub(crate) enum Sight {
    /// It is to be looked for again.
    #[default]
    Stale,
    /// This; none if everything is there.
    Fresh(Option<Awaited>),
}

/// How a worker stands to one condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Met,
    Coming,
    Hopeless,
}

/// How a worker stands to all of them; none for one that is leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress(Option<[Standing; 3]>);

impl WorkerRecord {
    /// Whether it does its work: it passes the readiness probe, or is up where there is none.
    pub(crate) fn is_ready(&self, group: Option<&Group>) -> bool {
        match (&self.life, group.is_some_and(|group| group.readiness.is_some())) {
            (Life::Running { .. }, false) => true,
            (Life::Starting { run, .. } | Life::Running { run }, true) => self.passed == Some(run.id),
            (
                Life::Stopped
                | Life::Waiting { .. }
                | Life::Spawning { .. }
                | Life::Starting { .. }
                | Life::Backoff { .. }
                | Life::Unborn { .. }
                | Life::Stopping(_)
                | Life::Exited { .. }
                | Life::Fatal { .. },
                _,
            ) => false,
        }
    }

    pub(crate) fn progress(&self, group: Option<&Group>) -> Progress {
        let all = [Condition::Started, Condition::Ready, Condition::Completed];
        let leaves = self.wanted == Wanted::Gone;
        Progress((!leaves).then(|| all.map(|condition| self.standing(condition, group))))
    }

    fn standing(&self, condition: Condition, group: Option<&Group>) -> Standing {
        let met_or_coming = |met: bool| if met { Standing::Met } else { Standing::Coming };
        match (&self.life, condition) {
            (
                Life::Waiting { in_vain: true }
                | Life::Fatal { .. }
                | Life::Stopping(Ending { phase: Phase::Stuck, .. }),
                _,
            )
            | (Life::Exited { .. }, Condition::Ready) => Standing::Hopeless,
            (Life::Stopped, _) => match self.wanted {
                Wanted::Up => Standing::Coming,
                Wanted::Down | Wanted::Gone => Standing::Hopeless,
            },
            (Life::Exited { status }, Condition::Completed) => {
                if is_success(*status, group) {
                    Standing::Met
                } else {
                    Standing::Hopeless
                }
            }
            (Life::Starting { .. } | Life::Running { .. } | Life::Exited { .. }, Condition::Started) => {
                Standing::Met
            }
            (Life::Starting { .. } | Life::Running { .. }, Condition::Ready) => {
                met_or_coming(self.is_ready(group))
            }
            (
                Life::Waiting { in_vain: false }
                | Life::Spawning { .. }
                | Life::Starting { .. }
                | Life::Running { .. }
                | Life::Backoff { .. }
                | Life::Unborn { .. }
                | Life::Stopping(_),
                _,
            ) => Standing::Coming,
        }
    }
}

/// Whether this end for good is what its group calls done.
pub(crate) fn is_success(status: u8, group: Option<&Group>) -> bool {
    let meaning = group.and_then(|group| group.exits.get(&status));
    status == 0 || meaning.is_some_and(|meaning| *meaning == ganger_spec::OnExit::Stop)
}

impl Core {
    /// What a group waits for now; none if everything is there.
    pub(crate) fn awaited(&mut self, group: &str) -> Option<Awaited> {
        if let Sight::Fresh(known) = &self.groups.get(group)?.awaited {
            return known.clone();
        }
        let found = self.look_for_awaited(group);
        if let Some(formed) = self.groups.get_mut(group) {
            formed.awaited = Sight::Fresh(found.clone());
        }
        found
    }

    fn look_for_awaited(&self, group: &str) -> Option<Awaited> {
        let group = crate::group_of(self.release.as_ref(), self.groups.get(group))?;
        let (mut missing, mut hopeless) = (Vec::new(), None);
        for (name, condition) in group.dependencies() {
            let (is_met, lost) = self.standing_of(name, condition);
            if !is_met {
                missing.push(format!("{name} to be {condition}"));
            }
            hopeless = hopeless.or(lost);
        }
        if missing.is_empty() {
            return None;
        }
        let waits = format!("waits for {}", missing.join(" and for "));
        Some(match hopeless.and_then(|name| Some((self.workers.get(&name)?, name))) {
            Some((worker, name)) => {
                let state = worker.life.state();
                let why = format!("{waits}, in vain: {name} is {state} ({})", worker.why);
                Awaited { why, in_vain: true }
            }
            None => Awaited { why: waits, in_vain: false },
        })
    }

    /// Whether a group has come so far, and a worker of it that will not.
    fn standing_of(&self, group: &str, condition: Condition) -> (bool, Option<WorkerName>) {
        let Some(formed) = self.groups.get(group) else { return (true, None) };
        let spec = crate::group_of(self.release.as_ref(), Some(formed));
        let (first, last) = (WorkerName::new(group, 1), WorkerName::new(group, formed.count.max(1)));
        let mut met = 0;
        let mut hopeless = None;
        for (name, worker) in self.workers.range(first..=last) {
            if worker.wanted == Wanted::Gone || name.number > formed.count {
                continue;
            }
            match worker.standing(condition, spec) {
                Standing::Met => met += 1,
                Standing::Coming => {}
                Standing::Hopeless => {
                    hopeless.get_or_insert_with(|| name.clone());
                }
            }
        }
        (met >= formed.count, hopeless)
    }

    /// A worker of this group is not what it was: those that depend on it are to be looked at.
    pub(crate) fn stir(&mut self, group: &str) {
        for dependent in self.dependents.get(group).into_iter().flatten() {
            if let Some(formed) = self.groups.get_mut(dependent) {
                formed.awaited = Sight::Stale;
            }
            self.round.stirred.insert(dependent.clone());
        }
    }

    /// Everything is to be looked at.
    pub(crate) fn stir_all(&mut self) {
        // Also who depends on nothing any more.
        for (name, formed) in &mut self.groups {
            formed.awaited = Sight::Stale;
            self.round.stirred.insert(name.clone());
        }
    }

    /// Lets those begin for whom all is there, and says of the others what they wait for.
    pub(crate) fn look_at_waiting(&mut self, now: Instant) {
        while let Some(group) = self.round.stirred.pop_first() {
            let (first, last) = (WorkerName::new(&*group, 1), WorkerName::new(&*group, u32::MAX));
            let waiting: Vec<WorkerName> = self
                .workers
                .range(first..=last)
                .filter(|(_, worker)| matches!(worker.life, Life::Waiting { .. }))
                .map(|(name, _)| name.clone())
                .collect();
            if waiting.is_empty() {
                continue;
            }
            let awaited = self.awaited(&group);
            for name in waiting {
                if self.workers.get(&name).is_some_and(|worker| worker.is_to_look(awaited.as_ref())) {
                    self.step(now, &name, Stimulus::Look);
                }
            }
        }
    }
}
