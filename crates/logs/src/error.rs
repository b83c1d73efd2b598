//! What can go wrong with a log, said with the path it went wrong at.

use std::io;
use std::path::{Path, PathBuf};

/// An error of the log store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file operation failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: `open`, `rename` ….
        action: &'static str,
        /// The file or directory it was tried on.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A log's name cannot be a file's name.
    #[error("`{0}` cannot be the name of a log")]
    Name(String),
    /// Two logs would have one file.
    #[error("{} is the file of the log of {log} already", path.display())]
    Shared {
        /// The file.
        path: PathBuf,
        /// The log that has it.
        log: String,
    },
    /// Nothing was ever captured under this name.
    #[error("there is no log `{0}`")]
    NoSuchLog(String),
    /// A pipe's path is taken by something else.
    #[error("{} is in the way: it is not a named pipe of ours", .0.display())]
    NotAPipe(PathBuf),
    /// A worker cannot have a terminal.
    #[error("cannot make a terminal: {0}")]
    Terminal(io::Error),
    /// The capture thread is gone.
    #[error("the log capture has ended")]
    Ended,
}

/// The result of the log store's operations.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Wraps what the system said with what was tried and where.
    pub(crate) fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { action, path: path.to_owned(), source: source.into() }
    }

    /// What the user can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } => {
                match source.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
                    Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {
                        Some("make room on the file system; output waits in the pipe until then".to_owned())
                    }
                    Some(rustix::io::Errno::MFILE) => {
                        Some("raise the limit of open files (ulimit -n)".to_owned())
                    }
                    Some(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => {
                        Some("the directory of a log's file must be there: make it".to_owned())
                    }
                    Some(_) | None => None,
                }
            }
            Self::Name(_) => {
                Some("use letters, digits, `.`, `_`, `-`, `:` and `@`; at most 100 bytes".to_owned())
            }
            Self::Shared { .. } => {
                Some("each worker needs a file of its own: put its number into the name".to_owned())
            }
            Self::NoSuchLog(_) => Some("`ganger ps` lists the workers".to_owned()),
            Self::NotAPipe(path) => Some(format!("remove {} or move it away", path.display())),
            Self::Terminal(source) => match source.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
                Some(rustix::io::Errno::NOSPC) => {
                    Some("the system has no more: `sysctl kernel.pty.max` says how many it has".to_owned())
                }
                Some(rustix::io::Errno::MFILE) => {
                    Some("raise the limit of open files (ulimit -n)".to_owned())
                }
                Some(_) | None => Some("terminals need /dev/ptmx and /dev/pts".to_owned()),
            },
            Self::Ended => None,
        }
    }
}
