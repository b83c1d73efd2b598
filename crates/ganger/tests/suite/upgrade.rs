//! `ganger upgrade`: another program in place of the running one, while the workers run on.

#![expect(clippy::unwrap_used, reason = "a test may fail by panic, its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};

use ganger_testkit::{
    Deadline, Running, Sandbox, copy_program, is_alive, parent_of, wait_gone, write_program,
};
use rustix::process::Signal;

use crate::daemon::Manager;
use crate::support::*;

/// The program under test.
const GANGER: &str = env!("CARGO_BIN_EXE_ganger");

/// A file beside the app.
fn program(sandbox: &Sandbox, name: &str, body: &[u8], mode: u32) -> PathBuf {
    let path = sandbox.root().join(name);
    write_program(&path, body, mode);
    path
}

/// Another file with the program: what the kernel says that a process executes tells them apart.
fn copy(sandbox: &Sandbox, name: &str) -> PathBuf {
    let path = sandbox.root().join(name);
    copy_program(Path::new(GANGER), &path);
    path
}

/// A program that passes for ganger but that its overseer cannot open a file that no path leads to.
fn sabotaged(sandbox: &Sandbox) -> PathBuf {
    let mut body = fs::read(GANGER).unwrap();
    let (name, other) = (b"events.jsonl", b"events/jsonl");
    let places: Vec<usize> =
        body.windows(name.len()).enumerate().filter(|(_, text)| text == name).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "the name of the journal is in the program");
    for at in places {
        body[at..at + other.len()].copy_from_slice(other);
    }
    program(sandbox, "sabotaged", &body, 0o755)
}

fn executed(process: i32) -> PathBuf {
    fs::read_link(format!("/proc/{process}/exe")).unwrap()
}

fn keeper_of(sandbox: &Sandbox, worker: &str) -> i32 {
    parent_of(pid(sandbox, worker)).unwrap()
}

fn overseer_of(sandbox: &Sandbox, keeper: i32) -> i32 {
    let is_overseer = |command: &str| command.split(' ').nth(1) == Some("overseer");
    let all = sandbox.census();
    let mut found = all.iter().filter(|one| is_overseer(&one.command) && parent_of(one.pid) == Some(keeper));
    found.next().unwrap().pid
}

/// Puts this program in place; keeper and workers must be the same after it.
fn upgraded(sandbox: &Sandbox, to: &Path, workers: &[&str]) {
    let before: Vec<i32> = workers.iter().map(|name| pid(sandbox, name)).collect();
    let keeper = parent_of(before[0]).unwrap();
    let told = sandbox.run(["upgrade", "--json", "--binary", to.to_str().unwrap()]).json();
    assert_eq!(told["keeper_pid"], keeper, "{told:#}");
    assert_eq!(told["to"], env!("CARGO_PKG_VERSION"));
    assert_eq!(told["program"], to.to_str().unwrap());
    assert_eq!(executed(keeper), to);
    assert_eq!(executed(overseer_of(sandbox, keeper)), to);
    let after: Vec<i32> = workers.iter().map(|name| pid(sandbox, name)).collect();
    assert_eq!(after, before);
    assert!(after.iter().all(|worker| parent_of(*worker) == Some(keeper)));
}

/// Asks for it, which must fail; keeper, program and workers must be the same after it.
fn refused(sandbox: &Sandbox, program: &Path, why: &[&str]) {
    let (worker, keeper) = (pid(sandbox, "web.1"), keeper_of(sandbox, "web.1"));
    let running = executed(keeper);
    sandbox.run(["upgrade", "--binary", program.to_str().unwrap()]).error_without_hint(why);
    assert_eq!((pid(sandbox, "web.1"), keeper_of(sandbox, "web.1")), (worker, keeper));
    assert_eq!((executed(keeper), executed(overseer_of(sandbox, keeper))), (running.clone(), running));
}

fn quit(sandbox: &Sandbox, keeper: i32) {
    sandbox.run(["quit"]).expect_code(0);
    assert!(wait_gone(keeper, Deadline::generous()));
    sandbox.assert_nothing_left();
}

/// A worker that prints a numbered line for each line that it reads from its gate.
const COUNTING: &str = "echo ready; n=0; while read x; do n=$((n+1)); echo line $n of job; done <> gate";

#[test]
fn workers_lines_and_those_who_follow_them_go_on_under_the_next_program_again_and_again() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {COUNTING}"));
    gate(&sandbox, "gate");
    let running = started(&sandbox, 2);
    let logs = sandbox.start(["logs", "-f"]);
    let events = sandbox.start(["events", "-f", "--json"]);
    logs.wait_lines("| ready", 2);
    for round in 1..=4 {
        let to = copy(&sandbox, &format!("ganger{round}"));
        upgraded(&sandbox, &to, &["web.1", "job.1"]);
        assert_eq!(keeper_of(&sandbox, "web.1"), running.pid());
        open_gate(&sandbox, "gate");
        running.wait_line(&format!("| line {round} of job"));
        logs.wait_line(&format!("| line {round} of job"));
        running.wait_lines("upgraded from ganger", round);
    }
    running.signal(Signal::INT);
    let told = events.finish(Deadline::generous()).output;
    for text in [logs.finish(Deadline::generous()).output, ended(&sandbox, running).output] {
        assert_eq!(text.matches("| ready").count(), 2, "{text}");
        assert_eq!(text.matches("| line ").count(), 4, "{text}");
    }
    let numbers: Vec<u64> = told
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap())
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
}

#[test]
fn a_file_that_was_replaced_is_taken_from_its_path_and_a_death_before_that_needs_none() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let own = copy(&sandbox, "ganger");
    let started = sandbox.program([own.to_str().unwrap(), "start", "-D"]).run();
    started.expect_code(0);
    let keeper = keeper_of(&sandbox, "web.1");
    // As package managers do: another file under the same name.
    fs::rename(copy(&sandbox, "ganger.new"), &own).unwrap();
    let deleted = PathBuf::from(format!("{} (deleted)", own.display()));
    ganger_testkit::kill_nine(overseer_of(&sandbox, keeper), Deadline::generous());
    assert_eq!(executed(keeper), deleted);
    sandbox.run(["ps"]).expect_code(0);
    assert_eq!(executed(overseer_of(&sandbox, keeper)), deleted, "no mixture of two versions");
    let worker = pid(&sandbox, "web.1");
    sandbox.program([own.to_str().unwrap(), "upgrade"]).run().expect_code(0);
    assert_eq!((executed(keeper), pid(&sandbox, "web.1")), (own, worker));
    quit(&sandbox, keeper);
}

#[test]
fn what_operators_asked_for_and_a_stop_that_is_under_way_go_on() {
    let stubborn = "trap '' TERM; echo ready; : > up; exec tail -f /dev/null";
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}\nold: {stubborn}"));
    sandbox.file("ganger.toml", "[groups.old]\nstop = { timeout = \"3s\" }\n");
    sandbox.run(["start", "-D"]).expect_code(0);
    sandbox.run(["scale", "web=2"]).expect_code(0);
    sandbox.run(["stop", "job"]).expect_code(0);
    sandbox.wait_file("up", "");
    let old = pid(&sandbox, "old.1");
    let events = sandbox.start(["events", "-f"]);
    let stopping = sandbox.start(["stop", "old"]);
    events.wait_line("stopping by a command: got SIGTERM, is killed if it is not gone in 3 s");
    upgraded(&sandbox, &copy(&sandbox, "other"), &["web.1", "web.2"]);
    assert!(is_alive(old), "it is asked once, and has its time");
    assert!(wait_gone(old, Deadline::generous()));
    stopping.finish(Deadline::generous());
    sandbox.run(["stop", "old"]).expect_code(0);
    assert_eq!(worker(&sandbox, "job.1")["wanted"], "down");
    assert_eq!(names(&sandbox).len(), 4);
    let told = sandbox.run(["events"]).success();
    assert_eq!(told.matches("was terminated by SIGKILL").count(), 1, "{told}");
    drop(events);
    quit(&sandbox, keeper_of(&sandbox, "web.1"));
}

#[test]
fn a_service_manager_sees_the_same_process_that_is_ready_again() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let manager = Manager::of(&sandbox);
    let daemon = manager.start(&sandbox, &[("WATCHDOG_USEC", "60000000")]);
    manager.wait("READY=1");
    upgraded(&sandbox, &copy(&sandbox, "other"), &["web.1"]);
    let (text, sender) = manager.wait("RELOADING=1");
    assert!(text.contains("MONOTONIC_USEC=") && sender == daemon.pid(), "{text}");
    assert_eq!(manager.wait("READY=1").1, daemon.pid());
    sandbox.run(["stop", "web"]).expect_code(0);
    manager.wait("STATUS=0 of 1 workers up, 1 stopped");
    daemon.signal(Signal::TERM);
    ended(&sandbox, daemon).expect_code(0);
}

#[test]
fn a_daemon_of_several_apps_is_upgraded_as_a_whole() {
    let sandbox = sandbox();
    let dirs = ["shop", "blog"].map(|name| sandbox.root().join(name));
    for dir in &dirs {
        fs::create_dir(dir).unwrap();
        fs::write(dir.join("Procfile"), format!("web: {OBEDIENT}\n")).unwrap();
        sandbox.run(["app", "add", dir.to_str().unwrap()]).expect_code(0);
    }
    let daemon = sandbox.ganger(["daemon"]).dir(sandbox.root()).start();
    daemon.wait_error("blog/main: web.1: started");
    daemon.wait_error("shop/main: web.1: started");
    let pids = || {
        dirs.each_ref().map(|dir| {
            let all = sandbox.run(["-d", dir.to_str().unwrap(), "ps", "--json"]).json();
            all["workers"][0]["pid"].as_i64()
        })
    };
    let before = pids();
    // In the directory of one of them, and in none.
    for (round, dir) in [&dirs[0], sandbox.root()].into_iter().enumerate() {
        let to = copy(&sandbox, &format!("other{round}"));
        sandbox.ganger(["upgrade", "--binary", to.to_str().unwrap()]).dir(dir).run().expect_code(0);
        assert_eq!((executed(daemon.pid()), pids()), (to, before));
    }
    sandbox.run(["app", "remove", "blog"]).expect_code(0);
    daemon.signal(Signal::TERM);
    ended(&sandbox, daemon).expect_code(0);
}

#[test]
fn a_program_that_cannot_start_leaves_the_old_one() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    sandbox.run(["start", "-D"]).expect_code(0);
    let file = |name, body: &str, mode| program(&sandbox, name, body.as_bytes(), mode);
    refused(
        &sandbox,
        &file("fails", "#!/bin/sh\necho broken; exit 1\n", 0o755),
        &["ended with status 1: broken"],
    );
    refused(&sandbox, &file("plain", "#!/bin/sh\n", 0o644), &["not executable"]);
    let none = sandbox.root().join("none");
    refused(&sandbox, &none, &[none.to_str().unwrap(), "not found"]);
    refused(&sandbox, Path::new("/bin/true"), &["it is no ganger that knows how to take over"]);
    refused(
        &sandbox,
        &file("hangs", "#!/bin/sh\nexec tail -f /dev/null\n", 0o755),
        &["said nothing within 10 s"],
    );
    // Only a shell would execute it.
    let bare = file("bare", &format!("exec {GANGER} \"$@\"\n"), 0o755);
    refused(&sandbox, &bare, &["cannot be executed", "goes on"]);
    refused(&sandbox, &sabotaged(&sandbox), &["its overseer ended 3 times", "goes on"]);
    let told = sandbox.run(["events"]).success();
    assert!(told.contains("the upgrade failed: its overseer ended 3 times"), "{told}");
    upgraded(&sandbox, &copy(&sandbox, "other"), &["web.1"]);
    quit(&sandbox, keeper_of(&sandbox, "web.1"));
}

/// A program that can do all but keep.
fn ends_at_once(sandbox: &Sandbox) -> PathBuf {
    let script = format!("#!/bin/sh\n[ \"$1\" = keeper ] && exit 3\nexec {GANGER} \"$@\"\n");
    program(sandbox, "ends", script.as_bytes(), 0o755)
}

#[test]
fn in_the_background_a_program_that_ends_at_once_is_followed_by_the_old_one() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {COUNTING}"));
    gate(&sandbox, "gate");
    sandbox.run(["start", "-D"]).expect_code(0);
    let before = ["web.1", "job.1"].map(|name| pid(&sandbox, name));
    let keeper = keeper_of(&sandbox, "web.1");
    let to = ends_at_once(&sandbox);
    sandbox
        .run(["upgrade", "--binary", to.to_str().unwrap()])
        .error_without_hint(&["the new program ended at once", "goes on"]);
    assert_eq!(["web.1", "job.1"].map(|name| pid(&sandbox, name)), before);
    let next = sandbox.census().into_iter().find(|one| one.command.contains(" overseer ")).unwrap();
    let next = parent_of(next.pid).unwrap();
    assert!(next != keeper && executed(next) == Path::new(GANGER));
    open_gate(&sandbox, "gate");
    sandbox.run(["restart", "web"]).expect_code(0);
    let logs = sandbox.start(["logs", "-f"]);
    logs.wait_line("| line 1 of job");
    drop(logs);
    quit(&sandbox, next);
}

#[test]
fn an_app_of_a_terminal_ends_with_a_program_that_ends_at_once() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    let running: Running = started(&sandbox, 2);
    let workers = ["web.1", "job.1"].map(|name| pid(&sandbox, name));
    let to = ends_at_once(&sandbox);
    sandbox.run(["upgrade", "--binary", to.to_str().unwrap()]).error_without_hint(&[]);
    for worker in workers {
        assert!(wait_gone(worker, Deadline::generous()));
    }
    running.finish(Deadline::generous()).expect_code(3);
}
