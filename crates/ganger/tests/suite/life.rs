//! The life of a worker under commands that come at an awkward moment.

use ganger_testkit::{Deadline, Sandbox, is_alive, kill_nine};

use crate::support::*;

/// A worker that, asked to stop, waits for its gate; a second run beside it says so.
const LEAVING: &str = "mkdir lock.$PS || echo two of one; \
     trap 'echo asked; read x < gate; rmdir lock.$PS; exit' TERM; echo ready $PORT";

fn stopped(sandbox: &Sandbox, name: &str) {
    let worker = worker(sandbox, name);
    assert_eq!((&worker["state"], &worker["wanted"]), (&"STOPPED".into(), &"down".into()), "{worker:#}");
}

#[test]
fn a_worker_that_is_still_starting_can_be_stopped() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    sandbox.file("ganger.toml", "[groups.web]\nrestart = \"always\"\nstartsecs = \"1h\"\n");
    let running = started(&sandbox, 2);
    let web = worker(&sandbox, "web.1");
    assert_eq!(web["state"], "STARTING", "{web:#}");
    let pid = pid(&sandbox, "web.1");
    sandbox.run(["stop", "web"]).expect_code(0);
    assert!(!is_alive(pid));
    stopped(&sandbox, "web.1");
    assert_eq!(worker(&sandbox, "web.1")["restarts"], 0, "a stop is no failure");
    interrupted(&sandbox, running);
}

#[test]
fn a_worker_that_is_wanted_again_while_it_leaves_never_runs_twice() {
    let sandbox = sandbox_with(&format!("web: {LEAVING}; {WAITING}"));
    gate(&sandbox, "gate");
    let running = started_with(&sandbox, ["-m", "web=2", "--timeout", "600"], 2);
    let kept = pid(&sandbox, "web.1");
    let old = pid(&sandbox, "web.2");
    let down = sandbox.start(["scale", "web=1"]);
    running.wait_line("| asked");
    let up = sandbox.start(["scale", "web=2"]);
    running.wait_line("from 1 to 2");
    let leaving = worker(&sandbox, "web.2");
    assert_eq!((&leaving["state"], &leaving["pid"]), (&"STOPPING".into(), &old.into()), "{leaving:#}");
    assert_eq!(names(&sandbox), ["web.1", "web.2"]);
    open_gate(&sandbox, "gate");
    up.finish(Deadline::generous()).expect_code(0);
    down.finish(Deadline::generous());
    assert!(!is_alive(old) && pid(&sandbox, "web.2") != old);
    assert_eq!(pid(&sandbox, "web.1"), kept);
    assert_eq!(running.wait_lines("| ready 5001", 2).len(), 2, "the same number, the same port");
    let quit = sandbox.start(["quit", "--now"]);
    quit.finish(Deadline::generous()).expect_code(0);
    let finished = ended(&sandbox, running);
    assert!(!finished.output.contains("two of one"), "{finished}");
}

#[test]
fn a_worker_that_exited_comes_back_by_a_restart() {
    for option in [&["--any-can-die"][..], &["--can-die", "job"]] {
        let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: echo ready; read x < gate; exit 7"));
        gate(&sandbox, "gate");
        let words: Vec<&str> = ["start"].iter().chain(option).copied().collect();
        let running = sandbox.ganger_with(&words).start();
        running.wait_lines("| ready", 2);
        let web = pid(&sandbox, "web.1");
        open_gate(&sandbox, "gate");
        running.wait_line("code 7");
        assert_eq!(worker(&sandbox, "job.1")["state"], "EXITED");
        sandbox.run(["restart", "job"]).expect_code(0);
        running.wait_lines("| ready", 3);
        assert!(is_alive(pid(&sandbox, "job.1")));
        assert_eq!((pid(&sandbox, "web.1"), &worker(&sandbox, "job.1")["restarts"]), (web, &0.into()));
        interrupted(&sandbox, running);
    }
}

#[test]
fn a_signal_to_a_group_reaches_the_main_process_of_each_worker_and_nothing_else() {
    let child = format!("sh -c \"trap 'echo wrong' HUP; echo child; {WAITING}\" &");
    let sandbox = sandbox_with(&format!(
        "web: trap 'echo hup $PS' HUP; {child} echo ready; {WAITING}\njob: trap 'echo wrong' HUP; echo ready; {WAITING}"
    ));
    let running = started_with(&sandbox, ["-m", "web=3,job=1"], 4);
    running.wait_lines("| child", 3);
    let table = sandbox.run(["signal", "web", "HUP"]).success();
    assert_eq!(table.matches("signalled").count(), 3, "{table}");
    for name in ["web.1", "web.2", "web.3"] {
        running.wait_line(&format!("| hup {name}"));
    }
    let finished = interrupted(&sandbox, running);
    assert_eq!(finished.output.matches("| hup").count(), 3, "{finished}");
    assert!(!finished.output.contains("wrong"), "{finished}");
}

#[test]
fn a_stopped_worker_stays_stopped_until_it_is_started() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: echo first; {OBEDIENT}"));
    let running = started(&sandbox, 2);
    let web = pid(&sandbox, "web.1");
    sandbox.run(["stop", "job"]).expect_code(0);
    sandbox.procfile(&format!("web: {OBEDIENT}\njob: echo second; {OBEDIENT}"));
    sandbox.run(["reload"]).expect_code(0);
    stopped(&sandbox, "job.1");
    kill_nine(running.child_with("overseer"), Deadline::generous());
    stopped(&sandbox, "job.1");
    assert_eq!(pid(&sandbox, "web.1"), web);
    assert!(!running.output().contains("| second"));
    let table = sandbox.run(["start", "job.1"]).success();
    assert!(table.contains("started"), "{table}");
    running.wait_line("| second");
    let job = worker(&sandbox, "job.1");
    assert_eq!((&job["wanted"], &job["port"], &job["restarts"]), (&"up".into(), &5100.into(), &0.into()));
    let again = sandbox.run(["start", "job.1"]).success();
    assert!(again.contains("unchanged"), "{again}");
    assert_eq!(pid(&sandbox, "web.1"), web);
    interrupted(&sandbox, running);
}

#[test]
fn quit_now_does_not_wait_for_workers_that_ignore_the_stop() {
    let sandbox = sandbox_with(&format!("web: {STUBBORN}\njob: {OBEDIENT}"));
    // The timeout is far beyond the deadline of the wait.
    let running = started_with(&sandbox, ["--timeout", "600"], 2);
    let pids = [pid(&sandbox, "web.1"), pid(&sandbox, "job.1")];
    let quit = sandbox.run(["quit", "--now", "--json"]).json();
    assert_eq!(quit["killed"], serde_json::json!(["job.1", "web.1"]), "{quit}");
    assert!(pids.iter().all(|pid| !is_alive(*pid)), "quit replied before the effect");
    ended(&sandbox, running);
}

#[test]
fn what_a_run_left_in_another_session_is_gone_and_named_before_the_next_run() {
    let sandbox = sandbox();
    let dummy = sandbox.dummy();
    sandbox
        .procfile(&format!("web: {OBEDIENT}\njob: {dummy} --straggler-ignore-term --wait-for go --exit 3"));
    let policy = "restart = \"always\"\nbackoff = { initial = \"1ms\", max = \"1ms\" }";
    sandbox.file("ganger.toml", &format!("[groups.job]\n{policy}\n"));
    let running = started_with(&sandbox, ["--timeout", "1"], 1);
    sandbox.file("go", "");
    let named = running.wait_line("killed of job.1: ganger-dummy");
    let straggler = named.rsplit(['(', ')']).nth(1).and_then(|text| text.parse().ok());
    let straggler: i32 = straggler.unwrap_or_else(|| running.fail(&named));
    running.wait_lines("job.1  | started with pid", 2);
    assert!(!is_alive(straggler), "a run began beside what was left");
    let output = interrupted(&sandbox, running).output;
    let killed = output.find(&named);
    let second = output.match_indices("job.1  | started with pid").nth(1);
    assert!(killed.is_some() && killed < second.map(|(at, _)| at), "named too late:\n{output}");
}
