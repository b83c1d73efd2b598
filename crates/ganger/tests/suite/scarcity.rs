//! What the system has no more of: descriptors, memory. Nothing is lost, and ganger goes on when there is some again.

use std::collections::BTreeSet;

use ganger_testkit::{Running, Sandbox};

use crate::support::*;

/// The lines of the worker that writes.
const LINES: u32 = 5_000;

/// An app of which one worker writes its lines as soon as its gate is opened.
fn writing() -> (Sandbox, Running) {
    let sandbox = sandbox_with(&format!(
        "web: {OBEDIENT}\njob: echo ready; read x < gate; seq -f 'line %.0f of job' {LINES}; {WAITING}"
    ));
    gate(&sandbox, "gate");
    let running = started_with(&sandbox, ["--auto-restart", "all"], 2);
    (sandbox, running)
}

/// Sets the soft limit of a process; whether it is still there.
fn limit(sandbox: &Sandbox, process: i32, limit: &str) -> bool {
    let process = process.to_string();
    sandbox.program(["prlimit", "--pid", &process, limit]).run().code() == 0
}

/// The app is as if nothing had been: a worker is restarted, every line is there. One that was printed and not marked as
/// printed when an overseer died is printed again, and is whole.
fn assert_unharmed(sandbox: &Sandbox, running: Running) {
    running.wait_line(&format!("| line {LINES} of job"));
    let mark = running.mark();
    sandbox.run(["restart", "web"]).expect_code(0);
    running.wait_line_after(mark, "| ready");
    let stored = sandbox.run(["logs", "--raw", "job"]).success();
    let line = |line: &str| line.strip_prefix("line ")?.strip_suffix(" of job")?.parse::<u32>().ok();
    assert!(stored.lines().skip(1).map(line).eq((1..=LINES).map(Some)), "each line once:\n{stored}");
    let output = interrupted(sandbox, running).output;
    let printed = output.lines().filter_map(|text| text.split_once("| line"));
    let printed = printed.map(|(_, text)| line(&format!("line{text}")));
    let printed: Option<BTreeSet<u32>> = printed.collect();
    assert!(printed.is_some_and(|printed| printed.into_iter().eq(1..=LINES)), "each line whole:\n{output}");
}

#[test]
fn an_overseer_without_free_descriptors_answers_when_it_has_some_again() {
    let (sandbox, running) = writing();
    let overseer = running.child_with("overseer");
    assert!(limit(&sandbox, overseer, "--nofile=4:"));
    open_gate(&sandbox, "gate");
    let asking = sandbox.start(["ps"]);
    running.wait_line(&format!("| line {LINES} of job"));
    assert!(limit(&sandbox, overseer, "--nofile=1024:"));
    asking.finish(ganger_testkit::Deadline::generous()).expect_code(0);
    assert_unharmed(&sandbox, running);
}

#[test]
fn a_keeper_without_free_descriptors_starts_a_worker_when_it_has_some_again() {
    let (sandbox, running) = writing();
    assert!(limit(&sandbox, running.pid(), "--nofile=4:"));
    let mark = running.mark();
    let restarted = sandbox.run(["restart", "web"]);
    assert_ne!(restarted.code(), 0, "{restarted}");
    running.wait_line_after(mark, "could not be started");
    assert!(limit(&sandbox, running.pid(), "--nofile=1024:"));
    running.wait_line_after(mark, "| ready");
    open_gate(&sandbox, "gate");
    assert_unharmed(&sandbox, running);
}

#[test]
fn an_overseer_without_memory_costs_no_line_and_no_worker() {
    let (sandbox, running) = writing();
    let (web, job) = (pid(&sandbox, "web.1"), pid(&sandbox, "job.1"));
    let overseer = running.child_with("overseer");
    assert!(limit(&sandbox, overseer, "--as=4096:"));
    open_gate(&sandbox, "gate");
    // It answers, or it dies of it and another one does.
    sandbox.run(["ps"]);
    running.wait_line(&format!("| line {LINES} of job"));
    limit(&sandbox, overseer, "--as=unlimited:");
    assert_eq!((pid(&sandbox, "web.1"), pid(&sandbox, "job.1")), (web, job));
    assert_unharmed(&sandbox, running);
}
