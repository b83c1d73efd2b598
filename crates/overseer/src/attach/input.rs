//! What is typed, on its way to a worker.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use ganger_api::TerminalSize;
use rustix::io::Errno;
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Way;
use crate::readiness::{Source, register};

/// So many bytes wait for a worker that does not read.
const WAITING_MAX: usize = 64 * 1024;

/// The way from a viewer's keyboard to a worker.
#[derive(Default)]
pub(super) struct Input {
    sink: Option<AsyncFd<Source<OwnedFd>>>,
    is_terminal: bool,
    waiting: VecDeque<u8>,
}

/// What became of what was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was read, or will be.
    All,
    /// The worker has no terminal, and no pipe that it reads.
    Nobody,
    /// The worker does not read, and there is no room for more.
    Full,
}

impl Input {
    pub(super) fn new(way: Way) -> io::Result<Self> {
        let (sink, is_terminal) = match way {
            Way::Nowhere => return Ok(Self::default()),
            Way::Pipe(pipe) => (pipe, false),
            Way::Terminal(terminal) => (terminal, true),
        };
        let sink = Some(register(sink, Interest::WRITABLE)?);
        Ok(Self { sink, is_terminal, waiting: VecDeque::new() })
    }

    /// Whether somebody reads what is typed.
    pub(super) fn reads(&self) -> bool {
        self.sink.is_some()
    }

    /// The size of the terminal, if it is one.
    pub(super) fn size(&self) -> Option<TerminalSize> {
        let size = tcgetwinsize(&self.terminal()?.get_ref().0).ok()?;
        Some(TerminalSize::new(size.ws_row, size.ws_col).unwrap_or(TerminalSize { rows: 24, columns: 80 }))
    }

    /// Gives the terminal this size, if it has another one. The kernel tells the program in its foreground.
    pub(super) fn resize(&self, size: TerminalSize) {
        if self.size().is_some_and(|now| now != size)
            && let Some(terminal) = self.terminal()
        {
            let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
            // A terminal that takes no size keeps the one that it has, and that is what viewers are told.
            let _ = tcsetwinsize(&terminal.get_ref().0, size);
        }
    }

    fn terminal(&self) -> Option<&AsyncFd<Source<OwnedFd>>> {
        self.sink.as_ref().filter(|_| self.is_terminal)
    }

    /// Lets the worker read this after all that came before.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Taken {
        if self.sink.is_none() {
            return Taken::Nobody;
        }
        if self.waiting.len() + bytes.len() > WAITING_MAX {
            return Taken::Full;
        }
        self.waiting.extend(bytes);
        self.pour();
        if self.sink.is_some() { Taken::All } else { Taken::Nobody }
    }

    /// Until the worker may read more of what waits.
    pub(super) async fn readable(&self) {
        match &self.sink {
            Some(sink) if !self.waiting.is_empty() => {
                // What goes wrong here shows when it is written.
                if let Ok(mut ready) = sink.writable().await {
                    ready.clear_ready();
                }
            }
            Some(_) | None => std::future::pending().await,
        }
    }

    /// Gives the worker what waits, as far as it takes it.
    pub(super) fn pour(&mut self) {
        while let Some(sink) = self.sink.as_ref().filter(|_| !self.waiting.is_empty()) {
            let (piece, _) = self.waiting.as_slices();
            match rustix::io::write(sink.get_ref().0.as_fd(), piece) {
                Ok(written) => drop(self.waiting.drain(..written)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // It has closed what it read, or is gone.
                Err(_) => *self = Self { is_terminal: self.is_terminal, ..Self::default() },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn what_a_worker_does_not_read_waits_up_to_a_bound_and_comes_in_order() {
        // A socket can be shut for all who have it: another test may start a program with a copy at any moment.
        let (mut reader, writer) = UnixStream::pair().unwrap();
        reader.set_nonblocking(true).unwrap();
        writer.set_nonblocking(true).unwrap();
        let mut input = Input::new(Way::Pipe(writer.into())).unwrap();
        let mut typed: Vec<u8> = Vec::new();
        for number in 0_u8.. {
            let words = [number; 4096];
            match input.take(&words) {
                Taken::All => typed.extend(words),
                Taken::Full => break,
                Taken::Nobody => panic!("the pipe is open"),
            }
        }
        assert!(input.waiting.len() <= WAITING_MAX && typed.len() > WAITING_MAX);
        let mut heard: Vec<u8> = Vec::new();
        let mut buffer = [0; 10_000];
        while heard.len() < typed.len() {
            while let Ok(length) = reader.read(&mut buffer) {
                heard.extend(&buffer[..length]);
            }
            if !input.waiting.is_empty() {
                input.readable().await;
                input.pour();
            }
        }
        assert!(heard == typed);
        reader.shutdown(Shutdown::Both).unwrap();
        assert_eq!((input.take(b"x"), input.reads()), (Taken::Nobody, false));
        assert_eq!(Input::default().take(b"x"), Taken::Nobody);
    }
}
