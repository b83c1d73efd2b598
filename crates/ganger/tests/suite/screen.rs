//! `ganger ui` and `ganger start --ui`, in a real terminal.

use std::fs;

use ganger_testkit::{Deadline, Exit, Running, Sandbox, Terminal, kill_nine, wait_gone};
use rustix::process::Signal;

use crate::support::*;

/// Arrows.
const DOWN: &str = "\x1b[B";
const UP: &str = "\x1b[A";
const PAGE_UP: &str = "\x1b[5~";
const ESCAPE: &str = "\x1b";

/// A worker that writes a line for each that comes through its gate.
const ECHOING: &str = "echo ready; exec tail -n +1 -f said";

/// A screen on the running app that has shown its list.
fn opened(sandbox: &Sandbox) -> (Running, Terminal) {
    let (screen, terminal) = sandbox.ganger(["ui"]).start_on_terminal();
    screen.wait_picture("the list", |picture| picture.shows("NAME") && picture.shows("? help"));
    (screen, terminal)
}

/// Lets the echoing worker write.
fn say(sandbox: &Sandbox, text: &str) {
    use std::io::Write;
    let file = fs::File::options().append(true).create(true).open(sandbox.path("said"));
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    assert!(written.is_ok(), "{written:?}");
}

/// The screen is left by its key, and the terminal is as it was.
fn left(mut screen: Running, terminal: &Terminal, key: &str) {
    terminal.press(key);
    assert_eq!(screen.wait_exit(Deadline::generous()), Exit::Code(0));
    assert!(terminal.is_in_lines());
    screen.wait_picture("the first screen", |picture| !picture.is_other);
}

#[test]
fn a_screen_chooses_restarts_scales_stops_and_starts() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    let running = started_with(&sandbox, ["--any-can-die"], 2);
    let (screen, terminal) = opened(&sandbox);
    screen.wait_seen("2 of 2 up");
    screen.wait_seen("web.1 | ready");
    let before = pid(&sandbox, "web.1");
    terminal.press(DOWN);
    screen.wait_seen("web.1 RUNNING");
    screen.wait_seen(&before.to_string());
    terminal.press("r");
    screen.wait_picture("another process", |picture| {
        !picture.shows(&before.to_string()) && picture.shows("2 of 2 up")
    });
    assert_ne!(pid(&sandbox, "web.1"), before);
    terminal.press("+");
    screen.wait_seen("web.2");
    assert_eq!(names(&sandbox), ["web.1", "web.2", "job.1"]);
    terminal.press("-");
    // Its end is told, too.
    let is_listed = |row: &String| row.trim_start().starts_with("web.2");
    screen.wait_picture("one worker less", |picture| !picture.rows.iter().any(is_listed));
    terminal.press("x");
    screen.wait_seen("web.1 STOPPED");
    terminal.press("s");
    screen.wait_seen("web.1 RUNNING");
    terminal.press(UP);
    screen.wait_seen("all, 2 workers");
    terminal.press("x");
    screen.wait_seen("stop 2 workers of the app?");
    terminal.press("n");
    screen.wait_picture("no question", |picture| !picture.shows("sure?"));
    left(screen, &terminal, "q");
    assert_eq!(worker(&sandbox, "job.1")["state"], "RUNNING", "the app goes on");
    interrupted(&sandbox, running);
}

#[test]
fn a_screen_searches_filters_holds_and_goes_through_all_that_is_stored() {
    let sandbox = sandbox_with(&format!("web: {ECHOING}"));
    let lines: Vec<String> = (1..=3_000).map(|at| format!("line {at}.\n")).collect();
    say(&sandbox, &format!("\x1b[31mfirst\x1b[0m of all\n{}", lines.concat()));
    let running = sandbox.start(["start"]);
    running.wait_line("line 3000.");
    let (screen, terminal) = opened(&sandbox);
    screen.wait_seen("line 3000.");
    terminal.press(PAGE_UP);
    screen.wait_seen("held");
    say(&sandbox, "line 3001.\n");
    let held = screen.wait_seen("held, 1 new");
    assert!(!held.shows("line 3001."));
    terminal.press("p");
    screen.wait_seen("line 3001.");
    terminal.press("/first\r");
    screen.wait_seen("| first of all");
    terminal.press("n");
    screen.wait_seen("\"first\" is not above");
    terminal.press("/line 1500\r");
    screen.wait_seen("\"line 1500\" is not above");
    terminal.press("N");
    screen.wait_seen("line 1500.");
    terminal.press(ESCAPE);
    screen.wait_picture("no search", |picture| !picture.shows("/line 1500"));
    terminal.press("f(\r");
    screen.wait_seen("unclosed group");
    terminal.press("\x15 299\\d\\.\r");
    screen.wait_picture("what is filtered", |picture| {
        picture.shows("line 2999.") && !picture.shows("line 3000.")
    });
    say(&sandbox, "another line 2990.\nanother line 5.\n");
    let filtered = screen.wait_seen("another line 2990.");
    assert!(!filtered.shows("another line 5."), "{filtered:#?}");
    left(screen, &terminal, "q");
    interrupted(&sandbox, running);
}

#[test]
fn a_screen_goes_on_with_the_next_overseer_and_tells_the_end_of_the_app() {
    let sandbox = sandbox_with(&format!("web: {ECHOING}"));
    say(&sandbox, "");
    let running = started(&sandbox, 1);
    let (screen, terminal) = opened(&sandbox);
    screen.wait_seen("web.1 | ready");
    kill_nine(running.child_with("overseer"), Deadline::generous());
    running.wait_line("started again");
    say(&sandbox, "after the death\n");
    screen.wait_seen("after the death");
    terminal.press(DOWN);
    screen.wait_seen("web.1 RUNNING");
    running.signal(Signal::INT);
    let last = screen.wait_seen("it has ended");
    assert!(last.shows("after the death"), "what was shown stays: {last:#?}");
    terminal.press("r");
    screen.wait_seen("restart web.1: it has ended");
    left(screen, &terminal, "q");
    ended(&sandbox, running);
}

#[test]
fn the_terminal_is_as_it_was_however_the_screen_ends() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = started(&sandbox, 1);
    for key in ["q", "\x03"] {
        let (screen, terminal) = opened(&sandbox);
        assert!(!terminal.is_in_lines(), "keys come one by one");
        left(screen, &terminal, key);
    }
    for signal in [Signal::TERM, Signal::HUP] {
        let (mut screen, terminal) = opened(&sandbox);
        screen.signal(signal);
        assert_eq!(screen.wait_exit(Deadline::generous()), Exit::Code(128 + signal.as_raw()));
        assert!(terminal.is_in_lines());
        screen.wait_picture("the first screen", |picture| !picture.is_other);
    }
    let (mut screen, mut terminal) = opened(&sandbox);
    terminal.hang_up();
    screen.wait_exit(Deadline::generous());
    let (mut screen, terminal) = opened(&sandbox);
    terminal.press("Qy");
    screen.wait_seen("it has ended");
    terminal.press("q");
    assert_eq!(screen.wait_exit(Deadline::generous()), Exit::Code(0));
    ended(&sandbox, running);
}

#[test]
fn a_screen_opens_on_an_app_in_the_background_from_anywhere_but_not_without_a_terminal() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    sandbox.run(["start", "-D"]).success();
    let elsewhere = sandbox.root().join("home");
    let (screen, terminal) = sandbox.ganger(["ui", "--app", "app"]).dir(elsewhere).start_on_terminal();
    screen.wait_seen("1 of 1 up");
    terminal.press("?");
    screen.wait_seen("stop all workers and end the app");
    terminal.press(ESCAPE);
    screen.wait_seen("web.1 | ready");
    left(screen, &terminal, "q");
    let refused = sandbox.run(["ui"]);
    refused.expect_code(2);
    refused.error(&["terminal"]);
    let [keeper, _] = parts(&sandbox);
    sandbox.run(["quit"]).success();
    assert!(wait_gone(keeper, Deadline::generous()));
    sandbox.assert_nothing_left();
}

/// How often a process went to sleep.
fn sleeps(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    let count = line.and_then(|line| line.trim().parse().ok());
    count.unwrap_or_else(|| panic!("nothing is known of {pid}: {status}"))
}

/// A screen on which these keys were pressed and this is seen then, and on which nothing happens any more.
fn never_wakes_up(keys: &str, text: &str) {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    sandbox.file("ganger.toml", "[groups.web]\ntty = true\n");
    let running = started(&sandbox, 1);
    let (screen, terminal) = opened(&sandbox);
    screen.wait_seen("1 of 1 up");
    terminal.press(keys);
    screen.wait_seen(text);
    screen.wait_seen("figures of");
    let before = sleeps(screen.pid());
    // Others ask the app meanwhile: that is no news.
    for _ in 0..10 {
        names(&sandbox);
    }
    let woken = sleeps(screen.pid()) - before;
    assert!(woken <= 1, "it went to sleep once more after what it drew last, and then {woken} times");
    terminal.press(DOWN);
    screen.wait_picture("figures of now", |picture| !picture.shows("figures of"));
    left(screen, &terminal, "q");
    interrupted(&sandbox, running);
}

#[test]
fn a_screen_on_which_nothing_happens_never_wakes_up() {
    never_wakes_up("", "web.1 | ready");
}

#[test]
fn a_terminal_in_which_nothing_happens_wakes_nobody_who_sees_it() {
    never_wakes_up(&format!("{DOWN}v"), "terminal 80×24 ─ live");
}

#[test]
fn an_app_that_is_started_with_a_screen_ends_with_it() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: echo done; exit 3"));
    let (mut screen, terminal) = sandbox.ganger(["start", "--ui"]).start_on_terminal();
    screen.wait_seen("web.1 | ready");
    screen.wait_seen("EXITED");
    terminal.press("q");
    screen.wait_seen("stop 1 worker and end app?");
    terminal.press("n");
    screen.wait_picture("no question", |picture| !picture.shows("sure?"));
    terminal.press("qq");
    assert_eq!(screen.wait_exit(Deadline::generous()), Exit::Code(0));
    sandbox.assert_nothing_left();
    assert!(terminal.is_in_lines());
}

#[test]
fn workers_of_an_app_that_is_started_with_a_screen_draw_for_the_room_that_there_is() {
    let told = "stty size; while :; do sleep 3600 & wait $!; done";
    let sandbox = sandbox_with(&format!("web: trap 'stty size' WINCH; {told}"));
    let (mut screen, terminal) = sandbox.ganger(["start", "--ui"]).start_on_terminal();
    screen.wait_seen("web.1 | 23 100");
    terminal.resize(140, 40);
    screen.wait_seen("web.1 | 33 140");
    terminal.press("z");
    screen.wait_seen("36 140");
    kill_nine(parts(&sandbox)[1], Deadline::generous());
    sandbox.run(["restart", "web"]).expect_code(0);
    let logged = sandbox.run(["logs", "-n", "1"]).success();
    assert!(logged.ends_with("36 140\n"), "{logged}");
    terminal.press("qq");
    assert_eq!(screen.wait_exit(Deadline::generous()), Exit::Code(0));
    sandbox.assert_nothing_left();
}

#[test]
fn nothing_is_left_of_an_app_whose_screen_is_gone() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    for end in ["TERM", "hang up", "KILL"] {
        let (mut screen, mut terminal) = sandbox.ganger(["start", "--ui"]).start_on_terminal();
        screen.wait_seen("web.1 | ready");
        let all: Vec<i32> = sandbox.census().iter().map(|process| process.pid).collect();
        match end {
            "TERM" => screen.signal(Signal::TERM),
            "KILL" => screen.kill_nine(),
            _ => terminal.hang_up(),
        }
        screen.wait_exit(Deadline::generous());
        for pid in all {
            assert!(wait_gone(pid, Deadline::generous()), "{end}: {pid} is left");
        }
        sandbox.assert_nothing_left();
    }
}

#[test]
fn a_start_with_a_screen_says_why_it_cannot_be() {
    let sandbox = sandbox();
    sandbox.procfile("web: exec tail -f /dev/null");
    let running = sandbox.start(["start"]);
    running.wait_line("web.1");
    let (screen, _terminal) = sandbox.ganger(["start", "--ui"]).start_on_terminal();
    let refused = screen.finish(Deadline::generous());
    refused.expect_code(1);
    assert!(refused.output.contains("ganger ui"), "{refused}");
    interrupted(&sandbox, running);
    sandbox.run(["start", "--ui"]).error(&["terminal"]);
    sandbox.file("Procfile", "nothing\n");
    let (screen, _terminal) = sandbox.ganger(["start", "--ui"]).start_on_terminal();
    let refused = screen.finish(Deadline::generous());
    assert!(refused.output.contains("Procfile") && !refused.output.contains("\x1b[?1049h"), "{refused}");
    sandbox.assert_nothing_left();
}
