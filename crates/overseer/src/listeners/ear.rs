//! What a listener says: the pipe that is its stdout.
//!
//! What is in the pipe is looked at without being taken out (by `tee(2)`), and taken out once the book has it: a kill in
//! between leaves it where the next overseer finds it. The listener holds its pipe itself, open for reading and writing,
//! so what it said lives as long as it does.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use ganger_logs::{Error, create_pipe};
use ganger_spec::WorkerName;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, tee};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::engine::Message;
use crate::readiness::{Source, register};

/// So much is looked at at once: all that a pipe holds.
const LOOK_BYTES: usize = 64 << 10;

/// Listens to one listener.
#[derive(Debug)]
pub(crate) struct Ear {
    pipe: OwnedFd,
    /// Where a look at what is in the pipe is read from.
    scratch: (OwnedFd, OwnedFd),
    again: Arc<Notify>,
    watcher: JoinHandle<()>,
}

impl Ear {
    /// Makes the pipe of a new run, or takes up that of a run that was there before; the listener's end.
    pub(crate) fn open(
        path: &Path,
        worker: &WorkerName,
        owner: Option<(u32, u32)>,
        messages: mpsc::UnboundedSender<Message>,
    ) -> Result<(Self, OwnedFd), Error> {
        let failed = |errno: Errno| Error::Io {
            action: "wait on the pipe",
            path: path.to_owned(),
            source: errno.into(),
        };
        let pipe = create_pipe(path, owner)?;
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(failed)?;
        let source = pipe.reader.try_clone().and_then(|pipe| register(pipe, Interest::READABLE));
        let source = source.map_err(|source| Error::Io {
            action: "wait on the pipe",
            path: path.to_owned(),
            source,
        })?;
        let again = Arc::new(Notify::new());
        let watcher = tokio::spawn(watch(source, worker.clone(), messages, Arc::clone(&again)));
        Ok((Self { pipe: pipe.reader, scratch: (reader, writer), again, watcher }, pipe.writer))
    }

    /// All that it said and that was not taken.
    pub(crate) fn look(&self) -> io::Result<Vec<u8>> {
        match tee(&self.pipe, &self.scratch.1, LOOK_BYTES, SpliceFlags::NONBLOCK) {
            Ok(length) => read(&self.scratch.0, length),
            Err(Errno::AGAIN) => Ok(Vec::new()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes the first so many bytes of what it said.
    pub(crate) fn take(&self, length: usize) -> io::Result<()> {
        read(&self.pipe, length).map(drop)
    }

    /// All was looked at: says so when there is more.
    pub(crate) fn wait(&self) {
        self.again.notify_one();
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

/// Reads so many bytes, which are there.
fn read(pipe: &OwnedFd, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut count = 0;
    while count < length {
        match rustix::io::read(pipe, &mut bytes[count..]) {
            Ok(0) | Err(Errno::AGAIN) => break,
            Ok(more) => count += more,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    bytes.truncate(count);
    Ok(bytes)
}

/// Says when a listener spoke; once, until what it said was looked at.
async fn watch(
    pipe: AsyncFd<Source<OwnedFd>>,
    worker: WorkerName,
    messages: mpsc::UnboundedSender<Message>,
    again: Arc<Notify>,
) {
    while let Ok(mut ready) = pipe.readable().await {
        ready.clear_ready();
        if messages.send(Message::Listener(worker.clone())).is_err() {
            return;
        }
        again.notified().await;
    }
}
