//! The logs of a directory, for readers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::files::RealFiles;
use crate::log::Log;
use crate::name::{self, Paths};
use crate::watch::Bell;
use crate::{Error, From, Reader, Result, Watch, rotate};

/// The logs of a directory; a cheap handle to be cloned at will.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    logs: Mutex<BTreeMap<Arc<str>, Arc<Log>>>,
    followers: Mutex<Vec<Weak<Bell>>>,
    /// Wakes capture when a follower that held it up has caught up.
    pub(crate) capture: Option<Arc<Bell>>,
    /// How far a lossless follower may lag.
    pub(crate) unread_bytes: u64,
}

impl Store {
    /// Opens the logs in `dir` while nobody captures into it.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::new(dir, None, u64::MAX)
    }

    /// Opens the logs in `dir`, healing what a crash left there.
    pub(crate) fn new(dir: &Path, capture: Option<Arc<Bell>>, unread_bytes: u64) -> Result<Self> {
        let mut logs = BTreeMap::new();
        for (log, slots) in list(dir)? {
            let paths = Paths { dir, name: &log };
            rotate::settle(&RealFiles, paths)?;
            let top = slots.last().copied().unwrap_or(0) + 1;
            let slots = slots.into_iter().chain([0, 1, top]).collect::<BTreeSet<_>>();
            let segments = rotate::survey(&RealFiles, paths, slots.into_iter())?;
            if !segments.is_empty() {
                let log = Arc::new(Log::new(&log, segments));
                logs.insert(Arc::clone(&log.name), log);
            }
        }
        let (logs, followers) = (Mutex::new(logs), Mutex::new(Vec::new()));
        let inner = Inner { dir: dir.to_owned(), logs, followers, capture, unread_bytes };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The names of all logs, in order.
    pub fn logs(&self) -> Vec<String> {
        lock(&self.inner.logs).keys().map(ToString::to_string).collect()
    }

    /// The position just after the last byte of a log.
    pub fn end(&self, log: &str) -> Result<u64> {
        self.get(log).map(|log| log.end())
    }

    /// Reads a log from a place on.
    pub fn reader(&self, log: &str, from: From) -> Result<Reader> {
        Reader::new(Arc::clone(&self.inner), self.get(log)?, from)
    }

    /// Wakes a follower when any log has news.
    pub fn watch(&self) -> Result<Watch> {
        let bell = Bell::new().map_err(|e| Error::io("watch", &self.inner.dir, e))?;
        let mut followers = lock(&self.inner.followers);
        followers.retain(|f| f.strong_count() > 0);
        followers.push(Arc::downgrade(&bell));
        Ok(Watch::new(bell))
    }

    /// Wakes all followers that wait.
    pub(crate) fn announce(&self) {
        for follower in lock(&self.inner.followers).iter().filter_map(Weak::upgrade) {
            follower.ring();
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// The log of this name, begun if there is none.
    pub(crate) fn get_or_begin(&self, log: &str) -> Result<Arc<Log>> {
        name::check(log)?;
        let mut logs = lock(&self.inner.logs);
        if let Some(found) = logs.get(log) {
            return Ok(Arc::clone(found));
        }
        let new = Arc::new(Log::new(log, Vec::new()));
        logs.insert(Arc::clone(&new.name), Arc::clone(&new));
        Ok(new)
    }

    fn get(&self, log: &str) -> Result<Arc<Log>> {
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
