//! What workers read: a pipe that outlives whoever of ganger dies.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use ganger_testkit::{Deadline, Running, Sandbox, kill_nine, wait_gone};

use crate::support::*;

/// A worker that says what it reads; the end of it would be told.
const ECHO: &str =
    "echo ready; while read line; do echo heard $line; done; echo no more; exec tail -f /dev/null";

fn echoing() -> (Sandbox, Running) {
    let sandbox = sandbox_with(&format!("web: {ECHO}"));
    sandbox.file("ganger.toml", "[groups.web]\nstdin = \"pipe\"\n");
    let running = started(&sandbox, 1);
    (sandbox, running)
}

/// The pipe that the worker reads.
fn pipe(sandbox: &Sandbox) -> PathBuf {
    sandbox.runtime().join("stdin/web.1")
}

fn tell(sandbox: &Sandbox, line: &str) {
    let told = File::options().write(true).open(pipe(sandbox));
    let told = told.and_then(|mut pipe| pipe.write_all(line.as_bytes()));
    assert!(told.is_ok(), "{told:?}");
}

#[test]
fn a_worker_goes_on_reading_when_the_overseer_dies() {
    let (sandbox, running) = echoing();
    tell(&sandbox, "one\n");
    running.wait_line("| heard one");
    kill_nine(running.child_with("overseer"), Deadline::generous());
    tell(&sandbox, "two\n");
    running.wait_line("| heard two");
    // The next overseer leaves the pipe as it is.
    sandbox.run(["ps"]).expect_code(0);
    tell(&sandbox, "three\n");
    running.wait_line("| heard three");
    let finished = interrupted(&sandbox, running);
    assert!(!said(&finished).contains("no more"), "{finished}");
}

#[test]
fn a_worker_goes_on_reading_when_another_keeper_takes_the_place_of_one_that_died() {
    let sandbox = sandbox_with(&format!("web: {ECHO}"));
    sandbox.file("ganger.toml", "[groups.web]\nstdin = \"pipe\"\n");
    sandbox.run(["start", "-D"]).expect_code(0);
    let [keeper, _] = parts(&sandbox);
    kill_nine(keeper, Deadline::generous());
    tell(&sandbox, "one\n");
    wait_taken_up(&sandbox, 1);
    tell(&sandbox, "two\n");
    let mut logs = sandbox.start(["logs", "-f", "web"]);
    logs.wait_line("heard one");
    logs.wait_line("heard two");
    let [keeper, _] = parts(&sandbox);
    sandbox.run(["quit"]).expect_code(0);
    assert!(wait_gone(keeper, Deadline::generous()));
    logs.wait_exit(Deadline::generous());
    sandbox.assert_nothing_left();
}

#[test]
fn a_new_run_reads_nothing_of_what_the_one_before_was_told() {
    let sandbox = sandbox_with(
        "web: test -e second && { echo ready; exec cat; }; touch second; echo ready; exec tail -f /dev/null",
    );
    sandbox.file("ganger.toml", "[groups.web]\nstdin = \"pipe\"\n");
    let running = started(&sandbox, 1);
    tell(&sandbox, "never read\n");
    sandbox.run(["restart", "web"]).expect_code(0);
    running.wait_lines("| ready", 2);
    tell(&sandbox, "read at last\n");
    running.wait_line("| read at last");
    let finished = interrupted(&sandbox, running);
    assert!(!said(&finished).contains("never read"), "{finished}");
}
