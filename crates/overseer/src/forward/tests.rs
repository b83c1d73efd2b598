//! Forwarders of real logs against targets that the tests are.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ganger_logs::{Capture, Limits, create_pipe};
use ganger_spec::{Facility, SyslogFormat, SyslogSocket, Target};

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

/// A store with a worker.
struct Scene {
    dir: tempfile::TempDir,
    capture: Capture,
    web: File,
}

fn scene(file_bytes: u64) -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { file_bytes, backups: 1, unread_bytes: 1 << 30, ..Limits::default() };
    let capture =
        Capture::start(&dir.path().join("logs"), limits, Box::new(|e| panic!("{e:?}")), None).unwrap();
    let pipe = create_pipe(&dir.path().join("web.pipe"), None).unwrap();
    capture.add("web.1", pipe.reader, None).unwrap();
    Scene { dir, capture, web: pipe.writer.into() }
}

impl Scene {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The forwarders of a new overseer, and what they say.
    fn forwards(&self, to: &Target) -> (Forwards, Receiver<String>) {
        let (sender, said) = channel();
        let tell = move || -> Tell {
            let sender = sender.clone();
            Box::new(move |text| drop(sender.send(text)))
        };
        let forwards = Forwards::new(self.path("forward"), self.capture.store(), Box::new(tell));
        forwards.apply("shop", &[forward(to)]);
        (forwards, said)
    }

    /// The worker writes numbered lines; they are stored when this returns.
    fn write(&mut self, lines: std::ops::Range<u32>) {
        let mut web = std::io::BufWriter::new(&self.web);
        lines.for_each(|n| writeln!(web, "line {n}").unwrap());
        web.flush().unwrap();
        drop(web);
        self.drain();
    }

    fn drain(&self) {
        let (done, end) = channel();
        self.capture.drain("web.1", Box::new(move |position| done.send(position).unwrap()));
        end.recv_timeout(DEADLINE).unwrap();
    }
}

fn forward(to: &Target) -> Forward {
    Forward { name: "target".to_owned(), to: to.clone(), groups: Vec::new(), supervisor: None }
}

fn syslog(at: SyslogSocket, format: SyslogFormat) -> Target {
    Target::Syslog { at, format, facility: Facility::User }
}

/// A Unix target at a path where there may have been another.
fn bound(path: &Path) -> UnixDatagram {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => panic!("{error}"),
        Ok(()) | Err(_) => {}
    }
    let target = UnixDatagram::bind(path).unwrap();
    target.set_read_timeout(Some(DEADLINE)).unwrap();
    target
}

fn received(target: &UnixDatagram) -> Vec<u8> {
    let mut message = vec![0; 100_000];
    let length = target.recv(&mut message).unwrap();
    message.truncate(length);
    message
}

/// The number of a numbered line at the end of a message.
fn number(message: &[u8]) -> u32 {
    let text = String::from_utf8_lossy(message);
    text.trim_end().rsplit("line ").next().unwrap().parse().unwrap_or_else(|_| panic!("{text:?}"))
}

/// Notes lines; each must come after the one before it, or come again.
#[derive(Default)]
struct Seen(u32);

impl Seen {
    fn note(&mut self, number: u32) {
        assert!(number <= self.0, "line {} is missing before line {number}", self.0);
        self.0 = self.0.max(number + 1);
    }
}

#[test]
fn journald_gets_each_line_with_its_fields() {
    let mut scene = scene(1 << 20);
    let socket = scene.path("journal");
    let target = bound(&socket);
    let (forwards, _said) = scene.forwards(&Target::Journald { socket });
    scene.web.write_all(b"hello\n\xff\n").unwrap();
    let message = received(&target);
    let (fields, text) = message.split_at(message.len() - 22);
    assert_eq!(text, b"MESSAGE\n\x05\0\0\0\0\0\0\0hello\n");
    let fields = String::from_utf8(fields.to_vec()).unwrap();
    for field in ["PRIORITY=6\n", "SYSLOG_IDENTIFIER=shop\n", "GANGER_APP=shop\n", "GANGER_WORKER=web.1\n"] {
        assert!(fields.contains(field), "{field:?} in {fields:?}");
    }
    assert!(received(&target).ends_with(b"MESSAGE\n\x01\0\0\0\0\0\0\0\xff\n"));
    forwards.finish();
}

#[test]
fn no_line_is_missing_when_target_and_overseer_die_in_turns() {
    let mut scene = scene(1 << 20);
    let path = scene.path("log");
    let to = syslog(SyslogSocket::Unix(path.clone()), SyslogFormat::Rfc3164);
    let mut seen = Seen::default();
    let (mut forwards, _said) = scene.forwards(&to);
    for round in 0..6 {
        scene.write(round * 1000..round * 1000 + 500);
        // The target dies with what it has not read.
        let target = bound(&path);
        for _ in 0..100 {
            seen.note(number(&received(&target)));
        }
        drop(target);
        if round % 2 == 0 {
            // Nothing is said to the forwarders of an overseer that dies; to have them gone, they are cut off.
            forwards.apply("shop", &[]);
            forwards = scene.forwards(&to).0;
        }
        scene.write(round * 1000 + 500..round * 1000 + 1000);
    }
    let target = bound(&path);
    while seen.0 < 6000 {
        seen.note(number(&received(&target)));
    }
    forwards.finish();
}

#[test]
fn what_a_target_has_read_is_not_sent_again_by_the_next_overseer() {
    let mut scene = scene(1 << 20);
    let path = scene.path("log");
    let target = bound(&path);
    let to = syslog(SyslogSocket::Unix(path), SyslogFormat::Rfc3164);
    let (forwards, _said) = scene.forwards(&to);
    scene.write(0..5);
    for n in 0..5 {
        assert_eq!(number(&received(&target)), n);
    }
    scene.web.write_all(b"no newline: line 5").unwrap();
    scene.drain();
    let ended = std::thread::spawn(move || forwards.finish());
    assert_eq!(number(&received(&target)), 5, "what is left of a line is sent at the end");
    ended.join().unwrap();
    let (forwards, _said) = scene.forwards(&to);
    scene.web.write_all(b", its end\n").unwrap();
    assert!(received(&target).ends_with(b"]: , its end"));
    forwards.finish();
}

#[test]
fn a_target_that_takes_nothing_holds_up_nobody_and_gets_all_once_it_reads() {
    let mut scene = scene(64 << 20);
    let path = scene.path("log");
    let target = bound(&path);
    let to = syslog(SyslogSocket::Unix(path), SyslogFormat::Rfc5424);
    let (forwards, _said) = scene.forwards(&to);
    // More than all buffers in between can hold.
    scene.write(0..300_000);
    let mut seen = Seen::default();
    while seen.0 < 300_000 {
        seen.note(number(&received(&target)));
    }
    forwards.finish();
}

#[test]
fn what_the_store_drops_before_it_is_sent_is_counted_and_said() {
    let mut scene = scene(10_000);
    let path = scene.path("log");
    let to = syslog(SyslogSocket::Unix(path.clone()), SyslogFormat::Rfc3164);
    let (forwards, said) = scene.forwards(&to);
    scene.write(0..1);
    let trouble = said.recv_timeout(DEADLINE).unwrap();
    assert!(trouble.starts_with("target takes no lines: No such file or directory"), "{trouble}");
    let info = &forwards.infos()[0];
    assert_eq!((info.state, info.sent_lines), (ganger_api::ForwardState::Failing, 0));
    for block in 0..50 {
        scene.write(block * 1000..block * 1000 + 1000);
    }
    let target = bound(&path);
    while number(&received(&target)) < 49_999 {}
    let mut heard = Vec::new();
    while heard.last().is_none_or(|text| text != "target takes lines again") {
        heard.push(said.recv_timeout(DEADLINE).unwrap());
    }
    assert!(
        heard
            .iter()
            .any(|text| text.ends_with("bytes were removed before they could be forwarded to target"))
    );
    let info = &forwards.infos()[0];
    assert_eq!(info.state, ganger_api::ForwardState::Up);
    let whole = scene.capture.store().end("web.1").unwrap();
    assert!((300_000..whole).contains(&info.dropped_bytes), "each byte counts once: {info:?}");
    forwards.finish();
}

#[test]
fn a_forwarder_that_is_new_begins_with_what_is_written_from_now_on() {
    let mut scene = scene(1 << 20);
    let path = scene.path("log");
    let target = bound(&path);
    scene.write(0..10);
    let (forwards, _said) = scene.forwards(&syslog(SyslogSocket::Unix(path), SyslogFormat::Rfc3164));
    scene.write(10..11);
    assert_eq!(number(&received(&target)), 10);
    // A worker that begins later is sent from its first line on.
    let pipe = create_pipe(&scene.path("job.pipe"), None).unwrap();
    scene.capture.add("job.1", pipe.reader, None).unwrap();
    File::from(pipe.writer).write_all(b"line 77\n").unwrap();
    assert_eq!(number(&received(&target)), 77);
    forwards.finish();
}

#[test]
fn a_udp_server_gets_what_was_written_while_nobody_listened() {
    let mut scene = scene(1 << 20);
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let to = syslog(SyslogSocket::Udp(address.to_string()), SyslogFormat::Rfc5424);
    let (forwards, said) = scene.forwards(&to);
    scene.write(0..50);
    assert!(said.recv_timeout(DEADLINE).unwrap().contains("refused"));
    let target = UdpSocket::bind(address).unwrap();
    target.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut seen = Seen::default();
    let mut message = [0; 1000];
    while seen.0 < 50 {
        let length = target.recv(&mut message).unwrap();
        assert!(message.starts_with(b"<14>1 "));
        seen.note(number(&message[..length]));
    }
    forwards.finish();
}

/// Messages of a TCP connection, each with its length before it.
struct Stream(TcpStream);

impl Stream {
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self(stream)
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut length = 0;
        loop {
            let mut byte = [0];
            if self.0.read(&mut byte).unwrap() == 0 {
                return None;
            }
            match byte[0] {
                b' ' => break,
                digit => length = length * 10 + usize::from(digit - b'0'),
            }
        }
        let mut message = vec![0; length];
        self.0.read_exact(&mut message).unwrap();
        Some(message)
    }
}

#[test]
fn no_line_is_missing_when_a_tcp_server_breaks_connections() {
    let mut scene = scene(1 << 20);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let to = syslog(SyslogSocket::Tcp(address.to_string()), SyslogFormat::Rfc5424);
    let (forwards, _said) = scene.forwards(&to);
    let mut seen = Seen::default();
    for round in 0..5 {
        scene.write(round * 1000..round * 1000 + 1000);
        let mut stream = Stream::accept(&listener);
        for _ in 0..300 {
            seen.note(number(&stream.next().unwrap()));
        }
    }
    let mut stream = Stream::accept(&listener);
    while seen.0 < 5000 {
        seen.note(number(&stream.next().unwrap()));
    }
    let ended = std::thread::spawn(move || forwards.finish());
    assert!(stream.next().is_none(), "the connection is ended in good order");
    drop(stream);
    ended.join().unwrap();
    // All of it was taken: the next overseer has nothing to send again.
    let (forwards, _said) = scene.forwards(&to);
    scene.write(5000..5001);
    assert_eq!(number(&Stream::accept(&listener).next().unwrap()), 5000);
    forwards.finish();
}
