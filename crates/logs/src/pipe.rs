//! The named pipe between a worker and its log.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::{Error, Result};

/// Only its owner may use a pipe.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Both ends of a worker's pipe.
#[derive(Debug)]
pub struct Pipe {
    /// The end that capture reads; never blocks.
    pub reader: OwnedFd,
    /// The end that becomes the worker's stdout and stderr.
    pub writer: OwnedFd,
}

/// Makes the named pipe at `path`, or takes up the one that is there, and opens both of its ends.
///
/// Both ends are open for reading *and* writing, each by a description of its own. So the worker
/// never meets a pipe without a reader (no SIGPIPE, no lost byte while nobody captures), capture
/// never meets one without a writer (no end of file between two runs), and non-blocking reads do
/// not make the worker's writes non-blocking.
///
/// The pipe is private (0600) to `owner`, who can then open `/dev/stdout` again.
pub fn create_pipe(path: &Path, owner: Option<(u32, u32)>) -> Result<Pipe> {
    match rustix::fs::mkfifoat(CWD, path, PRIVATE) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(e) => return Err(Error::io("make the pipe", path, e)),
    }
    let open = |flags: OFlags| {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | flags;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => Ok(fd),
            Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => Err(Error::NotAPipe(path.to_owned())),
            Err(e) => Err(Error::io("open the pipe", path, e)),
        }
    };
    // Without blocking, lest a thing that is not a pipe makes us wait.
    let reader = open(OFlags::NONBLOCK)?;
    let stat = rustix::fs::fstat(&reader).map_err(|e| Error::io("inspect the pipe", path, e))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo {
        return Err(Error::NotAPipe(path.to_owned()));
    }
    let ours = rustix::process::geteuid().as_raw();
    let (uid, gid) = owner.unwrap_or((stat.st_uid, stat.st_gid));
    if stat.st_uid != ours && stat.st_uid != uid {
        return Err(Error::NotAPipe(path.to_owned()));
    }
    let writer = open(OFlags::empty())?;
    if (stat.st_uid, stat.st_gid) != (uid, gid) {
        rustix::fs::fchown(&writer, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
            .map_err(|e| Error::io("hand over the pipe", path, e))?;
    }
    if Mode::from_raw_mode(stat.st_mode) != PRIVATE {
        rustix::fs::fchmod(&writer, PRIVATE).map_err(|e| Error::io("make private the pipe", path, e))?;
    }
    Ok(Pipe { reader, writer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_written_before_anybody_reads_are_kept_for_the_reader() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.1");
        let first = create_pipe(&path, None).unwrap();
        rustix::io::write(&first.writer, b"hello").unwrap();
        drop(first.reader);
        rustix::io::write(&first.writer, b" again").unwrap();
        let second = create_pipe(&path, None).unwrap();
        let mut buf = [0; 32];
        assert_eq!(rustix::io::read(&second.reader, &mut buf).unwrap(), 11);
        assert_eq!(rustix::io::read(&second.reader, &mut buf), Err(Errno::AGAIN));
        let flags = rustix::fs::fcntl_getfl(&second.writer).unwrap();
        assert!(!flags.contains(OFlags::NONBLOCK), "the worker's end blocks");
    }

    #[test]
    fn the_pipe_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.1");
        let pipe = create_pipe(&path, None).unwrap();
        assert_eq!(rustix::fs::fstat(&pipe.reader).unwrap().st_mode & 0o7777, 0o600);
    }

    #[test]
    fn a_file_a_directory_or_a_link_in_the_way_is_an_error_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "mine").unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [&file, &link, &dir.path().to_owned()] {
            let error = create_pipe(path, None).unwrap_err();
            assert!(matches!(error, Error::NotAPipe(_)), "{path:?}: {error}");
        }
        assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    }
}
