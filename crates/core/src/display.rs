//! Every input, action and event as one line. The lines of a run, in order, are its event log.

use std::fmt::{Display, Formatter, Result};

use ganger_spec::WorkerName;

use crate::event::Event;
use crate::io::{Action, Command, CommandId, Input, KnownRun, Outcome, Reply, RunId, Scope};
use crate::ledger::Record;

impl Display for RunId {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "run {}", self.0)
    }
}

impl Display for CommandId {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "command {}", self.0)
    }
}

impl Display for Input {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Apply { command, spec, finish_when_idle: _ } => {
                write!(f, "{command}: apply {}:", spec.app)?;
                spec.groups.iter().try_for_each(|group| write!(f, " {}={}", group.name, group.count))
            }
            Self::Command { id, command } => write!(f, "{id}: {command}"),
            Self::Spawned { run, pid } => write!(f, "{run} spawned as PID {pid}"),
            Self::SpawnFailed { run, reason, transient: true, status: _ } => {
                write!(f, "{run} not spawned for now: {reason}")
            }
            Self::SpawnFailed { run, reason, transient: false, status } => {
                write!(f, "{run} not spawned: {reason} (status {status})")
            }
            Self::Exited { run, exit, leftovers: true } => {
                write!(f, "{run} {exit}, leaving processes behind")
            }
            Self::Exited { run, exit, leftovers: false } => write!(f, "{run} {exit}"),
            Self::Emptied { run } => write!(f, "{run} has no process left"),
            Self::Probed { run, kind, answer: Ok(()) } => write!(f, "{run} passes its {kind} probe"),
            Self::Probed { run, kind, answer: Err(why) } => write!(f, "{run} fails its {kind} probe: {why}"),
            Self::TooMuch { run, what } => write!(f, "{run} {what}"),
            Self::Connected { runs } => {
                write!(f, "connected to a keeper with {} runs", runs.len())?;
                runs.iter().try_for_each(|run| write!(f, "; {run}"))
            }
            Self::Tick => write!(f, "tick"),
        }
    }
}

impl Display for KnownRun {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} of {} (PID {})", self.run, self.worker, self.pid)?;
        match (self.exit, self.leftovers) {
            (Some(exit), true) => write!(f, " {exit}, leaving processes behind"),
            (Some(exit), false) => write!(f, " {exit}"),
            (None, _) => write!(f, " lives"),
        }
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Start(names) => list(f, "start", names),
            Self::Stop(names) => list(f, "stop", names),
            Self::Restart(names) => list(f, "restart", names),
            Self::Refresh(names, what) => list(f, &format!("since {what}, restart"), names),
            Self::Scale(counts) => {
                write!(f, "scale")?;
                counts.iter().try_for_each(|(group, count)| write!(f, " {group}={count}"))
            }
            Self::Signal(names, signal) => list(f, &format!("send {signal} to"), names),
            Self::Shutdown { now, reason, status } => {
                let how = if *now { "shut down now" } else { "shut down" };
                write!(f, "{how} with status {status}: {reason}")
            }
        }
    }
}

fn list(f: &mut Formatter<'_>, verb: &str, names: &[WorkerName]) -> Result {
    write!(f, "{verb}")?;
    names.iter().try_for_each(|name| write!(f, " {name}"))
}

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Record(record) => write!(f, "record {record}"),
            Self::Spawn { run, worker } => write!(f, "spawn {worker} as {run}"),
            Self::Signal { run, signal, scope: Scope::Main } => write!(f, "send {signal} to {run}"),
            Self::Signal { run, signal, scope: Scope::Tree } => {
                write!(f, "send {signal} to the tree of {run}")
            }
            Self::Acknowledge(run) => write!(f, "acknowledge {run}"),
            Self::Reply { id, reply } => write!(f, "reply to {id}: {reply}"),
            Self::Event(event) => write!(f, "event {event}"),
            Self::Finish { status } => write!(f, "finish with status {status}"),
        }
    }
}

impl Display for Reply {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if let Some(refusal) = &self.refused {
            return write!(f, "refused: {refusal}");
        }
        let mut separator = "";
        for (name, outcome) in &self.workers {
            write!(f, "{separator}{name} {outcome}")?;
            separator = ", ";
        }
        Ok(())
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Done => write!(f, "done"),
            Self::Unchanged => write!(f, "unchanged"),
            Self::Failed(why) => write!(f, "failed: {why}"),
            Self::Superseded => write!(f, "superseded by a later command"),
        }
    }
}

impl Display for Record {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Release { number, spec, finish_when_idle: _ } => {
                write!(f, "release {number} of {}", spec.app)
            }
            Self::Scale { group, count, instead_of } => write!(f, "{group}={count} instead of {instead_of}"),
            Self::Worker { name, state: Some(worker) } => {
                write!(f, "{name} {} (wanted {})", worker.life.state(), worker.wanted)
            }
            Self::Worker { name, state: None } => write!(f, "{name} is no more"),
            Self::NextRun(number) => write!(f, "runs below {number}"),
            Self::ShuttingDown(shutdown) => write!(f, "shutting down: {}", shutdown.reason),
        }
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::State { worker, from, to, pid: Some(pid), why } => {
                write!(f, "{worker} {from} -> {to} (PID {pid}): {why}")
            }
            Self::State { worker, from, to, pid: None, why } => write!(f, "{worker} {from} -> {to}: {why}"),
            Self::Started { worker, run, pid } => write!(f, "{worker} started {run} as PID {pid}"),
            Self::SpawnFailed { worker, reason } => write!(f, "{worker} could not be started: {reason}"),
            Self::Ended { worker, run, exit } => write!(f, "{worker} {run} {exit}"),
            Self::Ready { worker, run, ready: true, why: _ } => write!(f, "{worker} {run} is ready"),
            Self::Ready { worker, run, ready: false, why } => write!(f, "{worker} {run} is not ready: {why}"),
            Self::Waiting { worker, why, in_vain: _ } | Self::Killing { worker, why } => {
                write!(f, "{worker} {why}")
            }
            Self::Stuck { worker, pid } => write!(f, "{worker} does not die of SIGKILL (PID {pid})"),
            Self::Released { number, changes } if changes.is_empty() => {
                write!(f, "release {number}: nothing changes")
            }
            Self::Released { number, changes } => write!(f, "release {number}: {}", changes.join("; ")),
            Self::Scaled { group, from, to } => write!(f, "{group} scaled from {from} to {to}"),
            Self::ShuttingDown { reason, now: false } => write!(f, "shutting down: {reason}"),
            Self::ShuttingDown { reason, now: true } => write!(f, "shutting down at once: {reason}"),
        }
    }
}
