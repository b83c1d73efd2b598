//! What is captured of each worker: its pipes, and how what comes out of them is kept.
//!
//! A worker has one log, `web.1`, or where its group says so a second one for stderr, `web.1.err`. Each has a pipe of its
//! name. Whether a run that outlived its overseer has a second one is told by the pipe that is there.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ganger_logs::{Capture, Error, Limits, create_pipe};
use ganger_spec::{LogName, Logs, Spec, Stderr, WorkerName};

/// The pipes and logs of all workers.
pub(crate) struct Outputs {
    pipes: PathBuf,
    /// What holds where the spec says nothing.
    limits: Limits,
    /// Whose output is captured, and whether stderr has a log of its own.
    captured: BTreeMap<WorkerName, bool>,
}

impl Outputs {
    pub(crate) fn new(pipes: PathBuf, limits: Limits) -> Self {
        Self { pipes, limits, captured: BTreeMap::new() }
    }

    /// Captures what a new run will write: its stdout and stderr.
    pub(crate) fn open(
        &mut self,
        worker: &WorkerName,
        run: u64,
        owner: Option<(u32, u32)>,
        logs: &Logs,
        capture: &Capture,
    ) -> Result<[Rc<OwnedFd>; 2], Error> {
        let before = self.captured.get(worker).copied();
        let stdout = self.pipe(&worker.clone().into(), run, owner, logs, before.is_some(), capture)?;
        self.captured.insert(worker.clone(), before.unwrap_or(false));
        if logs.stderr == Stderr::Together {
            return Ok([Rc::clone(&stdout), stdout]);
        }
        let stderr = self.pipe(&LogName::err(worker), run, owner, logs, before == Some(true), capture)?;
        self.captured.insert(worker.clone(), true);
        Ok([stdout, stderr])
    }

    /// Makes the pipe of a log, or takes up the one that is there. Gives the worker's end.
    fn pipe(
        &self,
        log: &LogName,
        run: u64,
        owner: Option<(u32, u32)>,
        logs: &Logs,
        is_captured: bool,
        capture: &Capture,
    ) -> Result<Rc<OwnedFd>, Error> {
        let log = log.to_string();
        let pipe = create_pipe(&self.pipes.join(&log), owner)?;
        if is_captured {
            capture.begin(&log, run);
        } else {
            capture.limit(&log, limits(logs, self.limits))?;
            capture.add(&log, pipe.reader, Some(run))?;
        }
        Ok(Rc::new(pipe.writer))
    }

    /// Takes up the pipes of a worker whose run outlived the overseer before.
    pub(crate) fn adopt(&mut self, worker: &WorkerName, capture: &Capture) -> Result<(), Error> {
        let take = |log: LogName| {
            let pipe = create_pipe(&self.pipes.join(log.to_string()), None)?;
            capture.add(&log.to_string(), pipe.reader, None)
        };
        let stderr = LogName::err(worker);
        let is_apart = self.pipes.join(stderr.to_string()).exists();
        take(worker.clone().into())?;
        self.captured.insert(worker.clone(), is_apart);
        if is_apart { take(stderr) } else { Ok(()) }
    }

    /// From now on, output is kept as this spec says.
    pub(crate) fn keep(&self, spec: &Spec, capture: &Capture) -> Result<(), Error> {
        capture.bound(spec.logs_max_total);
        for worker in self.captured.keys() {
            let Some(group) = spec.group(&worker.group) else { continue };
            for log in self.logs(worker) {
                capture.limit(&log.to_string(), limits(&group.logs, self.limits))?;
            }
        }
        Ok(())
    }

    /// The logs of a worker that are captured.
    pub(crate) fn logs(&self, worker: &WorkerName) -> Vec<LogName> {
        match self.captured.get(worker) {
            None => Vec::new(),
            Some(false) => vec![worker.clone().into()],
            Some(true) => vec![worker.clone().into(), LogName::err(worker)],
        }
    }

    /// The reading ends of all pipes, by the names of their logs: what is in them lives as long as these.
    pub(crate) fn readers(&self) -> Vec<(String, OwnedFd)> {
        let logs = self.captured.keys().flat_map(|worker| self.logs(worker)).map(|log| log.to_string());
        reopened(&self.pipes, logs)
    }

    /// Nothing is captured of this worker any more.
    pub(crate) fn release(&mut self, worker: &WorkerName, capture: &Capture) {
        for log in self.logs(worker) {
            capture.remove(&log.to_string());
            // A pipe that stays behind is taken up again by the next worker of that name.
            let _ = std::fs::remove_file(self.pipes.join(log.to_string()));
        }
        self.captured.remove(worker);
    }

    /// Nothing will write into the pipes any more.
    pub(crate) fn forget_pipes(&self) {
        // What cannot be removed is taken up by the next start.
        let _ = std::fs::remove_dir_all(&self.pipes);
    }
}

/// The same for all pipes that are there.
pub(crate) fn readers_in(pipes: &Path) -> Vec<(String, OwnedFd)> {
    let entries = std::fs::read_dir(pipes).into_iter().flatten().flatten();
    reopened(pipes, entries.filter_map(|entry| entry.file_name().into_string().ok()))
}

/// A pipe that cannot be opened again lives on with its worker alone.
fn reopened(pipes: &Path, logs: impl Iterator<Item = String>) -> Vec<(String, OwnedFd)> {
    logs.filter_map(|log| create_pipe(&pipes.join(&log), None).ok().map(|pipe| (log, pipe.reader))).collect()
}

/// Calls `done` with the end of a worker's stdout once all that its pipes hold now is stored.
pub(crate) fn drain(worker: &WorkerName, capture: &Capture, done: impl FnOnce(u64) + Send + 'static) {
    let store = capture.store();
    let stderr = LogName::err(worker).to_string();
    let stdout = worker.to_string();
    if store.end(&stderr).is_err() {
        return capture.drain(&stdout, Box::new(done));
    }
    let left = Arc::new(AtomicUsize::new(2));
    let done = Arc::new(std::sync::Mutex::new(Some(done)));
    for log in [&stderr, &stdout] {
        let (left, done, store, stdout) =
            (Arc::clone(&left), Arc::clone(&done), store.clone(), stdout.clone());
        let drained = move |_| {
            if left.fetch_sub(1, Ordering::AcqRel) == 1
                && let Some(done) = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
            {
                done(store.end(&stdout).unwrap_or(0));
            }
        };
        capture.drain(log, Box::new(drained));
    }
}

fn limits(logs: &Logs, defaults: Limits) -> Limits {
    Limits {
        file_bytes: logs.max_size.unwrap_or(defaults.file_bytes),
        backups: logs.keep.unwrap_or(defaults.backups),
        file_age: logs.max_age.or(defaults.file_age),
        total_bytes: logs.max_total.or(defaults.total_bytes),
        compress: logs.compress || defaults.compress,
        unread_bytes: defaults.unread_bytes,
    }
}
