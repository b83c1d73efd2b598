//! What capture and readers know in common about one log.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A file that holds a part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Which file: 0 is the one being written, 1 the one before it, and so on.
    pub(crate) slot: usize,
    /// The position of its first byte.
    pub(crate) base: u64,
    /// The position after its last byte; for the one being written, [`Log::end`] is right instead.
    pub(crate) end: u64,
}

/// One log.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) name: Arc<str>,
    /// The position after the last byte.
    pub(crate) end: AtomicU64,
    /// Changes before a rotation touches a file: what was read while it changed is not to be believed.
    pub(crate) epoch: AtomicU64,
    /// Capture leaves the pipe to fill until a lossless follower has caught up.
    pub(crate) stalled: AtomicBool,
    files: Mutex<LogFiles>,
}

/// The files of a log, and who needs them.
#[derive(Debug, Default)]
pub(crate) struct LogFiles {
    /// The newest first.
    pub(crate) segments: Vec<Segment>,
    /// A rotation stopped half-way: names are not to be relied on until it is complete.
    pub(crate) unsettled: bool,
    /// The positions of the followers that must miss nothing.
    pub(crate) pins: Vec<Arc<AtomicU64>>,
}

impl Log {
    pub(crate) fn new(name: &str, segments: Vec<Segment>) -> Self {
        let end = segments.first().map_or(0, |s| s.end);
        Self {
            name: name.into(),
            end: AtomicU64::new(end),
            epoch: AtomicU64::new(0),
            stalled: AtomicBool::new(false),
            files: Mutex::new(LogFiles { segments, ..LogFiles::default() }),
        }
    }

    pub(crate) fn files(&self) -> MutexGuard<'_, LogFiles> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// The position of the oldest byte that is kept.
    pub(crate) fn start(&self) -> u64 {
        self.files().segments.last().map_or_else(|| self.end(), |s| s.base)
    }

    /// How far the slowest lossless follower lags.
    pub(crate) fn lag(&self) -> u64 {
        let end = self.end();
        self.files().pinned().map_or(0, |p| end.saturating_sub(p))
    }

    /// Where a segment ends.
    pub(crate) fn end_of(&self, segment: Segment) -> u64 {
        if segment.slot == 0 { self.end() } else { segment.end }
    }
}

impl LogFiles {
    /// The first position that a lossless follower has not read.
    pub(crate) fn pinned(&self) -> Option<u64> {
        self.pins.iter().map(|p| p.load(Ordering::Acquire)).min()
    }
}
