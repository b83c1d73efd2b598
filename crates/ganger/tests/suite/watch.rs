//! Groups that are watched for changes of files.

use ganger_testkit::{Deadline, Running, Sandbox, is_alive, kill_nine};
use rustix::process::Signal;

use crate::support::*;

/// A worker that tells of each HUP.
const TOLD: &str = "trap 'echo told' HUP; echo ready; tail -f /dev/null & while :; do wait; done";
/// It goes on over changes, and tells of each.
const WITNESS: &str = "[groups.job]\nwatch = { paths = ['app', 'mark'], signal = 'HUP', debounce = '1ms' }\n";

/// An app in which `web` is watched, with a witness beside it.
fn app(web: &str, watch: &str) -> Sandbox {
    let sandbox = sandbox_with(&format!("web: {web}\njob: {TOLD}"));
    sandbox.file("ganger.toml", &format!("[groups.web]\n{watch}\n{WITNESS}"));
    sandbox.file("app/a.rb", "1");
    sandbox
}

/// Starts it; from now on changes are seen.
fn watching(sandbox: &Sandbox) -> Running {
    let running = started(sandbox, 2);
    running.wait_line("for changes (web, job)");
    running
}

/// How often a worker was started, by what it printed.
fn starts(output: &str, worker: &str) -> usize {
    output.lines().filter(|line| line.starts_with(worker) && line.ends_with("| ready")).count()
}

#[test]
fn a_file_that_is_replaced_restarts_its_group_alone_and_says_why() {
    let sandbox = app(OBEDIENT, "watch = ['app/**/*.rb']");
    let running = watching(&sandbox);
    let (web, job) = (pid(&sandbox, "web.1"), pid(&sandbox, "job.1"));
    sandbox.file("app/a.rb", "2");
    running.wait_lines("web.1  | ready", 2);
    // On a busy machine the next run is heard before the end of the one before is told.
    running.wait_line("web.1  | was terminated");
    let shown = running.output();
    let [told, ended] =
        ["web.1  | restarts: app/a.rb changed\n", "web.1  | was terminated"].map(|line| shown.find(line));
    assert!(told.is_some() && told < ended, "{shown}");
    assert!(!is_alive(web));
    assert_eq!(pid(&sandbox, "job.1"), job);
    let events = sandbox.run(["events"]).success();
    for why in ["stopping since app/a.rb changed: got SIGTERM", "started: app/a.rb changed"] {
        assert!(events.contains(why), "no {why:?} in\n{events}");
    }
    assert_eq!(worker(&sandbox, "web.1")["restarts"], 0, "it is no restart of policy");
    interrupted(&sandbox, running);
}

#[test]
fn a_file_in_a_new_directory_counts_and_what_is_ignored_does_not() {
    let watch = "watch = { paths = ['app/**/*.rb', 'mark'], ignore = ['*_made.rb'] }";
    let sandbox = app(OBEDIENT, watch);
    let running = watching(&sandbox);
    for name in ["app/node_modules/x/a.rb", "app/.git/a.rb", "app/a_made.rb", "app/a.txt", "lib/a.rb"] {
        sandbox.file(name, "1");
    }
    // Comes after all of these, and is the first that counts.
    sandbox.file("mark", "1");
    running.wait_lines("web.1  | ready", 2);
    let events = sandbox.run(["events"]).success();
    assert!(events.contains("started: mark changed"), "{events}");
    sandbox.file("app/new/deep/b.rb", "1");
    running.wait_lines("web.1  | ready", 3);
    let events = sandbox.run(["events"]).success();
    assert!(events.contains("started: app/new/deep/b.rb"), "{events}");
    let finished = interrupted(&sandbox, running);
    assert_eq!(starts(&finished.output, "web.1"), 3);
}

#[test]
fn a_burst_is_one_change() {
    let sandbox = app(OBEDIENT, "watch = { paths = ['app'], debounce = '3s' }");
    let running = watching(&sandbox);
    for number in 1..=50 {
        sandbox.file(&format!("app/{number}.rb"), "1");
    }
    running.wait_lines("web.1  | ready", 2);
    let events = sandbox.run(["events"]).success();
    // Each was written beside and renamed, and both names count.
    assert!(events.contains("started: app/1.fresh and 99 more files changed"), "{events}");
    let finished = interrupted(&sandbox, running);
    assert_eq!(starts(&finished.output, "web.1"), 2);
}

#[test]
fn changes_while_a_restart_is_under_way_lead_to_one_new_run() {
    let slow = "trap 'read go < gate; exit 0' TERM; echo ready; tail -f /dev/null & while :; do wait; done";
    let sandbox = app(
        slow,
        "watch = { paths = ['app', 'mark'], debounce = '1ms' }\nstop = { timeout = '10m', scope = 'main' }",
    );
    gate(&sandbox, "gate");
    let running = watching(&sandbox);
    let change = |number: usize| {
        std::fs::write(sandbox.path("mark"), "1").unwrap_or_default();
        // `job` is told of the same change, and after `web`.
        running.wait_lines("job.1  | told", number);
    };
    (1..=5).for_each(change);
    assert_eq!(worker(&sandbox, "web.1")["state"], "STOPPING");
    open_gate(&sandbox, "gate");
    running.wait_lines("web.1  | ready", 2);
    let events = sandbox.run(["events"]).success();
    assert_eq!(events.lines().filter(|line| line.contains("started: mark changed")).count(), 1, "{events}");
    running.signal(Signal::INT);
    open_gate(&sandbox, "gate");
    assert_eq!(starts(&ended(&sandbox, running).output, "web.1"), 2);
}

#[test]
fn a_group_may_get_a_signal_instead_and_what_was_stopped_stays_down() {
    let sandbox = app(OBEDIENT, "watch = { paths = ['app'], debounce = '1ms' }");
    let running = watching(&sandbox);
    let job = pid(&sandbox, "job.1");
    sandbox.run(["stop", "web"]).expect_code(0);
    std::fs::write(sandbox.path("app/a.rb"), "2").unwrap_or_default();
    running.wait_line("app/a.rb changed: SIGHUP sent to job");
    running.wait_line("job.1  | told");
    assert_eq!(pid(&sandbox, "job.1"), job);
    assert_eq!(worker(&sandbox, "web.1")["state"], "STOPPED");
    interrupted(&sandbox, running);
}

#[test]
fn a_reload_changes_what_is_watched() {
    let sandbox = app(OBEDIENT, "watch = ['app']");
    let running = watching(&sandbox);
    let web = pid(&sandbox, "web.1");
    sandbox.file("lib/a.rb", "1");
    sandbox.file(
        "ganger.toml",
        &format!("[groups.web]\nwatch = {{ paths = ['lib'], debounce = '1ms' }}\n{WITNESS}"),
    );
    let plan = sandbox.run(["reload"]).success();
    assert!(plan.contains("web: watch changed, in force at once"), "{plan}");
    running.wait_lines("for changes (web, job)", 2);
    assert_eq!(pid(&sandbox, "web.1"), web);
    std::fs::write(sandbox.path("app/a.rb"), "2").unwrap_or_default();
    running.wait_line("job.1  | told");
    std::fs::write(sandbox.path("lib/a.rb"), "2").unwrap_or_default();
    running.wait_lines("web.1  | ready", 2);
    let events = sandbox.run(["events"]).success();
    assert!(events.contains("started: lib/a.rb changed"), "{events}");
    interrupted(&sandbox, running);
}

#[test]
fn the_next_overseer_watches_as_the_one_before() {
    let sandbox = app(OBEDIENT, "watch = ['app']");
    let running = watching(&sandbox);
    kill_nine(running.child_with("overseer"), Deadline::generous());
    running.wait_lines("for changes (web, job)", 2);
    sandbox.file("app/a.rb", "2");
    running.wait_lines("web.1  | ready", 2);
    interrupted(&sandbox, running);
}

#[test]
fn a_worker_that_has_ended_is_started_by_a_change_and_the_app_waits_for_it() {
    let sandbox = sandbox_with("test: echo ran $(cat app/a.rb); exit 3");
    sandbox.file("app/a.rb", "1");
    sandbox.file("ganger.toml", "[groups.test]\nwatch = ['app']\n");
    let running = sandbox.start(["start"]);
    running.wait_line("for changes (test)");
    running.wait_line("| ran 1");
    running.wait_line("code 3");
    sandbox.file("app/a.rb", "2");
    running.wait_line("| ran 2");
    interrupted(&sandbox, running);
}

#[test]
fn directories_that_the_kernel_does_not_watch_are_told_with_what_to_do() {
    let sandbox = app(OBEDIENT, "watch = ['app']");
    for number in 0..8 {
        sandbox.file(&format!("app/{number}/a.rb"), "1");
    }
    let few = "echo 3 > /proc/sys/user/max_inotify_watches && exec \"$@\"";
    let launch = sandbox.ganger(["start"]);
    let running = launch.through(["unshare", "--user", "--map-root-user", "sh", "-c", few, "sh"]).start();
    running.wait_line("not all files are watched");
    running.wait_line("hint: watch fewer directories");
    running.wait_line("for changes (web, job)");
    // Before that, the signal would end the one that does not listen to it yet.
    running.wait_lines("| ready", 2);
    std::fs::write(sandbox.path("app/a.rb"), "2").unwrap_or_default();
    running.wait_lines("web.1  | ready", 2);
    interrupted(&sandbox, running);
}

#[test]
fn without_what_the_kernel_tells_with_the_app_runs_and_a_reload_tries_again() {
    let sandbox = app(OBEDIENT, "watch = ['app']");
    let record = sandbox.root().join("strace").display().to_string();
    let (trace, inject) = ("trace=inotify_init1", "inject=inotify_init1:error=EMFILE:when=1");
    let words = ["strace", "-f", "-o", &record, "-e", trace, "-e", inject];
    let running = sandbox.ganger(["start"]).through(words).start();
    running.wait_lines("| ready", 2);
    running.wait_line("no files are watched: ");
    running.wait_line("hint: allow more: `sysctl fs.inotify.max_user_instances=1024`");
    sandbox.run(["reload"]).expect_code(0);
    let changed = WITNESS.replace("'mark'", "'other'");
    sandbox.file("ganger.toml", &format!("[groups.web]\nwatch = ['app']\n{changed}"));
    sandbox.run(["reload"]).expect_code(0);
    running.wait_line("for changes (web, job)");
    std::fs::write(sandbox.path("app/a.rb"), "2").unwrap_or_default();
    running.wait_lines("web.1  | ready", 2);
    sandbox.run(["quit"]).expect_code(0);
    ended(&sandbox, running);
}

#[test]
fn a_glob_that_is_none_is_an_error_at_its_place() {
    let sandbox = app(OBEDIENT, "watch = ['app/[']");
    sandbox.run(["check"]).error(&["ganger.toml:2:9: `app/[` is no glob: a `[` has no `]`"]);
    sandbox.file("ganger.toml", "[groups.web]\nwatch = { path = ['app'] }\n");
    sandbox.run(["check"]).error(&["ganger.toml:2", "unknown key `path`"]);
}
