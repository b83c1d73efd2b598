//! Writing one log: segments, stamps, rotation.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::files::Files;
use crate::index::{self, HEADER, Header, RECORD, Record};
use crate::log::{Log, Segment};
use crate::name::Paths;
use crate::rotate;
use crate::{Error, Limits, Result, Stamp};

/// Stamps of one log are at least this far apart, in nanoseconds.
const STAMP_STEP: i64 = 10_000_000;

/// What all writers of a store have in common.
pub(crate) struct Desk<'a, F> {
    pub(crate) files: &'a F,
    pub(crate) dir: &'a Path,
    pub(crate) limits: Limits,
}

/// The writing end of one log. Nothing is opened before the first byte comes.
pub(crate) struct Writer<F: Files> {
    open: Option<Box<Open<F::File>>>,
    run: u64,
    /// Runs that begin at positions still to be reached.
    begins: VecDeque<(u64, u64)>,
    /// Bytes that were read from the pipe but not yet written, where splicing is not possible.
    carry: Vec<u8>,
}

struct Open<T> {
    log: T,
    index: T,
    base: u64,
    records: u64,
    last: Option<Record>,
    /// The next byte needs a stamp, however young the last one is.
    due: bool,
}

impl<F: Files> Default for Writer<F> {
    fn default() -> Self {
        Self { open: None, run: 0, begins: VecDeque::new(), carry: Vec::new() }
    }
}

impl<F: Files> Writer<F> {
    /// Bytes at and after `position` are of this run.
    pub(crate) fn begin(&mut self, position: u64, run: u64) {
        self.begins.push_back((position, run));
    }

    /// How many bytes were taken from the source but are not stored yet.
    pub(crate) fn carried(&self) -> u64 {
        self.carry.len() as u64
    }

    /// Moves up to `max` bytes from the source to the log; 0 when there are none now. After an error, nothing
    /// is lost and the same call may be made again.
    pub(crate) fn pour(
        &mut self,
        desk: &Desk<'_, F>,
        log: &Log,
        source: &F::Source,
        now: i64,
        max: usize,
    ) -> Result<usize> {
        let paths = Paths { dir: desk.dir, name: &log.name };
        if log.files().unsettled {
            self.rotate(desk, paths, log)?;
        }
        if self.open.is_none() {
            self.open = Some(Box::new(open(desk.files, paths, log)?));
        }
        let end = log.end();
        if self.open.as_ref().is_some_and(|open| end - open.base >= desk.limits.file_bytes) {
            self.decide(desk, paths, log)?;
            self.rotate(desk, paths, log)?;
            return self.pour(desk, log, source, now, max);
        }
        let Some(open) = self.open.as_mut() else { return Ok(0) };
        while let Some((_, run)) = self.begins.pop_front_if(|(position, _)| *position <= end) {
            self.run = run;
            open.due = true;
        }
        let room = desk.limits.file_bytes - (end - open.base);
        let run_end = self.begins.front().map_or(u64::MAX, |(position, _)| position - end);
        let max = usize::try_from(room.min(run_end)).unwrap_or(max).min(max);
        open.stamp(desk.files, end, Stamp { time: now, run: self.run });
        let got = desk
            .files
            .pour(source, &open.log, end - open.base, max, &mut self.carry)
            .map_err(|e| Error::io("write", &paths.log(0), e))?;
        log.end.store(end + got as u64, Ordering::Release);
        Ok(got)
    }

    fn decide(&mut self, desk: &Desk<'_, F>, paths: Paths<'_>, log: &Log) -> Result<()> {
        let Some(open) = self.open.as_ref() else { return Ok(()) };
        let old = Segment { slot: 0, base: open.base, end: log.end() };
        let stamp = open.last.map(|r| r.stamp).unwrap_or_default();
        log.files().unsettled = true;
        rotate::decide(desk.files, paths, &open.log, old, stamp)
    }

    /// Completes or forgets the rotation under way.
    fn rotate(&mut self, desk: &Desk<'_, F>, paths: Paths<'_>, log: &Log) -> Result<()> {
        let mut held = log.files();
        // From here on, what readers have read from an open file may have been cut off under them.
        log.epoch.fetch_add(1, Ordering::SeqCst);
        held.unsettled = true;
        self.open = None;
        rotate::settle(desk.files, paths)?;
        let top = held.segments.iter().map(|s| s.slot).max().unwrap_or(0) + 1;
        held.segments = rotate::survey(desk.files, paths, 0..=top)?;
        held.unsettled = false;
        let pinned = held.pinned().unwrap_or(u64::MAX);
        let keep = desk.limits.backups as usize;
        let too_old = |s: &Segment| s.slot > keep && s.end <= pinned;
        while let Some(old) = held.segments.last().copied().filter(too_old) {
            // One that cannot be removed is not forgotten, lest it stay for ever.
            rotate::remove(desk.files, &paths.log(old.slot))?;
            held.segments.pop();
            rotate::remove(desk.files, &paths.index(old.slot))?;
        }
        Ok(())
    }
}

impl<T> Open<T> {
    /// Writes a stamp for what comes next, if one is due. Failing is no reason to stop: the bytes count
    /// more, and the next call tries again.
    fn stamp<F: Files<File = T>>(&mut self, files: &F, position: u64, stamp: Stamp) {
        let young = self.last.is_some_and(|r| (0..STAMP_STEP).contains(&(stamp.time - r.stamp.time)));
        if young && !self.due {
            return;
        }
        let again = self.last.is_some_and(|r| r.position == position);
        let number = if again { self.records - 1 } else { self.records };
        let record = Record { position, stamp };
        if files.write_at(&self.index, HEADER + number * RECORD, &record.bytes()).is_ok() {
            self.records = number + 1;
            self.last = Some(record);
            self.due = false;
        }
    }
}

/// Opens the segment being written, or begins the first one.
fn open<F: Files>(files: &F, paths: Paths<'_>, log: &Log) -> Result<Open<F::File>> {
    let (text, beside) = (paths.log(0), paths.index(0));
    let end = log.end();
    let current = log.files().segments.first().copied().filter(|s| s.slot == 0);
    let base = current.map_or(end, |s| s.base);
    let index = if current.is_some() {
        let index = files.open(&beside, false).map_err(|e| Error::io("open", &beside, e))?;
        index.ok_or_else(|| Error::io("open", &beside, std::io::ErrorKind::NotFound))?
    } else {
        // The index comes first: a text without one could not say where it begins.
        let index = rotate::open_new(files, &beside)?;
        let header = Header { base, cut: 0 }.bytes();
        files.write_at(&index, 0, &header).map_err(|e| Error::io("write", &beside, e))?;
        index
    };
    let text_file = files.open(&text, true).map_err(|e| Error::io("open", &text, e))?;
    let text_file = text_file.ok_or_else(|| Error::io("open", &text, std::io::ErrorKind::NotFound))?;
    if current.is_none() {
        log.files().segments.insert(0, Segment { slot: 0, base, end });
    }
    let wrap = |e| Error::io("read", &beside, e);
    let records = index::records(files.size(&beside).map_err(wrap)?.unwrap_or(0));
    let last = match records {
        0 => None,
        n => index::record(files, &index, n - 1).map_err(wrap)?,
    };
    Ok(Open { log: text_file, index, base, records, last, due: true })
}
