//! The loop: time goes on to the next thing that happens, something may break, and every promise is checked.

mod actions;
mod deaths;
mod faults;
mod probes;
mod world;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ganger_core::{Action, CommandId, Core, Input, Instant, Random, Record, RunId};
use ganger_spec::WorkerName;

use crate::capture::{FakeLog, Pipe};
use crate::invariants::{self, Broken, Heard};
use crate::kernel::{Fate, Kernel};
use crate::marks::Mark;
use crate::model::Model;
use crate::mutation::Mutation;
use crate::{Failure, Report, operator, scenario};

/// So many lines of the event log are kept for a failure.
const TAIL: usize = 80;
/// After the faults everything must be as asked within this.
const BOUND: Duration = Duration::from_mins(5);

/// Something that will happen.
#[derive(Clone, Debug)]
enum Event {
    /// A request of the overseer reaches the keeper.
    Request(Action),
    /// Word of the keeper reaches the overseer.
    Notice(Input),
    /// Something happens in the kernel.
    Fate(Fate),
    /// The operator types.
    Operate,
    /// Workers write, and their output is captured.
    Flow,
    /// Workers are asked whether they are ready and all right.
    Probe,
    /// A new overseer starts, or the present one connects again.
    Connect,
    /// An overseer that hangs goes on, or is replaced.
    Wake { is_replaced: bool },
}

/// The output of one worker.
#[derive(Debug, Default)]
struct Output {
    written: u64,
    pipe: Pipe,
    log: FakeLog,
}

/// One seed.
#[expect(clippy::struct_excessive_bools, reason = "independent facts of the fake world, not a state machine")]
pub(crate) struct Driver {
    seed: u64,
    mutation: Option<Mutation>,
    now: Instant,
    random: Random,
    /// How late ticks come.
    lateness: Duration,
    faults: bool,
    core: Option<Core>,
    connected: bool,
    /// What came since the overseer hangs; none while it does not.
    inbox: Option<Vec<Input>>,
    /// Since when overseer and keeper talk without a break or a leap of the clock.
    calm_since: Instant,
    /// Whether an overseer died in the middle of a command.
    unsure: bool,
    finished: bool,
    finish_when_idle: bool,
    ledger: Vec<Record>,
    /// A record in whose middle the overseer died.
    torn: Option<Record>,
    kernel: Kernel,
    model: Model,
    /// Runs that could not be spawned: the overseer may never hear of it.
    unborn: BTreeMap<RunId, WorkerName>,
    /// What was told of workers, by the present overseer or the ledger that it read.
    heard: BTreeMap<WorkerName, Heard>,
    /// How often in a row runs failed their liveness probe.
    failures: BTreeMap<RunId, u32>,
    outputs: BTreeMap<WorkerName, Output>,
    events: BTreeMap<(Instant, u64), Event>,
    numbers: u64,
    last_request: Instant,
    last_notice: Instant,
    report: Report,
    log: Option<VecDeque<String>>,
}

impl Driver {
    pub(crate) fn new(seed: u64, mutation: Option<Mutation>) -> Self {
        let mut random = Random::new(seed);
        let finish_when_idle = random.below(3) == 0;
        Self {
            seed,
            mutation,
            now: Instant(1_000_000_000_000),
            lateness: Duration::ZERO,
            faults: true,
            core: Some(Core::new(random.bits())),
            connected: true,
            inbox: None,
            calm_since: Instant(0),
            unsure: false,
            finished: false,
            finish_when_idle,
            ledger: Vec::new(),
            torn: None,
            kernel: Kernel::default(),
            model: Model::default(),
            unborn: BTreeMap::new(),
            heard: BTreeMap::new(),
            failures: BTreeMap::new(),
            outputs: BTreeMap::new(),
            events: BTreeMap::new(),
            numbers: 0,
            last_request: Instant(0),
            last_notice: Instant(0),
            report: Report::default(),
            random,
            log: None,
        }
    }

    /// Plays so many steps with faults, and then to the end. A failure is played again to keep its event log.
    pub(crate) fn play(self, steps: u64) -> Result<Report, Box<Failure>> {
        let (seed, mutation) = (self.seed, self.mutation);
        self.play_once(steps).or_else(|_| {
            let again = Self { log: Some(VecDeque::new()), ..Self::new(seed, mutation) };
            again.play_once(steps)
        })
    }

    fn play_once(mut self, steps: u64) -> Result<Report, Box<Failure>> {
        match self.whole(steps) {
            Ok(()) => Ok(self.report),
            Err((invariant, what)) => {
                let log = self.log.unwrap_or_default().into();
                Err(Box::new(Failure { seed: self.seed, invariant, what, log }))
            }
        }
    }

    fn whole(&mut self, steps: u64) -> Result<(), Broken> {
        self.feed(Input::Connected { runs: Vec::new() })?;
        self.schedule(Duration::ZERO, Event::Operate);
        self.schedule(Duration::ZERO, Event::Flow);
        self.schedule(Duration::ZERO, Event::Probe);
        for _ in 0..steps {
            if self.finished {
                break;
            }
            self.maybe_break()?;
            self.step()?;
        }
        self.calm_down()
    }

    /// The next thing happens.
    fn step(&mut self) -> Result<(), Broken> {
        self.report.steps += 1;
        let world = self.events.first_key_value().map(|((at, _), _)| *at);
        let awake = self.core.as_ref().filter(|_| self.inbox.is_none());
        let deadline = awake.and_then(Core::next_deadline);
        match (deadline.map(|at| at.after(self.lateness)), world) {
            (Some(tick), world) if world.is_none_or(|world| tick <= world) => {
                self.now = self.now.max(tick);
                self.lateness = match self.random.below(4) {
                    0 => Duration::from_millis(self.random.below(400)),
                    _ => Duration::ZERO,
                };
                self.feed(Input::Tick)?;
            }
            (Some(_) | None, Some(_)) => {
                if let Some(((at, _), event)) = self.events.pop_first() {
                    self.now = self.now.max(at);
                    self.happen(event)?;
                }
            }
            (Some(_) | None, None) => {}
        }
        if self.core.is_some() && self.connected && self.inbox.is_none() {
            invariants::stops_end(&self.kernel, self.now, self.calm_since)?;
        }
        Ok(())
    }

    /// No more faults and no more commands: in a bounded time all is as asked.
    fn calm_down(&mut self) -> Result<(), Broken> {
        self.faults = false;
        let end = self.now.after(BOUND);
        while self.now < end && !self.finished {
            if self.core.is_some() && self.inbox.is_none() && self.model.spec.is_none() {
                self.apply_first()?;
            }
            self.step()?;
        }
        if self.finished {
            self.mark(Mark::Finished);
            return self.check_output(true);
        }
        let Some(core) = &self.core else {
            return Err((invariants::Invariant::SurvivesDeath, "no overseer came back".to_owned()));
        };
        if core.shutting_down().is_some() {
            return Err((invariants::Invariant::StopsEnd, "the shutdown does not end".to_owned()));
        }
        invariants::converged(&self.kernel, &self.model, core.workers())?;
        invariants::all_forgotten(&self.kernel)?;
        self.mark(Mark::Converged);
        self.check_output(true)
    }

    fn happen(&mut self, event: Event) -> Result<(), Broken> {
        match event {
            Event::Request(action) => self.keeper(action),
            Event::Notice(input) => {
                if let Some(inbox) = &mut self.inbox {
                    inbox.push(input);
                    return Ok(());
                }
                if self.mutation == Some(Mutation::AcknowledgeEarly)
                    && let Input::Exited { run, leftovers: true, .. } = input
                {
                    self.carry_out(Action::Acknowledge(run))?;
                }
                self.feed(input)
            }
            Event::Fate(fate) => {
                self.fulfil(&fate);
                Ok(())
            }
            Event::Operate => self.operate(),
            Event::Flow => {
                self.flow();
                Ok(())
            }
            Event::Probe => self.probe(),
            Event::Connect => self.connect(),
            Event::Wake { is_replaced } => self.wake(is_replaced),
        }
    }

    fn operate(&mut self) -> Result<(), Broken> {
        if !self.faults {
            return Ok(());
        }
        let pause = match self.random.below(3) {
            0 => self.random.below(30),
            _ => self.random.below(4_000),
        };
        self.schedule(Duration::from_millis(pause), Event::Operate);
        if self.core.is_none() || self.inbox.is_some() || self.unsure {
            return Ok(());
        }
        let id = self.command_id();
        let (mark, input) = operator::wish(&mut self.random, id, &self.model, self.finish_when_idle);
        self.mark(mark);
        self.ask(input)
    }

    fn apply_first(&mut self) -> Result<(), Broken> {
        let id = self.command_id();
        let spec = scenario::spec(&mut self.random);
        self.ask(operator::apply(id, spec, self.finish_when_idle))
    }

    fn command_id(&mut self) -> CommandId {
        self.numbers += 1;
        CommandId(self.numbers)
    }

    fn schedule(&mut self, delay: Duration, event: Event) {
        self.numbers += 1;
        self.events.insert((self.now.after(delay), self.numbers), event);
    }

    fn mark(&mut self, mark: Mark) {
        *self.report.marks.entry(mark).or_default() += 1;
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            if log.len() == TAIL {
                log.pop_front();
            }
            log.push_back(format!(
                "{:>8}.{:04} {}",
                self.now.0 / 1_000_000_000,
                self.now.0 / 100_000 % 10_000,
                line()
            ));
        }
    }
}
