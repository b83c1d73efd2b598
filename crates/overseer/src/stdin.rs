//! What workers read: a named pipe for each whose group says so.
//!
//! A worker's descriptor 0 is open for reading *and* writing, so it never meets an end of file, whoever of ganger dies.
//! Nothing here holds the pipe: who has something to say opens it by its name, and learns whether anybody reads it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use ganger_logs::{Error, create_pipe};
use ganger_spec::WorkerName;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

/// The kernel keeps what is in a pipe in pages of so many bytes; what is written takes new ones unless it fits into the last.
const PAGE: usize = 4096;

/// Why a worker was told nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StdinError {
    /// It has no run, or one that is asked to end.
    #[error("it does not run")]
    NotRunning,
    /// It was started without a pipe, or has closed it.
    #[error("it has no standard input")]
    NoPipe,
    /// It has not read what it was told before.
    #[error("it does not read: there is no room for {0} bytes more")]
    Full(usize),
    /// The system refuses.
    #[error("its standard input cannot be written: {0}")]
    System(io::Error),
}

/// The pipes of the workers that have one.
pub(crate) struct Stdins {
    dir: PathBuf,
}

impl Stdins {
    /// Pipes in this directory, which is theirs alone.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The pipe of a new run, empty; the end that becomes its stdin.
    pub(crate) fn open(&self, worker: &WorkerName, owner: Option<(u32, u32)>) -> Result<OwnedFd, Error> {
        let pipe = create_pipe(&self.path(worker), owner)?;
        empty(&pipe.reader);
        Ok(pipe.writer)
    }

    /// Lets a worker read these bytes after all that it was told before: all of them, or none and an error. Never waits.
    pub(crate) fn write(&self, worker: &WorkerName, bytes: &[u8]) -> Result<(), StdinError> {
        let pipe = self.writer(worker)?;
        if bytes.len() > room(&pipe).map_err(system)? {
            return Err(StdinError::Full(bytes.len()));
        }
        match rustix::io::write(&pipe, bytes) {
            Ok(written) if written == bytes.len() => Ok(()),
            Ok(_) | Err(Errno::AGAIN) => Err(StdinError::Full(bytes.len())),
            Err(Errno::PIPE) => Err(StdinError::NoPipe),
            Err(errno) => Err(system(errno)),
        }
    }

    /// The end of a worker's pipe from which it is told things, if it has the other one. It never waits.
    pub(crate) fn writer(&self, worker: &WorkerName) -> Result<OwnedFd, StdinError> {
        // For writing alone: then the kernel tells whether anybody has the other end.
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let pipe = match rustix::fs::open(self.path(worker), flags, Mode::empty()) {
            Ok(pipe) => pipe,
            Err(Errno::NOENT | Errno::NXIO) => return Err(StdinError::NoPipe),
            Err(errno) => return Err(system(errno)),
        };
        if is_pipe(&pipe).map_err(system)? { Ok(pipe) } else { Err(StdinError::NoPipe) }
    }

    /// The worker has no pipe any more, if it had one.
    pub(crate) fn remove(&self, worker: &WorkerName) {
        // One that stays behind is emptied before the next run of that name reads it.
        let _ = std::fs::remove_file(self.path(worker));
    }

    /// Nobody will read any of the pipes any more.
    pub(crate) fn remove_all(&self) {
        // As for one.
        let _ = std::fs::remove_dir_all(&self.dir);
    }

    fn path(&self, worker: &WorkerName) -> PathBuf {
        self.dir.join(worker.to_string())
    }
}

fn system(errno: Errno) -> StdinError {
    StdinError::System(errno.into())
}

fn is_pipe(file: &OwnedFd) -> Result<bool, Errno> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(file)?.st_mode) == FileType::Fifo)
}

/// Reads what the run before has left. Bounded by what a pipe holds: nobody writes meanwhile.
fn empty(reader: &OwnedFd) {
    let mut buffer = [0; PAGE];
    let held = rustix::io::ioctl_fionread(reader).unwrap_or(0);
    for _ in 0..=held / PAGE as u64 {
        // It does not block; what fails is as if it were empty.
        if rustix::io::read(reader, &mut buffer).unwrap_or(0) < PAGE {
            return;
        }
    }
}

/// So many bytes fit for certain.
fn room(pipe: &OwnedFd) -> Result<usize, Errno> {
    let pages = rustix::pipe::fcntl_getpipe_size(pipe)? / PAGE;
    let held = usize::try_from(rustix::io::ioctl_fionread(pipe)?).unwrap_or(usize::MAX);
    // Two pages that follow each other hold more than one page's bytes together, else the second would be in the first;
    // but for the first of all, of which some may have been read.
    let taken = if held == 0 { 0 } else { (held / (PAGE / 2)).saturating_add(2) };
    Ok(pages.saturating_sub(taken) * PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    use rustix::io::{read, write};

    fn bed() -> (tempfile::TempDir, Stdins, WorkerName) {
        let dir = tempfile::tempdir().unwrap();
        let stdins = Stdins::new(dir.path().to_owned());
        (dir, stdins, WorkerName::new("web", 1))
    }

    #[test]
    fn a_run_reads_what_it_was_told_and_nothing_of_the_run_before() {
        let (_dir, stdins, web) = bed();
        let first = stdins.open(&web, None).unwrap();
        stdins.write(&web, b"never read").unwrap();
        let second = stdins.open(&web, None).unwrap();
        drop(first);
        stdins.write(&web, b"hello ").unwrap();
        stdins.write(&web, b"again").unwrap();
        let mut buffer = [0; 32];
        let count = read(&second, &mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"hello again");
    }

    #[test]
    fn whoever_has_no_pipe_or_closed_it_is_told_nothing() {
        let (dir, stdins, web) = bed();
        assert!(matches!(stdins.write(&web, b"a"), Err(StdinError::NoPipe)));
        let stdin = stdins.open(&web, None).unwrap();
        stdins.write(&web, b"a").unwrap();
        drop(stdin);
        assert!(matches!(stdins.write(&web, b"a"), Err(StdinError::NoPipe)));
        stdins.remove(&web);
        std::fs::write(dir.path().join("web.1"), "a file").unwrap();
        assert!(matches!(stdins.write(&web, b"a"), Err(StdinError::NoPipe)));
        assert_eq!(std::fs::read(dir.path().join("web.1")).unwrap(), b"a file");
    }

    #[test]
    fn what_does_not_fit_is_written_not_even_in_part() {
        let (_dir, stdins, web) = bed();
        let stdin = stdins.open(&web, None).unwrap();
        let capacity = rustix::pipe::fcntl_getpipe_size(&stdin).unwrap();
        assert!(matches!(stdins.write(&web, &vec![b'x'; capacity + 1]), Err(StdinError::Full(_))));
        stdins.write(&web, &vec![b'x'; capacity]).unwrap();
        assert!(matches!(stdins.write(&web, b"y"), Err(StdinError::Full(1))));
        let mut buffer = vec![0; capacity + 1];
        assert_eq!(read(&stdin, &mut buffer).unwrap(), capacity);
    }

    #[test]
    fn room_is_never_promised_that_is_not_there() {
        let (_dir, stdins, web) = bed();
        let stdin = stdins.open(&web, None).unwrap();
        let reader =
            rustix::fs::open(stdins.path(&web), OFlags::RDWR | OFlags::NONBLOCK, Mode::empty()).unwrap();
        let mut told: Vec<u8> = Vec::new();
        let mut heard: Vec<u8> = Vec::new();
        // Lengths that waste as much of a page as can be, with the reader in the middle of one.
        for round in 0..500_usize {
            let length = [2049, 1, 4095, 4097, 2048, 6000][round % 6];
            let words = vec![u8::try_from(round % 251).unwrap(); length];
            match stdins.write(&web, &words) {
                Ok(()) => told.extend(&words),
                Err(StdinError::Full(_)) => {
                    let mut buffer = vec![0; 10_000 + round];
                    let count = read(&reader, &mut buffer).unwrap();
                    heard.extend(&buffer[..count]);
                }
                Err(error) => panic!("{error}"),
            }
        }
        write(&stdin, b"end").unwrap();
        let mut buffer = vec![0; 1 << 20];
        let count = read(&reader, &mut buffer).unwrap();
        heard.extend(&buffer[..count]);
        told.extend(b"end");
        assert!(told == heard, "{} told, {} heard", told.len(), heard.len());
    }
}
