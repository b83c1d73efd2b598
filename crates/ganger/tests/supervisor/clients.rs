//! Clients in other languages: every method, each answer of the type that it has with supervisord.
//!
//! `clients/calls.json` has the calls and the types of their answers, two short programs make them. What they expect is
//! right, for supervisord itself passes.

use std::path::PathBuf;
use std::time::Duration;

use ganger_testkit::Deadline;

use super::server::{Daemon, PASSWORD, Server, USERNAME, stock};

/// Notes the names and texts of events.
const EAR: &str = r"
import sys
notes = open('heard', 'a', buffering=1)
while True:
    sys.stdout.write('READY\n')
    sys.stdout.flush()
    header = dict(word.split(':', 1) for word in sys.stdin.readline().split())
    notes.write(header['eventname'] + ' ' + repr(sys.stdin.read(int(header['len']))) + '\n')
    sys.stdout.write('RESULT 2\nOK')
    sys.stdout.flush()
";

/// Groups that come later.
const MORE: &str = "
[eventlistener:ear]
command=python3 -u ear.py
events=REMOTE_COMMUNICATION,PROCESS_GROUP
buffer_size=100
startsecs=0

[program:extra]
command=/bin/cat
startsecs=0
autostart=false
";

/// What is heard of the calls, in this order.
const HEARD: [&str; 3] = [
    r"PROCESS_GROUP_ADDED 'groupname:extra\n'",
    r"REMOTE_COMMUNICATION 'type:a kind\nsome data'",
    r"PROCESS_GROUP_REMOVED 'groupname:extra\n'",
];

/// A program that makes the calls.
#[derive(Clone, Copy, Debug)]
enum Language {
    Python,
    Ruby,
}

/// How it reaches the server.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Over the port, with name and password.
    Port,
    /// Over the Unix socket.
    Socket,
}

fn file(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/supervisor/clients").join(name);
    path.to_string_lossy().into_owned()
}

/// Supervisord answers many of the calls at its next tick, a second later: half a minute is nearly used up by that.
const CALLED_WITHIN: Duration = Duration::from_mins(2);

/// Makes the calls of a part of the list.
fn call(server: &Server, language: Language, way: Way, part: &str) {
    let (interpreter, program) = match language {
        Language::Python => (stock().join("python"), file("every_method.py")),
        Language::Ruby => (PathBuf::from("ruby"), file("every_method.rb")),
    };
    let url = match way {
        Way::Port => format!("http://{USERNAME}:{PASSWORD}@127.0.0.1:{}", server.port),
        Way::Socket => format!("unix://{}", server.sandbox.path("s.sock").display()),
    };
    let words = [&*interpreter.to_string_lossy(), &program, &file("calls.json"), part, &url];
    let running = server.sandbox.program(words).start();
    running.finish(Deadline::after(CALLED_WITHIN)).success();
}

fn every_method(daemon: Daemon, language: Language, way: Way) {
    let mut server = Server::start(daemon);
    call(&server, language, way, "restart");
    server.settle();
    server.sandbox.file("ear.py", EAR);
    server.sandbox.file("more/more.conf", MORE);
    call(&server, language, way, "others");
    let has_all = |text: &str| {
        let mut lines = text.lines();
        HEARD.iter().all(|wanted| lines.any(|line| line == *wanted))
    };
    let heard = ganger_testkit::wait_for_file(server.sandbox.path("heard"), Deadline::generous(), has_all);
    assert!(heard.is_ok(), "not everything was heard: {heard:?} {}", server.sandbox.report());
    call(&server, language, way, "shutdown");
    server.ended();
}

#[test]
fn the_calls_and_types_are_those_of_supervisord() {
    every_method(Daemon::Stock, Language::Python, Way::Port);
}

#[test]
fn python_calls_every_method_over_a_port_with_a_password() {
    every_method(Daemon::Ours, Language::Python, Way::Port);
}

#[test]
fn python_calls_every_method_over_a_socket_as_supervisorctl_does() {
    every_method(Daemon::Ours, Language::Python, Way::Socket);
}

#[test]
fn ruby_calls_every_method_over_a_port_with_a_password() {
    every_method(Daemon::Ours, Language::Ruby, Way::Port);
}
