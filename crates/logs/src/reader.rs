//! Reading one log, over rotations.

use crate::Result;

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
pub struct Reader {}

impl Reader {
    /// Makes sure that this reader misses nothing: what it has not read is not removed, and when it lags by
    /// more than the limit, the worker has to wait.
    #[must_use]
    pub fn lossless(self) -> Self {
        self
    }

    /// The position of the next byte.
    pub fn position(&self) -> u64 {
        0
    }

    /// Reads what is there into `buf`; never waits.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<Read> {
        let _ = buf;
        unimplemented!()
    }

    /// When and from which run the byte at `position` came. Cheap when asked in ascending order.
    pub fn stamp(&mut self, position: u64) -> Result<Stamp> {
        let _ = position;
        unimplemented!()
    }
}
