//! One pipe on its way to one log.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::event::epoll;
use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};

use super::Done;
use super::relay::{Late, Relay, Taken};
use crate::Error;
use crate::files::RealFiles;
use crate::log::Log;
use crate::writer::{Desk, Moved, Writer};

/// At most this is moved from one pipe in one turn: a loud worker does not starve the others, and is not kept from
/// writing for long itself, as the kernel locks its pipe meanwhile.
const TURN_BYTES: usize = 1 << 18;
/// A pipe that was found full grows to this.
const PIPE_BYTES: usize = 1 << 20;
/// A move of this much means that the pipe was as good as full at its usual 64 KiB.
const FULL_BYTES: usize = 48 * 1024;
/// So often a terminal fills the pipe before others have their turn.
pub(super) const ROUNDS_MAX: usize = 16;

pub(super) struct Feed {
    log: Arc<Log>,
    pipe: OwnedFd,
    /// Where what comes into the pipe is taken from, if not the worker itself writes into it.
    relay: Option<Box<Relay>>,
    writer: Writer<RealFiles>,
    /// What to call when the log has reached a position.
    drains: Vec<(u64, Done)>,
    /// The position at which the pipe is let go.
    leave_at: Option<u64>,
    is_failing: bool,
    grown: bool,
    listening: bool,
}

/// What became of a pipe's turn.
#[derive(Debug)]
pub(super) enum Poured {
    /// All is well.
    Moved(Moved),
    /// It could not be stored; the bytes wait in the pipe.
    Failed(Error),
    /// A follower that must miss nothing lags too far; the bytes wait in the pipe.
    Stalled,
}

impl Feed {
    pub(super) fn new(log: Arc<Log>, pipe: OwnedFd) -> Self {
        let writer = Writer::new(&log);
        Self {
            log,
            pipe,
            relay: None,
            writer,
            drains: Vec::new(),
            leave_at: None,
            is_failing: false,
            grown: false,
            listening: true,
        }
    }

    pub(super) fn pipe(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    pub(super) fn writer(&mut self) -> &mut Writer<RealFiles> {
        &mut self.writer
    }

    pub(super) fn name(&self) -> &str {
        &self.log.name
    }

    pub(super) fn log_name(&self) -> Arc<str> {
        Arc::clone(&self.log.name)
    }

    /// How many bytes were written but are not stored.
    fn waiting(&self) -> u64 {
        ioctl_fionread(&self.pipe).unwrap_or(0) + self.writer.carried()
    }

    pub(super) fn begin(&mut self, run: u64) {
        let position = self.log.end() + self.waiting();
        self.writer.begin(position, run);
    }

    /// What this terminal shows comes into the pipe from now on, as of `run`.
    pub(super) fn relay(&mut self, terminal: OwnedFd, run: Option<u64>) {
        if self.relay.get_or_insert_default().add(terminal, run)
            && let Some(run) = run
        {
            self.begin(run);
        }
    }

    /// Whether what comes into the pipe is taken from a terminal.
    pub(super) fn is_relayed(&self) -> bool {
        self.relay.is_some()
    }

    /// Takes what is to come into the pipe. Says whether there may be more once what is in it is stored.
    pub(super) fn take(&mut self, epoll: &OwnedFd) -> bool {
        let Some(relay) = &mut self.relay else { return false };
        let Taken { due, begins } = relay.take(epoll, &self.pipe);
        let is_full = relay.is_full();
        if let Some(run) = begins {
            self.begin(run);
        }
        self.settle_late(due);
        is_full
    }

    /// Lets others have their turn.
    pub(super) fn pause(&mut self) {
        if let Some(relay) = &mut self.relay {
            let due = relay.pause();
            self.settle_late(due);
        }
    }

    /// Whether something waits for the pipe to have room.
    pub(super) fn is_full(&self) -> bool {
        self.relay.as_ref().is_some_and(|relay| relay.is_full())
    }

    /// Wants to be told of what is to come into the pipe.
    pub(super) fn listen_to_relay(&mut self, epoll: &OwnedFd, token: u64) -> Result<(), Errno> {
        self.relay.as_mut().map_or(Ok(()), |relay| relay.listen(epoll, token))
    }

    fn settle_late(&mut self, due: Vec<Late>) {
        for Late { done, leaves, .. } in due {
            if leaves {
                self.leave_pipe(done);
            } else {
                self.when_stored(done);
            }
        }
    }

    pub(super) fn when_drained(&mut self, done: Done) {
        match &mut self.relay {
            Some(relay) => relay.when_taken(done, false),
            None => self.when_stored(done),
        }
    }

    pub(super) fn leave(&mut self, done: Done) {
        match &mut self.relay {
            Some(relay) => relay.when_taken(done, true),
            None => self.leave_pipe(done),
        }
    }

    /// Calls `done` once all that is in the pipe is stored.
    fn when_stored(&mut self, done: Done) {
        let end = self.log.end();
        match self.waiting() {
            0 => done(end),
            bytes => self.drains.push((end + bytes, done)),
        }
    }

    fn leave_pipe(&mut self, done: Done) {
        let at = self.log.end() + self.waiting();
        self.leave_at = Some(at);
        self.drains.push((at, done));
    }

    pub(super) fn has_left(&self) -> bool {
        self.leave_at.is_some_and(|at| at <= self.log.end())
    }

    /// Lets go of what led here. Calls whoever waits for a drain, whether it is complete or not: there is no more to wait
    /// for.
    pub(super) fn end(self, epoll: &OwnedFd) {
        let end = self.log.end();
        let late = self.relay.map(|relay| relay.end(epoll)).unwrap_or_default();
        let late = late.into_iter().map(|late| late.done);
        for done in self.drains.into_iter().map(|(_, done)| done).chain(late) {
            done(end);
        }
    }

    /// Wants to be told of output, or not.
    pub(super) fn listen(&mut self, epoll: &OwnedFd, token: u64, wanted: bool) {
        if self.listening != wanted {
            let flags = if wanted { epoll::EventFlags::IN } else { epoll::EventFlags::empty() };
            self.listening = epoll::modify(epoll, &self.pipe, epoll::EventData::new_u64(token), flags)
                .map_or(self.listening, |()| wanted);
        }
    }

    /// Does a follower that must miss nothing lag too far? If so, it will ring once it has caught up.
    pub(super) fn is_held_up(&self) -> bool {
        let unread_bytes = self.log.limits().unread_bytes;
        if self.log.lag() <= unread_bytes {
            return false;
        }
        self.log.stalled.store(true, Ordering::SeqCst);
        // Pairs with the one in the reader: either it sees the flag or its progress is seen here.
        fence(Ordering::SeqCst);
        let held_up = self.log.lag() > unread_bytes / 2;
        if !held_up {
            self.log.stalled.store(false, Ordering::SeqCst);
        }
        held_up
    }

    /// Moves what is there, up to a turn's worth.
    pub(super) fn pour(&mut self, desk: &Desk<'_, RealFiles>) -> Poured {
        if self.is_held_up() {
            return Poured::Stalled;
        }
        match self.writer.pour(desk, &self.log, &self.pipe, now(), TURN_BYTES) {
            Ok(moved) => {
                self.is_failing = false;
                self.bring_forward(moved.left_out);
                self.grow(moved.bytes);
                self.call_drained(moved.bytes == 0);
                Poured::Moved(moved)
            }
            Err(error) => {
                self.is_failing = true;
                Poured::Failed(error)
            }
        }
    }

    /// Could it not be stored, when it was last tried?
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing
    }

    /// Stores what is there now, for the last time.
    pub(super) fn finish(mut self, epoll: &OwnedFd, desk: &Desk<'_, RealFiles>) -> Result<(), Error> {
        let mut finished = Ok(());
        for _ in 0..ROUNDS_MAX {
            let is_full = self.take(epoll);
            finished = self.store_rest(desk);
            if !is_full || finished.is_err() {
                break;
            }
        }
        self.end(epoll);
        finished
    }

    /// Stores what is in the pipe now.
    fn store_rest(&mut self, desk: &Desk<'_, RealFiles>) -> Result<(), Error> {
        let mut until = self.log.end() + self.waiting();
        while self.log.end() < until {
            match self.writer.pour(desk, &self.log, &self.pipe, now(), TURN_BYTES)? {
                Moved { bytes: 0, .. } => break,
                moved => until = until.saturating_add_signed(-moved.left_out),
            }
        }
        Ok(())
    }

    /// So many bytes that were written will not be stored.
    fn bring_forward(&mut self, left_out: i64) {
        let now = self.log.end() + self.writer.carried();
        let drains = self.drains.iter_mut().map(|(at, _)| at);
        for at in drains.chain(&mut self.leave_at).filter(|_| left_out != 0) {
            *at = at.saturating_add_signed(-left_out).max(now);
        }
    }

    fn call_drained(&mut self, empty: bool) {
        if self.drains.is_empty() {
            return;
        }
        let end = self.log.end();
        for (_, done) in self.drains.extract_if(.., |(at, _)| empty || *at <= end) {
            done(end);
        }
    }

    fn grow(&mut self, moved: usize) {
        if !self.grown && moved >= FULL_BYTES {
            self.grown = true;
            if fcntl_getpipe_size(&self.pipe).is_ok_and(|size| size < PIPE_BYTES) {
                // A user may have used up what the system grants for pipes; a small one works, too.
                let _ = fcntl_setpipe_size(&self.pipe, PIPE_BYTES);
            }
        }
    }
}

/// Nanoseconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_worker_costs_less_than_half_a_kibibyte() {
        let bytes =
            size_of::<Option<Feed>>() + size_of::<Log>() + 2 * size_of::<usize>() + "worker.1000".len();
        assert!(bytes < 512, "{bytes}");
    }
}
