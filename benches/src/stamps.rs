//! What workers leave when they begin and when they have written everything.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::time::{ClockId, clock_gettime};

use crate::processes::PATIENCE;

/// Bytes of a record, as `floor/worker.c` writes it.
const RECORD: u64 = 32;
/// How often the file is looked at: seldom, so as not to take time from what is measured.
const GLANCE: Duration = Duration::from_millis(10);

/// The file of the stamps.
pub(crate) struct Stamps(PathBuf);

/// One of them.
pub(crate) struct Stamp {
    /// Whether the worker has ended its work.
    pub(crate) is_end: bool,
    /// Whose.
    pub(crate) pid: i32,
    /// When, by the monotonic clock in nanoseconds.
    pub(crate) time: u64,
}

impl Stamps {
    /// A new file without any.
    pub(crate) fn new(path: PathBuf) -> Result<Self> {
        fs::write(&path, "")?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// How many there are.
    pub(crate) fn count(&self) -> Result<u64> {
        Ok(fs::metadata(&self.0)?.len() / RECORD)
    }

    /// Waits until there are `count` stamps, and gives all.
    pub(crate) fn wait(&self, count: u32) -> Result<Vec<Stamp>> {
        let end = Instant::now() + PATIENCE;
        while self.count()? < u64::from(count) {
            if Instant::now() > end {
                bail!("only {} of {count} stamps came", self.count()?);
            }
            thread::sleep(GLANCE);
        }
        let text = fs::read_to_string(&self.0)?;
        text.lines().map(|line| parse(line).with_context(|| format!("no stamp: {line:?}"))).collect()
    }
}

fn parse(line: &str) -> Option<Stamp> {
    let mut fields = line.split_whitespace();
    let is_end = fields.next()? == "e";
    Some(Stamp { is_end, pid: fields.next()?.parse().ok()?, time: fields.next()?.parse().ok()? })
}

/// The monotonic clock in nanoseconds: the same that workers stamp with.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_the_worker_writes_it() {
        let stamp = parse("e      4711       123456789012").expect("a stamp");
        assert!(stamp.is_end && stamp.pid == 4711 && stamp.time == 123_456_789_012);
        assert!(parse("b 1").is_none());
    }
}
