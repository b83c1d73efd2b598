//! Who runs, by process: what the keeper told, kept for the day on which there is no keeper.
//!
//! In memory it is what an overseer hands to the keeper that it becomes. On disk, in the runtime directory, which like
//! every process ends with the boot, it is what the next start knows the survivors by when all of ganger was killed.
//! A number alone names nobody: it counts with the start of the process and the boot.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use ganger_core::RunId;
use ganger_keeper::{Event, HandedRun, Handover, RunReport, Survivor};
use ganger_spec::{GANGER_WORKER, WorkerName};
use serde::{Deserialize, Serialize};

use crate::clock;

/// A file with fewer lines than this is not worth writing anew.
const LINES_MIN: usize = 1024;
/// The file is written anew when it has this many times the lines that count.
const LINES_FACTOR: usize = 4;

/// A line of the file, and what is known of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) run: u64,
    pub(crate) worker: WorkerName,
    pub(crate) pid: u32,
    pub(crate) started: u64,
    pub(crate) tag: String,
}

/// The first line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    boot: String,
}

/// A run, and how it ended if it did.
#[derive(Debug)]
struct Known {
    handed: HandedRun,
    /// Of its main process, so that its status is known even if nobody is there to wait for it.
    process: Option<OwnedFd>,
}

/// The runs that the keeper has not forgotten.
#[derive(Debug)]
pub(crate) struct Roster {
    path: PathBuf,
    file: Option<File>,
    pending: Vec<u8>,
    lines: usize,
    runs: BTreeMap<RunId, Known>,
    cgroup: Option<PathBuf>,
    /// Tags of runs that were asked for and have no process yet.
    asked: BTreeMap<RunId, (WorkerName, String)>,
    watches: bool,
}

impl Roster {
    /// Nobody yet. Only what outlives its keeper is watched.
    pub(crate) fn new(path: PathBuf, watches: bool) -> Self {
        Self {
            path,
            file: None,
            pending: Vec::new(),
            lines: 0,
            runs: BTreeMap::new(),
            cgroup: None,
            asked: BTreeMap::new(),
            watches,
        }
    }

    /// The keeper told all that it knows.
    pub(crate) fn welcome(&mut self, runs: &[RunReport], cgroup: Option<PathBuf>) {
        self.cgroup = cgroup;
        for run in runs {
            let handed = HandedRun {
                run: run.run,
                worker: run.worker.clone(),
                pid: run.pid,
                started: run.started,
                tag: run.tag.clone(),
                exit: run.exit,
                usage: run.usage,
                leftovers: run.leftovers.clone(),
            };
            self.enter(handed);
        }
        self.file = None;
    }

    /// A run was asked for.
    pub(crate) fn asked(&mut self, run: RunId, worker: &WorkerName, tag: &str) {
        self.asked.insert(run, (worker.clone(), tag.to_owned()));
    }

    /// What else the keeper tells.
    pub(crate) fn hear(&mut self, event: &Event) {
        match event {
            Event::Spawned { run, pid, started, .. } => {
                let Some((worker, tag)) = self.asked.remove(&RunId(run.0)) else { return };
                let (pid, started, worker) = (*pid, *started, worker.to_string());
                let (exit, usage, leftovers) = (None, ganger_keeper::Usage::default(), Vec::new());
                self.enter(HandedRun { run: *run, worker, pid, started, tag, exit, usage, leftovers });
            }
            Event::SpawnFailed { run, .. } => drop(self.asked.remove(&RunId(run.0))),
            Event::Exited { run, exit, usage, leftovers } => {
                if let Some(known) = self.runs.get_mut(&RunId(run.0)) {
                    known.handed.exit = Some(*exit);
                    known.handed.usage = *usage;
                    known.handed.leftovers.clone_from(leftovers);
                    known.process = None;
                }
            }
            Event::Welcome { .. }
            | Event::Signalled { .. }
            | Event::Emptied { .. }
            | Event::Swept { .. }
            | Event::Signal { .. }
            | Event::Rejected { .. } => {}
        }
    }

    /// The end of this run is accounted.
    pub(crate) fn forget(&mut self, run: RunId) {
        self.runs.remove(&run);
        self.asked.remove(&run);
    }

    fn enter(&mut self, handed: HandedRun) {
        if let Some(entry) = entry_of(&handed) {
            // A vector takes all, and a number is no error.
            let _ = serde_json::to_writer(&mut self.pending, &entry);
            self.pending.push(b'\n');
            self.lines += 1;
        }
        let lives = self.watches && handed.exit.is_none();
        let process = lives.then(|| ganger_keeper::watch(handed.pid, handed.started)).flatten();
        self.runs.insert(RunId(handed.run.0), Known { handed, process });
    }

    /// Writes down what is new. What cannot be written is tried again with the next, and is found without it unless the
    /// worker hides it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        match &mut self.file {
            Some(file) if self.lines <= LINES_MIN.max(self.runs.len() * LINES_FACTOR) => {
                file.write_all(&self.pending)?;
            }
            Some(_) | None => self.rewrite()?,
        }
        self.pending.clear();
        Ok(())
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let mut body = serde_json::to_vec(&Head { boot: clock::boot_id() })?;
        body.push(b'\n');
        for entry in self.runs.values().filter_map(|known| entry_of(&known.handed)) {
            serde_json::to_writer(&mut body, &entry)?;
            body.push(b'\n');
        }
        let fresh = self.path.with_extension("new");
        let mut file = File::create(&fresh)?;
        file.write_all(&body)?;
        std::fs::rename(&fresh, &self.path)?;
        self.file = Some(file);
        self.lines = self.runs.len();
        Ok(())
    }

    /// What the next keeper begins with, now that this one is gone. Runs that it was asked for and did not tell of are
    /// looked for.
    pub(crate) fn into_handover(self, prefix: &str, lock: OwnedFd) -> Handover {
        let Self { runs, asked, cgroup, .. } = self;
        let mut handover = Handover { cgroup, kept: vec![lock], ..Handover::default() };
        for (run, Known { handed, process }) in runs {
            handover.runs.push(handed);
            handover.processes.extend(process.map(|process| (ganger_keeper::RunId(run.0), process)));
        }
        if !asked.is_empty() {
            let found = ganger_keeper::survivors(prefix, GANGER_WORKER);
            handover.runs.extend(found.into_iter().filter_map(|survivor| {
                asked.values().any(|(_, tag)| *tag == survivor.tag).then(|| unlisted(survivor)).flatten()
            }));
        }
        handover
    }
}

/// What is found of an app of which no process of ganger's is left.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Each worker's last run, if anything of it lives or can tell how it ended.
    pub(crate) runs: Vec<HandedRun>,
    /// The numbers of those of which something lives.
    pub(crate) alive: BTreeSet<ganger_keeper::RunId>,
}

/// Looks for it.
pub(crate) fn survivors(path: &Path, prefix: &str) -> Found {
    let found = ganger_keeper::survivors(prefix, GANGER_WORKER);
    let mut latest: BTreeMap<String, HandedRun> = BTreeMap::new();
    for entry in read(path) {
        latest.insert(entry.worker.to_string(), handed(entry));
    }
    let listed: BTreeSet<u64> = latest.values().map(|run| run.run.0).collect();
    let tags: BTreeSet<String> = found.iter().map(|one| one.tag.clone()).collect();
    let lives = |run: &HandedRun| ganger_keeper::lives(run.pid, run.started) || tags.contains(&run.tag);
    let tells = |run: &HandedRun| lives(run) || ganger_keeper::watch(run.pid, run.started).is_some();
    let mut runs: Vec<HandedRun> = latest.into_values().filter(tells).collect();
    let workers: BTreeSet<String> = runs.iter().map(|run| run.worker.clone()).collect();
    let unlisted = found.into_iter().filter_map(unlisted);
    runs.extend(unlisted.filter(|run| !listed.contains(&run.run.0) && !workers.contains(&run.worker)));
    let alive = runs.iter().filter(|run| lives(run)).map(|run| run.run).collect();
    Found { runs, alive }
}

/// The lines of the file, as far as they can be read, if it is of this boot.
fn read(path: &Path) -> Vec<Entry> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines();
    let head = lines.next().and_then(|line| serde_json::from_str::<Head>(line).ok());
    if head.is_none_or(|head| head.boot != clock::boot_id()) {
        return Vec::new();
    }
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn entry_of(handed: &HandedRun) -> Option<Entry> {
    let HandedRun { run, pid, started, ref tag, .. } = *handed;
    let worker = WorkerName::try_from(handed.worker.clone()).ok()?;
    Some(Entry { run: run.0, worker, pid, started, tag: tag.clone() })
}

fn handed(entry: Entry) -> HandedRun {
    let Entry { run, worker, pid, started, tag } = entry;
    HandedRun {
        run: ganger_keeper::RunId(run),
        worker: worker.to_string(),
        pid,
        started,
        tag,
        exit: None,
        usage: ganger_keeper::Usage::default(),
        leftovers: Vec::new(),
    }
}

/// A run that only its own environment names.
fn unlisted(survivor: Survivor) -> Option<HandedRun> {
    let Survivor { tag, pid, started, worker } = survivor;
    let run = tag.rsplit('/').next()?.parse().ok()?;
    let worker = WorkerName::try_from(worker?).ok()?;
    Some(handed(Entry { run, worker, pid, started, tag }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u64, worker: &str, pid: u32) -> HandedRun {
        let worker = WorkerName::try_from(worker.to_owned()).unwrap();
        handed(Entry { run: number, worker, pid, started: 1, tag: format!("no/such/app/{number}") })
    }

    #[test]
    fn what_was_written_is_read_and_a_torn_line_costs_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs");
        let mut roster = Roster::new(path.clone(), false);
        roster.enter(run(1, "web.1", 10));
        roster.flush().unwrap();
        roster.enter(run(2, "web.2", 11));
        roster.flush().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 3]).unwrap();
        assert_eq!(read(&path).iter().map(|entry| entry.run).collect::<Vec<_>>(), [1]);
        std::fs::write(&path, text.replacen(&clock::boot_id(), "another", 1)).unwrap();
        assert_eq!(read(&path), []);
    }

    #[test]
    fn the_file_does_not_grow_with_runs_that_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs");
        let mut roster = Roster::new(path.clone(), false);
        for number in 1..=3000 {
            roster.enter(run(number, "web.1", 10));
            roster.flush().unwrap();
            roster.forget(RunId(number));
        }
        assert!(read(&path).len() <= LINES_MIN + 1);
    }

    #[test]
    fn nobody_who_is_gone_survives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs");
        let mut roster = Roster::new(path.clone(), false);
        roster.enter(run(1, "web.1", std::process::id()));
        roster.flush().unwrap();
        // This process has the number, but not the start.
        let found = survivors(&path, "no/such/app/");
        assert!(found.runs.is_empty() && found.alive.is_empty(), "{found:?}");
    }
}
