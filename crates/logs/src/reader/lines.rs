//! A log as lines.

use std::sync::Arc;

use super::{Read, Reader};
use crate::{Line, Result};

/// A line that is longer than this is given in pieces.
pub(crate) const LINE_BYTES: usize = 256 * 1024;
/// So much is read at once.
const READ_BYTES: usize = 32 * 1024;

/// Gives the lines of a log, one by one.
pub(crate) struct Lines {
    reader: Reader,
    buf: Vec<u8>,
    /// What of `buf` was given already.
    used: usize,
    /// In what follows `used`, no line end was found up to here.
    searched: usize,
}

/// What comes next in a log.
pub(crate) enum Next {
    Line(Line),
    /// So many bytes are gone.
    Skipped(u64),
    /// No (whole) line is there now.
    Nothing,
}

impl Lines {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader, buf: Vec::new(), used: 0, searched: 0 }
    }

    /// Goes on to the begin of a line if the place to begin at is in the middle of one.
    pub(crate) fn align(&mut self) -> Result<()> {
        let begin = self.position();
        if begin == 0 || begin >= self.reader.log.end() {
            return Ok(());
        }
        let mut before = [0];
        self.reader.position = begin - 1;
        let read = self.reader.read(&mut before)?;
        self.reader.position = begin;
        let same_run = self.reader.stamp(begin - 1)?.run == self.reader.stamp(begin)?.run;
        if read == Read::Bytes(1) && before != *b"\n" && same_run {
            self.next(true)?;
        }
        Ok(())
    }

    /// The position of the next byte to be given.
    pub(crate) fn position(&self) -> u64 {
        self.reader.position() - (self.buf.len() - self.used) as u64
    }

    /// Whether the log has more than was read: after [`Next::Nothing`], what a rotation under way holds back.
    pub(crate) fn has_news(&self) -> bool {
        self.reader.has_news()
    }

    /// The name of the log.
    pub(crate) fn log(&self) -> &Arc<str> {
        self.reader.log()
    }

    /// The next line. What a run left without a newline is a line once another run writes, or if `all` is said.
    pub(crate) fn next(&mut self, all: bool) -> Result<Next> {
        loop {
            let rest = &self.buf[self.used..];
            let found = memchr::memchr(b'\n', &rest[self.searched..]).map(|n| n + self.searched);
            let has = rest.len();
            let whole = found.map_or(has, |n| n + 1);
            if let Some(line) = self.until_next_run(whole)? {
                return Ok(Next::Line(line));
            }
            if found.is_some() {
                return self.give(whole, 1).map(Next::Line);
            }
            if has >= LINE_BYTES {
                return self.give(LINE_BYTES, 0).map(Next::Line);
            }
            self.searched = whole;
            match self.fill()? {
                Read::Bytes(_) => {}
                Read::Skipped(bytes) => return Ok(Next::Skipped(bytes)),
                Read::End if all && whole > 0 && !self.has_news() => {
                    return self.give(whole, 0).map(Next::Line);
                }
                Read::End => return Ok(Next::Nothing),
            }
        }
    }

    fn fill(&mut self) -> Result<Read> {
        if self.used == self.buf.len() {
            self.buf.clear();
        } else {
            self.buf.drain(..self.used);
        }
        self.used = 0;
        let had = self.buf.len();
        if !self.reader.has_news() {
            if had == 0 {
                // A thousand silent logs should not hold a thousand buffers.
                self.buf = Vec::new();
            }
            return Ok(Read::End);
        }
        self.buf.resize(had + READ_BYTES, 0);
        let read = self.reader.read(&mut self.buf[had..]);
        let got = if let Ok(Read::Bytes(n)) = read { n } else { 0 };
        self.buf.truncate(had + got);
        if let Ok(Read::Skipped(_)) = read {
            // The line's end is gone.
            self.buf.clear();
            self.searched = 0;
        }
        read
    }

    /// If another run begins within the next `whole` bytes, what the one before it left is a line.
    fn until_next_run(&mut self, whole: usize) -> Result<Option<Line>> {
        if whole == 0 {
            return Ok(None);
        }
        let begin = self.position();
        let end = begin + whole as u64;
        let (first, mut until) = self.reader.stamp_until(begin)?;
        while until < end {
            let (stamp, next) = self.reader.stamp_until(until)?;
            if stamp.run != first.run {
                let len = usize::try_from(until - begin).unwrap_or(whole);
                return self.give(len, 0).map(Some);
            }
            until = next;
        }
        Ok(None)
    }

    /// Takes `len` bytes, the last `ending` of which are not part of the text.
    fn give(&mut self, len: usize, ending: usize) -> Result<Line> {
        let position = self.position();
        let stamp = self.reader.stamp(position)?;
        let text = self.buf[self.used..self.used + len - ending].to_vec();
        self.used += len;
        self.searched = 0;
        let end = position + len as u64;
        Ok(Line { log: self.reader.log().clone(), time: stamp.time, run: stamp.run, position, end, text })
    }
}
