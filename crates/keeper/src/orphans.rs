//! What a killed keeper leaves behind: runs that nobody holds any more. They are known by the variable that marks
//! every process of a run, and as the descendants of those.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::processes::{Snapshot, everybody, variable, with_descendants};
use crate::{Process, TAG_VARIABLE};

/// How long killed processes may take to be gone before they are left behind, stuck in the kernel.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// So many descriptors are used at once to wait.
const WAITED_FOR_MAX: usize = 64;

/// Ends every process of the runs whose tag begins with `prefix`, which lost their keeper. Each gets the signal that
/// `signal` tells for its tag; what is left after `patience` is killed, and named.
pub fn end_orphans(prefix: &str, signal: impl Fn(&str) -> i32, patience: Duration) -> Vec<Process> {
    let until = Instant::now() + patience;
    for (tag, root) in tagged(prefix) {
        for process in with_descendants([root.pid]) {
            // One that has ended meanwhile is what is wanted; one that is stopped could not act on it.
            let _ = process.signal(signal(&tag));
            if process.is_stopped() {
                let _ = process.signal(libc::SIGCONT);
            }
        }
    }
    wait_for_all(prefix, until);
    let mut hit = HashSet::new();
    let mut killed = Vec::new();
    let until = Instant::now() + GONE_WITHIN;
    // A process may have made others since it was seen: as long as some are left, they are killed.
    loop {
        let left = with_descendants(tagged(prefix).into_iter().map(|(_, process)| process.pid));
        if left.is_empty() || Instant::now() >= until {
            return killed;
        }
        for process in &left {
            let _ = process.signal(libc::SIGKILL);
            if hit.insert(process.identity()) {
                killed.push(Process::from(process));
            }
        }
        wait_for(&left, until);
    }
}

/// The live processes whose tag begins so, with their tags.
fn tagged(prefix: &str) -> Vec<(String, Snapshot)> {
    let with_tag = |pid: u32| {
        let tag = String::from_utf8(variable(pid, TAG_VARIABLE)?).ok()?;
        let process = Snapshot::of(pid).filter(|process| !process.is_dead())?;
        tag.starts_with(prefix).then_some((tag, process))
    };
    everybody().filter_map(with_tag).collect()
}

fn wait_for_all(prefix: &str, until: Instant) {
    while Instant::now() < until {
        let left: Vec<_> = tagged(prefix).into_iter().map(|(_, process)| process).collect();
        if left.is_empty() {
            return;
        }
        wait_for(&left, until);
    }
}

/// Waits until the first few of these have ended, at most until then.
fn wait_for(processes: &[Snapshot], until: Instant) {
    let ended = |process: &Snapshot| {
        let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw)?;
        pidfd_open(pid, PidfdFlags::empty()).ok()
    };
    let descriptors: Vec<OwnedFd> = processes.iter().take(WAITED_FOR_MAX).filter_map(ended).collect();
    for descriptor in &descriptors {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok();
        // An interrupted wait is taken up again by whoever looks for what is left.
        let _ = poll(&mut [PollFd::new(descriptor, PollFlags::IN)], timeout.as_ref());
    }
}
