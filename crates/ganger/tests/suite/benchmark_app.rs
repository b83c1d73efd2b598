//! The example of a development set-up, against a real `PostgreSQL` server.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use ganger_testkit::{Deadline, Launch, Sandbox, copy_program, free_port_run, kill_nine, wait_gone};

use crate::overmind::{done, under_names};
use crate::support::*;

/// The database does not run as root: then it is this user's.
const NOBODY: u32 = 65534;
const FILES: [&str; 14] = [
    "Procfile.dev",
    "Makefile",
    "app/benchmark.py",
    "app/database.py",
    "app/goodjob.py",
    "app/prepare.py",
    "app/solidqueue.py",
    "app/tables.py",
    "app/web.py",
    "app/worker.py",
    "config/database.ini",
    "db/migrate/001_create_results.sql",
    "db/queue_migrate/001_create_solid_queue_jobs.sql",
    "db/queue_migrate/002_create_good_jobs.sql",
];

/// The app, copied, and its database, which runs as long as this lives.
struct Bench {
    sandbox: Sandbox,
    /// Open to another user, as the sandbox is not.
    database: tempfile::TempDir,
    port: String,
}

impl Bench {
    fn set_up() -> Self {
        let sandbox = sandbox();
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/benchmark-app");
        for name in FILES {
            let text = fs::read_to_string(here.join(name));
            sandbox.file(name, &text.unwrap_or_else(|error| panic!("{name}: {error}")));
        }
        let database = done(tempfile::Builder::new().prefix("gtdb").tempdir_in("/tmp"));
        copy_program(&here.join("bin/db"), &database.path().join("db"));
        done(fs::set_permissions(database.path(), Permissions::from_mode(0o755)));
        if is_root() {
            done(chown(database.path(), Some(NOBODY), Some(NOBODY)));
        }
        let port = free_port_run(1, 1).to_string();
        let bench = Self { sandbox, database, port };
        assert!(bench.database("start"), "the database does not start; it needs Debian's postgresql");
        bench
    }

    /// Starts or stops the database by the example's own script.
    fn database(&self, what: &str) -> bool {
        let script = self.database.path().join("db");
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command
                .args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")])
                .arg("--clear-groups")
                .arg(script);
            command
        } else {
            Command::new(script)
        };
        command.arg(what).arg(self.database.path()).current_dir("/");
        command.status().is_ok_and(|status| status.success())
    }

    fn make(&self, words: &[&str]) -> Launch {
        let make = under_names(&self.sandbox, &[&["make"], words].concat());
        make.env("PGHOST", self.database.path()).env("PORT", &*self.port)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.database("stop");
    }
}

fn results(told: &str) -> Vec<(&str, &str)> {
    told.lines()
        .filter_map(|line| {
            let (adapter, rest) = line.split_once(": ")?;
            Some((adapter, rest.rsplit_once(", ")?.1))
        })
        .collect()
}

#[test]
fn the_development_set_up_does_its_jobs_and_each_process_runs_alone() {
    let bench = Bench::set_up();
    let sandbox = &bench.sandbox;
    let running = bench.make(&["dev"]).start();
    running.wait_line(&format!("web is open at http://127.0.0.1:{}", bench.port));
    running.wait_line("solidqueue polls for jobs");
    running.wait_line("goodjob listens for jobs");
    let told = bench.make(&["-s", "benchmark", "JOBS=50"]).run().success();
    assert_eq!(
        results(&told),
        [("solidqueue", "50 results in all"), ("goodjob", "50 results in all")],
        "{told}"
    );
    // A worker that is killed in the midst of it loses no job and does none twice.
    kill_nine(parts(sandbox)[1], Deadline::generous());
    wait_taken_up(sandbox, 1);
    let told = bench.make(&["-s", "benchmark", "JOBS=50"]).run().success();
    assert_eq!(
        results(&told),
        [("solidqueue", "100 results in all"), ("goodjob", "100 results in all")],
        "{told}"
    );
    let status = bench.make(&["-s", "dev-status"]).run().success();
    assert!(["web.1", "solidqueue.1", "goodjob.1"].iter().all(|name| status.contains(name)), "{status}");
    bench.make(&["dev-stop"]).run().expect_code(0);
    let finished = ended(sandbox, running);
    assert_eq!(finished.output.matches("nothing half done").count(), 2, "{finished}");
    for (target, word) in [
        ("dev-web", "web is open"),
        ("dev-solidqueue", "polls for jobs"),
        ("dev-goodjob", "listens for jobs"),
    ] {
        let (alone, terminal) = bench.make(&[target]).start_on_terminal();
        alone.wait_line(word);
        terminal.press("\x03");
        ended(sandbox, alone);
    }
    bench.make(&["dev-background"]).run().expect_code(0);
    let [keeper, _] = parts(sandbox);
    bench.make(&["dev-stop"]).run().expect_code(0);
    assert!(wait_gone(keeper, Deadline::generous()));
    sandbox.assert_nothing_left();
}

#[test]
fn the_same_procfile_runs_by_overminds_name() {
    let bench = Bench::set_up();
    bench.make(&["prepare"]).run().expect_code(0);
    let running = bench.make(&["dev", "APP=overmind start -f Procfile.dev -p $(PORT)"]).start();
    running.wait_line("goodjob    | goodjob listens for jobs");
    let told = bench.make(&["-s", "benchmark", "JOBS=20"]).run().success();
    assert_eq!(
        results(&told),
        [("solidqueue", "20 results in all"), ("goodjob", "20 results in all")],
        "{told}"
    );
    let socket: PathBuf = bench.sandbox.path(".overmind.sock");
    assert!(socket.exists());
    under_names(&bench.sandbox, &["overmind", "quit"]).run().expect_code(0);
    ended(&bench.sandbox, running).expect_code(0);
    assert!(!socket.exists());
}
