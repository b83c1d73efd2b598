//! How much of a log is kept, and how.

use std::time::Duration;

/// How much of a log is kept, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A log file is rotated when it has grown to this.
    pub file_bytes: u64,
    /// That many rotated files are kept beside the current one.
    pub backups: u32,
    /// A log file is rotated by the first write that finds it older than this. Nothing wakes up for it: a file that is
    /// not written to stays as it is.
    pub file_age: Option<Duration>,
    /// All files of the log together take at most this on the disk: the oldest rotated ones go first, and room is
    /// kept for the current one to grow.
    pub total_bytes: Option<u64>,
    /// Rotated files are compressed.
    pub compress: bool,
    /// By this much a follower that must miss nothing may lag before the worker has to wait.
    pub unread_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 10 << 20,
            backups: 10,
            file_age: None,
            total_bytes: None,
            compress: false,
            unread_bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// Whether a file that was begun at a time (nanoseconds since 1970) is too old.
    pub(crate) fn is_old(&self, began: i64, now: i64) -> bool {
        let age = now.saturating_sub(began);
        self.file_age.is_some_and(|limit| u128::try_from(age).is_ok_and(|age| age >= limit.as_nanos()))
    }

    /// How much the rotated files may take, with room for the current one.
    pub(crate) fn rotated_bytes(&self) -> u64 {
        self.total_bytes.map_or(u64::MAX, |total| total.saturating_sub(self.file_bytes))
    }
}
