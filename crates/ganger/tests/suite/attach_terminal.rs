//! A worker with a terminal of its own, seen and typed to in another one.

use std::time::Duration;

use ganger_testkit::{Deadline, Running, Sandbox, Screen, Terminal, kill_nine, wait_for_file, wait_gone};

use crate::support::*;

/// The size of a terminal of the test kit: columns and rows.
const SIZE: (u16, u16) = (100, 30);

/// An app in which `web` has this command and a terminal.
fn app(command: &str) -> (Sandbox, Running) {
    let sandbox = sandbox_with(&format!("web: {command}\nother: {OBEDIENT}"));
    sandbox.file("ganger.toml", "[groups.web]\ntty = true\n");
    let running = started(&sandbox, 1);
    (sandbox, running)
}

fn attach<const N: usize>(sandbox: &Sandbox, words: [&str; N]) -> (Running, Terminal) {
    let words: Vec<&str> = ["attach", "web.1"].into_iter().chain(words).collect();
    let (viewer, terminal) = sandbox.ganger_with(&words).env("TERM", "xterm-256color").start_on_terminal();
    viewer.wait_line("attached to web.1");
    (viewer, terminal)
}

/// Blocks until `web` has drawn this: a program that is only about to start may miss that its window gets another size.
#[track_caller]
fn has_drawn(sandbox: &Sandbox, text: &str) {
    let log = sandbox.state().join("logs/web.1.log");
    let drawn = wait_for_file(log, Deadline::generous(), |log| log.contains(text));
    assert!(drawn.is_ok(), "{drawn:?}");
}

/// Blocks until the screen shows this.
#[track_caller]
fn shows(viewer: &Running, text: &str) -> String {
    viewer.wait_screen(SIZE, |screen| screen.contents().contains(text))
}

/// Whether nano has drawn for all of the screen: its help is at the end, where the last row may be under ganger's own words.
/// When it is only about to see that its window has another size, it takes that for what is typed.
fn is_filled_by_nano(screen: &Screen) -> bool {
    let (rows, columns) = screen.size();
    let mut last_but_one = screen.rows(0, columns.get()).skip(usize::from(rows.get()) - 2);
    screen.alternate_screen() && last_but_one.next().is_some_and(|row| row.contains("^G Help"))
}

/// Lets go; the terminal is as it was.
fn detach(mut viewer: Running, terminal: &Terminal) {
    terminal.press("\x1d");
    viewer.wait_line("detached from web.1");
    viewer.wait_exit(Deadline::generous());
    assert!(terminal.is_in_lines(), "the terminal is given back");
    viewer.finish(Deadline::generous()).expect_code(0);
}

/// Ends the app while a viewer looks.
fn ended_before(sandbox: &Sandbox, running: Running, mut viewer: Running) {
    sandbox.run(["quit", "--now"]).expect_code(0);
    viewer.wait_exit(Deadline::generous());
    ended(sandbox, running);
}

/// Kills the process that decides, and waits for the next.
fn kill_overseer(sandbox: &Sandbox, running: &Running) {
    kill_nine(running.child_with("overseer"), Deadline::generous());
    sandbox.run(["ps"]).expect_code(0);
}

#[test]
fn python_is_typed_to_and_is_the_same_after_the_death_of_the_overseer() {
    let (sandbox, running) = app("TERM=dumb exec python3 -q -i");
    let python = pid(&sandbox, "web.1");
    let (viewer, terminal) = attach(&sandbox, []);
    shows(&viewer, ">>>");
    terminal.press("answer = 6 * 7\r");
    shows(&viewer, "answer = 6 * 7\n>>>");
    terminal.press("print('is', answer)\r");
    shows(&viewer, "is 42");
    kill_overseer(&sandbox, &running);
    terminal.press("print('still', answer)\r");
    shows(&viewer, "still 42");
    detach(viewer, &terminal);
    let (viewer, terminal) = attach(&sandbox, []);
    let screen = shows(&viewer, "still 42");
    assert!(screen.contains("is 42"), "{screen}");
    // Ctrl-C is the worker's.
    terminal.press("\x03");
    shows(&viewer, "KeyboardInterrupt");
    terminal.press("print('after', answer)\r");
    shows(&viewer, "after 42");
    assert_eq!(pid(&sandbox, "web.1"), python);
    detach(viewer, &terminal);
    interrupted(&sandbox, running);
}

#[test]
fn a_full_screen_is_drawn_again_as_it_was_and_follows_the_size_of_the_window() {
    let (sandbox, running) = app("seq -f 'line %g' 1000 > text; exec less text");
    has_drawn(&sandbox, "line 9");
    let less = pid(&sandbox, "web.1");
    let (viewer, terminal) = attach(&sandbox, []);
    viewer.wait_screen(SIZE, |screen| screen.contents().contains("line 29") && screen.alternate_screen());
    terminal.press("500g");
    let before = shows(&viewer, "line 528");
    assert!(before.starts_with("line 500\n"), "{before}");
    detach(viewer, &terminal);
    kill_overseer(&sandbox, &running);
    let (viewer, terminal) = attach(&sandbox, []);
    let wanted = |screen: &Screen| screen.alternate_screen() && screen.contents().contains("line 528");
    let after = viewer.wait_screen(SIZE, wanted);
    // The first line is under ganger's own words until something is typed.
    assert_eq!(after.lines().skip(1).collect::<Vec<_>>(), before.lines().skip(1).collect::<Vec<_>>());
    terminal.press("\x0c");
    viewer.wait_screen(SIZE, |screen| screen.contents() == before);
    let mark = viewer.mark();
    terminal.resize(60, 12);
    viewer.wait_screen_after(mark, (60, 12), |screen| screen.contents().starts_with("line 500\n"));
    terminal.press("G");
    viewer.wait_screen_after(mark, (60, 12), |screen| screen.contents().starts_with("line 990\n"));
    assert_eq!(pid(&sandbox, "web.1"), less);
    detach(viewer, &terminal);
    interrupted(&sandbox, running);
}

#[test]
fn an_editor_writes_what_was_typed_and_letting_go_leaves_the_usual_screen() {
    let (sandbox, running) = app("exec vim -u NONE -n text");
    has_drawn(&sandbox, "\"text\"");
    let (viewer, terminal) = attach(&sandbox, []);
    viewer.wait_screen(SIZE, |screen| screen.contents().matches('~').count() == usize::from(SIZE.1) - 2);
    terminal.press("iwritten in ");
    shows(&viewer, "written in ");
    kill_overseer(&sandbox, &running);
    terminal.press("vim\x1b:w\r");
    viewer.wait_screen(SIZE, |screen| {
        ["15 bytes written", "15B written"].iter().any(|said| screen.contents().contains(said))
    });
    assert_eq!(std::fs::read_to_string(sandbox.path("text")).unwrap(), "written in vim\n");
    terminal.press("\x1d");
    viewer.wait_screen(SIZE, |screen| {
        !screen.alternate_screen() && screen.contents().contains("detached from web.1")
    });
    viewer.finish(Deadline::generous()).expect_code(0);
    interrupted(&sandbox, running);
}

#[test]
fn top_is_drawn_again_and_its_keys_work() {
    let (sandbox, running) = app("TERM=xterm exec top -d 1");
    let (viewer, terminal) = attach(&sandbox, []);
    shows(&viewer, "load average");
    detach(viewer, &terminal);
    let (mut viewer, terminal) = attach(&sandbox, ["--once"]);
    viewer.wait_screen(SIZE, |screen| screen.contents().starts_with("top - "));
    terminal.press("q");
    viewer.wait_line("web.1 exited");
    viewer.wait_exit(Deadline::generous());
    viewer.finish(Deadline::generous());
    ended(&sandbox, running);
}

#[test]
fn nano_is_the_same_after_the_death_of_the_overseer_and_follows_the_size_of_the_window() {
    let (sandbox, running) = app("exec nano --ignorercfiles text");
    has_drawn(&sandbox, "New File");
    let nano = pid(&sandbox, "web.1");
    let (viewer, terminal) = attach(&sandbox, []);
    viewer.wait_screen(SIZE, is_filled_by_nano);
    terminal.press("written in ");
    shows(&viewer, "written in");
    detach(viewer, &terminal);
    kill_overseer(&sandbox, &running);
    let (viewer, terminal) = attach(&sandbox, []);
    viewer.wait_screen(SIZE, |screen| is_filled_by_nano(screen) && screen.contents().contains("written in"));
    terminal.press("nano");
    shows(&viewer, "written in nano");
    let mark = viewer.mark();
    terminal.resize(60, 12);
    viewer.wait_screen_after(mark, (60, 12), |screen| {
        screen.contents().contains("written in nano") && is_filled_by_nano(screen)
    });
    terminal.press("\x0f\r");
    viewer.wait_screen_after(mark, (60, 12), |screen| screen.contents().contains("Wrote 1 line"));
    assert_eq!(std::fs::read_to_string(sandbox.path("text")).unwrap(), "written in nano\n");
    assert_eq!(pid(&sandbox, "web.1"), nano);
    detach(viewer, &terminal);
    interrupted(&sandbox, running);
}

#[test]
fn htop_is_drawn_again_after_the_death_of_the_overseer_and_its_keys_work() {
    let (sandbox, running) = app("TERM=xterm-256color exec htop");
    let (viewer, terminal) = attach(&sandbox, []);
    let is_drawn = |screen: &Screen| {
        screen.alternate_screen()
            && ["Load average", "F10"].iter().all(|text| screen.contents().contains(text))
    };
    viewer.wait_screen(SIZE, is_drawn);
    detach(viewer, &terminal);
    kill_overseer(&sandbox, &running);
    let (mut viewer, terminal) = attach(&sandbox, ["--once"]);
    viewer.wait_screen(SIZE, is_drawn);
    terminal.press("h");
    shows(&viewer, "show this help screen");
    terminal.press(" ");
    viewer.wait_screen(SIZE, is_drawn);
    terminal.press("q");
    viewer.wait_line("web.1 exited");
    viewer.wait_exit(Deadline::generous());
    viewer.finish(Deadline::generous());
    ended(&sandbox, running);
}

#[test]
fn a_shell_has_job_control_and_a_debugger_stops_where_it_is_told() {
    let (sandbox, running) = app("PS1='prompt> ' exec bash --norc --noprofile");
    sandbox.file("sum.py", "import pdb\nx = 1\npdb.set_trace()\nx = x + 1\nprint('sum', x)\n");
    has_drawn(&sandbox, "prompt>");
    let (viewer, terminal) = attach(&sandbox, []);
    shows(&viewer, "prompt>");
    terminal.press("sh -c 'echo job $((40+1)); exec cat'\r");
    shows(&viewer, "job 41");
    terminal.press("\x1a");
    shows(&viewer, "Stopped");
    terminal.press("jobs; kill %1; echo job $((40+2))\r");
    shows(&viewer, "job 42");
    terminal.press("python3 sum.py\r");
    shows(&viewer, "(Pdb)");
    terminal.press("x = 41\r");
    shows(&viewer, "x = 41\n(Pdb)");
    terminal.press("c\r");
    shows(&viewer, "sum 42");
    detach(viewer, &terminal);
    interrupted(&sandbox, running);
}

/// A worker that says what it hears, and how large its terminal is now whenever that changes.
const SIZES: &str = "\
import os, signal
signal.signal(signal.SIGWINCH, lambda *_: print('now', *os.get_terminal_size(), flush=True))
print('up', flush=True)
while True:
    print('heard', input(), flush=True)
";

#[test]
fn two_viewers_see_the_same_and_the_smaller_one_decides_the_size() {
    let sandbox = sandbox_with(&format!("web: exec python3 sizes.py\nother: {OBEDIENT}"));
    sandbox.file("ganger.toml", "[groups.web]\ntty = true\n");
    sandbox.file("sizes.py", SIZES);
    let running = started(&sandbox, 1);
    has_drawn(&sandbox, "up");
    let (first, typist) = attach(&sandbox, []);
    let (second, small) = attach(&sandbox, []);
    let (watcher, watching) = attach(&sandbox, ["--read-only"]);
    typist.press("one\r");
    for viewer in [&first, &second, &watcher] {
        shows(viewer, "heard one");
    }
    small.resize(40, 10);
    shows(&first, "now 40 10");
    second.wait_screen((40, 10), |screen| screen.contents().contains("heard one"));
    watching.resize(20, 5);
    watching.press("unheard\r");
    typist.press("two\r");
    shows(&first, "heard two");
    watcher.wait_screen((20, 5), |screen| screen.contents().contains("heard two"));
    detach(second, &small);
    shows(&first, "now 100 30");
    typist.press("three\r");
    let screen = shows(&first, "heard three");
    assert!(!screen.contains("unheard"), "{screen}");
    detach(watcher, &watching);
    ended_before(&sandbox, running, first);
}

#[test]
fn the_window_of_start_decides_the_size_only_while_nobody_is_attached() {
    let sandbox = sandbox_with("web: exec python3 sizes.py\nother: exec python3 sizes.py");
    sandbox.file("sizes.py", SIZES);
    let (running, window) = sandbox.ganger_with(&["start", "--no-color"]).start_on_terminal();
    running.wait_line("web.1   | up");
    running.wait_line("other.1 | up");
    let (viewer, terminal) = attach(&sandbox, []);
    terminal.resize(40, 10);
    shows(&viewer, "now 40 10");
    // The name and the bar take ten columns.
    window.resize(70, 20);
    running.wait_line("other.1 | now 60 20");
    terminal.press("one\r");
    let screen = shows(&viewer, "heard one");
    assert!(!screen.contains("now 60"), "{screen}");
    detach(viewer, &terminal);
    running.wait_line("web.1   | now 60 20");
    window.resize(80, 21);
    running.wait_line("web.1   | now 70 21");
    window.press("\x03");
    ended(&sandbox, running).expect_code(0);
}

#[test]
fn in_tmux_a_viewer_is_as_in_any_other_terminal() {
    let sandbox = sandbox_with(&format!("web: exec python3 sizes.py\nother: {OBEDIENT}"));
    sandbox.file("ganger.toml", "[groups.web]\ntty = true\n");
    sandbox.file("sizes.py", SIZES);
    let running = started(&sandbox, 1);
    has_drawn(&sandbox, "up");
    let socket = sandbox.path("tmux").display().to_string();
    let tmux = ["tmux", "-u", "-S", &socket, "-f", "/dev/null", "new-session"];
    let launch = sandbox.ganger(["attach", "web.1"]).through(tmux).env("TERM", "xterm-256color");
    let (mut viewer, terminal) = launch.without_env("TMUX").start_on_terminal();
    // What is said to who attaches may be overwritten by this before tmux shows it.
    shows(&viewer, "now 100 29");
    terminal.press("one\r");
    shows(&viewer, "heard one");
    // The last line is tmux's own.
    let mark = viewer.mark();
    terminal.resize(60, 12);
    viewer.wait_screen_after(mark, (60, 12), |screen| screen.contents().contains("now 60 11"));
    kill_overseer(&sandbox, &running);
    terminal.press("two\r");
    viewer.wait_screen_after(mark, (60, 12), |screen| screen.contents().contains("heard two"));
    terminal.press("\x1d");
    viewer.wait_exit(Deadline::generous());
    viewer.finish(Deadline::generous()).expect_code(0);
    interrupted(&sandbox, running);
}

#[test]
fn what_is_typed_comes_byte_for_byte() {
    let (sandbox, running) = app("stty raw -echo; echo raw; exec head -c 1000 > typed");
    let (viewer, terminal) = attach(&sandbox, []);
    shows(&viewer, "raw");
    let head = pid(&sandbox, "web.1");
    // Control characters but for the one that detaches, escape sequences of keys, mouse and pasted text, letters.
    let all: String = (0..128_u8).filter(|byte| *byte != 0x1d).map(char::from).collect();
    let mut typed = format!("{all}\x1b[A\x1b[<0;3;4M\x1b[200~pasted\r\n\x1b[201~é日本𝄞");
    typed.push_str(&"x".repeat(1000 - typed.len()));
    terminal.press(&typed);
    assert!(wait_gone(head, Deadline::generous()));
    assert_eq!(std::fs::read(sandbox.path("typed")).unwrap(), typed.as_bytes());
    drop(viewer);
    ended(&sandbox, running);
}

#[test]
fn a_worker_that_writes_100_megabytes_freezes_no_viewer_and_no_other_worker() {
    let loud = "read go; yes 'a line of the loud one' | head -c 100000000; echo all written; echo > written; \
                exec cat";
    let (sandbox, running) = app(loud);
    let (slow, stuck) = attach(&sandbox, []);
    let (viewer, terminal) = attach(&sandbox, []);
    // Nobody reads what this one shows any more.
    let mut stuck = stuck;
    stuck.hang_up();
    drop(slow);
    terminal.press("go\r");
    viewer.wait_line("a line of the loud one");
    sandbox.run(["restart", "other"]).expect_code(0);
    detach(viewer, &terminal);
    let deadline = Deadline::after(Duration::from_mins(5));
    let written = wait_for_file(sandbox.path("written"), deadline, |_| true);
    assert!(written.is_ok(), "{written:?}");
    let (viewer, terminal) = attach(&sandbox, []);
    shows(&viewer, "all written");
    terminal.press("echoed\r");
    shows(&viewer, "echoed\nechoed");
    detach(viewer, &terminal);
    interrupted(&sandbox, running);
}

#[test]
fn the_next_run_is_gone_on_with_also_after_a_full_screen() {
    let command =
        "if test -e second; then echo second run; exec cat; fi; touch second; echo text > t; exec less t";
    let (sandbox, running) = app(command);
    has_drawn(&sandbox, "(END)");
    let (viewer, terminal) = attach(&sandbox, []);
    viewer.wait_screen(SIZE, |screen| screen.alternate_screen() && screen.contents().contains("text"));
    sandbox.run(["restart", "web"]).expect_code(0);
    let said = ["second run", "[web.1 started with pid"];
    viewer.wait_screen(SIZE, |screen| {
        !screen.alternate_screen() && said.iter().all(|said| screen.contents().contains(said))
    });
    terminal.press("typed\r");
    shows(&viewer, "typed\ntyped");
    detach(viewer, &terminal);
    interrupted(&sandbox, running);
}
