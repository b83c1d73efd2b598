//! What supervisord says of what happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use ganger_core::{Event, Exit, State, WorkerView};
use ganger_spec::{LogLevel, Spec, WorkerName};

use crate::supervisor::unspawned;

/// Knows of each worker what its next line needs.
#[derive(Default)]
pub(super) struct Scribe {
    spec: Option<Arc<Spec>>,
    workers: BTreeMap<WorkerName, Seen>,
    /// All of it ends: it was said who is waited for.
    is_ending: bool,
}

struct Seen {
    /// supervisord's name of it.
    process: String,
    state: State,
    pid: u32,
}

impl Seen {
    fn lives(&self) -> bool {
        matches!(self.state, State::Starting | State::Running | State::Stopping)
    }
}

impl Scribe {
    pub(super) fn in_force(&mut self, spec: Arc<Spec>) {
        self.workers.retain(|name, seen| seen.lives() || spec.group(&name.group).is_some());
        self.spec = Some(spec);
    }

    pub(super) fn know(&mut self, view: &WorkerView) {
        let seen = self.seen(&view.name);
        (seen.state, seen.pid) = (view.state, view.pid.unwrap_or(0));
    }

    /// The lines that an event is worth.
    pub(super) fn lines(&mut self, event: &Event) -> Vec<(LogLevel, String)> {
        match event {
            Event::Started { worker, pid, .. } => {
                let seen = self.seen(worker);
                seen.pid = *pid;
                vec![(LogLevel::Info, format!("spawned: '{}' with pid {pid}", seen.process))]
            }
            Event::SpawnFailed { worker, reason } => {
                let reason = self.spec.as_deref().map(|spec| unspawned(spec, worker, reason));
                reason.map(|reason| (LogLevel::Info, format!("spawnerr: {reason}"))).into_iter().collect()
            }
            Event::Ended { worker, exit, .. } => vec![self.ended(worker, *exit)],
            Event::State { worker, to, .. } => {
                let said = self.entered(worker, *to);
                self.seen(worker).state = *to;
                said.map(|text| (LogLevel::Info, text)).into_iter().collect()
            }
            Event::Killing { worker, .. } => {
                let seen = self.seen(worker);
                vec![(LogLevel::Warn, format!("killing '{}' ({}) with SIGKILL", seen.process, seen.pid))]
            }
            Event::ShuttingDown { reason, .. } => self.ending(reason),
            Event::Waiting { worker, why, .. } => {
                let what = why.strip_prefix("waits ").unwrap_or(why);
                vec![(LogLevel::Info, format!("waiting: {} {what}", self.seen(worker).process))]
            }
            Event::Ready { worker, ready, why, .. } => {
                let process = &self.seen(worker).process;
                let line = if *ready {
                    format!("ready: {process}")
                } else {
                    format!("not ready: {process} ({why})")
                };
                vec![(if *ready { LogLevel::Info } else { LogLevel::Warn }, line)]
            }
            Event::Stuck { .. } | Event::Released { .. } | Event::Scaled { .. } => Vec::new(),
        }
    }

    /// supervisord's name of a worker.
    pub(super) fn process(&mut self, worker: &WorkerName) -> String {
        self.seen(worker).process.clone()
    }

    fn seen(&mut self, worker: &WorkerName) -> &mut Seen {
        let Self { spec, workers, .. } = self;
        workers.entry(worker.clone()).or_insert_with(|| {
            let known = spec.as_deref().and_then(|spec| spec.worker(worker).ok());
            let process = known.map_or_else(|| worker.to_string(), |known| known.process);
            Seen { process, state: State::Stopped, pid: 0 }
        })
    }

    fn entered(&mut self, worker: &WorkerName, to: State) -> Option<String> {
        let group = self.spec.as_deref().and_then(|spec| spec.group(&worker.group));
        let startsecs = group.map_or(0, |group| group.restart.startsecs.as_secs());
        let is_ending = self.is_ending;
        let name = &self.seen(worker).process;
        match to {
            State::Running => Some(format!(
                "success: {name} entered RUNNING state, process has stayed up for > than {startsecs} seconds \
                 (startsecs)"
            )),
            State::Fatal => {
                Some(format!("gave up: {name} entered FATAL state, too many start retries too quickly"))
            }
            State::Stopping if !is_ending => Some(format!("waiting for {name} to stop")),
            State::Stopped | State::Starting | State::Backoff | State::Stopping | State::Exited => None,
        }
    }

    fn ended(&mut self, worker: &WorkerName, exit: Exit) -> (LogLevel, String) {
        let group = self.spec.as_deref().and_then(|spec| spec.group(&worker.group));
        let codes = group.and_then(|group| group.supervisor.as_ref()).map(|own| own.exitcodes.clone());
        let is_listed = match exit {
            Exit::Code(code) => codes.map_or(code == 0, |codes| codes.contains(&code)),
            Exit::Signal(_) | Exit::Unknown => false,
        };
        let how = match exit {
            Exit::Code(code) => format!("exit status {code}"),
            Exit::Signal(signal) => format!("terminated by {signal}"),
            Exit::Unknown => "unknown termination cause".to_owned(),
        };
        let seen = self.seen(worker);
        let (name, level) = (&seen.process, if is_listed { LogLevel::Info } else { LogLevel::Warn });
        match seen.state {
            State::Stopping => (level, format!("stopped: {name} ({how})")),
            State::Running if is_listed => (level, format!("exited: {name} ({how}; expected)")),
            State::Running
            | State::Starting
            | State::Stopped
            | State::Backoff
            | State::Exited
            | State::Fatal => (LogLevel::Warn, format!("exited: {name} ({how}; not expected)")),
        }
    }

    fn ending(&mut self, reason: &str) -> Vec<(LogLevel, String)> {
        let mut lines = Vec::new();
        if let Some(signal) = reason.strip_suffix(" received") {
            lines.push((LogLevel::Warn, format!("received {signal} indicating exit request")));
        }
        let live = self.workers.values().filter(|seen| seen.lives());
        let mut names: Vec<_> = live.map(|seen| seen.process.as_str()).collect();
        names.sort_unstable();
        if !self.is_ending && !names.is_empty() {
            lines.push((LogLevel::Info, format!("waiting for {} to die", names.join(", "))));
        }
        self.is_ending = true;
        lines
    }
}
