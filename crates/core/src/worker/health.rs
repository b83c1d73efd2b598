//! What becomes of a worker that waits, is ready, or is not all right.

use crate::dependencies::Awaited;
use crate::event::Event;
use crate::life::{Life, Run, Then};
use crate::restart::End;
use crate::turn::Turn;
use crate::why;

use super::WorkerRecord;

impl WorkerRecord {
    /// Whether a look at what it waits for would change something.
    pub(crate) fn is_to_look(&self, awaited: Option<&Awaited>) -> bool {
        match (&self.life, awaited) {
            (Life::Waiting { in_vain }, Some(awaited)) => {
                *in_vain != awaited.in_vain || self.why != awaited.why
            }
            (Life::Waiting { .. }, None) => true,
            (
                Life::Stopped
                | Life::Spawning { .. }
                | Life::Starting { .. }
                | Life::Running { .. }
                | Life::Backoff { .. }
                | Life::Unborn { .. }
                | Life::Stopping(_)
                | Life::Exited { .. }
                | Life::Fatal { .. },
                _,
            ) => false,
        }
    }

    /// It would be spawned if what it waits for were there.
    pub(super) fn wait(&mut self, awaited: &Awaited, was_in_vain: Option<bool>, turn: &mut Turn<'_>) -> Life {
        let Awaited { why, in_vain } = awaited.clone();
        self.made_of = turn.made_of;
        if was_in_vain.is_none_or(|was| in_vain && !was) {
            turn.tell(Event::Waiting { worker: turn.name.clone(), why: why.clone(), in_vain });
        }
        self.why = why;
        Life::Waiting { in_vain }
    }

    pub(super) fn look(&mut self, life: Life, turn: &mut Turn<'_>) -> Life {
        match life {
            Life::Waiting { in_vain } => {
                if let Some(awaited) = turn.awaited.clone() {
                    return self.wait(&awaited, Some(in_vain), turn);
                }
                self.history.postponed(turn.now);
                self.spawn(why::AWAITED.to_owned(), turn)
            }
            Life::Stopped
            | Life::Spawning { .. }
            | Life::Starting { .. }
            | Life::Running { .. }
            | Life::Backoff { .. }
            | Life::Unborn { .. }
            | Life::Stopping(_)
            | Life::Exited { .. }
            | Life::Fatal { .. } => life,
        }
    }

    /// It passes its readiness probe, or does not.
    pub(super) fn readiness(&mut self, life: Life, answer: Result<(), String>, turn: &mut Turn<'_>) -> Life {
        let (run, is_up) = match &life {
            Life::Starting { run, .. } => (run.id, false),
            Life::Running { run } => (run.id, true),
            Life::Stopped
            | Life::Waiting { .. }
            | Life::Spawning { .. }
            | Life::Backoff { .. }
            | Life::Unborn { .. }
            | Life::Stopping(_)
            | Life::Exited { .. }
            | Life::Fatal { .. } => return life,
        };
        let ready = answer.is_ok();
        let was_ready = self.passed == Some(run);
        self.passed = ready.then_some(run);
        let why = answer.map_or_else(|reason| why::not_ready(&reason), |()| why::READY.to_owned());
        if was_ready != ready {
            turn.tell(Event::Ready { worker: turn.name.clone(), run, ready, why: why.clone() });
        }
        if is_up {
            self.why = why;
        }
        life
    }

    /// What is said of a worker that has been up for `startsecs`.
    pub(super) fn up(&self, run: &Run, turn: &Turn<'_>) -> &'static str {
        match turn.group.is_some_and(|group| group.readiness.is_some()) {
            true if self.passed == Some(run.id) => why::READY,
            true => why::NOT_READY_YET,
            false => why::UP,
        }
    }

    /// Its run is to end as a failure.
    pub(super) fn unfit(&mut self, life: Life, reason: String, turn: &mut Turn<'_>) -> Life {
        let (run, healthy) = match life {
            Life::Starting { run, healthy } => (run, turn.now >= healthy),
            Life::Running { run } => (run, true),
            Life::Stopped
            | Life::Waiting { .. }
            | Life::Spawning { .. }
            | Life::Backoff { .. }
            | Life::Unborn { .. }
            | Life::Stopping(_)
            | Life::Exited { .. }
            | Life::Fatal { .. } => return life,
        };
        let lived = turn.now.since(run.started);
        let judgement = self.judge(&End::Unfit { reason, lived, healthy }, turn);
        self.end(run, turn.stop(), Then::Judged(judgement), None, turn)
    }
}
