//! A pool of listeners: which of them has which event, and the events that wait. Pure: the same inputs give the same
//! state, which is what lets the book hold nothing but inputs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ganger_api::supervisor::listener::{Serials, covers};
use ganger_spec::WorkerName;
use serde::{Deserialize, Serialize};

/// What a pool listens to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) events: Vec<String>,
    /// So many events wait.
    pub(crate) buffer_size: u32,
}

/// An event that a pool took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Queued {
    pub(crate) serial: u64,
    pub(crate) pool_serial: u64,
    pub(crate) name: Arc<str>,
    pub(crate) payload: Arc<str>,
}

impl Queued {
    pub(crate) fn serials(&self) -> Serials {
        Serials { serial: self.serial, pool_serial: self.pool_serial }
    }
}

/// What a listener is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Doing {
    /// Getting ready.
    Acknowledged,
    /// Waiting for an event.
    Ready,
    /// Handling this one. Whether it was written to it is known after the write.
    Busy { event: Queued, is_sent: bool },
    /// Nobody knows: it said what makes no sense.
    Unknown,
}

/// A run of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) run: u64,
    pub(crate) is_running: bool,
    pub(crate) doing: Doing,
}

/// The listeners of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pool {
    subscription: Subscription,
    next_serial: u64,
    buffer: VecDeque<Queued>,
    members: BTreeMap<WorkerName, Member>,
}

/// What a pool wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A listener is to get the event that it has.
    Deliver(WorkerName),
    /// This event was dropped to make room.
    Overflowed(u64),
}

impl Pool {
    pub(crate) fn new(subscription: Subscription) -> Self {
        Self { subscription, next_serial: 0, buffer: VecDeque::new(), members: BTreeMap::new() }
    }

    pub(crate) fn subscribe(&mut self, subscription: Subscription) {
        self.subscription = subscription;
    }

    pub(crate) fn listens_to(&self, event: &str) -> bool {
        self.subscription.events.iter().any(|subscribed| covers(subscribed, event))
    }

    pub(crate) fn member(&self, worker: &WorkerName) -> Option<&Member> {
        self.members.get(worker)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&WorkerName, &Member)> {
        self.members.iter()
    }

    /// Takes an event.
    pub(crate) fn take(&mut self, serial: u64, name: &Arc<str>, payload: &Arc<str>) -> Vec<Outcome> {
        let pool_serial = self.next_serial;
        self.next_serial += 1;
        let (name, payload) = (Arc::clone(name), Arc::clone(payload));
        let overflow = self.make_room();
        self.buffer.push_back(Queued { serial, pool_serial, name, payload });
        self.dispatch(overflow)
    }

    /// A run of a listener began.
    pub(crate) fn began(&mut self, worker: &WorkerName, run: u64) -> Vec<Outcome> {
        let outcomes = self.ended(worker);
        let member = Member { run, is_running: false, doing: Doing::Acknowledged };
        self.members.insert(worker.clone(), member);
        outcomes
    }

    /// The run of a listener ended: the event that it had goes to another one, or to its next run.
    pub(crate) fn ended(&mut self, worker: &WorkerName) -> Vec<Outcome> {
        match self.members.remove(worker).map(|member| member.doing) {
            Some(Doing::Busy { event, .. }) => self.again(event),
            Some(Doing::Acknowledged | Doing::Ready | Doing::Unknown) | None => Vec::new(),
        }
    }

    /// A listener is RUNNING, or not.
    pub(crate) fn runs(&mut self, worker: &WorkerName, is_running: bool) -> Vec<Outcome> {
        if let Some(member) = self.members.get_mut(worker) {
            member.is_running = is_running;
        }
        self.dispatch(Vec::new())
    }

    /// A listener said that it is ready.
    pub(crate) fn ready(&mut self, worker: &WorkerName) -> Vec<Outcome> {
        self.now_does(worker, Doing::Ready);
        self.dispatch(Vec::new())
    }

    /// A listener is done with its event.
    pub(crate) fn answered(&mut self, worker: &WorkerName, accepted: bool) -> Vec<Outcome> {
        match self.now_does(worker, Doing::Acknowledged) {
            Some(Doing::Busy { event, .. }) if !accepted => self.again(event),
            Some(_) | None => Vec::new(),
        }
    }

    /// A listener got the event that it has.
    pub(crate) fn sent(&mut self, worker: &WorkerName) {
        if let Some(Member { doing: Doing::Busy { is_sent, .. }, .. }) = self.members.get_mut(worker) {
            *is_sent = true;
        }
    }

    /// A listener made no sense, or does not read: it gets nothing any more.
    pub(crate) fn lost(&mut self, worker: &WorkerName) -> Vec<Outcome> {
        match self.now_does(worker, Doing::Unknown) {
            Some(Doing::Busy { event, .. }) => self.again(event),
            Some(_) | None => Vec::new(),
        }
    }

    fn now_does(&mut self, worker: &WorkerName, doing: Doing) -> Option<Doing> {
        let member = self.members.get_mut(worker)?;
        Some(std::mem::replace(&mut member.doing, doing))
    }

    /// Puts an event back where it came from.
    fn again(&mut self, event: Queued) -> Vec<Outcome> {
        let overflow = self.make_room();
        self.buffer.push_front(event);
        self.dispatch(overflow)
    }

    /// Drops the oldest if there is no room for one more.
    fn make_room(&mut self) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        while self.buffer.len() >= self.subscription.buffer_size.max(1) as usize {
            outcomes.extend(self.buffer.pop_front().map(|event| Outcome::Overflowed(event.serial)));
        }
        outcomes
    }

    /// Gives events to those who wait for one.
    fn dispatch(&mut self, mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
        let waiting =
            self.members.iter_mut().filter(|(_, member)| member.is_running && member.doing == Doing::Ready);
        for (worker, member) in waiting {
            let Some(event) = self.buffer.pop_front() else { break };
            member.doing = Doing::Busy { event, is_sent: false };
            outcomes.push(Outcome::Deliver(worker.clone()));
        }
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ganger_core::Random;

    use super::*;

    const STEPS: u64 = 400;
    const SEEDS: u64 = 200;
    const LISTENERS: u64 = 3;
    const BUFFER: u32 = 4;

    /// A pool, and what became of each event that it took.
    struct Played {
        pool: Pool,
        random: Random,
        serial: u64,
        run: u64,
        accepted: BTreeSet<u64>,
        dropped: BTreeSet<u64>,
        given: BTreeSet<u64>,
    }

    impl Played {
        fn new(seed: u64) -> Self {
            let subscription = Subscription { events: vec!["EVENT".into()], buffer_size: BUFFER };
            let [accepted, dropped, given] = [(); 3].map(|()| BTreeSet::new());
            let pool = Pool::new(subscription);
            Self { pool, random: Random::new(seed), serial: 0, run: 0, accepted, dropped, given }
        }

        fn doing(&self, worker: &WorkerName) -> Option<Doing> {
            self.pool.member(worker).map(|member| member.doing.clone())
        }

        /// Whatever may happen to a pool: listeners keep to the protocol, or are lost.
        fn step(&mut self) {
            let number = u32::try_from(self.random.below(LISTENERS)).unwrap();
            let worker = WorkerName::new("mail", number + 1);
            let doing = self.doing(&worker);
            let outcomes = match (self.random.below(8), doing) {
                (0..3, _) => {
                    self.serial += 1;
                    self.pool.take(self.serial, &"EVENT".into(), &"".into())
                }
                (3, None) => {
                    self.run += 1;
                    self.pool.began(&worker, self.run)
                }
                (3, Some(_)) => self.pool.runs(&worker, self.random.below(4) > 0),
                (4, Some(_)) if self.random.below(4) == 0 => self.pool.ended(&worker),
                (5, Some(_)) if self.random.below(4) == 0 => self.pool.lost(&worker),
                (_, Some(Doing::Acknowledged)) => self.pool.ready(&worker),
                (6, Some(Doing::Busy { .. })) => {
                    self.pool.sent(&worker);
                    Vec::new()
                }
                (_, Some(Doing::Busy { event, .. })) => {
                    let accepted = self.random.below(3) > 0;
                    if accepted {
                        assert!(self.accepted.insert(event.serial), "{} is accepted twice", event.serial);
                    }
                    self.pool.answered(&worker, accepted)
                }
                (_, Some(Doing::Ready | Doing::Unknown) | None) => Vec::new(),
            };
            for outcome in outcomes {
                self.came_of_it(outcome);
            }
        }

        fn came_of_it(&mut self, outcome: Outcome) {
            match outcome {
                Outcome::Overflowed(serial) => {
                    assert!(self.dropped.insert(serial), "{serial} is dropped twice");
                }
                Outcome::Deliver(worker) => {
                    let member = self.pool.member(&worker).unwrap();
                    let Doing::Busy { event, is_sent: false } = &member.doing else {
                        panic!("{worker} is to get an event and has none: {member:?}")
                    };
                    assert!(member.is_running, "{worker} gets an event and does not run");
                    let is_first = self.given.insert(event.serial);
                    let is_latest = self.given.last() == Some(&event.serial);
                    assert!(!is_first || is_latest, "{} is given after a later one", event.serial);
                }
            }
        }

        /// What holds at any time.
        fn check(&self) {
            let pool = &self.pool;
            assert!(pool.buffer.len() <= BUFFER as usize, "more than may wait: {pool:?}");
            let is_free = |member: &Member| member.is_running && member.doing == Doing::Ready;
            let is_idle = pool.members.values().any(is_free);
            assert!(pool.buffer.is_empty() || !is_idle, "one is ready, and events wait: {pool:?}");
            let held = pool.members.values().filter_map(|member| match &member.doing {
                Doing::Busy { event, .. } => Some(event.serial),
                Doing::Acknowledged | Doing::Ready | Doing::Unknown => None,
            });
            let waiting = pool.buffer.iter().map(|event| event.serial);
            let ends = self.accepted.iter().chain(&self.dropped).copied();
            let mut all: Vec<u64> = held.chain(waiting).chain(ends).collect();
            all.sort_unstable();
            assert_eq!(all, (1..=self.serial).collect::<Vec<_>>(), "each event is in one place: {pool:?}");
            assert_eq!(pool.next_serial, self.serial);
        }
    }

    #[test]
    fn each_event_is_at_any_time_in_one_place_and_ends_accepted_or_dropped_for_room() {
        let mut ends = (0, 0);
        for seed in 0..SEEDS {
            let mut played = Played::new(seed);
            for _ in 0..STEPS {
                played.step();
                played.check();
            }
            ends.0 += played.accepted.len();
            ends.1 += played.dropped.len();
        }
        assert!(ends.0 > 1000 && ends.1 > 1000, "hardly anything was played: {ends:?}");
    }
}
