//! How far a follower got with each log, kept where the next overseer finds it: when this one is killed, the next goes
//! on with the first line that was not shown or sent. A kill between that and its mark gives a few lines twice; none is
//! left out.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// A log's name, padded with zeros.
const NAME_BYTES: usize = 120;
/// A name and a position.
const MARK_BYTES: usize = NAME_BYTES + 8;
/// A file that is longer than this is not ours.
const FILE_MAX_BYTES: u64 = 64 << 20;

/// The file of marks, one of a fixed size for each log.
#[derive(Debug)]
pub struct Marks {
    file: File,
    /// The number of each log's mark, and how far the follower was when the file was opened.
    known: BTreeMap<String, (u64, u64)>,
}

impl Marks {
    /// Opens the marks of the overseers before, or makes a file for them.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let length = file.metadata()?.len();
        if length > FILE_MAX_BYTES {
            file.set_len(0)?;
        }
        let mut known = BTreeMap::new();
        let mut mark = [0; MARK_BYTES];
        let mut number = 0;
        while file.read_exact_at(&mut mark, number * MARK_BYTES as u64).is_ok() {
            if let Some((name, position)) = parse(&mark) {
                known.insert(name, (number, position));
            }
            number += 1;
        }
        Ok(Self { file, known })
    }

    /// How far the follower of the overseers before was with each log.
    pub fn positions(&self) -> BTreeMap<String, u64> {
        self.known.iter().map(|(log, (_, position))| (log.clone(), *position)).collect()
    }

    /// The number of a log's mark, which is made if there is none.
    pub fn number(&mut self, log: &str) -> u64 {
        let next = self.known.len() as u64;
        self.known.entry(log.to_owned()).or_insert((next, 0)).0
    }

    /// Marks how far the follower is. What cannot be marked is given again if need be.
    pub fn put(&self, number: u64, log: &str, position: u64) {
        let mut mark = [0; MARK_BYTES];
        let name = log.as_bytes();
        if name.len() <= NAME_BYTES {
            mark[..name.len()].copy_from_slice(name);
            mark[NAME_BYTES..].copy_from_slice(&position.to_le_bytes());
            let _ = self.file.write_all_at(&mark, number * MARK_BYTES as u64);
        }
    }
}

fn parse(mark: &[u8; MARK_BYTES]) -> Option<(String, u64)> {
    let (name, position) = mark.split_at(NAME_BYTES);
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(NAME_BYTES);
    let name = std::str::from_utf8(&name[..end]).ok().filter(|name| !name.is_empty())?;
    Some((name.to_owned(), u64::from_le_bytes(position.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_overseer_finds_how_far_a_follower_was_with_each_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("printed");
        let mut marks = Marks::open(&path).unwrap();
        let (web, job) = (marks.number("web.1"), marks.number("job.1"));
        marks.put(web, "web.1", 10);
        marks.put(job, "job.1", 20);
        marks.put(web, "web.1", 30);
        let again = Marks::open(&path).unwrap().positions();
        assert_eq!(again, [("job.1".to_owned(), 20), ("web.1".to_owned(), 30)].into());
    }

    #[test]
    fn a_torn_or_foreign_file_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("printed");
        std::fs::write(&path, vec![0xff; MARK_BYTES * 2 + 5]).unwrap();
        let mut marks = Marks::open(&path).unwrap();
        assert!(marks.positions().is_empty());
        let number = marks.number("web.1");
        marks.put(number, "web.1", 7);
        assert_eq!(Marks::open(&path).unwrap().positions(), [("web.1".to_owned(), 7)].into());
    }
}
