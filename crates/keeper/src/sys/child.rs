//! What a child does between clone and exec. Its memory is its parent's: it allocates nothing, locks nothing and
//! only makes system calls. The order matters: limits and cgroup while it still has the rights, the directory once
//! it is the user who must be able to enter it.

use std::ffi::c_void;
use std::os::fd::RawFd;
use std::ptr;

use rustix::io::Errno;

use super::signals::{self, last_errno};
use super::spawn::{KernelLimit, Session};
use crate::protocol::{Ids, Step};

/// The step that failed, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) errno: Errno,
}

/// All that a child needs, and the place for its report.
pub(super) struct Child<'a> {
    /// Files to try, ended by a null, as are the other arrays.
    pub(super) candidates: &'a [*const libc::c_char],
    pub(super) argv: &'a [*const libc::c_char],
    pub(super) shell: *const libc::c_char,
    /// The second is put in here.
    pub(super) shell_argv: &'a mut [*const libc::c_char],
    pub(super) env: &'a [*const libc::c_char],
    pub(super) dir: *const libc::c_char,
    pub(super) ids: Option<&'a Ids>,
    pub(super) umask: Option<u32>,
    pub(super) limits: &'a [KernelLimit],
    pub(super) session: Session,
    pub(super) stdio: Option<[RawFd; 3]>,
    pub(super) fourth: Option<RawFd>,
    pub(super) witnesses: RawFd,
    pub(super) inherit: bool,
    /// The directory of the cgroup to join, where the clone could not do that.
    pub(super) join: Option<RawFd>,
    /// Signals to be set back: few, and a child that sets back all of them is noticeably later.
    pub(super) changed: &'a [i32],
    pub(super) ignore: &'a [i32],
    /// What the child tells its parent.
    pub(super) failure: Option<Failure>,
}

/// The status of a child that never executed its program; nobody gets to see it.
const FAILED: i32 = 127;

/// Where a child begins.
pub(super) extern "C" fn main(argument: *mut c_void) -> i32 {
    // SAFETY: the parent passes a pointer to a `Child` and stands still until this process executes or ends.
    let child = unsafe { &mut *argument.cast::<Child<'_>>() };
    let failure = match child.prepare() {
        Ok(()) => child.execute(),
        Err(failure) => failure,
    };
    // Volatile: the parent reads it after a call that, for all the compiler knows, changed nothing.
    // SAFETY: the field is valid memory of this type, and the parent does not touch it now.
    unsafe { ptr::write_volatile(&raw mut child.failure, Some(failure)) };
    // SAFETY: ends this process without running anything that belongs to the parent.
    unsafe { libc::_exit(FAILED) }
}

/// Turns the result of a system call into one that can be passed on.
fn check(result: impl Into<i64>, step: Step) -> Result<(), Failure> {
    if result.into() < 0 { Err(Failure { step, errno: last_errno() }) } else { Ok(()) }
}

impl Child<'_> {
    fn prepare(&self) -> Result<(), Failure> {
        self.own_descriptors()?;
        signals::reset(self.changed);
        self.ignore.iter().for_each(|signal| signals::ignore(*signal));
        if self.session != Session::Ours {
            // SAFETY: takes nothing.
            check(unsafe { libc::setsid() }, Step::Session)?;
        }
        self.join_cgroup()?;
        for (resource, limit) in self.limits {
            // SAFETY: points to a whole limit.
            check(unsafe { libc::setrlimit(*resource, limit) }, Step::Limits)?;
        }
        self.streams()?;
        self.ids()?;
        if let Some(umask) = self.umask {
            // SAFETY: takes a number, cannot fail.
            unsafe { libc::umask(umask) };
        }
        // SAFETY: a string ended by a NUL.
        check(unsafe { libc::chdir(self.dir) }, Step::Directory)
    }

    /// Takes its own copy of the table of descriptors, which so far is its parent's, without all that lies above the
    /// last one it needs: a keeper of thousands of runs has as many open, and copying and closing them takes longer
    /// than all the rest.
    fn own_descriptors(&self) -> Result<(), Failure> {
        if self.inherit {
            // SAFETY: takes a number.
            return check(unsafe { libc::unshare(libc::CLONE_FILES) }, Step::Descriptors);
        }
        let needed = self.stdio.into_iter().flatten().chain(self.fourth).chain(self.join);
        let last = needed.fold(self.witnesses.max(libc::STDERR_FILENO), RawFd::max).cast_unsigned();
        let flags = libc::CLOSE_RANGE_UNSHARE;
        // SAFETY: takes numbers. It leaves the parent's table alone: it copies first, or fails.
        let copied = unsafe { libc::syscall(libc::SYS_close_range, last + 1, libc::c_uint::MAX, flags) } == 0;
        // SAFETY: takes a number.
        if copied { Ok(()) } else { check(unsafe { libc::unshare(libc::CLONE_FILES) }, Step::Descriptors) }
    }

    fn join_cgroup(&self) -> Result<(), Failure> {
        let Some(directory) = self.join else { return Ok(()) };
        // SAFETY: an open directory and a string ended by a NUL.
        let file =
            unsafe { libc::openat(directory, c"cgroup.procs".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
        check(file, Step::Cgroup)?;
        // SAFETY: one byte of a constant; "0" is the kernel's word for the writer itself.
        check(unsafe { libc::write(file, c"0".as_ptr().cast(), 1) } as i64, Step::Cgroup)
    }

    /// Puts descriptors 0 to 3 in their places, lets the terminal among them, if there is one, control the session, and
    /// marks all others to be closed by the exec. Those that are given
    /// are above 3 or already where they belong, except that 3 itself may be one: hence the order.
    fn streams(&self) -> Result<(), Failure> {
        for (place, descriptor) in (0..).zip(self.stdio.into_iter().flatten()) {
            // SAFETY: takes two numbers.
            check(unsafe { libc::dup2(descriptor, place) }, Step::Stdio)?;
        }
        if self.session == Session::OnTerminal {
            // SAFETY: takes numbers; the last is no pointer to this request.
            check(unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 0) }, Step::Terminal)?;
        }
        if let Some(descriptor) = self.fourth {
            // SAFETY: takes numbers. If it already is in its place, the flag to close it must go.
            let moved = unsafe {
                if descriptor == 3 { libc::fcntl(3, libc::F_SETFD, 0) } else { libc::dup2(descriptor, 3) }
            };
            check(moved, Step::Stdio)?;
        }
        if self.inherit {
            return Ok(());
        }
        let first: libc::c_uint = if self.fourth.is_some() { 4 } else { 3 };
        // Every descriptor of ours closes on exec by itself; this is for those that we were born with.
        // SAFETY: takes numbers; where the call is missing, nothing happens.
        unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        Ok(())
    }

    /// Becomes the user. The kernel's calls themselves: the C library's would try to tell its other threads, of
    /// which this process has none.
    fn ids(&self) -> Result<(), Failure> {
        let Some(ids) = self.ids else { return Ok(()) };
        // SAFETY: as many numbers as are said to be there.
        let groups = unsafe { libc::syscall(libc::SYS_setgroups, ids.groups.len(), ids.groups.as_ptr()) };
        check(groups, Step::Groups)?;
        // SAFETY: takes numbers.
        check(unsafe { libc::syscall(libc::SYS_setresgid, ids.gid, ids.gid, ids.gid) }, Step::Group)?;
        // SAFETY: takes numbers.
        check(unsafe { libc::syscall(libc::SYS_setresuid, ids.uid, ids.uid, ids.uid) }, Step::User)
    }

    /// Tries every candidate as a shell does: one that is not there is passed over, one that may not be executed
    /// is remembered as the better reason. Comes back only if all failed.
    fn execute(&mut self) -> Failure {
        let mut reason = Failure { step: Step::NotFound, errno: Errno::NOENT };
        for index in 0..self.candidates.len() {
            let candidate = self.candidates[index];
            if candidate.is_null() {
                break;
            }
            // SAFETY: a string and two arrays of strings, each ended as execve wants it.
            unsafe { libc::execve(candidate, self.argv.as_ptr(), self.env.as_ptr()) };
            let failure = match last_errno() {
                Errno::NOEXEC => self.execute_script(candidate),
                errno => judge(candidate, errno),
            };
            if failure.step == Step::NotExecutable {
                reason = failure;
            } else if failure.step != Step::NotFound {
                return failure;
            }
        }
        reason
    }

    fn execute_script(&mut self, script: *const libc::c_char) -> Failure {
        if let Some(place) = self.shell_argv.get_mut(1) {
            *place = script;
        }
        // SAFETY: a string and two arrays of strings, each ended as execve wants it.
        unsafe { libc::execve(self.shell, self.shell_argv.as_ptr(), self.env.as_ptr()) };
        Failure { step: Step::Interpreter, errno: last_errno() }
    }
}

/// What it means that this file could not be executed.
fn judge(candidate: *const libc::c_char, errno: Errno) -> Failure {
    // SAFETY: a string ended by a NUL.
    let exists = || unsafe { libc::access(candidate, libc::F_OK) == 0 };
    let step = match errno {
        Errno::NOENT if exists() => Step::Interpreter,
        Errno::NOENT | Errno::NOTDIR => Step::NotFound,
        Errno::ACCESS | Errno::ISDIR => Step::NotExecutable,
        _ => Step::Exec,
    };
    Failure { step, errno }
}
