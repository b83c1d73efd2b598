//! Lines are forwarded to a target that comes and goes, by overseers that die.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use ganger_testkit::{Deadline, Sandbox, kill_nine};

use crate::support::*;

/// A wait for a message ends after this.
const PATIENCE: Duration = Duration::from_mins(1);

/// A syslog server in the app's directory.
fn server(sandbox: &Sandbox) -> UnixDatagram {
    let path = sandbox.path("log.socket");
    // There is none before the first.
    let _ = std::fs::remove_file(&path);
    let socket = UnixDatagram::bind(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(socket.set_read_timeout(Some(PATIENCE)).is_ok());
    socket
}

fn message(server: &UnixDatagram) -> String {
    let mut bytes = [0; 10_000];
    let length = server.recv(&mut bytes).unwrap_or_else(|error| panic!("no message: {error}"));
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// The number of the line in a message of the counting job.
fn number(message: &str) -> Option<u32> {
    message.split_once("]: ")?.1.split(' ').next()?.parse().ok()
}

#[test]
fn each_line_reaches_a_server_that_comes_and_goes_from_overseers_that_are_killed() {
    let sandbox = sandbox();
    let dummy = sandbox.dummy();
    let stream = "--lines 20000 --line-length 24 --rate 10000";
    sandbox.procfile(&format!("web: {OBEDIENT}\njob: {dummy} {stream} --run-for forever"));
    let to = format!("syslog://{}", sandbox.path("log.socket").display());
    let toml = format!("[[forward]]\nname = 'central'\nto = '{to}'\ngroups = ['job']\nfacility = 'local1'\n");
    sandbox.file("ganger.toml", &toml);
    let running = started(&sandbox, 1);
    running.wait_line("central takes no lines: No such file or directory");
    let mut next = 1;
    let mut read_to = |server: &UnixDatagram, line: u32| {
        while next <= line {
            let message = message(server);
            assert!(message.starts_with("<142>"), "{message}");
            let number = number(&message).unwrap_or_else(|| panic!("{message:?}"));
            assert!(number <= next, "line {next} is missing before {number}");
            next = next.max(number + 1);
        }
    };
    for line in [1000, 5000, 5001, 12_000] {
        running.wait_line(&format!("| {line} x"));
        let server = server(&sandbox);
        read_to(&server, line / 2);
        sandbox.run(["ps"]).expect_code(0);
        kill_nine(running.child_with("overseer"), Deadline::generous());
    }
    running.wait_line("| 20000 x");
    let server = server(&sandbox);
    read_to(&server, 20_000);
    let table = sandbox.run(["forwards"]).success();
    assert!(table.contains("central") && table.contains("up") && table.contains(&to), "{table}");
    interrupted(&sandbox, running);
}

#[test]
fn a_reload_changes_where_lines_go() {
    let sandbox =
        sandbox_with(&format!("web: {OBEDIENT}\njob: echo ready; while read x; do echo $x; done <> gate"));
    gate(&sandbox, "gate");
    let running = started(&sandbox, 2);
    assert_eq!(sandbox.run(["forwards", "--json"]).json()["forwards"], serde_json::json!([]));
    let server = server(&sandbox);
    let to = format!("syslog://{}", sandbox.path("log.socket").display());
    sandbox.file("ganger.toml", &format!("[[forward]]\nto = '{to}'\nname = 'here'\n"));
    let plan = sandbox.run(["reload"]).success();
    assert!(plan.contains("forward here: new"), "{plan}");
    open_gate(&sandbox, "gate");
    assert!(message(&server).ends_with("[job.1]: go"), "it begins with what is written from now on");
    sandbox.file("ganger.toml", "");
    let plan = sandbox.run(["reload"]).success();
    assert!(plan.contains("forward here: removed"), "{plan}");
    sandbox.run(["forwards"]).success();
    interrupted(&sandbox, running);
}

#[test]
fn what_cannot_be_forwarded_to_is_an_error_before_anything_starts() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    sandbox.run(["start", "--forward", "kafka://x"]).error(&["kafka://x", "journald"]);
    sandbox.run(["forwards"]).error(&["no app is running"]);
}
