//! Finding the runs of an app whose keeper is gone.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use crate::TAG_VARIABLE;
use crate::cgroup::Cgroups;
use crate::processes::{Snapshot, everybody, variable};

/// The main process of a run that has no keeper, or what is left of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// The tag of its run.
    pub tag: String,
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since the machine booted.
    pub started: u64,
    /// What the asked variable says in its environment.
    pub worker: Option<String>,
}

/// The live main processes of the runs whose tag begins with `prefix`, with what the variable `worker`
/// says in their environment: each leads the session that its keeper gave it.
pub fn survivors(prefix: &str, worker: &str) -> Vec<Survivor> {
    // A process of the run may lead a session too; the main one was there first.
    first_of_each_run(of_runs(prefix, worker, |process| process.session == process.pid))
}

/// The oldest live process of each such run whose tag is not among the `known`.
pub fn stragglers(prefix: &str, worker: &str, known: &BTreeSet<&str>) -> Vec<Survivor> {
    let mut found = first_of_each_run(of_runs(prefix, worker, |_| true));
    found.retain(|one| !known.contains(one.tag.as_str()));
    found
}

fn of_runs(prefix: &str, worker: &str, counts: impl Fn(&Snapshot) -> bool) -> Vec<Survivor> {
    let found = everybody().filter_map(|pid| {
        let process = Snapshot::of(pid).filter(|process| !process.is_dead() && counts(process))?;
        let tag =
            String::from_utf8(variable(pid, TAG_VARIABLE)?).ok().filter(|tag| tag.starts_with(prefix))?;
        let worker = variable(pid, worker).and_then(|name| String::from_utf8(name).ok());
        Some(Survivor { worker, tag, pid, started: process.started })
    });
    found.collect()
}

fn first_of_each_run(mut found: Vec<Survivor>) -> Vec<Survivor> {
    found.sort_by_key(|one| (one.started, one.pid));
    let mut tags = HashSet::new();
    found.retain(|one| tags.insert(one.tag.clone()));
    found
}

/// The directory of the cgroups of the keeper whose run this process is; none if there is none.
pub fn cgroups_of(pid: u32) -> Option<PathBuf> {
    Cgroups::root_of(pid)
}
