//! Workers that wait for input while nobody is attached.

use ganger_testkit::{Deadline, Running, Sandbox, Terminal, kill_nine};

use crate::support::*;

/// What is said of `web`.
const TOLD: &str = "waits for input: type `ganger attach web.1` in another terminal";

fn in_terminal(procfile: &str) -> (Sandbox, Running, Terminal) {
    let sandbox = sandbox_with(procfile);
    let (running, terminal) = sandbox.ganger_with(&["start", "--no-color"]).start_on_terminal();
    (sandbox, running, terminal)
}

/// How often that was said until the app was ended by a key.
fn told_until_end(sandbox: &Sandbox, running: Running, terminal: &Terminal) -> usize {
    terminal.press("\x03");
    let finished = ended(sandbox, running);
    finished.expect_code(0);
    finished.output.matches("waits for input").count()
}

#[test]
fn who_reads_its_terminal_is_told_of_with_what_to_type_whether_it_prompts_or_takes_keys_or_not() {
    for command in [
        "sh -c 'read x'",
        "printf 'name? '; read x",
        "echo go on by return; read x; :",
        "TERM=dumb python3 -q -i",
        "exec python3 -c 'import getpass; getpass.getpass()'",
        "exec less Procfile",
    ] {
        let (sandbox, running, terminal) = in_terminal(&format!("web: {command}\nother: {OBEDIENT}"));
        running.wait_line(&format!("web.1   | {TOLD}"));
        assert_eq!(told_until_end(&sandbox, running, &terminal), 1, "{command}");
    }
}

#[test]
fn a_run_is_told_of_once_whatever_it_asks_and_whoever_oversees_it_and_the_next_run_again() {
    let asks = "while :; do printf 'more? '; read x || exit; echo got $x; done";
    let (sandbox, running, terminal) = in_terminal(&format!("web: {asks}"));
    running.wait_line(TOLD);
    kill_nine(running.child_with("overseer"), Deadline::generous());
    wait_taken_up(&sandbox, 1);
    for word in ["one", "two"] {
        let typed = sandbox.ganger(["attach", "web.1", "--no-history"]).input(format!("{word}\n")).start();
        running.wait_line(&format!("got {word}"));
        drop(typed);
    }
    sandbox.run(["restart", "web"]).expect_code(0);
    running.wait_lines(TOLD, 2);
    assert_eq!(told_until_end(&sandbox, running, &terminal), 2);
}

#[test]
fn who_does_not_read_who_has_no_terminal_and_who_is_attended_is_not_told_of() {
    let sandbox = sandbox_with(&format!(
        "web: read go < gate; exec cat\nquiet: printf 'starting... '; exec tail -f /dev/null\n\
         pipe: exec cat\nlast: {OBEDIENT}"
    ));
    sandbox.file("ganger.toml", "[groups.pipe]\nstdin = \"pipe\"\n");
    gate(&sandbox, "gate");
    let (running, terminal) = sandbox.ganger_with(&["start", "--no-color"]).start_on_terminal();
    running.wait_line("last.1  | ready");
    let (viewer, keyboard) = sandbox.ganger(["attach", "web.1"]).start_on_terminal();
    viewer.wait_line("attached to web.1");
    open_gate(&sandbox, "gate");
    keyboard.press("typed\r");
    running.wait_line("web.1   | typed");
    // By the time that this one is told of, the others have been looked at, too.
    sandbox.procfile(&format!(
        "web: read go < gate; exec cat\nquiet: printf 'starting... '; exec tail -f /dev/null\n\
         pipe: exec cat\nlast: {OBEDIENT}\nread: exec cat"
    ));
    sandbox.run(["reload"]).expect_code(0);
    running.wait_line("read.1  | waits for input: type `ganger attach read.1`");
    drop(viewer);
    assert_eq!(told_until_end(&sandbox, running, &terminal), 1);
}
