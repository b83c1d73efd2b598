//! The logs of a directory, for readers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::files::{Files, RealFiles};
use crate::home::Home;
use crate::log::Log;
use crate::name;
use crate::watch::{Bell, Board};
use crate::{Error, From, Limits, Place, Reader, Result, Watch, rotate};

/// The bound on all logs may be exceeded by this, so that it need not be looked at with each line.
const TRIM_BYTES: u64 = 1 << 20;

/// The logs of a directory; a cheap handle to be cloned at will.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    logs: Mutex<BTreeMap<Arc<str>, Arc<Log>>>,
    followers: Mutex<Vec<Weak<Board>>>,
    /// Wakes capture when a follower that held it up has caught up.
    pub(crate) capture: Option<Arc<Bell>>,
    /// The limits of a log that was not told otherwise.
    limits: Limits,
    /// How much all logs together may take on the disk.
    bound: Mutex<Option<u64>>,
}

impl Store {
    /// Opens the logs in `dir` while nobody captures into it.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::new(dir, None, Limits::default())
    }

    /// Opens the logs in `dir`, healing what a crash left there.
    pub(crate) fn new(dir: &Path, capture: Option<Arc<Bell>>, limits: Limits) -> Result<Self> {
        let mut logs = BTreeMap::new();
        for (log, slots) in list(dir)? {
            let home = Home::read(&RealFiles, dir, &log)?;
            let (home, segments) = rotate::recover(&RealFiles, (dir, &log), home, &slots)?;
            if !segments.is_empty() || home != Home::default() {
                let log = Arc::new(Log::new(&log, home, segments, limits));
                logs.insert(Arc::clone(&log.name), log);
            }
        }
        let (logs, followers) = (Mutex::new(logs), Mutex::new(Vec::new()));
        let bound = Mutex::default();
        let inner = Inner { dir: dir.to_owned(), logs, followers, capture, limits, bound };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The names of all logs, in order.
    pub fn logs(&self) -> Vec<String> {
        lock(&self.inner.logs).keys().map(ToString::to_string).collect()
    }

    /// Whether there is a log of this name.
    pub fn holds(&self, log: &str) -> bool {
        lock(&self.inner.logs).contains_key(log)
    }

    /// The position just after the last byte of a log.
    pub fn end(&self, log: &str) -> Result<u64> {
        self.get(log).map(|log| log.end())
    }

    /// The position at which a log began to be captured: before it is what its file had already, if it has one of its own.
    pub(crate) fn began(&self, log: &str) -> Result<u64> {
        let log = self.get(log)?;
        Ok(log.began.load(Ordering::Acquire).max(log.start()))
    }

    /// Where a log is kept.
    pub fn place(&self, log: &str) -> Result<Place> {
        self.get(log).map(|log| log.home().place.clone())
    }

    /// Reads a log from a place on.
    pub fn reader(&self, log: &str, from: From) -> Result<Reader> {
        Reader::new(Arc::clone(&self.inner), self.get(log)?, from)
    }

    /// The log whose text is in this file.
    pub fn log_at(&self, file: &Path) -> Option<String> {
        let logs = lock(&self.inner.logs);
        let is_there = |log: &&Arc<Log>| log.home().paths(&self.inner.dir, &log.name).log(0) == file;
        logs.values().find(is_there).map(|log| log.name.to_string())
    }

    /// Wakes a follower when any log has news, and says which.
    pub fn watch(&self) -> Result<Watch> {
        self.watch_log(None)
    }

    /// Wakes a follower when this log has news, and for no other; any wakes it if there is none.
    pub fn watch_log(&self, log: Option<&str>) -> Result<Watch> {
        let bell = Bell::new().map_err(|e| Error::io("watch", &self.inner.dir, e))?;
        let watch = Watch::new(bell, log);
        let mut followers = lock(&self.inner.followers);
        followers.retain(|f| f.strong_count() > 0);
        followers.push(Arc::downgrade(watch.board()));
        Ok(watch)
    }

    /// Tells all followers that these logs have grown, and wakes those that wait.
    pub(crate) fn announce(&self, grown: &[Arc<str>]) {
        for follower in lock(&self.inner.followers).iter().filter_map(Weak::upgrade) {
            follower.post(grown);
        }
    }

    /// Bounds what all logs together may take; is it another bound?
    pub(crate) fn bound(&self, total_bytes: Option<u64>) -> bool {
        std::mem::replace(&mut *lock(&self.inner.bound), total_bytes) != total_bytes
    }

    /// Every log, in the order of their names.
    pub(crate) fn all(&self) -> Vec<Arc<Log>> {
        lock(&self.inner.logs).values().cloned().collect()
    }

    /// Removes the oldest rotated files while all logs together take more than they may. Gives how much may be written
    /// before it is to be looked at again.
    pub(crate) fn trim<F: Files>(&self, files: &F) -> std::result::Result<u64, (Arc<Log>, Error)> {
        let Some(bound) = *lock(&self.inner.bound) else { return Ok(u64::MAX) };
        let logs = self.all();
        let mut taken: u64 = logs.iter().map(|log| log.disk_bytes()).sum();
        while taken > bound {
            let removable = |log: &&Arc<Log>| log.removable().map(|segment| segment.ended);
            let oldest = logs.iter().filter(|log| removable(log).is_some()).min_by_key(removable);
            let Some(log) = oldest else { break };
            let home = log.home();
            let paths = home.paths(&self.inner.dir, &log.name);
            let freed = rotate::drop_oldest(files, paths, log).map_err(|e| (Arc::clone(log), e))?;
            taken = taken.saturating_sub(freed);
        }
        Ok(bound.saturating_sub(taken).max(TRIM_BYTES))
    }

    /// The directory of the logs that have no file of their own.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// The log of this name, begun if there is none.
    pub(crate) fn get_or_begin(&self, log: &str) -> Result<Arc<Log>> {
        name::check(log)?;
        let mut logs = lock(&self.inner.logs);
        if let Some(found) = logs.get(log) {
            return Ok(Arc::clone(found));
        }
        let new = Arc::new(Log::new(log, Home::default(), Vec::new(), self.inner.limits));
        logs.insert(Arc::clone(&new.name), Arc::clone(&new));
        Ok(new)
    }

    pub(crate) fn get(&self, log: &str) -> Result<Arc<Log>> {
        let found = lock(&self.inner.logs).get(log).map(Arc::clone);
        found.ok_or_else(|| Error::NoSuchLog(log.to_owned()))
    }
}

/// Which logs have files in a directory, and in which slots.
fn list(dir: &Path) -> Result<BTreeMap<String, BTreeSet<usize>>> {
    let wrap = |e| Error::io("list", dir, e);
    let mut logs: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for entry in std::fs::read_dir(dir).map_err(wrap)? {
        let file = entry.map_err(wrap)?.file_name();
        if let Some((log, slot)) = file.to_str().and_then(name::of_file) {
            logs.entry(log.to_owned()).or_default().extend(slot);
        }
    }
    Ok(logs)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
