//! Who waits for whom, who is ready, and who is started anew, with real processes.

use ganger_testkit::{Deadline, Sandbox, free_port_run, wait_gone};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::*;

/// A db that is ready when there is a file `go`, which it makes when its gate is opened, and a web that waits for it.
fn db_and_web(sandbox: &Sandbox) {
    gate(sandbox, "gate");
    let db = "[groups.db]\ncommand = \"read go < gate; touch go; exec tail -f /dev/null\"\n";
    let probe = "readiness = { command = \"test -e go\", interval = \"20ms\" }\n";
    let web = format!("[groups.web]\ncommand = \"{OBEDIENT}\"\ndepends_on = [\"db\"]\n");
    sandbox.file("ganger.toml", &format!("{db}{probe}{web}"));
}

/// Ends an app in the background; nothing may be left of it.
fn quit(sandbox: &Sandbox) {
    let [keeper, _] = parts(sandbox);
    sandbox.run(["quit"]).expect_code(0);
    assert!(wait_gone(keeper, Deadline::generous()));
    sandbox.assert_nothing_left();
}

#[test]
fn a_worker_waits_until_another_is_ready_and_a_new_overseer_restarts_nobody() {
    let sandbox = sandbox();
    db_and_web(&sandbox);
    let running = sandbox.start(["start"]);
    running.wait_line("waits for db to be ready");
    let web = worker(&sandbox, "web.1");
    assert_eq!(
        (&web["state"], &web["wanted"], &web["ready"]),
        (&"STOPPED".into(), &"up".into(), &false.into())
    );
    let why = sandbox.run(["why", "web"]).success();
    assert!(why.contains("STOPPED and wanted up: waits for db to be ready"), "{why}");
    open_gate(&sandbox, "gate");
    running.wait_line("| ready");
    let db = worker(&sandbox, "db.1");
    assert_eq!((&db["ready"], &db["why"]), (&true.into(), &"up and ready".into()));
    let before = [pid(&sandbox, "db.1"), pid(&sandbox, "web.1")];
    let [_, overseer] = parts(&sandbox);
    assert_eq!(kill_process(Pid::from_raw(overseer).unwrap(), Signal::KILL), Ok(()));
    running.wait_line("the overseer was started again");
    assert_eq!([pid(&sandbox, "db.1"), pid(&sandbox, "web.1")], before);
    assert_eq!(worker(&sandbox, "db.1")["ready"], true);
    let finished = interrupted(&sandbox, running);
    let at = |what: &str| finished.output.find(what).unwrap_or_else(|| panic!("no {what}\n{finished}"));
    assert!(at("web.1  | was terminated") < at("db.1   | was terminated"), "{finished}");
}

#[test]
fn who_fails_its_liveness_probe_is_started_anew() {
    let sandbox = sandbox();
    let probe = "liveness = { command = \"test ! -e broken\", interval = \"20ms\", failures = 2 }";
    let web = format!("[groups.web]\ncommand = \"rm -f broken; {OBEDIENT}\"\n{probe}\n");
    sandbox.file("ganger.toml", &web);
    let running = started(&sandbox, 1);
    let events = sandbox.start(["events", "-f"]);
    sandbox.file("broken", "");
    events.wait_line("failed its liveness probe: `test ! -e broken` exited with code 1 (2 times in a row)");
    running.wait_lines("| ready", 2);
    assert_eq!(worker(&sandbox, "web.1")["restarts"], 1);
    drop(events);
    interrupted(&sandbox, running);
}

#[test]
fn a_job_that_is_done_lets_others_begin_and_one_that_fails_ends_the_app() {
    let sandbox = sandbox();
    let app = |job: &str| {
        let web = format!("[groups.web]\ncommand = \"{OBEDIENT}\"\ndepends_on.job = \"completed\"\n");
        sandbox.file("ganger.toml", &format!("[groups.job]\ncommand = \"{job}\"\n{web}"));
    };
    app("echo done");
    let running = started(&sandbox, 1);
    assert_eq!(worker(&sandbox, "job.1")["state"], "EXITED");
    interrupted(&sandbox, running);
    app("exit 3");
    let finished = ended(&sandbox, sandbox.start(["start"]));
    finished.expect_code(3);
    assert!(!finished.output.contains("| ready"), "{finished}");
}

#[test]
fn who_is_given_up_ends_the_app_where_its_group_says_so() {
    let sandbox = sandbox();
    let web = format!("[groups.web]\ncommand = \"{OBEDIENT}\"\n");
    let job =
        "[groups.job]\ncommand = \"exit 7\"\nrestart = \"always\"\nattempts = 1\non_fatal = \"shutdown\"\n";
    sandbox.file("ganger.toml", &format!("{web}{job}"));
    let finished = ended(&sandbox, sandbox.start(["start"]));
    finished.expect_code(7);
    assert_said(&finished, &["job.1 was given up, stopping"]);
}

#[test]
fn a_start_in_the_background_returns_when_all_is_ready() {
    let sandbox = sandbox();
    db_and_web(&sandbox);
    let mut starting = sandbox.start(["start", "-D", "--wait"]);
    open_gate(&sandbox, "gate");
    starting.wait_exit(Deadline::generous());
    let finished = starting.finish(Deadline::generous());
    finished.expect_code(0);
    assert_said(&finished, &["2 workers ready"]);
    assert_eq!(worker(&sandbox, "web.1")["state"], "RUNNING");
    quit(&sandbox);
}

#[test]
fn a_start_that_waits_says_who_is_not_ready_and_why() {
    let sandbox = sandbox();
    db_and_web(&sandbox);
    let late = sandbox.run(["start", "-D", "--wait", "--wait-timeout", "500ms"]);
    assert_ne!(late.code(), 0, "{late}");
    assert_said(
        &late,
        &["2 workers are not ready after 500ms", "web.1 is STOPPED: waits for db to be ready"],
    );
    quit(&sandbox);
    sandbox.file(
        "ganger.toml",
        "[groups.job]\ncommand = \"exit 3\"\nrestart = \"never\"\n[groups.web]\ncommand = \"x\"\n\
         depends_on.job = \"completed\"\n",
    );
    let failed = sandbox.run(["start", "-D", "--wait"]);
    assert_ne!(failed.code(), 0, "{failed}");
    assert_said(
        &failed,
        &["not ready, and will not be", "web.1 is STOPPED: waits for job to be completed, in vain"],
    );
    quit(&sandbox);
}

#[test]
fn beside_an_app_that_runs_all_or_those_that_are_named_are_waited_for() {
    let sandbox = sandbox();
    db_and_web(&sandbox);
    sandbox.run(["start", "--wait"]).error(&["there is no running app here to wait for"]);
    sandbox.run(["start", "-D"]).expect_code(0);
    let late = sandbox.run(["start", "--wait", "--wait-timeout", "100ms"]);
    late.expect_code(1);
    assert_said(
        &late,
        &["2 workers are not ready after 100ms", "db.1 is ", "web.1 is STOPPED: waits for db"],
    );
    let waiting = [
        (&["start", "--wait"][..], "2 workers ready"),
        (&["start", "-D", "--wait", "--json"], "\"ready\": true"),
        (&["start", "db", "--wait"], "db.1 "),
    ];
    let waiting = waiting.map(|(words, said)| (sandbox.ganger_with(words).start(), said));
    assert_eq!(worker(&sandbox, "db.1")["ready"], false);
    let table = sandbox.run(["ps"]).success();
    let cell = |line: &str, column| line.split_whitespace().nth(column).map(str::to_owned);
    let db = table.lines().find(|line| line.starts_with("db.1 ")).unwrap_or_default();
    assert_eq!((cell(&table, 2), cell(db, 2)), (Some("READY".into()), Some("no".into())), "{table}");
    open_gate(&sandbox, "gate");
    for (mut waits, said) in waiting {
        waits.wait_exit(Deadline::generous());
        let finished = waits.finish(Deadline::generous());
        finished.expect_code(0);
        assert_said(&finished, &[said]);
    }
    sandbox.run(["start", "nobody", "--wait"]).error(&["nobody"]);
    quit(&sandbox);
}

/// Answers at its port, with 200 while there is a file `up` and 503 else.
const SERVER: &str = "\
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == '/health' and os.path.exists('up') else 503)
        self.end_headers()
    def log_message(self, *words):
        pass
http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Answer).serve_forever()
";

#[test]
fn who_answers_is_ready_and_who_stops_to_is_not_over_http_and_tcp() {
    let sandbox = sandbox();
    gate(&sandbox, "gate");
    gate(&sandbox, "end");
    sandbox.file("server.py", SERVER);
    let listens = "import socket, os; s = socket.create_server(('127.0.0.1', int(os.environ['PORT']))); open('end').read(3)";
    sandbox.file("listens.py", &format!("{listens}; s.close(); open('gate').read()\n"));
    let often = "interval = '20ms', failures = 1";
    let web = format!(
        "[groups.web]\ncommand = 'exec python3 server.py'\n\
         readiness = {{ http = '/health', timeout = '300ms', {often} }}\n"
    );
    let queue = format!(
        "[groups.queue]\ncommand = 'read go < gate; exec python3 listens.py'\n\
         readiness = {{ tcp = true, {often} }}\n"
    );
    sandbox.file("ganger.toml", &format!("{web}{queue}"));
    let port = free_port_run(2, 100);
    let running = sandbox.start(["start", "-p", &port.to_string()]);
    running.wait_line("queue.1 | started");
    for name in ["web.1", "queue.1"] {
        assert_eq!(worker(&sandbox, name)["ready"], false, "{name}");
    }
    let web = pid(&sandbox, "web.1");
    sandbox.file("up", "");
    running.wait_line("web.1   | ready");
    std::fs::remove_file(sandbox.path("up")).unwrap();
    running.wait_line("web.1   | up, not ready: GET /health was answered with 503");
    assert_eq!(worker(&sandbox, "web.1")["ready"], false);
    sandbox.file("up", "");
    running.wait_lines("web.1   | ready", 2);
    let [stop, go] = [Signal::STOP, Signal::CONT];
    let send = |signal| kill_process(Pid::from_raw(web).unwrap(), signal);
    assert_eq!(send(stop), Ok(()));
    running.wait_line("web.1   | up, not ready: GET /health was not answered within 300ms");
    assert_eq!(send(go), Ok(()));
    running.wait_lines("web.1   | ready", 3);
    open_gate(&sandbox, "gate");
    running.wait_line("queue.1 | ready");
    assert_eq!(worker(&sandbox, "queue.1")["ready"], true);
    open_gate(&sandbox, "end");
    running.wait_line("queue.1 | up, not ready: a connection to its port: ");
    assert_eq!(pid(&sandbox, "web.1"), web, "who is not ready goes on");
    interrupted(&sandbox, running);
}
