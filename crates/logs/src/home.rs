//! Where a log is kept, and what is kept of that: `NAME.place`, for those that are not simply in the store.
//!
//! The text of a log may have a place of its own, `/var/log/web.log`, beside which its rotated texts are; its indexes stay
//! in the store. Others may rename, shorten, remove or write to such a file as they please. What is the log's is then
//! found out by the one thing that they cannot change, how far the log was: the *floor*. Wherever the newest text, by its
//! index, ends before the floor, that index is not one of this text, and is written anew so that the text ends there:
//! what comes next has a position that nothing had before. An index says by its seal which place it is of, so that a log
//! moves to another place by one rename, that of `NAME.place`.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::files::Files;
use crate::name::{PRIVATE, Paths};
use crate::{Error, Result, rotate};

/// A file of ours is no longer than this.
const HOME_BYTES: usize = 8192;
const MAGIC: &str = "ganger-place";

/// Where a log is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Place {
    /// In the store.
    #[default]
    Store,
    /// In a file of its own, beside which the rotated ones are.
    File(PathBuf),
    /// In the store, and what comes is copied to this: a terminal, a pipe, `/dev/stdout`.
    Copied(PathBuf),
    /// Nowhere.
    Dropped,
}

/// What is known of a log's place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) place: Place,
    /// Escape sequences are left out.
    pub(crate) strip: bool,
    /// The log was as far as this at least.
    pub(crate) floor: u64,
}

impl Home {
    pub(crate) fn paths<'a>(&'a self, dir: &'a Path, name: &'a str) -> Paths<'a> {
        let file = match &self.place {
            Place::File(path) => Some(path.as_path()),
            Place::Store | Place::Copied(_) | Place::Dropped => None,
        };
        Paths { dir, name, file }
    }

    /// Reads where a log is; it is in the store where nothing is said.
    pub(crate) fn read<F: Files>(files: &F, dir: &Path, name: &str) -> Result<Self> {
        let path = Paths { dir, name, file: None }.home();
        let wrap = |e| Error::io("read", &path, e);
        let Some(file) = files.open(&path, None).map_err(wrap)? else { return Ok(Self::default()) };
        let mut bytes = vec![0; HOME_BYTES];
        let got = files.read_at(&file, 0, &mut bytes).map_err(wrap)?;
        bytes.truncate(got);
        Self::parse(&bytes).ok_or_else(|| wrap(ErrorKind::InvalidData.into()))
    }

    /// Writes it down: it holds from then on, whoever dies.
    pub(crate) fn write<F: Files>(&self, files: &F, paths: Paths<'_>) -> Result<()> {
        let (new, path) = (paths.new_home(), paths.home());
        let file = rotate::open_new(files, &new, PRIVATE)?;
        files.write_at(&file, 0, &self.bytes()).map_err(|e| Error::io("write", &new, e))?;
        files.rename(&new, &path).map(|_| ()).map_err(|e| Error::io("rename", &new, e))
    }

    fn bytes(&self) -> Vec<u8> {
        let (kind, path) = match &self.place {
            Place::Store => ("store", None),
            Place::File(path) => ("file", Some(path)),
            Place::Copied(path) => ("copied", Some(path)),
            Place::Dropped => ("dropped", None),
        };
        let text = if self.strip { "stripped" } else { "whole" };
        let mut bytes = format!("{MAGIC} {} {text} {kind}\n", self.floor).into_bytes();
        bytes.extend(path.map(|path| path.as_os_str().as_bytes()).unwrap_or_default());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = memchr::memchr(b'\n', bytes)?;
        let path = || PathBuf::from(OsString::from_vec(bytes[end + 1..].to_vec()));
        let words: Vec<&str> = std::str::from_utf8(&bytes[..end]).ok()?.split(' ').collect();
        let [MAGIC, floor, text, kind] = words[..] else { return None };
        let place = match kind {
            "store" => Place::Store,
            "file" => Place::File(path()),
            "copied" => Place::Copied(path()),
            "dropped" => Place::Dropped,
            _ => return None,
        };
        Some(Self { place, strip: text == "stripped", floor: floor.parse().ok()? })
    }
}

impl Place {
    /// What a path is as the place of a log: a file, or where what comes can only be copied to.
    pub fn of(path: &Path) -> Self {
        let real = std::fs::canonicalize(path).or_else(|error| match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => std::fs::canonicalize(parent).map(|parent| parent.join(name)),
            _ => Err(error),
        });
        let real = real.unwrap_or_else(|_| path.to_owned());
        let target = std::fs::read_link(path).unwrap_or_default();
        // Memory that is used as a disk is a place for files.
        let is_memory = |path: &Path| path.starts_with("/dev/shm");
        let is_device =
            |path: &Path| (path.starts_with("/dev") && !is_memory(path)) || path.starts_with("/proc");
        if real == Path::new("/dev/null") {
            return Self::Dropped;
        }
        let kind = std::fs::metadata(&real).map(|found| found.file_type());
        let is_special = kind.is_ok_and(|k| k.is_char_device() || k.is_fifo() || k.is_socket());
        if is_special || [path, &target].into_iter().any(is_device) {
            Self::Copied(path.to_owned())
        } else {
            // What is rotated are the names of the file, not a link to it.
            Self::File(real)
        }
    }

    /// Is it a file that two logs cannot have?
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Store | Self::Copied(_) | Self::Dropped => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_of_a_place_is_read_again() {
        let odd = PathBuf::from(OsString::from_vec(b"/var/log/a \xff\nb".to_vec()));
        for place in [Place::Store, Place::Dropped, Place::File(odd.clone()), Place::Copied(odd)] {
            for (strip, floor) in [(false, 0), (true, u64::MAX)] {
                let home = Home { place: place.clone(), strip, floor };
                assert_eq!(Home::parse(&home.bytes()), Some(home));
            }
        }
        for bad in
            ["", "\n", "ganger-place 1 whole\n", "ganger-place x whole store\n", "other 1 whole store\n"]
        {
            assert_eq!(Home::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn what_cannot_be_rotated_is_copied_to_and_a_link_to_a_file_is_that_file() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let (file, link) = (dir.join("file.log"), dir.join("link.log"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(Place::of(&link), Place::File(file));
        assert_eq!(Place::of(&dir.join("new.log")), Place::File(dir.join("new.log")));
        let stdout = dir.join("stdout.log");
        std::os::unix::fs::symlink("/dev/stdout", &stdout).unwrap();
        for special in [Path::new("/dev/stdout"), Path::new("/dev/fd/1"), Path::new("/dev/full"), &stdout] {
            assert_eq!(Place::of(special), Place::Copied(special.to_owned()));
        }
        assert_eq!(Place::of(Path::new("/dev/null")), Place::Dropped);
        let in_memory = PathBuf::from("/dev/shm/no-such.log");
        assert_eq!(Place::of(&in_memory), Place::File(in_memory));
    }
}
