//! The file operations that the store is made of, so that a test can make each of them fail.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::UNIX_EPOCH;

use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::{SpliceFlags, splice};

/// What the store does with files. A file that is missing is an answer, not an error.
pub(crate) trait Files {
    /// An open file.
    type File;
    /// Where the workers' bytes come from.
    type Source;

    /// Opens a file for reading and writing; `None` when it is missing and not to be created, which is with this mode.
    fn open(&self, path: &Path, create: Option<u32>) -> io::Result<Option<Self::File>>;
    /// Which file it is.
    fn id(&self, file: &Self::File) -> io::Result<Id>;
    /// Which file is at a path, and how long it is; `None` when there is none.
    fn find(&self, path: &Path) -> io::Result<Option<(Id, u64)>>;
    /// How long a file is; `None` when it is missing.
    fn size(&self, path: &Path) -> io::Result<Option<u64>>;
    /// How long an open file is.
    fn len(&self, file: &Self::File) -> io::Result<u64>;
    /// When a file was last written, in nanoseconds since 1970; 0 when nobody knows.
    fn modified(&self, path: &Path) -> i64;
    /// Reads up to the end of the buffer or of the file.
    fn read_at(&self, file: &Self::File, at: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes everything.
    fn write_at(&self, file: &Self::File, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Sets the length of a file.
    fn set_len(&self, file: &Self::File, len: u64) -> io::Result<()>;
    /// Renames, replacing what is there; `false` when there is nothing to be renamed.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<bool>;
    /// Removes a file, if it is there.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Moves up to `max` bytes from the source to a place in a file, so that a kill loses none; 0 when there are none now, and
    /// none where that is not possible.
    fn splice(
        &self,
        source: &Self::Source,
        file: &Self::File,
        at: u64,
        max: usize,
    ) -> io::Result<Option<usize>>;
    /// How many bytes the source has now.
    fn waiting(&self, source: &Self::Source) -> io::Result<usize>;
    /// Takes bytes from the source; 0 when there are none now.
    fn take(&self, source: &Self::Source, buf: &mut [u8]) -> io::Result<usize>;
}

/// Which file it is, whatever its name: its device and its number there.
pub(crate) type Id = (u64, u64);

/// The files of the system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RealFiles;

impl Files for RealFiles {
    type File = File;
    type Source = OwnedFd;

    fn open(&self, path: &Path, create: Option<u32>) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(create.is_some()).truncate(false).mode(create.unwrap_or(0));
        match options.open(path) {
            // What cannot be written can still be read.
            Err(e) if create.is_none() && e.kind() == ErrorKind::ReadOnlyFilesystem => {
                missing(File::open(path))
            }
            opened => missing(opened),
        }
    }

    fn id(&self, file: &File) -> io::Result<Id> {
        let found = file.metadata()?;
        Ok((found.dev(), found.ino()))
    }

    fn find(&self, path: &Path) -> io::Result<Option<(Id, u64)>> {
        Ok(missing(std::fs::metadata(path))?.map(|m| ((m.dev(), m.ino()), m.len())))
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        Ok(missing(std::fs::metadata(path))?.map(|m| m.len()))
    }

    fn len(&self, file: &File) -> io::Result<u64> {
        Ok(file.metadata()?.len())
    }

    fn modified(&self, path: &Path) -> i64 {
        let time = std::fs::metadata(path).and_then(|m| m.modified()).ok();
        let since = time.and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        since.and_then(|d| i64::try_from(d.as_nanos()).ok()).unwrap_or(0)
    }

    fn read_at(&self, file: &File, at: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut got = 0;
        while got < buf.len() {
            match file.read_at(&mut buf[got..], at + got as u64) {
                Ok(0) => break,
                Ok(n) => got += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(got)
    }

    fn write_at(&self, file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    fn set_len(&self, file: &File, len: u64) -> io::Result<()> {
        file.set_len(len)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<bool> {
        Ok(missing(std::fs::rename(from, to))?.is_some())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        missing(std::fs::remove_file(path)).map(|_| ())
    }

    fn splice(&self, source: &OwnedFd, file: &File, at: u64, max: usize) -> io::Result<Option<usize>> {
        let mut offset = at;
        match splice(source, None, file, Some(&mut offset), max, SpliceFlags::MOVE | SpliceFlags::NONBLOCK) {
            Ok(n) => Ok(Some(n)),
            Err(Errno::AGAIN | Errno::INTR) => Ok(Some(0)),
            // A file system that cannot, or a sandbox that forbids it.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    fn waiting(&self, source: &OwnedFd) -> io::Result<usize> {
        Ok(usize::try_from(ioctl_fionread(source)?).unwrap_or(usize::MAX))
    }

    fn take(&self, source: &OwnedFd, buf: &mut [u8]) -> io::Result<usize> {
        match rustix::io::read(source, buf) {
            Ok(n) => Ok(n),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(e) => Err(e.into()),
        }
    }
}

/// Makes "there is no such file" an answer.
fn missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_refuses_to_be_spliced_into_says_so_and_takes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        // The kernel refuses to splice into a file that is open for appending.
        let file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        let (source, worker) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&worker, b"hello").unwrap();
        assert_eq!(RealFiles.splice(&source, &file, 0, 100).unwrap(), None);
        assert_eq!(RealFiles.waiting(&source).unwrap(), 5);
        let file = RealFiles.open(&path, None).unwrap().unwrap();
        assert_eq!(RealFiles.splice(&source, &file, 0, 100).unwrap(), Some(5));
        assert_eq!(std::fs::read(&path).unwrap(), b"hello");
    }
}
