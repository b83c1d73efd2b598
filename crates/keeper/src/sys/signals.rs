//! Signals: masks, dispositions, and the descriptor on which they arrive.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use rustix::io::{Errno, read};

/// What a terminal, or whoever stops a session, sends to everybody in it.
pub(crate) const TERMINAL: [i32; 4] = [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP, libc::SIGTERM];

/// Makes this process deaf to the terminal: its keeper hears Ctrl-C and passes it on.
pub fn ignore_terminal_signals() {
    for signal in TERMINAL {
        ignore(signal);
    }
}

/// Ignores one signal from now on.
pub(crate) fn ignore(signal: i32) {
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Sends a signal to one process.
pub(crate) fn send(pid: u32, signal: i32) -> Result<(), Errno> {
    let pid = libc::pid_t::try_from(pid).ok().filter(|pid| *pid > 0).ok_or(Errno::SRCH)?;
    // SAFETY: takes two numbers; a positive one names a single process.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(last_errno()),
    }
}

/// The error that the last system call left.
pub(crate) fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// A set of signals.
#[derive(Clone, Copy)]
pub(crate) struct Set(libc::sigset_t);

impl Set {
    /// No signal.
    pub(crate) fn empty() -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initializes the whole set and cannot fail on a valid pointer.
        Self(unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            set.assume_init()
        })
    }

    /// Every signal.
    pub(crate) fn full() -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigfillset initializes the whole set and cannot fail on a valid pointer.
        Self(unsafe {
            libc::sigfillset(set.as_mut_ptr());
            set.assume_init()
        })
    }

    /// These signals.
    pub(crate) fn of(signals: &[i32]) -> Self {
        let mut set = Self::empty();
        for signal in signals {
            // SAFETY: the set is initialized; a number that is no signal is refused.
            unsafe { libc::sigaddset(&raw mut set.0, *signal) };
        }
        set
    }

    /// Blocks exactly these; gives back what was blocked before.
    pub(crate) fn block(&self) -> Self {
        let mut before = Self::empty();
        // SAFETY: both point to initialized sets; SIG_SETMASK with a valid set cannot fail.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, &raw mut before.0) };
        before
    }
}

/// A descriptor that becomes readable when one of its signals, which must be blocked, is pending.
pub(crate) struct Descriptor(OwnedFd);

impl Descriptor {
    /// One for these signals.
    pub(crate) fn open(set: &Set) -> Result<Self, Errno> {
        // SAFETY: the set is initialized; the call gives a new descriptor or -1.
        let descriptor =
            unsafe { libc::signalfd(-1, &raw const set.0, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if descriptor < 0 {
            return Err(last_errno());
        }
        // SAFETY: it is new and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// The next pending signal, if there is one.
    pub(crate) fn next(&self) -> Option<i32> {
        let mut buffer = [0_u8; size_of::<libc::signalfd_siginfo>()];
        let length = read(&self.0, &mut buffer).ok()?;
        let number = buffer.first_chunk::<4>().filter(|_| length == buffer.len())?;
        i32::try_from(u32::from_ne_bytes(*number)).ok()
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Signals that do not end this process but arrive on a descriptor, for as long as this lives.
pub struct Signals {
    descriptor: Descriptor,
    before: Set,
}

impl Signals {
    /// Catches these. To be called before there are threads, which would get them otherwise.
    pub fn catch(signals: &[i32]) -> io::Result<Self> {
        let set = Set::of(signals);
        let descriptor = Descriptor::open(&set)?;
        Ok(Self { descriptor, before: set.block() })
    }

    /// The next that arrived, if there is one.
    pub fn next(&self) -> Option<i32> {
        self.descriptor.next()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.before.block();
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.0.as_fd()
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.0.as_raw_fd()
    }
}

/// A disposition as the kernel has it: what is done, flags, what that returns to, and the mask.
type Disposition = [u64; 4];

/// Asks for the disposition of a signal, and changes it if a new one is given. The call itself, since the C library keeps
/// two signals from us. A number that cannot be asked for has the default one.
fn disposition(signal: i32, new: Option<&Disposition>) -> Disposition {
    let mut old: Disposition = [0; 4];
    let new = new.map_or(ptr::null(), |new| new.as_ptr());
    // SAFETY: both are as large as the kernel's structure, or nothing.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old.as_mut_ptr(), size_of::<u64>()) };
    old
}

/// The signals that do not have their default disposition: whoever started us may have ignored some.
pub(crate) fn changed() -> Vec<i32> {
    let is_default = |signal: &i32| disposition(*signal, None)[0] == libc::SIG_DFL as u64;
    (1..=libc::SIGRTMAX()).filter(|signal| !is_default(signal)).collect()
}

/// Gives signals their default disposition and unblocks all. For a child between clone and exec: nothing but system calls.
pub(crate) fn reset(changed: &[i32]) {
    for signal in changed {
        disposition(*signal, Some(&[0; 4]));
    }
    let none = Set::empty();
    // SAFETY: the set is initialized; the old one is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none.0, ptr::null_mut()) };
}

/// From now on orphans below this process become its children.
pub(crate) fn become_subreaper() -> Result<(), Errno> {
    // Any number but 0 means yes; the safe binding takes a process.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
}
