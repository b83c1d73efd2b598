//! Workers that read their terminal while nobody is attached: the foreground says how to type to them.
//!
//! 1. The kernel tells nobody that a process waits for input, so it is looked: when a worker's terminal has been quiet for
//!    [`QUIET`], after its run began and after each time that it showed something. What finds nothing is done a few times
//!    more ([`LOOKS`]), each time later. Then nothing is armed until the worker shows something.
//! 2. A worker that shows something again and again is looked at ever less often, down to once in [`REST_MAX`]; but soon
//!    ([`REST_MIN`]) where it stopped in the middle of a line, as who prompts does.
//! 3. A run is told of once, whichever overseer sees it, and not while somebody is attached who may type.

mod kernel;
mod watched;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use ganger_core::{Instant, RunId};
use ganger_logs::{From, Read, Store, Watch};
use ganger_spec::WorkerName;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use crate::attach::Sizes;
use crate::engine::Message;
use crate::readiness::{Source, register};
use watched::Watched;

/// A terminal that shows nothing for so long is looked at.
const QUIET: Duration = Duration::from_millis(500);
/// After a look in vain, so long none follows; after each one, twice as long, …
const REST_MIN: Duration = Duration::from_secs(1);
/// … up to this.
const REST_MAX: Duration = Duration::from_secs(16);
/// So often a worker is looked at that shows nothing new.
const LOOKS: u32 = 5;

/// Who is to be looked at, and when.
pub(crate) struct Unattended {
    messages: mpsc::UnboundedSender<Message>,
    /// None where nobody is told.
    store: Option<(Store, AsyncFd<Source<Watch>>)>,
    /// Who is attached.
    viewers: Arc<Sizes>,
    watched: BTreeMap<WorkerName, Watched>,
    /// A look is under way.
    is_looking: bool,
    /// What came is listened to again from then on: so a loud worker wakes us seldom.
    deaf_until: Option<Instant>,
}

impl Unattended {
    /// One for the workers of which logs this store has; for nobody, if there is none.
    pub(crate) fn new(
        store: Option<Store>,
        viewers: Arc<Sizes>,
        messages: mpsc::UnboundedSender<Message>,
    ) -> Result<Self, ganger_logs::Error> {
        let store = store.map(|store| {
            let watch = store.watch()?;
            // Where that cannot be, nobody is told.
            Ok(register(watch, Interest::READABLE).ok().map(|watch| (store, watch)))
        });
        let store = store.transpose()?.flatten();
        Ok(Self { messages, store, viewers, watched: BTreeMap::new(), is_looking: false, deaf_until: None })
    }

    /// Whether anybody is told.
    pub(crate) fn is_on(&self) -> bool {
        self.store.is_some()
    }

    /// This run has a terminal, and nobody was told of it.
    pub(crate) fn watch(&mut self, now: Instant, worker: &WorkerName, run: RunId) {
        if let Some((store, _)) = &self.store {
            let end = store.end(&worker.to_string()).unwrap_or(0);
            self.watched.insert(worker.clone(), Watched::new(now, run, end));
        }
    }

    /// This run has ended.
    pub(crate) fn ended(&mut self, run: RunId) {
        self.watched.retain(|_, watched| watched.run != run);
    }

    /// When [`Unattended::look`] is to be called.
    pub(crate) fn next(&self) -> Option<Instant> {
        if self.is_looking || self.watched.is_empty() {
            return None;
        }
        self.watched.values().filter_map(Watched::next).chain(self.deaf_until).min()
    }

    /// Until a worker may have shown something.
    pub(crate) async fn news(&self) {
        match &self.store {
            Some((_, watch)) if self.next().is_none() && !self.is_looking && !self.watched.is_empty() => {
                // What goes wrong here leaves the workers to those who look by themselves.
                if let Ok(mut ready) = watch.readable().await {
                    ready.clear_ready();
                }
            }
            Some(_) | None => std::future::pending().await,
        }
    }

    /// Takes note of who has shown something.
    pub(crate) fn hear(&mut self, now: Instant) {
        self.deaf_until = Some(now.after(QUIET));
        self.note(now);
    }

    fn note(&mut self, now: Instant) {
        let Some((store, _)) = &self.store else { return };
        for (worker, watched) in &mut self.watched {
            watched.hear(now, store.end(&worker.to_string()).unwrap_or(0));
        }
    }

    /// Looks at those whose time has come, in a thread of its own; `screen` gives the side of a worker's terminal where its
    /// screen is.
    pub(crate) fn look(&mut self, now: Instant, screen: impl Fn(&WorkerName) -> Option<OwnedFd>) {
        if let Some((_, watch)) = &self.store {
            watch.get_ref().0.arm();
        }
        self.deaf_until = None;
        self.note(now);
        let Some((store, _)) = &self.store else { return };
        let mut subjects = Vec::new();
        for (worker, watched) in &mut self.watched {
            if watched.next().is_some_and(|next| next <= now) {
                let is_prompt = is_prompt(store, worker, watched);
                if watched.is_due(now, is_prompt) {
                    watched.look(now);
                    subjects.extend(
                        screen(worker).map(|screen| (worker.clone(), watched.run, screen, is_prompt)),
                    );
                }
            }
        }
        if subjects.is_empty() {
            return;
        }
        let messages = self.messages.clone();
        let look = move || {
            let reads = |(.., screen, is_prompt): &(_, _, OwnedFd, bool)| kernel::is_read(screen, *is_prompt);
            let found = subjects.into_iter().filter(reads).map(|(worker, run, ..)| (worker, run));
            // It fails only when the engine has ended, and nobody is told then.
            let _ = messages.send(Message::Unattended(found.collect()));
        };
        // Where there is no thread for it, the next look may have one.
        self.is_looking = std::thread::Builder::new().name("unattended".to_owned()).spawn(look).is_ok();
    }

    /// A look is over; those of whom it is to be told that it found them.
    pub(crate) fn looked(&mut self, found: Vec<(WorkerName, RunId)>) -> Vec<WorkerName> {
        self.is_looking = false;
        let mut told = Vec::new();
        for (worker, run) in found {
            let is_still = self.watched.get(&worker).is_some_and(|watched| watched.run == run);
            if is_still && !self.viewers.is_attended(&worker) {
                self.watched.remove(&worker);
                told.push(worker);
            }
        }
        told
    }
}

/// Whether what a run showed last is no whole line.
fn is_prompt(store: &Store, worker: &WorkerName, watched: &Watched) -> bool {
    let mut last = [0];
    let read = watched.last_byte().and_then(|place| {
        let mut reader = store.reader(&worker.to_string(), From::Position(place)).ok()?;
        reader.read(&mut last).ok()
    });
    matches!(read, Some(Read::Bytes(1))) && last != *b"\n"
}
