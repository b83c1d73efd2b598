//! Workers that write to terminals.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use ganger_logs::{
    Capture, From, Limits, Merged, Pipe, Query, Read, Size, Terminal, create_pipe, create_terminal,
};

const DEADLINE: Duration = Duration::from_mins(1);

fn start(dir: &Path) -> Capture {
    let limits = Limits { unread_bytes: 1 << 20, ..Limits::default() };
    Capture::start(&dir.join("logs"), limits, Box::new(|event| panic!("{event:?}")), None).unwrap()
}

/// The pipe of the log, which is captured; its other end keeps what is in it.
fn pipe(capture: &Capture, dir: &Path) -> OwnedFd {
    let Pipe { reader, writer } = create_pipe(&dir.join("pipe"), None).unwrap();
    capture.add("web.1", reader, None).unwrap();
    writer
}

/// The worker's side of a new terminal that leads to the log, and the other one.
fn terminal(capture: &Capture, run: u64) -> (File, OwnedFd) {
    let Terminal { screen, worker } = create_terminal(Size::default(), None).unwrap();
    capture.relay("web.1", screen.try_clone().unwrap(), Some(run));
    (worker.into(), screen)
}

fn drained(capture: &Capture) -> Receiver<u64> {
    let (done, end) = channel();
    capture.drain(
        "web.1",
        Box::new(move |position| {
            // Whoever asked may have seen enough.
            let _ = done.send(position);
        }),
    );
    end
}

fn drain(capture: &Capture) -> u64 {
    drained(capture).recv_timeout(DEADLINE).unwrap()
}

fn stored(dir: &Path) -> String {
    String::from_utf8(std::fs::read(dir.join("logs/web.1.log")).unwrap()).unwrap()
}

fn numbered(lines: u32, end: &str) -> String {
    (0..lines).flat_map(|n| ["line ".to_owned(), n.to_string(), end.to_owned()]).collect()
}

#[test]
fn the_log_has_what_the_terminal_shows_and_all_of_it_when_the_worker_is_gone() {
    for round in 0..50 {
        let dir = tempfile::tempdir().unwrap();
        let capture = start(dir.path());
        let _pipe = pipe(&capture, dir.path());
        let (mut web, _screen) = terminal(&capture, 1);
        let said = "\x1b[31mred\x1b[m 10%\r20%\n".repeat(1 + round);
        web.write_all(said.as_bytes()).unwrap();
        drop(web);
        let end = drain(&capture);
        let shown = said.replace('\n', "\r\n");
        assert_eq!((stored(dir.path()), end), (shown.clone(), shown.len() as u64));
    }
}

#[test]
fn a_drain_waits_for_nobody_who_has_the_terminal_whether_he_is_silent_or_loud() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path());
    let _pipe = pipe(&capture, dir.path());
    let (mut web, _screen) = terminal(&capture, 1);
    web.write_all(b"last words\n").unwrap();
    assert_eq!(drain(&capture), 12);
    let (mut straggler, is_over) = (web.try_clone().unwrap(), Arc::new(AtomicBool::new(false)));
    let over = Arc::clone(&is_over);
    let loud = std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            straggler.write_all(b"noise\n").unwrap();
        }
    });
    for _ in 0..20 {
        drain(&capture);
    }
    is_over.store(true, Ordering::Relaxed);
    loud.join().unwrap();
}

#[test]
fn the_next_run_begins_where_the_terminal_before_ends_though_somebody_still_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path());
    let _pipe = pipe(&capture, dir.path());
    let (mut first, _) = terminal(&capture, 1);
    first.write_all(b"one\n").unwrap();
    let (mut second, _) = terminal(&capture, 2);
    second.write_all(b"two\n").unwrap();
    drop(second);
    let (mut third, _screen) = terminal(&capture, 3);
    third.write_all(b"three\n").unwrap();
    drain(&capture);
    let mut merged = Merged::new(&capture.store(), &["web.1".to_owned()], Query::default()).unwrap();
    let lines = merged.next_batch(1000).unwrap();
    let runs: Vec<_> = lines.iter().map(|line| (line.text.as_slice(), line.run)).collect();
    assert_eq!(runs, [(&b"one\r"[..], 1), (b"two\r", 2), (b"three\r", 3)]);
    // Nobody has the first one's other side any more.
    assert!(first.write_all(b"lost").is_err());
}

#[test]
fn what_one_capture_left_in_a_terminal_the_next_one_stores_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let kept = create_pipe(&dir.path().join("pipe"), None).unwrap();
    let Terminal { screen, worker } = create_terminal(Size::default(), None).unwrap();
    let mut worker = File::from(worker);
    let writes = std::thread::spawn(move || worker.write_all(numbered(20_000, "\n").as_bytes()).unwrap());
    for _ in 0..20 {
        let capture = start(dir.path());
        let _pipe = pipe(&capture, dir.path());
        capture.relay("web.1", screen.try_clone().unwrap(), None);
        capture.store().reader("web.1", From::End).unwrap();
        capture.stop();
    }
    let capture = start(dir.path());
    let _pipe = pipe(&capture, dir.path());
    capture.relay("web.1", screen, None);
    writes.join().unwrap();
    drain(&capture);
    assert!(stored(dir.path()) == numbered(20_000, "\r\n"));
    drop(kept);
}

#[test]
fn a_follower_that_must_miss_nothing_holds_up_a_worker_at_its_terminal_until_it_has_read() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path());
    let _pipe = pipe(&capture, dir.path());
    let (mut web, _screen) = terminal(&capture, 1);
    let mut reader = capture.store().reader("web.1", From::Start).unwrap().lossless();
    let writes = std::thread::spawn(move || web.write_all(numbered(400_000, "\n").as_bytes()).unwrap());
    let (expected, mut got) = (numbered(400_000, "\r\n"), Vec::<u8>::new());
    let watch = capture.store().watch().unwrap();
    let mut buffer = vec![0; 100_000];
    while got.len() < expected.len() {
        watch.arm();
        match reader.read(&mut buffer).unwrap() {
            Read::Bytes(length) => got.extend(&buffer[..length]),
            Read::Skipped(_) => panic!("it missed something"),
            Read::End => watch.wait(Some(DEADLINE)).map(drop).unwrap(),
        }
    }
    writes.join().unwrap();
    assert!(got == expected.as_bytes());
    assert_eq!(drain(&capture), expected.len() as u64);
}

#[test]
fn a_log_that_is_let_go_has_all_that_its_terminal_showed() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path());
    let _pipe = pipe(&capture, dir.path());
    let (mut web, _screen) = terminal(&capture, 1);
    web.write_all(b"last words\n").unwrap();
    let (done, end) = channel();
    capture.remove("web.1", Box::new(move |position| done.send(position).unwrap()));
    assert_eq!(end.recv_timeout(DEADLINE).unwrap(), 12);
    assert_eq!(stored(dir.path()), "last words\r\n");
}

/// What the capture thread of this process, of which there is one, does, and how often it was at work so far.
fn activity() -> String {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let mut told =
        tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
    let capture = told.find(|status| status.starts_with("Name:\tcapture\n")).unwrap();
    capture.lines().filter(|line| line.starts_with("State") || line.contains("ctxt_switches")).collect()
}

/// Returns when it sleeps, and goes on sleeping while it is looked at many times.
fn wait_until_idle() {
    let limit = Instant::now() + DEADLINE;
    let (mut seen, mut times) = (activity(), 0);
    while times < 2000 {
        assert!(Instant::now() < limit, "it is busy with nothing: {seen}");
        let now = activity();
        times = if now == seen && now.contains("(sleeping)") { times + 1 } else { 0 };
        seen = now;
    }
}

/// The other tests of this process have capture threads, too: this plays in one of its own.
#[test]
fn a_terminal_that_nobody_has_any_more_costs_nothing_and_is_heard_again_when_somebody_has() {
    if std::env::var_os("ALONE").is_none() {
        let name = "a_terminal_that_nobody_has_any_more_costs_nothing_and_is_heard_again_when_somebody_has";
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let status = command.args(["--exact", name]).env("ALONE", "1").status().unwrap();
        assert!(status.success());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path());
    let _pipe = pipe(&capture, dir.path());
    let (mut web, screen) = terminal(&capture, 1);
    web.write_all(b"one\n").unwrap();
    drop(web);
    drain(&capture);
    wait_until_idle();
    let name = rustix::pty::ptsname(screen.as_fd(), Vec::new()).unwrap();
    let watch = capture.store().watch().unwrap();
    watch.arm();
    let mut web = File::options().write(true).open(name.to_str().unwrap()).unwrap();
    web.write_all(b"two\n").unwrap();
    watch.wait(Some(DEADLINE)).unwrap();
    drain(&capture);
    assert_eq!(stored(dir.path()), "one\r\ntwo\r\n");
}
