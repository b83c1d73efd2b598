//! `ganger start` prints what workers write, and ends as its policy says.

use ganger_testkit::{Deadline, Exit};

use crate::support::*;

/// The lines of one worker, without the name.
fn lines_of<'a>(output: &'a str, name: &str) -> Vec<&'a str> {
    let own = output.lines().filter(|line| line.split_whitespace().next() == Some(name));
    own.filter_map(|line| line.split_once("| ").map(|(_, text)| text)).collect()
}

#[test]
fn names_are_padded_to_one_column() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\nlonger_name: {OBEDIENT}"));
    let running = started_with(&sandbox, ["-m", "web=10,longer_name=1"], 11);
    let output = interrupted(&sandbox, running).output;
    let ready = output.lines().filter(|line| line.ends_with("| ready"));
    let mut columns: Vec<_> = ready.map(|line| line.find('|')).collect();
    columns.dedup();
    assert_eq!(columns.len(), 1, "{output}");
    assert!(lines_of(&output, "web.10").contains(&"ready"), "{output}");
}

#[test]
fn lines_of_several_loud_workers_are_never_torn_lost_or_out_of_order() {
    let procfile = ["a", "b", "c", "d"].map(|name| format!("{name}: seq -f '{name}%.0f-0123456789' 1 20000"));
    let sandbox = sandbox_with(&procfile.join("\n"));
    let running = sandbox.start(["start", "--any-can-die"]);
    let output = ended(&sandbox, running).output;
    for name in ["a", "b", "c", "d"] {
        let lines = lines_of(&output, &format!("{name}.1"));
        let lines: Vec<_> = lines.into_iter().filter(|line| line.starts_with(name)).collect();
        assert_eq!(lines.len(), 20000, "lines of {name}");
        for (index, line) in lines.iter().enumerate() {
            assert_eq!(*line, format!("{name}{}-0123456789", index + 1));
        }
    }
}

#[test]
fn the_last_line_is_shown_also_without_its_newline() {
    let sandbox = sandbox_with("web: printf 'first\\nlast'");
    let running = sandbox.start(["start"]);
    let output = ended(&sandbox, running).output;
    let lines = lines_of(&output, "web.1");
    assert!(lines.contains(&"first") && lines.contains(&"last"), "{output}");
}

#[test]
fn standard_error_is_shown_too() {
    let sandbox = sandbox_with("web: echo complaint >&2");
    let running = sandbox.start(["start"]);
    let output = ended(&sandbox, running).output;
    assert!(lines_of(&output, "web.1").contains(&"complaint"), "{output}");
}

#[test]
fn a_prompt_is_shown_before_its_line_ends() {
    let sandbox = sandbox_with("web: printf 'your name? '; exec tail -f /dev/null");
    let (running, terminal) = sandbox.ganger(["start"]).start_on_terminal();
    running.wait_line("your name? ");
    terminal.press("\x03");
    ended(&sandbox, running).expect_code(0);
}

#[test]
fn a_prompt_is_no_part_of_the_next_line_also_after_the_death_of_the_overseer() {
    let sandbox = sandbox_with("web: printf 'your name? '; exec tail -f /dev/null");
    let (running, terminal) = sandbox.ganger(["start"]).start_on_terminal();
    running.wait_seen("your name?");
    ganger_testkit::kill_nine(running.child_with("overseer"), Deadline::generous());
    let picture = running.wait_seen("was started again");
    let row = picture.row("was started again").unwrap_or_default();
    assert!(row.starts_with("system "), "{row:?}");
    terminal.press("\x03");
    ended(&sandbox, running).expect_code(0);
}

#[test]
fn the_first_exit_stops_all_and_is_the_exit_status() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: read go < gate; exit 3"));
    gate(&sandbox, "gate");
    let running = started(&sandbox, 1);
    open_gate(&sandbox, "gate");
    ended(&sandbox, running).expect_code(3);
}

#[test]
fn a_first_exit_with_0_stops_all_with_0() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: read go < gate"));
    gate(&sandbox, "gate");
    let running = started(&sandbox, 1);
    open_gate(&sandbox, "gate");
    ended(&sandbox, running).expect_code(0);
}

#[test]
fn a_death_by_signal_is_128_and_its_number() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: read go < gate; kill -SEGV $$"));
    gate(&sandbox, "gate");
    let running = started(&sandbox, 1);
    open_gate(&sandbox, "gate");
    assert_eq!(ended(&sandbox, running).exit, Exit::Code(128 + 11));
}

#[test]
fn a_group_that_may_die_leaves_the_others_running() {
    let sandbox =
        sandbox_with("web: echo ready; exit 3\njob: echo ready; read go < gate; echo still here; exit 4");
    gate(&sandbox, "gate");
    let running = started_with(&sandbox, ["--can-die", "web"], 2);
    running.wait_line("code 3");
    open_gate(&sandbox, "gate");
    running.wait_line("| still here");
    ended(&sandbox, running).expect_code(4);
}

#[test]
fn when_any_may_die_the_app_ends_with_its_last_worker() {
    let sandbox = sandbox_with("web: echo ready\njob: echo ready; read go < gate; echo last");
    gate(&sandbox, "gate");
    let running = started_with(&sandbox, ["--any-can-die"], 2);
    running.wait_line("code 0");
    open_gate(&sandbox, "gate");
    let finished = ended(&sandbox, running);
    assert!(lines_of(&finished.output, "job.1").contains(&"last"), "{finished}");
}

#[test]
fn a_group_with_auto_restart_is_started_again() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: echo again; exit 1"));
    let running = started_with(&sandbox, ["--auto-restart", "job"], 1);
    running.wait_lines("| again", 3);
    interrupted(&sandbox, running);
}

#[test]
fn one_group_can_be_started_alone_and_keeps_its_port() {
    let sandbox = sandbox_with(
        "web: echo ready $PORT; exec tail -f /dev/null\njob: echo ready $PORT; exec tail -f /dev/null",
    );
    let running = started_with(&sandbox, ["job"], 1);
    let output = interrupted(&sandbox, running).output;
    assert!(lines_of(&output, "job.1").contains(&"ready 5100"), "{output}");
    assert!(lines_of(&output, "web.1").is_empty(), "{output}");
}

#[test]
fn workers_know_their_name_and_port() {
    let sandbox = sandbox_with("web: echo $PS $PORT $GANGER_WORKER ready; exec tail -f /dev/null");
    let running = sandbox.start(["start", "-m", "web=2", "-p", "7000"]);
    running.wait_line("| web.1 7000 web.1 ready");
    running.wait_line("| web.2 7001 web.2 ready");
    interrupted(&sandbox, running);
}

#[test]
fn a_terminal_gets_colours_and_a_pipe_does_not() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = started(&sandbox, 1);
    assert!(!interrupted(&sandbox, running).output.contains('\x1b'));
    for (option, variable, coloured) in
        [(None, None, true), (Some("--no-color"), None, false), (None, Some("1"), false)]
    {
        let words: Vec<_> = ["start"].into_iter().chain(option).collect();
        let launch = sandbox.ganger_with(&words);
        let launch = if let Some(value) = variable { launch.env("NO_COLOR", value) } else { launch };
        let (running, terminal) = launch.start_on_terminal();
        running.wait_line("ready");
        terminal.press("\x03");
        let output = ended(&sandbox, running).output;
        assert_eq!(output.contains("\x1b["), coloured, "{option:?} {variable:?}: {output:?}");
    }
}

#[test]
fn a_slow_reader_loses_nothing() {
    let sandbox = sandbox_with("web: seq 1 200000");
    // The reader takes nothing before the worker has written far more than a pipe holds.
    let script = "ganger start | { read first; read go < gate; echo \"$first\"; cat; }";
    gate(&sandbox, "gate");
    let running = sandbox.program(["sh", "-c", script]).start();
    // This waits until the reader is there.
    sandbox.program(["sh", "-c", "echo go > gate"]).run().expect_code(0);
    let output = running.finish(Deadline::generous()).output;
    let numbers = output.lines().filter_map(|line| line.split_once("| ")?.1.parse::<u32>().ok());
    assert!(numbers.eq(1..=200_000));
    sandbox.assert_nothing_left();
}

#[test]
fn times_are_printed_on_request() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = started_with(&sandbox, ["--timestamp"], 1);
    let output = interrupted(&sandbox, running).output;
    let line = output.lines().find(|line| line.ends_with("| ready"));
    let time = line.and_then(|line| line.split(' ').next()).unwrap_or_default();
    assert!(time.len() >= 8 && time.as_bytes()[2] == b':' && time.as_bytes()[5] == b':', "{output}");
}
