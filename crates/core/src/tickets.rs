//! Replies that are owed: a command is answered when its last worker is as asked, or cannot be.

use std::collections::BTreeMap;

use ganger_spec::WorkerName;

use crate::io::{Action, CommandId, Outcome, Reply};
use crate::life::Life;

/// What a command waits for at a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// RUNNING; a failed first attempt, EXITED and FATAL are failures of the command.
    Up,
    /// Its whole tree gone.
    Down,
}

/// The commands that are not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    open: BTreeMap<CommandId, Ticket>,
    /// Who waits for a worker, so that a change of it costs nothing for the others.
    waiting: BTreeMap<WorkerName, Vec<(CommandId, Goal)>>,
}

#[derive(Debug, Default)]
struct Ticket {
    outcomes: BTreeMap<WorkerName, Outcome>,
    missing: usize,
}

impl Tickets {
    /// Opens a ticket with these outcomes known already and those still to come.
    pub(crate) fn open(
        &mut self,
        id: CommandId,
        known: impl IntoIterator<Item = (WorkerName, Outcome)>,
        goals: Vec<(WorkerName, Goal)>,
        actions: &mut Vec<Action>,
    ) {
        let ticket = Ticket { outcomes: known.into_iter().collect(), missing: goals.len() };
        let earlier = self.open.insert(id, ticket);
        debug_assert!(earlier.is_none(), "a command id is used once");
        for (worker, goal) in goals {
            self.waiting.entry(worker).or_default().push((id, goal));
        }
        self.answer(id, actions);
    }

    /// A later command wishes this of the worker: who waits for the opposite will wait in vain.
    pub(crate) fn supersede(&mut self, worker: &WorkerName, goal: Goal, actions: &mut Vec<Action>) {
        self.settle(worker, actions, |waits| (waits != goal).then_some(Outcome::Superseded));
    }

    /// The worker has changed.
    pub(crate) fn changed(&mut self, worker: &WorkerName, life: &Life, why: &str, actions: &mut Vec<Action>) {
        self.settle(worker, actions, |goal| match goal {
            Goal::Up => life.is_up(why),
            Goal::Down => life.is_down(why),
        });
    }

    /// The worker is no more.
    pub(crate) fn removed(&mut self, worker: &WorkerName, actions: &mut Vec<Action>) {
        self.settle(worker, actions, |goal| match goal {
            Goal::Up => Some(Outcome::Superseded),
            Goal::Down => Some(Outcome::Done),
        });
    }

    /// Whether anybody waits for anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn settle(
        &mut self,
        worker: &WorkerName,
        actions: &mut Vec<Action>,
        outcome: impl Fn(Goal) -> Option<Outcome>,
    ) {
        let Some(waiting) = self.waiting.remove(worker) else {
            return;
        };
        let mut still = Vec::new();
        for (id, goal) in waiting {
            let Some(outcome) = outcome(goal) else {
                still.push((id, goal));
                continue;
            };
            if let Some(ticket) = self.open.get_mut(&id) {
                ticket.outcomes.insert(worker.clone(), outcome);
                ticket.missing -= 1;
            }
            self.answer(id, actions);
        }
        if !still.is_empty() {
            self.waiting.insert(worker.clone(), still);
        }
    }

    fn answer(&mut self, id: CommandId, actions: &mut Vec<Action>) {
        if self.open.get(&id).is_none_or(|ticket| ticket.missing > 0) {
            return;
        }
        if let Some(ticket) = self.open.remove(&id) {
            let reply = Reply { workers: ticket.outcomes.into_iter().collect(), refused: None };
            actions.push(Action::Reply { id, reply });
        }
    }
}
