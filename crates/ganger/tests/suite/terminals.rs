//! Workers that have a terminal of their own.

use ganger_testkit::{Deadline, Running, Sandbox, Terminal, kill_nine, wait_gone};

use crate::support::*;

/// Says whether its streams are terminals, and how large.
const TELLS: &str =
    "test -t 0 -a -t 1 -a -t 2 && echo tty of $(stty size); trap 'echo now $(stty size)' WINCH";

/// A worker that waits for a line, and prints many then.
const MANY: &str = "echo ready; read x < gate; seq -f 'line %.0f' 5000; exec tail -f /dev/null";

fn on_terminal(sandbox: &Sandbox, words: &[&str]) -> (Running, Terminal) {
    sandbox.ganger_with(words).start_on_terminal()
}

/// Ends the app by a key.
fn ended_by_key(sandbox: &Sandbox, running: Running, terminal: &Terminal) -> String {
    terminal.press("\x03");
    let finished = ended(sandbox, running);
    finished.expect_code(0);
    finished.output
}

/// Demands each of the many lines once and in order, of what the log has.
#[track_caller]
fn assert_many(sandbox: &Sandbox, worker: &str) {
    let stored = sandbox.run(["logs", "--raw", worker]).success();
    let lines: Vec<&str> = stored.lines().filter(|line| line.starts_with("line ")).collect();
    let expected: Vec<String> = (1..=5000).map(|number| format!("line {number}")).collect();
    assert!(lines == expected, "{} lines, the last {:?}", lines.len(), lines.last());
}

#[test]
fn in_a_terminal_a_worker_has_one_that_is_as_wide_as_its_lines_may_be_and_follows_the_window() {
    let sandbox = sandbox_with(&format!("web: {TELLS}; echo term $TERM.; {WAITING}"));
    let launch = sandbox.ganger(["start"]).env("TERM", "screen");
    let (running, terminal) = launch.start_on_terminal();
    // The name and the bar take nine columns.
    running.wait_line("tty of 30 91");
    running.wait_line("term screen.");
    terminal.resize(60, 20);
    running.wait_line("now 20 51");
    ended_by_key(&sandbox, running, &terminal);
}

#[test]
fn who_wants_no_terminal_has_none_and_where_nobody_looks_only_who_wants_one_has_one() {
    let sandbox = sandbox_with("a: test -t 1 && echo yes || echo no\nb: test -t 1 && echo yes || echo no");
    sandbox.file("ganger.toml", "[groups.a]\ntty = true\n[groups.b]\ntty = false\n");
    for (words, of_a, of_b) in [
        (&["start", "--any-can-die"][..], "yes", "no"),
        (&["start", "--any-can-die", "--tty"][..], "yes", "no"),
        (&["start", "--any-can-die", "--no-tty"][..], "no", "no"),
    ] {
        let running = sandbox.ganger_with(words).start();
        let output = ended(&sandbox, running).output;
        assert!(output.contains(&format!("a.1    | {of_a}\n")), "{words:?}: {output}");
        assert!(output.contains(&format!("b.1    | {of_b}\n")), "{words:?}: {output}");
    }
    sandbox.file("ganger.toml", "");
    for (word, said) in [("--tty", "yes"), ("--no-tty", "no")] {
        let running = sandbox.start(["start", "--any-can-die", word]);
        let output = ended(&sandbox, running).output;
        assert!(output.contains(&format!("b.1    | {said}\n")), "{word}: {output}");
    }
}

#[test]
fn the_api_tells_who_has_a_terminal() {
    let sandbox = sandbox_with(&format!("a: {OBEDIENT}\nb: {OBEDIENT}\nc: {OBEDIENT}"));
    sandbox.file("ganger.toml", "[groups.a]\ntty = true\n[groups.c]\ntty = true\nautostart = false\n");
    let running = started(&sandbox, 2);
    let has = || ["a.1", "b.1", "c.1"].map(|name| worker(&sandbox, name)["terminal"] == true);
    // The one that was never started is to have one.
    assert_eq!(has(), [true, false, true]);
    kill_nine(running.child_with("overseer"), Deadline::generous());
    wait_taken_up(&sandbox, 1);
    assert_eq!(has(), [true, false, true]);
    interrupted(&sandbox, running);
    let running = started_with(&sandbox, ["--no-tty"], 2);
    assert_eq!(has(), [false, false, false]);
    interrupted(&sandbox, running);
}

#[test]
fn what_a_worker_draws_does_not_reach_the_terminal_of_all_and_the_log_has_every_byte() {
    let draws =
        r"printf '\033[2J\033[H\033[31mred\033[0m\n10%%\r20%%\r100%%\n\033[?1049hpage\n\033[?1049lend\n'";
    let sandbox = sandbox_with(&format!("web: {draws}; {OBEDIENT}"));
    let (running, terminal) = on_terminal(&sandbox, &["start", "--no-color"]);
    running.wait_line("ready");
    let raw = sandbox.run(["logs", "--raw", "web"]).success();
    assert!(raw.starts_with("\x1b[2J\x1b[H\x1b[31mred\x1b[0m\r\n10%\r20%\r100%\r\n"), "{raw:?}");
    let plain = sandbox.run(["logs", "--no-names", "web"]).success();
    assert!(plain.starts_with("red\n100%\n(takes the whole screen"), "{plain:?}");
    let output = ended_by_key(&sandbox, running, &terminal);
    for shown in ["web.1  | \x1b[31mred\x1b[0m\r\n", "web.1  | 100%\r\n", "web.1  | end\r\n"] {
        assert!(output.contains(shown), "no {shown:?}: {output:?}");
    }
    assert!(
        !output.contains("\x1b[2J") && !output.contains("1049") && !output.contains("page"),
        "{output:?}"
    );
}

#[test]
fn a_terminal_and_what_is_unread_in_it_outlive_the_overseer() {
    let sandbox = sandbox_with(&format!("web: {MANY}"));
    gate(&sandbox, "gate");
    let running = started_with(&sandbox, ["--tty"], 1);
    let worker = pid(&sandbox, "web.1");
    for round in 1..=3 {
        if round == 2 {
            open_gate(&sandbox, "gate");
        }
        kill_nine(running.child_with("overseer"), Deadline::generous());
        wait_taken_up(&sandbox, round);
    }
    running.wait_line("line 5000");
    assert_eq!(pid(&sandbox, "web.1"), worker);
    assert_many(&sandbox, "web");
    interrupted(&sandbox, running);
}

#[test]
fn a_terminal_outlives_a_keeper_in_the_background_and_another_program_in_its_place() {
    let sandbox = sandbox_with(&format!("web: trap 'echo hung up' HUP; {MANY}"));
    sandbox.file("ganger.toml", "[groups.web]\ntty = true\n");
    gate(&sandbox, "gate");
    sandbox.run(["start", "-D"]).expect_code(0);
    let worker = pid(&sandbox, "web.1");
    let [keeper, _] = parts(&sandbox);
    kill_nine(keeper, Deadline::generous());
    wait_taken_up(&sandbox, 1);
    sandbox.run(["upgrade"]).expect_code(0);
    open_gate(&sandbox, "gate");
    let logs = sandbox.start(["logs", "-f", "web"]);
    logs.wait_line("line 5000");
    assert_eq!(pid(&sandbox, "web.1"), worker);
    assert_many(&sandbox, "web");
    assert!(!logs.output().contains("hung up"), "{}", logs.output());
    let [keeper, _] = parts(&sandbox);
    sandbox.run(["quit"]).expect_code(0);
    assert!(wait_gone(keeper, Deadline::generous()));
    drop(logs.finish(Deadline::generous()));
    sandbox.assert_nothing_left();
}

#[test]
fn the_last_words_at_a_terminal_come_before_the_end_is_told_and_who_has_it_still_goes_too() {
    let sandbox =
        sandbox_with("web: setsid sh -c 'trap \"\" TERM HUP; exec tail -f /dev/null' & echo last words");
    let running = sandbox.start(["start", "--tty", "-t", "1"]);
    let output = ended(&sandbox, running).output;
    let [said, told] = ["| last words", "| exited with code 0"].map(|text| output.find(text));
    assert!(said.is_some() && said < told, "{output}");
}

#[test]
fn where_there_are_no_terminals_a_worker_has_a_pipe() {
    let sandbox = sandbox_with(&format!("web: test -t 1 || echo no tty; {OBEDIENT}"));
    let hidden = "mount --bind /dev/null /dev/ptmx; exec \"$@\"";
    let mut words = vec!["unshare", "--mount"];
    if !is_root() {
        words.extend(["--user", "--map-root-user"]);
    }
    words.extend(["sh", "-c", hidden, "sh"]);
    let running = sandbox.ganger(["start", "--tty"]).through(words).start();
    running.wait_line("| no tty");
    running.wait_line("cannot make a terminal: ");
    interrupted(&sandbox, running);
}
