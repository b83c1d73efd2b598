//! One pipe on its way to one log.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::event::epoll;
use rustix::io::ioctl_fionread;
use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};

use super::Done;
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

pub(super) struct Feed {
    log: Arc<Log>,
    pipe: OwnedFd,
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

    pub(super) fn when_drained(&mut self, done: Done) {
        let end = self.log.end();
        match self.waiting() {
            0 => done(end),
            bytes => self.drains.push((end + bytes, done)),
        }
    }

    pub(super) fn leave(&mut self, done: Done) {
        let at = self.log.end() + self.waiting();
        self.leave_at = Some(at);
        self.drains.push((at, done));
    }

    pub(super) fn has_left(&self) -> bool {
        self.leave_at.is_some_and(|at| at <= self.log.end())
    }

    /// Calls whoever waits for a drain, whether it is complete or not: there is no more to wait for.
    pub(super) fn settle_drains(self) {
        let end = self.log.end();
        for (_, done) in self.drains {
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
    pub(super) fn finish(mut self, desk: &Desk<'_, RealFiles>) -> Result<(), Error> {
        let mut finished = Ok(());
        let mut until = self.log.end() + self.waiting();
        while self.log.end() < until {
            match self.writer.pour(desk, &self.log, &self.pipe, now(), TURN_BYTES) {
                Ok(Moved { bytes: 0, .. }) => break,
                Ok(moved) => until = until.saturating_add_signed(-moved.left_out),
                Err(error) => {
                    finished = Err(error);
                    break;
                }
            }
        }
        self.settle_drains();
        finished
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
