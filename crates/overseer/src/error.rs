//! Why an overseer could not oversee.

use std::io;
use std::path::PathBuf;

use ganger_api::PlaceError;
use ganger_spec::LoadError;

/// Why an overseer could not oversee.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The files do not make a spec.
    #[error(transparent)]
    Spec(#[from] LoadError),
    /// The app's directories cannot be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Another overseer has the app.
    #[error("{app} is already running{}", keeper.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    AlreadyRunning {
        /// The app's directory, or its id where nothing more is known.
        app: String,
        /// Its keeper, if it says so.
        keeper: Option<u32>,
    },
    /// Workers live of which no keeper knows.
    #[error("{workers} workers of this app survive an earlier ganger that was killed")]
    Survivors {
        /// How many.
        workers: usize,
    },
    /// The spec names no group that would run.
    #[error("nothing to start: no group has a worker")]
    NothingToStart,
    /// The limit of open files is too low.
    #[error("too few descriptors: {workers} workers need {needed}, the limit of open files is {limit}")]
    TooFewDescriptors {
        /// That many are to be started.
        workers: u64,
        /// So many descriptors are needed at least.
        needed: u64,
        /// So many there are at most.
        limit: u64,
    },
    /// The log store cannot be used.
    #[error(transparent)]
    Logs(#[from] ganger_logs::Error),
    /// A file or socket of ours cannot be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A port of ours cannot be had.
    #[error("cannot listen on port {port}{}: {source}", if host.is_empty() { String::new() } else { format!(" of {host}") })]
    Port {
        /// Of this host; all of ours if it is empty.
        host: String,
        /// Which one.
        port: u16,
        /// Why not.
        source: io::Error,
    },
    /// The keeper is gone or does not answer.
    #[error("the keeper is gone or does not answer: {0}")]
    Keeper(io::Error),
    /// The system refuses what every program needs.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried, as a verb.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl Error {
    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Spec(error) => error.hint(),
            Self::Place(error) => error.hint(),
            Self::AlreadyRunning { .. } => {
                Some("`ganger ps` shows its workers, `ganger quit` ends it".to_owned())
            }
            Self::TooFewDescriptors { needed, .. } => {
                Some(format!("raise it (ulimit -n {needed}), or start fewer workers"))
            }
            Self::Survivors { .. } => Some(
                "`ganger start -D` in its directory goes on with them, `ganger start` names them".to_owned(),
            ),
            Self::NothingToStart => Some("set a count with -m web=1, or name groups to start".to_owned()),
            Self::Logs(error) => error.hint(),
            Self::Port { port, source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                let holder = ganger_api::HolderInfo::of_port(*port);
                let holder = holder.map_or("another program".to_owned(), |holder| holder.to_string());
                Some(format!("{holder} listens there; write another `port` in [inet_http_server]"))
            }
            Self::File { source, .. } | Self::System { source, .. } | Self::Port { source, .. } => {
                hint_of(source)
            }
            Self::Keeper(_) => None,
        }
    }
}

/// What may help against an error of the system.
fn hint_of(error: &io::Error) -> Option<String> {
    let errno = rustix::io::Errno::from_io_error(error)?;
    match errno {
        rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT => Some(
            "the disk is full: make room, or set GANGER_STATE_DIR and GANGER_RUNTIME_DIR elsewhere"
                .to_owned(),
        ),
        rustix::io::Errno::MFILE | rustix::io::Errno::NFILE => {
            Some("raise the limit of open files (ulimit -n)".to_owned())
        }
        rustix::io::Errno::ROFS | rustix::io::Errno::ACCESS => {
            Some("set GANGER_STATE_DIR and GANGER_RUNTIME_DIR to directories that you may write".to_owned())
        }
        _ => None,
    }
}
