//! Why there is no answer.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::{ApiError, ErrorCode};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server answered with an error.
    #[error("{0}")]
    Api(ApiError),
    /// Nobody listens: the app is not running, or just ended.
    #[error("the app is not running: nobody listens on {}", socket.display())]
    NotRunning {
        /// Where.
        socket: PathBuf,
    },
    /// The app's keeper lives, but no overseer came back to it.
    #[error("the overseer died, and the keeper (pid {keeper}) has no new one after {} s", bound.as_secs())]
    NoOverseer {
        /// The parent of the app's workers.
        keeper: u32,
        /// The bound.
        bound: Duration,
    },
    /// The socket cannot be used.
    #[error("cannot connect to {}: {source}", socket.display())]
    Connect {
        /// Where.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The connection broke before the answer was complete.
    #[error("the connection to the app on {} broke: {reason}", socket.display())]
    Broken {
        /// Where.
        socket: PathBuf,
        /// Why.
        reason: String,
        /// Whether it is sure that nobody has read the request.
        unsent: bool,
    },
    /// The overseer died between a command and its answer; another one is in place.
    #[error("the overseer died before it answered: it is not known whether the command was carried out")]
    Unanswered,
    /// The app ended between a request and its answer.
    #[error("the app ended before it answered")]
    Ended,
    /// No answer came within the bound.
    #[error("the app did not answer within {} s", bound.as_secs())]
    Timeout {
        /// The bound.
        bound: Duration,
    },
    /// The answer is not one of this API.
    #[error("the answer cannot be understood: {0}")]
    BadAnswer(String),
}

impl ClientError {
    /// What went wrong, by the code that the API has for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Api(error) => error.code,
            Self::NotRunning { .. } | Self::Ended => ErrorCode::NotRunning,
            Self::Timeout { .. } | Self::NoOverseer { .. } => ErrorCode::Timeout,
            Self::Connect { .. } | Self::Broken { .. } | Self::Unanswered | Self::BadAnswer(_) => {
                ErrorCode::Internal
            }
        }
    }

    /// What may help.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Api(error) => return error.hint(),
            Self::NoOverseer { keeper, .. } => return Some(format!("`kill {keeper}` stops the app")),
            Self::NotRunning { .. } | Self::Ended => "`ganger start` starts it",
            Self::Connect { .. } => "the socket must belong to you",
            Self::Broken { .. } => "`ganger ps` tells whether the app still runs",
            Self::Unanswered => "`ganger ps` shows how the workers are now; the command was not repeated",
            Self::Timeout { .. } => "the command may still take effect; `ganger events` tells",
            Self::BadAnswer(_) => "the app may be run by another version of ganger",
        };
        Some(hint.to_owned())
    }
}
