//! Clients of a supervisord.conf's servers that mean harm: an error for them, and nothing for anybody else.

#![expect(clippy::unwrap_used, reason = "a test may fail by panic, its helpers too")]

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use ganger_testkit::{Deadline, Running, Sandbox, free_port};

use crate::listeners::quit;
use crate::support::*;

/// More clients than a server attends at once.
const MANY: usize = 300;
/// What ganger may ever need in all of this, in KiB.
const MEMORY_MAX_KIB: u64 = 400 << 10;
/// The longest call that is read.
const CALL_MAX: usize = 8 << 20;

/// A daemon with a worker, a socket without a password, and a port with one.
struct Target {
    sandbox: Sandbox,
    running: Running,
    port: u16,
}

impl Target {
    fn new() -> Self {
        let sandbox = sandbox();
        let port = free_port();
        let conf = format!(
            "[supervisord]\n[unix_http_server]\nfile=%(here)s/s.sock\n[inet_http_server]\nport=127.0.0.1:{port}\n\
             username=somebody\npassword=secret\n[rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
             [supervisorctl]\nserverurl=unix://%(here)s/s.sock\n\
             [program:web]\ncommand=sh -c 'cat long; exec tail -f /dev/null'\ndirectory=%(here)s\nstartsecs=0\n"
        );
        sandbox.file("supervisord.conf", &conf);
        sandbox.file("long", &"a line of a long log &&&&\n".repeat(200_000));
        let running = sandbox.start(["daemon", "-c", "supervisord.conf"]);
        running.wait_error("web.1: started");
        Self { sandbox, running, port }
    }

    fn socket(&self) -> UnixStream {
        let stream = UnixStream::connect(self.sandbox.path("s.sock")).unwrap();
        stream.set_read_timeout(Deadline::generous().left()).unwrap();
        stream
    }

    fn port(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Deadline::generous().left()).unwrap();
        stream
    }

    /// What a call of a method on a connection of its own answers: the status and the body.
    fn call(&self, body: &str) -> (u16, String) {
        let mut stream = self.socket();
        write!(stream, "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
        // It may be refused before it was sent.
        let _ = stream.write_all(body.as_bytes());
        answer(&mut stream)
    }

    /// What a request without a body answers.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = self.socket();
        // It may be refused before it was sent.
        let _ = write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        answer(&mut stream)
    }

    /// Others find the server as it always is, and nothing was disturbed.
    #[track_caller]
    fn assert_well(&self) {
        let told = self.sandbox.run(["supervisorctl", "-c", "supervisord.conf", "status"]).success();
        assert!(told.starts_with("web") && told.contains("RUNNING"), "{told}");
        let overseer = self.running.child_with("overseer");
        let status = std::fs::read_to_string(format!("/proc/{overseer}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak < MEMORY_MAX_KIB, "ganger needed {peak} KiB");
    }

    fn end(self) {
        let told = self.sandbox.run(["why", "web.1", "-f", "supervisord.conf"]).success();
        assert!(!told.contains("ended"), "the worker never ended: {told}");
        quit(&self.sandbox, self.running);
    }
}

/// Reads an answer with a `Content-Length`; one that is not there is 0.
fn answer(stream: &mut impl Read) -> (u16, String) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Ok(_) | Err(_) => return (0, String::new()),
        }
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

fn xml(method: &str, params: &[&str]) -> String {
    let mut text = format!("<methodCall><methodName>{method}</methodName><params>");
    for param in params {
        write!(text, "<param><value>{param}</value></param>").unwrap();
    }
    text + "</params></methodCall>"
}

/// Clients of which each sends this and no more.
fn silent(target: &Target, text: &str) -> Vec<UnixStream> {
    let connect = |_| {
        let mut stream = target.socket();
        // Another one may have taken its place.
        let _ = stream.write_all(text.as_bytes());
        stream
    };
    (0..MANY).map(connect).collect()
}

#[test]
fn who_connects_and_says_little_keeps_nobody_out_and_costs_no_one_else_a_connection() {
    let target = Target::new();
    let mut old = target.socket();
    let state = xml("supervisor.getState", &[]);
    let mut asks = || {
        write!(old, "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{state}", state.len())
            .unwrap();
        answer(&mut old).0
    };
    assert_eq!(asks(), 200);
    let mut all = Vec::new();
    for text in ["", "POST /RPC2 HT", "POST /RPC2 HTTP/1.1\r\nHost: x\r\nX-Slow: a"] {
        let mut clients = silent(&target, text);
        target.assert_well();
        assert_eq!(answer(clients.first_mut().unwrap()).0, 0, "the first one made room for the last one");
        all.extend(clients);
    }
    assert_eq!(asks(), 200, "a client that asked something keeps its connection");
    drop(all);
    target.end();
}

#[test]
fn who_sends_a_body_slowly_keeps_nobody_out() {
    let target = Target::new();
    for length in [1000, CALL_MAX] {
        let head = format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n<");
        let clients = silent(&target, &head);
        target.assert_well();
        drop(clients);
    }
    target.end();
}

#[test]
fn who_does_not_read_long_answers_is_the_one_who_loses() {
    let target = Target::new();
    target.sandbox.wait_file("long", "long log");
    let log = xml("supervisor.readProcessStdoutLog", &["web", "<int>0</int>", "<int>0</int>"]);
    let ask = format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{log}", log.len());
    let mut clients: Vec<UnixStream> = Vec::new();
    for _ in 0..40 {
        let mut stream = target.socket();
        stream.write_all(ask.as_bytes()).unwrap();
        // Its answer has begun, and is not read any further.
        stream.read_exact(&mut [0]).unwrap();
        clients.push(stream);
        target.assert_well();
    }
    let mut rest = Vec::new();
    let first = clients.first_mut().unwrap().read_to_end(&mut rest);
    assert!(first.is_err() || rest.len() < 4 << 20, "the first one got all of {} bytes", rest.len());
    drop(clients);
    target.end();
}

#[test]
fn many_calls_in_one_have_an_answer_of_a_bounded_length() {
    let target = Target::new();
    let one = "<value><struct><member><name>methodName</name><value>supervisor.readProcessStdoutLog</value></member>\
               <member><name>params</name><value><array><data><value>web</value><value><int>0</int></value>\
               <value><int>0</int></value></data></array></value></member></struct></value>";
    let body = xml("system.multicall", &[&format!("<array><data>{}</data></array>", one.repeat(2000))]);
    let (status, told) = target.call(&body);
    assert_eq!(status, 200);
    assert!(told.contains("the answers before are too long") && told.len() < 128 << 20, "{}", told.len());
    target.assert_well();
    target.end();
}

#[test]
fn calls_that_are_deep_long_or_laugh_by_the_billion_are_refused() {
    let target = Target::new();
    let mut laughs = "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a0 'ha'>".to_owned();
    for number in 1..30 {
        let before = format!("&a{};", number - 1);
        write!(laughs, "<!ENTITY a{number} '{}'>", before.repeat(10)).unwrap();
    }
    write!(laughs, "]>{}", xml("supervisor.getProcessInfo", &["&a29;"])).unwrap();
    let deep = "<array><data><value>".repeat(100_000);
    let open = xml("supervisor.getState", &[&deep]);
    let closed =
        xml("supervisor.getState", &[&format!("{deep}{}", "</value></data></array>".repeat(100_000))]);
    let wide = xml("supervisor.getState", &vec!["x"; 120_000]);
    let unending = "<methodCall><methodName>".to_owned() + &"x".repeat(CALL_MAX - 100);
    for (what, body) in
        [("laughs", &laughs), ("deep", &open), ("nested", &closed), ("wide", &wide), ("unending", &unending)]
    {
        let (status, told) = target.call(body);
        assert_eq!(status, 400, "{what}: {told}");
        assert!(told.len() < 1000, "{what}: {told}");
        target.assert_well();
    }
    for length in ["8388609", "99999999999", "18446744073709551616", "-1", "1 1", "x"] {
        let mut stream = target.socket();
        write!(stream, "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n<methodCall>")
            .unwrap();
        let (status, _) = answer(&mut stream);
        assert!([400, 411, 413].contains(&status), "Content-Length: {length}: {status}");
    }
    let (status, _) = target.get(&format!("/{}", "x".repeat(100_000)));
    assert!([414, 431].contains(&status), "a long path: {status}");
    target.assert_well();
    target.end();
}

#[test]
fn names_that_are_paths_or_code_are_names_of_nothing() {
    let target = Target::new();
    let long = "x".repeat(1 << 20);
    let numbers = ["<int>0</int>", "<int>0</int>"];
    for name in [
        "../../../../../etc/passwd",
        "/etc/passwd",
        "web/../../supervisord.conf",
        "web\n",
        "we&#0;b",
        "",
        "*",
        &long,
    ] {
        for method in ["readProcessStdoutLog", "tailProcessStderrLog"] {
            let (status, told) =
                target.call(&xml(&format!("supervisor.{method}"), &[name, numbers[0], numbers[1]]));
            assert!(status == 200 && told.contains("BAD_NAME"), "{name:.40}: {status} {told:.400}");
        }
        for method in ["clearProcessLogs", "startProcess", "addProcessGroup", "removeProcessGroup"] {
            let (_, told) = target.call(&xml(&format!("supervisor.{method}"), &[name]));
            assert!(told.contains("BAD_NAME"), "{method} {name:.40}: {told:.400}");
        }
    }
    for offset in ["-9223372036854775808", "9223372036854775807", "-1"] {
        let params = ["web", &format!("<i8>{offset}</i8>"), "<i8>9223372036854775807</i8>"];
        for method in ["readProcessStdoutLog", "tailProcessStdoutLog"] {
            assert_eq!(
                target.call(&xml(&format!("supervisor.{method}"), &params)).0,
                200,
                "{method} {offset}"
            );
        }
    }
    for method in
        ["supervisor.supervisord.options.execve", "supervisor.__init__", "os.system", "supervisor._x", "x"]
    {
        let (_, told) = target.call(&xml(method, &["/bin/sh"]));
        assert!(told.contains("UNKNOWN_METHOD"), "{method}: {told}");
    }
    for path in [
        "/logtail/../../etc/passwd",
        "/logtail/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/logtail/web%00",
        "/logtail/",
        "/logtail/web/stdout/../../x",
        "/../etc/passwd",
        "/%00",
    ] {
        let (status, told) = target.get(path);
        assert_eq!(status, 404, "{path}: {told}");
    }
    target.assert_well();
    target.end();
}

#[test]
fn a_wrong_password_is_refused_everywhere_before_anything_is_read() {
    let target = Target::new();
    // somebody:guess, nobody:secret, somebody, and no base64 at all.
    let wrong =
        ["", "Basic c29tZWJvZHk6Z3Vlc3M=", "Basic bm9ib2R5OnNlY3JldA==", "Basic c29tZWJvZHk=", "Basic \u{1}"];
    for path in ["/RPC2", "/logtail/web", "/", "/index.html?action=stopall"] {
        for authorization in wrong {
            let mut stream = target.port();
            write!(stream, "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {CALL_MAX}\r\n").unwrap();
            if !authorization.is_empty() {
                write!(stream, "Authorization: {authorization}\r\n").unwrap();
            }
            stream.write_all(b"\r\n").unwrap();
            let (status, told) = answer(&mut stream);
            assert!(
                status == 401 || (status == 400 && authorization.ends_with('\u{1}')),
                "{path}: {status} {told}"
            );
        }
    }
    let mut guessers: Vec<TcpStream> = (0..MANY).map(|_| target.port()).collect();
    let mut stream = target.port();
    let body = xml("supervisor.getIdentification", &[]);
    write!(
        stream,
        "POST /RPC2 HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c29tZWJvZHk6c2VjcmV0\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    assert_eq!(answer(&mut stream).0, 200);
    guessers.clear();
    target.assert_well();
    target.end();
}
