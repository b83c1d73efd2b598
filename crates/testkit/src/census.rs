//! Who is alive, as /proc tells it, and signals by pidfd.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::{Deadline, wait_readable};

/// A live process (not a zombie) that carries a sandbox's mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its PID.
    pub pid: i32,
    /// Its arguments, joined by spaces.
    pub command: String,
}

/// All live processes with `NAME=value` (`entry`) in the environment they were started with.
pub(crate) fn with_environment(entry: &str) -> Vec<Process> {
    let mut found = Vec::new();
    for pid in pids() {
        // A process of another user, or one that has just gone, is none of ours.
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes()) && is_alive(pid)
        {
            found.push(Process { pid, command: command_line(pid) });
        }
    }
    found
}

fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// The state letter and the parent of a process.
fn stat(pid: i32) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may itself contain both.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Whether `pid` is a process that still runs: a zombie does not.
pub fn is_alive(pid: i32) -> bool {
    stat(pid).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

/// The parent of `pid`, while `pid` is there.
pub fn parent_of(pid: i32) -> Option<i32> {
    stat(pid).map(|(_, parent)| parent)
}

/// The live children of `pid`.
pub fn children_of(pid: i32) -> Vec<i32> {
    pids().into_iter().filter(|child| parent_of(*child) == Some(pid) && is_alive(*child)).collect()
}

/// The arguments of `pid`, joined by spaces; empty when it is gone.
pub fn command_line(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end_matches('\0').replace('\0', " ")
}

fn pid_of(pid: i32) -> Pid {
    Pid::from_raw(pid).expect("a PID is above zero")
}

/// Sends `signal` to exactly `pid`; false when it is gone.
pub fn signal(pid: i32, signal: Signal) -> bool {
    match pidfd_open(pid_of(pid), PidfdFlags::empty()) {
        Ok(fd) => pidfd_send_signal(&fd, signal).is_ok(),
        Err(Errno::SRCH) => false,
        Err(error) => panic!("cannot open process {pid}: {error}"),
    }
}

/// Kills `pid` and waits until it is gone.
pub fn kill_nine(pid: i32, deadline: Deadline) {
    signal(pid, Signal::KILL);
    assert!(wait_gone(pid, deadline), "process {pid} was killed and does not go");
}

/// Blocks until `pid` has exited; false when the deadline passed first.
pub fn wait_gone(pid: i32, deadline: Deadline) -> bool {
    match pidfd_open(pid_of(pid), PidfdFlags::empty()) {
        Ok(fd) => wait_readable(&fd, deadline),
        Err(Errno::SRCH) => true,
        Err(error) => panic!("cannot open process {pid}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::Duration;

    #[test]
    fn a_process_is_found_by_its_environment_until_it_is_killed() {
        let mark = format!("GANGER_TEST=census-{}", std::process::id());
        let (name, value) = mark.split_once('=').expect("a pair");
        let mut child =
            Command::new("tail").args(["-f", "/dev/null"]).env(name, value).spawn().expect("tail");
        let pid = i32::try_from(child.id()).expect("a PID");
        assert_eq!(parent_of(pid), i32::try_from(std::process::id()).ok());
        assert!(children_of(parent_of(pid).expect("a parent")).contains(&pid));
        assert!(!wait_gone(pid, Deadline::after(Duration::ZERO)));
        let mut found = Vec::new();
        // Between fork and exec the environment is still that of the test.
        while found.is_empty() {
            found = with_environment(&mark);
        }
        assert_eq!(found[0].pid, pid);
        kill_nine(pid, Deadline::generous());
        assert_eq!(with_environment(&mark), []);
        assert!(!is_alive(pid), "a zombie counts as gone");
        child.wait().expect("reaped");
        assert!(!signal(pid, Signal::TERM));
    }
}
