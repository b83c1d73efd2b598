//! Processes as `/proc` shows them.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};

use rustix::param::clock_ticks_per_second;
use rustix::time::{ClockId, clock_gettime};

use crate::protocol::Process;
use crate::sys::signals;

/// Longer than what the kernel says of a process: 52 numbers and a name.
const STAT_MAX: usize = 2048;
/// The most of a process's environment that is searched.
const ENVIRON_MAX: u64 = 1 << 20;

/// The flag of the kernel's own threads.
const KERNEL_THREAD: u64 = 0x0020_0000;

const NANOSECONDS: u64 = 1_000_000_000;

/// How often a process is looked at that is just about to execute a program, which takes it well below a millisecond.
const LOOKS_MAX: u32 = 10_000;

/// A process at one moment. Number and start together are never used twice.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) pid: u32,
    pub(crate) name: String,
    pub(crate) state: u8,
    pub(crate) group: u32,
    pub(crate) session: u32,
    pub(crate) parent: u32,
    /// Clock ticks since the machine booted.
    pub(crate) started: u64,
    /// Whether it is a part of the kernel, without a program.
    pub(crate) is_kernels: bool,
}

impl Snapshot {
    /// This process now; none if there is no such process any more.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let mut stat = [0; STAT_MAX];
        // The kernel gives it in one piece.
        let length = fs::File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut stat).ok()?;
        parse(pid, &String::from_utf8_lossy(&stat[..length]))
    }

    /// What tells it from any other process that ever was.
    pub(crate) fn identity(&self) -> (u32, u64) {
        (self.pid, self.started)
    }

    /// Whether it has ended and only waits to be reaped.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// Whether it was stopped, so that it cannot act on a signal.
    pub(crate) fn is_stopped(&self) -> bool {
        self.state == b'T'
    }

    /// Sends it a signal, if it still is the same process.
    pub(crate) fn signal(&self, signal: i32) -> Result<(), rustix::io::Errno> {
        let same = Self::of(self.pid).is_some_and(|now| now.identity() == self.identity());
        if same { signals::send(self.pid, signal) } else { Err(rustix::io::Errno::SRCH) }
    }
}

impl From<&Snapshot> for Process {
    fn from(snapshot: &Snapshot) -> Self {
        Self { pid: snapshot.pid, name: snapshot.name.clone() }
    }
}

/// Clock ticks since the machine booted, as [`Snapshot::started`] counts them.
pub(crate) fn ticks() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    let nanoseconds = number(now.tv_sec) * NANOSECONDS + number(now.tv_nsec);
    nanoseconds / (NANOSECONDS / clock_ticks_per_second())
}

/// When a process started that was made since `tick`. Within that tick there is nothing to look up.
pub(crate) fn started_since(tick: u64, pid: u32) -> u64 {
    if ticks() == tick { tick } else { Snapshot::of(pid).map_or(0, |process| process.started) }
}

fn parse(pid: u32, stat: &str) -> Option<Snapshot> {
    // The name may hold anything, parentheses and spaces too: what follows its last `)` is numbers.
    let (start, rest) = stat.rsplit_once(") ")?;
    let name = start.split_once(" (")?.1.to_owned();
    let number = |index: usize| rest.split(' ').nth(index)?.parse::<u64>().ok();
    let small = |index: usize| number(index).and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
    Some(Snapshot {
        pid,
        name,
        state: *rest.as_bytes().first()?,
        parent: small(1),
        group: small(2),
        session: small(3),
        started: number(19)?,
        is_kernels: number(6).is_some_and(|flags| flags & KERNEL_THREAD != 0),
    })
}

/// Every process that there is.
pub(crate) fn everybody() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A process, and its status as the kernel has it: a zero while it lives, or where that is not for us to see.
pub(crate) fn unreaped(pid: u32) -> Option<(Snapshot, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = stat.trim_end().rsplit(' ').next()?.parse().ok()?;
    Some((parse(pid, &stat)?, status))
}

/// The users whose rights a process has: real, effective, saved, for files.
pub(crate) fn users(pid: u32) -> Option<Vec<u32>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().map(|user| user.parse().ok()).collect()
}

/// The children of a process, of all its threads.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let mut children = Vec::new();
    for task in tasks.flatten() {
        match fs::read_to_string(task.path().join("children")) {
            Ok(list) => {
                children.extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && task.path().exists() => {
                return children_by_search(pid);
            }
            Err(_) => {}
        }
    }
    children
}

/// The same where the kernel keeps no such list: every process is asked for its parent.
fn children_by_search(parent: u32) -> Vec<u32> {
    everybody().filter(|pid| Snapshot::of(*pid).is_some_and(|process| process.parent == parent)).collect()
}

/// These processes and all below them that live, parents first.
pub(crate) fn with_descendants(roots: impl IntoIterator<Item = u32>) -> Vec<Snapshot> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut open: Vec<u32> = roots.into_iter().collect();
    while let Some(pid) = open.pop() {
        if !seen.insert(pid) {
            continue;
        }
        open.extend(children(pid));
        found.extend(Snapshot::of(pid).filter(|process| !process.is_dead()));
    }
    found
}

/// The entry of this name in the environment that a process was started with.
pub(crate) fn variable(pid: u32, name: &str) -> Option<Vec<u8>> {
    let environ = environment(pid);
    let mut entries = environ.split(|byte| *byte == 0);
    entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")).map(<[u8]>::to_vec)
}

/// Between two programs a process has neither an environment nor arguments, whatever they were and will be, and the
/// kernel tells nobody when that is over. So an empty environment is only believed once there are arguments too.
fn environment(pid: u32) -> Vec<u8> {
    let mut begun = false;
    for _ in 0..LOOKS_MAX {
        let environ = read_some(pid, "environ");
        let never_has_one = |process: Snapshot| process.is_dead() || process.is_kernels;
        if begun || !environ.is_empty() || Snapshot::of(pid).is_none_or(never_has_one) {
            return environ;
        }
        begun = !read_some(pid, "cmdline").is_empty();
        std::thread::yield_now();
    }
    Vec::new()
}

fn read_some(pid: u32, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What cannot be read, as of a process that is gone, is as good as empty.
    let _ = fs::File::open(format!("/proc/{pid}/{name}"))
        .and_then(|file| file.take(ENVIRON_MAX).read_to_end(&mut bytes));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_parentheses_does_not_shift_the_fields() {
        let fields = "S 7 8 9 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 100";
        let process = parse(5, &format!("5 (a) (b ) c) {fields}")).unwrap();
        assert_eq!(process.name, "a) (b ) c");
        assert_eq!((process.parent, process.group, process.session), (7, 8, 9));
        assert_eq!((process.state, process.started), (b'S', 4711));
    }

    #[test]
    fn a_torn_line_is_no_process() {
        assert!(parse(5, "5 (a").is_none());
        assert!(parse(5, "5 (a) S 1 2").is_none());
    }

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let path = std::env::var("PATH").unwrap();
        let me = std::process::id();
        assert_eq!(variable(me, "PATH"), Some(path.into_bytes()));
        assert_eq!(variable(me, "PAT"), None);
        assert_eq!(variable(u32::MAX, "PATH"), None);
    }

    #[test]
    fn the_clock_of_starts_is_that_of_the_kernel() {
        let mut command = std::process::Command::new("true");
        let before = ticks();
        let mut child = command.spawn().unwrap();
        let (started, after) = (Snapshot::of(child.id()).unwrap().started, ticks());
        child.wait().unwrap();
        assert!((before..=after).contains(&started), "{started} is not between {before} and {after}");
    }

    #[test]
    fn a_thread_of_the_kernel_is_told_from_a_process() {
        let fields = "S 2 0 0 0 -1 2129984 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 100";
        assert!(parse(5, &format!("5 (kthread) {fields}")).unwrap().is_kernels);
        assert!(!Snapshot::of(std::process::id()).unwrap().is_kernels);
    }

    #[test]
    fn this_process_is_a_child_of_its_parent() {
        let me = Snapshot::of(std::process::id()).unwrap();
        assert!(children(me.parent).contains(&me.pid));
        assert!(children_by_search(me.parent).contains(&me.pid));
    }
}
