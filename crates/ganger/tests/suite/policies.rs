//! Policies of groups, as `ganger.toml`, `.foreman` and env files say them, with real processes.

use serde_json::Value;

use crate::support::*;

#[test]
fn an_exit_code_means_what_its_group_says() {
    let sandbox = sandbox();
    sandbox.script(
        "job",
        "#!/bin/sh\necho run >> runs\ntest $(wc -l < runs) -lt 3 && exit 7\necho ready\nexit 8\n",
    );
    sandbox.procfile(&format!("web: {OBEDIENT}\njob: ./job"));
    let exits = "exits = { 7 = \"restart\", 8 = \"stop\" }";
    sandbox.file("ganger.toml", &format!("[groups.job]\n{exits}\nbackoff = {{ initial = \"1ms\" }}\n"));
    let running = started(&sandbox, 2);
    running.wait_line("code 8");
    assert_eq!(sandbox.read("runs"), "run\nrun\nrun\n");
    assert_eq!(worker(&sandbox, "job.1")["state"], "EXITED");
    interrupted(&sandbox, running);
}

#[test]
fn a_worker_that_fails_too_often_is_given_up_and_the_others_go_on() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: echo run >> runs; exit 1"));
    let policy = "restart = \"on-failure\"\nbackoff = { initial = \"1ms\", max = \"1ms\" }";
    sandbox.file(
        "ganger.toml",
        &format!("[groups.job]\n{policy}\nbudget = {{ restarts = 2, within = \"1h\" }}\n"),
    );
    let running = started(&sandbox, 1);
    let follower = sandbox.start(["events", "-f", "--json"]);
    follower.wait_line("FATAL");
    drop(follower);
    let job = worker(&sandbox, "job.1");
    assert_eq!((&job["state"], &job["restarts"]), (&"FATAL".into(), &2.into()), "{job:#}");
    assert_eq!(sandbox.read("runs"), "run\nrun\nrun\n", "one start and two restarts");
    interrupted(&sandbox, running);
}

#[test]
fn a_group_is_stopped_by_its_own_signal() {
    let sandbox = sandbox_with(&format!(
        "web: trap 'echo by int; exit' INT; trap 'echo by term' TERM; echo ready; {WAITING}"
    ));
    sandbox.file("ganger.toml", "[groups.web.stop]\nsignal = \"INT\"\n");
    let running = started(&sandbox, 1);
    sandbox.run(["stop", "web"]).expect_code(0);
    running.wait_line("| by int");
    let finished = interrupted(&sandbox, running);
    assert!(!finished.output.contains("by term"), "{finished}");
}

#[test]
fn limits_the_mask_and_the_directory_reach_the_worker() {
    let sandbox = sandbox_with(
        "web: echo files $(ulimit -n) mask $(umask) in $PWD; echo ready; exec tail -f /dev/null",
    );
    sandbox.file("deep/place/note", "");
    let settings = "umask = \"027\"\ndir = \"deep/place\"\nlimits = { open_files = 64 }";
    sandbox.file("ganger.toml", &format!("[groups.web]\n{settings}\n"));
    let running = started(&sandbox, 1);
    running.wait_line(&format!("files 64 mask 0027 in {}", sandbox.path("deep/place").display()));
    interrupted(&sandbox, running);
}

#[test]
fn defaults_of_foreman_are_below_the_command_line() {
    let sandbox = sandbox_with("web: echo ready $PORT; exec tail -f /dev/null");
    sandbox.file(".foreman", "port: 7000\nformation: web=2\n");
    let running = started(&sandbox, 2);
    running.wait_line("ready 7001");
    interrupted(&sandbox, running);
    let running = started_with(&sandbox, ["-p", "8000"], 2);
    running.wait_line("ready 8001");
    interrupted(&sandbox, running);
}

#[test]
fn of_several_env_files_the_last_wins_and_both_win_over_the_shell() {
    let sandbox = sandbox_with("web: echo $FROM_A $FROM_B $BOTH $SHELL_ONLY ready; exec tail -f /dev/null");
    sandbox.file("a.env", "FROM_A=a\nBOTH=a # the weaker one\n");
    sandbox.file("b.env", "export FROM_B='b'\nBOTH=\"b\"\n");
    let launch =
        sandbox.ganger(["start", "-e", "a.env,b.env"]).env("BOTH", "shell").env("SHELL_ONLY", "shell");
    let running = launch.start();
    running.wait_line("| a b b shell ready");
    interrupted(&sandbox, running);
}

#[test]
fn every_state_has_a_reason() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"));
    let running = started(&sandbox, 2);
    sandbox.run(["stop", "job"]).expect_code(0);
    for name in ["web.1", "job.1"] {
        let worker = worker(&sandbox, name);
        let said = |key: &str| worker[key].as_str().is_some_and(|text| !text.is_empty());
        assert!(said("state") && said("wanted") && said("why"), "{worker:#}");
    }
    assert_eq!(worker(&sandbox, "job.1")["pid"], Value::Null);
    interrupted(&sandbox, running);
}
