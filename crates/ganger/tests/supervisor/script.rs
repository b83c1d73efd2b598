//! A script, played on a side.

use super::alike::alike;
use super::server::{Client, Daemon, Server};

/// A server and a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side {
    pub(crate) daemon: Daemon,
    pub(crate) client: Client,
}

/// A step of a script.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// The client with these words.
    Do(&'static str),
    /// The same; lines come in the order in which processes end.
    DoInAnyOrder(&'static str),
    /// The same, where the code depends on which of several errors came last.
    DoWithErrors(&'static str),
    /// The same, where only the exit code can be compared.
    DoSomehow(&'static str),
    /// The same, where each daemon has words of its own.
    DoInOwnWords(&'static str),
    /// The client over the port, with a user's name and password.
    OverPort { username: &'static str, password: &'static str, words: &'static str },
    /// The client without an action, with this typed in.
    Session(&'static str),
    /// A file is written.
    File(&'static str, &'static str),
    /// The server has begun anew, and its programs are as they will stay.
    Settled,
    /// The server has ended.
    Ended,
}

/// What was said and done at each step.
pub(crate) fn play(side: Side, script: &[Step]) -> Vec<String> {
    let mut server = Server::start(side.daemon);
    script.iter().map(|step| played(&mut server, side.client, *step)).collect()
}

fn played(server: &mut Server, client: Client, step: Step) -> String {
    let url = format!("http://127.0.0.1:{}", server.port);
    let (words, input): (Vec<&str>, &str) = match step {
        Step::Do(words)
        | Step::DoInAnyOrder(words)
        | Step::DoWithErrors(words)
        | Step::DoSomehow(words)
        | Step::DoInOwnWords(words) => (words.split_whitespace().collect(), ""),
        Step::OverPort { username, password, words } => {
            let who = ["-s", &url, "-u", username, "-p", password];
            (who.into_iter().chain(words.split_whitespace()).collect(), "")
        }
        Step::Session(typed) => (Vec::new(), typed),
        Step::File(name, text) => {
            server.sandbox.file(name, text);
            return String::new();
        }
        Step::Settled => {
            server.settle();
            return String::new();
        }
        Step::Ended => {
            server.ended();
            return String::new();
        }
    };
    let finished = server.client(client, &words).input(input).run();
    if matches!(step, Step::DoSomehow(_)) {
        return format!("exit code {}", finished.code());
    }
    let mut lines: Vec<&str> = finished.output.split_inclusive('\n').collect();
    if matches!(step, Step::DoInAnyOrder(_) | Step::DoWithErrors(_)) {
        lines.sort_unstable();
    }
    let (output, errors) = (lines.concat(), &finished.errors);
    let code = match (step, finished.code()) {
        (Step::DoWithErrors(_), 1..) => "of an error".to_owned(),
        (_, code) => code.to_string(),
    };
    let said = format!("{output}--- errors ---\n{errors}--- exit code {code} ---");
    alike(&said, server, client)
}

/// The last line of what was said and done: the exit code.
fn status(said: &str) -> Option<&str> {
    said.lines().next_back()
}

/// Plays a script on two sides at once: nothing may differ.
pub(crate) fn assert_alike(script: &[Step], right: Side, other: Side) {
    let (expected, found) = std::thread::scope(|scope| {
        let expected = scope.spawn(|| play(right, script));
        let found = play(other, script);
        (expected.join().expect("the right side is played"), found)
    });
    let differences: Vec<String> = script
        .iter()
        .zip(expected.iter().zip(&found))
        .filter(|(step, (expected, found))| {
            let is_own = matches!(step, Step::DoInOwnWords(_)) && right.daemon != other.daemon;
            if is_own { status(expected) != status(found) } else { expected != found }
        })
        .map(|(step, (expected, found))| {
            format!("== {step:?}\n-- {right:?}:\n{expected}\n-- {other:?}:\n{found}\n")
        })
        .collect();
    assert!(differences.is_empty(), "{} steps differ:\n{}", differences.len(), differences.concat());
}
