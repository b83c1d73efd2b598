//! Probes by command. The keeper runs them like workers, under numbers and names that no worker has: neither the decider
//! nor the file of runs knows of them, and one that an overseer left behind is killed by the next.

use std::collections::BTreeMap;

use ganger_core::{Exit, Instant, RunId};
use ganger_spec::{Command, ProbeKind, WorkerName};

use super::Subject;

/// The runs of commands have numbers from here on; those of workers never come so far.
pub(super) const FIRST: RunId = RunId(1 << 62);

/// A command that is to be run.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The run of the command.
    pub(crate) id: RunId,
    pub(crate) worker: WorkerName,
    pub(crate) kind: ProbeKind,
    pub(crate) command: Command,
}

impl Asked {
    /// Stands for the worker of a command of which only the failing step is told.
    pub(crate) fn nobody() -> WorkerName {
        WorkerName::new("", 0)
    }

    /// The name under which the keeper knows it.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.worker, self.kind)
    }
}

/// The commands that run.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    last: u64,
    running: BTreeMap<RunId, Running>,
}

#[derive(Debug)]
pub(super) struct Running {
    subject: Subject,
    until: Instant,
    is_late: bool,
    /// The command, for people.
    text: String,
}

impl Commands {
    /// Whether a run is that of a command.
    pub(crate) fn is_one(run: RunId) -> bool {
        run >= FIRST
    }

    /// A number for the next one. An overseer before may have left some behind: the time tells them apart.
    pub(super) fn id(&mut self) -> RunId {
        self.last += 1;
        RunId(FIRST.0 + self.last - 1)
    }

    /// Numbers begin after those that the keeper has.
    pub(crate) fn begin_after(&mut self, run: RunId) {
        self.last = self.last.max(run.0.saturating_sub(FIRST.0) + 1);
    }

    pub(super) fn begin(&mut self, id: RunId, subject: Subject, until: Instant, text: String) {
        self.running.insert(id, Running { subject, until, is_late: false, text });
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.running.values().filter(|running| !running.is_late).map(|running| running.until).min()
    }

    /// Those that are to be killed now, each once.
    pub(super) fn late(&mut self, now: Instant) -> Vec<RunId> {
        let late = self.running.iter_mut().filter(|(_, running)| !running.is_late && running.until <= now);
        late.map(|(run, running)| {
            running.is_late = true;
            *run
        })
        .collect()
    }

    /// A command ended in this way: whose answer that is, and the answer.
    pub(crate) fn exited(&mut self, run: RunId, exit: Exit) -> Option<(Subject, Result<(), String>)> {
        let Running { subject, is_late, text, .. } = self.ended(run)?;
        Some((
            subject,
            match exit {
                _ if is_late => Err(format!("{text} took too long")),
                Exit::Code(0) => Ok(()),
                exit => Err(format!("{text} {exit}")),
            },
        ))
    }

    /// A command could not be run.
    pub(crate) fn failed(&mut self, run: RunId, reason: &str) -> Option<(Subject, Result<(), String>)> {
        let Running { subject, text, .. } = self.ended(run)?;
        Some((subject, Err(format!("{text} could not be run: {reason}"))))
    }

    pub(super) fn ended(&mut self, run: RunId) -> Option<Running> {
        self.running.remove(&run)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_command_that_takes_too_long_is_killed_once_and_its_end_is_a_bad_answer() {
        let mut commands = Commands::default();
        let (run, subject) = (commands.id(), (RunId(1), ProbeKind::Liveness));
        let until = Instant(0).after(Duration::from_secs(2));
        commands.begin(run, subject, until, "`check`".to_owned());
        assert_eq!((commands.next(), commands.late(Instant(0))), (Some(until), vec![]));
        assert_eq!((commands.late(until), commands.late(until), commands.next()), (vec![run], vec![], None));
        let answer = commands.exited(run, Exit::Code(0)).unwrap();
        assert_eq!(answer, (subject, Err("`check` took too long".to_owned())));
        assert_eq!(commands.exited(run, Exit::Code(0)), None);
    }

    #[test]
    fn a_code_is_an_answer_and_numbers_are_not_used_twice() {
        let mut commands = Commands::default();
        commands.begin_after(RunId(FIRST.0 + 7));
        let run = commands.id();
        assert_eq!(run, RunId(FIRST.0 + 8));
        commands.begin(run, (RunId(1), ProbeKind::Readiness), Instant(0), "`check`".to_owned());
        let (_, answer) = commands.exited(run, Exit::Code(2)).unwrap();
        assert_eq!(answer.unwrap_err(), "`check` exited with code 2");
    }
}
