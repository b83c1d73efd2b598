//! Sessions, with a pipe and on a terminal.

use ganger_testkit::{Deadline, Running, Terminal};

use super::alike::alike;
use super::script::Step::{self, Session};
use super::script::{Side, assert_alike};
use super::server::{Client, PASSWORD, Server, USERNAME};
use super::{OUR_CLIENT, STOCK};

/// What is typed into a pipe.
const TYPED: &[Step] = &[
    Session(""),
    Session("\n\n  \n"),
    Session("version\nstatus cat nope\nnope\n?\nhelp tail\nquit\nversion\n"),
    Session("stop cat\nstart cat;\npid cat\nexit"),
    Session("open unix:///no/such/socket\nversion\nopen x\n"),
    Session("shutdown\n"),
    Session("  version  \r\nEOF x\nversion\n"),
];

#[test]
fn sessions_through_a_pipe_are_alike() {
    assert_alike(TYPED, STOCK, OUR_CLIENT);
}

/// A client on a terminal that cannot move its cursor.
struct Seat {
    server: Server,
    client: Client,
    running: Running,
    terminal: Terminal,
    /// What has been waited for so far ends here.
    seen: usize,
}

impl Seat {
    fn take(side: Side, words: &[&str]) -> Self {
        let server = Server::start(side.daemon);
        let url = format!("http://127.0.0.1:{}", server.port);
        let words: Vec<&str> =
            words.iter().map(|word| if *word == "URL" { url.as_str() } else { word }).collect();
        let (running, terminal) = server.client(side.client, &words).start_on_terminal();
        Self { server, client: side.client, running, terminal, seen: 0 }
    }

    /// Waits for a line with this, then types.
    fn when(&mut self, shown: &str, typed: &str) -> &mut Self {
        self.running.wait_line_after(self.seen, shown);
        self.seen = self.running.mark();
        self.terminal.press(typed);
        self
    }

    /// All that was shown, and the exit code.
    fn leave(self) -> String {
        let finished = self.running.finish(Deadline::generous());
        let said = format!("{}--- exit code {} ---", finished.output, finished.code());
        alike(&said, &self.server, self.client)
    }
}

/// Plays the same on both sides.
fn assert_same(play: impl Fn(Side) -> String) {
    assert_eq!(play(OUR_CLIENT), play(STOCK));
}

#[test]
fn a_session_on_a_terminal_is_alike_to_its_end() {
    assert_same(|side| {
        let mut seat = Seat::take(side, &[]);
        seat.when("supervisor> ", "version\n").when("supervisor> ", "stop cat\n");
        seat.when("supervisor> ", "shutdown\n").when("y/N? ", "n\n").when("supervisor> ", "\x04");
        seat.leave()
    });
}

/// Of ours alone: what Python gets right before it reads a line is lost, and its end with it.
#[test]
fn ctrl_c_ends_a_session_without_a_fault() {
    let mut seat = Seat::take(OUR_CLIENT, &[]);
    seat.when("supervisor> ", "\x03");
    let said = seat.leave();
    assert!(said.ends_with("supervisor> \n--- exit code 0 ---"), "{said}");
}

#[test]
fn who_is_not_known_is_asked_for_name_and_password() {
    assert_same(|side| {
        let mut seat = Seat::take(side, &["-s", "URL"]);
        seat.when("Username:", &format!("{USERNAME}\n")).when("Password:", &format!("{PASSWORD}\n"));
        seat.when("supervisor> ", "quit\n");
        seat.leave()
    });
}

/// Follows a log until Ctrl-C, which Python tells in one way or another: it depends on what the signal interrupts.
fn followed(words: &[&str], shown: &str) {
    for side in [STOCK, OUR_CLIENT] {
        let mut seat = Seat::take(side, words);
        seat.when(shown, "\x03");
        let said = seat.leave();
        assert!(said.starts_with("==> Press Ctrl-C to exit <==\n"), "{said}");
        assert!(said.contains(shown) && said.ends_with("--- exit code 0 ---"), "{said}");
        assert!(side.client == Client::Stock || said.ends_with("\n\n--- exit code 0 ---"), "{said}");
    }
}

#[test]
fn a_log_is_followed_until_ctrl_c() {
    followed(&["tail", "-f", "loud"], "out");
}

#[test]
fn the_main_log_is_followed_until_ctrl_c() {
    followed(&["maintail", "-f"], "entered RUNNING");
}

/// Of ours alone: Python's does not end before a time-out of half a minute.
#[test]
fn a_process_in_the_foreground_reads_and_writes() {
    let mut seat = Seat::take(OUR_CLIENT, &["fg", "cat"]);
    seat.when("Press Ctrl-C", "hello\n");
    // The terminal shows it, then the process gives it back.
    seat.running.wait_lines("hello", 2);
    seat.terminal.press("\x03");
    let expected = "==> Press Ctrl-C to exit <==\nhello\nhello\nExiting foreground\n--- exit code 0 ---";
    assert_eq!(seat.leave(), expected);
}

/// On a terminal that can move its cursor, ours completes words and keeps what was typed.
#[test]
fn words_are_completed_and_lines_are_kept() {
    /// The terminal is told so when a line may be typed.
    const READY: &str = "\x1b[?2004h";
    let server = Server::start(OUR_CLIENT.daemon);
    let launch = server.client(Client::Ours, &[]).env("TERM", "xterm-256color");
    let (running, terminal) = launch.start_on_terminal();
    let mut seen = 0;
    for (typed, shown) in
        [("vers\t\r", "4."), ("status both:l\t\r", "both:left                        RUNNING")]
    {
        running.wait_line_after(seen, READY);
        seen = running.mark();
        terminal.press(typed);
        running.wait_line_after(seen, shown);
    }
    running.wait_line_after(seen, READY);
    terminal.press("\x04");
    running.finish(Deadline::generous()).expect_code(0);
    assert_eq!(server.sandbox.read("history"), "version \nstatus both:left \n");
}

#[test]
fn lines_that_are_typed_ahead_are_taken_one_after_the_other() {
    let server = Server::start(OUR_CLIENT.daemon);
    let launch = server.client(Client::Ours, &[]).env("TERM", "xterm-256color");
    let (running, terminal) = launch.start_on_terminal();
    running.wait_line("\x1b[?2004h");
    let seen = running.mark();
    terminal.press("version\rhelp version\rstatus off\rquit\r");
    for shown in ["4.3.0", "Show the version", "off                              STOPPED"] {
        running.wait_line_after(seen, shown);
    }
    running.finish(Deadline::generous()).expect_code(0);
}
