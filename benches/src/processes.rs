//! What processes cost, as /proc tells it.

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// So long a measure waits for anything before it gives up.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// The load of the last minute.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

/// Live children of `pid`.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// The program that `pid` runs.
pub(crate) fn program(pid: i32) -> Option<std::path::PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// A process and those of its children that run the same program: for ganger the keeper and the overseer.
pub(crate) fn managers(pid: i32) -> Vec<i32> {
    let own = program(pid);
    let same = |pid: &i32| program(*pid) == own;
    [pid].into_iter().chain(children(pid).into_iter().filter(same)).collect()
}

/// Waits for the end of a manager that was asked to; if it does not come, it is killed with its workers.
pub(crate) fn end(manager: &mut Child) {
    let pid = i32::try_from(manager.id()).unwrap_or(i32::MAX);
    if !wait_gone(&[pid], PATIENCE) {
        let workers = children(pid);
        let _ = manager.kill();
        for pid in workers.into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    let _ = manager.wait();
}

/// How often the threads of `pids` went to sleep and woke, since they began.
pub(crate) fn wake_ups(pids: &[i32]) -> u64 {
    of_threads(pids, "status").map(|status| field(&status, "voluntary_ctxt_switches:")).sum()
}

/// How long the threads of `pids` have had a CPU, in nanoseconds.
pub(crate) fn cpu(pids: &[i32]) -> u64 {
    let run = |text: String| text.split(' ').next().and_then(|word| word.parse::<u64>().ok());
    of_threads(pids, "schedstat").filter_map(run).sum()
}

/// What a file of /proc says of each thread of `pids`.
fn of_threads(pids: &[i32], name: &str) -> impl Iterator<Item = String> {
    let threads = pids.iter().flat_map(|pid| {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        tasks.map(|task| task.path()).collect::<Vec<_>>()
    });
    threads.map(move |thread| fs::read_to_string(thread.join(name)).unwrap_or_default())
}

/// The memory of `pids` in KiB: shared pages by their share (PSS), and all that is resident (RSS).
pub(crate) fn memory(pids: &[i32]) -> (u64, u64) {
    let texts =
        pids.iter().map(|pid| fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default());
    texts
        .map(|text| (field(&text, "Pss:"), field(&text, "Rss:")))
        .fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Waits until all of `pids` have exited; false when that takes longer than `limit`.
pub(crate) fn wait_gone(pids: &[i32], limit: Duration) -> bool {
    let end = Instant::now() + limit;
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(left) = Timespec::try_from(left) else { return false };
            match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&left)) {
                Ok(0) => return false,
                Ok(_) => break,
                Err(_) => {}
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_at_the_start_of_its_line_only() {
        let text = "nonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t42\n";
        assert_eq!(field(text, "voluntary_ctxt_switches:"), 42);
        assert_eq!(field(text, "Pss:"), 0);
    }

    #[test]
    fn this_process_has_memory_and_has_run() {
        let own = i32::try_from(std::process::id()).expect("a PID");
        let (pss, rss) = memory(&[own]);
        assert!(pss > 0 && rss >= pss);
        assert!(cpu(&[own]) > 0);
    }
}
