//! What operators asked for, on disk: it outlives ganger, a reboot and a loss of power.
//!
//! One small file of JSON, written anew whenever an operator changes something, and on the disk before the operator
//! gets the reply.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ganger_core::Wishes;

use crate::aside::{Damaged, set_aside};

/// The file, and what it holds.
#[derive(Debug)]
pub(crate) struct WishFile {
    path: PathBuf,
    held: Wishes,
}

impl WishFile {
    /// What was asked for before: nothing where no file is. One that makes no sense is put aside.
    pub(crate) fn open(path: &Path) -> (Self, Option<Damaged>) {
        let (held, damaged) = match read(path) {
            Ok(held) => (held, None),
            Err(why) => (Wishes::default(), Some(set_aside(path, why))),
        };
        (Self { path: path.to_owned(), held }, damaged)
    }

    /// What it holds.
    pub(crate) fn held(&self) -> &Wishes {
        &self.held
    }

    /// Makes it hold this, whatever happens to the machine from now on.
    pub(crate) fn hold(&mut self, wishes: Wishes) -> io::Result<()> {
        if wishes == self.held {
            return Ok(());
        }
        let fresh = self.path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&serde_json::to_vec(&wishes)?)?;
        file.sync_data()?;
        std::fs::rename(&fresh, &self.path)?;
        if let Some(dir) = self.path.parent() {
            File::open(dir)?.sync_all()?;
        }
        self.held = wishes;
        Ok(())
    }
}

/// Whether this version can read the file there. Nothing is changed.
pub(crate) fn check(path: &Path) -> Result<(), String> {
    read(path).map(drop)
}

fn read(path: &Path) -> Result<Wishes, String> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Wishes::default()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganger_core::WishedCount;
    use ganger_spec::WorkerName;

    fn wishes() -> Wishes {
        let mut wishes = Wishes::default();
        wishes.counts.insert("web".to_owned(), WishedCount { count: 3, instead_of: 1 });
        wishes.stopped.insert(WorkerName::new("job", 2));
        wishes
    }

    #[test]
    fn what_was_asked_for_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wishes");
        let (mut file, damaged) = WishFile::open(&path);
        assert_eq!((file.held(), damaged.is_none()), (&Wishes::default(), true));
        file.hold(wishes()).unwrap();
        assert_eq!(WishFile::open(&path).0.held(), &wishes());
    }

    #[test]
    fn a_file_that_makes_no_sense_is_kept_aside_and_another_one_is_begun() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wishes");
        std::fs::write(&path, "\0\0\0").unwrap();
        let (mut file, damaged) = WishFile::open(&path);
        let kept = damaged.unwrap().kept.unwrap();
        assert_eq!(std::fs::read(&kept).unwrap(), b"\0\0\0");
        assert!(kept.file_name().unwrap().to_str().unwrap().starts_with("wishes.bad-"), "{kept:?}");
        file.hold(wishes()).unwrap();
        assert_eq!(WishFile::open(&path).0.held(), &wishes());
    }
}
