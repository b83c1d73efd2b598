//! What overseer and keeper say to each other. Fields and variants are numbered: a side ignores fields that it does
//! not know, so that an old and a new version understand each other. Numbers are never used twice.

mod step;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use minicbor::{Decode, Encode};

use crate::capabilities::Capabilities;
pub use step::Step;

use crate::codec;
use crate::upgrade::{Upgrade, Upgraded};

/// The version of this protocol.
pub const VERSION: u16 = 1;
/// The largest message that is taken.
pub const BODY_MAX: usize = 8 << 20;
/// The largest message that travels inside its frame; a larger one goes in a sealed memory file.
pub const INLINE_MAX: usize = 60 << 10;
/// The most messages that travel in one frame.
pub(crate) const MESSAGES_MAX: usize = 64;
/// The most descriptors that come with one message.
pub const DESCRIPTORS_MAX: usize = 4;
/// The most descriptors that are kept for one overseer after the other.
pub const KEPT_MAX: usize = DESCRIPTORS_MAX;
/// The most processes that one message names; the others are dealt with all the same.
pub const NAMES_MAX: usize = 256;

/// One life of a worker, as the overseer numbers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct RunId(#[n(0)] pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What the overseer asks for. `id` comes back with the answer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// The first message of an overseer; answered by [`Event::Welcome`].
    ///
    /// Up to [`KEPT_MAX`] descriptors may come with it. The keeper keeps those of the latest `Hello` as long as it
    /// lives, and each overseer that it starts finds them with [`crate::Link::take_kept`]. So a lock on an open file
    /// stays with the app while overseers come and go. Those that do not arrive, since the keeper has too many, leave
    /// what was kept before.
    #[n(0)]
    Hello {
        /// The version that the overseer speaks.
        #[n(0)]
        version: u16,
    },
    /// Start a run. Exactly three descriptors come with it: its stdin, stdout and stderr; or, where its launch says so,
    /// its [terminal](Launch::terminal), the other side of that, and where what is read from there goes.
    #[n(1)]
    Spawn {
        /// Comes back with `Spawned` or `SpawnFailed`.
        #[n(0)]
        id: u64,
        /// The number of the run.
        #[n(1)]
        run: RunId,
        /// The worker it is for, `web.1`; a worker never has two runs.
        #[n(2)]
        worker: String,
        /// What to start.
        #[n(3)]
        launch: Launch,
    },
    /// Send a signal.
    #[n(2)]
    Signal {
        /// Comes back with `Signalled`; 0 wants no answer.
        #[n(0)]
        id: u64,
        /// To which run.
        #[n(1)]
        run: RunId,
        /// Its number.
        #[n(2)]
        signal: i32,
        /// To whom of it.
        #[n(3)]
        scope: Scope,
    },
    /// The end of this run is accounted: forget it.
    #[n(3)]
    Acknowledge {
        /// Which run.
        #[n(0)]
        run: RunId,
    },
    /// The worker is no more: close the descriptors that are kept for it.
    #[n(4)]
    Release {
        /// Which worker.
        #[n(0)]
        worker: String,
    },
    /// The overseer acts on a signal that was passed on to it.
    #[n(5)]
    Taken {
        /// Which signal.
        #[n(0)]
        signal: i32,
    },
    /// Kill whatever is below the keeper, belongs to no run and is not the overseer.
    #[n(6)]
    Sweep {
        /// Comes back with `Swept`.
        #[n(0)]
        id: u64,
    },
    /// All is done: when the overseer has ended, end with this status and leave no process behind.
    #[n(7)]
    Quit {
        /// The exit status.
        #[n(0)]
        status: u8,
    },
    /// Tell the service manager that started the keeper: it listens to no other process. Nothing happens where there
    /// is none, that is without `NOTIFY_SOCKET`.
    #[n(8)]
    Notify {
        /// Lines of `NAME=value`, as `sd_notify(3)` has them.
        #[n(0)]
        state: String,
    },
    /// Try out another program, and execute it over the keeper if it proves itself: the rules are those of
    /// [`Upgrade`].
    #[n(9)]
    Upgrade {
        /// Comes back with `Tried`.
        #[n(0)]
        id: u64,
        /// What to execute, and how.
        #[n(1)]
        upgrade: Upgrade,
    },
    /// After `Tried` without a failure: all is settled, and this overseer may be ended.
    #[n(10)]
    Yielded,
    /// This overseer has taken up all that there is: a program on trial is accepted.
    #[n(11)]
    Settled,
}

impl Request {
    /// The number that comes back with the answer; 0 where none is due.
    pub fn id(&self) -> u64 {
        match self {
            Self::Spawn { id, .. }
            | Self::Signal { id, .. }
            | Self::Sweep { id }
            | Self::Upgrade { id, .. } => *id,
            Self::Hello { .. }
            | Self::Acknowledge { .. }
            | Self::Release { .. }
            | Self::Taken { .. }
            | Self::Notify { .. }
            | Self::Yielded
            | Self::Settled
            | Self::Quit { .. } => 0,
        }
    }
}

/// What to start, and as what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Launch {
    /// The program, looked up in the `PATH` of `env` if it has no slash, and its arguments.
    #[cbor(n(0), with = "codec::os_strings")]
    pub argv: Vec<OsString>,
    /// The whole environment, `NAME=value` each.
    #[cbor(n(1), with = "codec::os_strings")]
    pub env: Vec<OsString>,
    /// The working directory.
    #[cbor(n(2), with = "codec::os_string")]
    pub dir: PathBuf,
    /// The user to become; none means the keeper's own.
    #[n(3)]
    pub ids: Option<Ids>,
    /// The file mode mask; none means the keeper's own.
    #[n(4)]
    pub umask: Option<u32>,
    /// Resource limits; others stay as the keeper was started with.
    #[n(5)]
    pub limits: Vec<Limit>,
    /// A text unique to this run, put into its environment as `GANGER_RUN`: it tells its processes where no cgroup does.
    #[n(6)]
    pub tag: String,
    /// Signals that it starts with ignored.
    #[cbor(n(8), default)]
    pub ignore: Vec<i32>,
    /// It has a terminal of its own, which controls its session: the first descriptor that comes with it is its stdin,
    /// stdout and stderr. The other two are kept for the worker and nothing more: the side of the terminal where the
    /// screen and the keyboard are, and where that is read into.
    #[n(7)]
    #[cbor(default)]
    pub terminal: bool,
}

/// A user, as numbers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Ids {
    /// The user.
    #[n(0)]
    pub uid: u32,
    /// Its first group.
    #[n(1)]
    pub gid: u32,
    /// All its groups.
    #[n(2)]
    pub groups: Vec<u32>,
}

/// One resource limit; none means unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Limit {
    /// What is limited.
    #[n(0)]
    pub resource: Resource,
    /// What the run starts with.
    #[n(1)]
    pub soft: Option<u64>,
    /// What it may raise it to.
    #[n(2)]
    pub hard: Option<u64>,
}

/// What a run may be limited in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Resource {
    /// Open file descriptors.
    #[n(0)]
    OpenFiles,
    /// Processes of the user.
    #[n(1)]
    Processes,
    /// Bytes of a core dump.
    #[n(2)]
    Core,
    /// Bytes of address space.
    #[n(3)]
    AddressSpace,
    /// Seconds of CPU time.
    #[n(4)]
    CpuSeconds,
    /// Bytes of the largest file written.
    #[n(5)]
    FileSize,
    /// Bytes of locked memory.
    #[n(6)]
    LockedMemory,
    /// Bytes of stack.
    #[n(7)]
    Stack,
}

/// Whom a signal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Scope {
    /// The main process alone.
    #[n(0)]
    Main,
    /// Every process of the run, in whatever session or group it hid.
    #[n(1)]
    Tree,
}

/// What the keeper tells.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Event {
    /// The answer to `Hello`: all that the keeper knows.
    #[n(0)]
    Welcome {
        /// The version that the keeper speaks.
        #[n(0)]
        version: u16,
        /// The keeper's process.
        #[n(1)]
        keeper_pid: u32,
        /// What the kernel and our rights allow.
        #[n(2)]
        capabilities: Capabilities,
        /// Every run that is not forgotten.
        #[n(3)]
        runs: Vec<RunReport>,
        /// How the latest attempt to put another program in the keeper's place ended, if there was one.
        #[n(4)]
        upgraded: Option<Upgraded>,
    },
    /// The program of the run is executing.
    #[n(1)]
    Spawned {
        /// The request.
        #[n(0)]
        id: u64,
        /// The run.
        #[n(1)]
        run: RunId,
        /// Its main process.
        #[n(2)]
        pid: u32,
        /// When it started, in clock ticks since the machine booted (field 22 of `/proc/PID/stat`).
        #[n(3)]
        started: u64,
    },
    /// The run could not be started; the keeper knows nothing of it any more.
    #[n(2)]
    SpawnFailed {
        /// The request.
        #[n(0)]
        id: u64,
        /// The run.
        #[n(1)]
        run: RunId,
        /// What failed.
        #[n(2)]
        step: Step,
        /// Why, as the system numbers it.
        #[n(3)]
        errno: i32,
        /// Whether it may well work when tried again, though nothing was changed.
        #[n(4)]
        transient: bool,
    },
    /// The signal was sent.
    #[n(3)]
    Signalled {
        /// The request.
        #[n(0)]
        id: u64,
        /// The run.
        #[n(1)]
        run: RunId,
        /// Who got it. A main process that got it alone has no name here.
        #[n(2)]
        processes: Vec<Process>,
        /// Why nobody or not everybody got it; 0 if all did.
        #[n(3)]
        errno: i32,
    },
    /// The main process of a run ended. Told until acknowledged.
    #[n(4)]
    Exited {
        /// The run.
        #[n(0)]
        run: RunId,
        /// How it ended.
        #[n(1)]
        exit: Exit,
        /// What it used, with the children that it waited for.
        #[n(2)]
        usage: Usage,
        /// Processes of its tree that are still alive; `Emptied` follows when they are gone.
        #[n(3)]
        leftovers: Vec<Process>,
    },
    /// The last process of a run's tree is gone, after `Exited` with leftovers.
    #[n(5)]
    Emptied {
        /// The run.
        #[n(0)]
        run: RunId,
    },
    /// The answer to `Sweep`.
    #[n(6)]
    Swept {
        /// The request.
        #[n(0)]
        id: u64,
        /// Who was killed.
        #[n(1)]
        killed: Vec<Process>,
    },
    /// Somebody sent this signal to the keeper. An INT, TERM, HUP or QUIT must be `Taken` within
    /// [`crate::Patience::taken`], or the keeper stops the runs itself.
    #[n(7)]
    Signal {
        /// Which signal.
        #[n(0)]
        signal: i32,
    },
    /// A request came without its body or cannot be understood; nothing was done.
    #[n(8)]
    Rejected {
        /// The request, as its frame numbers it.
        #[n(0)]
        id: u64,
        /// Why, as the system numbers it.
        #[n(1)]
        errno: i32,
    },
    /// A program was tried out.
    #[n(9)]
    Tried {
        /// The request.
        #[n(0)]
        id: u64,
        /// Why it cannot take the keeper's place: nothing was changed. If it can, the overseer settles what is under way
        /// and says `Yielded`, within [`crate::Patience::quit`].
        #[n(1)]
        failure: Option<String>,
    },
    /// Ahead of `Welcome`: a worker has a terminal. The side where the screen and the keyboard are comes with it.
    #[n(10)]
    Terminal {
        /// The worker.
        #[n(0)]
        worker: String,
    },
}

impl Event {
    /// The request that this answers; 0 if none.
    pub fn id(&self) -> u64 {
        match self {
            Self::Spawned { id, .. }
            | Self::SpawnFailed { id, .. }
            | Self::Signalled { id, .. }
            | Self::Swept { id, .. }
            | Self::Tried { id, .. }
            | Self::Rejected { id, .. } => *id,
            Self::Welcome { .. }
            | Self::Exited { .. }
            | Self::Emptied { .. }
            | Self::Signal { .. }
            | Self::Terminal { .. } => 0,
        }
    }
}

/// A run that the keeper has not forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RunReport {
    /// The run.
    #[n(0)]
    pub run: RunId,
    /// The worker it was started for.
    #[n(1)]
    pub worker: String,
    /// Its main process.
    #[n(2)]
    pub pid: u32,
    /// When that started, in clock ticks since the machine booted.
    #[n(3)]
    pub started: u64,
    /// How it ended, if it did.
    #[n(4)]
    pub exit: Option<Exit>,
    /// What it used; zero while it lives.
    #[n(5)]
    pub usage: Usage,
    /// Once the main process ended: processes of its tree that are still alive.
    #[n(6)]
    pub leftovers: Vec<Process>,
    /// The tag in the environment of its processes.
    #[n(7)]
    #[cbor(default)]
    pub tag: String,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Exit {
    /// It returned this code.
    #[n(0)]
    Code(#[n(0)] u8),
    /// This signal ended it.
    #[n(1)]
    Signal(#[n(0)] i32),
    /// Nobody saw how: its parent was killed, and the kernel does not keep it.
    #[n(2)]
    Unknown,
}

impl Exit {
    /// As a shell reports it: the code, or 128 + the signal's number; 255 where it is unknown.
    pub fn status(self) -> u8 {
        match self {
            Self::Unknown => u8::MAX,
            Self::Code(code) => code,
            Self::Signal(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }
}

/// What a process used in its life, with the children that it waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Usage {
    /// Microseconds of CPU time in its own code.
    #[n(0)]
    pub user_us: u64,
    /// Microseconds of CPU time in the kernel.
    #[n(1)]
    pub system_us: u64,
    /// The most memory that was resident at once.
    #[n(2)]
    pub max_rss_kib: u64,
}

/// A process, by number and name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Process {
    /// Its number.
    #[n(0)]
    pub pid: u32,
    /// Its name as the kernel has it, at most 15 bytes; empty if it was gone too soon.
    #[n(1)]
    pub name: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.pid)
    }
}
