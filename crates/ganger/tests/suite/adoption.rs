//! The keeper may be killed, and all of ganger at once: in the background workers keep running and no line is lost; in
//! a terminal the next start finds them.

use std::fs;
use std::path::{Path, PathBuf};

use ganger_testkit::{Deadline, Sandbox, command_line, is_alive, kill_nine, signal, wait_gone};
use rustix::process::Signal;

use crate::support::*;

/// Kills these, all before any of them is waited for.
fn kill_all(processes: &[i32]) {
    for stop in [Signal::STOP, Signal::KILL] {
        for process in processes {
            signal(*process, stop);
        }
    }
    for process in processes {
        assert!(wait_gone(*process, Deadline::generous()));
    }
}

/// The ledger of the only app below a directory.
fn ledger(below: &Path) -> PathBuf {
    let mut open = vec![below.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_name() == "ledger" {
                return entry.path();
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            }
        }
    }
    panic!("no ledger below {}", below.display())
}

/// Ends the app; nothing may be left of it.
fn quit(sandbox: &Sandbox) {
    let [keeper, _] = parts(sandbox);
    sandbox.run(["quit"]).expect_code(0);
    assert!(wait_gone(keeper, Deadline::generous()));
    sandbox.assert_nothing_left();
}

/// An app with a worker that does nothing and one that writes numbered lines.
fn writing(lines: u32) -> Sandbox {
    let sandbox = sandbox();
    let dummy = sandbox.dummy();
    let stream = format!("--lines {lines} --line-length 24 --rate 10000 --partial end --run-for forever");
    sandbox.procfile(&format!("web: {OBEDIENT}\njob: {dummy} {stream}"));
    sandbox
}

/// Blocks until the last line is in the log; each must be there once, in order and whole.
fn assert_each_line_once(sandbox: &Sandbox, lines: u32) {
    let follower = sandbox.start(["logs", "-f", "-n", "1000000", "job"]);
    follower.wait_line(&format!("| {lines} x"));
    let output = follower.output();
    let texts = output.lines().filter_map(|line| line.split_once("| ")).map(|(_, text)| text);
    let numbers = texts.filter_map(|text| text.strip_suffix('x')?.split(' ').next()?.parse::<u32>().ok());
    let numbers: Vec<u32> = numbers.collect();
    assert!(numbers.iter().copied().eq(1..=lines), "{} of {lines} lines", numbers.len());
}

#[test]
fn in_the_background_the_death_of_the_keeper_costs_neither_worker_nor_line() {
    let sandbox = writing(20_000);
    sandbox.run(["start", "-D"]).success();
    let before = [pid(&sandbox, "web.1"), pid(&sandbox, "job.1")];
    for _ in 0..3 {
        let [keeper, overseer] = parts(&sandbox);
        kill_nine(keeper, Deadline::generous());
        // A command finds the new overseer, however early it asks.
        assert_eq!([pid(&sandbox, "web.1"), pid(&sandbox, "job.1")], before);
        assert_eq!(parts(&sandbox)[0], overseer, "the overseer took its place");
    }
    assert_each_line_once(&sandbox, 20_000);
    quit(&sandbox);
}

#[test]
fn in_the_background_the_next_start_goes_on_after_the_death_of_all() {
    let sandbox = writing(20_000);
    sandbox.run(["start", "-D"]).success();
    let before = [pid(&sandbox, "web.1"), pid(&sandbox, "job.1")];
    for _ in 0..2 {
        kill_all(&parts(&sandbox));
        sandbox.run(["start", "-D"]).success();
        assert_eq!([pid(&sandbox, "web.1"), pid(&sandbox, "job.1")], before);
    }
    assert_each_line_once(&sandbox, 20_000);
    sandbox.run(["restart", "job"]).expect_code(0);
    assert!(!is_alive(before[1]));
    quit(&sandbox);
}

#[test]
fn a_lost_ledger_costs_no_survivor_of_the_death_of_all() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    sandbox.run(["start", "-D"]).success();
    let both = || ["web.1", "job.1"].map(|name| pid(&sandbox, name));
    let before = both();
    let ledger = ledger(sandbox.root());
    for damage in [None, Some("no ledger\n")] {
        kill_all(&parts(&sandbox));
        let done = damage.map_or_else(|| fs::remove_file(&ledger), |text| fs::write(&ledger, text));
        assert!(done.is_ok(), "{done:?}");
        sandbox.run(["start", "-D"]).success();
        assert_eq!(both(), before);
    }
    quit(&sandbox);
}

#[test]
fn an_adopted_worker_that_ends_is_accounted_and_followed() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: echo ready; read x < gate; exit 9"));
    gate(&sandbox, "gate");
    sandbox.run(["start", "-D"]).success();
    let job = pid(&sandbox, "job.1");
    let [keeper, _] = parts(&sandbox);
    kill_nine(keeper, Deadline::generous());
    sandbox.run(["ps"]).expect_code(0);
    let events = sandbox.start(["events", "-f"]);
    open_gate(&sandbox, "gate");
    assert!(wait_gone(job, Deadline::generous()));
    events.wait_line("exited with code 9");
    drop(events);
    quit(&sandbox);
}

#[test]
fn an_end_while_nobody_watched_is_accounted_once() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    sandbox.run(["start", "-D"]).success();
    let [web, job] = [pid(&sandbox, "web.1"), pid(&sandbox, "job.1")];
    kill_all(&parts(&sandbox));
    kill_nine(job, Deadline::generous());
    // It may say that job is not up: so short a run is tried again later.
    sandbox.run(["start", "-D"]);
    assert_eq!(pid(&sandbox, "web.1"), web);
    sandbox.run(["restart", "job"]).expect_code(0);
    let told = sandbox.run(["events", "--json"]).success();
    let ends: Vec<&str> = told.lines().filter(|line| line.contains(r#""kind":"ended""#)).collect();
    assert_eq!(ends.len(), 1, "{told}");
    assert!(ends[0].contains(r#""worker":"job.1""#));
    quit(&sandbox);
}

/// The workers' processes: each leads a session of its own.
fn mains(sandbox: &Sandbox) -> Vec<i32> {
    let mut mains: Vec<i32> = sandbox.census().iter().map(|process| process.pid).collect();
    mains.retain(|pid| command_line(*pid).starts_with("tail"));
    mains
}

/// Blocks until every worker is up; demands that `ps` knows every process of theirs.
fn assert_none_is_doubled(sandbox: &Sandbox, workers: usize) {
    sandbox.run(["start", "all"]);
    let all = sandbox.run(["ps", "--json"]).json();
    let mut told: Vec<i32> = all["workers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|worker| worker["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()))
        .collect();
    let mut alive = mains(sandbox);
    told.sort_unstable();
    alive.sort_unstable();
    assert_eq!((told.len(), &told), (workers, &alive));
}

#[test]
fn a_death_of_all_amid_a_start_doubles_nobody() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    sandbox.file(".foreman", "formation: web=40\n");
    // Of a life before there is a list of runs with the same numbers.
    sandbox.run(["start", "-D"]).success();
    quit(&sandbox);
    let starting = sandbox.start(["start", "-D"]);
    let deadline = Deadline::generous();
    while mains(&sandbox).is_empty() {
        assert!(deadline.left().is_some(), "{}", sandbox.report());
        std::thread::yield_now();
    }
    kill_all(&parts(&sandbox));
    drop(starting);
    sandbox.run(["start", "-D"]);
    assert_none_is_doubled(&sandbox, 40);
    quit(&sandbox);
}

#[test]
fn a_death_of_all_amid_a_stop_tells_no_end_twice() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    sandbox.file(".foreman", "formation: web=40\n");
    sandbox.run(["start", "-D"]).success();
    let events = sandbox.start(["events", "-f", "--json"]);
    let stopping = sandbox.start(["stop", "all"]);
    events.wait_line(r#""kind":"ended""#);
    kill_all(&parts(&sandbox));
    drop((events, stopping));
    sandbox.run(["start", "-D"]);
    assert_none_is_doubled(&sandbox, 40);
    let told = sandbox.run(["events", "--json"]).success();
    let ends = told.lines().filter(|line| line.contains(r#""kind":"ended""#));
    let mut runs: Vec<String> = ends
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|end| format!("{} {}", end["worker"], end["details"]["run"]))
        .collect();
    let count = runs.len();
    runs.sort();
    runs.dedup();
    assert_eq!(runs.len(), count, "{told}");
    quit(&sandbox);
}

#[test]
fn an_overseer_that_stands_still_is_replaced() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = started(&sandbox, 1);
    let web = pid(&sandbox, "web.1");
    let overseer = running.child_with("overseer");
    signal(overseer, Signal::STOP);
    assert!(wait_gone(overseer, Deadline::generous()));
    assert_eq!(pid(&sandbox, "web.1"), web);
    interrupted(&sandbox, running);
}

#[test]
fn a_terminal_names_what_survived_and_goes_on_with_it_or_ends_it_as_asked() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = started(&sandbox, 1);
    let web = pid(&sandbox, "web.1");
    kill_all(&parts(&sandbox));
    drop(running);
    sandbox.run(["start"]).error(&["web.1", &web.to_string(), "tail", "--adopt", "--end-survivors"]);
    assert!(is_alive(web));
    let running = sandbox.start(["start", "--adopt"]);
    running.wait_line("the workers went on");
    assert_eq!(pid(&sandbox, "web.1"), web);
    kill_all(&parts(&sandbox));
    drop(running);
    let running = started_with(&sandbox, ["--end-survivors"], 1);
    assert!(!is_alive(web));
    interrupted(&sandbox, running);
}
