//! `ganger daemon`: without a terminal, under a service manager.

#![expect(clippy::unwrap_used, reason = "a test may fail by panic, its helpers too")]

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use ganger_testkit::{Deadline, Running, Sandbox, wait_gone};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg, sockopt};
use rustix::process::Signal;

use crate::support::*;

/// A service manager: the socket on which it is told things.
pub(crate) struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        let path = sandbox.root().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        sockopt::set_socket_passcred(&socket, true).unwrap();
        socket.set_read_timeout(Deadline::generous().left()).unwrap();
        Self { socket, path }
    }

    /// The daemon that it starts, with these variables.
    pub(crate) fn start(&self, sandbox: &Sandbox, variables: &[(&str, &str)]) -> Running {
        let launch = sandbox.ganger(["daemon"]).env("NOTIFY_SOCKET", self.path.as_os_str());
        variables.iter().fold(launch, |launch, (name, value)| launch.env(*name, *value)).start()
    }

    /// The next message, and the process that sent it.
    fn next(&self) -> (String, i32) {
        let mut buffer = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let received = recvmsg(&self.socket, &mut parts, &mut ancillary, RecvFlags::empty()).unwrap();
        let sender = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmCredentials(sender) => Some(sender.pid.as_raw_nonzero().get()),
            _ => None,
        });
        (String::from_utf8_lossy(&buffer[..received.bytes]).into_owned(), sender.unwrap())
    }

    /// Blocks until it is told a message with this line.
    pub(crate) fn wait(&self, line: &str) -> (String, i32) {
        loop {
            let (text, sender) = self.next();
            if text.lines().any(|one| one == line) {
                return (text, sender);
            }
        }
    }
}

/// Ends the daemon as its manager does.
fn terminated(sandbox: &Sandbox, daemon: Running) -> ganger_testkit::Finished {
    daemon.signal(Signal::TERM);
    let finished = ended(sandbox, daemon);
    finished.expect_code(0);
    finished
}

#[test]
fn its_manager_is_told_that_it_is_up_reads_its_files_again_and_stops() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    let manager = Manager::of(&sandbox);
    let daemon = manager.start(&sandbox, &[]);
    let (text, sender) = manager.wait("READY=1");
    assert!(text.contains("STATUS=2 of 2 workers up"), "{text}");
    assert_eq!(sender, daemon.pid(), "it listens to the process that it started and to no other");
    let web = pid(&sandbox, "web.1");
    sandbox.procfile(&format!("web: {OBEDIENT}\nclock: {OBEDIENT}"));
    daemon.signal(Signal::HUP);
    let (text, _) = manager.wait("RELOADING=1");
    assert!(text.contains("MONOTONIC_USEC="), "{text}");
    manager.wait("READY=1");
    assert_eq!(names(&sandbox), ["web.1", "clock.1"]);
    assert_eq!(pid(&sandbox, "web.1"), web);
    daemon.signal(Signal::TERM);
    let (_, sender) = manager.wait("STOPPING=1");
    assert_eq!(sender, daemon.pid());
    ended(&sandbox, daemon).expect_code(0);
}

#[test]
fn a_manager_that_asks_for_it_hears_again_and_again_that_the_daemon_lives() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let manager = Manager::of(&sandbox);
    let daemon = manager.start(&sandbox, &[("WATCHDOG_USEC", "100000")]);
    for _ in 0..3 {
        assert_eq!(manager.wait("WATCHDOG=1").1, daemon.pid());
    }
    terminated(&sandbox, daemon);
}

#[test]
fn an_overseer_that_comes_back_goes_on_telling() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let manager = Manager::of(&sandbox);
    let daemon = manager.start(&sandbox, &[]);
    manager.wait("READY=1");
    ganger_testkit::kill_nine(daemon.child_with("overseer"), Deadline::generous());
    sandbox.run(["stop", "web"]).expect_code(0);
    manager.wait("STATUS=0 of 1 workers up, 1 stopped");
    terminated(&sandbox, daemon);
}

#[test]
fn what_the_manager_says_to_the_daemon_does_not_reach_the_workers() {
    let sandbox = sandbox_with("web: env > seen; exec tail -f /dev/null");
    let manager = Manager::of(&sandbox);
    let daemon = manager.start(&sandbox, &[("WATCHDOG_USEC", "60000000"), ("SHOP", "open")]);
    let seen = sandbox.wait_file("seen", "SHOP=open");
    assert!(!seen.contains("NOTIFY_SOCKET") && !seen.contains("WATCHDOG"), "{seen}");
    manager.wait("READY=1");
    terminated(&sandbox, daemon);
}

#[test]
fn a_hang_up_with_a_bad_file_changes_nothing_and_says_why() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let daemon = sandbox.start(["daemon"]);
    daemon.wait_error("web.1: started");
    let web = pid(&sandbox, "web.1");
    sandbox.procfile("web: echo other\nthis is no entry");
    daemon.signal(Signal::HUP);
    daemon.wait_error("Procfile:2");
    daemon.wait_error("hint: ");
    assert_eq!(pid(&sandbox, "web.1"), web);
    terminated(&sandbox, daemon);
}

#[test]
fn an_app_whose_workers_have_all_ended_is_still_there() {
    let sandbox = sandbox_with("web: exit 3\njob: exit 0");
    sandbox.file("ganger.toml", "[groups.web]\nrestart = \"never\"\n[groups.job]\nrestart = \"never\"\n");
    let daemon = sandbox.start(["daemon"]);
    daemon.wait_error("web.1: exited with code 3");
    daemon.wait_error("job.1: exited with code 0");
    assert_eq!(worker(&sandbox, "web.1")["state"], "EXITED");
    sandbox.procfile(&format!("web: {OBEDIENT}\njob: exit 0"));
    sandbox.run(["reload"]).expect_code(0);
    assert_eq!(worker(&sandbox, "web.1")["state"], "RUNNING");
    terminated(&sandbox, daemon);
}

#[test]
fn a_worker_that_ends_is_started_again_where_nothing_is_said() {
    let sandbox = sandbox_with("web: echo run >> runs; read x < gate; exit 0");
    gate(&sandbox, "gate");
    let daemon = sandbox.start(["daemon"]);
    daemon.wait_error("web.1: started");
    open_gate(&sandbox, "gate");
    sandbox.wait_file("runs", "run\nrun\n");
    terminated(&sandbox, daemon);
}

#[test]
fn output_of_workers_is_stored_and_printed_only_if_asked_for() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let daemon = sandbox.start(["daemon"]);
    daemon.wait_error("web.1: started");
    let logs = sandbox.start(["logs", "-f"]);
    logs.wait_line("| ready");
    daemon.signal(Signal::TERM);
    logs.finish(Deadline::generous()).expect_code(0);
    let finished = ended(&sandbox, daemon);
    assert_eq!(finished.output, "");
    assert!(finished.errors.contains("web.1: was terminated by SIGTERM"), "{finished}");
    let daemon = sandbox.start(["daemon", "--output"]);
    daemon.wait_line("| ready");
    terminated(&sandbox, daemon);
}

#[test]
fn its_file_can_be_named_from_anywhere() {
    let sandbox = sandbox();
    let file =
        sandbox.file("ganger.toml", "[groups.web]\ncommand = \"pwd > place; exec tail -f /dev/null\"\n");
    let file = file.to_str().unwrap().to_owned();
    let daemon = sandbox.ganger(["daemon", "-c", &file]).dir(sandbox.root()).start();
    sandbox.wait_file("place", &format!("{}\n", sandbox.app().display()));
    terminated(&sandbox, daemon);
    sandbox.ganger(["daemon", "-c", "no-such.toml"]).run().error(&["no-such.toml"]);
}

#[test]
fn its_manager_starts_the_next_daemon_when_the_keeper_is_killed_and_every_worker_goes_on() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    let manager = Manager::of(&sandbox);
    let mut daemon = manager.start(&sandbox, &[]);
    manager.wait("READY=1");
    let both = || ["web.1", "job.1"].map(|name| pid(&sandbox, name));
    let before = both();
    for _ in 0..2 {
        let overseer = daemon.child_with("overseer");
        daemon.kill_nine();
        // It lets go of the app, or the manager's next start would be one too many.
        assert!(wait_gone(overseer, Deadline::generous()));
        daemon = manager.start(&sandbox, &[]);
        let (_, sender) = manager.wait("READY=1");
        assert_eq!((sender, both()), (daemon.pid(), before));
    }
    terminated(&sandbox, daemon);
}
