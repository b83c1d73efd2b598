//! The output: one big buffer, and the prompt at its bottom.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::FileType;
use rustix::io::Errno;

/// What is printed into a file is written out when there is so much.
const FILE_BYTES: usize = 128 * 1024;
/// A pipe takes no more than this as a whole or not at all (`PIPE_BUF`). What is written at once is not longer, so that who
/// is killed over it leaves no torn line, and the next overseer prints little twice.
const PIECE_BYTES: usize = 4096;
const ERASE: &[u8] = b"\r\x1b[K";

pub(super) struct Output {
    fd: OwnedFd,
    buf: Vec<u8>,
    /// At most so much is written at once, and is printed before it is marked.
    piece: usize,
    /// A prompt is on the terminal, the cursor behind it.
    prompt_shown: bool,
}

impl Output {
    /// One that `goes_on` may find a prompt of the printer before on the terminal.
    pub(super) fn new(fd: OwnedFd, goes_on: bool) -> Self {
        let prompt_shown = goes_on && rustix::termios::isatty(&fd);
        let is_file = rustix::fs::fstat(&fd)
            .is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::RegularFile);
        let piece = if is_file { FILE_BYTES } else { PIECE_BYTES };
        Self { fd, buf: Vec::with_capacity(piece * 2), piece, prompt_shown }
    }

    /// So much is worth being read at once.
    pub(super) fn piece(&self) -> usize {
        self.piece
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
        let full = self.buf.len() >= self.piece;
        if full {
            self.flush()?;
        }
        Ok(full)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut written = 0;
        while written < self.buf.len() {
            match rustix::io::write(&self.fd, whole_lines(&self.buf[written..], self.piece)) {
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

/// As many whole lines of a text as fit in so many bytes; a longer line in parts.
fn whole_lines(text: &[u8], most: usize) -> &[u8] {
    let Some(piece) = text.get(..most) else { return text };
    let end = memchr::memrchr(b'\n', piece).map_or(most, |newline| newline + 1);
    &piece[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_at_once_ends_with_a_line_if_it_can() {
        assert_eq!(whole_lines(b"one\ntwo\nthree\n", 10), b"one\ntwo\n");
        assert_eq!(whole_lines(b"one\ntwo\n", 8), b"one\ntwo\n");
        assert_eq!(whole_lines(b"one\ntwo", 10), b"one\ntwo");
        assert_eq!(whole_lines(b"a long line\n", 6), b"a long");
        assert_eq!(whole_lines(b"", 6), b"");
    }
}
