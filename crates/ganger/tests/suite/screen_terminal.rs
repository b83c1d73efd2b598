//! The live terminal of a worker on the screen of `ganger ui`.

use std::fs;

use ganger_testkit::{Deadline, Exit, Running, Sandbox, Terminal, kill_nine, wait_for_file};
use rustix::process::Signal;

use crate::support::*;

const DOWN: &str = "\x1b[B";
/// The key that lets go of a worker.
const DETACH: &str = "\x1d";

/// A worker that says what it hears, and how large its terminal is now whenever that changes.
const SIZES: &str = "\
import os, signal
signal.signal(signal.SIGWINCH, lambda *_: print('now', *os.get_terminal_size(), flush=True))
print('up', flush=True)
while True:
    print('heard', input('say: '), flush=True)
";

/// An app in which `web` has this command, a gate and a terminal, and a screen that shows that terminal.
fn seen(command: &str) -> (Sandbox, Running, Running, Terminal) {
    let sandbox = sandbox_with(&format!("web: {command}\nother: echo ready; exec tail -n +1 -f said"));
    sandbox.file("ganger.toml", "[groups.web]\ntty = true\n");
    sandbox.file("sizes.py", SIZES);
    sandbox.file("said", "");
    gate(&sandbox, "gate");
    let running = started(&sandbox, 1);
    let (screen, terminal) = sandbox.ganger(["ui"]).start_on_terminal();
    screen.wait_seen("2 of 2 up");
    terminal.press(DOWN);
    screen.wait_seen("web.1 RUNNING");
    terminal.press("v");
    screen.wait_seen("terminal 80×24 ─ live");
    (sandbox, running, screen, terminal)
}

fn left(sandbox: &Sandbox, running: Running, mut screen: Running, terminal: &Terminal) {
    terminal.press("q");
    assert_eq!(screen.wait_exit(Deadline::generous()), Exit::Code(0));
    assert!(terminal.is_in_lines());
    screen.wait_picture("the first screen", |picture| !picture.is_other);
    interrupted(sandbox, running);
}

#[test]
fn a_terminal_is_seen_without_a_change_to_it_and_typed_into_on_the_whole_screen() {
    let (sandbox, running, screen, terminal) = seen("exec python3 sizes.py");
    screen.wait_picture("the prompt", |picture| picture.shows("up") && picture.shows("say:"));
    terminal.press("a");
    screen.wait_picture("the worker alone", |picture| !picture.is_other && picture.shows("now 100 30"));
    terminal.press("hello\r");
    screen.wait_picture("the worker alone", |picture| !picture.is_other && picture.shows("heard hello"));
    terminal.press(DETACH);
    let back = screen.wait_picture("the screen again", |picture| {
        picture.is_other && picture.shows("terminal 100×30 ─ live") && picture.shows("heard hello")
    });
    assert!(back.shows("NAME") && back.shows("? help"), "{back:#?}");
    // Only who types changes the size.
    assert_eq!(raw(&sandbox, &["web"]).iter().filter(|line| line.contains("now")).count(), 1);
    terminal.press("v");
    screen.wait_seen("log ─ follows");
    left(&sandbox, running, screen, &terminal);
}

#[test]
fn what_happens_to_a_worker_is_told_in_its_terminal_and_no_death_of_an_overseer_is_seen() {
    let (sandbox, running, screen, terminal) = seen("exec python3 sizes.py");
    screen.wait_seen("say:");
    kill_nine(running.child_with("overseer"), Deadline::generous());
    running.wait_line("started again");
    terminal.press("a");
    screen.wait_picture("the worker alone", |picture| !picture.is_other && picture.shows("say:"));
    terminal.press("after the death\r");
    screen.wait_seen("heard after the death");
    terminal.press(DETACH);
    screen.wait_picture("the screen again", |picture| {
        picture.is_other && picture.shows("heard after the death")
    });
    terminal.press("x");
    screen.wait_picture("its end", |picture| picture.shows("web.1 STOPPED") && picture.shows("[web.1 "));
    terminal.press("s");
    screen.wait_picture("the next run", |picture| {
        picture.shows("[web.1 started with pid ") && picture.shows("web.1 RUNNING") && picture.shows("say:")
    });
    terminal.press("a");
    screen.wait_picture("the worker alone", |picture| !picture.is_other && picture.shows("say:"));
    sandbox.run(["scale", "web=0"]).expect_code(0);
    screen.wait_seen("[web.1 ");
    terminal.press(DETACH);
    screen.wait_picture("no worker", |picture| picture.is_other && picture.shows("0/0 up"));
    left(&sandbox, running, screen, &terminal);
}

#[test]
fn a_terminal_that_is_given_to_a_worker_is_as_it_was_when_the_screen_is_ended() {
    let (sandbox, running, mut screen, terminal) = seen("exec python3 sizes.py");
    terminal.press("a");
    screen.wait_picture("the worker alone", |picture| !picture.is_other && picture.shows("say:"));
    assert!(!terminal.is_in_lines());
    screen.signal(Signal::TERM);
    assert_eq!(screen.wait_exit(Deadline::generous()), Exit::Code(128 + Signal::TERM.as_raw()));
    assert!(terminal.is_in_lines());
    interrupted(&sandbox, running);
}

#[test]
fn a_worker_that_writes_100_megabytes_freezes_neither_the_screen_nor_other_workers() {
    // Behind the 100 MB it goes on, so that it is loud whenever something else is asked; but not before they were seen.
    let loud = "yes 'a line of the loud one' | head -c 100000000; touch written; read x < gate; exec yes 'it goes on'";
    let (sandbox, running, screen, terminal) = seen(loud);
    screen.wait_seen("a line of the loud one");
    let answers = |text: &str| {
        terminal.press("?");
        screen.wait_seen("the row above");
        terminal.press("\x1b");
        screen.wait_picture("no help", |picture| !picture.shows("the row above"));
        // The other worker is as quick as ever, and so is the screen on which the loud one is seen before and after.
        let said = fs::File::options().append(true).open(sandbox.path("said"));
        said.and_then(|mut file| std::io::Write::write_all(&mut file, format!("{text}\n").as_bytes()))
            .unwrap();
        terminal.press(DOWN);
        screen.wait_picture("the other worker", |picture| {
            picture.shows("other.1 RUNNING") && picture.shows(text)
        });
        terminal.press("\x1b[A");
        screen
            .wait_picture("the loud one", |picture| picture.shows("web.1 RUNNING") && picture.shows("live"));
    };
    answers("said in the first 100 MB");
    assert!(wait_for_file(sandbox.path("written"), Deadline::generous(), |_| true).is_ok());
    open_gate(&sandbox, "gate");
    screen.wait_seen("it goes on");
    answers("said behind the 100 MB");
    // The same with its log.
    terminal.press("v");
    screen.wait_picture("its log", |picture| picture.shows("log ─ follows") && picture.shows("it goes on"));
    terminal.press("?");
    screen.wait_seen("the row above");
    // What ESC begins might be another key.
    terminal.press("\x1b");
    screen.wait_picture("no help", |picture| !picture.shows("the row above"));
    terminal.press("x");
    screen.wait_seen("web.1 STOPPED");
    left(&sandbox, running, screen, &terminal);
}
