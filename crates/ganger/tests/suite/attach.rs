//! A worker's terminal in another one: `ganger attach`.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use ganger_testkit::{Deadline, Running, Sandbox, Terminal, kill_nine};
use rustix::process::Signal;

use crate::support::*;

/// A worker that says what it reads.
const ECHO: &str = "echo ready; while read line; do echo heard $line; done; exec tail -f /dev/null";

fn reading() -> (Sandbox, Running) {
    let sandbox = sandbox_with(&format!("web: {ECHO}\nmute: {OBEDIENT}"));
    sandbox.file("ganger.toml", "[groups.web]\nstdin = \"pipe\"\n");
    let running = started(&sandbox, 2);
    (sandbox, running)
}

fn attached<const N: usize>(sandbox: &Sandbox, words: [&str; N]) -> (Running, Terminal) {
    let words: Vec<&str> = ["attach"].into_iter().chain(words).collect();
    let (viewer, terminal) = sandbox.ganger_with(&words).start_on_terminal();
    viewer.wait_line("press Ctrl-] to detach");
    (viewer, terminal)
}

/// Detaches; the terminal is as it was, and the worker goes on.
fn detached(sandbox: &Sandbox, mut viewer: Running, terminal: &Terminal, name: &str) {
    let before = pid(sandbox, name);
    terminal.press("\x1d");
    viewer.wait_line("detached from");
    viewer.wait_exit(Deadline::generous());
    assert!(terminal.is_in_lines(), "the terminal is given back");
    viewer.finish(Deadline::generous()).expect_code(0);
    assert_eq!(pid(sandbox, name), before);
}

#[test]
fn lines_that_are_typed_reach_a_worker_with_a_pipe_over_the_death_of_the_overseer() {
    let (sandbox, running) = reading();
    let (viewer, terminal) = attached(&sandbox, ["web.1"]);
    viewer.wait_line("ready");
    terminal.press("one\r");
    viewer.wait_line("heard one");
    kill_nine(running.child_with("overseer"), Deadline::generous());
    sandbox.run(["ps"]).expect_code(0);
    terminal.press("two\r");
    viewer.wait_line("heard two");
    assert_eq!(viewer.output().matches("heard one").count(), 1, "nothing is shown twice");
    detached(&sandbox, viewer, &terminal, "web.1");
    interrupted(&sandbox, running);
}

#[test]
fn typing_to_a_worker_that_reads_nothing_says_so() {
    let (sandbox, running) = reading();
    let (viewer, terminal) = attached(&sandbox, ["mute"]);
    viewer.wait_line("reads nothing");
    terminal.press("x");
    viewer.wait_line("what is typed is lost");
    detached(&sandbox, viewer, &terminal, "mute.1");
    let (viewer, terminal) = attached(&sandbox, ["web", "--read-only"]);
    terminal.press("unheard\r");
    viewer.wait_line("only looked at here");
    detached(&sandbox, viewer, &terminal, "web.1");
    let finished = interrupted(&sandbox, running);
    assert!(!finished.output.contains("unheard"), "{finished}");
}

#[test]
fn a_viewer_is_told_of_the_end_of_a_run_and_sees_the_next() {
    let (sandbox, running) = reading();
    let (mut viewer, _terminal) = attached(&sandbox, ["web"]);
    let mut once = sandbox.start(["attach", "web", "--once"]);
    once.wait_line("ready");
    sandbox.run(["restart", "web"]).expect_code(0);
    viewer.wait_line("[web.1 started with pid");
    viewer.wait_lines("ready", 2);
    once.wait_exit(Deadline::generous());
    once.finish(Deadline::generous()).expect_code(0);
    sandbox.run(["quit"]).expect_code(0);
    viewer.wait_line("the app has ended");
    viewer.wait_exit(Deadline::generous());
    viewer.finish(Deadline::generous()).expect_code(0);
    ended(&sandbox, running);
}

#[test]
fn without_a_terminal_stdin_goes_to_the_worker_and_what_it_writes_to_stdout() {
    let (sandbox, running) = reading();
    let viewer = sandbox.ganger(["attach", "web"]).input("piped\n").start();
    viewer.wait_line("heard piped");
    assert!(!viewer.output().contains("attached"), "{}", viewer.output());
    viewer.signal(Signal::TERM);
    viewer.finish(Deadline::generous());
    interrupted(&sandbox, running);
}

#[test]
fn who_cannot_be_attached_to_is_told_why() {
    let (sandbox, running) = reading();
    sandbox.run(["attach", "wbe"]).error(&["wbe"]);
    sandbox.run(["attach", "web", "--detach-keys", "ctrl-"]).error_without_hint(&["detach-keys"]);
    let mut socket = UnixStream::connect(sandbox.runtime().join("api.sock")).unwrap();
    socket
        .write_all(b"POST /v1/workers/web.1/attach HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("400") && answer.contains("ganger-attach/1"), "{answer}");
    interrupted(&sandbox, running);
}
