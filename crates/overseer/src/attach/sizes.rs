//! How large those are who may type.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ganger_api::TerminalSize;
use ganger_spec::WorkerName;
use tokio::sync::watch;

/// The sizes of all viewers that count.
#[derive(Debug)]
pub(crate) struct Sizes {
    table: Mutex<Table>,
    /// Changes with any of them.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Table {
    seats: BTreeMap<WorkerName, BTreeMap<u64, TerminalSize>>,
    next: u64,
}

/// A viewer whose size counts, for as long as this lives.
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

    /// A viewer of this worker has this size.
    pub(crate) fn sit(self: &Arc<Self>, worker: &WorkerName, size: TerminalSize) -> Seat {
        let mut table = self.lock();
        let number = table.next;
        table.next += 1;
        table.seats.entry(worker.clone()).or_default().insert(number, size);
        drop(table);
        self.tell();
        Seat { sizes: self.clone(), worker: worker.clone(), number }
    }

    /// The part that all viewers of a worker can show; none if there are none.
    pub(crate) fn common(&self, worker: &WorkerName) -> Option<TerminalSize> {
        self.lock().seats.get(worker)?.values().copied().reduce(TerminalSize::common)
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

impl Seat {
    pub(crate) fn resize(&self, size: TerminalSize) {
        if let Some(own) =
            self.sizes.lock().seats.get_mut(&self.worker).and_then(|seats| seats.get_mut(&self.number))
        {
            *own = size;
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
        let size = |rows, columns| TerminalSize { rows, columns };
        let mut changes = sizes.watch();
        assert_eq!(sizes.common(&web), None);
        let wide = sizes.sit(&web, size(20, 200));
        let high = sizes.sit(&web, size(60, 80));
        let _other = sizes.sit(&WorkerName::new("web", 2), size(1, 1));
        assert_eq!(sizes.common(&web), Some(size(20, 80)));
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        wide.resize(size(30, 70));
        assert_eq!(sizes.common(&web), Some(size(30, 70)));
        assert!(changes.has_changed().unwrap());
        drop(wide);
        assert_eq!(sizes.common(&web), Some(size(60, 80)));
        drop(high);
        assert_eq!(sizes.common(&web), None);
        assert_eq!(sizes.lock().seats.len(), 1, "nothing is kept of a worker that nobody looks at");
    }
}
