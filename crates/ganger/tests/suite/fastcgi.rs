//! Sockets that groups listen on: who connects is served or waits, whatever happens to workers and to ganger.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use ganger_testkit::{Deadline, Running, Sandbox, kill_nine, wait_gone};

use crate::support::*;

/// A worker that tells each that connects which process it is.
const SERVER: &str = "\
import os, socket
listener = socket.socket(fileno=os.dup(0))
print('ready', flush=True)
while True:
    client, _ = listener.accept()
    client.sendall(str(os.getpid()).encode())
    client.close()
";

fn config(url: &str, more: &str) -> String {
    format!(
        "[supervisord]\n[fcgi-program:web]\ncommand=python3 server.py\nnumprocs=2\n\
         process_name=%(program_name)s_%(process_num)s\nstartsecs=0\nsocket={url}\n{more}"
    )
}

fn serving(more: &str) -> (Sandbox, Running) {
    let sandbox = sandbox();
    sandbox.file("server.py", SERVER);
    sandbox.file("s.conf", &config(&format!("unix://{}", sandbox.path("web.sock").display()), more));
    let running = started_with(&sandbox, ["-f", "s.conf"], 2);
    (sandbox, running)
}

fn connect(sandbox: &Sandbox) -> UnixStream {
    let connected = UnixStream::connect(sandbox.path("web.sock"));
    connected.unwrap_or_else(|error| panic!("{error}\n{}", sandbox.report()))
}

/// The worker that serves.
fn served(mut client: impl Read) -> i32 {
    let mut said = String::new();
    let read = client.read_to_string(&mut said);
    said.parse().unwrap_or_else(|error| panic!("{error}: {said:?}, {read:?}"))
}

#[test]
fn connections_wait_while_all_workers_are_down_and_the_overseer_dies() {
    let (sandbox, running) = serving("socket_mode=0750\n");
    let workers = [pid(&sandbox, "web.1"), pid(&sandbox, "web.2")];
    assert!(workers.contains(&served(connect(&sandbox))));
    let mode = sandbox.path("web.sock").metadata().map(|meta| meta.permissions().mode() & 0o777);
    assert_eq!(mode.ok(), Some(0o750));
    sandbox.run(["stop", "web"]).expect_code(0);
    let waiting: Vec<_> = (0..5).map(|_| connect(&sandbox)).collect();
    kill_nine(running.child_with("overseer"), Deadline::generous());
    sandbox.run(["start", "web"]).expect_code(0);
    let workers = [pid(&sandbox, "web.1"), pid(&sandbox, "web.2")];
    assert!(waiting.into_iter().all(|client| workers.contains(&served(client))));
    interrupted(&sandbox, running);
}

#[test]
fn the_socket_of_workers_that_live_is_taken_up_when_all_of_ganger_was_killed() {
    let sandbox = sandbox();
    sandbox.file("server.py", SERVER);
    sandbox.file("s.conf", &config(&format!("unix://{}", sandbox.path("web.sock").display()), ""));
    sandbox.run(["start", "-D", "-f", "s.conf"]).expect_code(0);
    for (before, kept) in [false, true].into_iter().enumerate() {
        let [keeper, overseer] = parts(&sandbox);
        if kept {
            kill_nine(keeper, Deadline::generous());
        } else {
            for process in [overseer, keeper] {
                ganger_testkit::signal(process, rustix::process::Signal::STOP);
            }
            for process in [keeper, overseer] {
                kill_nine(process, Deadline::generous());
            }
            sandbox.run(["start", "-D", "-f", "s.conf"]).expect_code(0);
        }
        wait_taken_up(&sandbox, before + 1);
        sandbox.run(["stop", "web"]).expect_code(0);
        let waiting = connect(&sandbox);
        sandbox.run(["start", "web"]).expect_code(0);
        assert!([pid(&sandbox, "web.1"), pid(&sandbox, "web.2")].contains(&served(waiting)));
    }
    let [keeper, _] = parts(&sandbox);
    sandbox.run(["quit"]).expect_code(0);
    assert!(wait_gone(keeper, Deadline::generous()));
    sandbox.assert_nothing_left();
}

#[test]
fn a_port_that_is_taken_is_said_before_anything_starts_and_a_reload_to_it_changes_nothing() {
    let (sandbox, running) = serving("");
    let before = pid(&sandbox, "web.1");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
    let port = taken.local_addr().map_or(0, |address| address.port());
    sandbox.file("s.conf", &config(&format!("tcp://localhost:{port}"), ""));
    sandbox.run(["reload"]).error(&["cannot listen", &port.to_string()]);
    assert_eq!(
        (pid(&sandbox, "web.1"), [before, pid(&sandbox, "web.2")].contains(&served(connect(&sandbox)))),
        (before, true)
    );
    interrupted(&sandbox, running);
    sandbox.run(["start", "-f", "s.conf"]).error(&["cannot listen", &port.to_string()]);
    drop(taken);
    let running = started_with(&sandbox, ["-f", "s.conf"], 2);
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap_or_else(|error| panic!("{error}"));
    assert!([pid(&sandbox, "web.1"), pid(&sandbox, "web.2")].contains(&served(client)));
    interrupted(&sandbox, running);
}
