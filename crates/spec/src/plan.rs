//! What would run, as data: `ganger check`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::logs::Age;
use crate::native::MAX_DURATION;
use crate::{
    Argv, Backoff, Bytes, Condition, FileWatch, Group, Logs, OnEnd, OnFatal, Probe, ProbeKind, RestartMode,
    Signal, Spec, WorkerName,
};

/// A worker that would run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedWorker {
    /// Its name.
    pub name: WorkerName,
    /// Its name in its family.
    pub process: String,
    /// What is executed.
    pub argv: Argv,
    /// Where it starts.
    pub dir: PathBuf,
    /// Its port, if it gets one.
    pub port: Option<u16>,
    /// Whether it starts with the app.
    pub autostart: bool,
    /// Which ends are followed by a restart.
    pub restart: RestartMode,
    /// So many starts in a row that fail are the end; none means without bound.
    pub attempts: Option<u32>,
    /// How long the waits between them are.
    pub backoff: Backoff,
    /// What its end for good does to the app.
    pub on_end: OnEnd,
    /// What it does to the app that it is given up.
    pub on_fatal: OnFatal,
    /// The groups that it waits for, and until when.
    pub depends_on: BTreeMap<String, Condition>,
    /// How it is found out whether it is ready.
    pub readiness: Option<Probe>,
    /// How it is found out whether it is still all right.
    pub liveness: Option<Probe>,
    /// So many bytes it may take.
    pub max_memory: Option<u64>,
    /// The files whose changes it is told of.
    pub watch: Option<FileWatch>,
    /// The signal that stops it.
    pub stop_signal: Signal,
    /// How long a stop may take.
    pub stop_timeout: Duration,
    /// The user, if it is not ganger's own.
    pub user: Option<String>,
    /// How its output is kept.
    pub logs: Logs,
}

impl Spec {
    /// Every worker that would run, in the order of the groups. Groups of count 0 have none.
    pub fn plan(&self) -> Vec<PlannedWorker> {
        let mut workers = Vec::new();
        for group in &self.groups {
            for number in 1..=group.count {
                let name = WorkerName::new(&group.name, number);
                let Ok(worker) = self.worker_of(group, number) else { continue };
                workers.push(PlannedWorker {
                    port: worker.port,
                    readiness: self.probe(&name, ProbeKind::Readiness),
                    liveness: self.probe(&name, ProbeKind::Liveness),
                    name,
                    process: worker.process,
                    argv: worker.argv,
                    dir: worker.dir,
                    autostart: group.autostart,
                    restart: group.restart.mode,
                    attempts: group.restart.attempts,
                    backoff: group.restart.backoff.clone(),
                    on_end: group.on_end,
                    on_fatal: group.on_fatal,
                    depends_on: group.depends_on.clone(),
                    max_memory: group.max_memory,
                    watch: group.watch.clone(),
                    stop_signal: group.stop.signal,
                    stop_timeout: group.stop.timeout,
                    user: group.user.clone(),
                    logs: worker.logs,
                });
            }
        }
        workers
    }
}

impl Group {
    /// What its workers wait for, are asked, and may not do, in words; empty where nothing is said.
    pub fn rules(&self) -> String {
        let waits: Vec<String> =
            self.dependencies().map(|(name, until)| format!("{name} to be {until}")).collect();
        let asked = |kind| {
            let probe = self.probe(kind)?;
            let more = if self.each.check(kind, 1).is_some() { ", each its own" } else { "" };
            Some(format!("{kind} by {}{more}", probe.check))
        };
        let watched = self.watch.as_ref().map(|watch| match watch.signal {
            Some(signal) => format!("told by {signal} of changes of {}", watch.globs.join(" ")),
            None => format!("started anew when {} changes", watch.globs.join(" ")),
        });
        let said = [
            (!waits.is_empty()).then(|| format!("waits for {}", waits.join(" and for "))),
            asked(ProbeKind::Readiness),
            asked(ProbeKind::Liveness),
            self.max_memory.map(|bytes| format!("at most {} of memory", Bytes(bytes))),
            self.curve(),
            (self.on_fatal == OnFatal::Shutdown).then(|| "the app stops when it is given up".to_owned()),
            watched,
        ];
        said.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// How failed starts are repeated, where a file of supervisord's says it in another way than supervisord knows.
    fn curve(&self) -> Option<String> {
        let (backoff, attempts) = (&self.restart.backoff, self.restart.attempts);
        self.supervisor.as_ref().filter(|_| backoff.max < MAX_DURATION)?;
        let most = attempts
            .map_or_else(|| "without bound".to_owned(), |attempts| format!("at most {attempts} in a row"));
        Some(format!("failed starts {most}, {} to {} apart", Age(backoff.initial), Age(backoff.max)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::{Options, load};

    #[test]
    fn a_plan_has_each_worker_that_would_run_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("Procfile"), "web: bin/web -v\nidle: x\njob: cd a && b\n").unwrap();
        let formation = Some("web=2,job=1".to_owned());
        let options = Options { dir: dir.path().to_owned(), formation, ..Options::default() };
        let plan = load(&options).unwrap().spec.plan();
        let lines: Vec<String> = plan
            .iter()
            .map(|worker| format!("{} {:?} {}", worker.name, worker.port, worker.argv.words.join(" ")))
            .collect();
        let expected = [
            "web.1 Some(5000) bin/web -v",
            "web.2 Some(5001) bin/web -v",
            "job.1 Some(5200) /bin/sh -c cd a && b",
        ];
        assert_eq!(lines, expected);
        assert!(plan.iter().all(|worker| worker.dir == dir.path()));
    }
}
