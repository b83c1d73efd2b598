//! What workers use: `ps`, `top` and the history of ended runs.

use ganger_testkit::{Deadline, Exit};
use rustix::process::Signal;

use crate::support::*;

/// What a terminal is sent to show its first screen again.
const FIRST_SCREEN: &str = "\x1b[?1049l";

#[test]
fn a_run_is_measured_with_its_whole_tree_also_what_left_its_session() {
    // Where processes cannot be put into cgroups, the tree is found by a walk.
    for through in [&[][..], &WITHOUT_CGROUPS] {
        if !through.is_empty() && !is_root() {
            continue;
        }
        let sandbox = sandbox_with(&format!(
            "web: setsid sh -c \"sh -c 'echo ready; exec tail -f /dev/null' & exit\"; {OBEDIENT}"
        ));
        let running = sandbox.ganger(["start"]).through(through).start();
        running.wait_lines("| ready", 2);
        let web = worker(&sandbox, "web.1");
        assert_eq!(web["usage"]["processes"], 2, "{through:?}: {web:#}");
        let usage = |key: &str| web["usage"][key].as_u64().unwrap_or(0);
        assert!(usage("threads") == 2 && usage("memory_bytes") > 0 && usage("descriptors") >= 6, "{web:#}");
        assert!(web["usage"]["cpu_ms"].is_u64() && web["usage"]["hidden"] == 0, "{web:#}");
        interrupted(&sandbox, running);
    }
}

#[test]
fn top_prints_sums_and_workers_once_where_there_is_no_terminal() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    let running = started_with(&sandbox, ["-m", "web=1,job=2"], 3);
    let table = sandbox.run(["top", "--sort", "name"]).success();
    let names: Vec<_> = table.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["NAME", "all", "web", "job", "web.1", "job.1", "job.2"], "{table}");
    let json = sandbox.run(["top", "job", "--json"]).json();
    assert_eq!(
        (&json["groups"][0]["name"], &json["groups"][0]["runs"]),
        (&"job".into(), &2.into()),
        "{json:#}"
    );
    assert_eq!(json["groups"][0]["usage"]["processes"], 2, "{json:#}");
    assert_eq!(sandbox.run(["top", "--interval", "0"]).code(), 2);
    sandbox.run(["top", "nosuch"]).error(&["nosuch"]);
    interrupted(&sandbox, running);
}

#[test]
fn top_leaves_the_terminal_as_it_was_however_it_ends() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = started(&sandbox, 1);
    for (end, status) in [("q", 0), ("\x03", 0), ("TERM", 143)] {
        let (mut top, terminal) = sandbox.ganger(["top"]).start_on_terminal();
        top.wait_line("web.1");
        assert!(!terminal.is_in_lines(), "keys come one by one");
        let mark = top.mark();
        terminal.resize(80, 24);
        terminal.press("\x1b[C");
        top.wait_line_after(mark, "sort: memory");
        match end {
            "TERM" => top.signal(Signal::TERM),
            key => terminal.press(key),
        }
        assert_eq!(top.wait_exit(Deadline::generous()), Exit::Code(status), "{end:?}");
        assert!(terminal.is_in_lines(), "{end:?}");
        let screen = top.finish(Deadline::generous()).output;
        assert!(
            screen.contains("\x1b[?1049h") && screen.trim_end().ends_with(FIRST_SCREEN),
            "{end:?}: {screen:?}"
        );
    }
    interrupted(&sandbox, running);
}

#[test]
fn top_is_left_also_where_the_terminal_takes_nothing() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = started(&sandbox, 1);
    for signal in [None, Some(Signal::TERM)] {
        let (mut top, terminal) = sandbox.ganger(["top"]).start_on_terminal();
        top.wait_seen("web.1");
        // Ctrl-S stops the terminal; then the order of the rows is to be shown.
        terminal.press("\x13r");
        match signal {
            None => terminal.press("q"),
            Some(signal) => top.signal(signal),
        }
        let status = signal.map_or(0, |signal| 128 + signal.as_raw());
        assert_eq!(top.wait_exit(Deadline::generous()), Exit::Code(status));
        assert!(terminal.is_in_lines());
    }
    interrupted(&sandbox, running);
}

#[test]
fn top_goes_on_with_the_next_overseer_and_ends_with_the_app() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = started(&sandbox, 1);
    let (mut top, terminal) = sandbox.ganger(["top", "--interval", "0.1"]).start_on_terminal();
    top.wait_line("web.1");
    let overseer = running.child_with("overseer");
    ganger_testkit::kill_nine(overseer, Deadline::generous());
    running.wait_line("started again");
    let mark = top.mark();
    top.wait_line_after(mark, "RUNNING");
    running.signal(Signal::INT);
    top.wait_exit(Deadline::generous());
    assert!(terminal.is_in_lines());
    let screen = top.finish(Deadline::generous()).output;
    assert!(screen.contains(FIRST_SCREEN), "{screen:?}");
    ended(&sandbox, running);
}

#[test]
fn what_an_ended_run_used_stays_in_its_history() {
    let burn = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {burn}; echo ready; read x < gate; exit 7"));
    gate(&sandbox, "gate");
    let running = started_with(&sandbox, ["--can-die", "job"], 2);
    open_gate(&sandbox, "gate");
    running.wait_line("code 7");
    let why = sandbox.run(["why", "job.1", "--json"]).json();
    let run = &why["runs"][0];
    assert_eq!(
        (&run["exit"], why["runs"].as_array().map(Vec::len)),
        (&"exited with code 7".into(), Some(1)),
        "{why:#}"
    );
    let used = |key: &str| run["usage"][key].as_u64().unwrap_or(0);
    assert!(used("user_ms") + used("system_ms") > 0 && used("peak_resident_bytes") > 0, "{why:#}");
    assert!(run["lasted_ms"].is_u64(), "{why:#}");
    let told = sandbox.run(["why", "job.1"]).success();
    assert!(told.contains("LASTED") && told.contains("PEAK"), "{told}");
    interrupted(&sandbox, running);
}
