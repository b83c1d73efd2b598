//! Why there is no answer.

use std::io;

use crate::limits::SUPERVISOR_TIMEOUT;
use crate::supervisor::BadAnswer;
use crate::xmlrpc::{BadXmlRpc, Fault};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server answered with a fault.
    #[error("{0}")]
    Fault(Fault),
    /// The server answered with an HTTP status that is no success; 401 asks who we are.
    #[error("the server answered with the HTTP status {0}")]
    Status(u16),
    /// Nobody can be reached there.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The server closed the connection instead of answering.
    #[error("the server closed the connection without an answer")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// No answer came within the bound.
    #[error("no answer came within {} s", SUPERVISOR_TIMEOUT.as_secs())]
    Timeout,
    /// The answer is no XML-RPC.
    #[error("the answer is no XML-RPC: {0}")]
    BadXmlRpc(BadXmlRpc),
    /// The answer is not what this method answers.
    #[error(transparent)]
    BadAnswer(#[from] BadAnswer),
}

impl ClientError {
    pub(super) fn of(error: &hyper::Error) -> Self {
        if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            return Self::Closed;
        }
        Self::Broken(error.to_string())
    }
}

impl From<hyper::http::Error> for ClientError {
    /// What was asked for cannot be written as a request.
    fn from(error: hyper::http::Error) -> Self {
        Self::Broken(error.to_string())
    }
}
