use super::*;
use crate::Exit;

/// A sandbox in which `sh` plays ganger.
fn sandbox() -> Sandbox {
    Sandbox::new("/bin/sh")
}

#[test]
fn a_program_sees_the_sandbox_and_nothing_else() {
    let sandbox = sandbox();
    let output = sandbox.program(["env"]).env("EXTRA", "1").without_env("LANG").run().success();
    let mut names: Vec<_> = output.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    let expected =
        ["EXTRA", "GANGER_RUNTIME_DIR", "GANGER_STATE_DIR", "GANGER_TEST", "HOME", "PATH", "TERM", "TMPDIR"];
    assert_eq!(names, expected);
}

#[test]
fn a_socket_in_the_runtime_directory_has_a_short_path() {
    let sandbox = sandbox();
    assert!(sandbox.root().join("run").as_os_str().len() < 40);
}

#[test]
fn streams_and_the_exit_code_are_kept_apart() {
    let sandbox = sandbox();
    let finished = sandbox.run(["-c", "echo out; echo err >&2; exit 3"]);
    assert_eq!((finished.exit, &*finished.output, &*finished.errors), (Exit::Code(3), "out\n", "err\n"));
}

#[test]
fn input_reaches_the_program() {
    let sandbox = sandbox();
    assert_eq!(sandbox.program(["cat"]).input("a line\n").run().success(), "a line\n");
}

#[test]
fn a_program_is_awaited_signalled_and_reaped() {
    let sandbox = sandbox();
    rustix::fs::mkfifoat(rustix::fs::CWD, sandbox.path("fifo"), rustix::fs::Mode::RWXU).expect("a fifo");
    let script = "exec 3<>fifo; trap 'echo bye; exit 4' TERM; echo up; read line <&3";
    let running = sandbox.start(["-c", script]);
    running.wait_line("up");
    running.signal(Signal::TERM);
    running.wait_line("bye");
    assert_eq!(running.finish(Deadline::generous()).exit, Exit::Code(4));
}

#[test]
fn a_straggler_in_another_session_is_in_the_census_and_dies_with_the_sandbox() {
    let sandbox = sandbox();
    let running = sandbox.start(["-c", "setsid tail -f /dev/null >/dev/null 2>&1 & echo $!"]);
    let pid: i32 = running.wait_line("").parse().expect("a PID");
    running.finish(Deadline::generous()).expect_code(0);
    assert!(sandbox.census().iter().any(|process| process.pid == pid));
    let grounds = Arc::clone(&sandbox.0);
    drop(sandbox);
    assert!(census::wait_gone(pid, Deadline::generous()));
    assert_eq!(grounds.census(), []);
}

#[test]
fn two_sandboxes_do_not_see_each_other() {
    let (one, other) = (sandbox(), sandbox());
    let running = one.program(["tail", "-f", "/dev/null"]).start();
    assert!(running.is_alive());
    other.assert_nothing_left();
}

#[test]
fn a_file_is_replaced_in_one_step_and_awaited() {
    let sandbox = sandbox();
    sandbox.file("deep/note", "one");
    sandbox.file("deep/note", "two");
    assert_eq!(sandbox.wait_file("deep/note", "two"), "two");
}

#[test]
#[should_panic(expected = "no line with \"never\" came")]
fn a_line_that_does_not_come_fails_with_the_output() {
    let sandbox = sandbox();
    let running = sandbox.start(["-c", "echo something else"]);
    running.wait_line("never");
}

#[test]
fn keys_a_resize_and_a_hang_up_reach_a_program_on_a_terminal() {
    let sandbox = sandbox();
    let script = "trap 'stty size' WINCH; trap 'echo hung >note; exit' HUP; trap 'echo interrupted' INT;
                  stty size; while :; do read line && echo \"got $line\"; done";
    let (mut running, mut terminal) = sandbox.ganger(["-c", script]).start_on_terminal();
    running.wait_line("30 100");
    terminal.press("hello\n");
    running.wait_line("got hello");
    // A signal that comes just before `read` waits is seen by the shell only when there is something to read.
    terminal.press("\x03");
    terminal.press("\n");
    running.wait_line("interrupted");
    terminal.resize(120, 40);
    terminal.press("\n");
    running.wait_line("40 120");
    terminal.hang_up();
    running.wait_exit(Deadline::generous());
    assert_eq!(sandbox.read("note"), "hung\n");
}
