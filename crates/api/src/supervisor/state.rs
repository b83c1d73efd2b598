//! The states of processes and of the daemon, with their numbers on the wire.

use crate::WorkerState;

/// The state of a process: that of a worker, or unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProcessState {
    /// Stopped on request, or never started.
    Stopped,
    /// Started, and not yet up for `startsecs`.
    Starting,
    /// Up.
    Running,
    /// It ended too soon and will be started again.
    Backoff,
    /// It was told to end.
    Stopping,
    /// It ended by itself.
    Exited,
    /// It ended too soon too often.
    Fatal,
    /// Nobody knows.
    Unknown,
}

impl ProcessState {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Stopped,
        Self::Starting,
        Self::Running,
        Self::Backoff,
        Self::Stopping,
        Self::Exited,
        Self::Fatal,
        Self::Unknown,
    ];

    /// Its number: `state`.
    pub fn code(self) -> i64 {
        match self {
            Self::Stopped => 0,
            Self::Starting => 10,
            Self::Running => 20,
            Self::Backoff => 30,
            Self::Stopping => 40,
            Self::Exited => 100,
            Self::Fatal => 200,
            Self::Unknown => 1000,
        }
    }

    /// Its name: `statename`.
    pub fn name(self) -> &'static str {
        self.of_worker().map_or("UNKNOWN", WorkerState::name)
    }

    /// What it is of a worker; none if nobody knows.
    fn of_worker(self) -> Option<WorkerState> {
        Some(match self {
            Self::Stopped => WorkerState::Stopped,
            Self::Starting => WorkerState::Starting,
            Self::Running => WorkerState::Running,
            Self::Backoff => WorkerState::Backoff,
            Self::Stopping => WorkerState::Stopping,
            Self::Exited => WorkerState::Exited,
            Self::Fatal => WorkerState::Fatal,
            Self::Unknown => return None,
        })
    }

    /// The one with this number.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Whether nothing runs, for supervisord: it may be started.
    pub fn is_stopped(self) -> bool {
        matches!(self, Self::Stopped | Self::Exited | Self::Fatal | Self::Unknown)
    }

    /// Whether it counts as running, for supervisord: it may be stopped.
    pub fn is_running(self) -> bool {
        matches!(self, Self::Running | Self::Backoff | Self::Starting)
    }

    /// Whether there is a process that can be sent a signal.
    pub fn is_signallable(self) -> bool {
        matches!(self, Self::Running | Self::Starting | Self::Stopping)
    }
}

impl From<WorkerState> for ProcessState {
    fn from(state: WorkerState) -> Self {
        Self::ALL.into_iter().find(|one| one.of_worker() == Some(state)).unwrap_or(Self::Unknown)
    }
}

/// The state of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SupervisorState {
    /// Something is broken for good.
    Fatal,
    /// As it should be.
    Running,
    /// Stopping everything, to begin anew.
    Restarting,
    /// Stopping everything, to end.
    Shutdown,
}

impl SupervisorState {
    /// Its number: `statecode`.
    pub fn code(self) -> i64 {
        match self {
            Self::Fatal => 2,
            Self::Running => 1,
            Self::Restarting => 0,
            Self::Shutdown => -1,
        }
    }

    /// Its name: `statename`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fatal => "FATAL",
            Self::Running => "RUNNING",
            Self::Restarting => "RESTARTING",
            Self::Shutdown => "SHUTDOWN",
        }
    }
}
