//! What would run, as data: `ganger check`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Argv, Logs, OnEnd, RestartMode, Signal, Spec, WorkerName};

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
    /// What its end for good does to the app.
    pub on_end: OnEnd,
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
                    name,
                    process: worker.process,
                    argv: worker.argv,
                    dir: worker.dir,
                    autostart: group.autostart,
                    restart: group.restart.mode,
                    on_end: group.on_end,
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
