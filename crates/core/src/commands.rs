//! Commands of operators, and the replies that are owed for them.

use std::collections::BTreeSet;
use std::sync::Arc;

use ganger_spec::{Signal, WorkerName};

use crate::Core;
use crate::io::{Action, Command, CommandId, Instant, Outcome, Reply, Scope, Wanted};
use crate::ledger::Shutdown;
use crate::life::Life;
use crate::tickets::Goal;
use crate::turn::Stimulus;
use crate::why::Motive;

impl Core {
    pub(crate) fn command(&mut self, now: Instant, id: CommandId, command: Command) {
        let command = match command {
            Command::Shutdown { now: at_once, reason, status } => {
                return self.shut_down(now, id, Shutdown { status, reason, now: at_once });
            }
            command @ (Command::Start(_)
            | Command::Stop(_)
            | Command::Restart(_)
            | Command::Refresh(..)
            | Command::Scale(_)
            | Command::Signal(..)) => command,
        };
        if let Some(refusal) = self.refusal() {
            return self.refuse(id, refusal);
        }
        match command {
            Command::Start(names) => self.each(now, id, names, |core, name| core.start(now, name)),
            Command::Stop(names) => self.each(now, id, names, |core, name| core.stop(now, name)),
            Command::Restart(names) => self.each(now, id, names, |core, name| core.restart(now, name)),
            Command::Refresh(names, what) => {
                self.each(now, id, names, |core, name| core.refresh(now, name, &what));
            }
            Command::Signal(names, signal) => {
                self.each(now, id, names, |core, name| core.signal(name, signal));
            }
            Command::Scale(wishes) => self.scale(now, id, wishes),
            Command::Shutdown { .. } => unreachable!("shutdowns were taken out above"),
        }
    }

    /// Why no command is taken now, if so.
    pub(crate) fn refusal(&self) -> Option<String> {
        let shutdown = self.shutdown.as_ref()?;
        Some(format!("the app is shutting down: {}", shutdown.reason))
    }

    pub(crate) fn refuse(&mut self, id: CommandId, refusal: String) {
        let reply = Reply { workers: Vec::new(), refused: Some(refusal) };
        self.round.actions.push(Action::Reply { id, reply });
    }

    /// Owes a reply: what is known now, and what is to come at these workers.
    pub(crate) fn promise(
        &mut self,
        id: CommandId,
        mut known: Vec<(WorkerName, Outcome)>,
        goals: Vec<(WorkerName, Goal)>,
    ) {
        let mut open = Vec::new();
        for (name, goal) in goals {
            match self.outcome(&name, goal) {
                Some(outcome) => known.push((name, outcome)),
                None => open.push((name, goal)),
            }
        }
        self.tickets.open(id, known, open, &mut self.round.actions);
    }

    fn outcome(&self, name: &WorkerName, goal: Goal) -> Option<Outcome> {
        match (self.workers.get(name), goal) {
            (Some(worker), Goal::Up) => worker.life.is_up(&worker.why),
            (Some(worker), Goal::Down) => worker.life.is_down(&worker.why),
            (None, Goal::Down) => Some(Outcome::Done),
            (None, Goal::Up) => Some(no_such_worker()),
        }
    }

    fn each(
        &mut self,
        now: Instant,
        id: CommandId,
        names: Vec<WorkerName>,
        mut act: impl FnMut(&mut Self, &WorkerName) -> Result<Goal, Outcome>,
    ) {
        let (mut known, mut goals) = (Vec::new(), Vec::new());
        let names: BTreeSet<WorkerName> = names.into_iter().collect();
        let mut names: Vec<WorkerName> = names.into_iter().collect();
        names.sort_by_key(|name| -self.depth(&name.group));
        for name in names {
            match act(self, &name) {
                Ok(goal) => goals.push((name, goal)),
                Err(outcome) => known.push((name, outcome)),
            }
        }
        self.look_at_waiting(now);
        self.promise(id, known, goals);
    }

    fn start(&mut self, now: Instant, name: &WorkerName) -> Result<Goal, Outcome> {
        if let Life::Running { .. } = self.present(name)? {
            return Err(Outcome::Unchanged);
        }
        self.want(name, Wanted::Up);
        self.step(now, name, Stimulus::Start(Motive::Command));
        Ok(Goal::Up)
    }

    fn restart(&mut self, now: Instant, name: &WorkerName) -> Result<Goal, Outcome> {
        self.present(name)?;
        self.want(name, Wanted::Up);
        self.step(now, name, Stimulus::Restart(Motive::Command));
        Ok(Goal::Up)
    }

    fn refresh(&mut self, now: Instant, name: &WorkerName, what: &Arc<str>) -> Result<Goal, Outcome> {
        let is_waiting = matches!(self.present(name)?, Life::Waiting { .. });
        let is_wanted = self.workers.get(name).is_some_and(|worker| worker.wanted == Wanted::Up);
        if is_waiting || !is_wanted {
            return Err(Outcome::Unchanged);
        }
        self.step(now, name, Stimulus::Restart(Motive::Change(Arc::clone(what))));
        Ok(Goal::Up)
    }

    fn stop(&mut self, now: Instant, name: &WorkerName) -> Result<Goal, Outcome> {
        let was_down = self.present(name)?.is_down("").is_some_and(|outcome| outcome == Outcome::Done);
        self.want(name, Wanted::Down);
        self.step(now, name, Stimulus::Stop(Motive::Command));
        if was_down { Err(Outcome::Unchanged) } else { Ok(Goal::Down) }
    }

    fn signal(&mut self, name: &WorkerName, signal: Signal) -> Result<Goal, Outcome> {
        let Some(worker) = self.workers.get(name) else {
            return Err(no_such_worker());
        };
        let Some(run) = worker.life.main_process() else {
            return Err(Outcome::Failed(format!(
                "it has no process ({}: {})",
                worker.life.state(),
                worker.why
            )));
        };
        self.round.actions.push(Action::Signal { run, signal, scope: Scope::Main });
        Err(Outcome::Done)
    }

    /// The life of a worker that is not about to leave.
    fn present(&self, name: &WorkerName) -> Result<&Life, Outcome> {
        let worker = self.workers.get(name).ok_or_else(no_such_worker)?;
        match worker.wanted {
            Wanted::Up | Wanted::Down => Ok(&worker.life),
            Wanted::Gone => Err(Outcome::Failed(format!("it is leaving: {}", worker.why))),
        }
    }
}

fn no_such_worker() -> Outcome {
    Outcome::Failed("there is no such worker".to_owned())
}
