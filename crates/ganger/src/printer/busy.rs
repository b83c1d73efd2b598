//! Who has something to print.

use std::collections::HashSet;

/// Logs, by their places, that may have something to print; in the order in which that became known, so that what is told of
/// two workers is printed in the order in which it happened.
#[derive(Debug, Default)]
pub(super) struct Busy {
    order: Vec<usize>,
    known: HashSet<usize>,
}

impl Busy {
    pub(super) fn insert(&mut self, place: usize) {
        if self.known.insert(place) {
            self.order.push(place);
        }
    }

    pub(super) fn extend(&mut self, places: impl IntoIterator<Item = usize>) {
        places.into_iter().for_each(|place| self.insert(place));
    }

    /// All of them; none is left.
    pub(super) fn take(&mut self) -> Vec<usize> {
        self.known.clear();
        std::mem::take(&mut self.order)
    }
}
