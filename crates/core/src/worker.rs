//! One worker: what is remembered of it, and what each input does in each state of its [life](crate::life).

mod found;
mod health;

use std::mem;
use std::time::Duration;

use ganger_spec::{Group, Signal, Stop, StopScope, WorkerName};
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::io::{Action, Exit, Instant, RunId, Scope, Wanted, WorkerView};
use crate::life::{Ending, Life, Phase, Run, Then};
use crate::probes::Streaks;
use crate::restart::{self, End, History, Judgement, Verdict};
use crate::turn::{Stimulus, Turn};
use crate::why::{self, Motive};

/// A tree that is still there so long after its KILL is stuck in the kernel.
pub const STUCK_AFTER: Duration = Duration::from_secs(10);

/// Stands for what a run is made of while that is not known.
pub(crate) const UNKNOWN_MAKE: u64 = 0;

/// How a run is stopped that gets no time.
const KILL: Stop = Stop { signal: Signal::KILL, timeout: Duration::ZERO, scope: StopScope::Tree };

/// A worker: what is wanted of it, what it is, and what is remembered. It goes into the ledger as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerRecord {
    pub(crate) wanted: Wanted,
    pub(crate) life: Life,
    since: Instant,
    pub(crate) why: String,
    /// The fingerprint of what its latest run was made of.
    pub(crate) made_of: u64,
    history: History,
    restarts: u64,
    last_exit: Option<(RunId, Exit)>,
    /// When its latest run began, and when the latest one ended.
    #[serde(default)]
    began: Option<Instant>,
    #[serde(default)]
    ended: Option<Instant>,
    /// Why there was no process, the last time one was asked for.
    #[serde(default)]
    unspawned: Option<String>,
    /// The run that passed its readiness probe.
    #[serde(default)]
    pub(crate) passed: Option<RunId>,
    /// How its run answers.
    #[serde(skip)]
    pub(crate) streaks: Streaks,
}

impl WorkerRecord {
    /// A worker that never ran.
    pub(crate) fn new(now: Instant, wanted: Wanted) -> Self {
        Self {
            wanted,
            life: Life::Stopped,
            since: now,
            why: "never started".to_owned(),
            made_of: UNKNOWN_MAKE,
            history: History::default(),
            restarts: 0,
            last_exit: None,
            began: None,
            ended: None,
            unspawned: None,
            passed: None,
            streaks: Streaks::default(),
        }
    }

    /// A worker that never ran, since an operator had stopped it before the app was started.
    pub(crate) fn stopped_before(now: Instant) -> Self {
        Self { why: why::STOPPED_BEFORE.to_owned(), ..Self::new(now, Wanted::Down) }
    }

    /// A worker that never ran, since its group does not start by itself.
    pub(crate) fn not_started(now: Instant) -> Self {
        Self { why: why::NOT_STARTED.to_owned(), ..Self::new(now, Wanted::Down) }
    }

    /// Whether it has a run that nobody asked to end.
    pub(crate) fn is_at_work(&self) -> bool {
        match self.life {
            Life::Spawning { .. } | Life::Starting { .. } | Life::Running { .. } => true,
            Life::Stopped
            | Life::Waiting { .. }
            | Life::Backoff { .. }
            | Life::Unborn { .. }
            | Life::Stopping(_)
            | Life::Exited { .. }
            | Life::Fatal { .. } => false,
        }
    }

    /// What every surface shows of it.
    pub(crate) fn view(&self, name: &WorkerName, group: Option<&Group>) -> WorkerView {
        let process = self.life.process();
        WorkerView {
            name: name.clone(),
            wanted: self.wanted,
            state: self.life.state(),
            why: self.why.clone(),
            ready: self.is_ready(group),
            run: self.life.run(),
            pid: process.map(|run| run.pid),
            since: self.since,
            started: process.map(|run| run.started),
            retry: self.life.retry(),
            restarts: self.restarts,
            last_exit: self.last_exit.map(|(_, exit)| exit),
            began: self.began,
            ended: self.ended,
            unspawned: self.unspawned.clone(),
        }
    }

    /// The latest run whose end is accounted, and how it ended.
    pub fn accounted(&self) -> Option<(RunId, Exit)> {
        self.last_exit
    }

    /// Its run, of which something lives as far as it knows, or which was asked for.
    pub fn run(&self) -> Option<RunId> {
        self.life.run()
    }

    /// When its present state began.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Moves its times back if they lie ahead: the machine was booted since they were written.
    pub(crate) fn rebase(&mut self, now: Instant) {
        let ahead = self.since.since(now);
        if ahead.is_zero() {
            return;
        }
        self.since = now;
        self.history.restarts.clear();
        if let Some(deadline) = self.life.deadline_mut() {
            *deadline = now.after(deadline.since(now).saturating_sub(ahead));
        }
    }

    /// The one place where a life changes.
    pub(crate) fn step(&mut self, stimulus: Stimulus, turn: &mut Turn<'_>) {
        let life = mem::replace(&mut self.life, Life::Stopped);
        let from = life.state();
        self.life = match stimulus {
            Stimulus::Start(motive) => self.start(life, motive, turn),
            Stimulus::Stop(motive) => self.stop(life, motive, turn),
            Stimulus::Restart(motive) => self.restart(life, motive, turn),
            Stimulus::Kill(motive) => self.kill(life, motive, turn),
            Stimulus::Retune => retune(life, turn),
            Stimulus::Spawned { pid } => self.spawned(life, pid, turn),
            Stimulus::SpawnFailed { reason, transient, status } => {
                self.spawn_failed(life, &End::NotSpawned { reason, transient, status }, turn)
            }
            Stimulus::Exited { exit, leftovers } => self.exited(life, exit, leftovers, turn),
            Stimulus::Emptied => self.emptied(life, turn),
            Stimulus::Due => self.due(life, turn),
            Stimulus::Look => self.look(life, turn),
            Stimulus::Ready => self.readiness(life, Ok(()), turn),
            Stimulus::NotReady { why } => self.readiness(life, Err(why), turn),
            Stimulus::Unfit { why } => self.unfit(life, why, turn),
            Stimulus::Lost => self.lost(life, turn),
            Stimulus::Known { pid } => self.known(life, pid, turn),
            Stimulus::Foreign { run, pid, exit, leftovers } => {
                let run = Run { id: run, pid, started: turn.now };
                self.take_over(life, run, exit, leftovers, turn)
            }
        };
        let to = self.life.state();
        if from != to {
            self.since = turn.now;
            let pid = self.life.process().map(|run| run.pid);
            turn.tell(Event::State { worker: turn.name.clone(), from, to, pid, why: self.why.clone() });
        }
    }

    fn start(&mut self, life: Life, motive: Motive, turn: &mut Turn<'_>) -> Life {
        self.history = History::default();
        match life {
            Life::Stopped
            | Life::Waiting { .. }
            | Life::Backoff { .. }
            | Life::Exited { .. }
            | Life::Fatal { .. } => self.spawn(why::started(&motive), turn),
            Life::Spawning { .. } | Life::Starting { .. } | Life::Running { .. } => life,
            Life::Unborn { run, stop, .. } => Life::Unborn { run, stop, motive },
            Life::Stopping(ending) => Life::Stopping(Ending { then: Then::AsWanted(motive), ..ending }),
        }
    }

    fn restart(&mut self, life: Life, motive: Motive, turn: &mut Turn<'_>) -> Life {
        match life {
            Life::Stopped
            | Life::Waiting { .. }
            | Life::Backoff { .. }
            | Life::Exited { .. }
            | Life::Fatal { .. }
            | Life::Unborn { .. }
            | Life::Stopping(_) => self.start(life, motive, turn),
            Life::Spawning { .. } | Life::Starting { .. } | Life::Running { .. } => {
                self.history = History::default();
                self.stop(life, motive, turn)
            }
        }
    }

    fn stop(&mut self, life: Life, motive: Motive, turn: &mut Turn<'_>) -> Life {
        match life {
            Life::Stopped | Life::Exited { .. } | Life::Fatal { .. } => life,
            Life::Waiting { .. } | Life::Backoff { .. } => self.stopped(&motive),
            Life::Spawning { run } => {
                self.why = why::unborn(&motive);
                Life::Unborn { run, stop: turn.stop(), motive }
            }
            Life::Unborn { run, stop, .. } => Life::Unborn { run, stop, motive },
            Life::Starting { run, .. } | Life::Running { run } => {
                self.end(run, turn.stop(), Then::AsWanted(motive), None, turn)
            }
            Life::Stopping(ending) => Life::Stopping(ending.not_followed(motive)),
        }
    }

    fn kill(&mut self, life: Life, motive: Motive, turn: &mut Turn<'_>) -> Life {
        match life {
            Life::Stopped | Life::Exited { .. } | Life::Fatal { .. } => life,
            Life::Waiting { .. } | Life::Backoff { .. } => self.stopped(&motive),
            Life::Spawning { run } | Life::Unborn { run, .. } => {
                self.why = why::unborn(&motive);
                Life::Unborn { run, stop: KILL, motive }
            }
            Life::Starting { run, .. } | Life::Running { run } => {
                self.end(run, KILL, Then::AsWanted(motive), None, turn)
            }
            Life::Stopping(ending) => {
                let ending = ending.not_followed(motive.clone());
                match ending.phase {
                    Phase::Asked { .. } => self.kill_tree(ending, why::killed_by(&motive), turn),
                    Phase::Killed { .. } | Phase::Stuck => Life::Stopping(ending),
                }
            }
        }
    }

    fn spawned(&mut self, life: Life, pid: u32, turn: &mut Turn<'_>) -> Life {
        match life {
            Life::Spawning { run } => {
                let run = self.begun(run, pid, turn.now);
                turn.tell(Event::Started { worker: turn.name.clone(), run: run.id, pid });
                let startsecs = turn.group.map_or(Duration::ZERO, |group| group.restart.startsecs);
                if startsecs.is_zero() {
                    self.healthy(run, turn)
                } else {
                    Life::Starting { run, healthy: turn.now.after(startsecs) }
                }
            }
            Life::Unborn { run, stop, motive } => {
                let run = self.begun(run, pid, turn.now);
                turn.tell(Event::Started { worker: turn.name.clone(), run: run.id, pid });
                self.end(run, stop, Then::AsWanted(motive), None, turn)
            }
            Life::Stopped
            | Life::Waiting { .. }
            | Life::Starting { .. }
            | Life::Running { .. }
            | Life::Backoff { .. }
            | Life::Stopping(_)
            | Life::Exited { .. }
            | Life::Fatal { .. } => life,
        }
    }

    /// The run that has a process now.
    fn begun(&mut self, id: RunId, pid: u32, now: Instant) -> Run {
        self.began = Some(now);
        self.unspawned = None;
        Run { id, pid, started: now }
    }

    fn spawn_failed(&mut self, life: Life, end: &End, turn: &mut Turn<'_>) -> Life {
        match life {
            Life::Spawning { .. } => {
                if let End::NotSpawned { reason, .. } = end {
                    self.unspawned = Some(reason.clone());
                    turn.tell(Event::SpawnFailed { worker: turn.name.clone(), reason: reason.clone() });
                }
                let judgement = self.judge(end, turn);
                self.carry_out(judgement, turn)
            }
            Life::Unborn { motive, .. } => self.as_wanted(&motive, turn),
            Life::Stopped
            | Life::Waiting { .. }
            | Life::Starting { .. }
            | Life::Running { .. }
            | Life::Backoff { .. }
            | Life::Stopping(_)
            | Life::Exited { .. }
            | Life::Fatal { .. } => life,
        }
    }

    fn exited(&mut self, life: Life, exit: Exit, leftovers: bool, turn: &mut Turn<'_>) -> Life {
        match life {
            Life::Starting { run, healthy } => {
                self.ended_by_itself(run, turn.now >= healthy, exit, leftovers, turn)
            }
            Life::Running { run } => self.ended_by_itself(run, true, exit, leftovers, turn),
            Life::Stopping(mut ending) => {
                if ending.exit.is_none() {
                    self.account(ending.run.id, exit, turn);
                    ending.exit = Some(exit);
                    // Where the signal was for the main process alone, the rest has not got it yet.
                    if let (true, StopScope::Main, Phase::Asked { .. }) =
                        (leftovers, ending.stop.scope, ending.phase)
                    {
                        let (run, signal) = (ending.run.id, ending.stop.signal);
                        turn.act(Action::Signal { run, signal, scope: Scope::Tree });
                    }
                }
                if leftovers { Life::Stopping(ending) } else { self.gone(ending.run.id, ending.then, turn) }
            }
            // The keeper says "spawned" first; should that word be lost, the exit is not.
            Life::Spawning { .. } | Life::Unborn { .. } => {
                let life = self.spawned(life, 0, turn);
                self.exited(life, exit, leftovers, turn)
            }
            Life::Stopped
            | Life::Waiting { .. }
            | Life::Backoff { .. }
            | Life::Exited { .. }
            | Life::Fatal { .. } => life,
        }
    }

    fn emptied(&mut self, life: Life, turn: &mut Turn<'_>) -> Life {
        match life {
            Life::Stopping(Ending { exit: Some(exit), .. }) => self.exited(life, exit, false, turn),
            Life::Stopping(Ending { exit: None, .. })
            | Life::Starting { .. }
            | Life::Running { .. }
            | Life::Spawning { .. }
            | Life::Unborn { .. } => self.exited(life, Exit::Unknown, false, turn),
            Life::Stopped
            | Life::Waiting { .. }
            | Life::Backoff { .. }
            | Life::Exited { .. }
            | Life::Fatal { .. } => life,
        }
    }

    fn due(&mut self, life: Life, turn: &mut Turn<'_>) -> Life {
        match life {
            Life::Starting { run, .. } => self.healthy(run, turn),
            Life::Backoff { spends, .. } => {
                if spends {
                    self.spend(turn);
                } else {
                    self.history.postponed(turn.now);
                }
                let again = self.why.clone();
                self.spawn(again, turn)
            }
            Life::Stopping(ending) => match ending.phase {
                Phase::Asked { .. } => {
                    let why = why::killed_after(ending.stop.timeout);
                    self.kill_tree(ending, why, turn)
                }
                Phase::Killed { .. } => {
                    self.why = why::stuck(ending.run.pid);
                    turn.tell(Event::Stuck { worker: turn.name.clone(), pid: ending.run.pid });
                    Life::Stopping(Ending { phase: Phase::Stuck, ..ending })
                }
                Phase::Stuck => Life::Stopping(ending),
            },
            Life::Stopped
            | Life::Waiting { .. }
            | Life::Spawning { .. }
            | Life::Running { .. }
            | Life::Unborn { .. }
            | Life::Exited { .. }
            | Life::Fatal { .. } => life,
        }
    }

    /// Asks the keeper for a new run.
    fn spawn(&mut self, why: String, turn: &mut Turn<'_>) -> Life {
        if turn.group.is_none() {
            self.made_of = UNKNOWN_MAKE;
            return Life::Stopped;
        }
        if let Some(awaited) = turn.awaited.take() {
            return self.wait(&awaited, None, turn);
        }
        let run = RunId(*turn.next_run);
        *turn.next_run += 1;
        self.made_of = turn.made_of;
        self.why = why;
        turn.act(Action::Spawn { run, worker: turn.name.clone() });
        Life::Spawning { run }
    }

    fn healthy(&mut self, run: Run, turn: &Turn<'_>) -> Life {
        self.history.healthy();
        self.up(&run, turn).clone_into(&mut self.why);
        Life::Running { run }
    }

    fn stopped(&mut self, motive: &Motive) -> Life {
        self.why = why::stopped(motive);
        Life::Stopped
    }

    /// Asks a tree to end.
    fn end(&mut self, run: Run, stop: Stop, then: Then, exit: Option<Exit>, turn: &mut Turn<'_>) -> Life {
        self.why = match &then {
            Then::AsWanted(motive) => why::stopping(motive, &stop),
            Then::Judged(judgement) if exit.is_some() => why::leftovers(&judgement.why, &stop),
            Then::Judged(judgement) => why::unfit(&judgement.why, &stop),
        };
        let scope = scope_of(stop.signal, &stop, exit);
        turn.act(Action::Signal { run: run.id, signal: stop.signal, scope });
        let phase = if stop.signal == Signal::KILL {
            Phase::Killed { stuck: turn.now.after(STUCK_AFTER) }
        } else {
            Phase::Asked { kill: turn.now.after(stop.timeout) }
        };
        Life::Stopping(Ending { run, stop, phase, exit, then })
    }

    fn kill_tree(&mut self, ending: Ending, why: String, turn: &mut Turn<'_>) -> Life {
        turn.act(Action::Signal { run: ending.run.id, signal: Signal::KILL, scope: Scope::Tree });
        turn.tell(Event::Killing { worker: turn.name.clone(), why: why.clone() });
        self.why = why;
        Life::Stopping(Ending { phase: Phase::Killed { stuck: turn.now.after(STUCK_AFTER) }, ..ending })
    }

    fn ended_by_itself(
        &mut self,
        run: Run,
        healthy: bool,
        exit: Exit,
        leftovers: bool,
        turn: &mut Turn<'_>,
    ) -> Life {
        self.account(run.id, exit, turn);
        let lived = turn.now.since(run.started);
        let judgement = self.judge(&End::Exited { exit, lived, healthy }, turn);
        let then = Then::Judged(judgement);
        if leftovers {
            return self.end(run, turn.stop(), then, Some(exit), turn);
        }
        self.gone(run.id, then, turn)
    }

    /// The tree is empty: the keeper may forget the run, and what was to come comes.
    fn gone(&mut self, run: RunId, then: Then, turn: &mut Turn<'_>) -> Life {
        turn.act(Action::Acknowledge(run));
        match then {
            Then::AsWanted(motive) => self.as_wanted(&motive, turn),
            Then::Judged(judgement) => self.carry_out(judgement, turn),
        }
    }

    fn as_wanted(&mut self, motive: &Motive, turn: &mut Turn<'_>) -> Life {
        match self.wanted {
            Wanted::Up => self.spawn(why::started(motive), turn),
            Wanted::Down | Wanted::Gone => self.stopped(motive),
        }
    }

    fn judge(&mut self, end: &End, turn: &mut Turn<'_>) -> Judgement {
        let Some(group) = turn.group else {
            return Judgement { verdict: Verdict::Exited(0), why: why::STRAY.to_owned() };
        };
        let judgement = restart::judge(&self.history, turn.now, group, end, turn.random.bits());
        self.history.went(end);
        judgement
    }

    fn carry_out(&mut self, judgement: Judgement, turn: &mut Turn<'_>) -> Life {
        // It waits for its turn in a shutdown: nothing follows any more.
        if self.wanted != Wanted::Up && judgement.ends_with().is_none() {
            return self.stopped(&Motive::Shutdown);
        }
        self.why = judgement.why;
        match judgement.verdict {
            Verdict::Restart(Duration::ZERO) => {
                self.spend(turn);
                let at_once = self.why.clone();
                self.spawn(at_once, turn)
            }
            Verdict::Restart(delay) => Life::Backoff { retry: turn.now.after(delay), spends: true },
            Verdict::Retry(delay) => Life::Backoff { retry: turn.now.after(delay), spends: false },
            Verdict::Exited(status) => Life::Exited { status },
            Verdict::Fatal(status) => {
                self.why = why::fatal(&self.why, turn.name);
                Life::Fatal { status }
            }
        }
    }

    fn spend(&mut self, turn: &Turn<'_>) {
        self.restarts += 1;
        self.history.restarted(turn.now, turn.group.and_then(|group| group.restart.budget.as_ref()));
    }

    fn account(&mut self, run: RunId, exit: Exit, turn: &mut Turn<'_>) {
        if self.last_exit.is_none_or(|(last, _)| last < run) {
            self.last_exit = Some((run, exit));
            self.ended = Some(turn.now);
        }
        turn.tell(Event::Ended { worker: turn.name.clone(), run, exit });
    }
}

/// Who gets a signal that is to end a run. A KILL is for all of it, and so is what comes when the main process has ended.
fn scope_of(signal: Signal, stop: &Stop, exit: Option<Exit>) -> Scope {
    match stop.scope {
        StopScope::Main if signal != Signal::KILL && exit.is_none() => Scope::Main,
        StopScope::Main | StopScope::Tree => Scope::Tree,
    }
}

/// A changed policy counts from now on; of the present run only `startsecs` is asked again.
fn retune(life: Life, turn: &Turn<'_>) -> Life {
    match (life, turn.group) {
        (Life::Starting { run, .. }, Some(group)) => {
            Life::Starting { run, healthy: run.started.after(group.restart.startsecs) }
        }
        (life, Some(_) | None) => life,
    }
}
