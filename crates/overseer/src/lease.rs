//! One overseer for one app: a lock that the kernel lets go of when its holders die, so that no stale file ever
//! stops a start. The keeper holds it too, so that nobody takes the app between two overseers.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;

use ganger_api::{AppFile, Place, Time};
use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use crate::Error;

/// The app is ours while this lives.
#[derive(Debug)]
pub(crate) struct Lease {
    lock: OwnedFd,
    place: Place,
}

impl Lease {
    /// Goes on with the lock that the keeper kept from an overseer before, or takes the app if nobody has it.
    pub(crate) fn take(place: &Place, kept: Option<OwnedFd>) -> Result<Self, Error> {
        if let Some(lock) = kept {
            return Ok(Self { lock, place: place.clone() });
        }
        let path = place.runtime.join("lock");
        let failed = |source: io::Error| Error::File { action: "lock", path: path.clone(), source };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        let lock = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(|e| failed(e.into()))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { lock, place: place.clone() }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = holder_of(place);
                let app =
                    holder.as_ref().map_or_else(|| place.id.clone(), |app| app.root.display().to_string());
                Err(Error::AlreadyRunning { app, keeper: holder.map(|app| app.keeper_pid) })
            }
            Err(error) => Err(failed(error.into())),
        }
    }

    /// For the keeper to hold.
    pub(crate) fn descriptor(&self) -> std::io::Result<OwnedFd> {
        self.lock.try_clone()
    }

    /// When the app was started, if an overseer before this one said so.
    pub(crate) fn announced(&self) -> Option<Time> {
        holder_of(&self.place).map(|app| app.started)
    }

    /// Says who oversees the app, for those who look for it.
    pub(crate) fn announce(&self, app: &AppFile) -> Result<(), Error> {
        let path = self.place.app_file();
        let fresh = path.with_extension("new");
        let write = || -> io::Result<()> {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            file.write_all(&serde_json::to_vec(app)?)?;
            std::fs::rename(&fresh, &path)
        };
        write().map_err(|source| Error::File { action: "write", path: path.clone(), source })
    }

    /// Says that this process is the keeper from now on.
    pub(crate) fn inherit(&self) -> Result<(), Error> {
        match holder_of(&self.place) {
            Some(app) => self.announce(&AppFile { keeper_pid: std::process::id(), ..app }),
            None => Ok(()),
        }
    }

    /// Clears away what only a running app has.
    pub(crate) fn end(self) {
        // What cannot be removed is found stale by the next start and replaced.
        for path in [self.place.socket(), self.place.app_file()] {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// What an app says of itself, or said last if it did not end by itself.
pub(crate) fn holder_of(place: &Place) -> Option<AppFile> {
    serde_json::from_slice(&std::fs::read(place.app_file()).ok()?).ok()
}
