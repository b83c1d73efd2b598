//! How far a forwarder got with each log: what is sure is kept on disk, what is sent but not sure in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;

use ganger_logs::{From, Marks, Merged, Query, Store};
use ganger_spec::Forward;

/// What is sure, and what is not yet.
pub(super) struct Book {
    marks: Marks,
    /// Up to here each log has reached the target.
    sure: BTreeMap<Arc<str>, u64>,
    /// The same for what is sent.
    latest: BTreeMap<Arc<str>, u64>,
    /// What was sent over the present connection and may be lost with it, the oldest first.
    sent: VecDeque<Sent>,
    /// The bytes of all messages over the present connection.
    total: u64,
    /// Bytes that the store dropped while they were read, after what is sure.
    skipped: u64,
}

/// The state after a batch.
struct Sent {
    /// [`Book::total`] then.
    total: u64,
    positions: Vec<(Arc<str>, u64)>,
}

impl Book {
    /// Opens the book of a forwarder. One that is new begins with what is written from now on.
    pub(super) fn open(path: &Path, store: &Store, forward: &Forward) -> io::Result<Self> {
        let is_new = !path.exists();
        let marks = Marks::open(path)?;
        let mut book = Self {
            marks,
            sure: BTreeMap::new(),
            latest: BTreeMap::new(),
            sent: VecDeque::new(),
            total: 0,
            skipped: 0,
        };
        let known = book.marks.positions();
        for log in store.logs().into_iter().filter(|log| forward.wants(log)) {
            let end = store.end(&log).map_err(io::Error::other)?;
            if is_new {
                book.make_sure(&Arc::from(log), end);
            } else if let Some(position) = known.get(&log).filter(|position| **position <= end) {
                book.sure.insert(log.into(), *position);
            }
        }
        book.lost();
        Ok(book)
    }

    /// All lines that are not sure, of these logs; and how many bytes the store dropped of them meanwhile.
    pub(super) fn rest(
        &mut self,
        store: &Store,
        logs: &BTreeSet<String>,
    ) -> ganger_logs::Result<(Merged, u64)> {
        let mut dropped = 0;
        let mut from = Vec::with_capacity(logs.len());
        for log in logs {
            let start = store.reader(log, From::Start)?.position();
            let sure = self.sure.get(log.as_str()).copied().unwrap_or(start);
            if sure < start {
                dropped += start - sure;
                self.make_sure(&Arc::from(log.as_str()), start);
            }
            from.push((log.clone(), From::Position(sure.max(start))));
        }
        let merged = Merged::resume(store, &from, Query { follow: true, ..Query::default() })?;
        Ok((merged, dropped.saturating_sub(std::mem::take(&mut self.skipped))))
    }

    /// The store dropped so many bytes just before they were to be read.
    pub(super) fn skipped(&mut self, bytes: u64) {
        self.skipped += bytes;
    }

    /// A message is on its way.
    pub(super) fn count(&mut self, bytes: usize) {
        self.total += bytes as u64;
    }

    /// A batch is on its way: each log up to these positions.
    pub(super) fn sent<'a>(&mut self, positions: impl Iterator<Item = (&'a Arc<str>, u64)>) {
        let changed = positions.filter(|(log, position)| self.latest.get(*log) != Some(position));
        let positions: Vec<_> = changed.map(|(log, position)| (Arc::clone(log), position)).collect();
        self.latest.extend(positions.iter().cloned());
        self.sent.push_back(Sent { total: self.total, positions });
    }

    /// All is sure but what is within the last so many bytes.
    pub(super) fn reached(&mut self, outstanding: u64) {
        let sure = self.total.saturating_sub(outstanding);
        while let Some(sent) = self.sent.pop_front_if(|sent| sent.total <= sure || outstanding == 0) {
            for (log, position) in sent.positions {
                self.make_sure(&log, position);
            }
        }
        if self.is_sure() {
            self.skipped = 0;
        }
    }

    /// There is another connection, or none: what was not sure is to be sent again.
    pub(super) fn lost(&mut self) {
        self.sent.clear();
        self.latest.clone_from(&self.sure);
        self.total = 0;
    }

    /// Whether all that was sent is sure.
    pub(super) fn is_sure(&self) -> bool {
        self.sent.is_empty()
    }

    fn make_sure(&mut self, log: &Arc<str>, position: u64) {
        let number = self.marks.number(log);
        self.marks.put(number, log, position);
        self.sure.insert(Arc::clone(log), position);
    }
}
