//! Under Foreman's name: its commands, its flags and what it prints.

use ganger_testkit::{Finished, Running, Sandbox};

use crate::overmind::{refused, under_names};
use crate::support::*;

fn foreman(sandbox: &Sandbox, words: &[&str]) -> Finished {
    under_names(sandbox, &[&["foreman"], words].concat()).run()
}

fn up(sandbox: &Sandbox, words: &[&str], workers: usize) -> Running {
    let running = under_names(sandbox, &[&["foreman", "start"], words].concat()).start();
    running.wait_lines("| ready", workers);
    running
}

#[test]
fn start_prints_times_and_counts_as_foreman_does() {
    let say = "echo $PORT $PS; echo ready; exec tail -f /dev/null";
    let sandbox = sandbox_with(&format!("web: {say}\njob: {say}\nclock: {say}"));
    let running = up(&sandbox, &["-m", "web=1,job=2", "-p", "3000"], 3);
    let line = running.wait_line(" web.1  | 3000 web.1");
    assert_eq!(line.split(':').count(), 3, "it begins with the time: {line}");
    running.wait_line("job.2  | 3101 job.2");
    refused(&foreman(&sandbox, &["start"]), "ERROR: ", &["already running"]);
    assert_eq!(names(&sandbox).len(), 3);
    interrupted(&sandbox, running);
    let running = up(&sandbox, &["--no-timestamp", "clock"], 1);
    let line = running.wait_line("| 5200 clock.1");
    assert!(line.starts_with("clock.1 "), "{line}");
    interrupted(&sandbox, running);
    sandbox.file(".foreman", "timestamp: false\nformation: job=1\n");
    let running = up(&sandbox, &[], 1);
    assert!(running.wait_line("| 5100 job.1").starts_with("job.1 "));
    assert!(!sandbox.path(".overmind.sock").exists());
    interrupted(&sandbox, running);
}

#[test]
fn the_first_exit_is_its_exit() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: exit 3"));
    let running = under_names(&sandbox, &["foreman", "start"]).start();
    ended(&sandbox, running).expect_code(3);
}

#[test]
fn check_run_and_version_say_what_foremans_say() {
    let sandbox = sandbox_with("web: echo port $PORT; exit 4\njob: x");
    sandbox.file(".env", "A=env\n");
    sandbox.file("other.env", "A=other\n");
    assert_eq!(foreman(&sandbox, &["check"]).success(), "valid procfile detected (web, job)\n");
    refused(&foreman(&sandbox, &["check", "-f", "Nofile"]), "ERROR: ", &["Nofile"]);
    assert_eq!(foreman(&sandbox, &["run", "sh", "-c", "echo $A"]).success(), "env\n");
    assert_eq!(foreman(&sandbox, &["run", "-e", "other.env", "sh", "-c", "echo $A"]).success(), "other\n");
    let web = foreman(&sandbox, &["run", "web"]);
    web.expect_code(4);
    assert_eq!(web.output, "port 5000\n");
    assert_eq!(foreman(&sandbox, &["version"]).success(), "0.90.0\n");
    assert!(foreman(&sandbox, &["help"]).success().contains("foreman start [PROCESS]"));
    refused(&foreman(&sandbox, &["export", "systemd", "/etc/systemd/system"]), "ERROR: ", &["ganger daemon"]);
    refused(&foreman(&sandbox, &["strat"]), "ERROR: ", &["strat"]);
}
