//! How a call fails.

use crate::xmlrpc;

/// What went wrong, by supervisord's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// No method of that name.
    UnknownMethod,
    /// Too few, too many or of the wrong type.
    IncorrectParameters,
    /// Of the right type, but they make no sense.
    BadArguments,
    /// A method without a signature.
    SignatureUnsupported,
    /// The daemon is on its way down.
    ShutdownState,
    /// No process or group of that name.
    BadName,
    /// No signal of that name.
    BadSignal,
    /// The user may only look. Supervisord has no such users, and no such fault.
    NotPermitted,
    /// A file is not there.
    NoFile,
    /// A file is there and cannot be executed.
    NotExecutable,
    /// It did not work.
    Failed,
    /// The process ended before it counted as started.
    AbnormalTermination,
    /// The process could not be started.
    SpawnError,
    /// The process runs already.
    AlreadyStarted,
    /// The process does not run.
    NotRunning,
    /// No fault: what the status of a process tells in an array of results.
    Success,
    /// The group is there already.
    AlreadyAdded,
    /// A group that should go still runs.
    StillRunning,
    /// The configuration has errors.
    CantReread,
}

impl Fault {
    /// Every one, by its code.
    pub const ALL: [Self; 19] = [
        Self::UnknownMethod,
        Self::IncorrectParameters,
        Self::BadArguments,
        Self::SignatureUnsupported,
        Self::ShutdownState,
        Self::BadName,
        Self::BadSignal,
        Self::NotPermitted,
        Self::NoFile,
        Self::NotExecutable,
        Self::Failed,
        Self::AbnormalTermination,
        Self::SpawnError,
        Self::AlreadyStarted,
        Self::NotRunning,
        Self::Success,
        Self::AlreadyAdded,
        Self::StillRunning,
        Self::CantReread,
    ];

    /// Its code on the wire.
    pub fn code(self) -> i64 {
        match self {
            Self::UnknownMethod => 1,
            Self::IncorrectParameters => 2,
            Self::BadArguments => 3,
            Self::SignatureUnsupported => 4,
            Self::ShutdownState => 6,
            Self::BadName => 10,
            Self::BadSignal => 11,
            Self::NotPermitted => 12,
            Self::NoFile => 20,
            Self::NotExecutable => 21,
            Self::Failed => 30,
            Self::AbnormalTermination => 40,
            Self::SpawnError => 50,
            Self::AlreadyStarted => 60,
            Self::NotRunning => 70,
            Self::Success => 80,
            Self::AlreadyAdded => 90,
            Self::StillRunning => 91,
            Self::CantReread => 92,
        }
    }

    /// The one with this code.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.code() == code)
    }

    /// Its name, with which `faultString` begins.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownMethod => "UNKNOWN_METHOD",
            Self::IncorrectParameters => "INCORRECT_PARAMETERS",
            Self::BadArguments => "BAD_ARGUMENTS",
            Self::SignatureUnsupported => "SIGNATURE_UNSUPPORTED",
            Self::ShutdownState => "SHUTDOWN_STATE",
            Self::BadName => "BAD_NAME",
            Self::BadSignal => "BAD_SIGNAL",
            Self::NotPermitted => "NOT_PERMITTED",
            Self::NoFile => "NO_FILE",
            Self::NotExecutable => "NOT_EXECUTABLE",
            Self::Failed => "FAILED",
            Self::AbnormalTermination => "ABNORMAL_TERMINATION",
            Self::SpawnError => "SPAWN_ERROR",
            Self::AlreadyStarted => "ALREADY_STARTED",
            Self::NotRunning => "NOT_RUNNING",
            Self::Success => "SUCCESS",
            Self::AlreadyAdded => "ALREADY_ADDED",
            Self::StillRunning => "STILL_RUNNING",
            Self::CantReread => "CANT_REREAD",
        }
    }

    /// The error with more to say, most often the name that was asked for.
    pub fn with(self, extra: impl Into<String>) -> RpcError {
        RpcError { fault: self, extra: Some(extra.into()) }
    }
}

/// A fault, and perhaps what it is about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct RpcError {
    /// What went wrong.
    pub fault: Fault,
    /// What it is about.
    pub extra: Option<String>,
}

impl RpcError {
    /// `faultString`: `NAME` or `NAME: extra`.
    pub fn text(&self) -> String {
        let name = self.fault.name();
        self.extra.as_ref().map_or_else(|| name.to_owned(), |extra| format!("{name}: {extra}"))
    }
}

impl From<Fault> for RpcError {
    fn from(fault: Fault) -> Self {
        Self { fault, extra: None }
    }
}

impl From<RpcError> for xmlrpc::Fault {
    fn from(error: RpcError) -> Self {
        Self { code: error.fault.code(), text: error.text() }
    }
}
