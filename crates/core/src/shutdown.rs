//! The end of the app: who calls for it, and when it has come.
//!
//! 1. The first call decides the exit status: a worker that ended for good, failed for good or was given up where its
//!    group says so, an operator, or the end of the last worker of an app that is to finish then: one in the foreground.
//!    One in the background is ended by an operator, or by a worker that was given up where its group says so. A second
//!    call can only hasten it.
//! 2. Everything is stopped, each worker by its own rules; what does not die of KILL is reported and left behind. Families
//!    of groups go in [waves](crate::waves), those of the highest priority first; what is killed at once goes at once.
//! 3. When no worker can be waited for any more, every command that is still owed a reply has got it, and the
//!    app finishes.

use ganger_spec::{Group, OnEnd, OnFatal, WorkerName};

use crate::Core;
use crate::dependencies::is_success;
use crate::event::Event;
use crate::io::{Action, CommandId, Instant};
use crate::ledger::{Record, Shutdown};
use crate::life::Life;
use crate::tickets::Goal;

impl Core {
    /// An operator asks for the end; the reply comes just before it.
    pub(crate) fn shut_down(&mut self, now: Instant, id: CommandId, wish: Shutdown) {
        let reason = wish.reason.clone();
        let shutdown = match self.shutdown.take() {
            Some(earlier) => Shutdown { now: earlier.now || wish.now, ..earlier },
            None => wish,
        };
        self.begin_shutdown(now, shutdown, reason);
        let open = self.workers.iter().filter(|(_, worker)| !worker.life.is_settled());
        let goals = open.map(|(name, _)| (name.clone(), Goal::Down)).collect();
        self.tickets.open(id, [], goals, &mut self.round.actions);
    }

    /// What the workers' changes mean for the whole.
    pub(crate) fn conclude(&mut self, now: Instant) {
        if let Some(shutdown) = self.round.end_of_app.take().or_else(|| self.idle())
            && self.shutdown.is_none()
        {
            let reason = shutdown.reason.clone();
            self.begin_shutdown(now, shutdown, reason);
        }
        self.next_waves(now);
        if let Some(shutdown) = &self.shutdown
            && self.index.unsettled == 0
            && !self.finished
        {
            debug_assert!(self.tickets.is_empty(), "every command is answered before the end");
            self.finished = true;
            self.round.actions.push(Action::Finish { status: shutdown.status });
        }
    }

    /// `reason` is that of this call; the shutdown has that of the first.
    fn begin_shutdown(&mut self, now: Instant, shutdown: Shutdown, reason: String) {
        self.round.before.push(Record::ShuttingDown(shutdown.clone()));
        let kill = shutdown.now;
        self.round.actions.push(Action::Event(Event::ShuttingDown { reason, now: kill }));
        self.shutdown = Some(shutdown);
        self.stop_everything(now, kill);
    }

    /// The end of an app whose every worker has ended by itself. The first failure decides the status.
    fn idle(&self) -> Option<Shutdown> {
        let release = self.release.as_ref().filter(|release| release.finish_when_idle)?;
        let counts = &self.index.counts;
        let (ended, in_vain) = (counts.exited + counts.fatal, self.index.in_vain);
        if ended == 0 || ended + in_vain < self.workers.len() {
            return None;
        }
        // A change of its files starts it anew.
        let is_over =
            |name: &WorkerName| release.spec.group(&name.group).is_none_or(|group| !group.is_refreshed());
        if !self.workers.keys().all(is_over) {
            return None;
        }
        let ends =
            self.workers.values().filter_map(|worker| Some((worker.since(), worker.life.ended_with()?)));
        let failure = ends.filter(|(_, status)| *status != 0).min();
        let reason = match in_vain {
            0 => format!("every worker of {} has ended", release.spec.app),
            _ => format!("every worker of {} has ended, or waits in vain", release.spec.app),
        };
        let usual = u8::from(in_vain > 0);
        Some(Shutdown { status: failure.map_or(usual, |(_, status)| status), reason, now: false })
    }
}

/// The end of the app that the end of this worker for good brings about, if its group says so.
pub(crate) fn end_of_app(name: &WorkerName, life: &Life, group: &Group) -> Option<Shutdown> {
    let status = life.ended_with()?;
    let is_fatal = life.is_given_up();
    let has_failed = is_fatal || !is_success(status, Some(group));
    let is_end = match group.on_end {
        OnEnd::Shutdown => true,
        OnEnd::Failure => has_failed,
        OnEnd::Stay => false,
    };
    let is_end = is_end || (is_fatal && group.on_fatal == OnFatal::Shutdown);
    let (status, reason) = if is_fatal {
        // That it was given up must be seen even if its last status was 0.
        (status.max(1), format!("{name} was given up"))
    } else {
        (status, format!("{name} has ended"))
    };
    is_end.then_some(Shutdown { status, reason, now: false })
}
