//! The clients of one server: so many have a place, and hold so many bytes of calls and answers.
//!
//! Who is waited for keeps its place as long as nobody needs it: a client that asks once an hour need not connect anew. When
//! there is no room, the one that has been waited for the longest makes some; one that never asked anything that was
//! admitted goes before all others. So who connects and says nothing, or little, or does not read, keeps nobody out, and
//! no clock is needed to find it out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// So many clients of one server are attended at once.
pub(super) const CLIENTS_MAX: usize = 256;
/// So many bytes of calls and answers are held for all of them together.
pub(super) const HELD_MAX_BYTES: usize = 64 << 20;

/// The places of one server.
pub(super) struct Places {
    taken: Mutex<Taken>,
    /// One was left, or its client is waited for again.
    changed: Notify,
    max: usize,
}

#[derive(Default)]
struct Taken {
    seats: BTreeMap<u64, Seat>,
    held: usize,
    /// Counts up; tells which came first.
    turn: u64,
}

/// What one client does.
struct Seat {
    /// It asked something that was admitted.
    is_admitted: bool,
    /// Since when it is waited for; none while something is done for it.
    waits_since: Option<u64>,
    held: usize,
    leave: Arc<Notify>,
}

/// The place of one client, free again when it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    leave: Arc<Notify>,
}

/// While this lives, something is done for the client: it is not asked to leave.
pub(super) struct Work<'a>(&'a Place);

/// Bytes that are held for a client, until this is dropped.
pub(super) struct Held {
    places: Arc<Places>,
    number: u64,
    bytes: usize,
}

impl Taken {
    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    /// Asks the one to leave who is to make room, of those that are `meant`. False if nobody can.
    fn make_room(&mut self, meant: impl Fn(u64, &Seat) -> bool) -> bool {
        let waiting = self.seats.iter().filter(|(number, seat)| meant(**number, seat));
        let order = |seat: &Seat| seat.waits_since.map(|since| (seat.is_admitted, since));
        let first = waiting.filter_map(|(number, seat)| Some((order(seat)?, *number))).min();
        let Some(seat) = first.and_then(|(_, number)| self.seats.remove(&number)) else { return false };
        self.held -= seat.held;
        seat.leave.notify_one();
        true
    }
}

impl Places {
    pub(super) fn new() -> Arc<Self> {
        Self::of(CLIENTS_MAX)
    }

    fn of(max: usize) -> Arc<Self> {
        Arc::new(Self { taken: Mutex::default(), changed: Notify::new(), max })
    }

    /// What is kept here is whole between any two lines, whoever panics.
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more client: at once, unless something is done for all that are there.
    pub(super) async fn take(self: &Arc<Self>) -> Place {
        loop {
            let changed = self.changed.notified();
            if let Some(place) = self.try_take() {
                return place;
            }
            changed.await;
        }
    }

    fn try_take(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.taken();
        if taken.seats.len() >= self.max && !taken.make_room(|_, _| true) {
            return None;
        }
        let (number, leave) = (taken.next_turn(), Arc::new(Notify::new()));
        let seat = Seat { is_admitted: false, waits_since: Some(number), held: 0, leave: leave.clone() };
        taken.seats.insert(number, seat);
        Some(Place { places: self.clone(), number, leave })
    }
}

impl Place {
    /// Returns when the client is to leave.
    pub(super) async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }

    /// The client may use the server.
    pub(super) fn admitted(&self) {
        if let Some(seat) = self.places.taken().seats.get_mut(&self.number) {
            seat.is_admitted = true;
        }
    }

    /// Begins to do something for the client.
    pub(super) fn work(&self) -> Work<'_> {
        if let Some(seat) = self.places.taken().seats.get_mut(&self.number) {
            seat.waits_since = None;
        }
        Work(self)
    }

    /// Holds bytes for the client; none if there is no room for them, whoever leaves.
    pub(super) fn hold(&self, bytes: usize) -> Option<Held> {
        let mut taken = self.places.taken();
        while taken.held.saturating_add(bytes) > HELD_MAX_BYTES {
            if !taken.make_room(|number, seat| number != self.number && seat.held > 0) {
                return None;
            }
        }
        // Who was asked to leave meanwhile gets nothing any more.
        taken.seats.get_mut(&self.number)?.held += bytes;
        taken.held += bytes;
        Some(Held { places: self.places.clone(), number: self.number, bytes })
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        let Place { places, number, .. } = self.0;
        let mut taken = places.taken();
        let turn = taken.next_turn();
        if let Some(seat) = taken.seats.get_mut(number) {
            seat.waits_since = Some(turn);
        }
        drop(taken);
        places.changed.notify_one();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        // What was held for who left is no longer counted.
        if let Some(seat) = taken.seats.get_mut(&self.number) {
            seat.held -= self.bytes;
            taken.held -= self.bytes;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(seat) = taken.seats.remove(&self.number) {
            taken.held -= seat.held;
        }
        drop(taken);
        self.places.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a client has been asked to leave.
    fn must_leave(place: &Place) -> bool {
        !place.places.taken().seats.contains_key(&place.number)
    }

    fn some(places: &Arc<Places>, count: usize) -> Vec<Place> {
        (0..count).map(|_| places.try_take().unwrap()).collect()
    }

    #[test]
    fn who_never_asked_makes_room_first_and_then_who_was_waited_for_the_longest() {
        let places = Places::of(3);
        let all = some(&places, 3);
        all[0].admitted();
        drop(all[0].work());
        all[1].admitted();
        let mut more = some(&places, 1);
        assert!(!must_leave(&all[0]) && !must_leave(&all[1]) && must_leave(&all[2]));
        more[0].admitted();
        drop((all[0].work(), all[1].work()));
        more.extend(some(&places, 1));
        assert!(
            !must_leave(&all[0]) && !must_leave(&all[1]) && must_leave(&more[0]),
            "the others asked since"
        );
    }

    #[test]
    fn nobody_leaves_for_whom_something_is_done_and_the_next_one_waits() {
        let places = Places::of(2);
        let all = some(&places, 2);
        let (first, _second) = (all[0].work(), all[1].work());
        assert!(places.try_take().is_none());
        drop(first);
        assert!(places.try_take().is_some() && must_leave(&all[0]) && !must_leave(&all[1]));
    }

    #[test]
    fn bytes_are_held_up_to_the_bound_and_who_is_waited_for_gives_them_up() {
        let places = Places::of(3);
        let all = some(&places, 3);
        let (_first, _third) = (all[0].work(), all[2].work());
        let _mine = all[0].hold(HELD_MAX_BYTES - 2).unwrap();
        let theirs = all[1].hold(2).unwrap();
        assert!(all[2].hold(3).is_none() && must_leave(&all[1]), "even without what the second one had");
        let last = all[2].hold(2).unwrap();
        assert!(all[0].hold(1).is_none());
        drop((theirs, last));
        assert!(all[0].hold(2).is_some(), "what was held for who left is counted once");
        assert!(all[1].hold(1).is_none(), "nothing is held for who has left");
    }

    #[tokio::test]
    async fn a_place_that_is_left_is_taken_by_who_waits_for_one() {
        let places = Places::of(1);
        let only = places.take().await;
        let work = only.work();
        let mut next = std::pin::pin!(places.take());
        tokio::select! {
            biased;
            _ = &mut next => panic!("something is done for the only client"),
            () = std::future::ready(()) => {}
        }
        drop(work);
        next.await;
        only.asked_to_leave().await;
    }
}
