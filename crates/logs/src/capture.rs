//! The one thread that moves bytes from the workers' pipes to their logs.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::io::Errno;

use crate::{Result, Store};

/// How much a log may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A log file is rotated when it has grown to this.
    pub file_bytes: u64,
    /// That many rotated files are kept beside the current one.
    pub backups: u32,
    /// By this much a follower that must miss nothing may lag before the worker has to wait.
    pub unread_bytes: u64,
}

/// Something that happened to a log and that somebody should hear of.
#[derive(Debug, Clone)]
pub enum Event {
    /// Output cannot be stored now; it waits in the pipe, and is tried again each second.
    Failed {
        /// Whose output.
        log: String,
        /// The file.
        path: PathBuf,
        /// Why.
        errno: Errno,
        /// Since when.
        since: SystemTime,
    },
    /// Output can be stored again; nothing was lost.
    Recovered {
        /// Whose output.
        log: String,
        /// Since when it could not.
        since: SystemTime,
    },
}

/// Moves bytes from pipes to logs, in a thread of its own, until stopped.
#[derive(Debug)]
pub struct Capture {}

impl Capture {
    /// Opens the store in `dir` (made when missing), heals what a crash left there, and starts to capture.
    ///
    /// `on_event` is called in the capture thread: it must not wait.
    pub fn start(dir: &Path, limits: Limits, on_event: Box<dyn FnMut(Event) + Send>) -> Result<Self> {
        let _ = (dir, limits, on_event);
        unimplemented!()
    }

    /// Captures `pipe` into `log` from now on. When this returns, [`Store::reader`] knows the log.
    pub fn add(&self, log: &str, pipe: OwnedFd) -> Result<()> {
        let _ = (log, pipe);
        unimplemented!()
    }

    /// What is written from here on is of this run.
    pub fn begin(&self, log: &str, run: u64) {
        let _ = (log, run);
    }

    /// Calls `done` with the log's end once all that is in the pipe now is in the store.
    ///
    /// It is called in the capture thread and must not wait; at once if the log is not captured.
    pub fn drain(&self, log: &str, done: Box<dyn FnOnce(u64) + Send>) {
        let _ = (log, done);
    }

    /// Stores what the pipe still holds, then lets go of it. The files stay.
    pub fn remove(&self, log: &str) {
        let _ = log;
    }

    /// The store, for readers.
    pub fn store(&self) -> Store {
        unimplemented!()
    }

    /// Stores what all pipes still hold and ends the thread.
    pub fn stop(self) {}
}
