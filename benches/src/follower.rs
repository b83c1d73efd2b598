//! A reader that follows log files while they are written, and notes how late each line came.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::files::Logs;
use crate::stamps::now;

/// How often it looks: lines seem late by up to this.
const GLANCE: Duration = Duration::from_micros(500);
/// At most this is read from one file in one look.
const READ_BYTES: usize = 1 << 16;

/// The follower, in a thread of its own.
pub(crate) struct Follower {
    asked: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<u64>>>,
}

/// A file and how far it was read.
struct Followed {
    file: File,
    read: u64,
    /// The beginning of a line whose end has not come.
    held: Vec<u8>,
}

impl Follower {
    /// Follows so many logs below a directory, each as soon as it is there: what is written before anybody looks would
    /// seem late.
    pub(crate) fn of(directory: &Path, count: usize) -> Self {
        let asked = Arc::new(AtomicBool::new(false));
        let (until, directory) = (Arc::clone(&asked), directory.to_owned());
        let thread = thread::spawn(move || follow(&directory, count, &until));
        Self { asked, thread }
    }

    /// Reads what is left, and gives by how many nanoseconds each line was late.
    pub(crate) fn finish(self) -> Result<Vec<u64>> {
        self.asked.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the follower panicked"))?
    }
}

fn follow(directory: &Path, count: usize, until: &AtomicBool) -> Result<Vec<u64>> {
    let mut late = Vec::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut files = BTreeMap::new();
    loop {
        let is_last = until.load(Ordering::Relaxed);
        if files.len() < count {
            begin(&mut files, directory)?;
        }
        for file in files.values_mut() {
            while file.look(&mut buffer, &mut late)? == READ_BYTES {}
        }
        if is_last {
            return Ok(late);
        }
        thread::sleep(GLANCE);
    }
}

/// Follows the logs that have come since.
fn begin(files: &mut BTreeMap<PathBuf, Followed>, directory: &Path) -> Result<()> {
    for path in Logs::below(directory)?.current() {
        if let Entry::Vacant(place) = files.entry(path.to_owned()) {
            place.insert(Followed { file: File::open(path)?, read: 0, held: Vec::new() });
        }
    }
    Ok(())
}

impl Followed {
    fn look(&mut self, buffer: &mut [u8], late: &mut Vec<u64>) -> Result<usize> {
        let count = self.file.read_at(buffer, self.read)?;
        let came = now();
        self.read += count as u64;
        for piece in buffer[..count].split_inclusive(|byte| *byte == b'\n') {
            self.held.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                late.extend(written_at(&self.held).map(|written| came.saturating_sub(written)));
                self.held.clear();
            }
        }
        Ok(count)
    }
}

/// When the worker wrote a line: its third word.
fn written_at(line: &[u8]) -> Option<u64> {
    std::str::from_utf8(line).ok()?.split(' ').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;

    #[test]
    fn every_line_is_seen_once_however_it_is_cut() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("1.log");
        let mut writer = OpenOptions::new().create(true).append(true).open(&path).expect("a file");
        let follower = Follower::of(directory.path(), 1);
        for piece in ["7 0 1", "00 ..\n7 1 200 ..", "\n7 2 300"] {
            writer.write_all(piece.as_bytes()).expect("written");
        }
        let late = follower.finish().expect("followed");
        assert_eq!(late.len(), 2);
        assert_eq!(late[0] - late[1], 100);
    }
}
