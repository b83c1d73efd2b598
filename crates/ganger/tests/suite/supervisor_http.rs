//! The HTTP servers of a supervisord.conf beside the calls: pages, logs that are followed, users who may only look.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use ganger_testkit::{Deadline, Running, Sandbox};
use rustix::process::Signal;

use crate::support::*;

/// Two programs, on a server with these keys and a daemon with those.
fn served(server: &str, daemon: &str) -> (Sandbox, Running) {
    let sandbox = sandbox();
    let text = format!(
        "[unix_http_server]\nfile=s.sock\n{server}\n[supervisord]\nnodaemon=true\nlogfile=main.log\npidfile=s.pid\n\
         {daemon}\n[rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
         [supervisorctl]\nserverurl=unix://s.sock\n\
         [program:web]\ncommand=sh -c 'echo hello; exec tail -f /dev/null'\nstartsecs=0\n\
         [program:job]\ncommand=tail -f /dev/null\nstartsecs=0\n"
    );
    sandbox.file("supervisord.conf", &text);
    let running = sandbox.ganger_with(&["supervisord", "-c", "supervisord.conf"]).start();
    sandbox.wait_file("main.log", "success: web entered RUNNING state");
    sandbox.wait_file("main.log", "success: job entered RUNNING state");
    (sandbox, running)
}

/// Asks the server for something; what comes until it closes the connection.
fn ask(sandbox: &Sandbox, request: &str) -> String {
    let mut answer = String::new();
    let mut stream = opened(sandbox, request);
    assert!(stream.read_to_string(&mut answer).is_ok(), "{request}: {answer}");
    answer
}

fn opened(sandbox: &Sandbox, request: &str) -> UnixStream {
    let stream = UnixStream::connect(sandbox.path("s.sock"));
    let mut stream = stream.unwrap_or_else(|error| panic!("{error}: {request}"));
    let head = format!("{request}\r\nHost: here\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    let sent =
        stream.write_all(head.as_bytes()).and_then(|()| stream.set_read_timeout(Deadline::generous().left()));
    assert!(sent.is_ok(), "{sent:?}");
    stream
}

/// Reads on until this has come.
#[track_caller]
fn read_until(stream: &mut UnixStream, part: &str) -> String {
    let (mut text, mut piece) = (String::new(), [0; 4096]);
    while !text.contains(part) {
        match stream.read(&mut piece) {
            Ok(0) => panic!("it ends without {part:?}: {text}"),
            Ok(read) => text.push_str(&String::from_utf8_lossy(&piece[..read])),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error} without {part:?}: {text}"),
        }
    }
    text
}

#[test]
fn the_main_log_is_followed_and_goes_on_in_a_new_file() {
    let (sandbox, running) = served("", "");
    let mut stream = opened(&sandbox, "GET /mainlogtail HTTP/1.1");
    let head = read_until(&mut stream, "success: job entered RUNNING state");
    assert!(
        head.starts_with("HTTP/1.1 200") && head.to_lowercase().contains("transfer-encoding: chunked"),
        "{head}"
    );
    sandbox.run(["supervisorctl", "stop", "job"]).success();
    read_until(&mut stream, "stopped: job");
    sandbox.run(["supervisorctl", "signal", "USR1", "web"]).success();
    read_until(&mut stream, "exited: web");
    assert!(std::fs::rename(sandbox.path("main.log"), sandbox.path("moved.log")).is_ok());
    running.signal(Signal::USR2);
    read_until(&mut stream, "supervisord logreopen");
    let nothing = ask(&sandbox, "GET /logtail/nope HTTP/1.1");
    assert!(nothing.starts_with("HTTP/1.1 404"), "{nothing}");
    drop(stream);
    interrupted(&sandbox, running);
}

#[test]
fn a_look_at_a_page_changes_nothing_and_a_push_does_unless_another_site_made_it() {
    let (sandbox, running) = served("", "");
    let page = ask(&sandbox, "GET / HTTP/1.1");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("web ") && page.contains("RUNNING"), "{page}");
    let page = ask(&sandbox, "GET /?message=all%20is%20well HTTP/1.1");
    assert!(page.contains("\r\n\r\nall is well\n\n"), "{page}");
    let tail = ask(&sandbox, "GET /tail.html?processname=web&limit=4 HTTP/1.1");
    assert!(tail.ends_with("\r\n\r\nllo\n"), "{tail}");
    for unknown in
        ["GET /stylesheets/supervisor.css", "GET /images/x", "GET /tail.html?processname=nope", "HEAD /"]
    {
        let answer = ask(&sandbox, &format!("{unknown} HTTP/1.1"));
        assert!(answer.starts_with("HTTP/1.1 404"), "{unknown}: {answer}");
    }
    let worker = pid(&sandbox, "job.1");
    for action in [
        "stop&processname=job",
        "restart&processname=job",
        "stopall",
        "restartall",
        "clearlog&processname=web",
    ] {
        let answer = ask(&sandbox, &format!("GET /index.html?action={action} HTTP/1.1"));
        assert!(answer.starts_with("HTTP/1.1 405"), "{action}: {answer}");
        let foreign = format!("POST /?action={action} HTTP/1.1\r\nOrigin: http://evil.example");
        let answer = ask(&sandbox, &foreign);
        assert!(answer.starts_with("HTTP/1.1 403"), "{action}: {answer}");
    }
    assert_eq!(pid(&sandbox, "job.1"), worker);
    let pushed = |action: &str, message: &str| {
        let answer =
            ask(&sandbox, &format!("POST /index.html?action={action} HTTP/1.1\r\nOrigin: http://here"));
        assert!(
            answer.starts_with("HTTP/1.1 301") && answer.contains(&format!("/?message={message}\r\n")),
            "{answer}"
        );
    };
    pushed("stop&processname=job", "Process%20job%20stopped");
    assert_eq!(worker_state(&sandbox), "STOPPED");
    pushed("start&processname=job", "Process%20job%20started");
    pushed("start&processname=job", "ERROR%3A%20Process%20job%3A%20already%20started");
    pushed("restart&processname=job", "Process%20job%20restarted");
    pushed("clearlog&processname=web", "Log%20for%20web%20cleared");
    assert_eq!(sandbox.run(["supervisorctl", "tail", "web"]).success().trim(), "");
    pushed("start&processname=nope", "No%20such%20process%20named%20nope");
    pushed("stopall", "All%20stopped");
    assert_eq!(worker_state(&sandbox), "STOPPED");
    pushed("restartall", "All%20restarted");
    assert_eq!(worker_state(&sandbox), "RUNNING");
    assert!(ask(&sandbox, "POST /?action=nope HTTP/1.1").starts_with("HTTP/1.1 400"));
    interrupted(&sandbox, running);
}

fn worker_state(sandbox: &Sandbox) -> String {
    worker(sandbox, "job.1")["state"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_reader_sees_everything_and_changes_nothing() {
    let logins = "username=op\npassword=secret\nreadonly_username=eye\nreadonly_password=look";
    let (sandbox, running) = served(logins, "");
    let ctl = |user: &str, password: &str, words: &str| {
        let who = ["supervisorctl", "-u", user, "-p", password];
        let words: Vec<&str> = who.into_iter().chain(words.split(' ')).collect();
        sandbox.ganger_with(&words).run()
    };
    assert!(ctl("eye", "look", "status").success().contains("RUNNING"));
    assert_eq!(ctl("eye", "look", "tail web").success(), "hello\n\n");
    assert!(ctl("eye", "look", "avail").success().contains("in use"));
    assert!(ctl("eye", "look", "maintail").success().contains("success: web"));
    let changes = [
        "stop web",
        "start web",
        "restart web",
        "stop all",
        "signal USR1 web",
        "clear web",
        "reread",
        "update",
        "add web",
        "remove web",
        "shutdown",
        "reload",
    ];
    let (web, job) = (pid(&sandbox, "web.1"), pid(&sandbox, "job.1"));
    for words in changes {
        let refused = ctl("eye", "look", words);
        assert!(refused.code() != 0, "{words}: {refused}");
        assert!(said(&refused).contains("NOT_PERMITTED: this user may only look"), "{words}: {refused}");
    }
    assert_eq!((pid(&sandbox, "web.1"), pid(&sandbox, "job.1")), (web, job));
    assert!(!said(&ctl("eye", "wrong", "status")).contains("RUNNING"));
    let look = "Authorization: Basic ZXllOmxvb2s=";
    let page = ask(&sandbox, &format!("POST /?action=stopall HTTP/1.1\r\n{look}"));
    assert!(page.starts_with("HTTP/1.1 403"), "{page}");
    assert!(ask(&sandbox, "GET / HTTP/1.1").starts_with("HTTP/1.1 401"));
    assert!(ctl("op", "secret", "stop job").success().contains("job: stopped"));
    interrupted(&sandbox, running);
}

#[test]
fn with_compat_a_hang_up_starts_everything_anew_and_runs_begin_as_pythons_do() {
    for (compat, is_anew, ignored) in
        [("", false, "0000000000000000"), ("compat=supervisor-4.3", true, "0000000001001000")]
    {
        let (sandbox, running) = served("", compat);
        let before = [pid(&sandbox, "web.1"), pid(&sandbox, "job.1")];
        let status = std::fs::read_to_string(format!("/proc/{}/status", before[1])).unwrap_or_default();
        assert!(status.contains(&format!("SigIgn:\t{ignored}\n")), "{compat}: {status}");
        if is_anew {
            running.signal(Signal::HUP);
            let is_up_twice =
                |text: &str, name: &str| text.matches(&format!("success: {name} entered")).count() == 2;
            let twice = |text: &str| is_up_twice(text, "job") && is_up_twice(text, "web");
            let log = sandbox.path("main.log");
            assert!(ganger_testkit::wait_for_file(log, Deadline::generous(), twice).is_ok());
            let log = sandbox.read("main.log");
            assert!(log.contains("stopped: web") && log.contains("stopped: job"), "{log}");
            assert!(pid(&sandbox, "web.1") != before[0] && pid(&sandbox, "job.1") != before[1]);
        }
        interrupted(&sandbox, running);
    }
}

#[test]
fn with_compat_a_link_acts_as_in_supervisord_and_a_file_without_methods_serves_none() {
    let (sandbox, running) = served("", "compat=supervisor-4.3");
    let answer = ask(&sandbox, "GET /index.html?action=stop&processname=job HTTP/1.1");
    assert!(answer.starts_with("HTTP/1.1 301"), "{answer}");
    assert_eq!(worker_state(&sandbox), "STOPPED");
    interrupted(&sandbox, running);
}
