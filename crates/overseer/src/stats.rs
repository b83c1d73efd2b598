//! What the runs use, read from `/proc` and their cgroups only when somebody asks: nothing is sampled by a timer.
//!
//! A run is its whole tree. In a cgroup its members are known; elsewhere they are the main process with all below it
//! and those orphans, children of the keeper by now, that share its session or group or carry its tag. Thousands of
//! runs take a while to read, so a look has a thread of its own, one at a time: neither the engine nor other clients
//! wait for it.

mod proc;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ganger_api::{GroupUsageInfo, UsageInfo, WorkerInfo};
use ganger_core::Instant;
use ganger_keeper::{RunCgroups, TAG_VARIABLE};
use tokio::sync::{Mutex, oneshot};

use crate::clock;

pub(crate) use proc::{group_and_session, parent, started};

/// A tree with more processes than this is summed up to here.
const TREE_MAX: usize = 4096;

/// A look that was longer ago says nothing about now.
const SAMPLE_AGE_MAX: Duration = Duration::from_mins(1);
/// Over less than this, clock ticks are too coarse for a share.
const SAMPLE_AGE_MIN: Duration = Duration::from_millis(500);

/// Remembers the CPU time of each run, so that the next look tells the share since this one.
#[derive(Debug)]
pub(crate) struct Sampler {
    /// How the tags of the app's runs begin.
    prefix: String,
    /// Held over a look.
    seen: Arc<Mutex<Seen>>,
}

type Seen = BTreeMap<u64, Sample>;

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    cpu_ms: u64,
    percent: Option<f64>,
}

/// A run to look at.
#[derive(Clone, Copy, Debug)]
struct Subject {
    pid: u32,
    run: u64,
    uptime_ms: u64,
}

impl Subject {
    fn of(worker: &WorkerInfo) -> Option<Self> {
        Some(Self { pid: worker.pid?, run: worker.run?, uptime_ms: worker.uptime_ms.unwrap_or(0) })
    }
}

impl Sampler {
    /// One for the runs of this app.
    pub(crate) fn new(app: &str) -> Self {
        Self { prefix: format!("{app}/"), seen: Arc::default() }
    }

    /// Adds to each worker what its run uses. The share of a CPU is that since the last look, if it was not long ago,
    /// and else that of the run's whole life. Where no thread can be had, nothing is added.
    pub(crate) async fn measure(&self, workers: &mut [WorkerInfo]) {
        let subjects: Vec<Subject> = workers.iter().filter_map(Subject::of).collect();
        let mut seen = self.seen.clone().lock_owned().await;
        let (sender, receiver) = oneshot::channel();
        let prefix = self.prefix.clone();
        let look = move || {
            // A client that has gone away gets no answer.
            let _ = sender.send(look(&subjects, &prefix, &mut seen));
        };
        if std::thread::Builder::new().name("stats".to_owned()).spawn(look).is_err() {
            return;
        }
        let mut used = receiver.await.unwrap_or_default();
        for worker in workers {
            worker.usage = worker.run.and_then(|run| used.remove(&run));
        }
    }
}

/// What each group's runs use together, in the order of the workers.
pub(crate) fn by_group(workers: &[WorkerInfo]) -> Vec<GroupUsageInfo> {
    let mut groups: Vec<GroupUsageInfo> = Vec::new();
    for worker in workers {
        let Some(usage) = &worker.usage else { continue };
        match groups.iter_mut().find(|group| group.name == worker.group) {
            Some(group) => {
                group.runs += 1;
                group.usage.add(usage);
            }
            None => {
                groups.push(GroupUsageInfo { name: worker.group.clone(), runs: 1, usage: usage.clone() });
            }
        }
    }
    groups
}

fn look(subjects: &[Subject], prefix: &str, seen: &mut Seen) -> HashMap<u64, UsageInfo> {
    let now = clock::now();
    seen.retain(|_, sample| now.since(sample.at) < SAMPLE_AGE_MAX);
    let cgroups = RunCgroups::read();
    let orphans = orphans(subjects, prefix);
    let no_orphans = Vec::new();
    let measured = subjects.iter().map(|subject| {
        let mut usage = match cgroups.of(subject.pid) {
            Some(cgroup) => of_cgroup(&cgroup),
            None => sum(with_descendants(subject.pid, orphans.get(&subject.run).unwrap_or(&no_orphans))),
        };
        usage.cpu_percent = share(subject, usage.cpu_ms, now, seen);
        (subject.run, usage)
    });
    measured.collect()
}

/// The share of a CPU in percent, to one decimal, since the last look that is neither too young nor too old.
fn share(subject: &Subject, cpu_ms: u64, now: Instant, seen: &mut Seen) -> Option<f64> {
    let percent = match seen.get(&subject.run) {
        Some(sample) if now.since(sample.at) < SAMPLE_AGE_MIN => return sample.percent,
        Some(sample) => percent(cpu_ms.saturating_sub(sample.cpu_ms), now.since(sample.at).as_millis()),
        None => percent(cpu_ms, u128::from(subject.uptime_ms)),
    };
    seen.insert(subject.run, Sample { at: now, cpu_ms, percent });
    percent
}

fn percent(part_ms: u64, whole_ms: u128) -> Option<f64> {
    let permille = (u128::from(part_ms) * 1000).checked_div(whole_ms)?;
    u32::try_from(permille).ok().map(|permille| f64::from(permille) / 10.0)
}

/// The orphans of each run: children of the keeper that are not the main process of one that is looked at. The main
/// process of another run is sorted to that, where nobody asks for it.
fn orphans(subjects: &[Subject], prefix: &str) -> HashMap<u64, Vec<u32>> {
    let mut found: HashMap<u64, Vec<u32>> = HashMap::new();
    let Some(keeper) = rustix::process::getppid() else { return found };
    let mains: HashMap<u32, u64> = subjects.iter().map(|subject| (subject.pid, subject.run)).collect();
    for child in proc::children(keeper.as_raw_nonzero().get().unsigned_abs()) {
        if child == std::process::id() || mains.contains_key(&child) {
            continue;
        }
        let Some((group, session)) = proc::group_and_session(child) else { continue };
        let tag = || proc::variable(child, TAG_VARIABLE);
        let tagged = || tag()?.strip_prefix(prefix)?.rsplit('/').next()?.parse().ok();
        let run = mains.get(&session).or_else(|| mains.get(&group)).copied();
        if let Some(run) = run.or_else(tagged) {
            found.entry(run).or_default().push(child);
        }
    }
    found
}

/// A process, these others, and all below them.
fn with_descendants(pid: u32, others: &[u32]) -> HashSet<u32> {
    let mut todo: Vec<u32> = others.iter().copied().chain([pid]).collect();
    let mut found = HashSet::new();
    while let Some(pid) = todo.pop() {
        if found.len() == TREE_MAX {
            break;
        }
        if found.insert(pid) {
            todo.extend(proc::children(pid));
        }
    }
    found
}

fn sum(pids: impl IntoIterator<Item = u32>) -> UsageInfo {
    let mut sum = UsageInfo::default();
    for usage in pids.into_iter().filter_map(proc::usage) {
        sum.add(&usage);
    }
    sum
}

/// What the members of a cgroup use, and what the kernel counts for it: CPU time with that of the dead, and all memory
/// that it is charged for where it has the memory controller.
fn of_cgroup(cgroup: &Path) -> UsageInfo {
    let mut usage = sum(RunCgroups::members(cgroup).into_iter().take(TREE_MAX));
    if let Some(counted) = read(cgroup, "cpu.stat").and_then(|stat| proc::number_after(&stat, "usage_usec")) {
        usage.cpu_ms = counted / 1000;
    }
    usage.cgroup_memory_bytes = read(cgroup, "memory.current").and_then(|text| text.trim().parse().ok());
    usage
}

fn read(cgroup: &Path, name: &str) -> Option<String> {
    fs::read_to_string(cgroup.join(name)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(run: u64, uptime_ms: u64) -> Subject {
        Subject { pid: std::process::id(), run, uptime_ms }
    }

    #[test]
    fn the_share_is_that_since_the_last_look_and_first_that_of_the_whole_life() {
        let mut seen = Seen::new();
        let at = |millis| Instant(0).after(Duration::from_millis(millis));
        assert_eq!(share(&subject(1, 2000), 500, at(0), &mut seen), Some(25.0));
        assert_eq!(share(&subject(1, 2100), 600, at(100), &mut seen), Some(25.0), "too soon for another");
        assert_eq!(share(&subject(1, 3000), 1500, at(1000), &mut seen), Some(100.0));
        assert_eq!(
            share(&subject(1, 4000), 1200, at(2000), &mut seen),
            Some(0.0),
            "one that counted has ended"
        );
    }

    #[test]
    fn a_run_is_summed_up_with_what_is_below_it() {
        let me = std::process::id();
        let alone = sum(with_descendants(me, &[]));
        assert!(alone.processes >= 1 && alone.memory_bytes > 100 * 1024, "{alone:?}");
        assert_eq!(sum(with_descendants(u32::MAX, &[])), UsageInfo::default());
    }

    #[test]
    fn memory_of_cgroups_is_summed_only_where_all_have_it() {
        let with =
            |cgroup_memory_bytes| UsageInfo { processes: 1, cgroup_memory_bytes, ..UsageInfo::default() };
        let mut both = UsageInfo::default();
        both.add(&with(Some(5)));
        both.add(&with(Some(6)));
        assert_eq!((both.processes, both.cgroup_memory_bytes), (2, Some(11)));
        both.add(&with(None));
        assert_eq!(both.cgroup_memory_bytes, None);
    }
}
