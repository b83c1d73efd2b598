//! Why an overseer could not oversee.

use std::io;
use std::path::PathBuf;

use ganger_api::PlaceError;
use ganger_spec::LoadError;

use crate::sockets::SocketError;

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
    #[error(
        "too few descriptors: {needed} are needed (workers: {workers}), the limit of open files is {limit}"
    )]
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
    /// A group cannot listen.
    #[error(transparent)]
    Socket(#[from] SocketError),
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
    /// Somebody answers on a socket that is to be ours.
    #[error("{} is answered by {holder}", path.display())]
    Answered {
        /// Which.
        path: PathBuf,
        /// By whom.
        holder: String,
    },
    /// A file is where a socket of ours is to be.
    #[error("{} is there and is no socket", path.display())]
    NoSocket {
        /// Which.
        path: PathBuf,
    },
    /// An address of ours cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Address {
        /// Which.
        address: String,
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
            Self::Socket(error) => error.hint(),
            Self::Port { port, source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                let holder = ganger_api::HolderInfo::of_port(*port);
                let holder = holder.map_or("another program".to_owned(), |holder| holder.to_string());
                Some(format!("{holder} listens there; write another `port` in [inet_http_server]"))
            }
            Self::File { source, .. } | Self::System { source, .. } | Self::Port { source, .. } => {
                hint_of(source)
            }
            Self::Answered { .. } => {
                Some("end that one first, or name another socket with --socket".to_owned())
            }
            Self::NoSocket { .. } => Some("name another path with --socket, or remove the file".to_owned()),
            Self::Address { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                Some("another program listens there: name another address with --socket".to_owned())
            }
            Self::Address { .. } => Some("an address is HOST:PORT, such as 127.0.0.1:4321".to_owned()),
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
