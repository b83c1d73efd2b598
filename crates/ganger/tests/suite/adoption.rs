//! The keeper may be killed, and all of ganger at once: in the background workers keep running and no line is lost; in
//! a terminal the next start finds them.

use std::fs;
use std::path::{Path, PathBuf};

use ganger_testkit::{Deadline, Running, Sandbox, command_line, is_alive, kill_nine, signal, wait_gone};
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
    found(below, "ledger")
}

/// The only file of this name below a directory.
fn found(below: &Path, name: &str) -> PathBuf {
    let mut open = vec![below.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_name() == name {
                return entry.path();
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            }
        }
    }
    panic!("no {name} below {}", below.display())
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

/// Kills all of ganger's that runs here; the workers survive it.
fn bereave(sandbox: &Sandbox, running: Running) {
    kill_all(&parts(sandbox));
    drop(running);
}

#[test]
fn a_terminal_names_and_ends_what_survived_a_terminal_or_goes_on_with_it_as_asked() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = started(&sandbox, 1);
    let web = pid(&sandbox, "web.1");
    bereave(&sandbox, running);
    let running = sandbox.start(["start", "--adopt"]);
    running.wait_line("the workers went on");
    assert_eq!(pid(&sandbox, "web.1"), web);
    bereave(&sandbox, running);
    let mut web = web;
    for options in [[].as_slice(), &["--end-survivors"]] {
        let running = sandbox.ganger_with(&[&["start"], options].concat()).start();
        running.wait_error("ending what survives");
        running.wait_error(&format!("web.1 (pid {web}"));
        running.wait_lines("| ready", 1);
        assert!(!is_alive(web));
        web = pid(&sandbox, "web.1");
        bereave(&sandbox, running);
    }
    // In the background it goes on.
    sandbox.run(["start", "-D"]).success();
    assert_eq!(pid(&sandbox, "web.1"), web);
    quit(&sandbox);
}

#[test]
fn what_survives_gets_the_stop_signal_of_its_group_and_what_stays_is_killed_and_named() {
    let sandbox = sandbox();
    let asked = format!("trap 'echo asked > note; exit' USR1; trap '' TERM; echo ready; {WAITING}");
    let groups = [("web", asked.as_str(), "signal = \"USR1\""), ("job", STUBBORN, "timeout = \"1s\"")];
    let tables = groups.map(|(name, command, stop)| {
        format!("[groups.{name}]\ncommand = \"\"\"{command}\"\"\"\nstop = {{ {stop} }}\n")
    });
    sandbox.file("ganger.toml", &tables.concat());
    let running = started(&sandbox, 2);
    let before = [pid(&sandbox, "web.1"), pid(&sandbox, "job.1")];
    bereave(&sandbox, running);
    let running = sandbox.start(["start"]);
    running.wait_error(&format!("had to kill tail ({})", before[1]));
    running.wait_lines("| ready", 2);
    assert!(before.iter().all(|pid| !is_alive(*pid)));
    assert_eq!(sandbox.read("note"), "asked\n");
    interrupted(&sandbox, running);
}

#[test]
fn what_a_dead_worker_of_a_terminal_left_is_ended_by_the_next_start_too() {
    let sandbox = sandbox_with("web: sh -c 'echo $$ > own; exec tail -f /dev/null' & echo ready; wait");
    let running = started(&sandbox, 1);
    let main = pid(&sandbox, "web.1");
    bereave(&sandbox, running);
    kill_nine(main, Deadline::generous());
    let straggler = sandbox.wait_file("own", "\n").trim().parse().unwrap_or(0);
    let running = sandbox.start(["start"]);
    running.wait_error(&format!("web.1 (pid {straggler}"));
    running.wait_lines("| ready", 1);
    assert!(!is_alive(straggler));
    interrupted(&sandbox, running);
}

#[test]
fn no_terminal_ends_what_survives_an_app_in_the_background_unless_it_is_told_to() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    sandbox.run(["start", "-D"]).success();
    let web = pid(&sandbox, "web.1");
    kill_all(&parts(&sandbox));
    sandbox.run(["ps"]).error(&["1 worker survives", "start -D", "--adopt"]);
    for command in [["start"].as_slice(), &["foreman", "start"], &["overmind", "start"]] {
        let refused = sandbox.ganger_with(command).run();
        refused.expect_code(1);
        assert_said(&refused, &["web.1", &web.to_string(), "--end-survivors", "start -D"]);
        assert!(is_alive(web));
    }
    // Where it is not known any more whose they were, none is ended either.
    assert!(fs::remove_file(found(sandbox.root(), "app.json")).is_ok());
    sandbox.run(["start"]).error(&["web.1", "--adopt", "--end-survivors"]);
    assert!(is_alive(web));
    let running = started_with(&sandbox, ["--end-survivors"], 1);
    assert!(!is_alive(web));
    interrupted(&sandbox, running);
}

#[test]
fn under_foremans_name_too_the_next_start_ends_what_survived_a_terminal() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = sandbox.start(["foreman", "start"]);
    running.wait_lines("| ready", 1);
    let web = pid(&sandbox, "web.1");
    bereave(&sandbox, running);
    let running = sandbox.start(["foreman", "start"]);
    running.wait_error("ending what survives");
    running.wait_lines("| ready", 1);
    assert!(!is_alive(web));
    interrupted(&sandbox, running);
}

#[test]
fn a_shell_of_a_survivor_does_not_end_itself() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = started(&sandbox, 1);
    let web = pid(&sandbox, "web.1");
    let environment = fs::read(format!("/proc/{web}/environ")).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let tag = variables.find_map(|one| one.strip_prefix("GANGER_RUN=").map(str::to_owned));
    bereave(&sandbox, running);
    let refused = sandbox.ganger(["start"]).env("GANGER_RUN", tag.unwrap_or_default()).run();
    refused.expect_code(1);
    assert_said(&refused, &["this shell belongs to a worker", "web.1", "another terminal"]);
    assert!(is_alive(web));
    let running = started(&sandbox, 1);
    assert!(!is_alive(web));
    interrupted(&sandbox, running);
}

#[test]
fn a_start_with_a_screen_ends_what_survived_a_terminal_too_and_leaves_such() {
    // The end of its terminal does not end it.
    let sandbox = sandbox_with(&format!("web: trap '' HUP; {OBEDIENT}"));
    let running = started(&sandbox, 1);
    let mut web = pid(&sandbox, "web.1");
    bereave(&sandbox, running);
    for _ in 0..2 {
        let (mut screen, _terminal) = sandbox.ganger(["start", "--ui"]).start_on_terminal();
        screen.wait_line("ending what survives");
        screen.wait_seen("web.1 | ready");
        assert!(!is_alive(web));
        web = pid(&sandbox, "web.1");
        // The screen would end the app if it lived.
        let [keeper, overseer] = parts(&sandbox);
        kill_all(&[screen.pid(), keeper, overseer]);
        screen.wait_exit(Deadline::generous());
        assert!(is_alive(web));
    }
    let running = started(&sandbox, 1);
    interrupted(&sandbox, running);
}
