//! What can go wrong, with stable codes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What went wrong. A program may rely on these words; messages may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// No worker, group or pattern of that name.
    UnknownName,
    /// No route has that path.
    UnknownPath,
    /// The path exists, the method does not fit it.
    MethodNotAllowed,
    /// The request cannot be understood.
    BadRequest,
    /// The request or a part of it is longer than its limit.
    TooLarge,
    /// The client speaks another version of the API.
    UnsupportedVersion,
    /// The caller is not the user whom the app belongs to.
    Forbidden,
    /// The app, or the worker that was named, is not running.
    NotRunning,
    /// The app runs already.
    AlreadyRunning,
    /// The app is on its way down and takes no more commands.
    ShuttingDown,
    /// A worker's port would be above 65535.
    PortOutOfRange,
    /// The files do not make a valid spec; nothing was changed.
    BadSpec,
    /// The keeper is gone and another one is not in place yet.
    KeeperLost,
    /// The effect did not come within its bound.
    Timeout,
    /// A later command asked for something else first.
    Superseded,
    /// Some of what was asked for is no more, or damaged. The rest was given.
    Incomplete,
    /// The new program did not take the place of the running one, which goes on.
    UpgradeFailed,
    /// A fault of ganger's own.
    Internal,
}

impl ErrorCode {
    /// Every code, for documents and tests.
    pub const ALL: [Self; 18] = [
        Self::UnknownName,
        Self::UnknownPath,
        Self::MethodNotAllowed,
        Self::BadRequest,
        Self::TooLarge,
        Self::UnsupportedVersion,
        Self::Forbidden,
        Self::NotRunning,
        Self::AlreadyRunning,
        Self::ShuttingDown,
        Self::PortOutOfRange,
        Self::BadSpec,
        Self::KeeperLost,
        Self::Timeout,
        Self::Superseded,
        Self::Incomplete,
        Self::UpgradeFailed,
        Self::Internal,
    ];

    /// The HTTP status that carries it.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest | Self::UnsupportedVersion => 400,
            Self::Forbidden => 403,
            Self::UnknownName | Self::UnknownPath => 404,
            Self::MethodNotAllowed => 405,
            Self::NotRunning | Self::AlreadyRunning | Self::Superseded => 409,
            Self::TooLarge => 413,
            Self::PortOutOfRange | Self::BadSpec | Self::UpgradeFailed => 422,
            Self::Incomplete | Self::Internal => 500,
            Self::ShuttingDown | Self::KeeperLost => 503,
            Self::Timeout => 504,
        }
    }
}

/// An error on its way to a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What went wrong, for programs.
    pub code: ErrorCode,
    /// What went wrong, for people: lower case, no full stop.
    pub message: String,
    /// What may help, for people.
    pub hint: Option<String>,
}

impl ApiError {
    /// An error without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What may help.
    pub fn hint(&self) -> Option<String> {
        self.hint.clone()
    }

    /// The body that carries it.
    pub fn body(self, request_id: &str) -> ErrorBody {
        let Self { code, message, hint } = self;
        ErrorBody { error: ErrorDetail { code, message, hint, request_id: request_id.to_owned() } }
    }
}

/// The body of every reply whose status is not 200.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorDetail {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// What may help, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The request that failed, as in the header `x-request-id`.
    pub request_id: String,
}

impl From<ErrorBody> for ApiError {
    fn from(ErrorBody { error }: ErrorBody) -> Self {
        Self { code: error.code, message: error.message, hint: error.hint }
    }
}
