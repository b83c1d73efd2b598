//! Writing one log: segments, stamps, rotation.

mod moving;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::Ordering;

use rustix::io::Errno;

use self::moving::Goal;
use crate::files::{Files, Id};
use crate::hand::Hand;
use crate::home::{Home, Place};
use crate::index::{self, HEADER, Header, RECORD, Record};
use crate::log::{Log, Segment};
use crate::name::{PRIVATE, Paths};
use crate::rotate::{self, Cut};
use crate::strip::Strip;
use crate::{Error, Limits, Result, Stamp};

/// Stamps of one log are at least this far apart, in nanoseconds.
const STAMP_STEP: i64 = 10_000_000;

/// What a move did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    /// So many bytes are stored, or were at least taken; 0 when there are none now.
    pub(crate) bytes: usize,
    /// So many of the bytes that were taken will not be stored. Negative if such are to be, after all.
    pub(crate) left_out: i64,
    /// The log was rotated before.
    pub(crate) rotated: bool,
}

/// What all writers of a store have in common.
pub(crate) struct Desk<'a, F> {
    pub(crate) files: &'a F,
    pub(crate) dir: &'a Path,
    pub(crate) hand: &'a RefCell<Hand>,
}

/// The writing end of one log. Nothing is opened before the first byte comes.
pub(crate) struct Writer<F: Files> {
    open: Option<Box<Open<F::File>>>,
    run: u64,
    /// Runs that begin at positions still to be reached.
    begins: VecDeque<(u64, u64)>,
    /// Bytes that were read from the pipe but not yet written, where they can neither be spliced nor carried by hand.
    carry: Vec<u8>,
    /// So many that could not be written either are in the hand.
    held: usize,
    strip: Strip,
    /// When the segment that is to be opened was begun, if a rotation did that.
    began: Option<i64>,
    /// A rotation stopped half-way.
    unsettled: bool,
}

struct Open<T> {
    log: T,
    id: Id,
    index: T,
    base: u64,
    /// When it was begun, in nanoseconds since 1970.
    began: i64,
    records: u64,
    last: Option<Record>,
    /// The next byte needs a stamp, however young the last one is.
    due: bool,
}

impl<F: Files> Writer<F> {
    /// Goes on with a log as the writer before left it.
    pub(crate) fn new(log: &Log) -> Self {
        let (begins, carry, strip) = Default::default();
        let unsettled = log.files().unsettled;
        Self { open: None, run: 0, begins, carry, held: 0, strip, began: None, unsettled }
    }

    /// Bytes at and after `position` are of this run.
    pub(crate) fn begin(&mut self, position: u64, run: u64) {
        self.begins.push_back((position, run));
    }

    /// How many bytes were taken from the source but are not stored yet.
    pub(crate) fn carried(&self) -> u64 {
        (self.carry.len() + self.held) as u64
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
        let home = log.home();
        if home.place == Place::Dropped {
            return self.drop_some(desk, source, log, max);
        }
        let settled = self.settle(desk, log, now)?;
        if settled.bytes > 0 {
            return Ok(settled);
        }
        let paths = home.paths(desk.dir, &log.name);
        let looked = self.look(desk, paths, log)?;
        let rotated = self.make_room(desk, paths, log, &log.limits(), now)? || looked;
        let Some(open) = self.open.as_mut() else { return Ok(Moved { bytes: 0, left_out: 0, rotated }) };
        let end = log.end();
        while let Some((_, run)) = self.begins.pop_front_if(|(position, _)| *position <= end) {
            self.run = run;
            open.due = true;
        }
        let room = log.limits().file_bytes.max(1).saturating_sub(end - open.base);
        let run_end = self.begins.front().map_or(u64::MAX, |(position, _)| position - end);
        let max = usize::try_from(room.min(run_end)).unwrap_or(max).min(max);
        open.stamp(desk.files, end, Stamp { time: now, run: self.run });
        let moved = self.carry_over(&Goal { desk, paths, log }, source, max);
        let moved = moved.map_err(|e| Error::io("write", &paths.log(0), e))?;
        Ok(Moved { rotated, ..moved })
    }

    /// Looks what others did to a file that has a place of its own; says whether the log begins anew.
    fn look(&mut self, desk: &Desk<'_, F>, paths: Paths<'_>, log: &Log) -> Result<bool> {
        let Some(path) = paths.file.filter(|_| !self.unsettled) else { return Ok(false) };
        let current = log.files().segments.first().copied().filter(|s| s.slot == 0);
        let Some(base) = self.open.as_ref().map(|open| open.base).or(current.map(|s| s.base)) else {
            return Ok(false);
        };
        let found = desk.files.find(path).map_err(|e| Error::io("inspect", path, e))?;
        let end = log.end();
        if let Some((id, size)) = found
            && self.open.as_ref().is_none_or(|open| open.id == id)
            && base + size >= end
        {
            // What somebody else has written at its end is of the log, too.
            log.end.store(base + size, Ordering::Release);
            return Ok(false);
        }
        self.open = None;
        self.unsettled = true;
        let mut held = log.files();
        log.epoch.fetch_add(1, Ordering::SeqCst);
        held.unsettled = true;
        rotate::anew(desk.files, paths, log, &mut held)?;
        self.unsettled = false;
        Ok(true)
    }

    /// Lets go of the file, so that it is looked for again; and makes one, if there is none at a place of its own.
    pub(crate) fn reopen(&mut self, desk: &Desk<'_, F>, log: &Log, now: i64) -> Result<()> {
        let home = log.home();
        let paths = home.paths(desk.dir, &log.name);
        if self.unsettled {
            self.rotate(desk, paths, log, &log.limits(), now)?;
        }
        self.look(desk, paths, log)?;
        self.open = None;
        if paths.file.is_some() {
            self.open = Some(Box::new(open(desk.files, paths, log, None, now)?));
        }
        Ok(())
    }

    /// Empties the log: the file being written is removed, and what comes is written to a new one. Rotated files stay.
    pub(crate) fn clear(&mut self, desk: &Desk<'_, F>, log: &Log, now: i64) -> Result<()> {
        let mut home = (*log.home()).clone();
        home.floor = log.end();
        let paths = home.paths(desk.dir, &log.name);
        if self.unsettled {
            self.rotate(desk, paths, log, &log.limits(), now)?;
        }
        home.write(desk.files, paths)?;
        log.settle_in(home.clone());
        self.open = None;
        self.unsettled = true;
        let mut held = log.files();
        log.epoch.fetch_add(1, Ordering::SeqCst);
        held.unsettled = true;
        rotate::remove(desk.files, &paths.log(0))?;
        rotate::take_stock(desk.files, paths, log, &mut held)?;
        drop(held);
        self.unsettled = false;
        self.reopen(desk, log, now)
    }

    /// Moves the log to another place: what comes from now on is written there. What is at the old place stays there, and
    /// is of the log no more; what is at the new one is.
    pub(crate) fn move_to(&mut self, desk: &Desk<'_, F>, log: &Log, mut home: Home, now: i64) -> Result<()> {
        let old = log.home();
        if self.unsettled || log.files().unsettled {
            self.rotate(desk, old.paths(desk.dir, &log.name), log, &log.limits(), now)?;
        }
        home.floor = log.end().max(old.floor);
        let paths = home.paths(desk.dir, &log.name);
        if let Some(path) = paths.file {
            let found = desk.files.open(path, Some(paths.mode())).map_err(|e| Error::io("open", path, e))?;
            found.ok_or_else(|| Error::io("open", path, Errno::NOENT))?;
        }
        home.write(desk.files, paths)?;
        log.settle_in(home.clone());
        if old.paths(desk.dir, &log.name).file == paths.file {
            return Ok(());
        }
        self.open = None;
        self.unsettled = true;
        let mut held = log.files();
        log.epoch.fetch_add(1, Ordering::SeqCst);
        held.unsettled = true;
        let slots = held.segments.iter().map(|s| s.slot).collect();
        let (home, segments) = rotate::recover(desk.files, (desk.dir, &log.name), home, &slots)?;
        held.segments = segments;
        log.settle_in(home.clone());
        held.unsettled = false;
        self.unsettled = false;
        let end = held.segments.first().map_or(0, |s| s.end).max(home.floor);
        log.end.store(end, Ordering::Release);
        log.began.store(end, Ordering::Release);
        Ok(())
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
            if self.run == 0 {
                // A pipe that a new start took up: whoever wrote last writes on.
                self.run = open.last.map_or(0, |record| record.stamp.run);
            }
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
        rotate::take_stock(desk.files, paths, log, &mut held)?;
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
    /// Notes how far the text goes, in the place of the next stamp: what others do to the file does not change that.
    fn note_end<F: Files<File = T>>(&mut self, files: &F, end: u64) {
        let Some(last) = self.last else { return };
        let record = Record { position: end, ..last };
        // If it fails, the one before tells it nearly as well.
        let _ = files.write_at(&self.index, HEADER + self.records * RECORD, &record.bytes());
    }

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
        let index = files.open(&beside, None).map_err(|e| Error::io("open", &beside, e))?;
        index.ok_or_else(|| Error::io("open", &beside, Errno::NOENT))?
    } else {
        // The index comes first: a text without one could not say where it begins.
        let index = rotate::open_new(files, &beside, PRIVATE)?;
        let header = Header { base, cut: 0 }.bytes(paths.seal());
        files.write_at(&index, 0, &header).map_err(|e| Error::io("write", &beside, e))?;
        index
    };
    let text_file = files.open(&text, Some(paths.mode())).map_err(|e| Error::io("open", &text, e))?;
    let text_file = text_file.ok_or_else(|| Error::io("open", &text, Errno::NOENT))?;
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
    if paths.file.is_some() && current.is_none() {
        // What somebody else has written into it meanwhile.
        let size = files.len(&text_file).map_err(|e| Error::io("inspect", &text, e))?;
        log.end.store(base + size, Ordering::Release);
    }
    let id = files.id(&text_file).map_err(|e| Error::io("inspect", &text, e))?;
    Ok(Open { log: text_file, id, index, base, began, records, last, due: true })
}
