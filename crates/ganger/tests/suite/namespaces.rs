//! Who runs ganger: root, a user without rights, and process 1 of a container.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ganger_testkit::{Launch, Running, Sandbox, copy_program};

use crate::support::*;

/// The user and group `nobody` of most systems; any number without rights does.
const NOBODY: &str = "65534";

/// `ganger start` as a user without rights; as ourselves when that is what we are.
fn start_unprivileged(sandbox: &Sandbox) -> Launch {
    if !is_root() {
        return sandbox.ganger(["start"]);
    }
    let root = sandbox.root().to_string_lossy().into_owned();
    // A build directory may be in a home that others cannot enter.
    let binary = sandbox.root().join("ganger");
    copy_program(Path::new(env!("CARGO_BIN_EXE_ganger")), &binary);
    sandbox.program(["chown", "-R", &format!("{NOBODY}:{NOBODY}"), &root]).run().expect_code(0);
    let words = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--no-new-privs"];
    sandbox.program([&*binary.to_string_lossy(), "start"]).through(words)
}

#[test]
fn a_user_without_rights_can_do_everything() {
    let straggler = "setsid sh -c \"trap '' TERM HUP; exec tail -f /dev/null\"";
    let sandbox = sandbox_with(&format!("web: id -u; {straggler} & {OBEDIENT}"));
    let running = start_unprivileged(&sandbox).start();
    running.wait_line("| ready");
    if is_root() {
        running.wait_line(&format!("| {NOBODY}"));
    }
    let finished = interrupted(&sandbox, running);
    assert_said(&finished, &["web.1"]);
}

#[test]
fn the_socket_is_for_its_user_alone() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = started(&sandbox, 1);
    let sockets = sandbox.program(["find", "../run", "-type", "s"]).run().success();
    assert!(!sockets.is_empty(), "there is a socket");
    for socket in sockets.lines() {
        let path = sandbox.path(socket);
        let mode =
            |path: &std::path::Path| std::fs::metadata(path).map(|meta| meta.permissions().mode() & 0o777);
        assert_eq!(mode(&path).ok(), Some(0o600), "{socket}");
        assert_eq!(path.parent().and_then(|dir| mode(dir).ok()), Some(0o700), "{socket}");
    }
    interrupted(&sandbox, running);
}

/// Starts ganger as process 1 of a PID namespace.
fn start_as_process_1(sandbox: &Sandbox) -> Running {
    let mut words = vec!["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
    if !is_root() {
        words.extend(["--user", "--map-root-user"]);
    }
    sandbox.ganger(["start"]).through(words).start()
}

#[test]
fn as_process_1_it_forwards_signals_and_stops_on_term() {
    let traps = "trap 'echo got usr1' USR1; trap 'echo got term; exit' TERM";
    let worker = format!("{traps}; echo ready; {WAITING}");
    let sandbox = sandbox_with(&format!("web: {worker}\njob: {worker}"));
    let running = start_as_process_1(&sandbox);
    running.wait_lines("| ready", 2);
    let first = running.child_with("start");
    ganger_testkit::signal(first, rustix::process::Signal::USR1);
    running.wait_lines("| got usr1", 2);
    ganger_testkit::signal(first, rustix::process::Signal::TERM);
    let finished = ended(&sandbox, running);
    finished.expect_code(0);
    assert_eq!(finished.output.matches("| got term").count(), 2, "{finished}");
}

#[test]
fn as_process_1_it_reaps_orphans_and_leaves_nothing() {
    // The shell in the middle ends at once: its child is an orphan that ends, and somebody must reap it.
    let orphan = "sh -c 'sh -c \"echo the orphan waits; read x < gate\" &'";
    let sandbox = sandbox_with(&format!("web: echo I am the child of $PPID; {orphan}; {OBEDIENT}"));
    gate(&sandbox, "gate");
    let running = start_as_process_1(&sandbox);
    running.wait_line("| I am the child of 1");
    running.wait_line("| ready");
    running.wait_line("| the orphan waits");
    let is_orphan = |command: &str| command == "sh -c echo the orphan waits; read x < gate";
    let orphans: Vec<_> =
        sandbox.census().into_iter().filter(|process| is_orphan(&process.command)).collect();
    assert_eq!(orphans.len(), 1, "{orphans:?}");
    open_gate(&sandbox, "gate");
    assert!(ganger_testkit::wait_gone(orphans[0].pid, ganger_testkit::Deadline::generous()));
    // `unshare` waits for its child and is not it: the app is asked from inside.
    let first = running.child_with("start");
    ganger_testkit::signal(first, rustix::process::Signal::INT);
    ended(&sandbox, running).expect_code(0);
}
