//! The record on disk of what runs: lines of JSON, appended before what they say is done.
//!
//! The first line says whose ledger it is: the keeper's PID and start, and the boot. Only an overseer of that same
//! keeper goes on with it. The last record of a subject counts; when the file has grown to several times what is
//! live, it is written anew and renamed into place. A torn last line is the mark of a crash in the middle of an
//! append: what it would have said was not done yet, so it is dropped.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ganger_core::Record;
use serde::{Deserialize, Serialize};

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
    /// Opens the ledger of this owner: what it says, or nothing where it is another's or none is there.
    pub(crate) fn open(path: &Path, owner: Owner) -> io::Result<(Self, Vec<Record>)> {
        let records = read(path, &owner)?;
        let (file, bytes) = write_whole(path, &owner, &records)?;
        Ok((
            Self { path: path.to_owned(), owner, file, pending: Vec::new(), bytes, whole_bytes: bytes },
            records,
        ))
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

/// The records of this owner's ledger. A line that cannot be read ends it: nothing after it can be trusted.
fn read(path: &Path, owner: &Owner) -> io::Result<Vec<Record>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut lines = BufReader::new(file).split(b'\n');
    let Some(first) = lines.next().transpose()? else { return Ok(Vec::new()) };
    if serde_json::from_slice::<Owner>(&first).ok().as_ref() != Some(owner) {
        return Ok(Vec::new());
    }
    let mut records = Vec::new();
    for line in lines {
        let Ok(record) = serde_json::from_slice(&line?) else { break };
        records.push(record);
    }
    Ok(records)
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
        let (mut ledger, records) = Ledger::open(&path, owner()).unwrap();
        assert_eq!(records, []);
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
        let (mut ledger, _) = Ledger::open(&path, owner()).unwrap();
        ledger.append(&scale(2)).unwrap();
        ledger.flush().unwrap();
        let other = Owner { boot: "c".into(), ..owner() };
        assert_eq!(Ledger::open(&path, other).unwrap().1, []);
    }

    #[test]
    fn a_torn_line_at_any_byte_costs_that_line_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let (mut ledger, _) = Ledger::open(&path, owner()).unwrap();
        ledger.append(&scale(2)).unwrap();
        ledger.flush().unwrap();
        let safe = ledger.bytes;
        ledger.append(&scale(3)).unwrap();
        ledger.flush().unwrap();
        let whole = std::fs::read(&path).unwrap();
        // One byte short of the line is the line without its end: complete JSON, hence its record.
        for cut in usize::try_from(safe).unwrap()..whole.len() - 1 {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(read(&path, &owner()).unwrap(), [scale(2)], "cut at {cut}");
        }
    }

    #[test]
    fn it_is_written_anew_when_it_is_mostly_history() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let (mut ledger, _) = Ledger::open(&path, owner()).unwrap();
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
