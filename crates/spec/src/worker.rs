//! One worker of a spec, with all that differs from its neighbours.

use std::path::PathBuf;

use crate::environment::each_once;
use crate::{Argv, Command, Group, LogFile, LogName, Logs, Probe, ProbeKind, Spec, Variable, WorkerName};

/// A worker as it is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker<'a> {
    /// Its group.
    pub group: &'a Group,
    /// Its name in its family: `web.1`, or what the group says of it.
    pub process: String,
    /// What it runs, as one line for people.
    pub line: String,
    /// What is executed.
    pub argv: Argv,
    /// Where it starts.
    pub dir: PathBuf,
    /// What ganger puts into its environment beside the shell's, each name once.
    pub env: Vec<Variable>,
    /// How its output is kept.
    pub logs: Logs,
    /// Its port, if it gets one.
    pub port: Option<u16>,
}

/// Why a worker cannot be what its group says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// Its group is in no release in force.
    #[error("no group {0:?} in the release in force")]
    NoGroup(String),
    /// A text of its group comes to nothing for its number.
    #[error("{0}")]
    BadText(String),
}

impl Spec {
    /// A worker of this spec, of whatever number.
    pub fn worker(&self, name: &WorkerName) -> Result<Worker<'_>, WorkerError> {
        match self.group(&name.group) {
            Some(group) => self.worker_of(group, name.number),
            None => Err(WorkerError::NoGroup(name.group.clone())),
        }
    }

    pub(crate) fn worker_of<'a>(&self, group: &'a Group, number: u32) -> Result<Worker<'a>, WorkerError> {
        let own = group.each.of(group, number).map_err(WorkerError::BadText)?.unwrap_or_default();
        let env = self.said(group, number, own.env.as_ref());
        let file = |file: &LogFile| match group.supervisor {
            None => file.of_worker(number),
            Some(_) => file.clone(),
        };
        let (name, process) = (WorkerName::new(&group.name, number), group.process_name(number));
        let out = own.out.unwrap_or_else(|| file(&group.logs.out));
        let err = own.err.unwrap_or_else(|| file(&group.logs.err));
        let logs = Logs {
            err: self.auto_log(err, &LogName::err(&name), &process),
            out: self.auto_log(out, &name.into(), &process),
            ..group.logs.clone()
        };
        let command = own.words.map_or_else(|| group.command.clone(), Command::Words);
        Ok(Worker {
            group,
            process,
            line: own.line.unwrap_or_else(|| command.to_string()),
            argv: command.argv(),
            dir: own.dir.unwrap_or_else(|| group.dir.clone()),
            env: each_once(env),
            logs,
            port: group.port_of(number),
        })
    }
}

impl Spec {
    /// What a worker is asked; none if that is nothing.
    pub fn probe(&self, name: &WorkerName, kind: ProbeKind) -> Option<Probe> {
        let group = self.group(&name.group)?;
        let probe = group.probe(kind)?.clone();
        Some(match group.each.check(kind, name.number) {
            Some(check) => Probe { check, ..probe },
            None => probe,
        })
    }
}

impl Group {
    /// What its workers are asked: its first worker, where each is asked something of its own.
    pub fn probe(&self, kind: ProbeKind) -> Option<&Probe> {
        match kind {
            ProbeKind::Readiness => self.readiness.as_ref(),
            ProbeKind::Liveness => self.liveness.as_ref(),
        }
    }

    /// The name of worker `number` in its family: `web.1`, unless the group says another.
    pub fn process_name(&self, number: u32) -> String {
        self.each.name(number).unwrap_or_else(|| WorkerName::new(&self.name, number).to_string())
    }
}
