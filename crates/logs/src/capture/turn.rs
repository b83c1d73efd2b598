//! The capture thread's turns: wait, move what came, wake the followers.
//!
//! It sleeps without a timer. There are two exceptions: while output cannot be stored (a full disk), it looks again
//! each second; and while little but frequent output comes, it naps between turns, so that one turn serves many lines.
//! A line that comes after a silence is stored at once.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;

use super::feed::{self, Feed, Poured, ROUNDS_MAX};
use super::packer::Packer;
use super::relay::RELAY;
use super::trouble::Trouble;
use super::{Command, Deed, Done, Event};
use crate::files::RealFiles;
use crate::hand::Hand;
use crate::home::Home;
use crate::log::Log;
use crate::watch::Bell;
use crate::writer::{Desk, Moved, Writer};
use crate::{Error, Result, Store};

/// So many pipes are served in one turn.
const PIPES: usize = 64;
/// Output that could not be stored is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// A turn that begins within this after the one before is one of many: what comes next may wait for a nap.
const BUSY: Duration = Duration::from_millis(2);
/// How long what comes next may wait.
const NAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 400_000 };
/// A turn that moved more than this is followed by the next at once: pipes must not fill up.
const NAP_BYTES: usize = 64 * 1024;
/// After a rotated file could not be removed, it is tried again when so much more has come.
const RETRY_BYTES: u64 = 1 << 20;
/// The bell's token; pipes have their place in `feeds`.
const BELL: u64 = u64::MAX;

pub(super) struct Turns {
    store: Store,
    packer: Packer,
    inbox: Receiver<Command>,
    bell: Arc<Bell>,
    on_event: Box<dyn FnMut(Event) + Send>,
    epoll: OwnedFd,
    hand: RefCell<Hand>,
    feeds: Vec<Option<Feed>>,
    places: BTreeMap<Arc<str>, usize>,
    /// Which log has this file: with thousands of them, each is not to be compared with all others.
    owners: HashMap<PathBuf, Arc<str>>,
    /// Places whose pipe is left alone: because storing fails, or because a follower lags.
    failing: Vec<usize>,
    stalled: Vec<usize>,
    retry_at: Option<Instant>,
    trouble: Trouble,
    /// How many bytes this turn moved, for followers to read.
    moved: usize,
    /// Whose they are.
    grown: Vec<Arc<str>>,
    /// A log was rotated, or limits have changed.
    rotated: bool,
    /// How many bytes may come before all logs together are too big.
    headroom: u64,
    /// A rotated file could not be removed; it was said.
    untidy: bool,
    /// When the turn before began.
    turned: Instant,
    stopping: bool,
}

impl Turns {
    pub(super) fn new(
        store: Store,
        packer: Packer,
        inbox: Receiver<Command>,
        bell: Arc<Bell>,
        on_event: Box<dyn FnMut(Event) + Send>,
        hand: Hand,
    ) -> Result<Self> {
        let wrap = |e| Error::io("capture into", store.dir(), e);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(wrap)?;
        epoll::add(&epoll, &bell, epoll::EventData::new_u64(BELL), epoll::EventFlags::IN).map_err(wrap)?;
        bell.arm();
        let own = |log: Arc<Log>| Some((log.home().place.file()?.to_owned(), Arc::clone(&log.name)));
        let owners = store.all().into_iter().filter_map(own).collect();
        let mut turns = Self {
            store,
            packer,
            inbox,
            bell,
            on_event,
            epoll,
            hand: RefCell::new(hand),
            feeds: Vec::new(),
            places: BTreeMap::new(),
            owners,
            failing: Vec::new(),
            stalled: Vec::new(),
            retry_at: None,
            trouble: Trouble::default(),
            moved: 0,
            grown: Vec::new(),
            rotated: true,
            headroom: 0,
            untidy: false,
            turned: Instant::now(),
            stopping: false,
        };
        turns.settle();
        Ok(turns)
    }

    /// Stores what the start before had in its hand when it was killed. What cannot be stored is, once it can, before
    /// anything else of its log.
    fn settle(&mut self) {
        let creditor = self.hand.borrow().creditor().map(ToOwned::to_owned);
        let Some(name) = creditor else { return };
        let Ok(log) = self.store.get(&name) else { return self.hand.borrow_mut().let_go() };
        let desk = Desk { files: &RealFiles, dir: self.store.dir(), hand: &self.hand };
        if let Err(error) = Writer::new(&log).settle(&desk, &log, feed::now()) {
            let (path, errno) = super::place(&error);
            (self.on_event)(Event::Failed { log: name, path, errno, since: std::time::SystemTime::now() });
        }
    }

    pub(super) fn run(&mut self) {
        let mut events = Vec::with_capacity(PIPES);
        while !self.stopping {
            let timeout = self.retry_at.map(|at| at.saturating_duration_since(Instant::now()));
            let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
            events.clear();
            // It can only fail by being interrupted.
            let _ = epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref());
            for event in &events {
                match event.data.u64() {
                    BELL => self.answer(),
                    token if token & RELAY != 0 => self.relay(place_of(token & !RELAY)),
                    place => self.serve(place_of(place)),
                }
            }
            if self.retry_at.is_some_and(|at| at <= Instant::now()) {
                self.retry_at = None;
                for place in std::mem::take(&mut self.failing) {
                    self.serve(place);
                }
            }
            self.end_turn();
        }
    }

    fn end_turn(&mut self) {
        if std::mem::take(&mut self.rotated) {
            self.packer.wake();
        }
        let moved = std::mem::take(&mut self.moved);
        if moved == 0 {
            return;
        }
        self.store.announce(&self.grown);
        self.grown.clear();
        self.headroom = self.headroom.saturating_sub(moved as u64);
        if self.headroom == 0 {
            self.trim();
        }
        let before = std::mem::replace(&mut self.turned, Instant::now());
        if moved < NAP_BYTES && self.turned - before < BUSY && !self.stopping {
            // Whoever asks for something rings, and ends the nap. An interrupted nap is a short one.
            let _ = poll(&mut [PollFd::new(&self.bell, PollFlags::IN)], Some(&NAP));
        }
    }

    /// Does what was asked, and goes on where a follower has caught up.
    fn answer(&mut self) {
        self.bell.arm();
        while let Ok(command) = self.inbox.try_recv() {
            match command {
                Command::Add { log, pipe, begins } => self.add(log, pipe, begins),
                Command::Begin { log, run, holds } => {
                    self.begin(&log, run);
                    drop(holds);
                }
                Command::Relay { log, terminal, run } => self.lead(&log, terminal, run),
                Command::Drain { log, done } => self.drain(&log, done),
                Command::Remove { log, done } => self.remove(&log, done),
                Command::Do { deed, log, reply } => {
                    // Whoever asked may have gone.
                    let _ = reply.send(self.carry_out(deed, &log));
                    self.grown.push(Arc::clone(&log.name));
                    self.store.announce(&std::mem::take(&mut self.grown));
                }
                Command::Tidy => {
                    self.rotated = true;
                    self.trim();
                }
                Command::Tell(event) => (self.on_event)(event),
                Command::Stop => return self.stop(),
            }
        }
        for place in std::mem::take(&mut self.stalled) {
            self.resume(place);
        }
    }

    /// Does something to a log while nothing is written to it.
    fn carry_out(&mut self, deed: Deed, log: &Arc<Log>) -> Result<()> {
        let before = log.home();
        if let Deed::Move(home) = &deed
            && let Some(path) = home.place.file()
        {
            self.give(path, log)?;
        }
        let desk = Desk { files: &RealFiles, dir: self.store.dir(), hand: &self.hand };
        let place = self.places.get(&log.name);
        let feed = place.and_then(|place| self.feeds.get_mut(*place)).and_then(Option::as_mut);
        let mut free = Writer::new(log);
        let writer = feed.map_or(&mut free, Feed::writer);
        match deed {
            Deed::Move(home) => writer.move_to(&desk, log, home, feed::now())?,
            Deed::Reopen => writer.reopen(&desk, log, feed::now())?,
            Deed::Clear => writer.clear(&desk, log, feed::now())?,
        }
        if let Some(path) = before.place.file().filter(|path| log.home().place.file() != Some(path)) {
            self.owners.remove(path);
        }
        Ok(())
    }

    /// Lets a log have a file that another one had, if that is captured no more: who has the file now has what is in it.
    fn give(&mut self, path: &Path, log: &Arc<Log>) -> Result<()> {
        if let Some(other) = self.owner_of(path).filter(|other| other.name != log.name) {
            if self.places.contains_key(&other.name) {
                return Err(Error::Shared { path: path.to_owned(), log: other.name.to_string() });
            }
            let desk = Desk { files: &RealFiles, dir: self.store.dir(), hand: &self.hand };
            Writer::new(&other).move_to(&desk, &other, Home::default(), feed::now())?;
        }
        self.owners.insert(path.to_owned(), Arc::clone(&log.name));
        Ok(())
    }

    /// The log that has this file. A move that failed may have left a name that is not right.
    fn owner_of(&self, path: &Path) -> Option<Arc<Log>> {
        let log = self.store.get(self.owners.get(path)?).ok()?;
        (log.home().place.file() == Some(path)).then_some(log)
    }

    /// Keeps all logs together below their bound.
    fn trim(&mut self) {
        match self.store.trim(&RealFiles) {
            Ok(headroom) => (self.headroom, self.untidy) = (headroom, false),
            Err((log, error)) => {
                self.headroom = RETRY_BYTES;
                if !std::mem::replace(&mut self.untidy, true) {
                    (self.on_event)(Event::untidy(&log, &error));
                }
            }
        }
    }

    fn feed_of(&mut self, log: &str) -> Option<&mut Feed> {
        let place = *self.places.get(log)?;
        self.feeds.get_mut(place)?.as_mut()
    }

    fn add(&mut self, log: Arc<Log>, pipe: OwnedFd, begins: Option<(u64, u64)>) {
        if let Some(&place) = self.places.get(&log.name) {
            self.forget(place);
        }
        let place = self.feeds.iter().position(Option::is_none).unwrap_or(self.feeds.len());
        let data = epoll::EventData::new_u64(place as u64);
        if let Err(errno) = epoll::add(&self.epoll, &pipe, data, epoll::EventFlags::IN) {
            return self.cannot_listen(&log.name, errno);
        }
        self.places.insert(Arc::clone(&log.name), place);
        let mut feed = Feed::new(log, pipe);
        if let Some((position, run)) = begins {
            feed.writer().begin(position, run);
        }
        let feed = Some(feed);
        if place == self.feeds.len() {
            self.feeds.push(feed);
        } else {
            self.feeds[place] = feed;
        }
    }

    fn cannot_listen(&mut self, log: &str, errno: Errno) {
        let path = self.store.dir().join(log);
        let since = std::time::SystemTime::now();
        (self.on_event)(Event::Failed { log: log.to_owned(), path, errno, since });
    }

    fn begin(&mut self, log: &str, run: u64) {
        if let Some(feed) = self.feed_of(log) {
            feed.begin(run);
        }
    }

    /// Lets what a terminal shows come into the pipe of a log.
    fn lead(&mut self, log: &str, terminal: OwnedFd, run: Option<u64>) {
        let Some(&place) = self.places.get(log) else { return };
        if let Some(feed) = self.feed_of(log) {
            feed.relay(terminal, run);
            self.relay(place);
        }
    }

    fn drain(&mut self, log: &str, done: Done) {
        let Some(&place) = self.places.get(log) else { return done(self.store.end(log).unwrap_or(0)) };
        if let Some(feed) = self.feed_of(log) {
            feed.when_drained(done);
            self.relay(place);
        }
    }

    fn remove(&mut self, log: &str, done: Done) {
        let Some(&place) = self.places.get(log) else { return done(self.store.end(log).unwrap_or(0)) };
        if let Some(feed) = self.feed_of(log) {
            feed.leave(done);
        }
        self.relay(place);
        if self.feed_of(log).is_some_and(|feed| feed.has_left()) {
            self.forget(place);
        }
    }

    /// Lets go of a pipe.
    fn forget(&mut self, place: usize) {
        let Some(feed) = self.feeds.get_mut(place).and_then(Option::take) else { return };
        // Its description may be open elsewhere; without this, its events would go on.
        let _ = epoll::delete(&self.epoll, feed.pipe());
        self.places.remove(feed.name());
        self.failing.retain(|p| *p != place);
        self.stalled.retain(|p| *p != place);
        let recovered = if feed.is_failing() { self.trouble.over() } else { None };
        feed.end(&self.epoll);
        recovered.into_iter().for_each(&mut self.on_event);
    }

    /// Moves what a pipe holds, up to a turn's worth, and what waited for room in it.
    fn serve(&mut self, place: usize) {
        self.store_some(place);
        if self.feeds.get(place).and_then(Option::as_ref).is_some_and(Feed::is_full) && !self.is_held(place) {
            self.relay(place);
        }
    }

    /// Whether a pipe is left alone now.
    fn is_held(&self, place: usize) -> bool {
        self.failing.contains(&place) || self.stalled.contains(&place)
    }

    /// Takes what is to come into a pipe, and stores it.
    fn relay(&mut self, place: usize) {
        for round in 0..=ROUNDS_MAX {
            let is_held = self.is_held(place);
            let Some(feed) = self.feeds.get_mut(place).and_then(Option::as_mut) else { return };
            if !feed.is_relayed() {
                return;
            }
            if round == ROUNDS_MAX {
                feed.pause();
            }
            let is_full = round < ROUNDS_MAX && feed.take(&self.epoll);
            if !is_held {
                self.store_some(place);
            }
            if !is_full || self.is_held(place) {
                break;
            }
        }
        let Some(feed) = self.feeds.get_mut(place).and_then(Option::as_mut) else { return };
        if let Err(errno) = feed.listen_to_relay(&self.epoll, place as u64) {
            let log = feed.log_name();
            self.cannot_listen(&log, errno);
        }
    }

    /// Moves what a pipe holds, up to a turn's worth.
    fn store_some(&mut self, place: usize) {
        let Some(feed) = self.feeds.get_mut(place).and_then(Option::as_mut) else { return };
        let desk = Desk { files: &RealFiles, dir: self.store.dir(), hand: &self.hand };
        let was_failing = feed.is_failing();
        match feed.pour(&desk) {
            Poured::Moved(Moved { bytes, rotated, .. }) => {
                if bytes > 0 {
                    self.moved += bytes;
                    self.grown.push(feed.log_name());
                }
                self.rotated |= rotated;
                if was_failing {
                    self.trouble.over().into_iter().for_each(&mut self.on_event);
                }
            }
            Poured::Failed(error) => {
                let event = self.trouble.met(feed.name(), &error, !was_failing);
                event.into_iter().for_each(&mut self.on_event);
                self.failing.push(place);
                self.retry_at.get_or_insert_with(|| Instant::now() + RETRY);
            }
            Poured::Stalled => self.stalled.push(place),
        }
        if feed.has_left() {
            return self.forget(place);
        }
        let wanted = !self.failing.contains(&place) && !self.stalled.contains(&place);
        feed.listen(&self.epoll, place as u64, wanted);
    }

    /// Takes up a pipe again if the follower that held it up has caught up.
    fn resume(&mut self, place: usize) {
        let Some(feed) = self.feeds.get_mut(place).and_then(Option::as_mut) else { return };
        if feed.is_held_up() {
            self.stalled.push(place);
        } else {
            self.serve(place);
        }
    }

    /// Stores what the pipes hold, whoever lags, and ends.
    fn stop(&mut self) {
        self.packer.stop();
        let desk = Desk { files: &RealFiles, dir: self.store.dir(), hand: &self.hand };
        for feed in std::mem::take(&mut self.feeds).into_iter().flatten() {
            let (name, is_new) = (feed.log_name(), !feed.is_failing());
            self.grown.push(Arc::clone(&name));
            if let Err(error) = feed.finish(&self.epoll, &desk) {
                self.trouble.met(&name, &error, is_new).into_iter().for_each(&mut self.on_event);
            }
        }
        self.store.announce(&self.grown);
        self.stopping = true;
    }
}

/// The place that a token stands for.
fn place_of(token: u64) -> usize {
    usize::try_from(token).unwrap_or(usize::MAX)
}
