//! What goes into the decider and what comes out of it. Each value prints as one line: the event log.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ganger_spec::{ProbeKind, Signal, Spec, WorkerName};
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::ledger::Record;

/// A point in time: nanoseconds since the machine booted, suspended time left out. Never goes back; may leap
/// ahead, when the overseer was not run for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Instant(pub u64);

impl Instant {
    /// This much later; the end of time if it would be past it.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// One life of a worker. Numbers are never used twice in the life of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(pub u64);

/// One command whose reply is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CommandId(pub u64);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It returned this code.
    Code(u8),
    /// This signal ended it.
    Signal(Signal),
    /// It ended and nobody saw how.
    Unknown,
}

impl Exit {
    /// As a shell reports it: the code, or 128 + the signal's number; 255 where it is unknown.
    pub fn status(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => u8::try_from(128 + signal.number()).unwrap_or(255),
            Self::Unknown => 255,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => write!(f, "was terminated by {signal}"),
            Self::Unknown => write!(f, "ended, nobody saw how"),
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// This should run from now on. The first one starts the app; a later one is a reload.
    Apply {
        /// Answered when the plan is carried out.
        command: CommandId,
        /// The new release.
        spec: Arc<Spec>,
        /// Whether the app finishes when every worker has ended by itself and none will be started again.
        finish_when_idle: bool,
    },
    /// Somebody asks for something.
    Command {
        /// Answered after the effect.
        id: CommandId,
        /// What is asked.
        command: Command,
    },
    /// The keeper started the run.
    Spawned {
        /// Which run.
        run: RunId,
        /// Its process.
        pid: u32,
    },
    /// The keeper could not start the run.
    SpawnFailed {
        /// Which run.
        run: RunId,
        /// The failing step and why, as a sentence.
        reason: String,
        /// Whether the same may succeed later: no memory, no free descriptor, too many processes. What will not
        /// mend by itself (command not found, no such directory, unknown user) is an end of the worker's run.
        transient: bool,
        /// The exit status that a shell would give it: 127 for a command that is not found, 126 for one that
        /// cannot be executed, 1 for the rest.
        status: u8,
    },
    /// The main process of a run ended.
    Exited {
        /// Which run.
        run: RunId,
        /// How.
        exit: Exit,
        /// Whether processes of its tree are still alive; `Emptied` follows when they are gone.
        leftovers: bool,
    },
    /// The last process of a run's tree is gone, after `Exited { leftovers: true }`.
    Emptied {
        /// Which run.
        run: RunId,
    },
    /// A worker was asked, and answered well or not.
    Probed {
        /// Its run.
        run: RunId,
        /// What it was asked for.
        kind: ProbeKind,
        /// Why the answer was not good.
        answer: Result<(), String>,
    },
    /// A run takes more than its group allows.
    TooMuch {
        /// Which run.
        run: RunId,
        /// Of what, as the beginning of a sentence: "used 400 MiB of memory, more than 300 MiB".
        what: String,
    },
    /// The overseer (re)connected to a keeper: these are all runs that it knows, and no request sent before is
    /// still under way.
    Connected {
        /// Live runs, and ended ones that were not acknowledged.
        runs: Vec<KnownRun>,
    },
    /// Time has passed; sent when `next_deadline` is reached.
    Tick,
}

/// A run as the keeper knows it when an overseer connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRun {
    /// Which run.
    pub run: RunId,
    /// The worker it was spawned for.
    pub worker: WorkerName,
    /// Its process.
    pub pid: u32,
    /// How its main process ended, if it did.
    pub exit: Option<Exit>,
    /// Whether processes of its tree are alive beside the main one.
    pub leftovers: bool,
}

/// What can be asked for. Names are resolved before: core sees workers and groups that exist in the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Bring these up and forget their failures.
    Start(Vec<WorkerName>),
    /// Bring these down and keep them down.
    Stop(Vec<WorkerName>),
    /// End the present run of each and start a new one; one that is down is started.
    Restart(Vec<WorkerName>),
    /// What runs of these are made of changed, as this sentence says: end the present run of each and start a new one. What
    /// is to be down stays down, and what waits for others goes on waiting.
    Refresh(Vec<WorkerName>, Arc<str>),
    /// Set the counts of groups.
    Scale(Vec<(String, u32)>),
    /// Send a signal to the main process of each.
    Signal(Vec<WorkerName>, Signal),
    /// Stop everything and finish.
    Shutdown {
        /// Kill at once, without the stop signal and its timeout.
        now: bool,
        /// Why, for people: "interrupted", "asked to quit".
        reason: String,
        /// The status to finish with unless a worker's end decided it before.
        status: u8,
    },
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Put this into the ledger before anything that follows is done.
    Record(Record),
    /// Start a run of this worker, as the spec in force says.
    Spawn {
        /// The new run.
        run: RunId,
        /// Its worker.
        worker: WorkerName,
    },
    /// Send a signal to a run.
    Signal {
        /// Which run.
        run: RunId,
        /// Which signal.
        signal: Signal,
        /// To whom of it.
        scope: Scope,
    },
    /// The end of this run is accounted: the keeper may forget it.
    Acknowledge(RunId),
    /// The command is carried out, or will never be.
    Reply {
        /// Which command.
        id: CommandId,
        /// What became of it.
        reply: Reply,
    },
    /// Something to tell: followers, `why`, `events`.
    Event(Event),
    /// Nothing is left to oversee: end with this status.
    Finish {
        /// The exit status of the whole.
        status: u8,
    },
}

/// Whom a signal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The main process alone.
    Main,
    /// Every process of the run's tree, in whatever session or group it hid.
    Tree,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What happened to each worker that it was about, in order of name.
    pub workers: Vec<(WorkerName, Outcome)>,
    /// Why the command as a whole was refused; then it was about no worker.
    pub refused: Option<String>,
}

/// What a command came to for one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is as asked.
    Done,
    /// It was so already.
    Unchanged,
    /// It could not be, and why.
    Failed(String),
    /// A later command asked for something else first.
    Superseded,
}

/// What a worker is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// Running.
    Up,
    /// Not running.
    Down,
    /// Not running, and forgotten as soon as it is down: its group has fewer workers now, or is no more.
    Gone,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Gone => "gone",
        })
    }
}

/// The state of a worker, by supervisord's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Not running, as asked.
    Stopped,
    /// Started, not yet for `startsecs`.
    Starting,
    /// Up.
    Running,
    /// Ended too soon; waits for the next try.
    Backoff,
    /// Asked to end; its tree is not empty yet.
    Stopping,
    /// Ended by itself and not to be restarted.
    Exited,
    /// Given up.
    Fatal,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Stopped,
        Self::Starting,
        Self::Running,
        Self::Backoff,
        Self::Stopping,
        Self::Exited,
        Self::Fatal,
    ];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stopped => "STOPPED",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Backoff => "BACKOFF",
            Self::Stopping => "STOPPING",
            Self::Exited => "EXITED",
            Self::Fatal => "FATAL",
        })
    }
}

/// A worker as every surface shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerView {
    /// Which worker.
    pub name: WorkerName,
    /// What it is to be.
    pub wanted: Wanted,
    /// What it is.
    pub state: State,
    /// Why it is so: a sentence.
    pub why: String,
    /// Whether it does its work: it passes its readiness probe, or is up where its group has none.
    pub ready: bool,
    /// Its present run, if it has one.
    pub run: Option<RunId>,
    /// The main process of that run.
    pub pid: Option<u32>,
    /// When the present state began.
    pub since: Instant,
    /// When the present run began.
    pub started: Option<Instant>,
    /// When the next try comes, in BACKOFF.
    pub retry: Option<Instant>,
    /// Restarts that policy made, since the worker was made.
    pub restarts: u64,
    /// How the last run ended.
    pub last_exit: Option<Exit>,
    /// When the latest run began.
    pub began: Option<Instant>,
    /// When the latest run that is over ended.
    pub ended: Option<Instant>,
    /// Why the latest run could not be started, if it could not.
    pub unspawned: Option<String>,
}

/// How many workers are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// STOPPED.
    pub stopped: usize,
    /// STARTING.
    pub starting: usize,
    /// RUNNING.
    pub running: usize,
    /// BACKOFF.
    pub backoff: usize,
    /// STOPPING.
    pub stopping: usize,
    /// EXITED.
    pub exited: usize,
    /// FATAL.
    pub fatal: usize,
}

impl Counts {
    /// The count of one state.
    pub(crate) fn of(&mut self, state: State) -> &mut usize {
        match state {
            State::Stopped => &mut self.stopped,
            State::Starting => &mut self.starting,
            State::Running => &mut self.running,
            State::Backoff => &mut self.backoff,
            State::Stopping => &mut self.stopping,
            State::Exited => &mut self.exited,
            State::Fatal => &mut self.fatal,
        }
    }
}
