//! Following the logs of which listeners are to hear.

use std::collections::BTreeMap;
use std::io;

use ganger_logs::{From, Read, Reader, Store, Watch};
use ganger_spec::{LogName, WorkerName};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::overheard::{Heard, Scanner};
use super::payload::DATA_MAX_BYTES;
use crate::readiness::{Source, register};

/// So many pieces of a log are read before others get their turn.
const READS_PER_TURN: usize = 4;

/// What of a log is to be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Its text.
    pub(crate) text: bool,
    /// What is between marks, so many bytes of it.
    pub(crate) captured: usize,
}

/// Something that was heard.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) log: String,
    pub(crate) worker: WorkerName,
    pub(crate) is_stderr: bool,
    pub(crate) heard: Heard,
    /// How far the log is heard with it.
    pub(crate) position: u64,
}

#[derive(Debug)]
struct Followed {
    worker: WorkerName,
    is_stderr: bool,
    wanted: Wanted,
    scanner: Scanner,
    reader: Reader,
    /// Its run has ended, and all that it wrote is stored up to here.
    ends: Option<u64>,
    /// It is let go of once all of it is heard.
    leaves: bool,
}

/// The logs that are followed; nothing is awaited where there are none.
#[derive(Debug, Default)]
pub(crate) struct Overhearing {
    watch: Option<AsyncFd<Source<Watch>>>,
    logs: BTreeMap<String, Followed>,
    has_more: bool,
}

impl Overhearing {
    /// Follows a log from where it was heard to, or from its end; that position.
    pub(crate) fn follow(
        &mut self,
        store: &Store,
        log: &LogName,
        wanted: Wanted,
        heard: Option<u64>,
    ) -> io::Result<u64> {
        let name = log.to_string();
        if let Some(followed) = self.logs.get_mut(&name) {
            followed.wanted.text = wanted.text;
            followed.leaves = false;
            return Ok(followed.scanner.position());
        }
        if self.watch.is_none() {
            let watch = store.watch().map_err(io::Error::other)?;
            self.watch = Some(register(watch, Interest::READABLE)?);
        }
        let from = heard.map_or(From::End, From::Position);
        let reader = store.reader(&name, from).map_err(io::Error::other)?;
        let position = reader.position();
        let scanner = Scanner::new(position, wanted.captured);
        let is_stderr = *log == LogName::err(&log.worker);
        let followed = Followed {
            worker: log.worker.clone(),
            is_stderr,
            wanted,
            scanner,
            reader,
            ends: None,
            leaves: false,
        };
        self.logs.insert(name, followed);
        self.has_more = true;
        Ok(position)
    }

    /// Nothing of this worker is to be heard any more.
    pub(crate) fn forget(&mut self, worker: &WorkerName) {
        self.logs.retain(|_, followed| followed.worker != *worker);
    }

    /// Nothing of this worker is to be heard any more but what is in its logs now.
    pub(crate) fn let_go(&mut self, worker: &WorkerName) {
        for followed in self.logs.values_mut().filter(|followed| followed.worker == *worker) {
            followed.leaves = true;
            self.has_more = true;
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// All that the worker's run wrote is stored.
    pub(crate) fn drained(&mut self, worker: &WorkerName, store: &Store) {
        for (name, followed) in &mut self.logs {
            if followed.worker == *worker {
                followed.ends = store.end(name).ok();
                self.has_more = true;
            }
        }
    }

    /// Until there may be something to hear.
    pub(crate) async fn ready(&self) {
        match &self.watch {
            _ if self.has_more => {}
            None => std::future::pending().await,
            Some(watch) => match watch.readable().await {
                Ok(mut ready) => ready.clear_ready(),
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// Whether more is there than a turn may take.
    pub(crate) fn has_more(&self) -> bool {
        self.has_more
    }

    /// What is there to hear, as much as a turn may take.
    pub(crate) fn hear(&mut self) -> Vec<Piece> {
        if let Some(watch) = &self.watch {
            watch.get_ref().0.arm();
        }
        let mut pieces = Vec::new();
        self.has_more = false;
        self.logs.retain(|name, followed| {
            let reads = (0..READS_PER_TURN).take_while(|_| followed.hear(name, &mut pieces)).count();
            let has_more = reads == READS_PER_TURN;
            self.has_more |= has_more;
            has_more || !followed.leaves
        });
        pieces
    }
}

impl Followed {
    /// Hears the next piece; false if there is none.
    fn hear(&mut self, name: &str, pieces: &mut Vec<Piece>) -> bool {
        let mut buffer = vec![0; DATA_MAX_BYTES / 2];
        let heard = match self.reader.read(&mut buffer) {
            Ok(Read::Bytes(count)) => self.scanner.feed(&buffer[..count]),
            Ok(Read::Skipped(count)) => {
                self.scanner.skip(count);
                Vec::new()
            }
            // What cannot be read now is read when there is more.
            Ok(Read::End) | Err(_) => {
                if let Some(end) = self.ends.take_if(|end| *end <= self.reader.position()) {
                    let last = self.scanner.finish().filter(|(_, position)| *position <= end);
                    self.add(name, last, pieces);
                }
                return false;
            }
        };
        self.add(name, heard, pieces);
        true
    }

    fn add(&self, name: &str, heard: impl IntoIterator<Item = (Heard, u64)>, pieces: &mut Vec<Piece>) {
        let is_wanted = |heard: &Heard| match heard {
            Heard::Log(_) => self.wanted.text,
            Heard::Captured(_) => true,
        };
        let heard = heard.into_iter().filter(|(heard, _)| is_wanted(heard));
        pieces.extend(heard.map(|(heard, position)| {
            let (log, worker) = (name.to_owned(), self.worker.clone());
            Piece { log, worker, is_stderr: self.is_stderr, heard, position }
        }));
    }
}
