//! Reading one log, over rotations.

mod back;
mod lines;
#[cfg(test)]
mod packed_tests;
mod seek;
mod stamps;

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

pub(crate) use back::last_lines;
pub(crate) use lines::{Lines, Next};

use crate::files::RealFiles;
use crate::log::{Log, Segment};
use crate::pack::Packed;
use crate::store::Inner;
use crate::{Error, Result, Store};

/// Where a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The oldest byte that is still kept.
    Start,
    /// The end as it is now: only what is new.
    End,
    /// A byte by its position in the whole log.
    Position(u64),
    /// The first byte that came at or after this time (nanoseconds since 1970).
    Time(i64),
    /// The last that many lines.
    LastLines(usize),
}

/// When and from which run some bytes came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Nanoseconds since 1970.
    pub time: i64,
    /// The run that wrote them; 0 when it is not known.
    pub run: u64,
}

/// What a read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// So many bytes are in the buffer.
    Bytes(usize),
    /// So many bytes were removed by rotation before they were read; reading goes on after them.
    Skipped(u64),
    /// Nothing new now.
    End,
}

/// Reads one log from a place on, over rotations, and follows it as it grows.
#[derive(Debug)]
pub struct Reader {
    store: Arc<Inner>,
    log: Arc<Log>,
    position: u64,
    open: Option<Open>,
    stamps: stamps::Stamps,
    pin: Option<Arc<AtomicU64>>,
}

/// An open segment, as it was at an epoch of the log.
#[derive(Debug)]
struct Open {
    text: Text,
    segment: Segment,
    epoch: u64,
}

/// The text of a segment, as it is on the disk.
#[derive(Debug)]
enum Text {
    Plain(File),
    Packed(Packed<File>),
}

impl Text {
    fn read_at(&mut self, at: u64, buf: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(file) => file.read_at(buf, at),
            Self::Packed(packed) => packed.read_at(&RealFiles, at, buf),
        }
    }
}

/// What opening a segment found.
enum Found {
    Segment(Open),
    /// What is wanted is no more; the next that is kept is here.
    Gone(u64),
    /// A rotation is under way, or there is nothing yet.
    NotNow,
}

impl Reader {
    pub(crate) fn new(store: Arc<Inner>, log: Arc<Log>, from: From) -> Result<Self> {
        let stamps = stamps::Stamps::default();
        let mut reader = Self { store, log, position: 0, open: None, stamps, pin: None };
        reader.position = reader.seek(from)?;
        Ok(reader)
    }

    /// Makes sure that this reader misses nothing: what it has not read is not removed, and when it lags by
    /// more than the limit, the worker has to wait.
    #[must_use]
    pub fn lossless(mut self) -> Self {
        if self.pin.is_none() {
            let pin = Arc::new(AtomicU64::new(self.position));
            self.log.pin(Arc::clone(&pin));
            self.pin = Some(pin);
        }
        self
    }

    /// The name of the log.
    pub fn log(&self) -> &Arc<str> {
        &self.log.name
    }

    /// The store that holds the log.
    pub fn store(&self) -> Store {
        Store { inner: Arc::clone(&self.store) }
    }

    /// The position of the next byte.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Is there something to read?
    pub fn has_news(&self) -> bool {
        self.log.end() > self.position
    }

    /// Reads what is there into `buf`; never waits.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<Read> {
        loop {
            let end = self.log.end();
            if self.position >= end {
                return Ok(Read::End);
            }
            let epoch = self.log.epoch.load(Ordering::SeqCst);
            if !self
                .open
                .as_ref()
                .is_some_and(|open| open.epoch == epoch && open.holds(&self.log, self.position))
            {
                match self.open_at(self.position)? {
                    Found::Segment(open) => self.open = Some(open),
                    Found::Gone(next) => return Ok(self.skip_to(next)),
                    Found::NotNow => return Ok(Read::End),
                }
            }
            let Some(open) = self.open.as_mut() else { continue };
            let left = self.log.end_of(open.segment) - self.position;
            let max = usize::try_from(left).unwrap_or(buf.len()).min(buf.len());
            let at = self.position - open.segment.base;
            let got = open.text.read_at(at, &mut buf[..max]);
            // A rotation moves the torn tail away; what was read while it did may be the hole it left.
            fence(Ordering::SeqCst);
            if self.log.epoch.load(Ordering::SeqCst) != open.epoch {
                continue;
            }
            let segment = open.segment;
            return match got {
                // Somebody else has shortened the file, or what was compressed is garbage.
                Ok(0) if max > 0 => Ok(self.skip_to(self.log.end_of(segment))),
                Err(e) if e.kind() == ErrorKind::InvalidData => Ok(self.skip_to(self.log.end_of(segment))),
                Ok(n) => {
                    self.position += n as u64;
                    self.advance_pin();
                    Ok(Read::Bytes(n))
                }
                Err(e) => Err(Error::io("read", &self.path(segment), e)),
            };
        }
    }

    /// When and from which run the byte at `position` came. Cheap when asked in ascending order.
    pub fn stamp(&mut self, position: u64) -> Result<Stamp> {
        self.stamps.at(&self.store, &self.log, position).map(|(stamp, _)| stamp)
    }

    /// The same, and the first position after it that may have another stamp.
    fn stamp_until(&mut self, position: u64) -> Result<(Stamp, u64)> {
        self.stamps.at(&self.store, &self.log, position)
    }

    fn skip_to(&mut self, next: u64) -> Read {
        let skipped = next - self.position;
        self.position = next;
        self.open = None;
        self.advance_pin();
        Read::Skipped(skipped)
    }

    fn open_at(&self, position: u64) -> Result<Found> {
        let files = self.log.files();
        if files.unsettled {
            return Ok(Found::NotNow);
        }
        let epoch = self.log.epoch.load(Ordering::SeqCst);
        // The oldest that ends after the position: it holds it, or is what comes next.
        let next = files.segments.iter().rev().find(|s| self.log.end_of(**s) > position);
        let Some(&segment) = next else { return Ok(Found::NotNow) };
        if segment.base > position {
            return Ok(Found::Gone(segment.base));
        }
        let path = self.path(segment);
        let opened = File::open(&path).and_then(|file| {
            if segment.packed {
                Packed::new(&RealFiles, file).map(Text::Packed)
            } else {
                Ok(Text::Plain(file))
            }
        });
        match opened {
            Ok(text) => Ok(Found::Segment(Open { text, segment, epoch })),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
                Ok(Found::Gone(self.log.end_of(segment)))
            }
            Err(e) => Err(Error::io("open", &path, e)),
        }
    }

    fn path(&self, segment: Segment) -> PathBuf {
        self.log.home().paths(&self.store.dir, &self.log.name).text(segment)
    }

    /// Lets capture know how far a lossless reader has come.
    fn advance_pin(&self) {
        let Some(pin) = &self.pin else { return };
        pin.store(self.position, Ordering::SeqCst);
        // Pairs with the one in capture: either this sees that it stopped or it sees this progress.
        fence(Ordering::SeqCst);
        if self.log.stalled.load(Ordering::SeqCst) && self.log.lag() <= self.log.limits().unread_bytes / 2 {
            self.release();
        }
    }

    fn release(&self) {
        self.log.stalled.store(false, Ordering::SeqCst);
        if let Some(capture) = &self.store.capture {
            capture.ring();
        }
    }
}

impl Open {
    fn holds(&self, log: &Log, position: u64) -> bool {
        self.segment.base <= position && position < log.end_of(self.segment)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(pin) = self.pin.take() {
            self.log.unpin(&pin);
            fence(Ordering::SeqCst);
            if self.log.stalled.load(Ordering::SeqCst) {
                self.release();
            }
        }
    }
}
