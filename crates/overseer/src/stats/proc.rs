//! What the kernel tells of one process in `/proc`.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

use ganger_api::UsageInfo;

/// Clock ticks a second in `/proc/PID/stat`: fixed for user space on Linux.
const TICKS_PER_SECOND: u64 = 100;
/// So much of an environment is looked at.
const ENVIRON_MAX: u64 = 1 << 20;

/// The fields of `/proc/PID/stat` after the name, which may hold spaces and brackets itself.
struct Stat(String);

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Self(stat.rsplit_once(')')?.1.to_owned()))
    }

    /// One of them; `/proc`'s own count begins two earlier, and at 1.
    fn field<T: std::str::FromStr>(&self, index: usize) -> Option<T> {
        self.0.split_ascii_whitespace().nth(index)?.parse().ok()
    }

    fn cpu_ms(&self) -> u64 {
        // In its own code and in the kernel, then the same of the children that it waited for.
        let ticks = self.0.split_ascii_whitespace().skip(11).take(4);
        ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 1000 / TICKS_PER_SECOND
    }
}

/// The parent of a process.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    Stat::of(pid)?.field(1)
}

/// The process group and the session of a process.
pub(crate) fn group_and_session(pid: u32) -> Option<(u32, u32)> {
    let stat = Stat::of(pid)?;
    Some((stat.field(2)?, stat.field(3)?))
}

/// When a process started, in clock ticks since the machine booted.
pub(crate) fn started(pid: u32) -> Option<u64> {
    Stat::of(pid)?.field(19)
}

/// The children of all threads of a process.
pub(super) fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| {
            list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
        })
        .collect()
}

/// The value of a variable in the environment that a process was started with.
pub(super) fn variable(pid: u32, name: &str) -> Option<String> {
    let mut environ = Vec::new();
    fs::File::open(format!("/proc/{pid}/environ")).ok()?.take(ENVIRON_MAX).read_to_end(&mut environ).ok()?;
    let mut entries = environ.split(|byte| *byte == 0);
    let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    String::from_utf8(value.to_vec()).ok()
}

/// What a process uses; none if it is gone. What the kernel does not let us see of it is left out, and it is counted
/// as hidden.
pub(super) fn usage(pid: u32) -> Option<UsageInfo> {
    let stat = Stat::of(pid)?;
    let mut usage = UsageInfo {
        processes: 1,
        threads: stat.field(17).unwrap_or(0),
        cpu_ms: stat.cpu_ms(),
        ..UsageInfo::default()
    };
    let directory = format!("/proc/{pid}");
    let directory = Path::new(&directory);
    let mut hidden = false;
    let mut seen = |found: std::io::Result<u64>| {
        // What ended meanwhile uses nothing; what may not be looked into uses something.
        hidden |= found.as_ref().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
        found.unwrap_or(0)
    };
    usage.memory_bytes = seen(pss_bytes(directory));
    usage.descriptors = seen(descriptors(directory));
    match fs::read_to_string(directory.join("io")) {
        Ok(io) => {
            usage.read_bytes = number_after(&io, "read_bytes:").unwrap_or(0);
            usage.written_bytes = number_after(&io, "write_bytes:").unwrap_or(0);
        }
        Err(error) => {
            seen(Err(error));
        }
    }
    usage.hidden = u32::from(hidden);
    Some(usage)
}

fn pss_bytes(directory: &Path) -> std::io::Result<u64> {
    let rollup = fs::read_to_string(directory.join("smaps_rollup"))?;
    Ok(number_after(&rollup, "Pss:").unwrap_or(0) * 1024)
}

/// How many descriptors are open. Newer kernels tell it as the directory's size.
fn descriptors(directory: &Path) -> std::io::Result<u64> {
    let list = directory.join("fd");
    match fs::metadata(&list)?.len() {
        0 => Ok(fs::read_dir(&list)?.count() as u64),
        count => Ok(count),
    }
}

/// The number in the line that begins with this word.
pub(super) fn number_after(text: &str, word: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(word))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_is_seen_and_a_dead_one_is_not() {
        let usage = usage(std::process::id()).unwrap();
        assert!(usage.memory_bytes > 100 * 1024 && usage.descriptors > 2 && usage.threads > 0, "{usage:?}");
        assert_eq!((usage.processes, usage.hidden), (1, 0));
        assert!(super::usage(u32::MAX).is_none());
    }

    #[test]
    fn the_line_of_a_word_is_the_one_that_begins_with_it() {
        let io = "rchar: 7\nread_bytes: 4096\ncancelled_write_bytes: 5\nwrite_bytes: 12\n";
        assert_eq!(number_after(io, "write_bytes:"), Some(12));
        assert_eq!(number_after(io, "read_bytes:"), Some(4096));
        assert_eq!(number_after(io, "Pss:"), None);
    }
}
