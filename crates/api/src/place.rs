//! Where an app's things are: its socket, its state, its logs.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::limits::{MAX_ID_NAME_BYTES, MAX_SOCKET_PATH_BYTES};

/// What of the environment decides where things are. Empty variables count as unset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `GANGER_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// `GANGER_STATE_DIR`.
    pub state_dir: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub xdg_state_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// Who runs ganger.
    pub uid: u32,
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            runtime_dir: path("GANGER_RUNTIME_DIR"),
            xdg_runtime_dir: path("XDG_RUNTIME_DIR"),
            state_dir: path("GANGER_STATE_DIR"),
            xdg_state_home: path("XDG_STATE_HOME"),
            home: path("HOME"),
            uid: rustix::process::geteuid().as_raw(),
        }
    }

    /// The directory of the runtime directories of all apps.
    pub fn runtime_base(&self) -> PathBuf {
        let xdg = || self.xdg_runtime_dir.as_ref().map(|dir| dir.join("ganger"));
        let temporary = || PathBuf::from(format!("/tmp/ganger-{}", self.uid));
        self.runtime_dir.clone().or_else(xdg).unwrap_or_else(temporary)
    }

    /// The directory of the state directories of all apps.
    pub fn state_base(&self) -> Result<PathBuf, PlaceError> {
        let xdg = || self.xdg_state_home.as_ref().map(|dir| dir.join("ganger"));
        let home = || self.home.as_ref().map(|dir| dir.join(".local/state/ganger"));
        self.state_dir.clone().or_else(xdg).or_else(home).ok_or(PlaceError::NoHome)
    }
}

/// The deployment of an app of which nothing else is said.
pub const MAIN_DEPLOYMENT: &str = "main";
/// The id of the daemon's own place; an app's has a hash at its end.
pub(crate) const DAEMON_ID: &str = "daemon";

/// Where the things of one app are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The app's name on this machine: its directory's name and a hash of the whole path.
    pub id: String,
    /// Gone after a reboot: the socket, `app.json`, pipes.
    pub runtime: PathBuf,
    /// Kept over a reboot: the ledger, logs.
    pub state: PathBuf,
}

/// What is wrong with a place.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The app's directory cannot be found.
    #[error("cannot use the app's directory {}: {source}", path.display())]
    Root {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// None of the variables that lead to a state directory is set.
    #[error("there is no place for state: neither GANGER_STATE_DIR, XDG_STATE_HOME nor HOME is set")]
    NoHome,
    /// The socket's path is longer than the kernel allows.
    #[error(
        "the socket path {} is too long: {} bytes, the kernel takes {MAX_SOCKET_PATH_BYTES}",
        path.display(), path.as_os_str().len()
    )]
    SocketPath {
        /// Which.
        path: PathBuf,
    },
    /// A directory cannot be made or looked at.
    #[error("cannot use the directory {}: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A directory could be changed by somebody else.
    #[error("the directory {} is not safe: {reason}", path.display())]
    Unsafe {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No running app fits.
    #[error("{message}")]
    NotFound {
        /// What was looked for.
        message: String,
        /// Those that run, or how to start one.
        hint: String,
    },
}

impl PlaceError {
    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Root { .. } => Some("name the app's directory with -d".to_owned()),
            Self::NoHome => Some("set GANGER_STATE_DIR to a directory for ledgers and logs".to_owned()),
            Self::SocketPath { .. } => Some("set GANGER_RUNTIME_DIR to a shorter directory".to_owned()),
            Self::Directory { .. } => Some(
                "set GANGER_RUNTIME_DIR and GANGER_STATE_DIR to directories that you may write".to_owned(),
            ),
            Self::Unsafe { path, .. } => {
                Some(format!("chmod 700 {}, or set another directory", path.display()))
            }
            Self::NotFound { hint, .. } => Some(hint.clone()),
        }
    }
}

/// What a running app says of itself in `app.json`, for those who look for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppFile {
    /// Its name, for people.
    pub name: String,
    /// Its directory.
    pub root: PathBuf,
    /// The parent of its workers.
    pub keeper_pid: u32,
    /// When it was started.
    pub started: Time,
    /// Whether it belongs to the machine, and to no terminal. One of a version that did not say so may.
    #[serde(default = "yes")]
    pub background: bool,
}

fn yes() -> bool {
    true
}

impl Place {
    /// The place of the app in this directory. Nothing is made yet.
    pub fn of(app_dir: &Path, environment: &Environment) -> Result<Self, PlaceError> {
        let root =
            app_dir.canonicalize().map_err(|source| PlaceError::Root { path: app_dir.to_owned(), source })?;
        Self::named(id_of(&root), environment)
    }

    /// The place of another deployment of the app in this directory. It has its own state, logs and socket.
    pub fn of_deployment(
        app_dir: &Path,
        deployment: &str,
        environment: &Environment,
    ) -> Result<Self, PlaceError> {
        let main = Self::of(app_dir, environment)?;
        if deployment == MAIN_DEPLOYMENT {
            return Ok(main);
        }
        let id = format!("{}.{deployment}", main.id);
        Self::named(id, environment)
    }

    /// The place of the daemon that oversees several apps.
    pub fn of_daemon(environment: &Environment) -> Result<Self, PlaceError> {
        Self::named(DAEMON_ID.to_owned(), environment)
    }

    fn named(id: String, environment: &Environment) -> Result<Self, PlaceError> {
        let place = Self {
            runtime: environment.runtime_base().join(&id),
            state: environment.state_base()?.join(&id),
            id,
        };
        let socket = place.socket();
        if socket.as_os_str().len() > MAX_SOCKET_PATH_BYTES {
            return Err(PlaceError::SocketPath { path: socket });
        }
        Ok(place)
    }

    /// Whether it is that of the main deployment of the app in this directory.
    pub(crate) fn is_main_of(&self, root: &Path) -> bool {
        self.id == id_of(root)
    }

    /// Where the API listens.
    pub fn socket(&self) -> PathBuf {
        self.runtime.join("api.sock")
    }

    /// What the app says of itself while it runs.
    pub fn app_file(&self) -> PathBuf {
        self.runtime.join("app.json")
    }

    /// Where its logs are.
    pub fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    /// What happened: a line of JSON for each event, the oldest first.
    pub fn events(&self) -> PathBuf {
        self.state.join("events.jsonl")
    }

    /// What runs: the record by which an overseer goes on where another ended.
    pub fn ledger(&self) -> PathBuf {
        self.state.join("ledger")
    }

    /// Which processes run, for the day on which all of ganger's are killed.
    pub fn runs(&self) -> PathBuf {
        self.runtime.join("runs")
    }

    /// What operators asked for beside the files, of an app in the background.
    pub fn wishes(&self) -> PathBuf {
        self.state.join("wishes")
    }

    /// Makes the directories, for nobody but the owner, and refuses those that somebody else could change.
    pub fn create(&self, environment: &Environment) -> Result<(), PlaceError> {
        for dir in [&self.runtime, &self.state] {
            if let Some(base) = dir.parent() {
                private_dir(base, environment.uid)?;
            }
            private_dir(dir, environment.uid)?;
        }
        private_dir(&self.logs(), environment.uid)
    }
}

/// Makes a directory if it is missing, and its parents; checks that it is ours alone.
fn private_dir(path: &Path, uid: u32) -> Result<(), PlaceError> {
    let failed = |source| PlaceError::Directory { path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    // Not `metadata`: a link that somebody planted must not lead elsewhere.
    let found = path.symlink_metadata().map_err(failed)?;
    let reason = if !found.is_dir() {
        "it is a link".to_owned()
    } else if found.uid() != uid {
        format!("it belongs to user {}, not to {uid}", found.uid())
    } else if found.mode() & 0o022 != 0 {
        format!("others may write to it (mode {:04o})", found.mode() & 0o7777)
    } else {
        return Ok(());
    };
    Err(PlaceError::Unsafe { path: path.to_owned(), reason })
}

/// The name of an app's directory, made plain, and a hash of its whole path.
fn id_of(root: &Path) -> String {
    let name = root.file_name().map_or_else(|| "root".into(), |name| name.to_string_lossy());
    let plain =
        |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '-' };
    let name: String = name.chars().map(plain).take(MAX_ID_NAME_BYTES).collect();
    format!("{}-{:08x}", name.trim_start_matches('.'), fnv1a(root.as_os_str().as_bytes()))
}

/// The 32-bit FNV-1a hash: the same on every machine and in every version.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests;
