//! What the topics share.

use std::io::Write;

use ganger_testkit::{Deadline, Finished, Running, Sandbox, command_line, parent_of};
use rustix::process::Signal;
use serde_json::Value;

/// A worker that says its name and obeys: `ready` is printed once it runs.
pub(crate) const OBEDIENT: &str = "echo ready; exec tail -f /dev/null";
/// The same, deaf to TERM.
pub(crate) const STUBBORN: &str = "trap '' TERM INT HUP; echo ready; exec tail -f /dev/null";

/// The end of a worker that has traps: it waits for signals, and no signal comes too early for it.
pub(crate) const WAITING: &str = "tail -f /dev/null & while :; do wait; done";

/// Starts a program, as root, where there are no cgroups: the processes of a run are found by a walk.
pub(crate) const WITHOUT_CGROUPS: [&str; 6] =
    ["unshare", "--mount", "sh", "-c", "umount -l -a -t cgroup2; exec \"$@\"", "sh"];

/// A sandbox for this build.
pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_ganger"))
}

/// A sandbox with a Procfile.
pub(crate) fn sandbox_with(procfile: &str) -> Sandbox {
    let sandbox = sandbox();
    sandbox.procfile(procfile);
    sandbox
}

/// Starts the app and blocks until `workers` workers said that they are ready, and ganger that it knows of them.
pub(crate) fn started(sandbox: &Sandbox, workers: usize) -> Running {
    started_with(sandbox, [], workers)
}

/// The same with arguments of `ganger start`.
pub(crate) fn started_with<const N: usize>(sandbox: &Sandbox, options: [&str; N], workers: usize) -> Running {
    let words: Vec<&str> = ["start"].into_iter().chain(options).collect();
    let running = sandbox.ganger_with(&words).start();
    running.wait_lines("| ready", workers);
    running.wait_lines("started with pid", workers);
    running
}

/// Ends the app from outside, and gives what it printed; nothing may be left of it.
pub(crate) fn interrupted(sandbox: &Sandbox, running: Running) -> Finished {
    running.signal(Signal::INT);
    let finished = ended(sandbox, running);
    finished.expect_code(0);
    finished
}

/// Blocks until the app has ended by itself; nothing may be left of it.
pub(crate) fn ended(sandbox: &Sandbox, mut running: Running) -> Finished {
    running.wait_exit(Deadline::generous());
    sandbox.assert_nothing_left();
    running.finish(Deadline::generous())
}

/// Both streams: where ganger's own words go is not the point of every test.
pub(crate) fn said(finished: &Finished) -> String {
    format!("{}\n{}", finished.output, finished.errors)
}

/// Demands that each of `parts` was said.
#[track_caller]
pub(crate) fn assert_said(finished: &Finished, parts: &[&str]) {
    let said = said(finished).to_lowercase();
    for part in parts {
        assert!(said.contains(&part.to_lowercase()), "{part:?} was not said:\n{finished}");
    }
}

/// What `ganger ps --json` says of one worker.
#[track_caller]
pub(crate) fn worker(sandbox: &Sandbox, name: &str) -> Value {
    let all = sandbox.run(["ps", "--json"]).json();
    let found = workers_of(&all).iter().find(|worker| worker["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {all:#}")).clone()
}

/// The names in `ganger ps --json`, in its order.
pub(crate) fn names(sandbox: &Sandbox) -> Vec<String> {
    let all = sandbox.run(["ps", "--json"]).json();
    workers_of(&all).iter().filter_map(|worker| worker["name"].as_str().map(str::to_owned)).collect()
}

/// The PID of one worker's run.
#[track_caller]
pub(crate) fn pid(sandbox: &Sandbox, name: &str) -> i32 {
    let worker = worker(sandbox, name);
    let pid = worker["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    pid.unwrap_or_else(|| panic!("{name} has no run: {worker:#}"))
}

#[track_caller]
fn workers_of(all: &Value) -> &Vec<Value> {
    all["workers"].as_array().unwrap_or_else(|| panic!("no workers in {all:#}"))
}

/// The process that oversees the app, and its parent.
pub(crate) fn parts(sandbox: &Sandbox) -> [i32; 2] {
    let is = |word: &str, pid: i32| command_line(pid).split(' ').nth(1) == Some(word);
    let all = sandbox.census();
    let overseer = all.iter().find(|process| is("overseer", process.pid)).map(|process| process.pid);
    let keeper = overseer.and_then(parent_of);
    let both = keeper.zip(overseer).unwrap_or_else(|| panic!("nobody oversees:\n{}", sandbox.report()));
    both.into()
}

/// Waits until the app was taken up again so many times, by another overseer or another keeper. A command that comes before
/// that may go unanswered.
pub(crate) fn wait_taken_up(sandbox: &Sandbox, times: usize) {
    let events = sandbox.start(["events", "-f"]);
    events.wait_lines("the overseer was started again", times);
}

/// Makes a named pipe in the app's directory: a worker that reads it waits until the test writes.
pub(crate) fn gate(sandbox: &Sandbox, name: &str) {
    let made = rustix::fs::mkfifoat(rustix::fs::CWD, sandbox.path(name), rustix::fs::Mode::RWXU);
    assert_eq!(made, Ok(()), "a named pipe");
}

/// Lets one worker that reads the gate go on, now or as soon as it comes there.
pub(crate) fn open_gate(sandbox: &Sandbox, name: &str) {
    let gate = std::fs::File::options().read(true).write(true).open(sandbox.path(name));
    let opened = gate.and_then(|mut gate| {
        gate.write_all(b"go\n")?;
        // It stays open while the tests run: so it waits for nobody, who comes later finds what was written, and who
        // comes twice does not take an end for a line.
        std::mem::forget(gate);
        Ok(())
    });
    assert!(opened.is_ok(), "{opened:?}");
}

/// What `ganger logs --raw` prints with these words.
pub(crate) fn raw(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let words: Vec<&str> = ["logs", "--raw"].iter().chain(words).copied().collect();
    sandbox.ganger_with(&words).run().success().lines().map(str::to_owned).collect()
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
