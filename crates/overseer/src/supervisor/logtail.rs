//! `/logtail`: the end of a log file, and then what comes.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use axum::body::{Body, Bytes};
use axum::http::Response;
use ganger_logs::{Store, Watch};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use super::http::going_on;
use crate::readiness::{Source, register};

/// So much of what was there before is shown.
const BEFORE: u64 = 1024;
/// A piece of a body holds so much.
const PIECE: u64 = 64 * 1024;
/// So many pieces wait for a slow client.
const PIECES_MAX: usize = 4;
const TRUNCATED: &[u8] = b"==> File truncated <==\n";

/// Follows a file of the store; none if it cannot be read.
pub(super) fn follow(store: &Store, path: PathBuf) -> Option<Response<Body>> {
    let followed = Followed::open(path).ok()?;
    let watch = register(store.watch().ok()?, Interest::READABLE).ok()?;
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    tokio::spawn(send(followed, watch, sender));
    Some(going_on(receiver))
}

async fn send(mut followed: Followed, watch: AsyncFd<Source<Watch>>, sender: mpsc::Sender<Bytes>) {
    loop {
        watch.get_ref().0.arm();
        match followed.next() {
            Ok(piece) if !piece.is_empty() => {
                if sender.send(Bytes::from(piece)).await.is_err() {
                    return;
                }
                continue;
            }
            // It may be there again when there is news.
            Ok(_) | Err(_) => {}
        }
        tokio::select! {
            ready = watch.readable() => match ready {
                Ok(mut guard) => guard.clear_ready(),
                Err(_) => return,
            },
            () = sender.closed() => return,
        }
    }
}

/// A file that is read as it grows, under its name.
struct Followed {
    path: PathBuf,
    file: File,
    identity: (u64, u64),
    position: u64,
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Followed {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = File::open(&path)?;
        let metadata = file.metadata()?;
        let position = metadata.len().saturating_sub(BEFORE);
        Ok(Self { path, file, identity: identity(&metadata), position })
    }

    /// The next piece; nothing if nothing has come.
    fn next(&mut self) -> io::Result<Vec<u8>> {
        let piece = self.read()?;
        if !piece.is_empty() {
            return Ok(piece);
        }
        if self.file.metadata()?.len() < self.position {
            self.position = 0;
            return Ok(TRUNCATED.to_vec());
        }
        // It was read to its end. Another file may have its name now.
        let file = File::open(&self.path)?;
        let now = identity(&file.metadata()?);
        if now == self.identity {
            return Ok(Vec::new());
        }
        (self.file, self.identity, self.position) = (file, now, 0);
        self.read()
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(self.position))?;
        let mut piece = Vec::new();
        let read = (&self.file).take(PIECE).read_to_end(&mut piece)?;
        self.position += read as u64;
        Ok(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_followed_over_growth_truncation_and_a_new_one_of_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        std::fs::write(&path, "x".repeat(3000)).unwrap();
        let mut followed = Followed::open(path.clone()).unwrap();
        assert_eq!(followed.next().unwrap().len(), 1024);
        assert_eq!(followed.next().unwrap(), b"");
        std::fs::write(&path, "short").unwrap();
        assert_eq!(followed.next().unwrap(), TRUNCATED);
        assert_eq!(followed.next().unwrap(), b"short");
        std::fs::rename(&path, dir.path().join("x.log.1")).unwrap();
        assert!(followed.next().is_err(), "nothing has its name");
        std::fs::write(&path, "anew").unwrap();
        assert_eq!(followed.next().unwrap(), b"anew");
    }
}
