//! What the processes of a run use, read from `/proc` only when somebody asks.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ganger_api::WorkerInfo;
use ganger_core::Instant;

use crate::clock;

/// A tree with more processes than this is summed up to here.
const TREE_MAX: usize = 4096;
/// Clock ticks a second in `/proc/PID/stat`: fixed for user space on Linux.
const TICKS_PER_SECOND: u64 = 100;

/// A look that was longer ago says nothing about now.
const SAMPLE_AGE_MAX: Duration = Duration::from_mins(1);
/// Over less than this, clock ticks are too coarse for a share.
const SAMPLE_AGE_MIN: Duration = Duration::from_millis(500);

/// What a tree of processes uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// CPU time so far, user and system, of the living and of those they waited for.
    pub(crate) cpu_ms: u64,
    /// Proportional set size: shared pages counted by their share.
    pub(crate) memory_bytes: u64,
}

/// Remembers the CPU time of each run, so that the next look tells the share since this one.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    seen: Mutex<BTreeMap<u64, Sample>>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    cpu_ms: u64,
}

impl Sampler {
    /// Adds to each worker what its processes use. The share of a CPU is that since the last look, if it was not
    /// long ago, and else that of the run's whole life.
    pub(crate) fn measure<'a>(&self, workers: impl Iterator<Item = &'a mut WorkerInfo>) {
        let now = clock::now();
        // A panic while it was held leaves at worst a sample out.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, sample| now.since(sample.at) < SAMPLE_AGE_MAX);
        for worker in workers {
            let (Some(pid), Some(run)) = (worker.pid, worker.run) else { continue };
            let usage = of_tree(pid);
            let before = seen.get(&run).filter(|sample| now.since(sample.at) >= SAMPLE_AGE_MIN).copied();
            let (used_ms, over_ms) = match before {
                Some(sample) => {
                    (usage.cpu_ms.saturating_sub(sample.cpu_ms), now.since(sample.at).as_millis())
                }
                None => (usage.cpu_ms, u128::from(worker.uptime_ms.unwrap_or(0))),
            };
            worker.cpu_ms = Some(usage.cpu_ms);
            worker.memory_bytes = Some(usage.memory_bytes);
            worker.cpu_percent = percent(used_ms, over_ms);
            if before.is_some() || !seen.contains_key(&run) {
                seen.insert(run, Sample { at: now, cpu_ms: usage.cpu_ms });
            }
        }
    }
}

/// A share in percent, to one decimal.
fn percent(part_ms: u64, whole_ms: u128) -> Option<f64> {
    let permille = (u128::from(part_ms) * 1000).checked_div(whole_ms)?;
    u32::try_from(permille).ok().map(|permille| f64::from(permille) / 10.0)
}

/// Sums up the tree below and with this process; zero if it is gone.
pub(crate) fn of_tree(pid: u32) -> Usage {
    let mut todo = vec![pid];
    let mut seen = 0;
    let mut sum = Usage::default();
    while let Some(pid) = todo.pop() {
        seen += 1;
        if seen > TREE_MAX {
            break;
        }
        sum.cpu_ms += cpu_ms(pid).unwrap_or(0);
        sum.memory_bytes += pss_bytes(pid).unwrap_or(0);
        todo.extend(children(pid));
    }
    sum
}

/// The parent of a process.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    stat_fields(pid)?.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// When a process started, in clock ticks since the machine booted.
pub(crate) fn started(pid: u32) -> Option<u64> {
    stat_fields(pid)?.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The fields of `/proc/PID/stat` after the name, which may hold spaces and brackets itself.
fn stat_fields(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.to_owned())
}

fn cpu_ms(pid: u32) -> Option<u64> {
    // utime, stime, cutime and cstime are the 12th to the 15th of them.
    let fields = stat_fields(pid)?;
    let ticks: u64 =
        fields.split_ascii_whitespace().skip(11).take(4).filter_map(|t| t.parse::<u64>().ok()).sum();
    Some(ticks * 1000 / TICKS_PER_SECOND)
}

fn pss_bytes(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
    line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The children of all threads of a process.
fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| {
            list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_memory_is_seen_and_a_dead_process_uses_nothing() {
        assert!(of_tree(std::process::id()).memory_bytes > 100 * 1024);
        assert_eq!(of_tree(u32::MAX), Usage::default());
    }
}
