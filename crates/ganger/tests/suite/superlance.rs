//! The event listeners of superlance, as they are, under ganger: what they watch they act on.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ganger_testkit::{Deadline, Running, Sandbox, free_port};

use crate::listeners::quit;
use crate::support::*;

/// A program that takes mail as `sendmail` does, into the file `mail`.
const SENDMAIL: &str = "#!/bin/sh\ncat >> mail; echo >> mail; echo --end-- >> mail\n";

/// Takes mail by SMTP, into the file `mail`.
const SMTP_SERVER: &str = r"
import socketserver, sys

class Mail(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line + b'\r\n')

    def handle(self):
        self.say(b'220 here')
        for line in self.rfile:
            word = line.strip().upper()
            if word == b'QUIT':
                return self.say(b'221 bye')
            if word != b'DATA':
                self.say(b'250 fine')
                continue
            self.say(b'354 go on')
            with open('mail', 'ab', buffering=0) as mail:
                for line in self.rfile:
                    if line == b'.\r\n':
                        break
                    mail.write(line)
                mail.write(b'--end--\n')
            self.say(b'250 taken')

server = socketserver.ThreadingTCPServer(('127.0.0.1', int(sys.argv[1])), Mail)
print('ready', flush=True)
server.serve_forever()
";

/// Answers with an error until it has been asked in an earlier run.
const WEB_SERVER: &str = r"
import http.server, os, sys

healthy = os.path.exists('answered')

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if healthy else 500)
        self.send_header('Content-Length', '0')
        self.end_headers()
        with open('answered', 'a') as answered:
            answered.write('well\n' if healthy else 'badly\n')

    def log_message(self, *words):
        pass

class Server(http.server.ThreadingHTTPServer):
    allow_reuse_address = True

Server(('127.0.0.1', int(sys.argv[1])), Page).serve_forever()
";

/// Uses 64 MiB in its first run and little in the next ones.
const GREEDY: &str = r"
import os, signal

is_first = not os.path.exists('runs')
with open('runs', 'a') as runs:
    runs.write('greedy\n' if is_first else 'modest\n')
hoard = b'x' * (64 << 20) if is_first else b''
signal.pause()
";

/// Where superlance is.
fn superlance() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    let ganger = Path::new(env!("CARGO_BIN_EXE_ganger"));
    PLACE.get_or_init(|| ganger_testkit::python_environment(ganger, &["supervisor", "superlance"]))
}

/// A daemon with one listener of superlance's and a program.
fn daemon(sandbox: &Sandbox, events: &str, listener: &str, program: &str) -> Running {
    let here = sandbox.app();
    let here = here.display();
    let conf = format!(
        "[supervisord]\n\n[unix_http_server]\nfile=%(here)s/server.sock\n\n\
         [eventlistener:watcher]\ncommand={}/{listener}\ndirectory={here}\nevents={events}\nstartsecs=0\n\n\
         [program:web]\ndirectory={here}\nstartsecs=0\nstopwaitsecs=2\ncommand={program}\n",
        superlance().display()
    );
    sandbox.file("supervisord.conf", &conf);
    sandbox.start(["daemon", "-c", "supervisord.conf"])
}

/// Demands that everything was said in the mail.
#[track_caller]
fn assert_mailed(mail: &str, parts: &[&str]) {
    for part in parts {
        assert!(mail.contains(part), "{part:?} is not in the mail: {mail}");
    }
}

#[test]
fn crashmail_mails_what_ended_unexpectedly() {
    let sandbox = sandbox();
    let sendmail = sandbox.script("sendmail.sh", SENDMAIL);
    let crashmail = format!("crashmail -a -m crash@example.com -s {}", sendmail.display());
    let running = daemon(&sandbox, "PROCESS_STATE_EXITED", &crashmail, "sh -c 'exit 3'\nautorestart=false");
    let mail = sandbox.wait_file("mail", "--end--");
    assert_mailed(&mail, &["To: crash@example.com", "Process web in group web exited unexpectedly"]);
    quit(&sandbox, running);
}

#[test]
fn memmon_restarts_a_process_that_uses_more_memory_than_it_may() {
    let sandbox = sandbox();
    let sendmail = sandbox.script("sendmail.sh", SENDMAIL);
    sandbox.file("greedy.py", GREEDY);
    let memmon = format!("memmon -p web=48MB -m memory@example.com -s {}", sendmail.display());
    let running = daemon(&sandbox, "TICK_5", &memmon, "python3 greedy.py");
    sandbox.wait_file("runs", "greedy\nmodest\n");
    let mail = sandbox.wait_file("mail", "--end--");
    assert_mailed(&mail, &["To: memory@example.com", "restarted the process named web:web"]);
    quit(&sandbox, running);
}

#[test]
fn httpok_restarts_a_program_whose_page_is_an_error() {
    let sandbox = sandbox();
    let sendmail = sandbox.script("sendmail.sh", SENDMAIL);
    sandbox.file("server.py", WEB_SERVER);
    let port = free_port();
    let httpok =
        format!("httpok -p web -m page@example.com -s {} http://127.0.0.1:{port}/page", sendmail.display());
    let running = daemon(&sandbox, "TICK_5", &httpok, &format!("python3 server.py {port}"));
    sandbox.wait_file("answered", "badly\nwell\n");
    let mail = sandbox.read("mail");
    assert_mailed(&mail, &["To: page@example.com", ": 500 Internal Server Error", "web restarted"]);
    quit(&sandbox, running);
}

/// The mail of one of the listeners that collect, by SMTP.
fn mailed_in_a_batch(sandbox: &Sandbox, listener: &str, program: &str) -> String {
    sandbox.file("smtp.py", SMTP_SERVER);
    let port = free_port();
    let mut smtp = sandbox.program(["python3", "smtp.py", &port.to_string()]).start();
    smtp.wait_line("ready");
    let words = format!(
        "{listener} --toEmail=batch@example.com --fromEmail=ganger@example.com --smtpHost=127.0.0.1:{port} \
         --tickEvent=TICK_5 --interval=0.01"
    );
    let running = daemon(sandbox, "PROCESS_STATE,TICK_5", &words, program);
    let mail = sandbox.wait_file("mail", "--end--");
    smtp.kill_nine();
    smtp.wait_exit(Deadline::generous());
    quit(sandbox, running);
    mail
}

#[test]
fn fatalmailbatch_mails_what_was_given_up() {
    let sandbox = sandbox();
    let mail = mailed_in_a_batch(&sandbox, "fatalmailbatch", "sh -c 'exit 3'\nstartsecs=60\nstartretries=0");
    assert_mailed(
        &mail,
        &["To: batch@example.com", "Process web:web failed to start too many times", "Fatal start alert"],
    );
}

#[test]
fn crashmailbatch_mails_what_ended_unexpectedly() {
    let sandbox = sandbox();
    let mail = mailed_in_a_batch(&sandbox, "crashmailbatch", "sh -c 'exit 3'\nautorestart=false");
    assert_mailed(&mail, &["To: batch@example.com", "Process web:web", "died unexpectedly"]);
}
