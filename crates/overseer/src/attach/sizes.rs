//! Who may type to which worker, and how large their terminals are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ganger_api::TerminalSize;
use ganger_spec::WorkerName;
use tokio::sync::watch;

/// All viewers that may type, and their sizes.
#[derive(Debug)]
pub(crate) struct Sizes {
    table: Mutex<Table>,
    /// Changes with any of them.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Table {
    /// Who tells no size has none.
    seats: BTreeMap<WorkerName, BTreeMap<u64, Option<TerminalSize>>>,
    next: u64,
}

/// A viewer that may type, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Seat {
    sizes: Arc<Sizes>,
    worker: WorkerName,
    number: u64,
}

impl Sizes {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { table: Mutex::default(), changes: watch::Sender::new(0) })
    }

    /// A viewer may type to this worker, and its size counts if it tells one.
    pub(crate) fn sit(self: &Arc<Self>, worker: &WorkerName, size: Option<TerminalSize>) -> Seat {
        let mut table = self.lock();
        let number = table.next;
        table.next += 1;
        table.seats.entry(worker.clone()).or_default().insert(number, size);
        drop(table);
        self.tell();
        Seat { sizes: self.clone(), worker: worker.clone(), number }
    }

    /// The part that all viewers of a worker can show; none if there are none that tell a size.
    pub(crate) fn common(&self, worker: &WorkerName) -> Option<TerminalSize> {
        self.lock().common(worker)
    }

    /// Whether somebody may type to this worker.
    pub(crate) fn is_attended(&self, worker: &WorkerName) -> bool {
        self.lock().seats.contains_key(worker)
    }

    /// Does this while no viewer decides how large the worker's terminal is; whether that was so. Who comes meanwhile decides
    /// after it.
    pub(crate) fn unless_decided(&self, worker: &WorkerName, act: impl FnOnce()) -> bool {
        let table = self.lock();
        let is_free = table.common(worker).is_none();
        if is_free {
            act();
        }
        is_free
    }

    /// Changes whenever a size does.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn tell(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Whoever panicked had changed one size or none.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn common(&self, worker: &WorkerName) -> Option<TerminalSize> {
        self.seats.get(worker)?.values().copied().flatten().reduce(TerminalSize::common)
    }
}

impl Seat {
    pub(crate) fn resize(&self, size: TerminalSize) {
        if let Some(own) =
            self.sizes.lock().seats.get_mut(&self.worker).and_then(|seats| seats.get_mut(&self.number))
        {
            *own = Some(size);
        }
        self.sizes.tell();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.sizes.lock();
        if let Some(seats) = table.seats.get_mut(&self.worker) {
            seats.remove(&self.number);
            if seats.is_empty() {
                table.seats.remove(&self.worker);
            }
        }
        drop(table);
        self.sizes.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_counts_in_each_direction_as_long_as_it_is_there() {
        let (sizes, web) = (Sizes::new(), WorkerName::new("web", 1));
        let size = |rows, columns| Some(TerminalSize { rows, columns });
        let mut changes = sizes.watch();
        assert_eq!(sizes.common(&web), None);
        let wide = sizes.sit(&web, size(20, 200));
        let high = sizes.sit(&web, size(60, 80));
        let _other = sizes.sit(&WorkerName::new("web", 2), size(1, 1));
        let silent = sizes.sit(&web, None);
        assert_eq!(sizes.common(&web), size(20, 80));
        assert!(!sizes.unless_decided(&web, || panic!("viewers decide")));
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        wide.resize(TerminalSize { rows: 30, columns: 70 });
        assert_eq!(sizes.common(&web), size(30, 70));
        assert!(changes.has_changed().unwrap());
        drop(wide);
        assert_eq!(sizes.common(&web), size(60, 80));
        drop(high);
        assert_eq!(sizes.common(&web), None);
        let mut was_done = false;
        assert!(sizes.unless_decided(&web, || was_done = true) && was_done, "nobody decides any more");
        assert!(sizes.is_attended(&web));
        drop(silent);
        assert!(!sizes.is_attended(&web));
        assert_eq!(sizes.lock().seats.len(), 1, "nothing is kept of a worker that nobody looks at");
    }
}
