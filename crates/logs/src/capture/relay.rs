//! From a worker's terminal to the pipe of its log.
//!
//! The bytes are spliced: what left the terminal is in the pipe, whoever is killed in the middle of it. There may be several
//! terminals, of one run after the other: the next has its turn when all of the one before is in the pipe.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};

use super::Done;

/// So much is taken from a terminal at once: as much as it gives, and what surely fits into a pipe that is not full.
const PIECE: usize = 4096;
/// So much is taken before what is in the pipe is stored.
const PIECES: usize = 64;
/// A terminal holds less than this: what was written before a moment is among so many bytes that come after it.
const HELD_MAX: usize = 64 * 1024;
/// Set in the token of a terminal; the rest is that of its pipe.
pub(super) const RELAY: u64 = 1 << 62;

/// The terminals that lead to one pipe.
#[derive(Default)]
pub(super) struct Relay {
    /// Each with the run that has it, if that begins with it.
    terminals: VecDeque<(OwnedFd, Option<u64>)>,
    heed: Heed,
    state: State,
    late: Vec<Late>,
}

/// Something that is due when all that was written before is in the pipe.
pub(super) struct Late {
    /// It is so after so many bytes in any case.
    within: usize,
    pub(super) done: Done,
    /// Nothing comes any more.
    pub(super) leaves: bool,
}

/// How the terminal is heeded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Heed {
    #[default]
    Not,
    /// While there is something.
    Output,
    /// When something happens. That nobody has the worker's side, the kernel would tell again and again.
    Change,
}

/// Why no more was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Nothing is there.
    #[default]
    Empty,
    /// Nor has anybody the worker's side.
    Closed,
    /// The pipe is full, or it is time to store what is in it.
    Full,
}

/// What was taken.
#[derive(Default)]
pub(super) struct Taken {
    /// What is due now.
    pub(super) due: Vec<Late>,
    /// What comes now is of this run.
    pub(super) begins: Option<u64>,
}

impl Relay {
    /// What is in this terminal is taken, too, once all is that is in those before. Says whether there is none before.
    pub(super) fn add(&mut self, terminal: OwnedFd, run: Option<u64>) -> bool {
        self.terminals.push_back((terminal, run));
        self.terminals.len() == 1
    }

    pub(super) fn when_taken(&mut self, done: Done, leaves: bool) {
        self.late.push(Late { within: HELD_MAX, done, leaves });
    }

    /// Whether there may be more to take once the pipe has room.
    pub(super) fn is_full(&self) -> bool {
        self.state == State::Full
    }

    /// Takes what is there, as far as it fits into the pipe; or goes on to the terminal of the next run.
    pub(super) fn take(&mut self, epoll: &OwnedFd, pipe: &OwnedFd) -> Taken {
        let Some((terminal, _)) = self.terminals.front() else { return Taken::default() };
        let (bytes, state) = take(terminal, pipe);
        self.state = state;
        if state != State::Full && self.terminals.len() > 1 {
            self.heed_not(epoll);
            self.terminals.pop_front();
            self.state = State::Full;
            let begins = self.terminals.front().and_then(|(_, run)| *run);
            return Taken { due: Vec::new(), begins };
        }
        for late in &mut self.late {
            late.within = late.within.saturating_sub(bytes);
        }
        let due = self.late.extract_if(.., |late| state != State::Full || late.within == 0).collect();
        Taken { due, begins: None }
    }

    /// Others have their turn, though there may be more; what is due is so all the same.
    pub(super) fn pause(&mut self) -> Vec<Late> {
        self.state = State::Empty;
        std::mem::take(&mut self.late)
    }

    /// Wants to be told of what comes, if there is room for it.
    pub(super) fn listen(&mut self, epoll: &OwnedFd, token: u64) -> Result<(), Errno> {
        let wanted = match self.state {
            State::Empty => Heed::Output,
            State::Closed => Heed::Change,
            State::Full => Heed::Not,
        };
        let Some((terminal, _)) = self.terminals.front().filter(|_| wanted != self.heed) else {
            return Ok(());
        };
        let data = EventData::new_u64(token | RELAY);
        match (self.heed, wanted) {
            (_, Heed::Not) => self.heed_not(epoll),
            (Heed::Not, wanted) => epoll::add(epoll, terminal, data, wanted.flags())?,
            (_, wanted) => epoll::modify(epoll, terminal, data, wanted.flags())?,
        }
        self.heed = wanted;
        Ok(())
    }

    /// Its description is open elsewhere: without this, its events would go on when it is closed.
    fn heed_not(&mut self, epoll: &OwnedFd) {
        let heeded = std::mem::take(&mut self.heed) != Heed::Not;
        if let Some((terminal, _)) = self.terminals.front().filter(|_| heeded) {
            // It cannot fail: it was added.
            let _ = epoll::delete(epoll, terminal);
        }
    }

    /// Lets go of all terminals; what still was due.
    pub(super) fn end(mut self, epoll: &OwnedFd) -> Vec<Late> {
        self.heed_not(epoll);
        self.late
    }
}

impl Heed {
    fn flags(self) -> EventFlags {
        match self {
            Self::Not => EventFlags::empty(),
            Self::Output => EventFlags::IN,
            Self::Change => EventFlags::IN | EventFlags::ET,
        }
    }
}

/// Moves what is in a terminal into the pipe; how much, and why no more.
fn take(terminal: &OwnedFd, pipe: &OwnedFd) -> (usize, State) {
    let mut bytes = 0;
    for _ in 0..PIECES {
        match move_piece(terminal, pipe) {
            Ok(0) => return (bytes, State::Empty),
            Ok(moved) => bytes += moved,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if has_room(pipe) => return (bytes, State::Empty),
            Err(Errno::AGAIN) => return (bytes, State::Full),
            // So the kernel says it; whatever else it says, there is nothing more to be had.
            Err(_) => return (bytes, State::Closed),
        }
    }
    (bytes, State::Full)
}

fn move_piece(terminal: &OwnedFd, pipe: &OwnedFd) -> Result<usize, Errno> {
    match splice(terminal, None, pipe, None, PIECE, SpliceFlags::NONBLOCK) {
        // An old kernel, or a sandbox that forbids it.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => copy_piece(terminal, pipe),
        moved => moved,
    }
}

/// Moves bytes by reading and writing them. There is room for all that is read: the pipe is not full, and nobody else
/// writes into it.
fn copy_piece(terminal: &OwnedFd, pipe: &OwnedFd) -> Result<usize, Errno> {
    if !has_room(pipe) {
        return Err(Errno::AGAIN);
    }
    let mut piece = [0; PIECE];
    let length = rustix::io::read(terminal, &mut piece)?;
    rustix::io::retry_on_intr(|| rustix::io::write(pipe, &piece[..length]))
}

/// Whether a piece fits into a pipe.
fn has_room(pipe: &OwnedFd) -> bool {
    let mut waited = [PollFd::new(pipe, PollFlags::OUT)];
    poll(&mut waited, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}
