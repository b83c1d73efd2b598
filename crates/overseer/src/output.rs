//! What is captured of each worker: its pipes, and how what comes out of them is kept.
//!
//! A worker has one log, `web.1`, or where its group says so a second one for stderr, `web.1.err`. Each has a pipe of its
//! name. Whether a run that outlived its overseer has a second one is told by the pipe that is there.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ganger_logs::{Capture, Error, Limits, Place, create_pipe};
use ganger_spec::{Group, LogFile, LogName, Logs, Spec, Stderr, WorkerName};
use tokio::sync::mpsc;

use crate::attach::Sizes;
use crate::engine::Message;
use crate::terminals::Terminals;

/// The pipes and logs of all workers.
pub(crate) struct Outputs {
    pipes: PathBuf,
    /// Those that workers have in place of a pipe; what they show comes into the pipe.
    pub(crate) terminals: Terminals,
    /// Why a run that was to have a terminal has none.
    refusal: Option<Error>,
    /// What was last said of that.
    refused: String,
    /// What holds where the spec says nothing.
    limits: Limits,
    /// Whose output is captured, and whether stderr has a log of its own.
    captured: BTreeMap<WorkerName, bool>,
    /// Logs of workers that are no more, whose pipes hold what is not stored yet; the number of that farewell.
    leaving: BTreeMap<LogName, u64>,
    farewells: u64,
    /// Logs whose pipes are to be removed, once the keeper was told.
    forgotten: Vec<LogName>,
    messages: mpsc::UnboundedSender<Message>,
}

impl Outputs {
    pub(crate) fn new(
        pipes: PathBuf,
        limits: Limits,
        viewers: Arc<Sizes>,
        messages: mpsc::UnboundedSender<Message>,
    ) -> Self {
        let (captured, leaving) = (BTreeMap::new(), BTreeMap::new());
        Self {
            pipes,
            terminals: Terminals::new(viewers),
            refusal: None,
            refused: String::new(),
            limits,
            captured,
            leaving,
            farewells: 0,
            forgotten: Vec::new(),
            messages,
        }
    }

    /// Captures what a new run will write: its stdout and stderr; or its terminal, the other side of that, and the pipe into
    /// which that leads. Where a terminal cannot be made, the run does without.
    pub(crate) fn open(
        &mut self,
        worker: &WorkerName,
        run: u64,
        owner: Option<(u32, u32)>,
        kept: &Kept,
        capture: &Capture,
    ) -> Result<Opened, Error> {
        let before = self.captured.get(worker).copied();
        let terminal = kept.tty.then(|| self.terminals.open(worker, owner)).transpose();
        let terminal = terminal.unwrap_or_else(|error| {
            self.refusal = Some(error);
            None
        });
        let begins = terminal.is_none().then_some(run);
        let stdout = self.pipe(&worker.clone().into(), begins, owner, kept, before.is_some(), capture)?;
        self.captured.insert(worker.clone(), before.unwrap_or(false));
        if let Some([side, screen]) = terminal {
            let shown = screen.try_clone().map_err(Error::Terminal)?;
            capture.relay(&worker.to_string(), shown, Some(run));
            return Ok(Opened::Terminal([side, screen, stdout]));
        }
        self.terminals.forget(worker);
        if kept.is_together() {
            return Ok(Opened::Pipes([Rc::clone(&stdout), stdout]));
        }
        let begins = Some(run);
        let stderr = self.pipe(&LogName::err(worker), begins, owner, kept, before == Some(true), capture)?;
        self.captured.insert(worker.clone(), true);
        Ok(Opened::Pipes([stdout, stderr]))
    }

    /// Why a run has no terminal that was to have one, once for each reason.
    pub(crate) fn take_refusal(&mut self) -> Option<Error> {
        let error = self.refusal.take()?;
        let before = std::mem::replace(&mut self.refused, error.to_string());
        (before != self.refused).then_some(error)
    }

    /// Makes the pipe of a log, or takes up the one that is there. Gives the worker's end.
    fn pipe(
        &mut self,
        log: &LogName,
        run: Option<u64>,
        owner: Option<(u32, u32)>,
        kept: &Kept,
        is_captured: bool,
        capture: &Capture,
    ) -> Result<Rc<OwnedFd>, Error> {
        let name = log.to_string();
        // It is told of while the pipe is opened.
        let begun = run.filter(|_| is_captured).map(|run| capture.begin(&name, run));
        // What the one before it wrote may still be in the pipe; it is stored first.
        let is_leaving = self.leaving.remove(log).is_some();
        kept.put(log, self.limits, capture)?;
        let pipe = create_pipe(&self.pipes.join(&name), owner)?;
        match (begun, run) {
            (Some(begun), _) => begun.wait(),
            (None, Some(run)) if is_leaving => {
                capture.add(&name, pipe.reader, None)?;
                capture.begin(&name, run).wait();
            }
            (None, _) if is_captured => {}
            (None, run) => capture.add(&name, pipe.reader, run)?,
        }
        Ok(Rc::new(pipe.writer))
    }

    /// Takes up the pipes of a worker that was there before this overseer. Its limits hold before anything is stored.
    pub(crate) fn adopt(
        &mut self,
        worker: &WorkerName,
        kept: Option<&Kept>,
        capture: &Capture,
    ) -> Result<(), Error> {
        let take = |log: LogName| {
            let name = log.to_string();
            if let Some(kept) = kept {
                capture.limit(&name, limits(&kept.logs, log.is_err, self.limits))?;
            }
            let pipe = create_pipe(&self.pipes.join(&name), None)?;
            capture.add(&name, pipe.reader, None)
        };
        let stderr = LogName::err(worker);
        let is_apart = self.pipes.join(stderr.to_string()).exists();
        take(worker.clone().into())?;
        if let Some(screen) = self.terminals.screen(worker) {
            let shown = screen.try_clone().map_err(Error::Terminal)?;
            capture.relay(&worker.to_string(), shown, None);
        }
        self.captured.insert(worker.clone(), is_apart);
        if is_apart { take(stderr) } else { Ok(()) }
    }

    /// From now on, output is kept as this spec says.
    pub(crate) fn keep(&self, spec: &Spec, capture: &Capture) -> Result<(), Error> {
        capture.bound(spec.logs_max_total);
        let mut done = Ok(());
        for worker in self.captured.keys() {
            let Some(kept) = Kept::of_worker(spec, worker) else { continue };
            for log in self.logs(worker) {
                // One that cannot be put elsewhere does not keep the others from it.
                done = kept.put(&log, self.limits, capture).and(done);
            }
        }
        done
    }

    /// The logs of a worker that are captured.
    pub(crate) fn logs(&self, worker: &WorkerName) -> Vec<LogName> {
        match self.captured.get(worker) {
            None => Vec::new(),
            Some(false) => vec![worker.clone().into()],
            Some(true) => vec![worker.clone().into(), LogName::err(worker)],
        }
    }

    /// Workers of which there is a pipe that is not captured: they had no run when the overseer before died.
    pub(crate) fn uncaptured(&self) -> BTreeSet<WorkerName> {
        let workers = logs_in(&self.pipes).map(|log| log.worker);
        workers.filter(|worker| !self.captured.contains_key(worker)).collect()
    }

    /// The reading ends of all pipes, by the names of their logs, and the terminals of all workers: what is in them lives as
    /// long as these.
    pub(crate) fn readers(&self) -> Vec<(String, OwnedFd)> {
        let mut readers = readers_in(&self.pipes);
        readers.extend(self.terminals.sides());
        readers
    }

    /// Nothing is captured of this worker any more, once what it wrote is stored; then a message says so.
    pub(crate) fn release(&mut self, worker: &WorkerName, capture: &Capture) {
        for log in self.logs(worker) {
            self.farewells += 1;
            let (messages, number) = (self.messages.clone(), self.farewells);
            self.leaving.insert(log.clone(), number);
            let name = log.to_string();
            let stored = move |_| {
                // It fails only when the engine has ended; the next one takes up the pipe.
                let _ = messages.send(Message::Stored(log, number));
            };
            capture.remove(&name, Box::new(stored));
        }
        self.captured.remove(worker);
        self.terminals.forget(worker);
    }

    /// What a worker wrote that is no more is stored: its pipe may go, unless somebody writes into it again.
    pub(crate) fn has_left(&self, log: &LogName, number: u64) -> bool {
        self.leaving.get(log) == Some(&number)
    }

    /// Notes that the pipe of a log that has left may go.
    pub(crate) fn forget(&mut self, log: &LogName) {
        self.leaving.remove(log);
        self.forgotten.push(log.clone());
    }

    /// Removes pipes that may go, but for those into which somebody writes again.
    pub(crate) fn remove_forgotten(&mut self) {
        for log in std::mem::take(&mut self.forgotten) {
            if !self.captured.contains_key(&log.worker) {
                // A pipe that stays behind is taken up again by the next worker of that name, or the next overseer.
                let _ = std::fs::remove_file(self.pipes.join(log.to_string()));
            }
        }
    }

    /// Nothing will write into the pipes any more.
    pub(crate) fn forget_pipes(&self) {
        // What cannot be removed is taken up by the next start.
        let _ = std::fs::remove_dir_all(&self.pipes);
    }
}

/// The reading ends of all pipes that are there. One that cannot be opened again lives on with its worker alone.
pub(crate) fn readers_in(pipes: &Path) -> Vec<(String, OwnedFd)> {
    let opened = logs_in(pipes).filter_map(|log| {
        let log = log.to_string();
        create_pipe(&pipes.join(&log), None).ok().map(|pipe| (log, pipe.reader))
    });
    opened.collect()
}

/// The logs of which a pipe is there.
fn logs_in(pipes: &Path) -> impl Iterator<Item = LogName> {
    let entries = std::fs::read_dir(pipes).into_iter().flatten().flatten();
    entries.filter_map(|entry| LogName::try_from(entry.file_name().into_string().ok()?).ok())
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

/// What a new run writes into.
pub(crate) enum Opened {
    /// Its stdout and stderr.
    Pipes([Rc<OwnedFd>; 2]),
    /// Its terminal, the side where the screen and the keyboard are, and the pipe into which that leads.
    Terminal([Rc<OwnedFd>; 3]),
}

/// How the output of a worker is kept.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    logs: Logs,
    strip_ansi: bool,
    /// It goes to a terminal.
    pub(crate) tty: bool,
}

impl Kept {
    /// How that of a worker of this group is; `own` is what differs from worker to worker.
    pub(crate) fn of(group: &Group, own: Option<&Logs>) -> Self {
        let strip_ansi = group.supervisor.as_ref().is_some_and(|supervisor| supervisor.strip_ansi);
        Self { logs: own.unwrap_or(&group.logs).clone(), strip_ansi, tty: group.tty }
    }

    /// How that of a worker is, if this spec has it.
    pub(crate) fn of_worker(spec: &Spec, worker: &WorkerName) -> Option<Self> {
        let group = spec.group(&worker.group)?;
        Some(Self::of(group, spec.worker(worker).map(|worker| worker.logs).ok().as_ref()))
    }

    /// Is stderr in one log with stdout? So it is, too, where both have the same file: two logs cannot have one.
    fn is_together(&self) -> bool {
        let Logs { stderr, out, err, .. } = &self.logs;
        *stderr == Stderr::Together || (out == err && matches!(out, LogFile::Path(path) if is_file(path)))
    }

    /// Lets a log be kept so.
    fn put(&self, log: &LogName, defaults: Limits, capture: &Capture) -> Result<(), Error> {
        let place = match if log.is_err { &self.logs.err } else { &self.logs.out } {
            LogFile::Store | LogFile::Sent | LogFile::Echoed => Place::Store,
            LogFile::Path(path) => Place::File(path.clone()),
            LogFile::Auto(path) => {
                create_private(path);
                Place::File(path.clone())
            }
            LogFile::Dropped => Place::Dropped,
        };
        let name = log.to_string();
        capture.limit(&name, limits(&self.logs, log.is_err, defaults))?;
        capture.place(&name, &place, self.strip_ansi)
    }
}

/// A file that nobody named is made before it is written, for nobody else to read. One that is there is this log's already;
/// one that cannot be made is told when it is written.
fn create_private(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt;
    let _ = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

fn is_file(path: &Path) -> bool {
    matches!(Place::of(path), Place::File(_))
}

fn limits(logs: &Logs, is_err: bool, defaults: Limits) -> Limits {
    let size = logs.err_size.filter(|_| is_err);
    Limits {
        file_bytes: size.map(|size| size.max_size).or(logs.max_size).unwrap_or(defaults.file_bytes),
        backups: size.map(|size| size.keep).or(logs.keep).unwrap_or(defaults.backups),
        file_age: logs.max_age.or(defaults.file_age),
        total_bytes: logs.max_total.or(defaults.total_bytes),
        compress: logs.compress || defaults.compress,
        unread_bytes: defaults.unread_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs::read_to_string;
    use std::sync::mpsc::channel;

    use ganger_spec::LogSize;
    use rustix::io::write;

    /// Pipes and logs in a directory of their own, and what the outputs say.
    struct Bed {
        dir: tempfile::TempDir,
        capture: Capture,
        outputs: Outputs,
        messages: mpsc::UnboundedReceiver<Message>,
    }

    impl Bed {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let capture =
                Capture::start(&dir.path().join("logs"), Limits::default(), Box::new(|_| {}), None).unwrap();
            let (sender, messages) = mpsc::unbounded_channel();
            let outputs = Outputs::new(dir.path().to_owned(), Limits::default(), Sizes::new(), sender);
            Self { dir, capture, outputs, messages }
        }

        /// The worker's end of the pipe of its next run.
        fn open(&mut self, run: u64) -> Rc<OwnedFd> {
            let [stdout, _] = self.open_as(run, &Kept::default());
            stdout
        }

        /// The ends of the worker where its output is kept so.
        fn open_as(&mut self, run: u64, kept: &Kept) -> [Rc<OwnedFd>; 2] {
            match self.outputs.open(&worker(), run, None, kept, &self.capture).unwrap() {
                Opened::Pipes(pipes) => pipes,
                Opened::Terminal([side, screen, _]) => [side, screen],
            }
        }

        /// The next farewell that is complete, and what the log has by then: nothing, if it is not there yet.
        fn stored(&mut self) -> (LogName, u64, String) {
            let Some(Message::Stored(log, number)) = self.messages.blocking_recv() else {
                panic!("something else")
            };
            (log, number, read_to_string(self.dir.path().join("logs/web.1.log")).unwrap_or_default())
        }
    }

    fn worker() -> WorkerName {
        WorkerName::new("web", 1)
    }

    #[test]
    fn a_worker_that_comes_back_before_its_last_words_are_stored_loses_none() {
        let mut bed = Bed::new();
        let first = bed.open(1);
        let (held, go_on) = channel::<()>();
        let waits = move |_| go_on.recv().unwrap();
        bed.capture.drain("web.1", Box::new(waits));
        // The capture thread stands still until all of this was asked for.
        write(&first, b"last words\n").unwrap();
        bed.outputs.release(&worker(), &bed.capture);
        let second = bed.open(2);
        drop(first);
        write(&second, b"first words\n").unwrap();
        bed.outputs.release(&worker(), &bed.capture);
        held.send(()).unwrap();
        let (log, number, _) = bed.stored();
        assert!(!bed.outputs.has_left(&log, number), "somebody writes into its pipe again");
        let (log, number, text) = bed.stored();
        assert!(bed.outputs.has_left(&log, number));
        assert_eq!(text, "last words\nfirst words\n");
    }

    #[test]
    fn what_an_overseer_left_in_a_pipe_is_stored_by_the_next_before_the_pipe_goes() {
        let mut bed = Bed::new();
        let path = bed.dir.path().join("web.1");
        let kept = create_pipe(&path, None).unwrap();
        write(&kept.writer, b"last words\n").unwrap();
        assert_eq!(bed.outputs.uncaptured(), BTreeSet::from([worker()]));
        bed.outputs.adopt(&worker(), None, &bed.capture).unwrap();
        assert_eq!(bed.outputs.uncaptured(), BTreeSet::new());
        bed.outputs.release(&worker(), &bed.capture);
        let (log, number, text) = bed.stored();
        assert_eq!(text, "last words\n");
        assert!(bed.outputs.has_left(&log, number) && path.exists());
        bed.outputs.forget(&log);
        bed.outputs.remove_forgotten();
        assert!(!path.exists() && !bed.outputs.has_left(&log, number));
    }

    #[test]
    fn each_log_has_the_place_and_the_limits_that_are_said_of_it() {
        let mut bed = Bed::new();
        let dir = bed.dir.path().canonicalize().unwrap();
        let logs = Logs {
            max_size: Some(u64::MAX),
            keep: Some(0),
            stderr: Stderr::Separate,
            out: LogFile::Path(dir.join("out.log")),
            err: LogFile::Path(dir.join("err.log")),
            err_size: Some(LogSize { max_size: 10, keep: 1 }),
            ..Logs::default()
        };
        let text = "\u{1b}[1m0123456\nabcdefg\n\u{1b}[0mend";
        let [stdout, stderr] = bed.open_as(1, &Kept { logs, strip_ansi: true, tty: false });
        for pipe in [&stdout, &stderr] {
            write(pipe, text.as_bytes()).unwrap();
        }
        let (done, drained) = channel();
        drain(&worker(), &bed.capture, move |_| done.send(()).unwrap());
        drained.recv().unwrap();
        let read = |name: &str| read_to_string(dir.join(name)).unwrap();
        assert_eq!(read("out.log"), "0123456\nabcdefg\nend");
        assert_eq!([read("err.log.1"), read("err.log")], ["abcdefg\n", "end"].map(str::to_owned));
    }

    #[test]
    fn one_file_of_stdout_and_stderr_is_one_log_and_one_terminal_is_two() {
        let together = |path: &str| {
            let file = LogFile::Path(path.into());
            let (out, err) = (file.clone(), file);
            let logs = Logs { stderr: Stderr::Separate, out, err, ..Logs::default() };
            Kept { logs, ..Kept::default() }.is_together()
        };
        assert!(together("/var/log/web.log") && !together("/dev/stdout"));
    }
}
