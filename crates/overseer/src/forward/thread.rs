//! A forwarder's thread.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ganger_logs::{Merged, Query, Store, Watch};
use ganger_spec::Forward;
use rustix::event::PollFlags;

use super::Tell;
use super::book::Book;
use super::format::Format;
use super::link::{self, Link};
use super::orders::{Order, Orders};
use super::status::Status;

/// So much of the logs is read and sent at once.
const BATCH_BYTES: usize = 64 * 1024;
/// A target that takes nothing is tried again after the first of these, each time later, up to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// While nothing new comes, it is looked whether the target has read what was sent: after this, then twice as long …
const LOOK: Duration = Duration::from_millis(10);
/// … so many times.
const LOOKS: u32 = 10;

pub(super) struct Thread {
    forward: Forward,
    format: Format,
    store: Store,
    watch: Watch,
    orders: Arc<Orders>,
    status: Arc<Status>,
    tell: Tell,
    /// The logs that are sent.
    logs: BTreeSet<String>,
    /// How many logs the store had when these were chosen; it never has fewer.
    known: usize,
}

/// What the thread has in hand.
struct Work<'a> {
    book: &'a mut Book,
    merged: Merged,
    link: Option<Box<dyn Link>>,
    /// Messages of the present batch that are not sent yet.
    outbox: VecDeque<Vec<u8>>,
    /// The lines of the present batch and the bytes of its messages.
    batch: (u64, u64),
    /// How often it was looked whether what was sent is read.
    looks: u32,
    /// What is left of lines without a newline is in hand: it is the end.
    is_last: bool,
}

/// What comes next.
enum Next {
    /// More of the same.
    On,
    /// The target has no room now.
    Full,
    /// All is sent.
    Idle,
}

impl Thread {
    pub(super) fn new(
        app: &str,
        forward: Forward,
        store: Store,
        watch: Watch,
        orders: Arc<Orders>,
        status: Arc<Status>,
        tell: Tell,
    ) -> Self {
        let format = Format::new(forward.clone(), app);
        Self { forward, format, store, watch, orders, status, tell, logs: BTreeSet::new(), known: 0 }
    }

    /// Opens the book again, once the thread before has left it.
    pub(super) fn open_book(&self, path: &Path) -> Option<Book> {
        Book::open(path, &self.store, &self.forward).ok()
    }

    /// Forwards until it is told to end.
    pub(super) fn run(&mut self, mut book: Book) {
        let mut retry = RETRY.0;
        while let Err(error) = self.work(&mut book, &mut retry) {
            self.failed(&error);
            book.lost();
            if self.orders.last() != Order::Stay || self.orders.wait(Order::Stay, &[], Some(retry)).is_err() {
                return;
            }
            retry = (retry * 2).min(RETRY.1);
        }
    }

    /// Forwards from what is sure on, until the target fails or there is the order to end.
    fn work(&mut self, book: &mut Book, retry: &mut Duration) -> io::Result<()> {
        self.choose();
        let (merged, dropped) = book.rest(&self.store, &self.logs).map_err(io::Error::other)?;
        self.dropped(dropped);
        self.status.sent((0, 0), merged.positions());
        let (outbox, batch) = (VecDeque::new(), (0, 0));
        let mut work = Work { book, merged, link: None, outbox, batch, looks: 0, is_last: false };
        loop {
            match self.orders.last() {
                Order::Leave => return Ok(()),
                order if self.turn(&mut work, order, retry)? => {}
                Order::Stay | Order::Finish => return Ok(()),
            }
        }
    }

    /// Does what is next; false at the end.
    fn turn(&mut self, work: &mut Work<'_>, order: Order, retry: &mut Duration) -> io::Result<bool> {
        match self.send(work, retry)? {
            Next::On => {}
            Next::Full => {
                let link = work.link.as_ref().map(|link| (link.socket(), PollFlags::OUT));
                self.orders.wait(order, link.as_slice(), None)?;
            }
            Next::Idle => {
                hear(work)?;
                match order {
                    Order::Finish if !work.is_last => self.take_last(work)?,
                    Order::Finish if work.book.is_sure() => return Ok(false),
                    Order::Finish => {
                        if let Some(link) = &mut work.link {
                            link.end();
                        }
                        self.idle(work, order)?;
                    }
                    Order::Stay | Order::Leave => self.idle(work, order)?,
                }
            }
        }
        Ok(true)
    }

    /// Sends what is in the outbox, or fills it.
    fn send(&mut self, work: &mut Work<'_>, retry: &mut Duration) -> io::Result<Next> {
        if work.batch.0 == 0 && !self.fill(work)? {
            return Ok(Next::Idle);
        }
        let link = match &mut work.link {
            Some(link) => link,
            None => work.link.insert(link::connect(&self.forward.to)?),
        };
        while let Some(message) = work.outbox.front() {
            if !link.send(message)? {
                return Ok(Next::Full);
            }
            work.book.count(message.len());
            work.outbox.pop_front();
        }
        if !link.flush()? {
            return Ok(Next::Full);
        }
        let outstanding = link.outstanding()?;
        work.book.sent(work.merged.positions());
        work.book.reached(outstanding);
        work.looks = 0;
        self.status.sent(std::mem::take(&mut work.batch), work.merged.positions());
        if self.status.trouble(None) {
            (self.tell)(format!("{} takes lines again", self.forward.name));
        }
        *retry = RETRY.0;
        Ok(Next::On)
    }

    /// Takes the next batch; false if there is none.
    fn fill(&mut self, work: &mut Work<'_>) -> io::Result<bool> {
        for log in self.choose() {
            work.merged.add(&self.store, &log).map_err(io::Error::other)?;
            self.status.sent((0, 0), work.merged.positions());
        }
        let lines = work.merged.next_batch(BATCH_BYTES).map_err(io::Error::other)?;
        let skipped = work.merged.take_skipped();
        work.book.skipped(skipped);
        self.dropped(skipped);
        for line in &lines {
            self.format.add(line, &mut work.outbox);
        }
        let bytes: usize = work.outbox.iter().map(Vec::len).sum();
        work.batch = (lines.len() as u64, bytes as u64);
        if lines.is_empty() {
            self.status.sent((0, 0), work.merged.positions());
        }
        Ok(!lines.is_empty())
    }

    /// Waits for lines, and meanwhile for the target.
    fn idle(&mut self, work: &mut Work<'_>, order: Order) -> io::Result<()> {
        self.watch.arm();
        if self.fill(work)? {
            return Ok(());
        }
        let looks_on = !work.book.is_sure() && work.looks < LOOKS;
        let timeout = looks_on.then(|| LOOK * 2_u32.pow(work.looks));
        work.looks += u32::from(looks_on);
        let link = work.link.as_ref().map(|link| (link.socket(), PollFlags::IN));
        let news = (self.watch.as_fd(), PollFlags::IN);
        let both = [link.unwrap_or(news), news];
        self.orders.wait(order, &both[usize::from(link.is_none())..], timeout)
    }

    /// Nothing more is written: what is left without a newline is a line now.
    fn take_last(&self, work: &mut Work<'_>) -> io::Result<()> {
        work.is_last = true;
        let from = |(log, at): (&Arc<str>, u64)| (log.to_string(), ganger_logs::From::Position(at));
        let from: Vec<_> = work.merged.positions().map(from).collect();
        work.merged = Merged::resume(&self.store, &from, Query::default()).map_err(io::Error::other)?;
        Ok(())
    }

    /// The wanted logs that have begun since it last looked.
    fn choose(&mut self) -> Vec<String> {
        let logs = self.store.logs();
        if logs.len() == self.known {
            return Vec::new();
        }
        self.known = logs.len();
        logs.into_iter().filter(|log| self.forward.wants(log) && self.logs.insert(log.clone())).collect()
    }

    /// So many bytes cannot be sent any more.
    fn dropped(&self, bytes: u64) {
        if bytes > 0 {
            self.status.dropped(bytes);
            let name = &self.forward.name;
            (self.tell)(format!("{bytes} bytes were removed before they could be forwarded to {name}"));
        }
    }

    fn failed(&self, error: &io::Error) {
        if self.status.trouble(Some(error.to_string())) {
            let name = &self.forward.name;
            (self.tell)(format!("{name} takes no lines: {error}; they wait in the store"));
        }
    }
}

/// Looks what became of what was sent.
fn hear(work: &mut Work<'_>) -> io::Result<()> {
    let Some(link) = &mut work.link else { return Ok(()) };
    if link.hear()? {
        // It has read all of it, and closed the connection. The next line opens another.
        work.book.reached(0);
        work.book.lost();
        work.link = None;
    } else {
        work.book.reached(link.outstanding()?);
    }
    Ok(())
}
