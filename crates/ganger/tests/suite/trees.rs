//! A run is its whole tree: what it started dies with it wherever that went, and holds nothing up.

use std::fs::File;

use ganger_testkit::{Deadline, Running, Sandbox, is_alive, wait_gone};

use crate::support::*;

/// A process in a session of its own whose parent ends at once, with the worker's output open; `$1` is its file.
const DAEMON: &str = "#!/bin/sh
setsid sh -c 'sh -c \"echo \\$\\$ > $0.new; mv $0.new $0; echo daemon is up; exec tail -f /dev/null\" \"$0\" & exit' \"$1\"
";

/// Starts the app where each run has its cgroup, if it may, or where trees are found by a walk.
fn start(sandbox: &Sandbox, walk: bool) -> Running {
    let launch = sandbox.ganger(["start"]);
    if walk {
        return launch.through(WITHOUT_CGROUPS).start();
    }
    launch.start()
}

/// Both ways to know a tree; only root can be without cgroups where there are some.
fn ways() -> Vec<bool> {
    if is_root() { vec![false, true] } else { vec![false] }
}

fn daemon(sandbox: &Sandbox, running: &Running, mark: usize) -> i32 {
    running.wait_line_after(mark, "daemon is up");
    sandbox.read("daemon").trim().parse().unwrap_or_else(|error| running.fail(&format!("{error}")))
}

#[test]
fn what_forked_twice_into_another_session_dies_with_each_stop_and_is_replaced_by_each_restart() {
    for walk in ways() {
        let sandbox = sandbox();
        sandbox.script("daemonize", DAEMON);
        sandbox.procfile(&format!("web: ./daemonize daemon; {OBEDIENT}"));
        let running = start(&sandbox, walk);
        running.wait_line("| ready");
        let first = daemon(&sandbox, &running, 0);
        let mark = running.mark();
        sandbox.run(["restart", "web"]).expect_code(0);
        assert!(!is_alive(first), "walk {walk}: it outlived its run");
        let second = daemon(&sandbox, &running, mark);
        assert!(second != first && is_alive(second), "walk {walk}");
        sandbox.run(["stop", "web"]).expect_code(0);
        assert!(!is_alive(second), "walk {walk}: it outlived its run");
        interrupted(&sandbox, running);
    }
}

#[test]
fn a_daemon_that_ignores_the_stop_is_killed_and_named() {
    for walk in ways() {
        let sandbox = sandbox();
        sandbox.script("daemonize", &format!("#!/bin/sh\ntrap '' TERM INT HUP\n{DAEMON}"));
        sandbox.procfile(&format!("web: ./daemonize daemon; {OBEDIENT}"));
        sandbox.file("ganger.toml", "[groups.web.stop]\ntimeout = \"100ms\"\n");
        let running = start(&sandbox, walk);
        running.wait_line("| ready");
        let pid = daemon(&sandbox, &running, 0);
        sandbox.run(["stop", "web"]).expect_code(0);
        assert!(!is_alive(pid), "walk {walk}");
        running.wait_line(&format!("tail ({pid})"));
        interrupted(&sandbox, running);
    }
}

#[test]
fn an_output_pipe_that_somebody_else_holds_open_delays_nothing() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    // An end of the output would not come before the deadline of the waits.
    let mut running = sandbox.ganger(["start", "--timeout", "600"]).start();
    running.wait_lines("| ready", 2);
    let held = |name: &str| File::options().write(true).open(format!("/proc/{}/fd/1", pid(&sandbox, name)));
    let first = [held("web.1"), held("job.1")];
    assert!(first.iter().all(Result::is_ok), "{first:?}");
    let old = pid(&sandbox, "web.1");
    sandbox.run(["restart", "web"]).expect_code(0);
    assert!(!is_alive(old));
    sandbox.run(["stop", "job"]).expect_code(0);
    let second = held("web.1");
    sandbox.run(["quit"]).expect_code(0);
    running.wait_exit(Deadline::generous());
    sandbox.assert_nothing_left();
    drop((first, second));
    running.finish(Deadline::generous()).expect_code(0);
}

#[test]
fn the_end_of_the_main_process_takes_its_daemon_along_and_names_it() {
    for walk in ways() {
        let sandbox = sandbox();
        sandbox.script("daemonize", DAEMON);
        sandbox.procfile(&format!(
            "web: ./daemonize daemon; echo ready; read x < gate; exit 3\njob: {OBEDIENT}"
        ));
        sandbox.file("ganger.toml", "[groups.web]\nrestart = \"never\"\n");
        gate(&sandbox, "gate");
        let running = start(&sandbox, walk);
        running.wait_lines("| ready", 2);
        let pid = daemon(&sandbox, &running, 0);
        open_gate(&sandbox, "gate");
        assert!(wait_gone(pid, Deadline::generous()), "walk {walk}");
        running.wait_line("exited with code 3");
        interrupted_or_ended(&sandbox, running);
    }
}

/// The end of the worker may have ended the app.
fn interrupted_or_ended(sandbox: &Sandbox, running: Running) {
    running.signal(rustix::process::Signal::INT);
    ended(sandbox, running);
}
