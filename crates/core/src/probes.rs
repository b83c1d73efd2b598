//! What the answers of workers mean.
//!
//! 1. The overseer asks; what it hears is counted here, for each run and each probe: so many failures in a row, or so
//!    many successes, count as one. The other answer begins to count anew.
//! 2. A run that passed its readiness probe is ready until it has failed it so often, and its worker with it. Readiness
//!    changes no state and ends nothing; it is a fact of a run, and the next run has none.
//! 3. A run that failed its liveness probe so often, or takes too much, is ended: as a failure, by the restart policy.
//! 4. What was ready is in the ledger. The counts are not: the next overseer asks, and counts anew.
//! 5. Answers of a run that is over, that is on its way out, or that nobody asks any more say nothing; nor do any while the
//!    app stops, when each worker's turn to end comes by itself.

use ganger_spec::{Probe, ProbeKind};

use crate::Core;
use crate::io::{Instant, RunId};
use crate::life::Life;
use crate::turn::Stimulus;

/// Answers in a row, of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Streaks {
    run: Option<RunId>,
    readiness: Streak,
    liveness: Streak,
}

/// Answers in a row that were alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Streak {
    good: bool,
    length: u32,
}

impl Streaks {
    /// How long the row is with this answer.
    fn count(&mut self, run: RunId, kind: ProbeKind, good: bool) -> u32 {
        if self.run != Some(run) {
            *self = Self { run: Some(run), ..Self::default() };
        }
        let streak = match kind {
            ProbeKind::Readiness => &mut self.readiness,
            ProbeKind::Liveness => &mut self.liveness,
        };
        if streak.good != good {
            *streak = Streak { good, length: 0 };
        }
        streak.length = streak.length.saturating_add(1);
        streak.length
    }
}

impl Core {
    /// A worker was asked.
    pub(crate) fn probed(&mut self, now: Instant, run: RunId, kind: ProbeKind, answer: Result<(), String>) {
        let Some(name) = self.index.runs.get(&run).filter(|_| self.shutdown.is_none()).cloned() else {
            return;
        };
        let group = crate::group_of(self.release.as_ref(), self.groups.get(&name.group));
        let probe = group.and_then(|group| group.probe(kind));
        let Some(worker) = self.workers.get_mut(&name) else { return };
        let (Some(Probe { failures, successes, .. }), Life::Starting { .. } | Life::Running { .. }) =
            (probe, &worker.life)
        else {
            return;
        };
        let length = worker.streaks.count(run, kind, answer.is_ok());
        let is_ready = worker.passed == Some(run);
        let stimulus = match (kind, answer) {
            (ProbeKind::Readiness, Ok(())) if length >= *successes && !is_ready => Stimulus::Ready,
            (ProbeKind::Readiness, Err(why)) if length == *failures => Stimulus::NotReady { why },
            (ProbeKind::Liveness, Err(why)) if length >= *failures => {
                let times = if length == 1 { String::new() } else { format!(" ({length} times in a row)") };
                Stimulus::Unfit { why: format!("failed its liveness probe: {why}{times}") }
            }
            (ProbeKind::Readiness | ProbeKind::Liveness, Ok(()) | Err(_)) => return,
        };
        self.step(now, &name, stimulus);
    }

    /// A run takes too much.
    pub(crate) fn too_much(&mut self, now: Instant, run: RunId, what: String) {
        if let Some(name) = self.index.runs.get(&run).filter(|_| self.shutdown.is_none()).cloned() {
            self.step(now, &name, Stimulus::Unfit { why: what });
        }
    }
}
