//! Who runs, by process: what the keeper told, kept for the day on which there is no keeper.
//!
//! In memory it is what an overseer hands to the keeper that it becomes. On disk, in the runtime directory, which like
//! every process ends with the boot, it is what the next start knows the survivors by when all of ganger was killed.
//! A number alone names nobody: it counts with the start of the process and the boot.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ganger_core::RunId;
use ganger_keeper::{Event, Exit, HandedRun, Handover, RunCgroups, RunReport, Survivor};
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
    /// The keeper told what it knows.
    is_complete: bool,
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
            is_complete: false,
            watches,
        }
    }

    /// The keeper told all that it knows.
    pub(crate) fn welcome(&mut self, runs: &[RunReport], cgroup: Option<PathBuf>) {
        self.cgroup = cgroup;
        self.is_complete = true;
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
                ..HandedRun::default()
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
                self.enter(HandedRun { run: *run, worker, pid, started, tag, ..HandedRun::default() });
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
            | Event::Tried { .. }
            | Event::Signalled { .. }
            | Event::Emptied { .. }
            | Event::Swept { .. }
            | Event::Signal { .. }
            | Event::Terminal { .. }
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
        match self.file.take() {
            // One that took a part of it is not gone on with.
            Some(mut file) if self.lines <= LINES_MIN.max(self.runs.len() * LINES_FACTOR) => {
                file.write_all(&self.pending)?;
                self.file = Some(file);
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
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&body)?;
        std::fs::rename(&fresh, &self.path)?;
        self.file = Some(file);
        self.lines = self.runs.len();
        Ok(())
    }

    /// What the next keeper begins with, now that this one is gone. Runs that it was asked for and did not tell of are
    /// looked for, and all of them if it never told any.
    pub(crate) fn into_handover(
        self,
        prefix: &str,
        lock: OwnedFd,
        expects: &BTreeMap<RunId, WorkerName>,
    ) -> Handover {
        let Self { path, runs, asked, cgroup, is_complete, .. } = self;
        let mut handover = Handover { cgroup, kept: vec![lock], ..Handover::default() };
        if !is_complete {
            handover.runs = survivors(&path, prefix, expects).runs;
            handover.cgroup = cgroup_of(&handover.runs);
            return handover;
        }
        for (run, Known { handed, process }) in runs {
            handover.runs.push(handed);
            handover.processes.extend(process.map(|process| (ganger_keeper::RunId(run.0), process)));
        }
        if !asked.is_empty() {
            let found = ganger_keeper::survivors(prefix, GANGER_WORKER);
            let asked_for = |survivor: &Survivor| asked.values().any(|(_, tag)| *tag == survivor.tag);
            handover.runs.extend(found.into_iter().filter(asked_for).filter_map(unlisted));
            let asked = asked.into_iter().map(|(run, (worker, tag))| unseen(run, worker.to_string(), tag));
            add_unseen(&mut handover, asked);
        }
        handover
    }
}

/// A run that began and ended before its keeper told of it, as far as that can be known.
pub(crate) fn unseen(run: RunId, worker: String, tag: String) -> HandedRun {
    let run = ganger_keeper::RunId(run.0);
    HandedRun { run, worker, tag, exit: Some(Exit::Unknown), ..HandedRun::default() }
}

/// Adds those of these runs that nobody tells of and whose cgroups show that they ran and ended. Without that mark a run
/// counts as never begun, and is started.
pub(crate) fn add_unseen(handover: &mut Handover, runs: impl IntoIterator<Item = HandedRun>) {
    let Some(cgroups) = &handover.cgroup else { return };
    let told: BTreeSet<_> = handover.runs.iter().map(|run| run.run).collect();
    let unseen = |run: &HandedRun| !told.contains(&run.run) && RunCgroups::is_over(cgroups, run.run);
    handover.runs.extend(runs.into_iter().filter(unseen));
}

/// The directory of the cgroups of these runs, if they have any.
pub(crate) fn cgroup_of(runs: &[HandedRun]) -> Option<PathBuf> {
    runs.iter().find_map(|run| ganger_keeper::cgroups_of(run.pid))
}

/// What is found of an app of which no process of ganger's is left.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Each worker's last run, if anything of it lives or can tell how it ended.
    pub(crate) runs: Vec<HandedRun>,
    /// The numbers of those of which something lives.
    pub(crate) alive: BTreeSet<ganger_keeper::RunId>,
}

/// Looks for it. Beside who is listed, whoever carries the tag of a run counts: a keeper may have been killed before it
/// told of a spawn. Of those that ended only the ones that the ledger still `expects` to hear of count: the end of any
/// other is accounted.
pub(crate) fn survivors(path: &Path, prefix: &str, expects: &BTreeMap<RunId, WorkerName>) -> Found {
    let found = ganger_keeper::survivors(prefix, GANGER_WORKER);
    let tags: BTreeSet<String> = found.iter().map(|one| one.tag.clone()).collect();
    let entries = read(path);
    let listed: BTreeSet<String> = entries.iter().map(|entry| entry.tag.clone()).collect();
    let unlisted = found.into_iter().filter(|one| !listed.contains(&one.tag)).filter_map(unlisted);
    let mut best: BTreeMap<String, (bool, HandedRun)> = BTreeMap::new();
    for run in entries.into_iter().map(handed).chain(unlisted) {
        let lives = tags.contains(&run.tag) || ganger_keeper::lives(run.pid, run.started);
        let is_expected =
            || expects.get(&RunId(run.run.0)).is_some_and(|name| name.to_string() == run.worker);
        let counts = lives || is_expected() && ganger_keeper::watch(run.pid, run.started).is_some();
        if !counts {
            continue;
        }
        let known = best.get(&run.worker);
        if known.is_none_or(|(lived, known)| (*lived, known.run) <= (lives, run.run)) {
            best.insert(run.worker.clone(), (lives, run));
        }
    }
    let alive = best.values().filter(|(lives, _)| *lives).map(|(_, run)| run.run).collect();
    Found { runs: best.into_values().map(|(_, run)| run).collect(), alive }
}

/// What lives of runs of which none of the `known` is one: mostly their main process is gone.
pub(crate) fn stragglers<'a>(prefix: &str, known: impl Iterator<Item = &'a HandedRun>) -> Vec<HandedRun> {
    let known: BTreeSet<&str> = known.map(|run| run.tag.as_str()).collect();
    ganger_keeper::stragglers(prefix, GANGER_WORKER, &known).into_iter().filter_map(unlisted).collect()
}

/// The tags of the runs in the file, if it is of this boot.
pub(crate) fn listed(path: &Path) -> BTreeSet<String> {
    read(path).into_iter().map(|entry| entry.tag).collect()
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
        ..HandedRun::default()
    }
}

/// The runs that the file there names, of whatever boot.
#[cfg(test)]
pub(crate) fn written(path: &Path) -> Vec<HandedRun> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).map(handed).collect()
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

    /// A process that is ended with this.
    #[expect(clippy::disallowed_types, reason = "the runs of these tests have no keeper")]
    struct Guarded(std::process::Child);

    impl Drop for Guarded {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    impl Guarded {
        /// The main process of a run, whose line is read back: it has its environment then.
        fn run(tag: &str, worker: &str) -> Self {
            let mut command = std::process::Command::new("setsid");
            command.args(["sh", "-c", "echo; exec tail -f /dev/null"]);
            command.env(ganger_keeper::TAG_VARIABLE, tag).env(GANGER_WORKER, worker);
            let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
            std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
            Self(child)
        }
    }

    fn no_one() -> BTreeMap<RunId, WorkerName> {
        BTreeMap::new()
    }

    #[test]
    fn who_started_and_was_not_listed_survives_though_an_older_list_has_the_same_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let prefix = format!("{}/", dir.path().display());
        let path = dir.path().join("runs");
        let mut roster = Roster::new(path.clone(), false);
        roster.enter(run(1, "web.1", std::process::id()));
        roster.flush().unwrap();
        let main = Guarded::run(&format!("{prefix}7/1"), "web.1");
        let found = survivors(&path, &prefix, &no_one());
        assert_eq!(found.runs.iter().map(|run| run.pid).collect::<Vec<_>>(), [main.0.id()]);
        assert_eq!(found.alive, BTreeSet::from([ganger_keeper::RunId(1)]));
    }

    #[test]
    fn who_ended_is_told_only_to_a_ledger_that_expects_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs");
        let mut main = Guarded::run("no/such/app/1", "web.1");
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", main.0.id())).unwrap();
        let started = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().parse().unwrap();
        let mut roster = Roster::new(path.clone(), false);
        roster.enter(HandedRun { started, ..run(1, "web.1", main.0.id()) });
        roster.flush().unwrap();
        let watched = ganger_keeper::watch(main.0.id(), started).unwrap();
        main.0.kill().unwrap();
        // It has ended, and waits to be reaped.
        rustix::event::poll(&mut [rustix::event::PollFd::new(&watched, rustix::event::PollFlags::IN)], None)
            .unwrap();
        assert!(survivors(&path, "no/such/app/", &no_one()).runs.is_empty());
        let expects = BTreeMap::from([(RunId(1), WorkerName::new("web", 1))]);
        let found = survivors(&path, "no/such/app/", &expects);
        assert!(found.runs.len() == 1 && found.alive.is_empty(), "{found:?}");
    }

    #[test]
    fn nobody_who_is_gone_survives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs");
        let mut roster = Roster::new(path.clone(), false);
        roster.enter(run(1, "web.1", std::process::id()));
        roster.flush().unwrap();
        // This process has the number, but not the start.
        let found = survivors(&path, "no/such/app/", &no_one());
        assert!(found.runs.is_empty() && found.alive.is_empty(), "{found:?}");
    }
}
