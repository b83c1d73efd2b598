//! Each system call that can fail, fails once: under the keeper while it starts and runs an app, and under an overseer.
//!
//! `strace` makes the call fail in the program as it is. What may come of it: the app does not start, and the error says
//! what failed; or it starts, no worker is doubled or lost, every line is there once, and nothing is left in the end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ganger_testkit::{Deadline, Running, Sandbox, signal, wait_gone};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::*;

/// The lines that one of the workers writes.
const LINES: u32 = 20;

/// A call, the error that it gives, and at which of its calls: `2`, or `2..6` where it goes on for a while.
type Fault = (&'static str, &'static str, &'static str);

/// Words under which the keeper, and no other process, meets the fault.
fn under(sandbox: &Sandbox, (call, error, at): Fault) -> Vec<String> {
    let record = sandbox.root().join("strace").display().to_string();
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error={error}:when={at}"));
    ["strace", "-o", &record, "-e", &trace, "-e", &inject].map(str::to_owned).to_vec()
}

/// An app of two workers.
fn two_workers() -> Sandbox {
    let sandbox = sandbox();
    let dummy = sandbox.dummy();
    sandbox.procfile(&format!("web: {OBEDIENT}\njob: {dummy} --lines {LINES} --run-for forever"));
    sandbox
}

/// Calls about cgroups, which are not made where none can be.
const OF_CGROUPS: [&str; 3] = ["mkdir", "mkdirat", "rmdir"];

/// Demands that the fault was met: one that is not says nothing.
#[track_caller]
fn assert_met(sandbox: &Sandbox, (call, ..): Fault) {
    if OF_CGROUPS.contains(&call) {
        return;
    }
    let record = std::fs::read_to_string(sandbox.root().join("strace")).unwrap_or_default();
    assert!(record.contains("(INJECTED)"), "no such call was made:\n{record}");
}

/// Demands one process of each worker, and no more.
#[track_caller]
fn assert_one_of_each(sandbox: &Sandbox) {
    let census = sandbox.census();
    for command in ["tail -f /dev/null", "ganger-dummy"] {
        let found = census.iter().filter(|process| process.command.contains(command)).count();
        assert_eq!(found, 1, "{command} of {census:#?}");
    }
}

/// Demands that each line was printed once and in order.
#[track_caller]
fn assert_every_line(output: &str) {
    let lines = output
        .lines()
        .filter_map(|line| line.split_once("job.1  | ")?.1.split_once(" x")?.0.parse::<u32>().ok());
    assert!(lines.eq(1..=LINES), "each line once and in order:\n{output}");
}

/// The app ended without a worker: an error says why, and nothing is left.
#[track_caller]
fn assert_refused(sandbox: &Sandbox, mut running: Running) {
    running.wait_exit(Deadline::generous());
    sandbox.assert_nothing_left();
    running.finish(Deadline::generous()).error_without_hint(&[]);
}

/// Starts the app, restarts a worker and ends the app, with one call of the keeper that fails.
fn play_keeper(fault: Fault) {
    let sandbox = two_workers();
    let launch = sandbox.ganger(["start", "--auto-restart", "all"]);
    let running = launch.through(under(&sandbox, fault)).start();
    if !running.line_comes("| ready") || !running.line_comes(&format!("| {LINES} x")) {
        assert_refused(&sandbox, running);
        return assert_met(&sandbox, fault);
    }
    restart(&sandbox, &running, "web");
    assert_one_of_each(&sandbox);
    let keeper = Pid::from_raw(running.child_with("start")).unwrap_or(Pid::INIT);
    assert_eq!(kill_process(keeper, Signal::INT), Ok(()));
    assert_every_line(&ended(&sandbox, running).output);
    assert_met(&sandbox, fault);
}

/// Plays each fault, and tells all that came of those that cost something.
fn play_all(faults: &[Fault], play: impl Fn(Fault)) {
    let costs = |fault: &&Fault| catch_unwind(AssertUnwindSafe(|| play(**fault))).is_err();
    let costly: Vec<&Fault> = faults.iter().filter(costs).collect();
    assert!(costly.is_empty(), "these cost something: {costly:?}");
}

#[test]
fn a_call_that_fails_while_the_keeper_makes_itself_ready_costs_nothing() {
    play_all(
        &[
            ("prctl", "EINVAL", "1"),
            ("socketpair", "EMFILE", "1"),
            ("signalfd4", "EMFILE", "1"),
            ("pidfd_open", "EMFILE", "1"),
            ("mkdir", "EROFS", "1"),
            ("mkdirat", "ENOSPC", "1"),
            ("rt_sigprocmask", "EINVAL", "5"),
        ],
        play_keeper,
    );
}

#[test]
fn a_call_that_fails_while_the_keeper_spawns_costs_nothing() {
    play_all(
        &[
            ("clone3", "ENOMEM", "1"),
            ("clone3", "EAGAIN", "2"),
            ("clone3", "ENOMEM", "3"),
            ("clone3", "ENOSPC", "4"),
            ("mkdirat", "EIO", "2"),
            ("mkdirat", "EAGAIN", "3"),
            ("kill", "EPERM", "1"),
            ("rmdir", "EBUSY", "1"),
            ("rmdir", "EBUSY", "3"),
        ],
        play_keeper,
    );
}

#[test]
fn a_call_that_fails_in_the_conversation_of_keeper_and_overseer_costs_nothing() {
    play_all(
        &[
            ("sendmsg", "EAGAIN", "2"),
            ("sendmsg", "ENOBUFS", "3"),
            ("sendmsg", "EINTR", "4"),
            ("sendmsg", "ENOMEM", "5"),
            ("recvmsg", "EINTR", "2"),
            ("recvmsg", "ENOMEM", "4"),
            ("recvmsg", "ENOBUFS", "6"),
            ("ppoll", "EINTR", "2"),
            ("ppoll", "ENOMEM", "4"),
            ("wait4", "EINTR", "2"),
            ("wait4", "ECHILD", "3"),
            ("read", "EINTR", "12"),
            ("read", "EIO", "14"),
        ],
        play_keeper,
    );
}

/// Restarts a worker. A start that failed is told with what failed, and tried again.
fn restart(sandbox: &Sandbox, running: &Running, name: &str) {
    let mark = running.mark();
    let finished = sandbox.run(["restart", name]);
    assert!(finished.code() == 0 || finished.output.contains("could not be started: "), "{finished}");
    running.wait_line_after(mark, "| ready");
}

/// The file of this name below the runtime and the state directory.
fn found(sandbox: &Sandbox, name: &str) -> String {
    let root = sandbox.root().display().to_string();
    let found = sandbox.program(["find", &root, "-name", name]).run().success();
    found.lines().next().unwrap_or_else(|| panic!("no {name} below {root}")).to_owned()
}

/// Lets one call of a running overseer fail while a worker writes lines; the app must not notice. A name limits it to
/// the calls about that file.
fn play_overseer((call, error, at): Fault, file: Option<&str>) {
    let sandbox = sandbox();
    sandbox.procfile(&format!(
        "web: {OBEDIENT}\njob: echo ready; read x < gate; seq -f '%.0f x' {LINES}; {WAITING}"
    ));
    gate(&sandbox, "gate");
    let running = started_with(&sandbox, ["--auto-restart", "all"], 2);
    let overseer = running.child_with("overseer").to_string();
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error={error}:when={at}"));
    let record = sandbox.root().join("strace").display().to_string();
    let path = file.map(|name| found(&sandbox, name));
    let limit: Vec<&str> = path.iter().flat_map(|path| ["-P", path]).collect();
    let words = ["-f", "-o", &record, "-p", &overseer, "-e", &trace, "-e", &inject];
    let mut tracer = sandbox.program(words).through(limit).through(["strace"]).start();
    tracer.wait_error("attached");
    open_gate(&sandbox, "gate");
    running.wait_line(&format!("| {LINES} x"));
    restart(&sandbox, &running, "web");
    // The begin of a run is in the index whenever it comes; lines that come at once after others are not.
    restart(&sandbox, &running, "job");
    assert_eq!(running.child_with("overseer").to_string(), overseer, "the overseer did not survive it");
    running.signal(Signal::INT);
    tracer.wait_exit(Deadline::generous());
    let finished = ended(&sandbox, running);
    finished.expect_code(0);
    assert_every_line(&finished.output);
    assert_met(&sandbox, (call, error, at));
}

#[test]
fn a_call_that_fails_while_the_overseer_moves_lines_costs_none() {
    play_all(
        &[
            ("splice", "ENOMEM", "1"),
            ("splice", "EAGAIN", "1"),
            ("splice", "EINVAL", "1"),
            ("read", "EINTR", "3"),
            ("openat", "EMFILE", "1"),
            ("openat", "ENFILE", "1"),
        ],
        |fault| play_overseer(fault, None),
    );
}

#[test]
fn a_call_about_a_log_or_its_index_that_fails_costs_no_line() {
    let log = [
        ("splice", "ENOSPC", "1"),
        ("splice", "EDQUOT", "1"),
        ("splice", "EIO", "1"),
        ("splice", "EINTR", "1"),
    ];
    play_all(&log, |fault| play_overseer(fault, Some("job.1.log")));
    let index = [("pwrite64", "ENOSPC", "1"), ("pwrite64", "EDQUOT", "1"), ("pwrite64", "EINTR", "1")];
    play_all(&index, |fault| play_overseer(fault, Some("job.1.index")));
}

#[test]
fn a_write_to_the_ledger_or_the_journal_that_fails_costs_nothing() {
    let ledger =
        [("write", "ENOSPC", "1"), ("write", "EIO", "2"), ("write", "EROFS", "3"), ("write", "EINTR", "1")];
    play_all(&ledger, |fault| play_overseer(fault, Some("ledger")));
    let journal = [("write", "ENOSPC", "1"), ("write", "EDQUOT", "2")];
    play_all(&journal, |fault| play_overseer(fault, Some("events.jsonl")));
}

/// Kills the overseer at a write to this file while it restarts a worker: every event is told all the same, and once.
fn play_death(file: &str, at: &str) {
    let sandbox = two_workers();
    let running = started_with(&sandbox, ["--auto-restart", "all"], 1);
    let overseer = running.child_with("overseer");
    let (pid, inject) = (overseer.to_string(), format!("inject=write:error=EIO:signal=KILL:when={at}"));
    let (record, path) = (sandbox.root().join("strace").display().to_string(), found(&sandbox, file));
    let words = ["-f", "-o", &record, "-p", &pid, "-P", &path, "-e", "trace=write", "-e", &inject];
    let mut tracer = sandbox.program(words).through(["strace"]).start();
    tracer.wait_error("attached");
    // It may die with the overseer, before or after it is carried out.
    sandbox.run(["restart", "web"]);
    tracer.wait_exit(Deadline::generous());
    assert!(wait_gone(overseer, Deadline::generous()), "it was not killed");
    sandbox.run(["restart", "web"]).expect_code(0);
    assert_one_of_each(&sandbox);
    running.signal(Signal::INT);
    ended(&sandbox, running).expect_code(0);
    assert_told_once(&found(&sandbox, "events.jsonl"));
}

/// Demands that events are numbered without a gap, and that each run began once and ended once.
#[track_caller]
fn assert_told_once(path: &str) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let events: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_default()).collect();
    let numbers = events.iter().map(|event| event["seq"].as_u64().unwrap_or(0));
    assert!(numbers.eq(1..=events.len() as u64), "{text}");
    let runs = |kind: &str| {
        let of_kind = events.iter().filter(|event| event["kind"] == kind);
        let mut runs: Vec<u64> = of_kind.map(|event| event["details"]["run"].as_u64().unwrap_or(0)).collect();
        runs.sort_unstable();
        runs
    };
    let begun = runs("started");
    assert_eq!(begun, runs("ended"), "{text}");
    assert!(begun.len() >= 3 && begun.windows(2).all(|runs| runs[0] < runs[1]), "{text}");
}

#[test]
fn an_overseer_that_is_killed_between_its_writes_tells_every_event_once() {
    for file in ["ledger", "events.jsonl"] {
        for at in ["1", "2", "3"] {
            play_death(file, at);
        }
    }
}

/// An app with a job that ends at once and is to run once.
fn with_a_job() -> Sandbox {
    let sandbox = sandbox();
    let job = "[groups.job]\ncommand = \"echo ran >> ran\"\nrestart = \"never\"\n";
    sandbox.file("ganger.toml", &format!("[groups.web]\ncommand = \"{OBEDIENT}\"\n{job}"));
    sandbox
}

/// Starts the job once more, and kills the keeper when it is about to tell of that process. Where the run has a cgroup,
/// that shows that it ran: it is told, and not started again.
fn play_untold(sandbox: &Sandbox, running: &Running) {
    running.wait_error("job.1: exited with code 0");
    let keeper = running.pid().to_string();
    let record = sandbox.root().join("strace").display().to_string();
    let inject = "inject=sendmsg:error=EIO:signal=KILL:when=1";
    let words = ["-o", &record, "-p", &keeper, "-e", "trace=sendmsg", "-e", inject];
    let mut tracer = sandbox.program(words).through(["strace"]).start();
    tracer.wait_error("attached");
    // It may die with the overseer.
    sandbox.run(["start", "job"]);
    tracer.wait_exit(Deadline::generous());
    sandbox.run(["start", "web"]).expect_code(0);
    let has_cgroups = !sandbox.run(["doctor"]).success().contains("cgroup           no");
    let ran = sandbox.read("ran").lines().count();
    assert!(if has_cgroups { ran == 2 } else { [2, 3].contains(&ran) }, "it ran {ran} times");
    sandbox.run(["quit"]).expect_code(0);
    let root = sandbox.root().display().to_string();
    let events = sandbox.program(["find", &root, "-path", "*/app-*/events.jsonl"]).run().success();
    assert_told_once(events.trim());
    // Where there may be several apps, the keeper goes on.
    for process in sandbox.census() {
        signal(process.pid, Signal::TERM);
        assert!(wait_gone(process.pid, Deadline::generous()), "{process:?} goes on");
    }
    sandbox.assert_nothing_left();
}

#[test]
fn a_run_that_ended_before_its_keeper_could_tell_of_it_is_told_and_not_repeated() {
    let sandbox = with_a_job();
    let running = sandbox.start(["daemon"]);
    play_untold(&sandbox, &running);
}

#[test]
fn so_it_is_where_the_keeper_has_several_apps() {
    let sandbox = with_a_job();
    sandbox.run(["app", "add", "."]).expect_code(0);
    let daemon = sandbox.ganger(["daemon"]).dir(sandbox.root()).start();
    play_untold(&sandbox, &daemon);
}

#[test]
fn a_call_that_fails_while_the_overseer_answers_and_decides_costs_nothing() {
    play_all(
        &[
            ("sendmsg", "ENOBUFS", "1"),
            ("sendmsg", "EINTR", "2"),
            ("recvmsg", "EINTR", "1"),
            ("recvmsg", "ENOMEM", "2"),
            ("accept4", "EMFILE", "1"),
            ("accept4", "ENFILE", "1"),
            ("epoll_wait", "EINTR", "2"),
            ("ppoll", "EINTR", "1"),
            ("statx", "EIO", "1"),
            ("epoll_ctl", "ENOMEM", "1"),
        ],
        |fault| play_overseer(fault, None),
    );
}

/// Lets one call about the terminal of a new run fail: it has a pipe or, once that is possible, a terminal; and says so.
fn play_terminal((call, error, at): Fault) {
    let sandbox = sandbox();
    sandbox.procfile(&format!("web: test -t 1 && echo tty || echo pipe; {OBEDIENT}"));
    let running = started_with(&sandbox, ["--auto-restart", "all", "--tty"], 1);
    running.wait_line("| tty");
    let (mark, overseer) = (running.mark(), running.child_with("overseer").to_string());
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error={error}:when={at}"));
    let record = sandbox.root().join("strace").display().to_string();
    let words =
        ["strace", "-f", "-o", &record, "-p", &overseer, "-P", "/dev/ptmx", "-e", &trace, "-e", &inject];
    let mut tracer = sandbox.program(words).start();
    tracer.wait_error("attached");
    restart(&sandbox, &running, "web");
    running.wait_line_after(mark, "| pipe");
    running.wait_line_after(mark, "cannot make a terminal: ");
    let mark = running.mark();
    restart(&sandbox, &running, "web");
    running.wait_line_after(mark, "| tty");
    running.signal(Signal::INT);
    tracer.wait_exit(Deadline::generous());
    ended(&sandbox, running).expect_code(0);
    assert_met(&sandbox, (call, error, at));
}

#[test]
fn a_terminal_that_cannot_be_made_costs_nothing_but_itself() {
    // By which of its calls a file is opened differs from machine to machine.
    let open = "/^open(at)?$";
    play_all(&[(open, "EMFILE", "1"), (open, "ENOSPC", "1"), ("ioctl", "EIO", "1")], play_terminal);
}

/// Lets one call of the keeper fail while another program takes its place. It does, or the old one goes on; and the
/// next time it does.
fn play_upgrade((call, error, at): Fault) {
    let sandbox = two_workers();
    let running = started_with(&sandbox, ["--auto-restart", "all"], 1);
    running.wait_line(&format!("| {LINES} x"));
    sandbox.run(["start", "all"]).expect_code(0);
    let (keeper, before) = (running.pid().to_string(), ["web.1", "job.1"].map(|name| pid(&sandbox, name)));
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error={error}:when={at}"));
    let record = sandbox.root().join("strace").display().to_string();
    let words = ["-o", &record, "-p", &keeper, "-e", &trace, "-e", &inject];
    let mut tracer = sandbox.program(words).through(["strace"]).start();
    tracer.wait_error("attached");
    let told = sandbox.run(["upgrade"]);
    assert!(
        told.code() == 0 || told.errors.contains("goes on") || told.errors.contains("cannot take over"),
        "{told}"
    );
    tracer.signal(Signal::INT);
    tracer.wait_exit(Deadline::generous());
    sandbox.run(["upgrade"]).expect_code(0);
    assert_eq!(["web.1", "job.1"].map(|name| pid(&sandbox, name)), before);
    assert_one_of_each(&sandbox);
    restart(&sandbox, &running, "web");
    running.signal(Signal::INT);
    let finished = ended(&sandbox, running);
    finished.expect_code(0);
    assert_every_line(&finished.output);
    assert_met(&sandbox, (call, error, at));
}

#[test]
fn a_call_that_fails_amid_an_upgrade_costs_nothing() {
    play_all(
        &[
            // To try the new program out.
            ("memfd_create", "EMFILE", "1"),
            ("openat", "EMFILE", "1"),
            ("pipe2", "ENFILE", "1"),
            ("clone3", "EAGAIN", "1"),
            // The process that stands by, and what is handed over.
            ("memfd_create", "ENFILE", "2"),
            ("memfd_create", "ENOMEM", "3"),
            ("socketpair", "EMFILE", "1"),
            ("clone3", "ENOMEM", "2"),
            ("socketpair", "ENFILE", "1"),
            ("openat", "ENFILE", "2"),
            ("execve", "ETXTBSY", "1"),
            ("execve", "ENOMEM", "1"),
        ],
        play_upgrade,
    );
}

#[test]
fn whatever_failed_for_a_while_is_done_when_it_can_be() {
    let keeper = [
        ("clone3", "EAGAIN", "2..5"),
        ("clone3", "ENOMEM", "3..5"),
        ("mkdirat", "EIO", "1..5"),
        ("recvmsg", "ENOMEM", "4..30"),
    ];
    play_all(&keeper, play_keeper);
    let overseer =
        [("accept4", "EMFILE", "1..3"), ("openat", "EMFILE", "1..4"), ("splice", "ENOMEM", "1..6")];
    play_all(&overseer, |fault| play_overseer(fault, None));
    play_all(&[("splice", "ENOSPC", "1..4")], |fault| play_overseer(fault, Some("job.1.log")));
    play_all(&[("write", "ENOSPC", "1..6")], |fault| play_overseer(fault, Some("ledger")));
}
