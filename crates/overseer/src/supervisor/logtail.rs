//! `/logtail` and `/mainlogtail`: the end of a log file, and then what comes.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use axum::body::{Body, Bytes};
use axum::http::Response;
use ganger_logs::{Store, Watch};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};

use super::http::going_on;
use crate::readiness::{Source, register};
use crate::streams::Piece;

/// So much of what was there before is shown.
const BEFORE: u64 = 1024;
/// A piece of a body holds so much.
const PIECE: u64 = 64 * 1024;
/// So many pieces wait for a slow client.
const PIECES_MAX: usize = 4;
const TRUNCATED: &[u8] = b"==> File truncated <==\n";

/// What wakes a follower.
enum News {
    /// The store has more of a log.
    Log(AsyncFd<Source<Watch>>),
    /// The main log has more.
    Main(watch::Receiver<()>),
}

impl News {
    /// What comes from now on wakes.
    fn arm(&mut self) {
        match self {
            Self::Log(watch) => watch.get_ref().0.arm(),
            Self::Main(receiver) => receiver.mark_unchanged(),
        }
    }

    /// Waits until there may be more; an error means that nothing comes any more.
    async fn come(&mut self) -> io::Result<()> {
        match self {
            Self::Log(watch) => watch.readable().await.map(|mut guard| guard.clear_ready()),
            Self::Main(receiver) => receiver.changed().await.map_err(|_| io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Follows the file of a log of the store; none if it cannot be read. One in the store begins with what is written first.
pub(super) fn follow(store: &Store, path: PathBuf) -> Option<Response<Body>> {
    if path.starts_with(store.dir()) && !path.exists() {
        let watch = register(store.watch().ok()?, Interest::READABLE).ok()?;
        return Some(going(Followed::to_be(path), News::Log(watch)));
    }
    let log = store.log_at(&path);
    let watch = store.watch_log(log.as_deref()).ok()?;
    followed(path, News::Log(register(watch, Interest::READABLE).ok()?))
}

/// Follows the file of the main log; none if it cannot be read.
pub(super) fn follow_main(path: PathBuf, news: watch::Receiver<()>) -> Option<Response<Body>> {
    followed(path, News::Main(news))
}

fn followed(path: PathBuf, news: News) -> Option<Response<Body>> {
    Followed::open(path).ok().map(|followed| going(followed, news))
}

fn going(followed: Followed, news: News) -> Response<Body> {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    tokio::spawn(send(followed, news, sender));
    going_on(receiver)
}

async fn send(mut followed: Followed, mut news: News, sender: mpsc::Sender<Piece>) {
    loop {
        news.arm();
        match followed.next() {
            Ok(piece) if !piece.is_empty() => {
                if sender.send(Ok(Bytes::from(piece))).await.is_err() {
                    return;
                }
                continue;
            }
            // It may be there again when there is news.
            Ok(_) | Err(_) => {}
        }
        tokio::select! {
            came = news.come() => if came.is_err() { return },
            () = sender.closed() => return,
        }
    }
}

/// A file that is read as it grows, under its name.
struct Followed {
    path: PathBuf,
    /// None where nothing has been written yet.
    file: Option<File>,
    identity: (u64, u64),
    position: u64,
}

/// Opens what has an end: a pipe or a terminal has none, and would be waited for.
fn open(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path)?.is_file() { File::open(path) } else { Err(io::ErrorKind::NotFound.into()) }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Followed {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = open(&path)?;
        let metadata = file.metadata()?;
        let position = metadata.len().saturating_sub(BEFORE);
        Ok(Self { path, file: Some(file), identity: identity(&metadata), position })
    }

    fn to_be(path: PathBuf) -> Self {
        Self { path, file: None, identity: (0, 0), position: 0 }
    }

    /// The next piece; nothing if nothing has come.
    fn next(&mut self) -> io::Result<Vec<u8>> {
        let piece = self.read()?;
        if !piece.is_empty() {
            return Ok(piece);
        }
        if let Some(file) = &self.file
            && file.metadata()?.len() < self.position
        {
            self.position = 0;
            return Ok(TRUNCATED.to_vec());
        }
        // It was read to its end. Another file may have its name now.
        let file = open(&self.path)?;
        let now = identity(&file.metadata()?);
        if now == self.identity {
            return Ok(Vec::new());
        }
        (self.file, self.identity, self.position) = (Some(file), now, 0);
        self.read()
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut piece = Vec::new();
        let Some(file) = &mut self.file else { return Ok(piece) };
        file.seek(SeekFrom::Start(self.position))?;
        let read = file.take(PIECE).read_to_end(&mut piece)?;
        self.position += read as u64;
        Ok(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_yet_is_followed_from_its_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let mut followed = Followed::to_be(dir.path().join("x.log"));
        assert!(followed.next().is_err(), "nothing has its name");
        std::fs::write(dir.path().join("x.log"), "first").unwrap();
        assert_eq!(followed.next().unwrap(), b"first");
    }

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
