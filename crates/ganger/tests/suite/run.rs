//! `ganger run`: one worker or one command in this terminal, with the app's environment.

use std::net::{Ipv4Addr, TcpListener};

use ganger_testkit::{Exit, free_port};

use crate::support::*;

#[test]
fn a_group_runs_alone_without_anything_else_running() {
    let sandbox = sandbox_with("web: echo this is web $COLOUR; exit 6\njob: echo wrong");
    sandbox.file(".env", "COLOUR=blue\n");
    let finished = sandbox.run(["run", "web"]);
    assert_eq!(
        (finished.exit, finished.output.contains("this is web blue")),
        (Exit::Code(6), true),
        "{finished}"
    );
    assert!(!finished.output.contains("wrong"), "{finished}");
    sandbox.assert_nothing_left();
}

#[test]
fn a_command_runs_with_the_environment_of_the_app() {
    let sandbox = sandbox_with("web: true");
    sandbox.file(".env", "COLOUR=blue\n");
    assert_eq!(sandbox.run(["run", "sh", "-c", "echo $COLOUR"]).success(), "blue\n");
    assert_eq!(sandbox.run(["run", "sh", "-c", "kill -9 $$"]).code(), 128 + 9);
    assert_eq!(sandbox.ganger(["run", "cat"]).input("from here\n").run().success(), "from here\n");
}

#[test]
fn a_command_runs_also_while_the_app_runs() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    sandbox.file(".env", "COLOUR=blue\n");
    let running = started(&sandbox, 1);
    assert_eq!(sandbox.run(["run", "sh", "-c", "echo $COLOUR"]).success(), "blue\n");
    assert_eq!(names(&sandbox), ["web.1"]);
    interrupted(&sandbox, running);
}

#[test]
fn what_can_be_started_is_listed() {
    let sandbox = sandbox_with("ui: one\napi: two\nwebsocket: three");
    let list = sandbox.run(["run", "--list"]).success();
    for name in ["ui", "api", "websocket"] {
        assert!(list.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name} in\n{list}");
    }
}

#[test]
fn a_port_a_queue_and_arguments_are_passed_on() {
    let sandbox = sandbox();
    sandbox.script("worker", "#!/bin/sh\necho port $PORT queue $QUEUE arguments \"$@\"\n");
    sandbox.procfile("job: ./worker --own");
    let finished = sandbox.run(["run", "job", "--queue", "mail", "--port", "4321", "--", "--more", "x"]);
    finished.expect_code(0);
    assert!(finished.output.contains("port 4321 queue mail arguments --own --more x"), "{finished}");
}

#[test]
fn a_port_that_somebody_holds_is_told_with_the_holder_and_the_group_runs_all_the_same() {
    let port = free_port();
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    assert!(held.is_ok(), "{held:?}");
    let sandbox = sandbox_with("web: echo on $PORT");
    let name = std::fs::read_to_string("/proc/self/comm").unwrap_or_default();
    let said =
        format!("ganger: port {port} of web.run is held by {} (pid {})\n", name.trim(), std::process::id());
    let port = port.to_string();
    for words in [["run", "web", "--port", &port], ["run", "-p", &port, "web"]] {
        let finished = sandbox.run(words);
        assert_eq!((finished.output, finished.errors), (format!("on {port}\n"), said.clone()));
    }
}

#[test]
fn a_run_on_a_terminal_has_that_terminal_and_its_keys() {
    let sandbox = sandbox_with("web: true");
    let script = "test -t 0 && test -t 1 && stty size; read line; echo got $line; exec tail -f /dev/null";
    let (running, terminal) = sandbox.ganger(["run", "sh", "-c", script]).start_on_terminal();
    running.wait_line("30 100");
    terminal.press("hello\n");
    running.wait_line("got hello");
    terminal.press("\x03");
    ended(&sandbox, running).expect_code(128 + 2);
}

#[test]
fn what_does_not_exist_is_an_error() {
    let sandbox = sandbox_with("web: true");
    let finished = sandbox.run(["run", "nosuch"]);
    assert_ne!(finished.code(), 0);
    assert_said(&finished, &["nosuch"]);
    sandbox.assert_nothing_left();
}
