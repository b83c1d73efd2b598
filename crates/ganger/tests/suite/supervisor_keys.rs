//! Keys of a supervisord.conf that supervisord passes over: who waits for whom, probes, retries, bounds.

use std::fs;

use ganger_testkit::{Running, Sandbox, is_alive};
use rustix::process::Signal;

use crate::support::*;

const HEAD: &str = "[supervisord]\nnodaemon=true\nlogfile=main.log\npidfile=s.pid\n[unix_http_server]\nfile=s.sock\n\
    [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
    [supervisorctl]\nserverurl=unix://s.sock\n";

/// A program that goes on, and what more is said of it.
fn program(name: &str, keys: &str) -> String {
    format!("[program:{name}]\ncommand=tail -f /dev/null\nstartsecs=0\n{keys}\n")
}

fn config(sandbox: &Sandbox, programs: &[String]) {
    sandbox.file("s.conf", &format!("{HEAD}{}", programs.concat()));
}

/// The daemon with these programs.
fn daemon(programs: &[String]) -> (Sandbox, Running) {
    let sandbox = sandbox();
    config(&sandbox, programs);
    let running = sandbox.ganger_with(&["supervisord", "-c", "s.conf"]).start();
    sandbox.wait_file("main.log", "supervisord started with pid");
    (sandbox, running)
}

/// What `supervisorctl` prints.
fn ctl(sandbox: &Sandbox, words: &[&str]) -> String {
    let words: Vec<&str> = ["supervisorctl", "-c", "s.conf"].iter().chain(words).copied().collect();
    sandbox.ganger_with(&words).run().output
}

/// A db that is ready when its gate was opened.
fn db(sandbox: &Sandbox) -> String {
    gate(sandbox, "gate");
    "[program:db]\ncommand=sh -c 'read go < gate; touch go; exec tail -f /dev/null'\nstartsecs=0\n\
     readiness_command=test -e go\nreadiness_interval=20ms\n"
        .to_owned()
}

#[test]
fn a_program_waits_until_another_is_ready_and_a_third_is_done() {
    let sandbox = sandbox();
    let migrate = "[program:migrate]\ncommand=touch migrated\nstartsecs=0\ndepends_on=db\n".to_owned();
    let web = program("web", "depends_on=db:ready, migrate:completed");
    config(&sandbox, &[db(&sandbox), migrate, web]);
    let running = sandbox.ganger_with(&["supervisord", "-c", "s.conf"]).start();
    sandbox.wait_file("main.log", "INFO waiting: web for db to be ready and for migrate to be completed\n");
    let status = ctl(&sandbox, &["status", "web"]);
    assert!(status.contains("STOPPED   waits for db to be ready"), "{status}");
    assert_eq!(ctl(&sandbox, &["stop", "web"]), "web: stopped\n", "who waits can be told not to start");
    assert_eq!(worker(&sandbox, "web.1")["wanted"], "down");
    let starting = sandbox.start(["supervisorctl", "-c", "s.conf", "start", "web"]);
    open_gate(&sandbox, "gate");
    starting.wait_line("web: started");
    let log = sandbox.read("main.log");
    let at = |what: &str| log.find(what).unwrap_or_else(|| panic!("no {what}:\n{log}"));
    assert!(at("INFO ready: db\n") < at("spawned: 'migrate'"), "{log}");
    assert!(at("exited: migrate (exit status 0; expected)") < at("spawned: 'web'"), "{log}");
    drop(starting);
    interrupted(&sandbox, running);
}

#[test]
fn a_failing_program_is_tried_again_without_bound_later_each_time_up_to_a_bound() {
    let flaky = "[program:flaky]\ncommand=sh -c 'test -e well && exec tail -f /dev/null; exit 3'\nstartretries=1\n\
                 attempts=unlimited\nbackoff_initial=100ms\nbackoff_factor=2\nbackoff_max=400ms\n";
    let (sandbox, running) = daemon(&[flaky.to_owned()]);
    let events = sandbox.start(["events", "-f"]);
    for line in ["try 2 in 0.1 s", "try 3 in 0.2 s", "try 4 in 0.4 s", "try 5 in 0.4 s", "try 8 in 0.4 s"] {
        events.wait_line(line);
    }
    sandbox.file("well", "");
    sandbox.wait_file("main.log", "success: flaky entered RUNNING state");
    drop(events);
    interrupted(&sandbox, running);
}

#[test]
fn a_program_that_is_given_up_ends_the_daemon_where_it_says_so() {
    let job = "[program:job]\ncommand=sh -c 'exit 7'\nattempts=2\nbackoff_initial=10ms\non_fatal=shutdown\n";
    let (sandbox, running) = daemon(&[job.to_owned(), program("web", "")]);
    let finished = ended(&sandbox, running);
    finished.expect_code(7);
    let log = sandbox.read("main.log");
    assert!(log.contains("gave up: job entered FATAL state"), "{log}");
    assert!(log.contains("stopped: web"), "{log}");
}

#[test]
fn a_program_that_takes_too_much_memory_is_started_anew() {
    let (sandbox, running) = daemon(&[program("web", "max_memory=16KB")]);
    sandbox.wait_file("main.log", "spawned: 'web'");
    let first = pid(&sandbox, "web.1");
    let events = sandbox.start(["events", "-f"]);
    events.wait_line("more than 16 KiB");
    events.wait_lines("started with pid", 2);
    assert!(!is_alive(first));
    drop(events);
    interrupted(&sandbox, running);
}

#[test]
fn each_process_is_asked_its_own_question() {
    let keys = "process_name=w_%(process_num)d\nnumprocs=2\nliveness_command=test ! -e broken-%(process_num)d\n\
                liveness_interval=20ms\nliveness_failures=1";
    let (sandbox, running) = daemon(&[program("web", keys)]);
    sandbox.wait_file("main.log", "spawned: 'w_1'");
    let events = sandbox.start(["events", "-f"]);
    let before = pid(&sandbox, "web.1");
    sandbox.file("broken-1", "");
    events.wait_line("failed its liveness probe: `test ! -e broken-1` exited with code 1");
    assert!(fs::remove_file(sandbox.path("broken-1")).is_ok());
    events.wait_lines("started with pid", 3);
    assert_eq!(pid(&sandbox, "web.1"), before);
    drop(events);
    interrupted(&sandbox, running);
}

#[test]
fn a_reread_tells_the_plan_an_update_follows_the_dependencies_and_a_bad_file_changes_nothing() {
    let (sandbox, running) = daemon(&[program("web", "max_memory=1GB")]);
    sandbox.wait_file("main.log", "success: web entered RUNNING state");
    let before = pid(&sandbox, "web.1");
    config(&sandbox, &[program("web", "max_memory=1G")]);
    let refused = ctl(&sandbox, &["reread"]);
    assert!(refused.contains("s.conf:14: `max_memory`: `1G` is no size"), "{refused}");
    config(&sandbox, &[program("web", "max_memory=2GB")]);
    assert_eq!(ctl(&sandbox, &["reread"]), "web: changed\n");
    let events = sandbox.run(["events"]).success();
    assert!(
        events.contains("reread: web: max_memory changed, no restart; `ganger reload` puts it"),
        "{events}"
    );
    let plan = sandbox.run(["reload", "--dry-run"]).success();
    assert!(plan.contains("web: max_memory changed, in force at once"), "{plan}");
    assert_eq!(pid(&sandbox, "web.1"), before);
    let api = program("api", "depends_on=db");
    config(&sandbox, &[program("web", "max_memory=1GB"), api, db(&sandbox)]);
    assert_eq!(ctl(&sandbox, &["update"]), "db: added process group\napi: added process group\n");
    let status = ctl(&sandbox, &["status", "api"]);
    assert!(status.contains("waits for db to be ready"), "{status}");
    open_gate(&sandbox, "gate");
    sandbox.wait_file("main.log", "success: api entered RUNNING state");
    assert_eq!(pid(&sandbox, "web.1"), before);
    running.signal(Signal::INT);
    ended(&sandbox, running).expect_code(0);
}
