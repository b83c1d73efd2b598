//! All that is to be known of listeners: their pools, what they were told of each worker, and how far in the journal.
//!
//! It is a state machine without time, chance or files: its book holds the inputs, and who opens the book plays them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ganger_core::State;
use ganger_spec::WorkerName;
use serde::{Deserialize, Serialize};

use super::pool::{Doing, Member, Outcome, Pool, Queued, Subscription};
use super::told::{Change, Identity, Portrait, Told};

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Input {
    /// Listeners are as the release in force says, and so are the families; `is_new` at the start of the app.
    Formed { families: Vec<String>, pools: BTreeMap<String, Subscription>, is_new: bool },
    /// Something happened to a worker; who it is, where the release in force knows it.
    Changed { worker: WorkerName, identity: Option<Identity>, change: Change },
    /// The app stops.
    Stopping,
    /// An event that is no matter of the journal.
    Event { name: String, payload: String },
    /// A log was heard up to here; the name and the text of the event that this is, if it is one.
    Overheard { log: String, position: u64, event: Option<(String, String)> },
    /// The journal is told up to here.
    Read(u64),
    /// A listener said that it is ready.
    Ready(WorkerName),
    /// A listener is done with its event.
    Answered { worker: WorkerName, accepted: bool },
    /// A listener was given its event.
    Sent(WorkerName),
    /// A listener gets nothing any more.
    Lost(WorkerName),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Give this listener its event.
    Deliver { pool: String, worker: WorkerName },
    /// Say that an event was dropped.
    Overflowed { pool: String, serial: u64 },
}

/// See above.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Audience {
    read: u64,
    next_serial: u64,
    families: BTreeSet<String>,
    /// Families that no release in force has, until their last worker is down.
    leaving: BTreeSet<String>,
    portraits: BTreeMap<WorkerName, Portrait>,
    /// How far logs were heard.
    logs: BTreeMap<String, u64>,
    pools: BTreeMap<String, Pool>,
}

impl Audience {
    /// One that knows these families, and what the journal says up to this event.
    pub(crate) fn new(read: u64, families: &[String]) -> Self {
        Self { read, families: families.iter().cloned().collect(), ..Self::default() }
    }

    /// The number of the latest event of the journal that it was told.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// Whether anybody listens to events of this type.
    pub(crate) fn listens_to(&self, event: &str) -> bool {
        self.pools.values().any(|pool| pool.listens_to(event))
    }

    /// The pool that a worker is in, by its name.
    pub(crate) fn pool_of(&self, worker: &WorkerName) -> Option<&Pool> {
        self.pools.get(&worker.group)
    }

    /// How far a log was heard.
    pub(crate) fn heard(&self, log: &str) -> Option<u64> {
        self.logs.get(log).copied()
    }

    /// A worker as listeners know it, in the words of an event.
    pub(crate) fn about(&self, worker: &WorkerName) -> Option<String> {
        self.portraits.get(worker).map(Portrait::about)
    }

    pub(crate) fn member(&self, worker: &WorkerName) -> Option<&Member> {
        self.pool_of(worker)?.member(worker)
    }

    /// The event that a listener is to get.
    pub(crate) fn event_of(&self, worker: &WorkerName) -> Option<&Queued> {
        match &self.member(worker)?.doing {
            Doing::Busy { event, .. } => Some(event),
            Doing::Acknowledged | Doing::Ready | Doing::Unknown => None,
        }
    }

    /// Listeners of which nobody knows whether they got their event: who was to give it to them died over it.
    pub(crate) fn doubtful(&self) -> Vec<WorkerName> {
        let is_doubtful = |member: &Member| matches!(member.doing, Doing::Busy { is_sent: false, .. });
        let members = self.pools.values().flat_map(Pool::members);
        members.filter(|(_, member)| is_doubtful(member)).map(|(worker, _)| worker.clone()).collect()
    }

    /// Takes an input; what is to be done.
    pub(crate) fn handle(&mut self, input: &Input) -> Vec<Output> {
        match input {
            Input::Formed { families, pools, is_new } => self.formed(families, pools, *is_new),
            Input::Changed { worker, identity, change } => self.changed(worker, identity.as_ref(), *change),
            Input::Stopping => self.tell(&("SUPERVISOR_STATE_CHANGE_STOPPING", String::new())),
            Input::Event { name, payload } => self.take(name, payload),
            Input::Overheard { log, position, event } => {
                self.logs.insert(log.clone(), *position);
                event.as_ref().map(|(name, payload)| self.take(name, payload)).unwrap_or_default()
            }
            Input::Read(seq) => {
                self.read = *seq;
                Vec::new()
            }
            Input::Ready(worker) => self.of(worker, |pool| pool.ready(worker)),
            Input::Answered { worker, accepted } => self.of(worker, |pool| pool.answered(worker, *accepted)),
            Input::Sent(worker) => self.of(worker, |pool| {
                pool.sent(worker);
                Vec::new()
            }),
            Input::Lost(worker) => self.of(worker, |pool| pool.lost(worker)),
        }
    }

    fn formed(
        &mut self,
        families: &[String],
        pools: &BTreeMap<String, Subscription>,
        is_new: bool,
    ) -> Vec<Output> {
        self.pools.retain(|name, _| pools.contains_key(name));
        for (name, subscription) in pools {
            match self.pools.get_mut(name) {
                Some(pool) => pool.subscribe(subscription.clone()),
                None => drop(self.pools.insert(name.clone(), Pool::new(subscription.clone()))),
            }
        }
        let mut outputs = Vec::new();
        for family in families {
            if !self.families.contains(family) {
                outputs.extend(self.tell(&("PROCESS_GROUP_ADDED", format!("groupname:{family}\n"))));
            }
        }
        // One that is gone is told when its last worker is down.
        self.leaving = self.families.iter().filter(|family| !families.contains(family)).cloned().collect();
        self.families.extend(families.iter().cloned());
        if is_new {
            outputs.extend(self.tell(&("SUPERVISOR_STATE_CHANGE_RUNNING", String::new())));
        }
        outputs
    }

    /// Families that are no more.
    pub(crate) fn gone(&self) -> Vec<String> {
        if self.leaving.is_empty() {
            return Vec::new();
        }
        let alive = self.portraits.values().filter(|portrait| portrait.is_alive());
        let alive: BTreeSet<&String> = alive.map(|portrait| &portrait.identity().family).collect();
        self.leaving.iter().filter(|family| !alive.contains(family)).cloned().collect()
    }

    fn changed(&mut self, worker: &WorkerName, identity: Option<&Identity>, change: Change) -> Vec<Output> {
        let fallback = || Identity { process: worker.to_string(), family: worker.group.clone() };
        let portrait = self.portraits.entry(worker.clone()).or_insert_with(|| {
            Portrait::new(identity.cloned().unwrap_or_else(fallback), Portrait::before(change))
        });
        if let Some(identity) = identity {
            portrait.is_known_as(identity.clone());
        }
        let told = portrait.step(change);
        // Of a worker that is no more nothing is remembered once it is down.
        if identity.is_none() && !portrait.is_alive() {
            self.portraits.remove(worker);
        }
        // A run that is over can take nothing; one that is up hears that it is.
        let mut outputs = self.of(worker, |pool| match change {
            Change::Started { run, .. } => pool.began(worker, run),
            Change::Ended { .. } => pool.ended(worker),
            Change::State { to, .. } => pool.runs(worker, to == State::Running),
        });
        outputs.extend(told.iter().flat_map(|event| self.tell(event)));
        outputs
    }

    /// An event that tells of a family that is gone ends it.
    fn take(&mut self, name: &str, payload: &str) -> Vec<Output> {
        if name == REMOVED
            && let Some(family) = payload.strip_prefix("groupname:")
        {
            let family = family.trim_end_matches('\n');
            self.families.remove(family);
            self.leaving.remove(family);
        }
        let takers: Vec<String> = self
            .pools
            .iter()
            .filter(|(_, pool)| pool.listens_to(name))
            .map(|(pool, _)| pool.clone())
            .collect();
        if takers.is_empty() {
            return Vec::new();
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        let (name, payload) = (Arc::from(name), Arc::from(payload));
        let mut outputs = Vec::new();
        for taker in takers {
            if let Some(pool) = self.pools.get_mut(&taker) {
                let outcomes = pool.take(serial, &name, &payload);
                outputs.extend(outcomes.into_iter().map(|outcome| output(&taker, outcome)));
            }
        }
        outputs
    }

    fn tell(&mut self, (name, payload): &Told) -> Vec<Output> {
        self.take(name, payload)
    }

    fn of(&mut self, worker: &WorkerName, act: impl FnOnce(&mut Pool) -> Vec<Outcome>) -> Vec<Output> {
        let outcomes = self.pools.get_mut(&worker.group).map(act).unwrap_or_default();
        outcomes.into_iter().map(|outcome| output(&worker.group, outcome)).collect()
    }
}

/// The type of the event that a family is no more.
pub(crate) const REMOVED: &str = "PROCESS_GROUP_REMOVED";

fn output(pool: &str, outcome: Outcome) -> Output {
    let pool = pool.to_owned();
    match outcome {
        Outcome::Deliver(worker) => Output::Deliver { pool, worker },
        Outcome::Overflowed(serial) => Output::Overflowed { pool, serial },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(number: u32) -> WorkerName {
        WorkerName::new("mail", number)
    }

    fn event(text: &str) -> Input {
        Input::Event { name: "REMOTE_COMMUNICATION".into(), payload: text.into() }
    }

    fn changed(number: u32, change: Change) -> Input {
        let identity = Identity { process: format!("mail_{number}"), family: "mail".into() };
        Input::Changed { worker: worker(number), identity: Some(identity), change }
    }

    /// A pool of two with room for so many events; both run, none is ready.
    fn audience(buffer_size: u32) -> Audience {
        let subscription = Subscription { events: vec!["REMOTE_COMMUNICATION".into()], buffer_size };
        let mut audience = Audience::default();
        let pools = BTreeMap::from([("mail".to_owned(), subscription)]);
        audience.handle(&Input::Formed { families: vec!["mail".into()], pools, is_new: true });
        for number in [1, 2] {
            audience.handle(&changed(number, Change::Started { run: u64::from(number), pid: 7 }));
            audience.handle(&changed(number, Change::State { from: State::Starting, to: State::Running }));
        }
        audience
    }

    fn delivered(audience: &Audience, outputs: &[Output]) -> Vec<(u32, String, u64, u64)> {
        let deliveries = outputs.iter().filter_map(|output| match output {
            Output::Deliver { worker, .. } => Some(worker),
            Output::Overflowed { .. } => None,
        });
        let event = |worker: &WorkerName| {
            let event = audience.event_of(worker).unwrap();
            (worker.number, event.payload.to_string(), event.serial, event.pool_serial)
        };
        deliveries.map(event).collect()
    }

    #[test]
    fn the_first_that_runs_and_is_ready_gets_an_event() {
        let mut audience = audience(10);
        assert_eq!(audience.handle(&event("a")), []);
        let outputs = audience.handle(&Input::Ready(worker(2)));
        assert_eq!(delivered(&audience, &outputs), [(2, "a".to_owned(), 0, 0)]);
        audience.handle(&Input::Ready(worker(1)));
        let outputs = audience.handle(&event("b"));
        assert_eq!(delivered(&audience, &outputs), [(1, "b".to_owned(), 1, 1)]);
        audience.handle(&Input::Answered { worker: worker(1), accepted: true });
        audience.handle(&changed(1, Change::State { from: State::Running, to: State::Stopping }));
        assert_eq!(audience.handle(&Input::Ready(worker(1))), []);
        assert_eq!(audience.handle(&event("c")), [], "one that is asked to stop gets nothing");
    }

    #[test]
    fn an_event_that_is_rejected_or_whose_listener_ends_comes_again_first() {
        for give_back in [
            Input::Answered { worker: worker(1), accepted: false },
            changed(1, Change::Ended { expected: true }),
            Input::Lost(worker(1)),
        ] {
            let mut audience = audience(10);
            audience.handle(&Input::Ready(worker(1)));
            audience.handle(&event("a"));
            audience.handle(&event("b"));
            assert_eq!(audience.handle(&give_back), []);
            let outputs = audience.handle(&Input::Ready(worker(2)));
            assert_eq!(delivered(&audience, &outputs), [(2, "a".to_owned(), 0, 0)], "{give_back:?}");
        }
    }

    #[test]
    fn what_overflows_is_the_oldest() {
        let mut audience = audience(2);
        audience.handle(&event("a"));
        audience.handle(&event("b"));
        let dropped = |serial| Output::Overflowed { pool: "mail".into(), serial };
        assert_eq!(audience.handle(&event("c")), [dropped(0)]);
        let outputs = audience.handle(&Input::Ready(worker(1)));
        assert_eq!(delivered(&audience, &outputs), [(1, "b".to_owned(), 1, 1)]);
        audience.handle(&event("d"));
        assert_eq!(audience.handle(&Input::Answered { worker: worker(1), accepted: false }), [dropped(2)]);
    }

    #[test]
    fn a_listener_that_made_no_sense_gets_nothing_before_its_next_run() {
        let mut audience = audience(10);
        audience.handle(&Input::Lost(worker(1)));
        audience.handle(&event("a"));
        assert_eq!(audience.member(&worker(1)).unwrap().doing, Doing::Unknown);
        audience.handle(&changed(1, Change::Ended { expected: true }));
        audience.handle(&changed(1, Change::Started { run: 9, pid: 8 }));
        audience.handle(&changed(1, Change::State { from: State::Starting, to: State::Running }));
        let outputs = audience.handle(&Input::Ready(worker(1)));
        assert_eq!(delivered(&audience, &outputs), [(1, "a".to_owned(), 0, 0)]);
    }

    #[test]
    fn one_of_whom_it_is_not_known_whether_it_got_its_event_is_in_doubt() {
        let mut audience = audience(10);
        audience.handle(&Input::Ready(worker(1)));
        audience.handle(&event("a"));
        assert_eq!(audience.doubtful(), [worker(1)]);
        audience.handle(&Input::Sent(worker(1)));
        assert_eq!(audience.doubtful(), []);
    }

    #[test]
    fn families_come_and_go_with_their_last_worker() {
        let mut audience = audience(10);
        let events = vec!["PROCESS_GROUP".to_owned(), "SUPERVISOR_STATE_CHANGE".to_owned()];
        let pools = BTreeMap::from([("mail".to_owned(), Subscription { events, buffer_size: 10 })]);
        audience.handle(&Input::Ready(worker(1)));
        let outputs =
            audience.handle(&Input::Formed { families: vec!["web".to_owned()], pools, is_new: false });
        assert_eq!(delivered(&audience, &outputs), [(1, "groupname:web\n".to_owned(), 0, 0)]);
        assert_eq!(audience.gone(), Vec::<String>::new());
        for number in [1, 2] {
            audience.handle(&Input::Changed {
                worker: worker(number),
                identity: None,
                change: Change::Ended { expected: true },
            });
        }
        assert_eq!(audience.gone(), ["mail"]);
        audience.handle(&Input::Event { name: REMOVED.into(), payload: "groupname:mail\n".into() });
        assert_eq!(audience.gone(), Vec::<String>::new());
    }
}
