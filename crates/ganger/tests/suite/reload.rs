//! `ganger reload` re-reads the files and restarts what changed, and nothing else.

use ganger_testkit::is_alive;

use crate::support::*;

const BEFORE: &str = "web: echo ready; exec tail -f /dev/null\njob: echo ready; exec tail -f /dev/null";

#[test]
fn only_the_group_whose_command_changed_is_restarted() {
    let sandbox = sandbox_with(BEFORE);
    let running = started(&sandbox, 2);
    let (web, job) = (pid(&sandbox, "web.1"), pid(&sandbox, "job.1"));
    sandbox.procfile("web: echo ready; exec tail -f /dev/null\njob: echo changed; exec tail -f /dev/null");
    let plan = sandbox.run(["reload"]).success();
    assert!(plan.contains("job") && !plan.contains("restart web"), "{plan}");
    running.wait_line("| changed");
    assert!(!is_alive(job), "the old run is gone before the reply");
    assert_eq!(pid(&sandbox, "web.1"), web);
    interrupted(&sandbox, running);
}

#[test]
fn a_changed_setting_reaches_the_workers() {
    let sandbox = sandbox_with("web: echo colour $COLOUR ready; exec tail -f /dev/null");
    sandbox.file(".env", "COLOUR=blue\n");
    let running = sandbox.start(["start"]);
    running.wait_line("colour blue ready");
    sandbox.file(".env", "COLOUR=red\n");
    sandbox.run(["reload"]).expect_code(0);
    running.wait_line("colour red ready");
    interrupted(&sandbox, running);
}

#[test]
fn a_dry_run_shows_the_plan_and_changes_nothing() {
    let sandbox = sandbox_with(BEFORE);
    let running = started(&sandbox, 2);
    let before = [pid(&sandbox, "web.1"), pid(&sandbox, "job.1")];
    sandbox.procfile("web: echo ready; exec tail -f /dev/null\njob: echo changed; exec tail -f /dev/null");
    let plan = sandbox.run(["reload", "--dry-run"]).success();
    assert!(plan.contains("job"), "{plan}");
    assert_eq!([pid(&sandbox, "web.1"), pid(&sandbox, "job.1")], before);
    interrupted(&sandbox, running);
}

#[test]
fn an_invalid_file_changes_nothing() {
    let sandbox = sandbox_with(BEFORE);
    let running = started(&sandbox, 2);
    let before = [pid(&sandbox, "web.1"), pid(&sandbox, "job.1")];
    sandbox.procfile("web: echo other\nthis is no entry");
    sandbox.run(["reload"]).error(&["Procfile:2"]);
    assert_eq!([pid(&sandbox, "web.1"), pid(&sandbox, "job.1")], before);
    interrupted(&sandbox, running);
}

#[test]
fn a_new_group_starts_and_a_removed_one_stops() {
    let sandbox = sandbox_with(BEFORE);
    let running = started(&sandbox, 2);
    let (web, job) = (pid(&sandbox, "web.1"), pid(&sandbox, "job.1"));
    sandbox.procfile("web: echo ready; exec tail -f /dev/null\nclock: echo tick; exec tail -f /dev/null");
    sandbox.run(["reload"]).expect_code(0);
    running.wait_line("| tick");
    assert!(!is_alive(job));
    assert_eq!(pid(&sandbox, "web.1"), web);
    assert_eq!(names(&sandbox), ["web.1", "clock.1"]);
    interrupted(&sandbox, running);
}

#[test]
fn nothing_changed_restarts_nothing() {
    let sandbox = sandbox_with(BEFORE);
    let running = started(&sandbox, 2);
    let before = [pid(&sandbox, "web.1"), pid(&sandbox, "job.1")];
    sandbox.run(["reload"]).expect_code(0);
    assert_eq!([pid(&sandbox, "web.1"), pid(&sandbox, "job.1")], before);
    interrupted(&sandbox, running);
}
