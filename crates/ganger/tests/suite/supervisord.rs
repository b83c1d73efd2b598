//! The daemon under the name of supervisord: its options, exit codes, files and signals.

use std::fs;

use ganger_testkit::{Deadline, Sandbox, is_alive, signal, wait_gone};
use rustix::process::Signal;

use crate::support::*;

/// One program that obeys, and what more is said.
fn config(sandbox: &Sandbox, more: &str) {
    let text = format!(
        "[supervisord]\nlogfile=main.log\npidfile=s.pid\n{more}\n[program:web]\ncommand=tail -f /dev/null\nstartsecs=0\n"
    );
    sandbox.file("s.conf", &text);
}

/// The process that the pidfile names.
fn named(sandbox: &Sandbox) -> i32 {
    let text = sandbox.wait_file("s.pid", "\n");
    text.trim().parse().unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

#[test]
fn it_goes_to_the_background_and_leaves_a_log_and_a_pidfile_that_goes_with_it() {
    let sandbox = sandbox();
    config(&sandbox, "");
    sandbox.run(["supervisord", "-c", "s.conf"]).expect_code(0);
    let keeper = named(&sandbox);
    assert_eq!(keeper, parts(&sandbox)[0]);
    sandbox.wait_file("main.log", &format!("INFO supervisord started with pid {keeper}\n"));
    sandbox.wait_file("main.log", "INFO success: web entered RUNNING state");
    signal(keeper, Signal::TERM);
    assert!(wait_gone(keeper, Deadline::generous()));
    let log = sandbox.read("main.log");
    for line in [
        "WARN received SIGTERM indicating exit request\n",
        "INFO waiting for web to die\n",
        "WARN stopped: web (terminated by SIGTERM)\n",
    ] {
        assert!(log.contains(line), "{line}{log}");
    }
    assert!(!sandbox.path("s.pid").exists());
    sandbox.assert_nothing_left();
}

#[test]
fn in_the_foreground_the_log_is_shown_unless_it_is_to_be_silent() {
    let sandbox = sandbox();
    config(&sandbox, "nodaemon=true");
    for (words, is_shown) in
        [(&["supervisord", "-c", "s.conf"][..], true), (&["supervisord", "-sc", "s.conf"], false)]
    {
        let running = sandbox.ganger_with(words).start();
        sandbox.wait_file("main.log", "INFO success: web entered RUNNING state");
        running.signal(Signal::INT);
        let finished = ended(&sandbox, running);
        finished.expect_code(0);
        let log = sandbox.read("main.log");
        assert!(log.contains("WARN received SIGINT indicating exit request\n"), "{log}");
        assert_eq!(finished.output, if is_shown { log } else { String::new() });
        assert!(fs::remove_file(sandbox.path("main.log")).is_ok());
    }
}

#[test]
fn a_hang_up_with_a_bad_file_stops_no_program_and_usr2_opens_the_log_again() {
    let sandbox = sandbox();
    config(&sandbox, "");
    sandbox.run(["supervisord", "-c", "s.conf", "--pidfile=other.pid", "-l", "other.log"]).expect_code(0);
    let keeper: i32 = sandbox.wait_file("other.pid", "\n").trim().parse().unwrap_or_default();
    sandbox.wait_file("other.log", "INFO success: web entered RUNNING state");
    let worker = pid_of(&sandbox);
    sandbox.file("s.conf", "[program:web\n");
    signal(keeper, Signal::HUP);
    assert!(fs::rename(sandbox.path("other.log"), sandbox.path("moved.log")).is_ok());
    signal(keeper, Signal::USR2);
    sandbox.wait_file("other.log", "INFO supervisord logreopen\n");
    assert!(sandbox.read("moved.log").ends_with("INFO received SIGUSR2 indicating log reopen request\n"));
    assert!(sandbox.read("moved.log").contains("WARN received SIGHUP indicating restart request\n"));
    assert!(is_alive(worker) && pid_of(&sandbox) == worker);
    config(&sandbox, "");
    signal(keeper, Signal::QUIT);
    assert!(wait_gone(keeper, Deadline::generous()));
    sandbox.assert_nothing_left();
}

/// The process of the only worker.
fn pid_of(sandbox: &Sandbox) -> i32 {
    let found = sandbox.census().into_iter().find(|process| process.command.contains("tail -f"));
    found.map_or_else(|| panic!("no worker:\n{}", sandbox.report()), |process| process.pid)
}

#[test]
fn what_is_wrong_is_said_as_supervisord_says_it_with_status_2() {
    let sandbox = sandbox();
    let refused = |words: &[&str], part: &str| {
        let finished = sandbox.ganger_with(words).run();
        finished.expect_code(2);
        let errors = &finished.errors;
        assert!(errors.contains("Error: ") && errors.contains(part), "{part}: {errors}");
        assert!(errors.contains("For help, use ") && errors.ends_with(" -h\n"), "{errors}");
    };
    refused(&["supervisord", "-c", "none.conf"], "could not find config file none.conf");
    refused(&["supervisord", "--what"], "option --what not recognized");
    refused(&["supervisord", "word"], "positional arguments are not supported");
    config(&sandbox, "");
    refused(&["supervisord", "-c", "s.conf", "-e", "loud"], "loud");
    refused(&["supervisord", "-c", "s.conf", "-l", "/no/such/dir/log"], "/no/such/dir");
    refused(&["supervisord", "-nc", "s.conf", "-u", "nobody-at-all"], "nobody-at-all");
    config(&sandbox, "minfds=99999999999");
    refused(&["supervisord", "-c", "s.conf"], "minfds");
    sandbox.file("s.conf", "[supervisord]\n[program:web]\n");
    refused(&["supervisord", "-c", "s.conf"], "command");
    let version = sandbox.run(["supervisord", "-v"]).success();
    assert_eq!(version, "4.3.0\n");
    sandbox.run(["supervisord", "-d", "/", "--help"]).expect_code(0);
    sandbox.assert_nothing_left();
}

#[test]
fn programs_may_open_as_many_files_as_the_file_says_whatever_starts_it() {
    let sandbox = sandbox();
    let conf = "[supervisord]\nminfds=700\n[program:web]\nstartsecs=0\nstdout_logfile=out.log\n\
         command=sh -c \"ulimit -n; exec tail -f /dev/null\"\n";
    for words in [&["daemon", "-c", "s.conf"][..], &["supervisord", "-nc", "s.conf"]] {
        sandbox.file("s.conf", conf);
        sandbox.file("out.log", "");
        let running = sandbox.ganger_with(words).through(["prlimit", "--nofile=600:4096"]).start();
        sandbox.wait_file("out.log", "700\n");
        sandbox.run(["quit", "-f", "s.conf"]).expect_code(0);
        running.finish(Deadline::generous()).expect_code(0);
    }
    sandbox.file("s.conf", &conf.replace("700", "2000000000"));
    let refused = sandbox.ganger_with(&["daemon", "-c", "s.conf"]).run();
    refused.expect_code(2);
    assert!(refused.errors.contains("minfds"), "{refused}");
}

#[test]
fn the_first_file_of_the_usual_places_is_taken_and_a_second_daemon_is_refused() {
    let sandbox = sandbox();
    config(&sandbox, "");
    assert!(fs::rename(sandbox.path("s.conf"), sandbox.path("supervisord.conf")).is_ok());
    sandbox.run(["supervisord"]).expect_code(0);
    let keeper = named(&sandbox);
    let again = sandbox.run(["supervisord"]);
    again.expect_code(2);
    assert!(again.errors.contains("already running"), "{again}");
    assert_eq!(named(&sandbox), keeper, "the second one touches no file of the first");
    sandbox.run(["quit"]).expect_code(0);
    assert!(wait_gone(keeper, Deadline::generous()));
    sandbox.assert_nothing_left();
}

#[test]
fn at_the_level_of_debugging_the_main_log_has_what_programs_write_as_that_of_supervisord() {
    let sandbox = sandbox();
    let one = "[program:one]\ncommand=sh -c \"trap 'printf last; exit 0' TERM; echo one; tail -f /dev/null & wait\"\n\
               stdout_logfile=NONE\nstderr_logfile=NONE\n";
    let two = "[program:two]\ncommand=sh -c \"printf 'two\\377\\n' >&2; exec tail -f /dev/null\"\n";
    config(&sandbox, &format!("nodaemon=true\nloglevel=debug\n{one}{two}"));
    let running = sandbox.ganger_with(&["supervisord", "-c", "s.conf"]).start();
    sandbox.wait_file("main.log", " DEBG 'one' stdout output:\none\n\n");
    sandbox.wait_file("main.log", " DEBG 'two' stderr output:\nUndecodable: b'two\\xff\\n'\n");
    // The next overseer goes on with it.
    let [keeper, overseer] = parts(&sandbox);
    signal(overseer, Signal::KILL);
    wait_taken_up(&sandbox, 1);
    signal(keeper, Signal::TERM);
    ended(&sandbox, running).expect_code(0);
    let log = sandbox.read("main.log");
    assert!(log.contains(" DEBG 'one' stdout output:\nlast\n"), "{log}");
    assert_eq!(log.matches(" DEBG 'one' stdout output:\none\n\n").count(), 1, "{log}");
    sandbox.assert_nothing_left();
}

#[test]
fn a_second_signal_to_end_means_nothing_new_as_to_supervisord() {
    let sandbox = sandbox();
    gate(&sandbox, "gate");
    let command = "sh -c \"trap 'read go < gate; exit 7' TERM; echo > ready; tail -f /dev/null & wait\"";
    sandbox.file(
        "s.conf",
        &format!("[supervisord]\nlogfile=main.log\npidfile=s.pid\n[program:web]\ncommand={command}\nstopwaitsecs=3600\n"),
    );
    sandbox.run(["supervisord", "-c", "s.conf"]).expect_code(0);
    let keeper = named(&sandbox);
    sandbox.wait_file("ready", "\n");
    signal(keeper, Signal::TERM);
    sandbox.wait_file("main.log", "WARN received SIGTERM indicating exit request\n");
    signal(keeper, Signal::INT);
    sandbox.wait_file("main.log", "WARN received SIGINT indicating exit request\n");
    open_gate(&sandbox, "gate");
    assert!(wait_gone(keeper, Deadline::generous()));
    let log = sandbox.read("main.log");
    assert!(log.contains("stopped: web (exit status 7)\n") && !log.contains("killing"), "{log}");
    sandbox.assert_nothing_left();
}

#[test]
fn programs_run_as_the_user_that_the_file_names_whatever_starts_it() {
    if !is_root() {
        return;
    }
    let sandbox = sandbox();
    let program =
        "[program:id]\ncommand=id -un\ndirectory=/\nstartsecs=0\nautorestart=false\nstdout_logfile=id.log\n";
    sandbox
        .file("s.conf", &format!("[supervisord]\nlogfile=main.log\npidfile=s.pid\nuser=nobody\n{program}"));
    for words in [&["daemon", "-c", "s.conf"][..], &["supervisord", "-nc", "s.conf"]] {
        let running = sandbox.ganger_with(words).start();
        assert_eq!(sandbox.wait_file("id.log", "\n"), "nobody\n");
        running.signal(Signal::INT);
        ended(&sandbox, running).expect_code(0);
        assert!(fs::remove_file(sandbox.path("id.log")).is_ok());
    }
}
