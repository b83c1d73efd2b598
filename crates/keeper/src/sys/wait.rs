//! Reaping: one loop over all children, never a wait for one.

use std::mem::MaybeUninit;
use std::ptr;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::protocol::{Exit, Usage};

/// A child that ended.
pub(crate) struct Ended {
    pub(crate) pid: u32,
    pub(crate) exit: Exit,
    pub(crate) usage: Usage,
}

/// What a look at the children gave.
pub(crate) enum Reaped {
    /// This one ended; there may be more.
    Ended(Ended),
    /// Some live, none ended since the last look.
    NoneYet,
    /// There are no children at all.
    NoChildren,
}

/// Takes the next child that ended, if there is one. Never blocks.
pub(crate) fn reap() -> Reaped {
    loop {
        let mut status = 0;
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: both point to memory of the right type; the kernel fills them in or leaves them as they are.
        let pid = unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG, usage.as_mut_ptr()) };
        // SAFETY: all zeroes is a valid rusage, and so is what the kernel wrote.
        let usage = unsafe { usage.assume_init() };
        match u32::try_from(pid) {
            Ok(0) => return Reaped::NoneYet,
            Ok(pid) => return Reaped::Ended(Ended { pid, exit: exit(status), usage: used(&usage) }),
            Err(_) if super::signals::last_errno() == rustix::io::Errno::INTR => {}
            Err(_) => return Reaped::NoChildren,
        }
    }
}

/// Whether this child is stopped, so that it cannot act on a signal.
pub(crate) fn is_stopped(pid: u32) -> bool {
    let child = i32::try_from(pid).ok().and_then(Pid::from_raw).map(WaitId::Pid);
    let look = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    child.is_some_and(|child| matches!(waitid(child, look), Ok(Some(_))))
}

/// Whether a child was stopped by a signal or goes on, if either happened since this was last asked. Never blocks, and
/// leaves its end to [`reap`].
pub(crate) fn halted(pid: u32) -> Option<bool> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
    let options = WaitIdOptions::STOPPED | WaitIdOptions::CONTINUED | WaitIdOptions::NOHANG;
    waitid(WaitId::Pid(pid), options).ok().flatten().map(|status| status.stopped())
}

/// Waits until this child ended. For a child whose end is certain and near, or for a process that has nothing else
/// to do.
pub(crate) fn wait_for(pid: u32) -> Option<Exit> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    loop {
        let mut status = 0;
        // SAFETY: the status points to an integer; no usage is asked for.
        let ended = unsafe { libc::wait4(pid, &raw mut status, 0, ptr::null_mut()) };
        if ended == pid {
            return Some(exit(status));
        }
        if super::signals::last_errno() != rustix::io::Errno::INTR {
            return None;
        }
    }
}

/// A status as the kernel has it.
pub(crate) fn exit(status: i32) -> Exit {
    if libc::WIFSIGNALED(status) {
        Exit::Signal(libc::WTERMSIG(status))
    } else {
        Exit::Code(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX))
    }
}

fn used(usage: &libc::rusage) -> Usage {
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    let micros = |time: libc::timeval| number(time.tv_sec) * 1_000_000 + number(time.tv_usec);
    Usage {
        user_us: micros(usage.ru_utime),
        system_us: micros(usage.ru_stime),
        max_rss_kib: number(usage.ru_maxrss),
    }
}
