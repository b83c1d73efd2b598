//! Lines of logs.

use std::fmt;
use std::str::FromStr;

use ganger_spec::{LogName, WorkerName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Text, Time};

/// What a worker writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Its stdout, where stderr is kept apart.
    Stdout,
    /// Its stderr, where that is kept apart.
    Stderr,
    /// One of both: they are kept together.
    Output,
}

impl FromStr for Stream {
    type Err = BadStream;

    /// A stream that lines can be chosen by.
    fn from_str(text: &str) -> Result<Self, BadStream> {
        match text {
            "stdout" => Ok(Self::Stdout),
            "stderr" => Ok(Self::Stderr),
            _ => Err(BadStream),
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Output => "output",
        })
    }
}

/// A text is neither `stdout` nor `stderr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is neither stdout nor stderr")]
pub struct BadStream;

/// A line that a worker wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// Whose log.
    #[schemars(with = "String")]
    pub log: LogName,
    /// Which worker wrote it.
    #[schemars(with = "String")]
    pub worker: WorkerName,
    /// Where to.
    pub stream: Stream,
    /// When it was written.
    pub time: Time,
    /// The number of the run that wrote it, if it is known.
    pub run: Option<u64>,
    /// Where the next line begins, in bytes from the first that the log ever held.
    pub position: u64,
    /// Whether a newline ended it: none ended what a run left at its end, what is being written, and a piece of an
    /// overlong line that goes on. Only said where there was none.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub newline: bool,
    /// The line without its end.
    #[serde(flatten)]
    pub text: Text,
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_lines_are_chosen_by_is_written_as_it_is_read() {
        for stream in [Stream::Stdout, Stream::Stderr] {
            assert_eq!(stream.to_string().parse(), Ok(stream));
            assert_eq!(serde_json::to_value(stream).unwrap(), stream.to_string());
        }
        assert_eq!("output".parse::<Stream>(), Err(BadStream), "both together cannot be chosen");
    }
}
