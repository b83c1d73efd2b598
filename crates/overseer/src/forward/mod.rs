//! Forwarders: followers of the store that send what workers write to syslog or journald.
//!
//! Each has a thread of its own and reads only as fast as its target takes, so that neither a slow nor a dead target holds
//! up anybody: what cannot be sent waits in the store. How far the target got it is kept on disk; whoever dies, the
//! next overseer goes on from there. So a line arrives at least once, unless the store drops it first, which is counted.

mod book;
mod format;
mod link;
mod orders;
mod status;
#[cfg(test)]
mod tests;
mod thread;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ganger_api::ForwardInfo;
use ganger_logs::Store;
use ganger_spec::Forward;

use book::Book;
use orders::{Order, Orders};
use status::Status;
use thread::Thread;

pub(crate) use format::of_supervisord;
pub(crate) use link::{Link, connect};

/// At the end of the app, targets have so long to take what is left; the rest is sent by the next overseer.
const FINISH_WITHIN: Duration = Duration::from_secs(2);

/// Tells people something.
pub(crate) type Tell = Box<dyn Fn(String) + Send>;

/// The forwarders of the app.
pub(crate) struct Forwards {
    dir: PathBuf,
    store: Store,
    tell: Box<dyn Fn() -> Tell + Send + Sync>,
    running: Mutex<BTreeMap<String, Running>>,
}

struct Running {
    forward: Forward,
    orders: Arc<Orders>,
    status: Arc<Status>,
    ended: Receiver<()>,
}

impl Forwards {
    /// None yet; what they keep is in `dir`. `tell` makes what a thread tells people with.
    pub(crate) fn new(dir: PathBuf, store: Store, tell: Box<dyn Fn() -> Tell + Send + Sync>) -> Self {
        Self { dir, store, tell, running: Mutex::default() }
    }

    /// Lets these run and no others. They miss nothing that is written after this.
    pub(crate) fn apply(&self, app: &str, forwards: &[Forward]) {
        let mut running = self.running();
        running.retain(|name, old| {
            let stays = forwards.iter().any(|forward| forward.name == *name);
            if !stays {
                old.orders.give(Order::Leave);
            }
            stays
        });
        for forward in forwards {
            let old = match running.remove(&forward.name) {
                Some(same) if same.forward == *forward => {
                    running.insert(forward.name.clone(), same);
                    continue;
                }
                other => other,
            };
            match self.start(app, forward, old) {
                Ok(started) => {
                    running.insert(forward.name.clone(), started);
                }
                Err(error) => (self.tell)()(format!("cannot forward to {}: {error}", forward.name)),
            }
        }
    }

    /// What they do.
    pub(crate) fn infos(&self) -> Vec<ForwardInfo> {
        self.running().values().map(|running| running.status.info(&running.forward, &self.store)).collect()
    }

    /// Sends what is left, as far as the targets take it soon, and ends.
    pub(crate) fn finish(&self) {
        let running = std::mem::take(&mut *self.running());
        let until = Instant::now() + FINISH_WITHIN;
        for forwarder in running.values() {
            forwarder.orders.give(Order::Finish);
        }
        for forwarder in running.values() {
            // It has ended, or what it has not sent is sent the next time.
            let _ = forwarder.ended.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
    }

    /// Starts a forwarder, which takes over from the one that had its name.
    fn start(&self, app: &str, forward: &Forward, old: Option<Running>) -> io::Result<Running> {
        let old = old.map(|old| {
            old.orders.give(Order::Leave);
            old.ended
        });
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let path = self.dir.join(file_name(&forward.name));
        let orders = Arc::new(Orders::new()?);
        let status = Arc::new(Status::default());
        let watch = self.store.watch().map_err(io::Error::other)?;
        let mut thread = Thread::new(
            app,
            forward.clone(),
            self.store.clone(),
            watch,
            Arc::clone(&orders),
            Arc::clone(&status),
            (self.tell)(),
        );
        // What is written from now on is later than this.
        let book = Book::open(&path, &self.store, forward)?;
        let (end, ended) = channel();
        std::thread::Builder::new().name("forward".to_owned()).spawn(move || {
            let book = match old {
                // It marks on until it has left.
                Some(old) => old.recv().ok().and_then(|()| thread.open_book(&path)).unwrap_or(book),
                None => book,
            };
            thread.run(book);
            // Nobody listens any more if `finish` gave up.
            let _ = end.send(());
        })?;
        Ok(Running { forward: forward.clone(), orders, status, ended })
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name as a file's name: what is no letter, digit, `-` or `_` is two digits of hexadecimal after a `%`.
fn file_name(name: &str) -> String {
    let letter = |byte: u8| match byte {
        plain if plain.is_ascii_alphanumeric() || b"-_".contains(&plain) => char::from(plain).to_string(),
        other => format!("%{other:02x}"),
    };
    name.bytes().map(letter).collect()
}
