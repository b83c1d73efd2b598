//! The printer on real logs, pipes and terminals.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use ganger_logs::{Capture, From, Limits, Marks, create_pipe};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;

use super::{Options, Printer, System};

const DEADLINE: Duration = Duration::from_secs(20);

struct Bench {
    dir: TempDir,
    capture: Capture,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { file_bytes: 100_000, backups: 1, unread_bytes: 1 << 20, ..Limits::default() };
        let capture =
            Capture::start(&dir.path().join("logs"), limits, Box::new(|e| panic!("{e:?}")), None).unwrap();
        Self { dir, capture }
    }

    fn worker(&self, printer: &Printer, log: &str) -> File {
        let pipe = create_pipe(&self.dir.path().join(log), None).unwrap();
        self.capture.add(log, pipe.reader, None).unwrap();
        printer.add(log, From::End).unwrap();
        File::from(pipe.writer)
    }

    fn drain(&self, log: &str) -> u64 {
        let (done, end) = channel();
        self.capture.drain(log, Box::new(move |position| done.send(position).unwrap()));
        end.recv_timeout(DEADLINE).unwrap()
    }

    fn marks(&self) -> Marks {
        Marks::open(&self.dir.path().join("printed")).unwrap()
    }

    fn printer(&self, options: Options, output: OwnedFd) -> Printer {
        Printer::start(self.capture.store(), options, output, self.marks(), Box::new(|e| panic!("{e}")))
            .unwrap()
    }
}

fn file(path: &Path) -> OwnedFd {
    File::create(path).unwrap().into()
}

fn system(log: &str, at: u64, text: &str, ends_run: bool) -> System {
    System { log: log.to_owned(), at, text: text.to_owned(), ends_run }
}

#[test]
fn lines_bear_padded_names_and_system_lines_come_after_the_bytes_before_them() {
    let bench = Bench::new();
    let out = bench.dir.path().join("out");
    let printer = bench.printer(Options::default(), file(&out));
    let mut web = bench.worker(&printer, "web.1");
    printer.system(system("web.1", 0, "started with pid 5", false));
    web.write_all(b"one\ntw").unwrap();
    bench.drain("web.1");
    web.write_all(b"o\nlast words").unwrap();
    let at = bench.drain("web.1");
    printer.system(system("web.1", at, "exited with code 3", true));
    web.write_all(b"next run\n").unwrap();
    bench.drain("web.1");
    assert!(printer.finish(DEADLINE));
    let expected = "web.1  | started with pid 5\nweb.1  | one\nweb.1  | two\nweb.1  | last words\n\
                    web.1  | exited with code 3\nweb.1  | next run\n";
    assert_eq!(std::fs::read_to_string(&out).unwrap(), expected);
}

#[test]
fn what_happens_to_several_workers_is_told_in_its_order() {
    let bench = Bench::new();
    let (mut reader, output) = std::io::pipe().unwrap();
    let printer = bench.printer(Options::default(), output.into());
    for log in ["a.1", "b.1", "c.1"] {
        bench.worker(&printer, log);
    }
    // It cannot print more than a pipe holds until somebody reads, so it takes in all of these together.
    let long = "x".repeat(200_000);
    for (log, text) in
        [("a.1", &*long), ("c.1", "ended"), ("b.1", "ended"), ("a.1", "ended"), ("c.1", "started")]
    {
        printer.system(system(log, 0, text, false));
    }
    let text = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text)
    });
    assert!(printer.finish(DEADLINE));
    let text = text.join().unwrap().unwrap().replace(&long, "long");
    let told = "a.1    | long\nc.1    | ended\nb.1    | ended\na.1    | ended\nc.1    | started\n";
    assert_eq!(text, told);
}

#[test]
fn only_the_prefix_is_coloured_and_a_group_has_one_colour() {
    let bench = Bench::new();
    let out = bench.dir.path().join("out");
    let printer = bench.printer(Options { color: true, name_width: 8, ..Options::default() }, file(&out));
    for log in ["web.1", "web.2", "queue.1"] {
        let mut worker = bench.worker(&printer, log);
        worker.write_all(b"hi\n").unwrap();
        let at = bench.drain(log);
        printer.system(system(log, at, "done", true));
    }
    assert!(printer.finish(DEADLINE));
    let text = std::fs::read_to_string(&out).unwrap();
    for line in [
        "\x1b[0;36mweb.1    | \x1b[0mhi\n",
        "\x1b[0;36mweb.2    | \x1b[0mhi\n",
        "\x1b[0;33mqueue.1  | \x1b[0mhi\n",
    ] {
        assert!(text.contains(line), "{text:?}");
    }
}

#[test]
fn lines_are_objects_if_that_is_wanted() {
    let bench = Bench::new();
    let out = bench.dir.path().join("out");
    let printer = bench.printer(Options { json: true, ..Options::default() }, file(&out));
    let mut web = bench.worker(&printer, "web.1");
    web.write_all(b"one\ntwo\nlast words").unwrap();
    let at = bench.drain("web.1");
    printer.system(system("web.1", at, "exited with code 3", true));
    printer.system(system("system", 0, "bye", false));
    assert!(printer.finish(DEADLINE));
    let text = std::fs::read_to_string(&out).unwrap();
    let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let (of_app, of_web): (Vec<_>, Vec<_>) = text.lines().map(value).partition(|line| line["log"].is_null());
    let texts: Vec<_> = of_web.iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(texts, ["one", "two", "last words"]);
    assert!(of_web.iter().all(|line| line["time"].as_str().is_some_and(|time| time.ends_with('Z'))));
    assert_eq!(
        (of_web[3]["ganger"].as_str(), of_app[0]["ganger"].as_str()),
        (Some("exited with code 3"), Some("bye"))
    );
}

#[test]
fn a_file_is_not_coloured_and_neither_is_a_terminal_when_colour_is_not_wanted() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!Options::suiting(&file(&dir.path().join("out")), false, true).color);
    let (_screen, terminal) = terminal();
    assert!(!Options::suiting(&terminal, true, false).color);
}

#[test]
fn timestamps_are_local_times_before_the_name() {
    let bench = Bench::new();
    let out = bench.dir.path().join("out");
    let printer = bench.printer(Options { timestamps: true, ..Options::default() }, file(&out));
    let mut web = bench.worker(&printer, "web.1");
    web.write_all(b"hi\n").unwrap();
    bench.drain("web.1");
    printer.system(system("system", 0, "bye", false));
    assert!(printer.finish(DEADLINE));
    for line in std::fs::read_to_string(&out).unwrap().lines() {
        let (time, rest) = line.split_at(9);
        assert!(time.bytes().enumerate().all(|(i, b)| match i {
            2 | 5 => b == b':',
            8 => b == b' ',
            _digit => b.is_ascii_digit(),
        }));
        assert!(["web.1  | hi", "system | bye"].contains(&rest), "{rest}");
    }
}

#[test]
fn lines_of_loud_workers_are_whole_and_in_order_over_rotations() {
    let bench = Bench::new();
    let out = bench.dir.path().join("out");
    let printer = bench.printer(Options::default(), file(&out));
    let writers = ["a.1", "b.1", "c.1"].map(|log| {
        let mut worker = bench.worker(&printer, log);
        std::thread::spawn(move || {
            let lines = (0..30_000).map(|n| format!("{log} line {n}\n")).collect::<Vec<_>>();
            for block in lines.concat().as_bytes().chunks(4096) {
                worker.write_all(block).unwrap();
            }
            worker
        })
    });
    let workers = writers.map(|writer| writer.join().unwrap());
    for log in ["a.1", "b.1", "c.1"] {
        bench.drain(log);
    }
    assert!(printer.finish(DEADLINE));
    drop(workers);
    let text = std::fs::read_to_string(&out).unwrap();
    for log in ["a.1", "b.1", "c.1"] {
        let mine = text.lines().filter(|line| line.starts_with(log));
        assert!(mine.eq((0..30_000).map(|n| format!("{log}    | {log} line {n}"))));
    }
    assert_eq!(text.lines().count(), 90_000);
}

#[test]
fn the_next_printer_goes_on_with_the_first_line_that_was_not_printed() {
    let bench = Bench::new();
    let (reader, output) = rustix::pipe::pipe().unwrap();
    let printer = bench.printer(Options::default(), output);
    let mut web = bench.worker(&printer, "web.1");
    let mut reader = File::from(reader);
    for (text, shown) in
        [("one\n", "web.1  | one\n"), ("two\nthr", "web.1  | two\n"), ("ee\n", "web.1  | three\n")]
    {
        web.write_all(text.as_bytes()).unwrap();
        let mut line = vec![0; shown.len()];
        reader.read_exact(&mut line).unwrap();
        assert_eq!(String::from_utf8_lossy(&line), shown);
    }
    // It marks what it printed before it prints more, and nothing but whole lines.
    let left = bench.marks().positions();
    assert!([8, 14].contains(&left["web.1"]), "{left:?}");
    assert!(printer.finish(DEADLINE));
}

#[test]
fn a_broken_output_is_reported_and_frees_the_workers() {
    let bench = Bench::new();
    let (reader, output) = rustix::pipe::pipe().unwrap();
    drop(reader);
    let (broken, heard) = channel();
    let printer = Printer::start(
        bench.capture.store(),
        Options::default(),
        output,
        bench.marks(),
        Box::new(move |error| broken.send(error.raw_os_error()).unwrap()),
    )
    .unwrap();
    let mut web = bench.worker(&printer, "web.1");
    web.write_all(&b"0123456789abcde\n".repeat(200_000)).unwrap();
    assert_eq!(heard.recv_timeout(DEADLINE).unwrap(), Some(rustix::io::Errno::PIPE.raw_os_error()));
    assert_eq!(bench.drain("web.1"), 3_200_000);
    assert!(!printer.finish(DEADLINE));
}

#[test]
fn a_prompt_is_shown_on_a_terminal_erased_for_another_line_and_shown_again() {
    let bench = Bench::new();
    let (mut screen, terminal) = terminal();
    let printer = bench.printer(Options::default(), terminal);
    let mut web = bench.worker(&printer, "web.1");
    let mut clock = bench.worker(&printer, "clock.1");
    web.write_all(b"name? ").unwrap();
    expect(&mut screen, "web.1   | name? ");
    clock.write_all(b"tick\n").unwrap();
    expect(&mut screen, "\r\x1b[Kclock.1 | tick\r\n");
    expect(&mut screen, "web.1   | name? ");
    web.write_all(b"Ann\n").unwrap();
    expect(&mut screen, "\r\x1b[Kweb.1   | name? Ann\r\n");
    assert!(printer.finish(DEADLINE));
}

/// A terminal of 80 columns: what it shows, and its end for programs.
fn terminal() -> (File, OwnedFd) {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let path = ptsname(&screen, Vec::new()).unwrap();
    let terminal = File::options().read(true).write(true).open(path.to_str().unwrap()).unwrap();
    let size = rustix::termios::Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&terminal, size).unwrap();
    (File::from(screen), terminal.into())
}

/// Reads exactly this from the screen.
fn expect(screen: &mut File, wanted: &str) {
    let mut got = vec![0; wanted.len()];
    let mut read = 0;
    while read < got.len() {
        let timeout = Timespec::try_from(DEADLINE).unwrap();
        let ready = poll(&mut [PollFd::new(screen, PollFlags::IN)], Some(&timeout)).unwrap();
        assert!(ready > 0, "{:?} instead of {wanted:?}", String::from_utf8_lossy(&got[..read]));
        read += screen.read(&mut got[read..]).unwrap();
    }
    assert_eq!(String::from_utf8_lossy(&got), wanted);
}
