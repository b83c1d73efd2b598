//! The life of a worker: its states and the rules between them.
//!
//! # The rules
//!
//! *Wanted* says what a worker is to be (up, down, gone); its *life* says what it is. Only commands, reloads and
//! shutdowns change what is wanted; ends of runs never do.
//!
//! 1. A worker has one run at most. A run is its whole tree of processes: it is over when its main process ended
//!    **and** the last process of its tree is gone. Nothing is spawned before that.
//! 2. Spawning is asked of the keeper, so it takes time: STARTING has two lives, *Spawning* (no process yet) and
//!    *Starting* (a process, younger than `startsecs`). With `startsecs = 0` a worker is RUNNING once spawned.
//! 3. A run that ends before it was RUNNING is a failed start. What follows any end by itself is judged once, at
//!    the exit of the main process, by the restart policy (see `restart.rs`).
//! 4. If processes of the tree outlive the main one, the worker is STOPPING: the rest gets the stop signal, the
//!    stop timeout and the kill; only when the tree is empty is the judgement carried out.
//! 5. A stop is: signal to the tree, a deadline, KILL to the tree, another deadline (`STUCK_AFTER`), and then the
//!    report that it is stuck. A stuck worker owes no more replies and holds up no shutdown, yet it stays STOPPING
//!    and spawns nothing until its old run is truly gone.
//! 6. Whoever asks for a stop before the keeper answered a spawn waits for that answer (*Unborn*), then stops it.
//! 7. What comes after a stop is decided when the tree is gone, by what is wanted then: a start or restart that
//!    comes during the stop leads to a new run, and a stop that comes during a restart leads to none.
//! 8. An operator's start or restart forgets the failures and restarts of before; it is never counted as one. So does a
//!    restart since a file changed, which leaves alone what is to be down and what waits for others.
//! 9. An end that policy judged to be for good (EXITED, FATAL) stays one: a later stop does not turn it into
//!    STOPPED.
//! 10. The end of a run is accounted once: it is in the ledger, with what follows from it, before the keeper is
//!     told that it may forget the run.
//! 11. Who is to be spawned while its group waits for another is STOPPED, wanted up, and *Waiting* (see
//!     `dependencies.rs`); what spends a restart was spent before, and counts from when the run is asked for.
//! 12. A run that is not all right (see `probes.rs`) is ended: it was judged as a failure at once, and the judgement is
//!     carried out when its tree is gone, unless a command comes first.

use ganger_spec::Stop;
use serde::{Deserialize, Serialize};

use crate::io::{Exit, Instant, Outcome, RunId, State};
use crate::restart::Judgement;
use crate::why::Motive;

/// What a worker is, with all that its state needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Life {
    /// STOPPED.
    Stopped,
    /// STARTING: the keeper was asked for a run and has not answered.
    Spawning { run: RunId },
    /// STARTING: there is a process, and it is not yet healthy.
    Starting { run: Run, healthy: Instant },
    /// RUNNING.
    Running { run: Run },
    /// STOPPED: there is no process until what its group depends on has come so far; `in_vain` while nothing that is under
    /// way leads there.
    Waiting { in_vain: bool },
    /// BACKOFF: there is no process; the next try comes at `retry`.
    Backoff { retry: Instant, spends: bool },
    /// STOPPING: asked to stop before the keeper answered.
    Unborn { run: RunId, stop: Stop, motive: Motive },
    /// STOPPING: the tree of this run is on its way out.
    Stopping(Ending),
    /// EXITED: ended by itself and not to be started again.
    Exited { status: u8 },
    /// FATAL: given up.
    Fatal { status: u8 },
}

/// A run that has a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) pid: u32,
    pub(crate) started: Instant,
}

/// A run whose tree is to be gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub(crate) run: Run,
    pub(crate) stop: Stop,
    pub(crate) phase: Phase,
    /// How the main process ended, once it did.
    pub(crate) exit: Option<Exit>,
    pub(crate) then: Then,
}

/// How far the stop of a tree has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// The stop signal was sent; KILL follows at `kill`.
    Asked { kill: Instant },
    /// KILL was sent; it is reported as stuck at `stuck`.
    Killed { stuck: Instant },
    /// Reported as stuck. Nothing more can be done than to wait.
    Stuck,
}

/// What comes when the tree is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Then {
    /// What is wanted by then; the motive of the latest wish.
    AsWanted(Motive),
    /// The main process ended by itself and this was judged.
    Judged(Judgement),
}

impl Ending {
    /// A stop was asked for: no run follows any more. An end that was judged to be for good stays one.
    pub(crate) fn not_followed(self, motive: Motive) -> Self {
        let then = match self.then {
            Then::Judged(judgement) if judgement.ends_with().is_some() => Then::Judged(judgement),
            Then::Judged(_) | Then::AsWanted(_) => Then::AsWanted(motive),
        };
        Self { then, ..self }
    }
}

impl Life {
    pub(crate) fn state(&self) -> State {
        match self {
            Self::Stopped | Self::Waiting { .. } => State::Stopped,
            Self::Spawning { .. } | Self::Starting { .. } => State::Starting,
            Self::Running { .. } => State::Running,
            Self::Backoff { .. } => State::Backoff,
            Self::Unborn { .. } | Self::Stopping(_) => State::Stopping,
            Self::Exited { .. } => State::Exited,
            Self::Fatal { .. } => State::Fatal,
        }
    }

    /// The run that the keeper has, or was asked for.
    pub(crate) fn run(&self) -> Option<RunId> {
        match self {
            Self::Spawning { run } | Self::Unborn { run, .. } => Some(*run),
            Self::Starting { run, .. } | Self::Running { run } | Self::Stopping(Ending { run, .. }) => {
                Some(run.id)
            }
            Self::Stopped
            | Self::Waiting { .. }
            | Self::Backoff { .. }
            | Self::Exited { .. }
            | Self::Fatal { .. } => None,
        }
    }

    pub(crate) fn process(&self) -> Option<Run> {
        match self {
            Self::Starting { run, .. } | Self::Running { run } | Self::Stopping(Ending { run, .. }) => {
                Some(*run)
            }
            Self::Stopped
            | Self::Waiting { .. }
            | Self::Spawning { .. }
            | Self::Unborn { .. }
            | Self::Backoff { .. }
            | Self::Exited { .. }
            | Self::Fatal { .. } => None,
        }
    }

    /// When time alone will change it.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Starting { healthy, .. } => Some(*healthy),
            Self::Backoff { retry, .. } => Some(*retry),
            Self::Stopping(Ending { phase: Phase::Asked { kill }, .. }) => Some(*kill),
            Self::Stopping(Ending { phase: Phase::Killed { stuck }, .. }) => Some(*stuck),
            Self::Stopping(Ending { phase: Phase::Stuck, .. })
            | Self::Stopped
            | Self::Waiting { .. }
            | Self::Spawning { .. }
            | Self::Running { .. }
            | Self::Unborn { .. }
            | Self::Exited { .. }
            | Self::Fatal { .. } => None,
        }
    }

    pub(crate) fn deadline_mut(&mut self) -> Option<&mut Instant> {
        match self {
            Self::Starting { healthy, .. } => Some(healthy),
            Self::Backoff { retry, .. } => Some(retry),
            Self::Stopping(Ending { phase: Phase::Asked { kill }, .. }) => Some(kill),
            Self::Stopping(Ending { phase: Phase::Killed { stuck }, .. }) => Some(stuck),
            Self::Stopping(Ending { phase: Phase::Stuck, .. })
            | Self::Stopped
            | Self::Waiting { .. }
            | Self::Spawning { .. }
            | Self::Running { .. }
            | Self::Unborn { .. }
            | Self::Exited { .. }
            | Self::Fatal { .. } => None,
        }
    }

    /// When the next try comes.
    pub(crate) fn retry(&self) -> Option<Instant> {
        match self {
            Self::Backoff { retry, .. } => Some(*retry),
            Self::Stopped
            | Self::Waiting { .. }
            | Self::Spawning { .. }
            | Self::Starting { .. }
            | Self::Running { .. }
            | Self::Unborn { .. }
            | Self::Stopping(_)
            | Self::Exited { .. }
            | Self::Fatal { .. } => None,
        }
    }

    /// Whether nothing of it can be waited for: no run, or one that is stuck; and no try to come.
    pub(crate) fn is_settled(&self) -> bool {
        match self {
            Self::Stopped
            | Self::Exited { .. }
            | Self::Fatal { .. }
            | Self::Stopping(Ending { phase: Phase::Stuck, .. }) => true,
            Self::Spawning { .. }
            | Self::Starting { .. }
            | Self::Running { .. }
            | Self::Waiting { .. }
            | Self::Backoff { .. }
            | Self::Unborn { .. }
            | Self::Stopping(Ending { phase: Phase::Asked { .. } | Phase::Killed { .. }, .. }) => false,
        }
    }

    /// The status with which it ended for good, as soon as that was judged.
    pub(crate) fn ended_with(&self) -> Option<u8> {
        match self {
            Self::Exited { status } | Self::Fatal { status } => Some(*status),
            Self::Stopping(Ending { then: Then::Judged(judgement), .. }) => judgement.ends_with(),
            Self::Stopping(Ending { then: Then::AsWanted(_), .. })
            | Self::Stopped
            | Self::Waiting { .. }
            | Self::Spawning { .. }
            | Self::Starting { .. }
            | Self::Running { .. }
            | Self::Backoff { .. }
            | Self::Unborn { .. } => None,
        }
    }

    /// Whether it was given up, as soon as that was judged.
    pub(crate) fn is_given_up(&self) -> bool {
        match self {
            Self::Fatal { .. } => true,
            Self::Stopping(Ending { then: Then::Judged(judgement), .. }) => judgement.gives_up(),
            Self::Stopping(Ending { then: Then::AsWanted(_), .. })
            | Self::Stopped
            | Self::Waiting { .. }
            | Self::Spawning { .. }
            | Self::Starting { .. }
            | Self::Running { .. }
            | Self::Backoff { .. }
            | Self::Unborn { .. }
            | Self::Exited { .. } => false,
        }
    }

    /// The outcome of a wish that it be up; none while that is open.
    pub(crate) fn is_up(&self, why: &str) -> Option<Outcome> {
        match self {
            Self::Running { .. } => Some(Outcome::Done),
            Self::Backoff { .. }
            | Self::Waiting { in_vain: true }
            | Self::Exited { .. }
            | Self::Fatal { .. }
            | Self::Stopping(Ending { phase: Phase::Stuck, .. }) => Some(Outcome::Failed(why.to_owned())),
            Self::Stopped
            | Self::Waiting { in_vain: false }
            | Self::Spawning { .. }
            | Self::Starting { .. }
            | Self::Unborn { .. }
            | Self::Stopping(Ending { phase: Phase::Asked { .. } | Phase::Killed { .. }, .. }) => None,
        }
    }

    /// The outcome of a wish that it be down; none while that is open.
    pub(crate) fn is_down(&self, why: &str) -> Option<Outcome> {
        match self {
            Self::Stopped | Self::Exited { .. } | Self::Fatal { .. } => Some(Outcome::Done),
            Self::Stopping(Ending { phase: Phase::Stuck, .. }) => Some(Outcome::Failed(why.to_owned())),
            Self::Waiting { .. }
            | Self::Spawning { .. }
            | Self::Starting { .. }
            | Self::Running { .. }
            | Self::Backoff { .. }
            | Self::Unborn { .. }
            | Self::Stopping(Ending { phase: Phase::Asked { .. } | Phase::Killed { .. }, .. }) => None,
        }
    }

    /// The process that a signal by command reaches.
    pub(crate) fn main_process(&self) -> Option<RunId> {
        match self {
            Self::Starting { run, .. }
            | Self::Running { run }
            | Self::Stopping(Ending { run, exit: None, .. }) => Some(run.id),
            Self::Stopping(Ending { exit: Some(_), .. })
            | Self::Stopped
            | Self::Waiting { .. }
            | Self::Spawning { .. }
            | Self::Unborn { .. }
            | Self::Backoff { .. }
            | Self::Exited { .. }
            | Self::Fatal { .. } => None,
        }
    }
}
