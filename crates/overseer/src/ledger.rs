//! The record on disk of what runs: lines of JSON, appended before what they say is done.
//!
//! The first line says whose ledger it is: the keeper's PID and start, and the boot. Only an overseer of that same
//! keeper goes on with it. The last record of a subject counts; when the file has grown to several times what is
//! live, it is written anew and renamed into place. A torn last line is the mark of a crash in the middle of an
//! append: what it would have said was not done yet, so it is dropped. Any other line that makes no sense is damage:
//! the file is put aside and said, and what comes before that line counts.
//!
//! What it says are facts about runs, and no run outlives a boot. So a loss of power may cost it its last lines;
//! what operators asked for is kept more safely, in `wishes`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ganger_core::Record;
use serde::{Deserialize, Serialize};

use crate::aside::{Damaged, set_aside};

/// A ledger below this size is not worth writing anew.
const COMPACT_MIN_BYTES: u64 = 256 * 1024;
/// A ledger is written anew when it has this many times the size it had when it was last written whole.
const COMPACT_FACTOR: u64 = 4;

/// Whose ledger it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) keeper_pid: u32,
    pub(crate) keeper_started: u64,
    pub(crate) boot: String,
}

/// An open ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    owner: Owner,
    file: File,
    pending: Vec<u8>,
    bytes: u64,
    whole_bytes: u64,
}

impl Ledger {
    /// Opens the ledger of this owner: what it says, or nothing where it is another's or none is there. Of a damaged
    /// one what comes before the damage counts; the keeper knows what runs, so nothing is ever started twice for it.
    pub(crate) fn open(path: &Path, owner: Owner) -> io::Result<(Self, Vec<Record>, Option<Damaged>)> {
        let Found { records, damage } = read(path, &owner);
        let damaged = damage.map(|why| set_aside(path, why));
        let (file, bytes) = write_whole(path, &owner, &records)?;
        let ledger =
            Self { path: path.to_owned(), owner, file, pending: Vec::new(), bytes, whole_bytes: bytes };
        Ok((ledger, records, damaged))
    }

    /// Adds a record; it is on disk after the next [`Ledger::flush`].
    pub(crate) fn append(&mut self, record: &Record) -> io::Result<()> {
        serde_json::to_writer(&mut self.pending, record)?;
        self.pending.push(b'\n');
        Ok(())
    }

    /// Writes what was appended. What could not be written stays pending and is tried again by the next flush.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            match self.file.write(&self.pending) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.pending.drain(..written);
                    self.bytes += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether so much of it is outdated that it should be written anew.
    pub(crate) fn is_bloated(&self) -> bool {
        self.bytes > COMPACT_MIN_BYTES.max(self.whole_bytes * COMPACT_FACTOR)
    }

    /// Writes it anew with just these records, beside the old one, then puts it in its place.
    pub(crate) fn rewrite(&mut self, records: &[Record]) -> io::Result<()> {
        let (file, bytes) = write_whole(&self.path, &self.owner, records)?;
        self.file = file;
        self.pending.clear();
        self.bytes = bytes;
        self.whole_bytes = bytes;
        Ok(())
    }
}

/// Whose ledger is there.
pub(crate) fn owner(path: &Path) -> Option<Owner> {
    let first = BufReader::new(File::open(path).ok()?).split(b'\n').next()?.ok()?;
    serde_json::from_slice(&first).ok()
}

/// Puts a ledger with just these records in place of the one that is there; the file, open at its end, and its size.
fn write_whole(path: &Path, owner: &Owner, records: &[Record]) -> io::Result<(File, u64)> {
    let fresh = path.with_extension("new");
    let mut body = serde_json::to_vec(owner)?;
    body.push(b'\n');
    for record in records {
        serde_json::to_writer(&mut body, record)?;
        body.push(b'\n');
    }
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(&body)?;
    std::fs::rename(&fresh, path)?;
    Ok((file, body.len() as u64))
}

/// What is found where a ledger should be.
#[derive(Debug, Default)]
struct Found {
    records: Vec<Record>,
    /// What is wrong with it.
    damage: Option<String>,
}

impl Found {
    fn damaged(records: Vec<Record>, why: impl Into<String>) -> Self {
        Self { records, damage: Some(why.into()) }
    }
}

/// The records of this owner's ledger. A line that cannot be read ends it: nothing after it can be trusted.
fn read(path: &Path, owner: &Owner) -> Found {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::default(),
        Err(error) => return Found::damaged(Vec::new(), error.to_string()),
    };
    let mut lines = BufReader::new(file).split(b'\n').enumerate().peekable();
    match lines.next().map(|(_, line)| line.map(|line| serde_json::from_slice::<Owner>(&line))) {
        Some(Ok(Ok(found))) if found == *owner => {}
        Some(Ok(Ok(_))) => return Found::default(),
        Some(Ok(Err(_))) => return Found::damaged(Vec::new(), "line 1 does not say whose it is"),
        Some(Err(error)) => return Found::damaged(Vec::new(), error.to_string()),
        None => return Found::damaged(Vec::new(), "it is empty"),
    }
    let mut records = Vec::new();
    while let Some((number, line)) = lines.next() {
        match line.map(|line| serde_json::from_slice(&line)) {
            Ok(Ok(record)) => records.push(record),
            // The last line is torn: what it would have said was not done.
            Ok(Err(_)) if lines.peek().is_none() => break,
            Ok(Err(_)) => return Found::damaged(records, format!("line {} makes no sense", number + 1)),
            Err(error) => return Found::damaged(records, error.to_string()),
        }
    }
    Found { records, damage: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner { keeper_pid: 7, keeper_started: 9, boot: "b".into() }
    }

    fn scale(count: u32) -> Record {
        Record::Scale { group: "web".into(), count, instead_of: 1 }
    }

    #[test]
    fn what_was_flushed_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let (mut ledger, records, damaged) = Ledger::open(&path, owner()).unwrap();
        assert!(records.is_empty() && damaged.is_none(), "{records:?} {damaged:?}");
        ledger.append(&scale(2)).unwrap();
        ledger.append(&scale(3)).unwrap();
        ledger.flush().unwrap();
        drop(ledger);
        assert_eq!(Ledger::open(&path, owner()).unwrap().1, [scale(2), scale(3)]);
    }

    #[test]
    fn a_ledger_of_another_keeper_or_boot_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let (mut ledger, ..) = Ledger::open(&path, owner()).unwrap();
        ledger.append(&scale(2)).unwrap();
        ledger.flush().unwrap();
        let other = Owner { boot: "c".into(), ..owner() };
        assert_eq!(Ledger::open(&path, other).unwrap().1, []);
    }

    #[test]
    fn a_torn_line_at_any_byte_costs_that_line_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let (mut ledger, ..) = Ledger::open(&path, owner()).unwrap();
        ledger.append(&scale(2)).unwrap();
        ledger.flush().unwrap();
        let safe = ledger.bytes;
        ledger.append(&scale(3)).unwrap();
        ledger.flush().unwrap();
        let whole = std::fs::read(&path).unwrap();
        // One byte short of the line is the line without its end: complete JSON, hence its record.
        for cut in usize::try_from(safe).unwrap()..whole.len() - 1 {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(read(&path, &owner()).records, [scale(2)], "cut at {cut}");
        }
    }

    #[test]
    fn damage_is_kept_aside_and_what_comes_before_it_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let (mut ledger, ..) = Ledger::open(&path, owner()).unwrap();
        ledger.append(&scale(2)).unwrap();
        ledger.flush().unwrap();
        let good = std::fs::read(&path).unwrap();
        let damages: [(Vec<u8>, &[Record]); 4] = [
            (Vec::new(), &[]),
            (vec![0; 5000], &[]),
            (b"not a ledger\nat all\n".to_vec(), &[]),
            ([&good, b"\xff\xfe\n".as_slice(), b"{}\n"].concat(), &[scale(2)]),
        ];
        for (body, expected) in damages {
            std::fs::write(&path, &body).unwrap();
            let (_, records, damaged) = Ledger::open(&path, owner()).unwrap();
            assert_eq!(records, expected);
            assert_eq!(std::fs::read(damaged.unwrap().kept.unwrap()).unwrap(), body);
            assert!(Ledger::open(&path, owner()).unwrap().2.is_none(), "the next one is good");
        }
    }

    #[test]
    fn a_directory_in_its_place_is_moved_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        std::fs::create_dir(&path).unwrap();
        let (_, records, damaged) = Ledger::open(&path, owner()).unwrap();
        assert!(records.is_empty() && damaged.unwrap().kept.unwrap().is_dir());
    }

    #[test]
    fn it_is_written_anew_when_it_is_mostly_history() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let (mut ledger, ..) = Ledger::open(&path, owner()).unwrap();
        while !ledger.is_bloated() {
            ledger.append(&scale(1)).unwrap();
            ledger.flush().unwrap();
        }
        ledger.rewrite(&[scale(1)]).unwrap();
        assert!(!ledger.is_bloated());
        ledger.append(&scale(5)).unwrap();
        ledger.flush().unwrap();
        drop(ledger);
        assert_eq!(Ledger::open(&path, owner()).unwrap().1, [scale(1), scale(5)]);
    }
}
