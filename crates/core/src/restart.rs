//! The restart policy: what follows when a worker's run ended by itself.
//!
//! Pure: the same history, time, policy, end and chance give the same judgement.
//!
//! 1. A spawn that failed for a passing reason is tried again after a back-off, whatever the mode says. No run
//!    was made, so no restart is spent.
//! 2. A run that ended before it was healthy, and a spawn that failed for a lasting reason, is a failed start. As many
//!    of them in a row as are allowed attempts make the worker FATAL. Where the group says that a failed start is
//!    tried again, it is, whatever else is said.
//! 3. Else the exit map is asked, then the mode. A spawn that failed for a lasting reason is a failure with the
//!    status that a shell would give it; where it is not tried again the worker is FATAL, not EXITED.
//! 4. A restart that would be one more than the budget allows makes the worker FATAL.
//! 5. After a run that was not healthy the restart waits for a back-off, longer from failure to failure. After a
//!    healthy run it comes at once, but a worker never starts more often than once in the first delay: without
//!    that floor `startsecs = 0` would allow a worker to spin.
//! 6. A run that was ended since it was not all right, or took too much, failed, whatever code it then ends with: the
//!    exit map is not asked.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ganger_spec::{Backoff, Budget, Early, Group, OnExit, Restart, RestartMode};
use serde::{Deserialize, Serialize};

use crate::io::{Exit, Instant};
use crate::span::Span;

/// The largest budget that is counted exactly: a worker's history holds no more restarts than this.
pub const MAX_BUDGET: u32 = 1_000;

/// The status of a worker whose last run was not all right.
const STATUS_OF_UNFIT: u8 = 1;

/// What is remembered of a worker's restarts. An operator's start or restart forgets it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Starts in a row that failed.
    pub failures: u32,
    /// Those of them that count as attempts: the others failed for a passing reason.
    #[serde(default)]
    pub attempts: u32,
    /// When policy restarted it: the latest ones, as far as a budget asks.
    pub restarts: VecDeque<Instant>,
}

impl History {
    /// Remembers that policy started a run now.
    pub fn restarted(&mut self, now: Instant, budget: Option<&Budget>) {
        let Some(budget) = budget else {
            self.restarts.clear();
            return;
        };
        self.restarts.push_back(now);
        let room = budget.restarts.clamp(1, MAX_BUDGET) as usize;
        while self.restarts.len() > room {
            self.restarts.pop_front();
        }
    }

    /// The latest restart comes only now: the spawn for it failed for a passing reason, or was lost.
    pub fn postponed(&mut self, now: Instant) {
        if let Some(latest) = self.restarts.back_mut() {
            *latest = now;
        }
    }

    /// Remembers how a start went.
    pub fn went(&mut self, end: &End) {
        match end {
            End::Exited { healthy: true, .. } | End::Unfit { healthy: true, .. } => self.healthy(),
            End::NotSpawned { transient: true, .. } => self.failures = self.failures.saturating_add(1),
            End::Exited { healthy: false, .. }
            | End::Unfit { healthy: false, .. }
            | End::NotSpawned { transient: false, .. } => {
                self.failures = self.failures.saturating_add(1);
                self.attempts = self.attempts.saturating_add(1);
            }
        }
    }

    /// Forgets the starts that failed: the worker is up.
    pub fn healthy(&mut self) {
        (self.failures, self.attempts) = (0, 0);
    }

    /// How many restarts lie less than `within` before `at`.
    fn spent(&self, at: Instant, within: Duration) -> usize {
        self.restarts.iter().filter(|restart| at.since(**restart) < within).count()
    }
}

/// How a run, or the attempt at one, came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Its main process ended.
    Exited {
        /// How.
        exit: Exit,
        /// How long it had lived.
        lived: Duration,
        /// Whether it had been RUNNING.
        healthy: bool,
    },
    /// It is ended since it is not all right, or takes too much.
    Unfit {
        /// What was found.
        reason: String,
        /// How long it has lived.
        lived: Duration,
        /// Whether it had been RUNNING.
        healthy: bool,
    },
    /// It never came to be.
    NotSpawned {
        /// The failing step and why.
        reason: String,
        /// Whether the same may succeed later.
        transient: bool,
        /// The exit status that stands for it.
        status: u8,
    },
}

/// What follows an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A new run after this delay, which spends the budget.
    Restart(Duration),
    /// Another attempt at the same run after this delay, which spends nothing.
    Retry(Duration),
    /// Nothing: the worker is EXITED with this status.
    Exited(u8),
    /// Nothing: the worker is FATAL with this status.
    Fatal(u8),
}

/// A verdict and the sentence that tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// What follows.
    pub verdict: Verdict,
    /// What happened and what comes next.
    pub why: String,
}

impl Judgement {
    /// The status of an end for good; none if a run follows.
    pub fn ends_with(&self) -> Option<u8> {
        match self.verdict {
            Verdict::Exited(status) | Verdict::Fatal(status) => Some(status),
            Verdict::Restart(_) | Verdict::Retry(_) => None,
        }
    }

    /// Whether nothing follows since it was given up.
    pub(crate) fn gives_up(&self) -> bool {
        match self.verdict {
            Verdict::Fatal(_) => true,
            Verdict::Exited(_) | Verdict::Restart(_) | Verdict::Retry(_) => false,
        }
    }
}

/// Judges an end. `history` is as it was before it; `chance` is any number, from which the jitter is drawn.
pub fn judge(history: &History, now: Instant, group: &Group, end: &End, chance: u64) -> Judgement {
    let happened = sentence(end);
    match meaning(&group.restart, &group.exits, end) {
        Meaning::Again { free } => again(history, now, &group.restart, end, free, chance, &happened),
        Meaning::Done => Judgement {
            verdict: Verdict::Exited(status(end)),
            why: format!("{happened}; not to be started again"),
        },
        Meaning::Failed => Judgement { verdict: Verdict::Fatal(status(end)), why: happened },
    }
}

/// The delay before attempt `failures + 1`, after that many failures in a row (at least one), varied by chance.
pub fn delay(backoff: &Backoff, failures: u32, chance: u64) -> Duration {
    let max = backoff.max.as_nanos();
    let mut nanos = backoff.initial.as_nanos().min(max);
    for _ in 1..failures {
        let longer = nanos * u128::from(backoff.factor_permille) / 1000;
        let next = (longer + backoff.step.as_nanos()).min(max);
        if next == nanos {
            break;
        }
        nanos = next;
    }
    let swing = nanos * u128::from(backoff.jitter_permille.min(1000)) / 1000;
    let varied = nanos - swing + u128::from(chance) % (2 * swing + 1);
    Duration::from_nanos(u64::try_from(varied).unwrap_or(u64::MAX))
}

/// What an end means before budget and delay are asked.
enum Meaning {
    Again { free: bool },
    Done,
    Failed,
}

fn meaning(policy: &Restart, exits: &BTreeMap<u8, OnExit>, end: &End) -> Meaning {
    let (code, failure, lasting) = match end {
        End::NotSpawned { transient: true, .. } => return Meaning::Again { free: true },
        End::NotSpawned { transient: false, status, .. } => (Some(*status), true, true),
        End::Exited { exit: Exit::Code(code), .. } => (Some(*code), *code != 0, false),
        End::Exited { exit: Exit::Signal(_) | Exit::Unknown, .. } | End::Unfit { .. } => (None, true, false),
    };
    if policy.early == Early::Retry && end.is_failed_start() {
        return Meaning::Again { free: false };
    }
    match code.and_then(|code| exits.get(&code)) {
        Some(OnExit::Stop) => return Meaning::Done,
        Some(OnExit::Fatal) => return Meaning::Failed,
        Some(OnExit::Restart) => return Meaning::Again { free: false },
        None => {}
    }
    match policy.mode {
        RestartMode::Always => Meaning::Again { free: false },
        RestartMode::OnFailure if failure => Meaning::Again { free: false },
        RestartMode::Never if lasting => Meaning::Failed,
        RestartMode::OnFailure | RestartMode::Never => Meaning::Done,
    }
}

fn again(
    history: &History,
    now: Instant,
    policy: &Restart,
    end: &End,
    free: bool,
    chance: u64,
    happened: &str,
) -> Judgement {
    let failures = history.failures.saturating_add(1);
    let next = next_try(history, policy, failures);
    let delay = match end {
        End::Exited { healthy: true, lived, .. } | End::Unfit { healthy: true, lived, .. } => {
            policy.backoff.initial.saturating_sub(*lived)
        }
        End::Exited { healthy: false, .. } | End::Unfit { healthy: false, .. } | End::NotSpawned { .. } => {
            delay(&policy.backoff, failures, chance)
        }
    };
    if free {
        let why = format!("{happened}; {next} in {}", Span(delay));
        return Judgement { verdict: Verdict::Retry(delay), why };
    }
    if let Some(attempts) = policy.attempts.filter(|_| end.is_failed_start())
        && history.attempts.saturating_add(1) >= attempts
    {
        let why = format!("{happened}; given up: {} failed", starts(attempts));
        return Judgement { verdict: Verdict::Fatal(status(end)), why };
    }
    if let Some(budget) = &policy.budget {
        let allowed = budget.restarts.min(MAX_BUDGET) as usize;
        if history.spent(now.after(delay), budget.within) >= allowed {
            let within = Span(budget.within);
            let why = format!("{happened}; given up: more than {allowed} restarts in {within}");
            return Judgement { verdict: Verdict::Fatal(status(end)), why };
        }
    }
    let why = match end {
        End::Exited { healthy: true, .. } | End::Unfit { healthy: true, .. } if delay.is_zero() => {
            format!("{happened}; restarted at once")
        }
        End::Exited { healthy: true, .. } | End::Unfit { healthy: true, .. } => {
            format!("{happened}; restarted in {}", Span(delay))
        }
        End::Exited { healthy: false, .. } | End::Unfit { healthy: false, .. } | End::NotSpawned { .. } => {
            format!("{happened}; {next} in {}", Span(delay))
        }
    };
    Judgement { verdict: Verdict::Restart(delay), why }
}

/// The number of the next try, and of how many where that is bounded.
fn next_try(history: &History, policy: &Restart, failures: u32) -> String {
    match policy.attempts {
        Some(attempts) if history.attempts == history.failures => {
            format!("try {} of {attempts}", failures.saturating_add(1))
        }
        Some(_) | None => format!("try {}", failures.saturating_add(1)),
    }
}

fn starts(attempts: u32) -> String {
    if attempts == 1 { "its start".to_owned() } else { format!("{attempts} starts in a row") }
}

impl End {
    /// Whether a start came to nothing, for a reason that may last.
    fn is_failed_start(&self) -> bool {
        match self {
            Self::Exited { healthy, .. } | Self::Unfit { healthy, .. } => !healthy,
            Self::NotSpawned { transient, .. } => !transient,
        }
    }
}

/// The exit status that stands for an end.
fn status(end: &End) -> u8 {
    match end {
        End::Exited { exit, .. } => exit.status(),
        End::Unfit { .. } => STATUS_OF_UNFIT,
        End::NotSpawned { status, .. } => *status,
    }
}

fn sentence(end: &End) -> String {
    match end {
        End::Exited { exit, lived, .. } => format!("{exit} after {}", Span(*lived)),
        End::Unfit { reason, lived, .. } => format!("{reason} after {}", Span(*lived)),
        End::NotSpawned { reason, .. } => format!("could not be started: {reason}"),
    }
}
