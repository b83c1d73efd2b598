//! Looking up stamps in the indexes.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::files::{Files, RealFiles};
use crate::index::{self, HEADER, RECORD, RECORD_BYTES, Record};
use crate::log::{Log, Segment};
use crate::store::Inner;
use crate::{Error, Result, Stamp};

/// So many records are read at once.
const BATCH: usize = 128;

/// A place in the index of one segment.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    segment: Segment,
    epoch: u64,
    /// Records from number `first` on.
    batch: Vec<Record>,
    first: u64,
    /// No record before this position is missing from the batch's end.
    complete: u64,
}

impl Stamps {
    /// The stamp of the byte at `position`, and the first position after it that may have another stamp.
    pub(super) fn at(&mut self, store: &Inner, log: &Arc<Log>, position: u64) -> Result<(Stamp, u64)> {
        let epoch = log.epoch.load(Ordering::SeqCst);
        let fits = |open: &Open| {
            open.epoch == epoch && open.segment.base <= position && position < log.end_of(open.segment)
        };
        if !self.open.as_ref().is_some_and(fits) {
            self.open = open(store, log, position)?;
        }
        let Some(open) = self.open.as_mut() else { return Ok((Stamp::default(), u64::MAX)) };
        let slot = open.segment.slot;
        let path = || log.home().paths(&store.dir, &log.name).index(slot);
        let end = log.end_of(open.segment).max(position + 1);
        let found = open.find(position, end).map_err(|e| Error::io("read", &path(), e))?;
        Ok((found.0, found.1.min(end)))
    }
}

impl Open {
    fn find(&mut self, position: u64, end: u64) -> std::io::Result<(Stamp, u64)> {
        if self.batch.first().is_some_and(|r| r.position > position) {
            self.load(self.first_at_most(position)?, end)?;
        }
        loop {
            // The last record at or before the position, and the one after it.
            let after = self.batch.partition_point(|r| r.position <= position);
            let stamp = self.batch.get(after.saturating_sub(1)).map(|r| r.stamp).unwrap_or_default();
            if let Some(next) = self.batch.get(after) {
                return Ok((stamp, next.position));
            }
            if position < self.complete {
                return Ok((stamp, self.complete));
            }
            self.load(self.first + (self.batch.len() as u64).saturating_sub(1), end)?;
        }
    }

    /// Reads records from a number on; the log ended at `end` before that.
    fn load(&mut self, first: u64, end: u64) -> std::io::Result<()> {
        let mut bytes = [0; BATCH * RECORD_BYTES];
        let got = RealFiles.read_at(&self.file, HEADER + first * RECORD, &mut bytes)?;
        self.batch.clear();
        self.batch.extend(index::parse_all(&bytes[..got]));
        self.first = first;
        if got < bytes.len() {
            // A record is written before its bytes are.
            self.complete = end;
        }
        Ok(())
    }

    /// The number of the last record at or before a position.
    fn first_at_most(&self, position: u64) -> std::io::Result<u64> {
        let count = index::records(self.file.metadata()?.len());
        let after = first_where(&self.file, count, |r| r.position > position)?;
        Ok(after.saturating_sub(1))
    }
}

/// The number of the first record for which `wanted` is true, given that it then is for all that follow.
fn first_where(file: &File, count: u64, wanted: impl Fn(Record) -> bool) -> std::io::Result<u64> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        match index::record(&RealFiles, file, middle)? {
            Some(record) if !wanted(record) => low = middle + 1,
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}

fn open(store: &Inner, log: &Arc<Log>, position: u64) -> Result<Option<Open>> {
    let files = log.files();
    let epoch = log.epoch.load(Ordering::SeqCst);
    let holds = |s: &&Segment| s.base <= position && position < log.end_of(**s);
    let Some(&segment) = files.segments.iter().find(holds).filter(|_| !files.unsettled) else {
        return Ok(None);
    };
    let Some(file) = open_index(store, log, segment)? else { return Ok(None) };
    let mut open = Open { file, segment, epoch, batch: Vec::new(), first: 0, complete: 0 };
    let path = log.home().paths(&store.dir, &log.name).index(segment.slot);
    let number = open.first_at_most(position).map_err(|e| Error::io("read", &path, e))?;
    open.load(number, log.end_of(segment)).map_err(|e| Error::io("read", &path, e))?;
    Ok(Some(open))
}

fn open_index(store: &Inner, log: &Log, segment: Segment) -> Result<Option<File>> {
    let path = log.home().paths(&store.dir, &log.name).index(segment.slot);
    match File::open(&path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("open", &path, e)),
    }
}

/// The first position that came at or after a time.
pub(super) fn position_at(store: &Inner, log: &Log, time: i64) -> Result<u64> {
    let files = log.files();
    for &segment in files.segments.iter().rev() {
        let Some(file) = open_index(store, log, segment)? else { continue };
        let path = log.home().paths(&store.dir, &log.name).index(segment.slot);
        let wrap = |e| Error::io("read", &path, e);
        let count = index::records(file.metadata().map_err(wrap)?.len());
        let number = first_where(&file, count, |r| r.stamp.time >= time).map_err(wrap)?;
        if number < count {
            let record = index::record(&RealFiles, &file, number).map_err(wrap)?;
            return Ok(record.map_or(segment.base, |r| r.position).max(segment.base));
        }
    }
    Ok(log.end())
}
