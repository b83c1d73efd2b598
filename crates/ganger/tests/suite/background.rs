//! `ganger start -D`, and what operators asked for over the end of the app and its next start.

#![expect(clippy::unwrap_used, reason = "a test may fail by panic, its helpers too")]

use std::fs;
use std::path::PathBuf;

use ganger_testkit::{Deadline, Sandbox, is_alive, kill_nine, parent_of, wait_gone};

use crate::support::*;

/// The keeper of a worker.
fn keeper_of(sandbox: &Sandbox, name: &str) -> i32 {
    parent_of(pid(sandbox, name)).unwrap()
}

/// Ends the app; nothing may be left of it.
fn quit(sandbox: &Sandbox, worker: &str) {
    let keeper = keeper_of(sandbox, worker);
    sandbox.run(["quit"]).expect_code(0);
    assert!(wait_gone(keeper, Deadline::generous()));
    sandbox.assert_nothing_left();
}

/// Files in there whose names begin so.
fn kept(sandbox: &Sandbox, beginning: &str) -> Vec<PathBuf> {
    let names = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(beginning);
    fs::read_dir(sandbox.state()).unwrap().map(|entry| entry.unwrap().path()).filter(names).collect()
}

/// Each worker with what it is to be.
fn wanted(sandbox: &Sandbox) -> Vec<String> {
    let all = sandbox.run(["ps", "--json"]).json();
    let one = |worker: &serde_json::Value| {
        format!("{} {}", worker["name"].as_str().unwrap(), worker["wanted"].as_str().unwrap())
    };
    all["workers"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn it_returns_when_the_app_is_up_and_every_command_works_there() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    let said = sandbox.run(["start", "-D", "-m", "web=2,all=1"]).success();
    assert!(said.contains("in the background") && said.contains("3 workers"), "{said}");
    assert_eq!(names(&sandbox), ["web.1", "web.2", "job.1"]);
    let keeper = keeper_of(&sandbox, "web.1");
    let stat = fs::read_to_string(format!("/proc/{keeper}/stat")).unwrap();
    let session = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(3).unwrap().to_owned();
    assert_eq!(session, keeper.to_string(), "it leads a session of its own");
    for number in 0..3 {
        let target = fs::read_link(format!("/proc/{keeper}/fd/{number}")).unwrap();
        assert_eq!(target, PathBuf::from("/dev/null"));
    }
    sandbox.run(["start", "-D"]).error(&["already running", &keeper.to_string()]);
    sandbox.run(["stop", "job"]).expect_code(0);
    let logs = sandbox.start(["logs", "-f", "web"]);
    logs.wait_lines("| ready", 2);
    drop(logs);
    quit(&sandbox, "web.1");
}

#[test]
fn what_keeps_it_from_coming_up_is_said_and_nothing_is_left() {
    let sandbox = sandbox_with("web: echo\nthis is no entry");
    sandbox.run(["start", "-D"]).error(&["Procfile:2"]);
    sandbox.assert_nothing_left();
    sandbox.procfile("web: no-such-program --at-all");
    sandbox.run(["start", "-D"]).error(&["no worker", "web.1", "command not found"]);
    sandbox.assert_nothing_left();
    let nowhere = sandbox.root().join("file");
    fs::write(&nowhere, "").unwrap();
    sandbox.ganger(["start", "-D"]).env("GANGER_STATE_DIR", nowhere.join("x")).run().error(&["file/x"]);
    sandbox.assert_nothing_left();
}

#[test]
fn what_only_the_overseer_meets_is_said_too() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    sandbox.run(["start", "-D"]).success();
    quit(&sandbox, "web.1");
    let events = sandbox.state().join("events.jsonl");
    fs::remove_file(&events).unwrap();
    fs::create_dir(&events).unwrap();
    sandbox.run(["start", "-D"]).error_without_hint(&["events.jsonl"]);
    sandbox.assert_nothing_left();
}

#[test]
fn an_app_of_which_a_part_is_up_goes_on_and_the_rest_is_named() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: no-such-program"));
    let finished = sandbox.run(["start", "-D"]);
    finished.expect_code(1);
    assert_said(&finished, &["1 worker", "job.1 is not up", "command not found"]);
    quit(&sandbox, "web.1");
}

#[test]
fn counts_and_stopped_workers_survive_the_end_of_the_app_a_reboot_and_a_death() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}\ndb: {OBEDIENT}"));
    let expected = ["web.1 up", "web.2 down", "web.3 up", "job.1 down", "db.1 up"];
    sandbox.run(["start", "-D"]).success();
    sandbox.run(["scale", "web=3"]).expect_code(0);
    sandbox.run(["stop", "web.2", "job"]).expect_code(0);
    assert_eq!(wanted(&sandbox), expected);
    quit(&sandbox, "db.1");
    // After a reboot the ledger is that of another boot, and the runtime directory is empty.
    let ledger = sandbox.state().join("ledger");
    let text = fs::read_to_string(&ledger).unwrap();
    let (owner, rest) = text.split_once('\n').unwrap();
    let mut owner: serde_json::Value = serde_json::from_str(owner).unwrap();
    owner["boot"] = "of another time".into();
    fs::write(&ledger, format!("{owner}\n{rest}")).unwrap();
    fs::remove_dir_all(sandbox.root().join("run")).unwrap();
    sandbox.run(["start", "-D"]).success();
    assert_eq!(wanted(&sandbox), expected);
    // An overseer that dies, and then all of ganger.
    let keeper = keeper_of(&sandbox, "db.1");
    let overseer = ganger_testkit::children_of(keeper)
        .into_iter()
        .find(|child| ganger_testkit::command_line(*child).contains("overseer"));
    kill_nine(overseer.unwrap(), Deadline::generous());
    assert_eq!(wanted(&sandbox), expected);
    sandbox.run(["start", "job"]).expect_code(0);
    quit(&sandbox, "db.1");
    sandbox.run(["start", "-D"]).success();
    assert_eq!(wanted(&sandbox), ["web.1 up", "web.2 down", "web.3 up", "job.1 up", "db.1 up"]);
    quit(&sandbox, "db.1");
}

#[test]
fn in_a_terminal_the_app_starts_as_its_files_say_and_leaves_the_wishes_alone() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    sandbox.run(["start", "-D"]).success();
    sandbox.run(["scale", "web=2"]).expect_code(0);
    sandbox.run(["stop", "job"]).expect_code(0);
    quit(&sandbox, "web.1");
    let running = started(&sandbox, 2);
    assert_eq!(wanted(&sandbox), ["web.1 up", "job.1 up"]);
    sandbox.run(["scale", "web=4"]).expect_code(0);
    interrupted(&sandbox, running);
    sandbox.run(["start", "-D"]).success();
    assert_eq!(wanted(&sandbox), ["web.1 up", "web.2 up", "job.1 down"]);
    quit(&sandbox, "web.1");
}

#[test]
fn a_lost_ledger_doubles_no_worker_and_is_kept_aside() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    sandbox.run(["start", "-D"]).success();
    sandbox.run(["scale", "web=2"]).expect_code(0);
    let keeper = keeper_of(&sandbox, "web.1");
    let overseer = ganger_testkit::children_of(keeper)
        .into_iter()
        .find(|child| ganger_testkit::command_line(*child).contains("overseer"));
    fs::write(sandbox.state().join("ledger"), [0xff; 4000]).unwrap();
    kill_nine(overseer.unwrap(), Deadline::generous());
    let events = sandbox.start(["events", "-f"]);
    events.wait_line("ledger is damaged");
    sandbox.run(["start", "all"]).expect_code(0);
    assert_eq!(wanted(&sandbox), ["web.1 up", "web.2 up", "job.1 up"]);
    drop(events);
    let workers = sandbox.census().into_iter().filter(|process| process.command.starts_with("tail"));
    assert_eq!(workers.count(), 3, "{}", sandbox.report());
    let kept = kept(&sandbox, "ledger.bad-");
    assert_eq!(fs::read(&kept[0]).unwrap(), [0xff; 4000]);
    quit(&sandbox, "web.1");
}

#[test]
fn damage_at_the_end_of_the_ledger_costs_no_worker() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    sandbox.run(["start", "-D"]).success();
    sandbox.run(["start", "all"]).expect_code(0);
    let before = [pid(&sandbox, "web.1"), pid(&sandbox, "job.1")];
    let keeper = keeper_of(&sandbox, "web.1");
    let overseer = ganger_testkit::children_of(keeper)
        .into_iter()
        .find(|child| ganger_testkit::command_line(*child).contains("overseer"));
    let ledger = sandbox.state().join("ledger");
    let text = fs::read_to_string(&ledger).unwrap();
    fs::write(&ledger, format!("{text}what is this\nand that\n")).unwrap();
    kill_nine(overseer.unwrap(), Deadline::generous());
    assert_eq!([pid(&sandbox, "web.1"), pid(&sandbox, "job.1")], before);
    assert!(before.iter().all(|pid| is_alive(*pid)));
    assert_eq!(kept(&sandbox, "ledger.bad-").len(), 1);
    quit(&sandbox, "web.1");
}

#[test]
fn wishes_that_make_no_sense_are_kept_aside_and_the_files_count() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    sandbox.run(["start", "-D"]).success();
    sandbox.run(["scale", "web=2"]).expect_code(0);
    quit(&sandbox, "web.1");
    fs::write(sandbox.state().join("wishes"), "{\"counts\": tru").unwrap();
    sandbox.run(["start", "-D"]).success();
    assert_eq!(wanted(&sandbox), ["web.1 up"]);
    let events = sandbox.run(["events"]).success();
    assert!(events.contains("wishes is damaged"), "{events}");
    assert_eq!(kept(&sandbox, "wishes.bad-").len(), 1);
    quit(&sandbox, "web.1");
}

#[test]
fn an_app_that_was_quit_can_be_started_at_once_and_again_and_again() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    for _ in 0..10 {
        sandbox.run(["start", "-D"]).success();
        sandbox.run(["quit"]).success();
    }
    sandbox.assert_nothing_left();
}

#[test]
fn flags_for_all_commands_may_stand_ahead_of_the_command_that_starts_the_app() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let dir = sandbox.path("").display().to_string();
    let file = sandbox.path("Procfile").display().to_string();
    for words in [["-d", &dir], ["-f", &file]] {
        let [flag, value] = words;
        let elsewhere = |words: &[&str]| sandbox.ganger_with(words).dir(sandbox.root());
        elsewhere(&[flag, value, "start", "-D"]).run().success();
        elsewhere(&[flag, value, "quit"]).run().success();
        let running = elsewhere(&[flag, value, "start"]).start();
        running.wait_line("| ready");
        interrupted(&sandbox, running);
        let daemon = elsewhere(&[flag, value, "daemon"]).start();
        daemon.wait_error("web.1: started");
        elsewhere(&[flag, value, "quit"]).run().success();
        ended(&sandbox, daemon).expect_code(0);
    }
}
