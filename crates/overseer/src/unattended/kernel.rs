//! What the kernel tells of who reads a terminal.
//!
//! Who has it in another mode than lines takes each key: an editor, a debugger with a line that can be edited, a shell. Else
//! somebody reads it if a thread of a process in its foreground sleeps in that call. Which call and of which descriptor may
//! be hidden from us (by Yama, where we are not root); where it sleeps is seen all the same, but a socket is waited for
//! in the same place. Then it counts only with what looks like a prompt.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use rustix::fs::makedev;
use rustix::pty::ptsname;
use rustix::termios::{LocalModes, tcgetattr, tcgetpgrp};

use crate::stats::group_and_session;

/// So many processes of a terminal's foreground are looked at.
const PROCESSES_MAX: usize = 64;
/// So many threads of each.
const THREADS_MAX: usize = 256;
/// Where in the kernel a reader sleeps, by its name there.
const SLEEPS: [&str; 2] = ["n_tty_read", "wait_woken"];
/// The calls that read (`read`, `readv`), by their numbers; none where these are not known.
const READS: &[u64] = if cfg!(target_arch = "x86_64") {
    &[0, 19]
} else if cfg!(any(target_arch = "aarch64", target_arch = "riscv64")) {
    &[63, 65]
} else {
    &[]
};
/// The major number of terminals that have a screen in some process.
const PSEUDO_TERMINALS: u32 = 136;
/// The name by which a process knows its own terminal.
const OWN_TERMINAL: (u32, u32) = (5, 0);

/// Whether somebody waits for what is typed at the terminal with this screen; `is_prompt` says that it shows a line that is
/// not whole.
pub(super) fn is_read(screen: &OwnedFd, is_prompt: bool) -> bool {
    let (Ok(modes), Ok(group)) = (tcgetattr(screen), tcgetpgrp(screen)) else { return false };
    if !modes.local_modes.contains(LocalModes::ICANON) {
        return true;
    }
    let Some(devices) = devices(screen) else { return false };
    let group = group.as_raw_nonzero().get().unsigned_abs();
    // Its first process is the one most often.
    reads(group, devices, is_prompt)
        || members(group).take(PROCESSES_MAX).any(|pid| reads(pid, devices, is_prompt))
}

/// The numbers of a terminal as a worker may have it.
fn devices(screen: &OwnedFd) -> Option<[u64; 2]> {
    let name = ptsname(screen, Vec::new()).ok()?;
    let number = name.to_str().ok()?.rsplit('/').next()?.parse().ok()?;
    Some([makedev(PSEUDO_TERMINALS, number), makedev(OWN_TERMINAL.0, OWN_TERMINAL.1)])
}

/// The processes of a group, but for its first one.
fn members(group: u32) -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(move |pid| *pid != group && group_and_session(*pid).is_some_and(|(its, _)| its == group))
}

/// Whether a thread of this process sleeps in a read of the terminal.
fn reads(pid: u32, devices: [u64; 2], is_prompt: bool) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let is_terminal = |descriptor: u64| {
        fs::metadata(format!("/proc/{pid}/fd/{descriptor}"))
            .is_ok_and(|found| devices.contains(&found.rdev()))
    };
    threads.take(THREADS_MAX).any(|thread| {
        let told = |what: &str| fs::read_to_string(thread.path().join(what)).ok();
        told("wchan").is_some_and(|place| is_reading(&place, || told("syscall"), is_terminal, is_prompt))
    })
}

/// Whether a thread that sleeps in this place of the kernel reads the terminal; its call is none where that is hidden.
fn is_reading(
    place: &str,
    call: impl FnOnce() -> Option<String>,
    is_terminal: impl Fn(u64) -> bool,
    is_prompt: bool,
) -> bool {
    let [sure, shared] = SLEEPS;
    if place != sure && place != shared {
        return false;
    }
    match call() {
        Some(call) => read_of(&call).is_some_and(is_terminal),
        None => is_terminal(0) && (place == sure || is_prompt),
    }
}

/// The descriptor that a call reads: its number and arguments are as `/proc/PID/syscall` has them.
fn read_of(call: &str) -> Option<u64> {
    let mut words = call.split_ascii_whitespace();
    let number: u64 = words.next()?.parse().ok()?;
    let first = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    (READS.is_empty() || READS.contains(&number)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::Read;

    use ganger_logs::{Size, Terminal, create_terminal};
    use rustix::termios::{OptionalActions, tcsetattr};

    #[test]
    fn a_call_that_reads_is_known_by_its_number_and_no_other_is() {
        let number = READS.first().copied().unwrap_or(0);
        assert_eq!(read_of(&format!("{number} 0x1f 0x7ffd 0x1 0x0 0x0 0x0 0x7ff 0x7f1")), Some(31));
        assert_eq!(read_of("running"), None);
        assert_eq!(read_of("999 0x1f 0x0"), if READS.is_empty() { Some(31) } else { None });
    }

    #[test]
    fn where_the_call_is_hidden_the_place_counts_and_with_a_prompt_one_that_sockets_share() {
        let stdin = |descriptor| descriptor == 0;
        for (place, is_prompt, is_read) in [
            ("n_tty_read", false, true),
            ("wait_woken", false, false),
            ("wait_woken", true, true),
            ("do_epoll_wait", true, false),
            ("0", true, false),
        ] {
            assert_eq!(is_reading(place, || None, stdin, is_prompt), is_read, "{place}, {is_prompt}");
        }
        assert!(!is_reading("n_tty_read", || None, |_| false, true), "it reads another terminal");
        assert!(!is_reading("wait_woken", || Some("running".to_owned()), stdin, true));
    }

    #[test]
    fn a_terminal_that_gives_keys_is_read_and_one_that_gives_lines_to_nobody_is_not() {
        let Terminal { screen, worker } = create_terminal(Size::default(), None).unwrap();
        assert!(!is_read(&screen, true), "nobody is in its foreground");
        let mut modes = tcgetattr(&worker).unwrap();
        modes.local_modes.remove(LocalModes::ICANON);
        tcsetattr(&worker, OptionalActions::Now, &modes).unwrap();
        assert!(!is_read(&screen, true), "nobody is in its foreground");
    }

    #[test]
    fn a_thread_that_sleeps_in_a_read_of_the_terminal_is_found_and_none_else() {
        let Terminal { screen, worker } = create_terminal(Size::default(), None).unwrap();
        let other = create_terminal(Size::default(), None).unwrap();
        let mut side = fs::File::from(worker);
        let reader = std::thread::spawn(move || side.read(&mut [0; 8]).unwrap());
        let pid = std::process::id();
        let [own, others] = [&screen, &other.screen].map(|screen| devices(screen).unwrap());
        // The thread comes there soon, and nobody tells when.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !reads(pid, own, false) && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert!(reads(pid, own, false));
        assert!(!reads(pid, others, false));
        rustix::io::write(&screen, b"typed\n").unwrap();
        assert_eq!(reader.join().unwrap(), 6);
        assert!(!reads(pid, own, false));
    }
}
