//! The output: one big buffer, and the prompt at its bottom.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// The buffer is written out when it is this full.
const FULL: usize = 128 * 1024;
const ERASE: &[u8] = b"\r\x1b[K";

pub(super) struct Output {
    fd: OwnedFd,
    buf: Vec<u8>,
    /// A prompt is on the terminal, the cursor behind it.
    prompt_shown: bool,
}

impl Output {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self { fd, buf: Vec::with_capacity(FULL * 2), prompt_shown: false }
    }

    pub(super) fn is_terminal(&self) -> bool {
        rustix::termios::isatty(&self.fd)
    }

    /// The terminal's width.
    pub(super) fn columns(&self) -> usize {
        rustix::termios::tcgetwinsize(&self.fd).map_or(0, |size| usize::from(size.ws_col))
    }

    /// The buffer, for whole lines to be added.
    pub(super) fn lines(&mut self) -> &mut Vec<u8> {
        self.erase_prompt();
        &mut self.buf
    }

    pub(super) fn shows_prompt(&self) -> bool {
        self.prompt_shown
    }

    pub(super) fn erase_prompt(&mut self) {
        if std::mem::take(&mut self.prompt_shown) {
            self.buf.extend(ERASE);
        }
    }

    /// Shows a prompt at the bottom.
    pub(super) fn show_prompt(&mut self, prompt: &[u8]) {
        self.erase_prompt();
        self.buf.extend(prompt);
        self.prompt_shown = true;
    }

    /// Writes the buffer out if it is full; says whether it was.
    pub(super) fn flush_if_full(&mut self) -> io::Result<bool> {
        let full = self.buf.len() >= FULL;
        if full {
            self.flush()?;
        }
        Ok(full)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut written = 0;
        while written < self.buf.len() {
            match rustix::io::write(&self.fd, &self.buf[written..]) {
                Ok(n) => written += n,
                Err(Errno::INTR) => {}
                // Somebody who shares the terminal with us has made it so.
                Err(Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::new(&self.fd, PollFlags::OUT)], None);
                }
                Err(e) => return Err(e.into()),
            }
        }
        self.buf.clear();
        Ok(())
    }
}
