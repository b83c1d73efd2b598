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
fn a_group_that_start_named_may_be_removed() {
    let sandbox = sandbox_with(BEFORE);
    let flags = ["-m", "web=1,job=1", "--can-die", "job"];
    let running = started_with(&sandbox, flags, 2);
    let web = pid(&sandbox, "web.1");
    sandbox.procfile("web: echo ready; exec tail -f /dev/null");
    let plan = sandbox.run(["reload"]).success();
    assert!(plan.contains("warning: -m: no group `job`") && plan.contains("job: removed"), "{plan}");
    assert!(plan.contains("warning: --can-die: no group `job`"), "{plan}");
    assert_eq!((names(&sandbox), pid(&sandbox, "web.1")), (vec!["web.1".to_owned()], web));
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

#[test]
fn the_plan_says_in_a_line_what_becomes_of_each_group_that_changes() {
    let groups = ["web", "job", "mail", "cron", "clock"].map(|name| format!("{name}: {OBEDIENT}"));
    let sandbox = sandbox_with(&groups.join("\n"));
    sandbox.file("ganger.toml", "[groups.clock]\ncount = 2\n");
    let running = started(&sandbox, 6);
    let pids = |names: &[&str]| names.iter().map(|name| pid(&sandbox, name)).collect::<Vec<_>>();
    let kept = pids(&["web.1", "cron.1"]);
    let gone = pids(&["job.1", "mail.1", "clock.1", "clock.2"]);
    sandbox.procfile(&format!(
        "web: {OBEDIENT}\njob: echo changed; {OBEDIENT}\nmail: {OBEDIENT}\ncron: {OBEDIENT}\nfresh: {OBEDIENT}"
    ));
    let settings = "[groups.mail.env]\nCOLOUR = \"blue\"\n[groups.cron.stop]\ntimeout = \"3s\"\n";
    sandbox.file("ganger.toml", settings);
    let changes = "job: command changed, 1 worker restarted if up
mail: $COLOUR changed, 1 worker restarted if up
cron: stop changed, in force at once
fresh: new, 1 worker
clock: removed, 2 workers stopped
";
    let dry = sandbox.run(["reload", "--dry-run"]).success();
    assert_eq!(dry, format!("{changes}nothing was done (dry run)\n"));
    assert_eq!(
        (pids(&["web.1", "cron.1"]), pids(&["job.1", "mail.1", "clock.1", "clock.2"])),
        (kept.clone(), gone.clone())
    );
    let done = sandbox.run(["reload"]).success();
    assert!(done.starts_with(changes) && done.ends_with("release 2 is in force\n"), "{done}");
    for (name, result) in
        [("job.1", "started"), ("mail.1", "started"), ("fresh.1", "started"), ("clock.2", "removed")]
    {
        let row = done.lines().find(|line| line.starts_with(name));
        assert!(row.is_some_and(|row| row.ends_with(&format!(" {result}"))), "{name} {result}:\n{done}");
    }
    assert!(gone.iter().all(|pid| !is_alive(*pid)), "the reply came before the effect");
    assert_eq!(pids(&["web.1", "cron.1"]), kept);
    assert_eq!(names(&sandbox), ["web.1", "job.1", "mail.1", "cron.1", "fresh.1"]);
    assert_eq!(sandbox.run(["reload"]).success(), "nothing changed\n");
    interrupted(&sandbox, running);
}
