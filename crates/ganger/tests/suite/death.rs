//! The overseer may die at any time: workers keep running and no line is lost.

use ganger_testkit::{Deadline, Running, Sandbox, kill_nine, signal};
use rustix::process::Signal;

use crate::support::*;

/// The overseer of a running app.
fn overseer(running: &Running) -> i32 {
    running.child_with("overseer")
}

/// Kills the overseer and blocks until another one answers; the workers must not notice.
fn survive(sandbox: &Sandbox, running: &Running) {
    let before = [pid(sandbox, "web.1"), pid(sandbox, "job.1")];
    let old = overseer(running);
    kill_nine(old, Deadline::generous());
    // A command finds the new overseer, however early it asks.
    assert_eq!([pid(sandbox, "web.1"), pid(sandbox, "job.1")], before);
    assert_ne!(overseer(running), old);
}

/// A worker that prints a numbered line for each line that it reads from its gate.
const COUNTING: &str = "echo ready; n=0; while read x; do n=$((n+1)); echo line $n of job; done <> gate";

#[test]
fn workers_and_lines_survive_the_death_of_the_overseer() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {COUNTING}"));
    gate(&sandbox, "gate");
    let running = started(&sandbox, 2);
    open_gate(&sandbox, "gate");
    running.wait_line("| line 1 of job");
    survive(&sandbox, &running);
    open_gate(&sandbox, "gate");
    running.wait_line("| line 2 of job");
    interrupted(&sandbox, running);
}

/// Makes something else of the ledger.
fn damage(sandbox: &Sandbox, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let path = sandbox.state().join("ledger");
    let damaged = std::fs::read(&path).and_then(|text| std::fs::write(&path, change(text)));
    assert!(damaged.is_ok(), "{}: {damaged:?}", path.display());
}

#[test]
fn a_ledger_that_is_garbage_or_cut_at_any_line_costs_no_worker_and_doubles_none() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {COUNTING}"));
    gate(&sandbox, "gate");
    let running = started(&sandbox, 2);
    let lines = |text: &[u8], count| {
        text.split_inclusive(|byte| *byte == b'\n').take(count).collect::<Vec<_>>().concat()
    };
    let damages: [&dyn Fn(Vec<u8>) -> Vec<u8>; 6] = [
        &|_| b"no ledger at all\n\0\xff".to_vec(),
        &|_| Vec::new(),
        &|text| lines(&text, 1),
        &|text| lines(&text, 2),
        &|text| lines(&text, 3),
        &|text| text[..text.len() / 2].to_vec(),
    ];
    for (round, change) in (1..).zip(damages) {
        damage(&sandbox, change);
        survive(&sandbox, &running);
        open_gate(&sandbox, "gate");
        running.wait_line(&format!("| line {round} of job"));
        let tails = sandbox.census().iter().filter(|process| process.command.contains("tail -f")).count();
        assert_eq!(tails, 1, "{:#?}", sandbox.census());
    }
    interrupted(&sandbox, running);
}

#[test]
fn ten_deaths_in_a_row_cost_nothing() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {COUNTING}"));
    gate(&sandbox, "gate");
    let running = started(&sandbox, 2);
    for round in 1..=10 {
        survive(&sandbox, &running);
        open_gate(&sandbox, "gate");
        running.wait_line(&format!("| line {round} of job"));
    }
    let output = interrupted(&sandbox, running).output;
    let numbers = output
        .lines()
        .filter_map(|line| line.split_once("| line ")?.1.split(' ').next()?.parse::<u32>().ok());
    assert!(numbers.eq(1..=10), "each line once:\n{output}");
}

#[test]
fn no_line_of_a_stream_is_left_out_over_five_deaths_and_what_is_repeated_is_in_order() {
    let sandbox = sandbox();
    let dummy = sandbox.dummy();
    let stream = "--lines 30000 --line-length 24 --rate 10000";
    sandbox.procfile(&format!("web: {OBEDIENT}\njob: {dummy} {stream} --partial end --run-for forever"));
    let running = started(&sandbox, 1);
    for line in [1, 3000, 3500, 9999, 20000] {
        running.wait_line(&format!("| {line} x"));
        // An overseer that answers is one that can be killed.
        sandbox.run(["ps"]).expect_code(0);
        kill_nine(overseer(&running), Deadline::generous());
    }
    running.wait_line("| 30000 x");
    let output = interrupted(&sandbox, running).output;
    let lines = output.lines().filter(|line| line.starts_with("job.1"));
    let numbers: Vec<u32> = lines
        .filter_map(|line| line.split_once("| ")?.1.strip_suffix('x')?.split(' ').next()?.parse().ok())
        .collect();
    let jumps: Vec<&[u32]> = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
    assert_eq!((numbers.first(), numbers.last()), (Some(&1), Some(&30000)));
    // A death between printing a piece and marking it prints that piece again, in order.
    assert!(jumps.len() <= 5 && jumps.iter().all(|pair| pair[1] <= pair[0]), "a line is left out: {jumps:?}");
}

#[test]
fn what_a_worker_writes_while_there_is_no_overseer_is_not_lost() {
    let sandbox = sandbox_with(&format!(
        "web: {OBEDIENT}\njob: echo ready; read x < gate; seq 1 50000; echo done; exec tail -f /dev/null"
    ));
    gate(&sandbox, "gate");
    let running = started(&sandbox, 2);
    let old = overseer(&running);
    // It prints nothing of what is written from here on.
    signal(old, Signal::STOP);
    open_gate(&sandbox, "gate");
    kill_nine(old, Deadline::generous());
    running.wait_line("| done");
    let output = interrupted(&sandbox, running).output;
    let numbers = output.lines().filter_map(|line| line.split_once("| ")?.1.parse::<u32>().ok());
    assert!(numbers.eq(1..=50000), "every line once and in order");
}

#[test]
fn a_worker_that_ended_while_there_was_no_overseer_is_accounted_once() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: echo ready; read x < gate; exit 9"));
    gate(&sandbox, "gate");
    let running = started(&sandbox, 2);
    let old = overseer(&running);
    let job = pid(&sandbox, "job.1");
    ganger_testkit::signal(old, rustix::process::Signal::KILL);
    open_gate(&sandbox, "gate");
    assert!(ganger_testkit::wait_gone(job, Deadline::generous()));
    ended(&sandbox, running).expect_code(9);
}

#[test]
fn the_app_stops_also_right_after_the_death_of_the_overseer() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {STUBBORN}"));
    let running = started_with(&sandbox, ["--timeout", "1"], 2);
    kill_nine(overseer(&running), Deadline::generous());
    interrupted(&sandbox, running);
}

#[test]
fn those_who_follow_logs_and_events_miss_nothing_and_see_nothing_twice() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {COUNTING}"));
    gate(&sandbox, "gate");
    let running = started(&sandbox, 2);
    let logs = sandbox.start(["logs", "-f"]);
    let events = sandbox.start(["events", "-f", "--json"]);
    logs.wait_lines("| ready", 2);
    for round in 1..=3 {
        open_gate(&sandbox, "gate");
        survive(&sandbox, &running);
        logs.wait_line(&format!("| line {round} of job"));
    }
    sandbox.run(["stop", "web"]).expect_code(0);
    running.signal(rustix::process::Signal::INT);
    let output = logs.finish(Deadline::generous()).output;
    assert_eq!(output.matches("| ready").count(), 2, "{output}");
    assert_eq!(output.matches("| line ").count(), 3, "{output}");
    let told = events.finish(Deadline::generous());
    told.expect_code(0);
    let output = told.output;
    let numbers: Vec<u64> = output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .filter_map(|event: serde_json::Value| event["seq"].as_u64())
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
    assert!(output.contains("stopp"), "also the end is told:\n{output}");
    ended(&sandbox, running);
}

#[test]
fn a_killed_keeper_leaves_nothing_behind_and_the_next_start_is_free() {
    let stubborn = "trap '' TERM; setsid tail -f /dev/null & echo ready; exec tail -f /dev/null";
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {stubborn}"));
    let start = || {
        let running = sandbox.start(["start", "--timeout", "1"]);
        running.wait_lines("| ready", 2);
        running
    };
    let running = start();
    let all = sandbox.census();
    running.kill_nine();
    for process in all {
        assert!(ganger_testkit::wait_gone(process.pid, Deadline::generous()), "{process:?}");
    }
    sandbox.assert_nothing_left();
    interrupted(&sandbox, start());
}
