//! The table of runs: who lives, who ended and was not accounted yet, and the descriptors kept for each worker.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::fstat;
use rustix::io::fcntl_dupfd_cloexec;
use rustix::termios::isatty;

use crate::handover::HandedRun;
use crate::processes::Snapshot;
use crate::protocol::{Exit, NAMES_MAX, Process, RunId, RunReport, Usage};

/// Descriptors that are kept get numbers from here on.
const KEPT_FROM: i32 = 64;

/// A run that is not forgotten.
pub(crate) struct Run {
    pub(crate) worker: Box<str>,
    pub(crate) pid: u32,
    pub(crate) started: u64,
    /// The value of the tag in the environment of its processes; empty if there is none.
    pub(crate) tag: Box<[u8]>,
    pub(crate) hold: Hold,
    /// Another keeper started it: neither it nor its orphans are children of ours.
    pub(crate) adopted: bool,
    pub(crate) end: Option<End>,
    /// A kill was sent to the whole tree: whoever turns up late gets it too.
    pub(crate) condemned: bool,
    pub(crate) acknowledged: bool,
}

/// By what the processes of a run are known.
pub(crate) enum Hold {
    /// They cannot leave their cgroup.
    Cgroup,
    /// By descent, session, group, the tag in their environment, or because they were seen before.
    Walk {
        /// Members at the end of the main process, and at each signal to the tree.
        seen: HashSet<(u32, u64)>,
    },
}

/// How the main process ended, and what it left.
pub(crate) struct End {
    pub(crate) exit: Exit,
    pub(crate) usage: Usage,
    /// Processes that were alive when it ended.
    pub(crate) leftovers: Vec<Process>,
    /// Nothing is left of its tree.
    pub(crate) empty: bool,
}

impl Run {
    /// Whether anything of it may still be alive.
    pub(crate) fn is_live(&self) -> bool {
        self.end.as_ref().is_none_or(|end| !end.empty)
    }

    /// Whether its number still is that of its main process: that of an adopted one may be a stranger's now.
    pub(crate) fn is_same(&self) -> bool {
        !self.adopted || Snapshot::of(self.pid).is_some_and(|process| process.started == self.started)
    }

    fn handed(&self, run: RunId) -> HandedRun {
        let RunReport { run, worker, pid, started, exit, usage, leftovers, tag } = self.report(run);
        let seen = match &self.hold {
            Hold::Cgroup => Vec::new(),
            Hold::Walk { seen } => seen.iter().copied().collect(),
        };
        let (condemned, acknowledged, is_child) = (self.condemned, self.acknowledged, !self.adopted);
        HandedRun {
            run,
            worker,
            pid,
            started,
            tag,
            exit,
            usage,
            leftovers,
            condemned,
            acknowledged,
            seen,
            is_child,
        }
    }

    fn report(&self, run: RunId) -> RunReport {
        let leftovers = match &self.end {
            Some(end) if !end.empty => end.leftovers.clone(),
            Some(_) | None => Vec::new(),
        };
        RunReport {
            run,
            worker: self.worker.to_string(),
            pid: self.pid,
            started: self.started,
            exit: self.end.as_ref().map(|end| end.exit),
            usage: self.end.as_ref().map(|end| end.usage).unwrap_or_default(),
            leftovers,
            tag: String::from_utf8_lossy(&self.tag).into_owned(),
        }
    }
}

/// The descriptors of a worker's output: what it wrote and nobody read lives as long as these. One may be a terminal,
/// which is hung up when it is closed.
struct Kept {
    stdout: OwnedFd,
    stderr: Option<OwnedFd>,
}

impl Kept {
    fn terminal(&self) -> Option<BorrowedFd<'_>> {
        [Some(&self.stdout), self.stderr.as_ref()]
            .into_iter()
            .flatten()
            .find(|one| isatty(one))
            .map(AsFd::as_fd)
    }
}

/// All runs.
#[derive(Default)]
pub(crate) struct Runs {
    by_id: BTreeMap<RunId, Run>,
    by_pid: HashMap<u32, RunId>,
    kept: HashMap<Box<str>, Kept>,
    /// The last run of each worker that has any.
    latest: HashMap<Box<str>, RunId>,
}

impl Runs {
    /// Whether a run of this number is known, or this worker has one of which something lives.
    pub(crate) fn refuses(&self, run: RunId, worker: &str) -> bool {
        let live = self.latest.get(worker).and_then(|run| self.by_id.get(run)).is_some_and(Run::is_live);
        live || self.by_id.contains_key(&run)
    }

    /// Enters a run that lives.
    pub(crate) fn add(&mut self, id: RunId, run: Run) {
        // The number of a process that is no child of ours may come back as a child's.
        if !run.adopted && run.end.is_none() {
            self.by_pid.insert(run.pid, id);
        }
        self.latest.insert(run.worker.clone(), id);
        self.by_id.insert(id, run);
    }

    /// Keeps the output descriptors of a worker, in place of those of its run before.
    pub(crate) fn keep(&mut self, worker: &str, stdout: OwnedFd, stderr: OwnedFd) {
        let other = !same_file(&stdout, &stderr);
        let kept = Kept { stdout: out_of_the_way(stdout), stderr: other.then(|| out_of_the_way(stderr)) };
        self.kept.insert(worker.into(), kept);
    }

    /// Keeps a descriptor of the output of a worker that was handed over. There may be one for each stream.
    pub(crate) fn keep_handed(&mut self, worker: &str, output: OwnedFd) {
        match self.kept.get_mut(worker) {
            Some(kept) => kept.stderr = Some(output),
            None => drop(self.kept.insert(worker.into(), Kept { stdout: output, stderr: None })),
        }
    }

    /// The workers that have a terminal.
    pub(crate) fn terminals(&self) -> Vec<String> {
        let having = self.kept.iter().filter(|(_, kept)| kept.terminal().is_some());
        having.map(|(worker, _)| worker.to_string()).collect()
    }

    /// The terminal that is kept for a worker.
    pub(crate) fn terminal(&self, worker: &str) -> Option<BorrowedFd<'_>> {
        self.kept.get(worker).and_then(Kept::terminal)
    }

    /// Gives away the descriptors that are kept, by worker.
    pub(crate) fn take_kept(&mut self) -> Vec<(String, OwnedFd)> {
        let kept = std::mem::take(&mut self.kept).into_iter();
        kept.flat_map(|(worker, Kept { stdout, stderr })| {
            let both = [Some(stdout), stderr].into_iter().flatten();
            both.map(move |one| (worker.to_string(), one))
        })
        .collect()
    }

    /// All runs, as the next program in this process or another keeper takes them over.
    pub(crate) fn handed(&self) -> Vec<HandedRun> {
        self.by_id.iter().map(|(id, run)| run.handed(*id)).collect()
    }

    /// Closes the descriptors that are kept for a worker.
    pub(crate) fn release(&mut self, worker: &str) {
        self.kept.remove(worker);
    }

    /// Closes the descriptors that are kept for any worker.
    pub(crate) fn release_all(&mut self) {
        self.kept.clear();
    }

    pub(crate) fn get(&self, run: RunId) -> Option<&Run> {
        self.by_id.get(&run)
    }

    pub(crate) fn get_mut(&mut self, run: RunId) -> Option<&mut Run> {
        self.by_id.get_mut(&run)
    }

    /// The run whose main process this was: it is reaped, so its number means nothing from now on.
    pub(crate) fn take_pid(&mut self, pid: u32) -> Option<RunId> {
        self.by_pid.remove(&pid)
    }

    /// Whether this is the main process of a run.
    pub(crate) fn is_main(&self, pid: u32) -> bool {
        self.by_pid.contains_key(&pid)
    }

    /// Forgets a run that ended, now or as soon as nothing of it lives.
    pub(crate) fn acknowledge(&mut self, id: RunId) {
        if let Some(run) = self.by_id.get_mut(&id).filter(|run| run.end.is_some()) {
            run.acknowledged = true;
            self.forget_if_done(id);
        }
    }

    /// Notes that nothing of a run lives any more.
    pub(crate) fn emptied(&mut self, id: RunId) {
        if let Some(end) = self.by_id.get_mut(&id).and_then(|run| run.end.as_mut()) {
            end.empty = true;
        }
        self.forget_if_done(id);
    }

    fn forget_if_done(&mut self, id: RunId) {
        let done = |run: &Run| run.acknowledged && !run.is_live();
        if let Some(run) = self.by_id.get(&id).filter(|run| done(run)) {
            if self.latest.get(&run.worker) == Some(&id) {
                self.latest.remove(&run.worker);
            }
            self.by_id.remove(&id);
        }
    }

    /// Runs whose main process ended while others of their tree live on.
    pub(crate) fn unempty(&self) -> Vec<RunId> {
        let unempty = |run: &Run| run.end.as_ref().is_some_and(|end| !end.empty);
        self.by_id.iter().filter(|(_, run)| unempty(run)).map(|(id, _)| *id).collect()
    }

    /// Runs of which something lives.
    pub(crate) fn live(&self) -> Vec<RunId> {
        self.by_id.iter().filter(|(_, run)| run.is_live()).map(|(id, _)| *id).collect()
    }

    /// All that a new overseer must know.
    pub(crate) fn report(&self) -> Vec<RunReport> {
        self.by_id.iter().map(|(id, run)| run.report(*id)).collect()
    }
}

/// The descriptor under a high number, so that those of the next run get low ones: what a child copies of our table
/// ends with the last that it needs. Where that is not possible, it stays where it is.
fn out_of_the_way(descriptor: OwnedFd) -> OwnedFd {
    fcntl_dupfd_cloexec(&descriptor, KEPT_FROM).unwrap_or(descriptor)
}

fn same_file(one: &OwnedFd, other: &OwnedFd) -> bool {
    match (fstat(one), fstat(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

/// As many names as one message holds.
pub(crate) fn named<'a>(processes: impl IntoIterator<Item = &'a crate::processes::Snapshot>) -> Vec<Process> {
    processes.into_iter().take(NAMES_MAX).map(Process::from).collect()
}
