//! Runs that another keeper started: they are no children of ours, so the kernel does not tell us of their ends. A
//! process descriptor does, and it names a process for good: its number may go to a stranger, the descriptor does not.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, geteuid, pidfd_open, pidfd_send_signal};

use crate::keeper::until;
use crate::processes::{self, Snapshot};
use crate::protocol::{Exit, RunId};
use crate::sys::{pidfd, wait};

/// So many ends are taken at once.
const ENDS_MAX: usize = 64;
/// So many of the processes that a run left behind are watched at once.
const LEFT_MAX: usize = 16;
/// Set in the number by which a process that was left behind is known; runs count from 1 and never get there.
const LEFT: u64 = 1 << 63;

/// What an adopted process did.
pub(crate) enum Change {
    /// The main process of this run ended.
    Ended(RunId, Exit),
    /// A process that some run had left behind ended.
    Left,
}

/// Descriptors of the processes that are watched.
pub(crate) struct Adopted {
    epoll: OwnedFd,
    mains: HashMap<RunId, (OwnedFd, (u32, u64))>,
    left: HashMap<u32, OwnedFd>,
}

impl Adopted {
    /// None yet.
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, mains: HashMap::new(), left: HashMap::new() })
    }

    /// Watches the main process of a run.
    pub(crate) fn add(&mut self, run: RunId, pidfd: OwnedFd, identity: (u32, u64)) -> Result<(), Errno> {
        epoll::add(&self.epoll, &pidfd, EventData::new_u64(run.0), EventFlags::IN)?;
        self.mains.insert(run, (pidfd, identity));
        Ok(())
    }

    /// Watches some of those that a run left behind: when one ends, the run is looked at again.
    pub(crate) fn add_left(&mut self, processes: &[Snapshot]) {
        for process in processes.iter().take(LEFT_MAX) {
            if self.left.contains_key(&process.pid) {
                continue;
            }
            // One that is gone already is found gone by the look that follows.
            let Some(pidfd) = open(process.identity()) else { continue };
            let data = EventData::new_u64(LEFT | u64::from(process.pid));
            if epoll::add(&self.epoll, &pidfd, data, EventFlags::IN).is_ok() {
                self.left.insert(process.pid, pidfd);
            }
        }
    }

    /// Whether no main process is watched any more.
    pub(crate) fn is_over(&self) -> bool {
        self.mains.is_empty()
    }

    /// Descriptors of the main processes, for whoever watches them next. One that there is no room for is opened
    /// again there, if the process lives.
    pub(crate) fn processes(&self) -> Vec<(RunId, OwnedFd)> {
        let copies = self.mains.iter().map(|(run, (process, _))| Some((*run, process.try_clone().ok()?)));
        copies.flatten().collect()
    }

    /// What happened since the last look.
    pub(crate) fn changes(&mut self) -> Vec<Change> {
        let mut ready: Vec<Event> = Vec::with_capacity(ENDS_MAX);
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        // Interrupted or failed: the descriptor stays readable, and is looked at again.
        let _ = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut ready), Some(&now));
        let mut changes = Vec::new();
        for event in ready {
            let (number, flags) = (event.data.u64(), event.flags);
            if number & LEFT != 0 {
                self.left.remove(&u32::try_from(number & !LEFT).unwrap_or(0));
                changes.push(Change::Left);
            } else if let Some(exit) = self.exit_of(RunId(number), flags.contains(EventFlags::HUP)) {
                self.mains.remove(&RunId(number));
                changes.push(Change::Ended(RunId(number), exit));
            }
        }
        changes
    }

    /// How the main process ended; none while its parent, which may tell that to the kernel, has still to reap it.
    fn exit_of(&self, run: RunId, reaped: bool) -> Option<Exit> {
        let (pidfd, identity) = self.mains.get(&run)?;
        if let Some(exit) = pidfd::exit(pidfd.as_fd()).or_else(|| unreaped(*identity)) {
            return Some(exit);
        }
        if reaped || !keeps_exits() {
            // It may have been reaped between the two looks.
            return Some(pidfd::exit(pidfd.as_fd()).unwrap_or(Exit::Unknown));
        }
        let data = EventData::new_u64(run.0);
        // No flags: that it was reaped is always told.
        let waits = epoll::modify(&self.epoll, pidfd, data, EventFlags::empty()).is_ok();
        if waits { None } else { Some(Exit::Unknown) }
    }
}

impl AsFd for Adopted {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

/// A descriptor of just this process, if it has not been reaped.
pub(crate) fn open(identity: (u32, u64)) -> Option<OwnedFd> {
    let number = i32::try_from(identity.0).ok().and_then(Pid::from_raw)?;
    let pidfd = pidfd_open(number, PidfdFlags::empty()).ok()?;
    // Opened first, compared then: if it is the same now, it was the same when it was opened.
    Snapshot::of(identity.0).filter(|process| process.identity() == identity).map(|_| pidfd)
}

/// A descriptor of the main process of a run, for [`crate::Handover::processes`]; none if it has been reaped.
pub fn watch(pid: u32, started: u64) -> Option<OwnedFd> {
    open((pid, started))
}

/// A descriptor of whatever process has this number now.
pub fn hold(pid: u32) -> Option<OwnedFd> {
    Snapshot::of(pid).and_then(|process| open(process.identity()))
}

/// Blocks until the process of this descriptor has ended, and no longer than this. Whether it has.
pub fn await_end(process: BorrowedFd<'_>, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&until(deadline))) {
            Err(Errno::INTR) => {}
            ended => return ended.is_ok_and(|ended| ended > 0),
        }
    }
}

/// Whether this process has not ended.
pub fn lives(pid: u32, started: u64) -> bool {
    Snapshot::of(pid).is_some_and(|process| process.started == started && !process.is_dead())
}

/// Sends a signal to just this process, whoever its parent is.
pub(crate) fn send(identity: (u32, u64), signal: i32) -> Result<(), Errno> {
    let pidfd = open(identity).ok_or(Errno::SRCH)?;
    let signal = Signal::from_named_raw(signal).ok_or(Errno::INVAL)?;
    pidfd_send_signal(&pidfd, signal)
}

/// How this process ended, if it waits to be reaped and we are allowed to see that.
fn unreaped(identity: (u32, u64)) -> Option<Exit> {
    let (process, status) = processes::unreaped(identity.0)?;
    // Of another user's process the kernel shows a zero instead.
    let ours = processes::users(identity.0)?.iter().all(|user| *user == geteuid().as_raw());
    (ours && process.identity() == identity && process.is_dead()).then(|| wait::exit(status))
}

/// Whether the kernel (since 6.15) keeps the exit status of a process for the descriptors of it.
fn keeps_exits() -> bool {
    let release = rustix::system::uname();
    let mut parts = release.release().to_str().unwrap_or_default().split(|c: char| !c.is_ascii_digit());
    let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
    (number(), number()) >= (6, 15)
}
