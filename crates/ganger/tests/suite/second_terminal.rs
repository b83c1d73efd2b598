//! Commands of a second terminal in the app's directory.

use ganger_testkit::{Deadline, Sandbox, is_alive, wait_gone};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::*;

/// An app with `web` (one worker) and `job` (two).
fn app() -> (Sandbox, ganger_testkit::Running) {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    let running = started_with(&sandbox, ["-m", "web=1,job=2"], 3);
    (sandbox, running)
}

#[test]
fn ps_shows_every_worker_with_its_state_and_reason() {
    let (sandbox, running) = app();
    let table = sandbox.run(["ps"]).success();
    for name in ["web.1", "job.1", "job.2"] {
        let pid = pid(&sandbox, name).to_string();
        let row = table.lines().find(|line| line.split_whitespace().next() == Some(name));
        assert!(row.is_some_and(|row| row.contains(&pid)), "{name} with {pid} in\n{table}");
    }
    let web = worker(&sandbox, "web.1");
    assert!(matches!(web["state"].as_str(), Some("STARTING" | "RUNNING")), "{web:#}");
    assert_eq!((&web["wanted"], &web["port"], &web["restarts"]), (&"up".into(), &5000.into(), &0.into()));
    assert!(web["why"].as_str().is_some_and(|why| !why.is_empty()), "{web:#}");
    assert!(web["usage"]["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{web:#}");
    assert!(web["usage"]["cpu_ms"].is_u64() && web["uptime_ms"].is_u64(), "{web:#}");
    assert_eq!(names(&sandbox), ["web.1", "job.1", "job.2"]);
    interrupted(&sandbox, running);
}

#[test]
fn stop_and_start_reply_after_the_effect_and_stop_nothing_else() {
    let (sandbox, running) = app();
    let (web, job) = (pid(&sandbox, "web.1"), pid(&sandbox, "job.2"));
    sandbox.run(["stop", "web"]).expect_code(0);
    assert!(!is_alive(web), "the reply came before the effect");
    assert_eq!((&worker(&sandbox, "web.1")["state"], is_alive(job)), (&"STOPPED".into(), true));
    sandbox.run(["start", "web"]).expect_code(0);
    let again = pid(&sandbox, "web.1");
    assert!(again != web && is_alive(again));
    assert_eq!(worker(&sandbox, "web.1")["restarts"], 0, "an operator's start spends no restart");
    interrupted(&sandbox, running);
}

#[test]
fn restart_gives_a_new_run_and_spends_no_restart() {
    let (sandbox, running) = app();
    let before = [pid(&sandbox, "job.1"), pid(&sandbox, "job.2")];
    sandbox.run(["restart", "job.1"]).expect_code(0);
    assert!(!is_alive(before[0]));
    assert_ne!(pid(&sandbox, "job.1"), before[0]);
    assert_eq!(pid(&sandbox, "job.2"), before[1]);
    assert_eq!(worker(&sandbox, "job.1")["restarts"], 0);
    interrupted(&sandbox, running);
}

#[test]
fn scale_goes_up_down_and_to_nothing() {
    let (sandbox, running) = app();
    let kept = pid(&sandbox, "web.1");
    let gone = [pid(&sandbox, "job.1"), pid(&sandbox, "job.2")];
    sandbox.run(["scale", "web=3", "job=0"]).expect_code(0);
    assert!(gone.iter().all(|pid| !is_alive(*pid)));
    assert_eq!(pid(&sandbox, "web.1"), kept);
    assert_eq!(worker(&sandbox, "web.3")["port"], 5002);
    assert!(is_alive(pid(&sandbox, "web.2")) && is_alive(pid(&sandbox, "web.3")));
    sandbox.run(["scale", "web=1"]).expect_code(0);
    assert_eq!(pid(&sandbox, "web.1"), kept);
    assert!(!names(&sandbox).contains(&"web.3".to_owned()));
    interrupted(&sandbox, running);
}

#[test]
fn logs_are_shown_by_name_and_followed() {
    let sandbox =
        sandbox_with(&format!("web: echo from web; {OBEDIENT}\njob: read x < gate; echo later; {OBEDIENT}"));
    gate(&sandbox, "gate");
    let running = started(&sandbox, 1);
    let logs = sandbox.run(["logs", "web"]).success();
    assert!(logs.contains("from web") && !logs.contains("later"), "{logs}");
    let follower = sandbox.start(["logs", "-f"]);
    follower.wait_line("from web");
    open_gate(&sandbox, "gate");
    follower.wait_line("later");
    running.signal(Signal::INT);
    follower.finish(Deadline::generous());
    ended(&sandbox, running);
}

#[test]
fn a_signal_reaches_the_worker_that_was_named() {
    let sandbox = sandbox_with(&format!(
        "web: trap 'echo hup' HUP; echo ready; {WAITING}\njob: trap 'echo wrong' HUP; echo ready; {WAITING}"
    ));
    let running = started(&sandbox, 2);
    sandbox.run(["signal", "web.1", "HUP"]).expect_code(0);
    running.wait_line("| hup");
    let refused = sandbox.run(["signal", "web.1", "NOSUCH"]);
    assert!(refused.code() != 0 && refused.errors.contains("NOSUCH"), "{refused}");
    let finished = interrupted(&sandbox, running);
    assert!(!finished.output.contains("wrong"), "{finished}");
}

#[test]
fn env_explains_where_each_variable_comes_from() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    sandbox.file(".env", "# settings\nCOLOUR=blue\n");
    let running = started(&sandbox, 1);
    let plain = sandbox.run(["env", "web.1"]).success();
    assert!(plain.contains("COLOUR=blue") && plain.contains("PORT=5000"), "{plain}");
    let explained = sandbox.run(["env", "web.1", "--explain"]).success();
    let line = explained.lines().find(|line| line.contains("COLOUR"));
    assert!(line.is_some_and(|line| line.contains(".env:2")), "{explained}");
    interrupted(&sandbox, running);
}

#[test]
fn ports_lists_the_port_of_every_worker() {
    let (sandbox, running) = app();
    let ports = sandbox.run(["ports", "--json"]).json();
    let listed: Vec<(&str, Option<u64>)> = ports["ports"]
        .as_array()
        .map(|all| {
            all.iter().map(|port| (port["worker"].as_str().unwrap_or(""), port["port"].as_u64())).collect()
        })
        .unwrap_or_default();
    assert_eq!(listed, [("web.1", Some(5000)), ("job.1", Some(5100)), ("job.2", Some(5101))]);
    interrupted(&sandbox, running);
}

#[test]
fn why_tells_what_was_asked_and_what_happened() {
    let (sandbox, running) = app();
    sandbox.run(["stop", "job.1"]).expect_code(0);
    let why = sandbox.run(["why", "job.1"]).success();
    assert!(why.contains("job.1") && why.to_lowercase().contains("stop"), "{why}");
    let json = sandbox.run(["why", "job.1", "--json"]).json();
    assert!(json.to_string().contains("STOPPED"), "{json:#}");
    interrupted(&sandbox, running);
}

#[test]
fn events_are_one_json_object_a_line_and_can_be_followed() {
    let (sandbox, running) = app();
    let follower = sandbox.start(["events", "-f", "--json"]);
    follower.wait_line("web.1");
    let mark = follower.mark();
    sandbox.run(["stop", "web.1"]).expect_code(0);
    follower.wait_line_after(mark, "web.1");
    running.signal(Signal::INT);
    let output = follower.finish(Deadline::generous()).output;
    ended(&sandbox, running);
    let numbers: Vec<u64> = output
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .filter_map(|event| event["seq"].as_u64())
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]) && !numbers.is_empty(), "{output}");
}

#[test]
fn unknown_names_are_errors_for_every_command() {
    let (sandbox, running) = app();
    for words in [
        &["stop", "nosuch"][..],
        &["start", "nosuch"],
        &["restart", "nosuch"],
        &["scale", "nosuch=1"],
        &["logs", "nosuch"],
        &["signal", "nosuch", "HUP"],
        &["env", "nosuch"],
        &["why", "nosuch"],
        &["ports", "nosuch"],
        &["events", "nosuch"],
    ] {
        let finished = sandbox.ganger_with(words).run();
        assert_eq!(finished.code(), 1, "{words:?}\n{finished}");
        finished.error(&["nosuch"]);
    }
    sandbox.run(["stop", "wbe"]).error(&["wbe", "web"]);
    assert_eq!(names(&sandbox), ["web.1", "job.1", "job.2"], "nothing was stopped");
    interrupted(&sandbox, running);
}

#[test]
fn globs_and_all_name_several_workers() {
    let (sandbox, running) = app();
    let web = pid(&sandbox, "web.1");
    sandbox.run(["stop", "j*"]).expect_code(0);
    assert_eq!(worker(&sandbox, "job.1")["state"], "STOPPED");
    assert_eq!(worker(&sandbox, "job.2")["state"], "STOPPED");
    assert!(is_alive(web));
    sandbox.run(["start", "all"]).expect_code(0);
    assert!(is_alive(pid(&sandbox, "job.1")) && is_alive(pid(&sandbox, "job.2")));
    assert_eq!(pid(&sandbox, "web.1"), web, "what ran was left alone");
    let why = sandbox.run(["why", "all"]).success();
    assert!(["web.1", "job.1", "job.2"].iter().all(|name| why.contains(&format!("{name} is "))), "{why}");
    let why = sandbox.run(["why", "j*", "--json"]).json();
    assert_eq!([&why[0]["worker"]["name"], &why[1]["worker"]["name"]], ["job.1", "job.2"], "{why:#}");
    let ports = sandbox.run(["ports", "j*"]).success();
    assert!(ports.contains("job.1") && ports.contains("job.2") && !ports.contains("web.1"), "{ports}");
    let told = sandbox.run(["events", "job.2"]).success();
    assert!(told.contains("job.2") && !told.contains("job.1") && !told.contains("web.1"), "{told}");
    interrupted(&sandbox, running);
    let left = sandbox.run(["events", "job.2"]).success();
    assert!(left.starts_with(&told) && left.len() > told.len(), "{left}");
    assert!(sandbox.run(["events"]).success().contains("web.1"));
}

#[test]
fn a_worker_that_dies_is_explained_by_its_exit() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: echo ready; read x < gate; exit 7"));
    gate(&sandbox, "gate");
    let running = started_with(&sandbox, ["--can-die", "job"], 2);
    let job = pid(&sandbox, "job.1");
    open_gate(&sandbox, "gate");
    assert!(wait_gone(job, Deadline::generous()));
    running.wait_line("code 7");
    let job = worker(&sandbox, "job.1");
    assert_eq!((&job["state"], &job["pid"]), (&"EXITED".into(), &Value::Null), "{job:#}");
    assert!(job["last_exit"].as_str().is_some_and(|text| text.contains('7')), "{job:#}");
    interrupted(&sandbox, running);
}

#[test]
fn an_app_is_found_from_elsewhere_by_name_and_not_found_when_it_is_not_running() {
    let (sandbox, running) = app();
    let elsewhere = sandbox.root().join("home");
    let app = sandbox.app().to_string_lossy().into_owned();
    sandbox.ganger(["ps", "--app", &app]).dir(&elsewhere).run().expect_code(0);
    interrupted(&sandbox, running);
    sandbox.run(["ps"]).error(&["run"]);
}
