//! However ganger ends, nothing of the app is left, and what had to be killed is named.

use ganger_testkit::{Deadline, Sandbox, wait_gone};
use rustix::process::Signal;

use crate::support::*;

#[test]
fn ctrl_c_sends_term_once_to_the_whole_tree_and_ends_with_0() {
    let child = format!("sh -c 'trap \"echo child term; exit\" TERM; echo ready; {WAITING}'");
    let own = "trap 'echo own term; wait; exit' TERM; trap 'echo own int' INT";
    let sandbox = sandbox_with(&format!("web: {own}; {child} & {WAITING}"));
    let (running, terminal) = sandbox.ganger(["start"]).start_on_terminal();
    running.wait_line("ready");
    terminal.press("\x03");
    let finished = ended(&sandbox, running);
    finished.expect_code(0);
    for word in ["own term", "child term"] {
        assert_eq!(finished.output.matches(word).count(), 1, "{word}:\n{finished}");
    }
    assert!(!finished.output.contains("own int"), "the key is ganger's alone:\n{finished}");
}

#[test]
fn a_worker_that_ignores_term_is_killed_after_the_timeout_and_named() {
    let sandbox = sandbox_with(&format!("web: {STUBBORN}\njob: {OBEDIENT}"));
    let (running, terminal) = sandbox.ganger(["start", "--timeout", "1"]).start_on_terminal();
    running.wait_lines("ready", 2);
    terminal.press("\x03");
    let finished = ended(&sandbox, running);
    let killed = said(&finished).lines().find(|line| line.to_lowercase().contains("kill")).map(str::to_owned);
    assert!(killed.is_some_and(|line| line.contains("web.1")), "{finished}");
}

#[test]
fn a_second_ctrl_c_kills_now() {
    let sandbox =
        sandbox_with(&format!("web: {STUBBORN}\njob: trap 'echo asked; exit' TERM; echo ready; {WAITING}"));
    // The timeout is far beyond the deadline of the wait.
    let (running, terminal) = sandbox.ganger(["start", "--timeout", "600"]).start_on_terminal();
    running.wait_lines("ready", 2);
    terminal.press("\x03");
    running.wait_line("asked");
    terminal.press("\x03");
    let finished = ended(&sandbox, running);
    assert_said(&finished, &["SIGINT received, killing"]);
    assert_eq!(said(&finished).matches("received, stopping").count(), 1, "{finished}");
}

#[test]
fn a_closed_terminal_stops_everything() {
    let sandbox = sandbox_with(&format!("web: trap 'echo bye > note; exit' TERM; echo ready; {WAITING}"));
    let (running, mut terminal) = sandbox.ganger(["start"]).start_on_terminal();
    running.wait_line("ready");
    terminal.hang_up();
    ended(&sandbox, running);
    assert_eq!(sandbox.read("note"), "bye\n", "the worker was asked, not killed");
}

#[test]
fn a_closed_pipe_does_not_leave_workers_behind() {
    let sandbox = sandbox_with("web: echo ready; exec yes\njob: exec tail -f /dev/null");
    let running = sandbox.program(["sh", "-c", "ganger start | grep -m 1 ready"]).start();
    running.wait_line("ready");
    ended(&sandbox, running);
}

#[test]
fn term_to_ganger_stops_as_ctrl_c_does() {
    let sandbox = sandbox_with(&format!("web: trap 'echo bye; exit' TERM; echo ready; {WAITING}"));
    let running = started(&sandbox, 1);
    running.signal(Signal::TERM);
    let finished = ended(&sandbox, running);
    assert_said(&finished, &["| bye"]);
}

#[test]
fn a_straggler_in_another_session_is_gone_and_named() {
    let straggler = "setsid sh -c \"trap '' TERM HUP; echo \\$\\$ > straggler; exec tail -f /dev/null\"";
    let sandbox = sandbox_with(&format!("web: {straggler} & {OBEDIENT}"));
    let running = started_with(&sandbox, ["--timeout", "1"], 1);
    let pid = sandbox.wait_file("straggler", "\n");
    let finished = interrupted(&sandbox, running);
    let named = said(&finished).lines().any(|line| line.contains(pid.trim()) && line.contains("web.1"));
    assert!(named, "straggler {pid} is not named:\n{finished}");
}

#[test]
fn what_a_worker_left_behind_goes_also_when_the_worker_exited_by_itself() {
    let sandbox = sandbox_with("web: setsid tail -f /dev/null & echo ready");
    let running = sandbox.start(["start"]);
    ended(&sandbox, running).expect_code(0);
}

#[test]
fn quit_from_a_second_terminal_replies_when_all_is_gone() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    let running = started(&sandbox, 2);
    let pids = [pid(&sandbox, "web.1"), pid(&sandbox, "job.1")];
    sandbox.run(["quit"]).expect_code(0);
    assert!(pids.iter().all(|pid| !ganger_testkit::is_alive(*pid)), "quit replied before the effect");
    ended(&sandbox, running).expect_code(0);
}

#[test]
fn term_to_the_whole_process_group_stops_all_once() {
    let sandbox = sandbox_with(&format!("web: trap 'echo bye; exit' TERM; echo ready; {WAITING}"));
    // `setsid` makes a group of ganger and what it starts beside its workers, as `timeout` and service managers do.
    let running = sandbox.ganger(["start"]).through(["setsid"]).start();
    running.wait_line("| ready");
    let group = rustix::process::Pid::from_raw(running.pid());
    assert!(group.is_some_and(|group| rustix::process::kill_process_group(group, Signal::TERM).is_ok()));
    let finished = ended(&sandbox, running);
    finished.expect_code(0);
    assert_eq!(finished.output.matches("| bye").count(), 1, "{finished}");
}

/// The app's socket is there no more, and the next start finds nothing in its way.
fn is_free(sandbox: &Sandbox) {
    sandbox.assert_nothing_left();
    let running = started(sandbox, 1);
    interrupted(sandbox, running);
}

#[test]
fn whatever_ended_it_the_next_start_is_free() {
    let sandbox = sandbox_with(&format!("web: (setsid tail -f /dev/null &); {OBEDIENT}"));
    for how in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::KILL] {
        let mut running = started(&sandbox, 1);
        let [keeper, overseer] = parts(&sandbox);
        running.signal(how);
        running.wait_exit(Deadline::generous());
        // After a kill of the keeper it is the overseer that ends the app.
        for part in [keeper, overseer] {
            assert!(wait_gone(part, Deadline::generous()), "{how:?}");
        }
        is_free(&sandbox);
    }
}
