//! A keeper connects: what becomes of a worker whose run it does not know, knows, or has alone.

use ganger_spec::Signal;

use crate::io::{Action, Exit, Wanted};
use crate::life::{Ending, Life, Phase, Run, Then};
use crate::turn::Turn;
use crate::why::{self, Motive};

use super::{STUCK_AFTER, UNKNOWN_MAKE, WorkerRecord, scope_of};

impl WorkerRecord {
    pub(super) fn lost(&mut self, life: Life, turn: &mut Turn<'_>) -> Life {
        match life {
            Life::Spawning { .. } if self.wanted != Wanted::Up => self.stopped(&Motive::Shutdown),
            Life::Spawning { .. } => {
                self.history.postponed(turn.now);
                let again = self.why.clone();
                self.spawn(again, turn)
            }
            Life::Unborn { motive, .. } => self.as_wanted(&motive, turn),
            Life::Starting { .. } | Life::Running { .. } | Life::Stopping(_) => self.emptied(life, turn),
            Life::Stopped
            | Life::Waiting { .. }
            | Life::Backoff { .. }
            | Life::Exited { .. }
            | Life::Fatal { .. } => life,
        }
    }

    /// What the run is made of is not known, so it is taken for what its group says; as it is, until there is one.
    pub(super) fn take_over(
        &mut self,
        life: Life,
        run: Run,
        exit: Option<Exit>,
        leftovers: bool,
        turn: &mut Turn<'_>,
    ) -> Life {
        if let Some(exit) = exit {
            self.account(run.id, exit, turn);
            if !leftovers {
                turn.act(Action::Acknowledge(run.id));
                return life;
            }
        }
        if self.wanted == Wanted::Up && exit.is_none() {
            self.made_of = turn.made_of;
            why::TAKEN_OVER.clone_into(&mut self.why);
            return Life::Running { run };
        }
        self.end(run, turn.stop(), Then::AsWanted(Motive::Stray), exit, turn)
    }

    /// Whether its run was taken over when there was no release, so that what it is made of is not known.
    pub(crate) fn is_of_unknown_make(&self) -> bool {
        self.made_of == UNKNOWN_MAKE && self.life.process().is_some()
    }

    /// The signals of a stop under way are sent again. The time until the kill stays as it was; whether a KILL works
    /// can only be said some time after it was sent.
    pub(super) fn known(&mut self, life: Life, pid: u32, turn: &mut Turn<'_>) -> Life {
        match life {
            Life::Spawning { .. } | Life::Unborn { .. } => self.spawned(life, pid, turn),
            Life::Stopping(ending) => {
                let (signal, phase) = match ending.phase {
                    Phase::Asked { kill } => (ending.stop.signal, Phase::Asked { kill }),
                    Phase::Killed { .. } => {
                        (Signal::KILL, Phase::Killed { stuck: turn.now.after(STUCK_AFTER) })
                    }
                    Phase::Stuck => (Signal::KILL, Phase::Stuck),
                };
                let scope = scope_of(signal, &ending.stop, ending.exit);
                turn.act(Action::Signal { run: ending.run.id, signal, scope });
                Life::Stopping(Ending { phase, ..ending })
            }
            Life::Stopped
            | Life::Waiting { .. }
            | Life::Starting { .. }
            | Life::Running { .. }
            | Life::Backoff { .. }
            | Life::Exited { .. }
            | Life::Fatal { .. } => life,
        }
    }
}
