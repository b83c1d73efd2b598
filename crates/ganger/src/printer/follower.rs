//! One log on its way to the terminal.

use std::collections::VecDeque;
use std::time::Instant;

use ganger_logs::{Marks, Read, Reader, Result};

use super::output::Output;
use super::prefix::{Prefix, Prefixes};
use super::{System, json};
use crate::clean::Cleaner;

/// A line that is longer than this is printed in pieces.
pub(super) const LINE_BYTES: usize = 256 * 1024;
/// What a line was before it was written over is let go of when there is so much of it.
const OVERWRITTEN_BYTES: usize = 16 * 1024;

pub(super) struct Follower {
    reader: Reader,
    prefix: Prefix,
    /// What came after the last newline, and where it begins.
    partial: Vec<u8>,
    /// Makes of it what is shown.
    cleaner: Cleaner,
    partial_at: u64,
    /// When the partial line last grew, unless it has been shown as it is.
    pub(super) unshown_since: Option<Instant>,
    /// System lines whose position was not reached.
    system: VecDeque<System>,
    /// The number of its mark, and what that says.
    mark: (u64, u64),
}

impl Follower {
    pub(super) fn new(reader: Reader, prefixes: &mut Prefixes, mark: u64) -> Self {
        let prefix = prefixes.of(reader.log());
        let partial_at = reader.position();
        Self {
            reader,
            prefix,
            partial: Vec::new(),
            cleaner: prefixes.cleaner(),
            partial_at,
            unshown_since: None,
            system: VecDeque::new(),
            mark: (mark, u64::MAX),
        }
    }

    /// Marks how far whole lines of it are printed.
    pub(super) fn mark(&mut self, marks: &Marks) {
        let printed = if self.partial.is_empty() { self.reader.position() } else { self.partial_at };
        let (number, marked) = self.mark;
        if printed != marked {
            marks.put(number, self.reader.log(), printed);
            self.mark = (number, printed);
        }
    }

    pub(super) fn widen(&mut self, prefixes: &mut Prefixes) {
        self.prefix = prefixes.of(self.reader.log());
    }

    /// Prints a system line once all before its position is printed.
    pub(super) fn say(&mut self, line: System, prefixes: &Prefixes, out: &mut Output) {
        self.system.push_back(line);
        while self.is_due() {
            self.print_system(prefixes, out);
        }
    }

    /// Whether all before the next system line is printed.
    fn is_due(&self) -> bool {
        self.system.front().is_some_and(|line| line.at <= self.reader.position())
    }

    /// Where the log ends now.
    pub(super) fn end(&self) -> u64 {
        self.reader.store().end(self.reader.log()).unwrap_or_else(|_| self.reader.position())
    }

    /// Prints what is there before `end`, up to one buffer; says whether there was anything.
    pub(super) fn step(
        &mut self,
        buf: &mut [u8],
        end: u64,
        prefixes: &Prefixes,
        out: &mut Output,
    ) -> Result<bool> {
        if self.is_due() {
            self.print_system(prefixes, out);
            return Ok(true);
        }
        let begin = self.reader.position();
        let left = self.system.front().map_or(end, |line| line.at.min(end)).saturating_sub(begin);
        if left == 0 {
            return Ok(false);
        }
        let max = usize::try_from(left).unwrap_or(buf.len()).min(buf.len());
        match self.reader.read(&mut buf[..max])? {
            Read::Bytes(n) => self.print(begin, &buf[..n], prefixes, out)?,
            Read::Skipped(n) => {
                self.end_partial(prefixes, out);
                self.partial_at = self.reader.position();
                self.own(&format!("({n} bytes were removed before they could be shown)"), prefixes, out);
            }
            Read::End => return Ok(false),
        }
        Ok(true)
    }

    /// Is there something that it could not read yet? While files are renamed, a log gives nothing.
    pub(super) fn is_behind(&self) -> bool {
        self.reader.has_news()
    }

    /// Prints all system lines, reached or not, and what is left of a line.
    pub(super) fn finish(&mut self, prefixes: &Prefixes, out: &mut Output) {
        while !self.system.is_empty() {
            self.print_system(prefixes, out);
        }
        self.end_partial(prefixes, out);
    }

    /// Whether there is a partial line.
    pub(super) fn has_prompt(&self) -> bool {
        !self.partial.is_empty()
    }

    /// The partial line as a prompt, if there is one of which something is to be shown.
    pub(super) fn prompt(&self) -> Option<(&[u8], Vec<u8>)> {
        let mut text = Vec::new();
        let is_shown = self.has_prompt() && self.cleaner.clone().line(&self.partial, &mut text);
        is_shown.then(|| (self.prefix.bytes(), text))
    }

    fn print(&mut self, begin: u64, bytes: &[u8], prefixes: &Prefixes, out: &mut Output) -> Result<()> {
        let Some(last) = memchr::memrchr(b'\n', bytes) else {
            return self.keep(begin, bytes, prefixes, out);
        };
        let whole = &bytes[..=last];
        let lines = out.lines();
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', whole) {
            let at = if self.partial.is_empty() { begin + from as u64 } else { self.partial_at };
            if prefixes.json() {
                self.partial.extend_from_slice(&whole[from..end]);
                let stamp = self.reader.stamp(at)?;
                json::line(lines, &self.reader.store(), self.reader.log(), stamp, &self.partial);
                self.partial.clear();
                from = end + 1;
                continue;
            }
            stamp(&mut self.reader, &mut self.prefix, prefixes, at)?;
            let start = lines.len();
            lines.extend_from_slice(self.prefix.bytes());
            let is_shown = if self.partial.is_empty() {
                self.cleaner.line(&whole[from..end], lines)
            } else {
                self.partial.extend_from_slice(&whole[from..end]);
                self.cleaner.line(&std::mem::take(&mut self.partial), lines)
            };
            if is_shown {
                lines.push(b'\n');
            } else {
                lines.truncate(start);
            }
            from = end + 1;
        }
        self.unshown_since = None;
        self.keep(begin + from as u64, &bytes[from..], prefixes, out)
    }

    /// Keeps what has no newline yet.
    fn keep(&mut self, begin: u64, bytes: &[u8], prefixes: &Prefixes, out: &mut Output) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.partial.is_empty() {
            self.partial_at = begin;
            stamp(&mut self.reader, &mut self.prefix, prefixes, begin)?;
        }
        self.partial.extend_from_slice(bytes);
        self.unshown_since.get_or_insert_with(Instant::now);
        if self.partial.len() >= OVERWRITTEN_BYTES && !prefixes.json() {
            self.forget_overwritten();
        }
        if self.partial.len() >= LINE_BYTES {
            self.end_partial(prefixes, out);
        }
        Ok(())
    }

    /// Lets go of what a line was before it was written over: a progress bar may go on for long.
    fn forget_overwritten(&mut self) {
        let length = self.partial.trim_ascii_end().len();
        if self.cleaner.is_cleaning()
            && let Some(end) = memchr::memrchr(b'\r', &self.partial[..length])
        {
            // The colours stay.
            self.cleaner.line(&self.partial[..end], &mut Vec::new());
            self.partial.drain(..end);
        }
    }

    fn end_partial(&mut self, prefixes: &Prefixes, out: &mut Output) {
        if self.partial.is_empty() {
            return;
        }
        let partial = std::mem::take(&mut self.partial);
        self.unshown_since = None;
        // A line without its time is better than none.
        if prefixes.json() {
            let stamp = self.reader.stamp(self.partial_at).unwrap_or_default();
            return json::line(out.lines(), &self.reader.store(), self.reader.log(), stamp, &partial);
        }
        let _ = stamp(&mut self.reader, &mut self.prefix, prefixes, self.partial_at);
        let mut text = Vec::new();
        if self.cleaner.line(&partial, &mut text) {
            self.line(&text, out);
        }
    }

    fn print_system(&mut self, prefixes: &Prefixes, out: &mut Output) {
        let Some(line) = self.system.pop_front() else { return };
        if line.ends_run {
            self.end_partial(prefixes, out);
        }
        if prefixes.timed() {
            prefixes.set_time(&mut self.prefix, now());
        }
        self.own(&line.text, prefixes, out);
    }

    /// Prints a line of ganger's own.
    fn own(&self, text: &str, prefixes: &Prefixes, out: &mut Output) {
        if prefixes.json() {
            json::own(out.lines(), Some(self.reader.log()), now(), text);
        } else {
            self.line(text.as_bytes(), out);
        }
    }

    fn line(&self, text: &[u8], out: &mut Output) {
        let lines = out.lines();
        lines.extend_from_slice(self.prefix.bytes());
        lines.extend_from_slice(text);
        lines.push(b'\n');
    }
}

/// Puts the time at which the byte at a position came into a prefix.
fn stamp(reader: &mut Reader, prefix: &mut Prefix, prefixes: &Prefixes, position: u64) -> Result<()> {
    if prefixes.timed() {
        let time = reader.stamp(position)?.time;
        prefixes.set_time(prefix, time);
    }
    Ok(())
}

/// Nanoseconds since 1970.
pub(super) fn now() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}
