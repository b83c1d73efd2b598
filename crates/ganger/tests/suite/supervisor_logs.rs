//! Where supervisord's file sends what is written: to syslog, and into AUTO logs with supervisord's names.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;

use ganger_testkit::{Deadline, Sandbox, signal, wait_gone};
use rustix::process::Signal;

use crate::support::*;

/// What a server of syslog gets, until all of these were in it.
#[track_caller]
fn received(server: &UnixDatagram, parts: &[&str]) -> Vec<String> {
    assert!(server.set_read_timeout(Deadline::generous().left()).is_ok());
    let (mut messages, mut bytes) = (Vec::new(), [0; 8192]);
    while !parts.iter().all(|part| messages.iter().any(|message: &String| message.ends_with(part))) {
        match server.recv(&mut bytes) {
            Ok(length) => messages.push(String::from_utf8_lossy(&bytes[..length]).into_owned()),
            Err(error) => panic!("{error} with {messages:#?} where {parts:?} must come"),
        }
    }
    messages
}

#[test]
fn what_programs_write_and_the_main_log_go_to_syslog_in_supervisords_words() {
    let sandbox = sandbox();
    let socket = sandbox.path("log");
    let Ok(server) = UnixDatagram::bind(&socket) else { panic!("no socket at {}", socket.display()) };
    let text = format!(
        "[unix_http_server]\nfile=s.sock\n[supervisorctl]\nserverurl=unix://s.sock\n\
         [supervisord]\nnodaemon=true\nlogfile=syslog\npidfile=s.pid\nsyslog=syslog://{}\n\
         [program:pair]\nprocess_name=%(program_name)s_%(process_num)d\nnumprocs=2\nstartsecs=0\n\
         command=sh -c 'echo out; echo err >&2; exec tail -f /dev/null'\n\
         stdout_syslog=true\nstdout_logfile=NONE\nstderr_syslog=true\nstderr_logfile=%(here)s/err%(process_num)d\n\
         [program:quiet]\ncommand=sh -c 'echo unsent; exec tail -f /dev/null'\nstartsecs=0\n",
        socket.display()
    );
    sandbox.file("supervisord.conf", &text);
    let running = sandbox.ganger_with(&["supervisord", "-c", "supervisord.conf"]).start();
    let messages = received(
        &server,
        &[
            " supervisord: pair_0 out",
            " supervisord: pair_0 err",
            " supervisord: pair_1 out",
            " supervisord: pair_1 err",
            "INFO success: pair_0 entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)",
            "INFO success: quiet entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)",
        ],
    );
    assert!(messages.iter().all(|message| message.starts_with("<14>")), "{messages:#?}");
    assert!(messages.iter().all(|message| !message.contains("unsent")), "{messages:#?}");
    sandbox.wait_file("err0", "err\n");
    let tail = sandbox.run(["supervisorctl", "-c", "supervisord.conf", "tail", "pair:pair_0"]);
    assert_eq!(tail.output, "pair:pair_0: ERROR (no log file)\n", "{tail}");
    assert_said(&sandbox.run(["supervisorctl", "-c", "supervisord.conf", "maintail"]), &["no log file"]);
    // ganger's own commands have the lines and their times all the same.
    assert!(sandbox.run(["logs", "pair.1", "--stdout"]).success().ends_with("out\n"));
    interrupted(&sandbox, running);
}

/// The AUTO logs in a directory, with the part that is by chance.
fn auto_logs(sandbox: &Sandbox) -> Vec<String> {
    let entries = fs::read_dir(sandbox.path("logs")).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn auto_logs_are_in_childlogdir_for_as_long_as_the_app_lives_and_go_with_the_next_start() {
    let sandbox = sandbox();
    let started = |more: &str| {
        let text = format!(
            "[unix_http_server]\nfile=s.sock\n[supervisorctl]\nserverurl=unix://s.sock\n\
             [supervisord]\nlogfile=main.log\npidfile=s.pid\nidentifier=one\nchildlogdir=logs\n{more}\n\
             [program:web]\ncommand=sh -c 'echo out; echo err >&2; exec tail -f /dev/null'\nstartsecs=0\n"
        );
        sandbox.file("supervisord.conf", &text);
        sandbox.run(["supervisord", "-c", "supervisord.conf"]).expect_code(0);
        sandbox.wait_file("main.log", "success: web entered RUNNING state");
        let names = auto_logs(&sandbox);
        let web = names.iter().filter(|name| name.starts_with("web-")).cloned().collect::<Vec<_>>();
        for name in &web {
            sandbox.wait_file(&format!("logs/{name}"), "\n");
        }
        names
    };
    let stopped = || {
        let keeper: i32 = sandbox.read("s.pid").trim().parse().unwrap_or_default();
        signal(keeper, Signal::TERM);
        assert!(wait_gone(keeper, Deadline::generous()));
        sandbox.assert_nothing_left();
        assert!(fs::remove_file(sandbox.path("main.log")).is_ok());
    };
    sandbox.file("logs/old-stdout---one-abcdefgh.log.1", "old");
    sandbox.file("logs/old-stdout---other-abcdefgh.log", "of another");
    let first = started("");
    assert_eq!(first.len(), 3, "{first:?}");
    let (err, out) = (&first[1], &first[2]);
    assert!(
        err.starts_with("web-stderr---one-") && err.len() == "web-stderr---one-12345678.log".len(),
        "{err}"
    );
    assert!(out.starts_with("web-stdout---one-"), "{out}");
    assert_eq!(sandbox.read(&format!("logs/{out}")), "out\n");
    let mode =
        fs::metadata(sandbox.path(&format!("logs/{out}"))).map(|meta| meta.permissions().mode() & 0o777);
    assert_eq!(mode.ok(), Some(0o600));
    let ctl = |words: &[&str]| {
        let words: Vec<&str> =
            ["supervisorctl", "-c", "supervisord.conf"].iter().chain(words).copied().collect();
        sandbox.ganger_with(&words).run()
    };
    assert_eq!(ctl(&["tail", "web"]).success(), "out\n\n");
    // Another overseer and another reading of the file change no name.
    let [_, overseer] = parts(&sandbox);
    signal(overseer, Signal::KILL);
    assert!(wait_gone(overseer, Deadline::generous()));
    sandbox.run(["reload"]).expect_code(0);
    ctl(&["restart", "web"]).success();
    assert_eq!(auto_logs(&sandbox), first);
    sandbox.wait_file(&format!("logs/{out}"), "out\nout\n");
    stopped();
    let second = started("");
    assert!(second.len() == 3 && !second.contains(out), "{second:?}");
    stopped();
    let third = started("nocleanup=true");
    assert!(third.len() == 5 && second.iter().all(|name| third.contains(name)), "{third:?}");
    stopped();
}
