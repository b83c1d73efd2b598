//! A log file that is rotated by its size.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    /// It is rotated when it has so many bytes; 0 means never.
    max: u64,
    /// So many rotated files are kept: `.1` is the latest.
    backups: u32,
}

impl LogFile {
    /// Goes on at the end of the file.
    pub(super) fn open(path: PathBuf, max: u64, backups: u32) -> io::Result<Self> {
        let (file, size) = append(&path)?;
        Ok(Self { path, file, size, max, backups })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write(&mut self, line: &str) -> io::Result<()> {
        self.file.write_all(line.as_bytes())?;
        self.size += line.len() as u64;
        if self.max > 0 && self.size >= self.max && self.file.metadata()?.is_file() {
            self.rotate()?;
        }
        Ok(())
    }

    pub(super) fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.size) = append(&self.path)?;
        Ok(())
    }

    pub(super) fn clear(&mut self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        self.reopen()
    }

    fn rotate(&mut self) -> io::Result<()> {
        if self.backups == 0 {
            return self.clear();
        }
        for number in (1..self.backups).rev() {
            // One that is not there leaves a gap, which is filled by the next rotation.
            let _ = std::fs::rename(self.rotated(number), self.rotated(number + 1));
        }
        std::fs::rename(&self.path, self.rotated(1))?;
        self.reopen()
    }

    fn rotated(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn append(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(dir: &tempfile::TempDir, names: &[&str]) -> Vec<String> {
        let text = |name: &&str| {
            std::fs::read_to_string(dir.path().join(name)).unwrap_or_else(|_| "none".to_owned())
        };
        names.iter().map(text).collect()
    }

    #[test]
    fn a_file_that_is_full_makes_room_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = LogFile::open(dir.path().join("log"), 4, 2).unwrap();
        for line in ["one\n", "two\n", "six\n", "ten\n", "a\n"] {
            file.write(line).unwrap();
        }
        assert_eq!(texts(&dir, &["log", "log.1", "log.2", "log.3"]), ["a\n", "ten\n", "six\n", "none"]);
        drop(file);
        let mut file = LogFile::open(dir.path().join("log"), 4, 2).unwrap();
        file.write("b\n").unwrap();
        assert_eq!(texts(&dir, &["log", "log.1"]), ["", "a\nb\n"]);
    }

    #[test]
    fn a_file_that_was_moved_is_left_when_it_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = LogFile::open(dir.path().join("log"), 0, 0).unwrap();
        file.write("one\n").unwrap();
        std::fs::rename(dir.path().join("log"), dir.path().join("moved")).unwrap();
        file.write("two\n").unwrap();
        file.reopen().unwrap();
        file.write("three\n").unwrap();
        assert_eq!(texts(&dir, &["moved", "log"]), ["one\ntwo\n", "three\n"]);
        file.clear().unwrap();
        file.write("four\n").unwrap();
        assert_eq!(texts(&dir, &["log"]), ["four\n"]);
    }
}
