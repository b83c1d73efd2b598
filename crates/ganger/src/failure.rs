//! How a command fails: a message, perhaps a hint, and a status.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use ganger_api::{ApiError, ClientError, PlaceError};
use ganger_spec::LoadError;

/// Something failed, or a name is unknown.
pub(crate) const FAILED: u8 = 1;
/// The command line cannot be understood.
pub(crate) const USAGE: u8 = 2;

/// Why a command did not do what was asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Empty where all has been said, or where nobody listens any more.
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) status: u8,
}

/// What a command comes to: a status, or why there is none.
pub(crate) type Outcome = Result<ExitCode, Failure>;

impl Failure {
    pub(crate) fn new(message: impl Display) -> Self {
        Self { message: message.to_string(), hint: None, status: FAILED }
    }

    /// The command line asks for what cannot be.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self { status: USAGE, ..Self::new(message) }
    }

    #[must_use]
    pub(crate) fn hinted(self, hint: impl Display) -> Self {
        Self { hint: Some(hint.to_string()), ..self }
    }

    #[must_use]
    fn maybe_hinted(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }

    /// Tells it on stderr.
    pub(crate) fn report(&self) -> ExitCode {
        // A closed stderr is no reason to say anything else.
        let _ = io::stderr().write_all(self.text().as_bytes());
        ExitCode::from(self.status)
    }

    /// `ganger: MESSAGE` and `hint: HINT`, a line each.
    fn text(&self) -> String {
        let messages = self.message.lines().map(|line| format!("ganger: {line}\n"));
        let hints = self.hint.iter().flat_map(|hint| hint.lines()).map(|line| format!("hint: {line}\n"));
        messages.chain(hints).collect()
    }
}

impl From<io::Error> for Failure {
    /// What is written to nobody is no failure: `ganger ps | head -1` is a success.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { message: String::new(), hint: None, status: 0 };
        }
        Self::new(format!("cannot write the output: {error}"))
    }
}

impl From<PlaceError> for Failure {
    fn from(error: PlaceError) -> Self {
        Self::new(&error).maybe_hinted(error.hint())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::new(&error).maybe_hinted(error.hint())
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::new(&error).maybe_hinted(error.hint())
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::new(&error).maybe_hinted(error.hint())
    }
}

impl From<ganger_overseer::Error> for Failure {
    fn from(error: ganger_overseer::Error) -> Self {
        Self::new(&error).maybe_hinted(error.hint())
    }
}

impl From<ganger_spec::UnknownName> for Failure {
    fn from(error: ganger_spec::UnknownName) -> Self {
        Self::new(&error).maybe_hinted(error.hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_line_by_line_with_its_hints() {
        let failure = Failure::new("Procfile:1: a\nProcfile:2: b").hinted("x\ny");
        assert_eq!(failure.text(), "ganger: Procfile:1: a\nganger: Procfile:2: b\nhint: x\nhint: y\n");
    }

    #[test]
    fn a_broken_pipe_is_a_silent_success() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.text().as_str(), failure.status), ("", 0));
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::StorageFull)).status, FAILED);
    }
}
