//! Decides what runs: a state machine with no I/O, no clock and no randomness but a seed passed in.
//!
//! Its whole face is [`Core::handle`], [`Core::poll_action`] and [`Core::next_deadline`]: one mutation, then all
//! actions are carried out, in their order, before the next.
//!
//! ```
//! use ganger_core::{Core, Input, Instant};
//!
//! let mut core = Core::new(7);
//! core.handle(Instant(0), Input::Connected { runs: vec![] });
//! while let Some(action) = core.poll_action() {
//!     println!("{action}");
//! }
//! assert_eq!(core.next_deadline(), None);
//! ```
//!
//! Where to read on: [the rules of a worker](life), the [restart policy](restart), what a [reload](plan) does,
//! what is in the [ledger], what [operators ask for](wishes).

mod commands;
mod connect;
mod dependencies;
mod display;
mod event;
mod formation;
mod io;
mod ledger;
mod life;
mod plan;
mod probes;
mod random;
pub mod restart;
mod shutdown;
mod span;
mod tickets;
mod turn;
mod waves;
mod why;
mod wishes;
mod worker;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ganger_spec::{Group, Spec, WorkerName};

pub use event::Event;
pub use io::*;
pub use ledger::{Record, Shutdown};
pub use plan::Plan;
pub use random::Random;
pub use wishes::{WishedCount, Wishes};
pub use worker::{STUCK_AFTER, WorkerRecord};

use dependencies::Sight;
use ledger::Ledger;
use life::Life;
use tickets::Tickets;
use turn::{Stimulus, Turn};
use waves::Waves;
use worker::UNKNOWN_MAKE;

/// So many run numbers are reserved in the ledger at a time.
const RUN_NUMBERS: u64 = 1_000;

/// The decider.
#[derive(Debug)]
pub struct Core {
    release: Option<Release>,
    groups: BTreeMap<String, Formed>,
    workers: BTreeMap<WorkerName, WorkerRecord>,
    shutdown: Option<Shutdown>,
    /// Who still waits for the others in the shutdown.
    waves: Waves,
    /// For each group that others wait for, these others.
    dependents: BTreeMap<String, Vec<String>>,
    /// Of before the first release, which takes them into account.
    wishes: Wishes,
    /// Whether a keeper has told what it has.
    connected: bool,
    finished: bool,
    next_run: u64,
    reserved_runs: u64,
    random: Random,
    tickets: Tickets,
    index: Index,
    round: Round,
    queue: VecDeque<Action>,
}

/// The release in force.
#[derive(Debug)]
struct Release {
    number: u64,
    spec: Arc<Spec>,
    finish_when_idle: bool,
}

/// A group of the release in force.
#[derive(Debug)]
struct Formed {
    /// Its place in the spec.
    place: usize,
    /// How many workers are wanted: the spec's count or an operator's.
    count: u32,
    /// The fingerprint of what its runs are made of.
    made_of: u64,
    /// How many groups, one after the other, wait for it.
    depth: i32,
    /// What it waits for, as it was found last.
    awaited: Sight,
}

/// What can be computed from the workers, kept so that no input looks at all of them.
#[derive(Debug, Default)]
struct Index {
    runs: BTreeMap<RunId, WorkerName>,
    deadlines: BTreeSet<(Instant, WorkerName)>,
    counts: Counts,
    unsettled: usize,
    /// Workers that wait in vain.
    in_vain: usize,
}

/// What one input has brought about so far.
#[derive(Debug, Default)]
struct Round {
    /// Workers whose record is to be written.
    changed: BTreeSet<WorkerName>,
    /// Records that come before those of workers.
    before: Vec<Record>,
    /// Records that come after them: a release is in force once all that it changes is written.
    after: Vec<Record>,
    /// What the records cover.
    actions: Vec<Action>,
    /// Groups that depend on something that has changed.
    stirred: BTreeSet<String>,
    /// A worker's end that stops the app.
    end_of_app: Option<Shutdown>,
}

impl Core {
    /// A decider that knows nothing. The seed decides the jitter of delays and nothing else.
    pub fn new(seed: u64) -> Self {
        Self::restore(seed, Instant(0), [])
    }

    /// A decider that goes on from a ledger. [`Input::Connected`] must be its first input: what is decided before may
    /// be undone by what the keeper has, while it is already under way.
    pub fn restore(seed: u64, now: Instant, records: impl IntoIterator<Item = Record>) -> Self {
        let ledger = Ledger::read(now, records);
        let mut core = Self {
            release: None,
            groups: BTreeMap::new(),
            workers: ledger.workers,
            shutdown: ledger.shutdown,
            waves: Waves::default(),
            dependents: BTreeMap::new(),
            wishes: Wishes::default(),
            connected: false,
            finished: false,
            next_run: ledger.next_run.max(1),
            reserved_runs: ledger.next_run,
            random: Random::new(seed),
            tickets: Tickets::default(),
            index: Index::default(),
            round: Round::default(),
            queue: VecDeque::new(),
        };
        if let Some((number, spec, finish_when_idle)) = ledger.release {
            core.form(Release { number, spec, finish_when_idle }, |group| {
                ledger.scales.get(&group.name).filter(|(_, old)| *old == group.count).map(|(count, _)| *count)
            });
        }
        let stale = ledger.scales.iter().filter(|(group, (count, instead_of))| {
            let in_force = core.groups.contains_key(*group) && core.spec_count(group) == *instead_of;
            !in_force && count != instead_of
        });
        core.round.after = stale.map(|(group, _)| formation::undone(group, core.spec_count(group))).collect();
        core.dismiss_strangers();
        for (name, worker) in &core.workers {
            core.index.add(name, &worker.life);
        }
        core
    }

    /// Workers whose group is not in the release are only there to end. Those that a release was to start which never
    /// came into force are nobody. Where no release is in force, those that have a process were taken over.
    fn dismiss_strangers(&mut self) {
        let has_release = self.release.is_some();
        let lives_on = |worker: &WorkerRecord| {
            worker.life.process().is_some() || (has_release && matches!(worker.life, Life::Unborn { .. }))
        };
        for (name, worker) in &mut self.workers {
            if !self.groups.contains_key(&name.group) && (has_release || !lives_on(worker)) {
                worker.wanted = Wanted::Gone;
            }
        }
        let over = |worker: &WorkerRecord| worker.wanted == Wanted::Gone && !lives_on(worker);
        self.round
            .changed
            .extend(self.workers.iter().filter(|(_, worker)| over(worker)).map(|(name, _)| name.clone()));
        self.workers.retain(|_, worker| !over(worker));
    }

    /// Takes in what happened. Afterwards [`Self::poll_action`] is to be drained before the next call.
    pub fn handle(&mut self, now: Instant, input: Input) {
        debug_assert!(self.queue.is_empty(), "all actions of an input are carried out before the next input");
        debug_assert!(
            self.connected || matches!(input, Input::Connected { .. }),
            "the first input says what the keeper has"
        );
        match input {
            Input::Apply { command, spec, finish_when_idle } => {
                self.apply(now, command, spec, finish_when_idle);
            }
            Input::Command { id, command } => self.command(now, id, command),
            Input::Spawned { run, pid } => self.spawned(now, run, pid),
            Input::SpawnFailed { run, reason, transient, status } => {
                if let Some(name) = self.index.runs.get(&run).cloned() {
                    self.step(now, &name, Stimulus::SpawnFailed { reason, transient, status });
                }
            }
            Input::Exited { run, exit, leftovers } => match self.index.runs.get(&run).cloned() {
                Some(name) => self.step(now, &name, Stimulus::Exited { exit, leftovers }),
                None if leftovers => {}
                None => self.round.actions.push(Action::Acknowledge(run)),
            },
            Input::Emptied { run } => match self.index.runs.get(&run).cloned() {
                Some(name) => self.step(now, &name, Stimulus::Emptied),
                None => self.round.actions.push(Action::Acknowledge(run)),
            },
            Input::Connected { runs } => self.connected(now, runs),
            Input::Probed { run, kind, answer } => self.probed(now, run, kind, answer),
            Input::TooMuch { run, what } => self.too_much(now, run, what),
            Input::Tick => self.tick(now),
        }
        self.look_at_waiting(now);
        self.conclude(now);
        self.flush();
    }

    /// The next thing to be done, in the order in which it is to be done.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.queue.pop_front()
    }

    /// When [`Input::Tick`] is due; none while nothing waits for time, or before the first [`Input::Connected`].
    pub fn next_deadline(&self) -> Option<Instant> {
        self.index.deadlines.first().filter(|_| self.connected).map(|(at, _)| *at)
    }

    /// Whether a keeper has told what it has, so that any input may come.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Every worker, in order of name.
    pub fn workers(&self) -> impl Iterator<Item = WorkerView> {
        self.workers.iter().map(|(name, worker)| worker.view(name, self.group(name)))
    }

    /// One worker.
    pub fn worker(&self, name: &WorkerName) -> Option<WorkerView> {
        self.workers.get(name).map(|worker| worker.view(name, self.group(name)))
    }

    /// The spec in force.
    pub fn spec(&self) -> Option<&Arc<Spec>> {
        self.release.as_ref().map(|release| &release.spec)
    }

    /// The number of the release in force; 0 before the first.
    pub fn release(&self) -> u64 {
        self.release.as_ref().map_or(0, |release| release.number)
    }

    /// How many workers are in each state.
    pub fn counts(&self) -> Counts {
        self.index.counts
    }

    /// How many workers of a group are wanted.
    pub fn group_count(&self, group: &str) -> Option<u32> {
        self.groups.get(group).map(|formed| formed.count)
    }

    /// The shutdown that is under way.
    pub fn shutting_down(&self) -> Option<&Shutdown> {
        self.shutdown.as_ref()
    }

    /// What a reload with this spec would do.
    pub fn plan(&self, new: &Spec) -> Plan {
        let counts = self.groups.iter().map(|(name, formed)| (name.clone(), formed.count)).collect();
        plan::plan(self.spec().map(Arc::as_ref), new, &counts)
    }

    /// The present state as records: a ledger that holds just these restores this core.
    pub fn records(&self) -> Vec<Record> {
        let mut records = vec![Record::NextRun(self.reserved_runs)];
        if let Some(Release { number, spec, finish_when_idle }) = &self.release {
            let (number, finish_when_idle) = (*number, *finish_when_idle);
            records.push(Record::Release { number, spec: Arc::clone(spec), finish_when_idle });
            for group in &spec.groups {
                if let Some(count) = self.group_count(&group.name).filter(|count| *count != group.count) {
                    records.push(Record::Scale { group: group.name.clone(), count, instead_of: group.count });
                }
            }
        }
        records.extend(self.shutdown.clone().map(Record::ShuttingDown));
        records.extend(self.workers.keys().map(|name| self.record(name)));
        records
    }

    /// The group of a worker, as the release in force says it.
    pub(crate) fn group(&self, name: &WorkerName) -> Option<&Group> {
        group_of(self.release.as_ref(), self.groups.get(&name.group))
    }

    fn record(&self, name: &WorkerName) -> Record {
        Record::Worker { name: name.clone(), state: self.workers.get(name).cloned().map(Box::new) }
    }

    fn spawned(&mut self, now: Instant, run: RunId, pid: u32) {
        match self.index.runs.get(&run).cloned() {
            Some(name) => self.step(now, &name, Stimulus::Spawned { pid }),
            None => self.round.actions.push(kill(run)),
        }
    }

    fn tick(&mut self, now: Instant) {
        while let Some((at, name)) = self.index.deadlines.first().cloned()
            && at <= now
        {
            self.step(now, &name, Stimulus::Due);
        }
    }

    /// Lets something happen to one worker, and keeps all that depends on it in step.
    fn step(&mut self, now: Instant, name: &WorkerName, stimulus: Stimulus) {
        let awaited = self.awaited(&name.group);
        let Some(worker) = self.workers.get_mut(name) else {
            return;
        };
        self.index.remove(name, &worker.life);
        let ended_before = worker.life.ended_with();
        let formed = self.groups.get(&name.group);
        let group = group_of(self.release.as_ref(), formed);
        let progress = worker.progress(group);
        worker.step(
            stimulus,
            &mut Turn {
                now,
                name,
                group,
                made_of: formed.map_or(UNKNOWN_MAKE, |formed| formed.made_of),
                awaited,
                random: &mut self.random,
                next_run: &mut self.next_run,
                actions: &mut self.round.actions,
            },
        );
        self.tickets.changed(name, &worker.life, &worker.why, &mut self.round.actions);
        self.round.changed.insert(name.clone());
        if let (None, Some(_), Wanted::Up) = (ended_before, worker.life.ended_with(), worker.wanted)
            && let Some(end) = group.and_then(|group| shutdown::end_of_app(name, &worker.life, group))
        {
            self.round.end_of_app.get_or_insert(end);
        }
        let has_moved = worker.progress(group) != progress;
        if worker.wanted == Wanted::Gone && worker.life.run().is_none() {
            self.workers.remove(name);
            self.tickets.removed(name, &mut self.round.actions);
        } else {
            self.index.add(name, &worker.life);
        }
        if has_moved {
            self.stir(&name.group);
        }
    }

    /// Queues what the input brought about: first the records, then what they cover.
    fn flush(&mut self) {
        if self.next_run > self.reserved_runs {
            self.reserved_runs = self.next_run + RUN_NUMBERS;
            self.queue.push_back(Action::Record(Record::NextRun(self.reserved_runs)));
        }
        let round = std::mem::take(&mut self.round);
        let workers: Vec<Record> = round.changed.iter().map(|name| self.record(name)).collect();
        let records = round.before.into_iter().chain(workers).chain(round.after);
        self.queue.extend(records.map(Action::Record));
        self.queue.extend(round.actions);
    }
}

impl Index {
    fn add(&mut self, name: &WorkerName, life: &Life) {
        *self.counts.of(life.state()) += 1;
        self.unsettled += usize::from(!life.is_settled());
        self.in_vain += usize::from(matches!(life, Life::Waiting { in_vain: true }));
        if let Some(run) = life.run() {
            self.runs.insert(run, name.clone());
        }
        if let Some(deadline) = life.deadline() {
            self.deadlines.insert((deadline, name.clone()));
        }
    }

    fn remove(&mut self, name: &WorkerName, life: &Life) {
        *self.counts.of(life.state()) -= 1;
        self.unsettled -= usize::from(!life.is_settled());
        self.in_vain -= usize::from(matches!(life, Life::Waiting { in_vain: true }));
        if let Some(run) = life.run() {
            self.runs.remove(&run);
        }
        if let Some(deadline) = life.deadline() {
            self.deadlines.remove(&(deadline, name.clone()));
        }
    }
}

fn group_of<'a>(release: Option<&'a Release>, formed: Option<&Formed>) -> Option<&'a Group> {
    release?.spec.groups.get(formed?.place)
}

/// Ends whatever is left of a run that nobody is to have.
fn kill(run: RunId) -> Action {
    Action::Signal { run, signal: ganger_spec::Signal::KILL, scope: Scope::Tree }
}
