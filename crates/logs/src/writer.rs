//! Writing one log: segments, stamps, rotation.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::files::Files;
use crate::index::{self, HEADER, Header, RECORD, Record};
use crate::log::{Log, Segment};
use crate::name::Paths;
use crate::rotate::{self, Cut};
use crate::{Error, Limits, Result, Stamp};

/// Stamps of one log are at least this far apart, in nanoseconds.
const STAMP_STEP: i64 = 10_000_000;

/// What a move did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    /// So many bytes are stored; 0 when there are none now.
    pub(crate) bytes: usize,
    /// The log was rotated before.
    pub(crate) rotated: bool,
}

/// What all writers of a store have in common.
pub(crate) struct Desk<'a, F> {
    pub(crate) files: &'a F,
    pub(crate) dir: &'a Path,
}

/// The writing end of one log. Nothing is opened before the first byte comes.
pub(crate) struct Writer<F: Files> {
    open: Option<Box<Open<F::File>>>,
    run: u64,
    /// Runs that begin at positions still to be reached.
    begins: VecDeque<(u64, u64)>,
    /// Bytes that were read from the pipe but not yet written, where splicing is not possible.
    carry: Vec<u8>,
    /// When the segment that is to be opened was begun, if a rotation did that.
    began: Option<i64>,
    /// A rotation stopped half-way.
    unsettled: bool,
}

struct Open<T> {
    log: T,
    index: T,
    base: u64,
    /// When it was begun, in nanoseconds since 1970.
    began: i64,
    records: u64,
    last: Option<Record>,
    /// The next byte needs a stamp, however young the last one is.
    due: bool,
}

impl<F: Files> Default for Writer<F> {
    fn default() -> Self {
        let (begins, carry) = (VecDeque::new(), Vec::new());
        Self { open: None, run: 0, begins, carry, began: None, unsettled: false }
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

    /// Moves up to `max` bytes from the source to the log; says how many, and whether the log was rotated. After an
    /// error, nothing is lost and the same call may be made again.
    pub(crate) fn pour(
        &mut self,
        desk: &Desk<'_, F>,
        log: &Log,
        source: &F::Source,
        now: i64,
        max: usize,
    ) -> Result<Moved> {
        let (paths, limits, end) = (Paths { dir: desk.dir, name: &log.name }, log.limits(), log.end());
        let rotated = self.make_room(desk, paths, log, &limits, now)?;
        let Some(open) = self.open.as_mut() else { return Ok(Moved { bytes: 0, rotated }) };
        while let Some((_, run)) = self.begins.pop_front_if(|(position, _)| *position <= end) {
            self.run = run;
            open.due = true;
        }
        let room = limits.file_bytes.max(1).saturating_sub(end - open.base);
        let run_end = self.begins.front().map_or(u64::MAX, |(position, _)| position - end);
        let max = usize::try_from(room.min(run_end)).unwrap_or(max).min(max);
        open.stamp(desk.files, end, Stamp { time: now, run: self.run });
        let bytes = desk
            .files
            .pour(source, &open.log, end - open.base, max, &mut self.carry)
            .map_err(|e| Error::io("write", &paths.log(0), e))?;
        log.end.store(end + bytes as u64, Ordering::Release);
        Ok(Moved { bytes, rotated })
    }

    /// Opens the segment to be written, and rotates while that is full or old; says whether it did.
    fn make_room(
        &mut self,
        desk: &Desk<'_, F>,
        paths: Paths<'_>,
        log: &Log,
        limits: &Limits,
        now: i64,
    ) -> Result<bool> {
        let mut rotated = self.unsettled;
        if self.unsettled {
            self.rotate(desk, paths, log, limits, now)?;
        }
        loop {
            let open = match self.open.take() {
                Some(open) => open,
                None => Box::new(open(desk.files, paths, log, self.began, now)?),
            };
            self.began = None;
            let open = self.open.insert(open);
            let len = log.end() - open.base;
            let is_full = len >= limits.file_bytes.max(1);
            let is_old = len > 0 && limits.is_old(open.began, now);
            if !(is_full || is_old) || !self.decide(desk, paths, log, !is_full)? {
                return Ok(rotated);
            }
            self.rotate(desk, paths, log, limits, now)?;
            rotated = true;
        }
    }

    fn decide(&mut self, desk: &Desk<'_, F>, paths: Paths<'_>, log: &Log, only_lines: bool) -> Result<bool> {
        let Some(open) = self.open.as_ref() else { return Ok(false) };
        let stamp = open.last.map(|r| r.stamp).unwrap_or_default();
        let cut = Cut { text: &open.log, base: open.base, end: log.end(), stamp, only_lines };
        log.files().unsettled = true;
        self.unsettled = true;
        let decided = rotate::decide(desk.files, paths, &cut)?;
        if !decided {
            log.files().unsettled = false;
            self.unsettled = false;
        }
        Ok(decided)
    }

    /// Completes or forgets the rotation under way.
    fn rotate(
        &mut self,
        desk: &Desk<'_, F>,
        paths: Paths<'_>,
        log: &Log,
        limits: &Limits,
        now: i64,
    ) -> Result<()> {
        let mut held = log.files();
        // From here on, what readers have read from an open file may have been cut off under them.
        log.epoch.fetch_add(1, Ordering::SeqCst);
        held.unsettled = true;
        self.open = None;
        rotate::settle(desk.files, paths)?;
        let top = held.segments.iter().map(|s| s.slot).max().unwrap_or(0) + 1;
        held.segments = rotate::survey(desk.files, paths, 0..=top)?;
        held.unsettled = false;
        self.unsettled = false;
        self.began = Some(now);
        drop(held);
        let too_much = |s: &Segment| {
            s.slot > limits.backups as usize || log.files().rotated_bytes() > limits.rotated_bytes()
        };
        while log.removable().as_ref().is_some_and(too_much) {
            rotate::drop_oldest(desk.files, paths, log)?;
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

/// Opens the segment being written, or begins the first one. It counts as begun when it was `rotated`, else when its
/// first byte came.
fn open<F: Files>(
    files: &F,
    paths: Paths<'_>,
    log: &Log,
    rotated: Option<i64>,
    now: i64,
) -> Result<Open<F::File>> {
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
        let new = Segment { slot: 0, base, end, packed: false, disk: 0, ended: now };
        log.files().segments.insert(0, new);
    }
    let wrap = |e| Error::io("read", &beside, e);
    let records = index::records(files.size(&beside).map_err(wrap)?.unwrap_or(0));
    let record = |number| index::record(files, &index, number).map_err(wrap);
    let (first, last) = match records {
        0 => (None, None),
        n => (record(0)?, record(n - 1)?),
    };
    let began = rotated.or(first.map(|r| r.stamp.time)).unwrap_or(now);
    Ok(Open { log: text_file, index, base, began, records, last, due: true })
}
