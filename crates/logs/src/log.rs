//! What capture and readers know in common about one log.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::Limits;
use crate::home::Home;
use crate::store::lock;

/// A file that holds a part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Which file: 0 is the one being written, 1 the one before it, and so on.
    pub(crate) slot: usize,
    /// The position of its first byte.
    pub(crate) base: u64,
    /// The position after its last byte; for the one being written, [`Log::end`] is right instead.
    pub(crate) end: u64,
    /// Its text is compressed.
    pub(crate) packed: bool,
    /// How much of the disk it takes, with its index; for the one being written, what it took at first.
    pub(crate) disk: u64,
    /// About when its last byte came, in nanoseconds since 1970.
    pub(crate) ended: i64,
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
    /// What came before this was there before it was captured.
    pub(crate) began: AtomicU64,
    home: Mutex<Arc<Home>>,
    limits: Mutex<Limits>,
    files: Mutex<LogFiles>,
    /// The positions of the followers that must miss nothing.
    pins: Mutex<Vec<Arc<AtomicU64>>>,
}

/// The files of a log. Whoever renames or removes one holds this.
#[derive(Debug, Default)]
pub(crate) struct LogFiles {
    /// The newest first.
    pub(crate) segments: Vec<Segment>,
    /// A rotation stopped half-way: names are not to be relied on until it is complete.
    pub(crate) unsettled: bool,
}

impl Log {
    pub(crate) fn new(name: &str, home: Home, segments: Vec<Segment>, limits: Limits) -> Self {
        let end = segments.first().map_or(0, |s| s.end).max(home.floor);
        Self {
            name: name.into(),
            end: AtomicU64::new(end),
            epoch: AtomicU64::new(0),
            stalled: AtomicBool::new(false),
            began: AtomicU64::new(0),
            home: Mutex::new(Arc::new(home)),
            limits: Mutex::new(limits),
            files: Mutex::new(LogFiles { segments, unsettled: false }),
            pins: Mutex::default(),
        }
    }

    pub(crate) fn files(&self) -> MutexGuard<'_, LogFiles> {
        lock(&self.files)
    }

    /// Where it is kept.
    pub(crate) fn home(&self) -> Arc<Home> {
        Arc::clone(&lock(&self.home))
    }

    /// From now on, it is kept there.
    pub(crate) fn settle_in(&self, home: Home) {
        *lock(&self.home) = Arc::new(home);
    }

    pub(crate) fn limits(&self) -> Limits {
        *lock(&self.limits)
    }

    /// Sets new limits; are they others?
    pub(crate) fn limit(&self, limits: Limits) -> bool {
        std::mem::replace(&mut *lock(&self.limits), limits) != limits
    }

    /// Remembers a follower that must miss nothing.
    pub(crate) fn pin(&self, pin: Arc<AtomicU64>) {
        lock(&self.pins).push(pin);
    }

    pub(crate) fn unpin(&self, pin: &Arc<AtomicU64>) {
        lock(&self.pins).retain(|p| !Arc::ptr_eq(p, pin));
    }

    /// The first position that a lossless follower has not read.
    pub(crate) fn pinned(&self) -> Option<u64> {
        lock(&self.pins).iter().map(|p| p.load(Ordering::Acquire)).min()
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
        self.pinned().map_or(0, |p| end.saturating_sub(p))
    }

    /// How much of the disk the log takes.
    pub(crate) fn disk_bytes(&self) -> u64 {
        let files = self.files();
        let current = files.segments.first().filter(|s| s.slot == 0).map_or(0, |s| self.end() - s.base);
        current + files.rotated_bytes()
    }

    /// The oldest rotated segment, if nobody still needs it.
    pub(crate) fn removable(&self) -> Option<Segment> {
        let pinned = self.pinned().unwrap_or(u64::MAX);
        let files = self.files();
        files.oldest().filter(|s| s.end <= pinned && !files.unsettled)
    }

    /// Where a segment ends.
    pub(crate) fn end_of(&self, segment: Segment) -> u64 {
        if segment.slot == 0 { self.end() } else { segment.end }
    }
}

impl LogFiles {
    /// The oldest rotated segment.
    pub(crate) fn oldest(&self) -> Option<Segment> {
        self.segments.last().copied().filter(|s| s.slot > 0)
    }

    /// How much of the disk the rotated segments take.
    pub(crate) fn rotated_bytes(&self) -> u64 {
        self.segments.iter().filter(|s| s.slot > 0).map(|s| s.disk).sum()
    }
}
