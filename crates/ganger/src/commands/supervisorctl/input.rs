//! Lines from stdin, be it a terminal, a pipe or a file.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::unix::AsyncFd;

use crate::listen::listen;

/// So much is read at once.
const READ_BYTES: usize = 4096;
/// A line that is longer comes in pieces of this length.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// What has been read and was not taken yet.
#[derive(Default)]
pub(super) struct Input {
    buffer: Vec<u8>,
    source: Source,
}

#[derive(Default)]
enum Source {
    /// A terminal or a pipe.
    Polled(AsyncFd<OwnedFd>),
    /// A file, which can be read at any time.
    Ready(OwnedFd),
    /// Nothing.
    #[default]
    Closed,
}

impl Input {
    /// That of this process. Must be called inside a tokio runtime.
    pub(super) fn new() -> io::Result<Self> {
        let Ok(stdin) = io::stdin().as_fd().try_clone_to_owned() else { return Ok(Self::default()) };
        let source = match listen(stdin.try_clone()?) {
            Ok(polled) => Source::Polled(polled),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Source::Ready(stdin),
            Err(error) => return Err(error),
        };
        Ok(Self { buffer: Vec::new(), source })
    }

    /// The next line, without its end; none at the end. May be given up and asked for again.
    pub(super) async fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(Some(text(&line[..end])));
            }
            if self.buffer.len() >= MAX_LINE_BYTES {
                return Ok(Some(text(&std::mem::take(&mut self.buffer))));
            }
            let more = self.source.read().await?;
            if more.is_empty() {
                let rest = std::mem::take(&mut self.buffer);
                return Ok((!rest.is_empty()).then(|| text(&rest)));
            }
            self.buffer.extend_from_slice(&more);
        }
    }
}

impl Source {
    /// What comes next; nothing at the end.
    async fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; READ_BYTES];
        let length = match self {
            Self::Closed => 0,
            Self::Ready(file) => rustix::io::read(file, &mut bytes)?,
            Self::Polled(polled) => {
                let mut ready = polled.readable().await?;
                let length = rustix::io::read(polled.get_ref(), &mut bytes)?;
                ready.clear_ready();
                length
            }
        };
        bytes.truncate(length);
        Ok(bytes)
    }
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.strip_suffix('\r').unwrap_or(&text).to_owned()
}
