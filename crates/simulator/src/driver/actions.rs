//! What goes into the decider, and what becomes of its actions.

use std::sync::Arc;
use std::time::Duration;

use ganger_core::{
    Action, Command, CommandId, Event, Exit, Input, Outcome, Record, Reply, RunId, Scope, State,
};
use ganger_spec::{Signal, Spec, WorkerName};

use super::Driver;
use crate::invariants::{self, Broken, Heard, Invariant};
use crate::marks::Mark;
use crate::model::{Last, Wish};
use crate::mutation::Mutation;

impl Driver {
    /// The operator asks for something.
    pub(super) fn ask(&mut self, input: Input) -> Result<(), Broken> {
        self.model.asked(&input);
        if self.mutation == Some(Mutation::AnswerEarly)
            && let Input::Command { id, command: Command::Stop(names) } = &input
        {
            let workers = names.iter().map(|name| (name.clone(), Outcome::Done)).collect();
            self.check_reply(*id, &Reply { workers, refused: None })?;
            self.model.owed.insert(*id, names.iter().cloned().collect());
        }
        self.feed(input)
    }

    /// One mutation of the decider, and all that it wants done; unless it dies before.
    pub(super) fn feed(&mut self, input: Input) -> Result<(), Broken> {
        let command = matches!(input, Input::Apply { .. } | Input::Command { .. });
        let input = self.falsify(input);
        let unborn = self.heard_of_failure(&input);
        self.note(|| format!("> {input}"));
        let Some(core) = &mut self.core else {
            return Ok(());
        };
        let is_news = command || matches!(input, Input::Connected { .. });
        core.handle(self.now, input);
        if is_news && self.model.is_damaged {
            self.model.adopt_started(core);
        }
        loop {
            if self.maybe_die_between_actions(command)? {
                self.forget_failure(unborn);
                return Ok(());
            }
            let Some(action) = self.core.as_mut().and_then(ganger_core::Core::poll_action) else {
                return Ok(());
            };
            self.note(|| format!("  < {action}"));
            self.carry_out(action)?;
        }
    }

    /// The overseer hears that a spawn failed; so its policy counts.
    fn heard_of_failure(&mut self, input: &Input) -> Option<WorkerName> {
        let Input::SpawnFailed { run, transient, status, .. } = input else {
            return None;
        };
        let worker = self.unborn.remove(run)?;
        if *transient {
            if let Some(slot) = self.model.slots.get_mut(&worker) {
                slot.last = Last::FailedForNow;
            }
        } else {
            self.model.ended(&worker, *run, Exit::Code(*status));
        }
        Some(worker)
    }

    /// It died before that was in the ledger: the next one does not know, and tries again.
    fn forget_failure(&mut self, unborn: Option<WorkerName>) {
        if let Some(slot) = unborn.and_then(|worker| self.model.slots.get_mut(&worker)) {
            (slot.due, slot.over) = (true, false);
        }
    }

    pub(super) fn carry_out(&mut self, action: Action) -> Result<(), Broken> {
        match action {
            Action::Record(record) => self.record(record),
            Action::Spawn { run, worker } => return self.spawn(run, worker),
            Action::Signal { run, signal, scope } => {
                if scope == Scope::Tree || signal == Signal::TERM {
                    invariants::may_end(&self.kernel, &self.model, run)?;
                }
                if signal == Signal::TERM {
                    self.check_order(run, scope)?;
                }
                if self.mutation != Some(Mutation::SwallowKill) || signal != Signal::KILL {
                    self.request(Action::Signal { run, signal, scope });
                }
            }
            Action::Acknowledge(run) => {
                invariants::may_forget(&self.kernel, &self.model, run)?;
                if self.mutation != Some(Mutation::SwallowAcknowledge) {
                    self.request(Action::Acknowledge(run));
                }
            }
            Action::Reply { id, reply } => return self.check_reply(id, &reply),
            Action::Event(event) => return self.told(&event),
            Action::Finish { status: _ } => return self.finish(),
        }
        Ok(())
    }

    /// A stop signal goes out.
    fn check_order(&mut self, run: RunId, scope: Scope) -> Result<(), Broken> {
        if scope == Scope::Main {
            self.mark(Mark::StopOfMain);
        }
        if !self.model.shutting_down {
            return Ok(());
        }
        invariants::in_order(&self.kernel, &self.model, run)?;
        let is_asked = |worker: &WorkerName| {
            self.kernel.live().any(|(_, other)| other.worker == *worker && other.asked.is_none())
        };
        let rank = |worker: &WorkerName| self.model.rank(worker);
        let own = self.kernel.runs.get(&run).map(|process| rank(&process.worker));
        if own
            .is_some_and(|own| self.model.steady.iter().any(|worker| rank(worker) < own && is_asked(worker)))
        {
            self.mark(Mark::WaitedForWave);
        }
        Ok(())
    }

    /// The keeper hears of the end after all that was asked of it before, if it hears of it at all.
    fn finish(&mut self) -> Result<(), Broken> {
        self.finished = true;
        if !self.connected {
            return Ok(());
        }
        self.carry_out_requests()?;
        match self.kernel.live().find(|(_, process)| !process.killed) {
            Some((run, process)) => {
                let what = format!("the app finishes and {run} of {} lives", process.worker);
                Err((Invariant::StopsEnd, what))
            }
            None => Ok(()),
        }
    }

    /// All requests under way reach the keeper now.
    pub(super) fn carry_out_requests(&mut self) -> Result<(), Broken> {
        let requests = self.events.extract_if(.., |_, event| matches!(event, super::Event::Request(_)));
        for (_, event) in requests.collect::<Vec<_>>() {
            if let super::Event::Request(action) = event {
                self.keeper(action)?;
            }
        }
        Ok(())
    }

    fn spawn(&mut self, run: RunId, worker: WorkerName) -> Result<(), Broken> {
        invariants::may_start(&self.model, &worker)?;
        invariants::waits_first(&self.model, &worker, &self.heard)?;
        self.model.spawns(&worker, self.now);
        invariants::within_budget(&self.model, &worker, self.now)?;
        if self.mutation == Some(Mutation::SwallowSpawn) && self.random.below(4) == 0 {
            return Ok(());
        }
        if self.mutation == Some(Mutation::DoubleSpawn) {
            self.request(Action::Spawn { run: RunId(run.0 + 1_000_000), worker: worker.clone() });
        }
        if self.mutation == Some(Mutation::StartStopped)
            && let Some((stopped, _)) = self.model.slots.iter().find(|(_, slot)| slot.wish == Wish::Down)
        {
            let stopped = stopped.clone();
            return invariants::may_start(&self.model, &stopped);
        }
        self.request(Action::Spawn { run, worker });
        Ok(())
    }

    fn record(&mut self, record: Record) {
        if let Record::Worker { name, state } = &record {
            if let Some(state) = state {
                self.model.accounted.extend(state.accounted().map(|(run, _)| run));
            } else {
                let runs = self.kernel.runs.iter().filter(|(_, process)| process.worker == *name);
                self.model.accounted.extend(runs.map(|(run, _)| *run));
            }
            if self.mutation == Some(Mutation::ForgetRecord) {
                return;
            }
        }
        self.ledger.push(record);
    }

    fn check_reply(&mut self, id: CommandId, reply: &Reply) -> Result<(), Broken> {
        let Some(stopped) = self.model.owed.remove(&id) else {
            return Err((Invariant::Converges, format!("{id} was answered twice")));
        };
        if reply.refused.is_some() {
            self.mark(Mark::ReplyRefused);
        }
        for (worker, outcome) in &reply.workers {
            let said_down = match outcome {
                Outcome::Done => {
                    self.mark(Mark::ReplyDone);
                    true
                }
                Outcome::Unchanged => {
                    self.mark(Mark::ReplyUnchanged);
                    true
                }
                Outcome::Failed(_) => {
                    self.mark(Mark::ReplyFailed);
                    false
                }
                Outcome::Superseded => {
                    self.mark(Mark::ReplySuperseded);
                    false
                }
            };
            let still_down = self.model.slots.get(worker).is_some_and(|slot| slot.wish == Wish::Down);
            if said_down && still_down && stopped.contains(worker) {
                invariants::down_before_answer(&self.kernel, worker)?;
            }
        }
        Ok(())
    }

    fn told(&mut self, event: &Event) -> Result<(), Broken> {
        match event {
            Event::State { worker, to, pid, why, .. } => {
                self.hear(worker, |heard| {
                    heard.state = *to;
                    heard.has_process = pid.is_some() && matches!(to, State::Starting | State::Running);
                    heard.passed &= heard.has_process;
                });
                self.mark(Mark::In(*to));
                if why.contains("in a row failed") {
                    self.mark(Mark::AttemptsSpent);
                }
            }
            Event::Ended { run, .. } => {
                let times = if self.mutation == Some(Mutation::TellTwice) { 2 } else { 1 };
                *self.model.told.entry(*run).or_default() += times;
                return invariants::told_once(&self.model, *run);
            }
            Event::Waiting { in_vain, .. } => {
                self.mark(if *in_vain { Mark::WaitedInVain } else { Mark::Waited });
            }
            Event::Ready { worker, ready, .. } => {
                self.mark(if *ready { Mark::BecameReady } else { Mark::NoLongerReady });
                self.hear(worker, |heard| heard.passed = *ready);
            }
            Event::Killing { .. } => self.mark(Mark::Killing),
            Event::Stuck { .. } => self.mark(Mark::Stuck),
            Event::ShuttingDown { reason, .. } => {
                if reason.starts_with("every worker") {
                    self.mark(Mark::EndedIdle);
                } else if reason.ends_with("was given up") {
                    self.mark(Mark::EndedByFatal);
                } else if !self.model.shutting_down {
                    self.mark(Mark::EndedByWorker);
                }
                self.model.ends();
            }
            Event::Started { worker, .. } => {
                self.hear(worker, |heard| (heard.has_process, heard.passed) = (true, false));
            }
            Event::SpawnFailed { .. } | Event::Released { .. } | Event::Scaled { .. } => {}
        }
        Ok(())
    }

    fn hear(&mut self, worker: &WorkerName, change: impl FnOnce(&mut Heard)) {
        let new = Heard { state: State::Stopped, has_process: false, passed: false };
        change(self.heard.entry(worker.clone()).or_insert(new));
    }

    /// A request goes to the keeper, in order; into the void while there is no connection.
    pub(super) fn request(&mut self, action: Action) {
        if !self.connected {
            self.mark(Mark::RequestLost);
            return;
        }
        self.last_request =
            self.last_request.max(self.now.after(Duration::from_millis(self.random.below(15))));
        self.schedule(self.last_request.since(self.now), super::Event::Request(action));
    }

    /// What a mutation makes of an input.
    fn falsify(&self, input: Input) -> Input {
        match (self.mutation, input) {
            (Some(Mutation::NoBudget), Input::Apply { command, spec, finish_when_idle }) => {
                let mut unbounded = Spec::clone(&spec);
                unbounded.groups.iter_mut().for_each(|group| group.restart.budget = None);
                Input::Apply { command, spec: Arc::new(unbounded), finish_when_idle }
            }
            (Some(Mutation::NoOrder), Input::Apply { command, spec, finish_when_idle }) => {
                let mut equal = Spec::clone(&spec);
                equal.groups.iter_mut().for_each(|group| (group.priority, group.family) = (0, None));
                Input::Apply { command, spec: Arc::new(equal), finish_when_idle }
            }
            (Some(Mutation::NoDependencies), Input::Apply { command, spec, finish_when_idle }) => {
                let mut free = Spec::clone(&spec);
                free.groups.iter_mut().for_each(|group| group.depends_on.clear());
                Input::Apply { command, spec: Arc::new(free), finish_when_idle }
            }
            (_, input) => input,
        }
    }
}
