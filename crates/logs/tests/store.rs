//! Capture and readers together, on real pipes and files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use ganger_logs::{Capture, Event, From, Limits, Line, Merged, Query, Read, Reader, Store, create_pipe};

const DEADLINE: Duration = Duration::from_secs(20);

fn limits() -> Limits {
    Limits { file_bytes: 10 << 20, backups: 5, unread_bytes: 8 << 20, ..Limits::default() }
}

fn start(dir: &Path, limits: Limits) -> Capture {
    Capture::start(&dir.join("logs"), limits, Box::new(|event| panic!("{event:?}")), None).unwrap()
}

/// Captures a new pipe and gives the worker's end.
fn worker(capture: &Capture, dir: &Path, log: &str) -> File {
    let pipe = create_pipe(&dir.join(format!("{log}.pipe")), None).unwrap();
    capture.add(log, pipe.reader, None).unwrap();
    File::from(pipe.writer)
}

/// Waits until all that was written is stored; the log's end.
fn drain(capture: &Capture, log: &str) -> u64 {
    let (done, end) = channel();
    capture.drain(log, Box::new(move |position| done.send(position).unwrap()));
    end.recv_timeout(DEADLINE).unwrap()
}

/// All that a reader has now, and how many bytes it missed.
fn read_all(reader: &mut Reader) -> (Vec<u8>, u64) {
    let (mut all, mut skipped, mut buf) = (Vec::new(), 0, vec![0; 1000]);
    loop {
        match reader.read(&mut buf).unwrap() {
            Read::Bytes(n) => all.extend(&buf[..n]),
            Read::Skipped(n) => skipped += n,
            Read::End => return (all, skipped),
        }
    }
}

fn lines(store: &Store, logs: &[&str], query: Query) -> Vec<Line> {
    let logs = logs.iter().map(|log| (*log).to_owned()).collect::<Vec<_>>();
    let mut merged = Merged::new(store, &logs, query).unwrap();
    let mut all = Vec::new();
    loop {
        let batch = merged.next_batch(50).unwrap();
        if batch.is_empty() {
            return all;
        }
        all.extend(batch);
    }
}

fn numbered(lines: u32) -> String {
    (0..lines).flat_map(|n| ["line ".to_owned(), n.to_string(), "\n".to_owned()]).collect()
}

fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect()
}

#[test]
fn a_log_file_holds_exactly_what_the_worker_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path(), limits());
    let mut web = worker(&capture, dir.path(), "web.1");
    web.write_all(b"hello\n\x00\xff no newline").unwrap();
    assert_eq!(drain(&capture, "web.1"), 19);
    assert_eq!(std::fs::read(dir.path().join("logs/web.1.log")).unwrap(), b"hello\n\x00\xff no newline");
    let mut reader = capture.store().reader("web.1", From::Start).unwrap();
    assert_eq!(read_all(&mut reader).0, b"hello\n\x00\xff no newline");
    capture.stop();
}

#[test]
fn a_silent_worker_has_no_file_and_its_drain_is_done_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path(), limits());
    let _web = worker(&capture, dir.path(), "web.1");
    capture.begin("web.1", 1).wait();
    assert_eq!(drain(&capture, "web.1"), 0);
    assert_eq!(drain(&capture, "unknown"), 0);
    assert_eq!(std::fs::read_dir(dir.path().join("logs")).unwrap().count(), 0);
    assert_eq!(capture.store().logs(), ["web.1"]);
}

#[test]
fn what_a_run_writes_is_its_own_however_late_the_thread_hears_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path(), limits());
    let pipe = create_pipe(&dir.path().join("web.1.pipe"), None).unwrap();
    let mut web = File::from(pipe.writer);
    web.write_all(b"of the run before\n").unwrap();
    // The thread is busy until the run has written.
    let (open, gate) = channel::<()>();
    capture.drain("other", Box::new(move |_| gate.recv_timeout(DEADLINE).unwrap()));
    capture.add("web.1", pipe.reader, Some(7)).unwrap();
    web.write_all(b"first\n").unwrap();
    open.send(()).unwrap();
    drain(&capture, "web.1");
    for run in 8..20 {
        capture.begin("web.1", run).wait();
        web.write_all(b"next\n").unwrap();
    }
    drain(&capture, "web.1");
    let runs: Vec<_> =
        lines(&capture.store(), &["web.1"], Query::default()).iter().map(|line| line.run).collect();
    assert_eq!(runs, (6..20).map(|run| if run == 6 { 0 } else { run }).collect::<Vec<_>>());
    capture.stop();
}

#[test]
fn stopping_stores_what_the_pipes_hold_and_a_later_start_goes_on_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path(), limits());
    let mut web = worker(&capture, dir.path(), "web.1");
    web.write_all(b"one\ntw").unwrap();
    capture.stop();
    web.write_all(b"o\nthree\n").unwrap();
    let capture = start(dir.path(), limits());
    assert_eq!(capture.store().end("web.1").unwrap(), 6);
    let _again = worker(&capture, dir.path(), "web.1");
    assert_eq!(drain(&capture, "web.1"), 14);
    capture.stop();
    let store = Store::open(&dir.path().join("logs")).unwrap();
    assert_eq!(texts(&lines(&store, &["web.1"], Query::default())), ["one", "two", "three"]);
}

#[test]
fn rotation_cuts_at_line_ends_keeps_the_backups_and_tells_a_late_reader_what_it_missed() {
    let dir = tempfile::tempdir().unwrap();
    let small = Limits { file_bytes: 1000, backups: 3, ..limits() };
    let capture = start(dir.path(), small);
    let mut web = worker(&capture, dir.path(), "web.1");
    let mut late = capture.store().reader("web.1", From::Start).unwrap();
    let text = numbered(1000);
    web.write_all(text.as_bytes()).unwrap();
    assert_eq!(drain(&capture, "web.1"), text.len() as u64);
    let mut kept = Vec::new();
    for slot in [".3", ".2", ".1", ""] {
        let part = std::fs::read(dir.path().join(format!("logs/web.1.log{slot}"))).unwrap();
        assert!(part.len() <= 1000 && part.ends_with(b"\n") && part.starts_with(b"line "));
        kept.extend(part);
    }
    assert!(!dir.path().join("logs/web.1.log.4").exists());
    assert!(text.as_bytes().ends_with(&kept));
    let (got, skipped) = read_all(&mut late);
    assert_eq!(got, kept);
    assert_eq!(skipped, (text.len() - kept.len()) as u64);
    let mut middle = capture.store().reader("web.1", From::Position(skipped + 1500)).unwrap();
    assert_eq!(read_all(&mut middle).0, kept[1500..]);
}

#[test]
fn a_lossless_reader_misses_nothing_and_holds_up_the_worker_instead() {
    let dir = tempfile::tempdir().unwrap();
    let tight = Limits { file_bytes: 10_000, backups: 1, unread_bytes: 50_000, ..Limits::default() };
    let capture = start(dir.path(), tight);
    let mut web = worker(&capture, dir.path(), "web.1");
    let store = capture.store();
    let watch = store.watch().unwrap();
    let mut reader = store.reader("web.1", From::Start).unwrap().lossless();
    let writer = std::thread::spawn(move || {
        for n in 0..200_000 {
            writeln!(web, "line {n}").unwrap();
        }
        web
    });
    let (mut got, mut buf, mut lag) = (Vec::<u8>::new(), vec![0; 4096], 0);
    let total: usize = (0..200_000).map(|n| format!("line {n}\n").len()).sum();
    while got.len() < total {
        lag = lag.max(store.end("web.1").unwrap() - got.len() as u64);
        match reader.read(&mut buf).unwrap() {
            Read::Bytes(n) => got.extend(&buf[..n]),
            Read::Skipped(n) => panic!("{n} bytes skipped"),
            Read::End => {
                watch.arm();
                if !reader.has_news() {
                    assert!(watch.wait(Some(DEADLINE)).unwrap(), "no news after {} bytes", got.len());
                }
            }
        }
    }
    let expected = numbered(200_000);
    assert!(got == expected.as_bytes());
    // One turn may go beyond the limit.
    assert!(lag <= 50_000 + (1 << 20), "{lag}");
    drop(writer.join().unwrap());
    capture.stop();
}

#[test]
fn a_lossless_reader_that_goes_away_frees_the_worker() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path(), Limits { unread_bytes: 100, ..limits() });
    let mut web = worker(&capture, dir.path(), "web.1");
    let reader = capture.store().reader("web.1", From::Start).unwrap().lossless();
    let writer = std::thread::spawn(move || web.write_all(&vec![b'x'; 5 << 20]).map(|()| web));
    let watch = capture.store().watch().unwrap();
    watch.arm();
    assert!(reader.has_news() || watch.wait(Some(DEADLINE)).unwrap());
    drop(reader);
    drop(writer.join().unwrap().unwrap());
    assert_eq!(drain(&capture, "web.1"), 5 << 20);
}

#[test]
fn what_a_run_left_without_a_newline_is_a_line_of_that_run() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path(), limits());
    let mut web = worker(&capture, dir.path(), "web.1");
    capture.begin("web.1", 1).wait();
    drain(&capture, "web.1");
    web.write_all(b"one\nbroken").unwrap();
    capture.begin("web.1", 2).wait();
    drain(&capture, "web.1");
    web.write_all(b"two\n").unwrap();
    capture.begin("web.1", 3).wait();
    capture.begin("web.1", 4).wait();
    drain(&capture, "web.1");
    web.write_all(b"prompt> ").unwrap();
    drain(&capture, "web.1");
    let found = lines(&capture.store(), &["web.1"], Query::default());
    assert_eq!(texts(&found), ["one", "broken", "two", "prompt> "]);
    assert_eq!(found.iter().map(|l| l.run).collect::<Vec<_>>(), [1, 1, 2, 4]);
    assert_eq!(found.iter().map(|l| l.position).collect::<Vec<_>>(), [0, 4, 10, 14]);
}

#[test]
fn reading_on_after_any_line_misses_no_byte_and_repeats_none() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path(), limits());
    let mut web = worker(&capture, dir.path(), "web.1");
    let long = "x".repeat(600 * 1024);
    for (run, text) in (1..).zip(["one\nbroken", "two\n\n", &long, "after\nthe end"]) {
        capture.begin("web.1", run).wait();
        drain(&capture, "web.1");
        web.write_all(text.as_bytes()).unwrap();
        drain(&capture, "web.1");
    }
    let store = capture.store();
    let all = lines(&store, &["web.1"], Query::default());
    let lengths = all.iter().map(|line| line.text.len()).collect::<Vec<_>>();
    assert_eq!(lengths, [3, 6, 3, 0, 262_144, 262_144, 90_112, 5, 7]);
    assert_eq!((all[0].position, all[8].end), (0, drain(&capture, "web.1")));
    for (number, line) in (1..).zip(&all) {
        let from = [("web.1".to_owned(), From::Position(line.end))];
        let mut merged = Merged::resume(&store, &from, Query::default()).unwrap();
        let next = merged.next_batch(1).unwrap();
        assert_eq!(next.first(), all.get(number), "after line {number}");
    }
}

#[test]
fn lines_of_several_logs_come_in_the_order_of_time() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path(), limits());
    let mut workers = ["a", "b", "c"].map(|log| worker(&capture, dir.path(), log));
    let mut expected = Vec::new();
    for run in 0..30u64 {
        let which = (run * 7 % 3) as usize;
        let log = ["a", "b", "c"][which];
        // A new run makes for a new stamp, however little time has passed.
        capture.begin(log, run + 1).wait();
        drain(&capture, log);
        writeln!(workers[which], "{log} {run}\n{log} {run}").unwrap();
        drain(&capture, log);
        expected.extend([format!("{log} {run}"), format!("{log} {run}")]);
    }
    let store = capture.store();
    let all = lines(&store, &["a", "b", "c"], Query::default());
    assert_eq!(texts(&all), expected);
    let last = lines(&store, &["a", "b", "c"], Query { last: Some(7), ..Query::default() });
    assert_eq!(texts(&last), expected[expected.len() - 7..]);
    let since = Query { since: Some(all[20].time), until: Some(all[40].time), ..Query::default() };
    assert_eq!(texts(&lines(&store, &["a", "b", "c"], since)), expected[20..40]);
    let grep = lines(&store, &["a", "b", "c"], Query { last: Some(3), ..Query::default() }.grep("b 2"));
    let wanted = expected.iter().filter(|l| l.contains("b 2")).cloned().collect::<Vec<_>>();
    assert_eq!(texts(&grep), wanted[wanted.len() - 3..]);
}

#[test]
fn a_follower_gets_the_last_lines_and_then_each_new_line_once_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path(), limits());
    let mut web = worker(&capture, dir.path(), "web.1");
    web.write_all(b"1\n2\n3\n4").unwrap();
    drain(&capture, "web.1");
    let query = Query { last: Some(2), follow: true, ..Query::default() };
    let mut merged = Merged::new(&capture.store(), &["web.1".to_owned()], query).unwrap();
    let first = texts(&merged.next_batch(1000).unwrap());
    assert!(first == ["2", "3"] || first == ["3"], "{first:?}");
    assert!(merged.next_batch(1000).unwrap().is_empty());
    web.write_all(b"4\n5\n6").unwrap();
    drain(&capture, "web.1");
    assert_eq!(texts(&merged.next_batch(1000).unwrap()), ["44", "5"]);
    assert_eq!(merged.positions().map(|(_, p)| p).collect::<Vec<_>>(), [11]);
}

#[test]
fn a_directory_that_cannot_be_written_is_reported_once_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (events, heard) = channel();
    let logs = dir.path().join("logs");
    let capture =
        Capture::start(&logs, limits(), Box::new(move |event| events.send(event).unwrap()), None).unwrap();
    let mut web = worker(&capture, dir.path(), "web.1");
    // A directory where the file should be fails for root, too.
    std::fs::create_dir(logs.join("web.1.log")).unwrap();
    web.write_all(b"kept\n").unwrap();
    let Event::Failed { log, path, .. } = heard.recv_timeout(DEADLINE).unwrap() else { panic!() };
    assert_eq!((log.as_str(), path), ("web.1", logs.join("web.1.log")));
    web.write_all(b"kept, too\n").unwrap();
    std::fs::remove_dir(logs.join("web.1.log")).unwrap();
    let event = heard.recv_timeout(DEADLINE).unwrap();
    assert!(matches!(event, Event::Recovered { .. }), "{event:?}");
    assert_eq!(drain(&capture, "web.1"), 15);
    assert_eq!(std::fs::read(logs.join("web.1.log")).unwrap(), b"kept\nkept, too\n");
}

#[test]
fn an_index_that_is_gone_is_written_anew_and_no_byte_changes_its_position() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path(), Limits { file_bytes: 1000, ..limits() });
    let mut web = worker(&capture, dir.path(), "web.1");
    let text = numbered(300);
    web.write_all(text.as_bytes()).unwrap();
    drain(&capture, "web.1");
    capture.stop();
    let logs = dir.path().join("logs");
    std::fs::remove_file(logs.join("web.1.index")).unwrap();
    std::fs::write(logs.join("web.1.index.2"), "garbage").unwrap();
    let store = Store::open(&logs).unwrap();
    let mut reader = store.reader("web.1", From::Position(1700)).unwrap();
    assert_eq!(read_all(&mut reader).0, &text.as_bytes()[1700..]);
    assert!(reader.stamp(1700).unwrap().time > 0);
}

#[test]
fn the_last_lines_are_found_across_blocks_and_segments() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path(), Limits { file_bytes: 100_000, ..limits() });
    let mut web = worker(&capture, dir.path(), "web.1");
    let text = numbered(40_000);
    web.write_all(text.as_bytes()).unwrap();
    drain(&capture, "web.1");
    let store = capture.store();
    let all = text.lines().collect::<Vec<_>>();
    for n in [0, 1, 2, 7000, 30_000] {
        let mut reader = store.reader("web.1", From::LastLines(n)).unwrap();
        let got = read_all(&mut reader).0;
        assert_eq!(String::from_utf8(got).unwrap().lines().collect::<Vec<_>>(), all[all.len() - n..]);
    }
}

#[test]
fn removing_a_log_stores_what_its_pipe_holds() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path(), limits());
    let mut web = worker(&capture, dir.path(), "web.1");
    web.write_all(b"last words\n").unwrap();
    let (done, stored) = std::sync::mpsc::channel();
    for _ in 0..2 {
        let done = done.clone();
        capture.remove("web.1", Box::new(move |end| done.send(end).unwrap()));
        assert_eq!(stored.recv_timeout(DEADLINE), Ok(11), "and so once more, where nothing is captured");
    }
}

#[test]
fn what_all_logs_take_together_is_bounded_and_the_oldest_rotated_files_go_first() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { file_bytes: 256 << 10, backups: 1000, ..limits() };
    let capture = start(dir.path(), limits);
    let mut workers = ["quiet", "a", "b"].map(|log| worker(&capture, dir.path(), log));
    let text = numbered(100_000);
    let mut write = |which: usize, log: &str| {
        workers[which].write_all(text.as_bytes()).unwrap();
        drain(&capture, log);
    };
    let taken = || -> u64 {
        let files = std::fs::read_dir(dir.path().join("logs")).unwrap();
        // One that is removed meanwhile takes nothing.
        files.filter_map(|file| file.unwrap().metadata().ok()).map(|metadata| metadata.len()).sum()
    };
    write(0, "quiet");
    write(1, "a");
    assert!(taken() > 2 << 20);
    let bound = 1 << 20;
    capture.bound(Some(bound));
    for _ in 0..4 {
        write(1, "a");
        write(2, "b");
        // It may be exceeded by a MiB before it is looked at again.
        assert!(taken() < bound + (1 << 20) + (300 << 10), "{}", taken());
    }
    let has = |file: &str| dir.path().join("logs").join(file).exists();
    assert!(has("quiet.log") && !has("quiet.log.1") && !has("quiet.index.1"));
    assert!(has("b.log") && has("b.log.1"));
    let mut reader = capture.store().reader("b", From::Start).unwrap();
    let kept = read_all(&mut reader).0;
    assert!(text.repeat(4).as_bytes().ends_with(&kept) && kept.len() > 256 << 10);
}

#[test]
fn limits_that_change_hold_from_the_next_write_on() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path(), limits());
    let mut web = worker(&capture, dir.path(), "web.1");
    let text = numbered(2000);
    web.write_all(text.as_bytes()).unwrap();
    drain(&capture, "web.1");
    assert!(!dir.path().join("logs/web.1.log.1").exists());
    capture.limit("web.1", Limits { file_bytes: 1000, backups: 2, ..limits() }).unwrap();
    web.write_all(text.as_bytes()).unwrap();
    drain(&capture, "web.1");
    for (slot, exists) in [(1, true), (2, true), (3, false)] {
        assert_eq!(dir.path().join(format!("logs/web.1.log.{slot}")).exists(), exists, "{slot}");
    }
    assert!(std::fs::metadata(dir.path().join("logs/web.1.log")).unwrap().len() <= 1000);
    let mut reader = capture.store().reader("web.1", From::Start).unwrap();
    assert!(text.as_bytes().ends_with(&read_all(&mut reader).0));
}

#[test]
fn the_last_lines_that_are_wanted_are_found_from_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path(), Limits { file_bytes: 40_000, ..limits() });
    let mut web = worker(&capture, dir.path(), "web.1");
    for part in numbered(12_000).as_bytes().chunks(30_000) {
        web.write_all(part).unwrap();
        drain(&capture, "web.1");
    }
    web.write_all(&[b"long ", b"x".repeat(300_000).as_slice(), b"\nshort"].concat()).unwrap();
    drain(&capture, "web.1");
    let store = capture.store();
    let all = lines(&store, &["web.1"], Query::default());
    for pattern in ["line", "7", "99", "long", "short", "nowhere"] {
        for until in [None, Some(all[all.len() / 2].time), Some(all[0].time)] {
            let fits = |line: &&Line| {
                String::from_utf8_lossy(&line.text).contains(pattern)
                    && until.is_none_or(|until| line.time < until)
            };
            let expected = all.iter().filter(fits).cloned().collect::<Vec<_>>();
            for n in [0, 1, 2, 30, 1000, 20_000] {
                let query = Query { last: Some(n), until, ..Query::default() }.grep(pattern);
                let last = lines(&store, &["web.1"], query);
                assert_eq!(
                    texts(&last),
                    texts(&expected[expected.len().saturating_sub(n)..]),
                    "{n} {pattern}"
                );
            }
        }
    }
    capture.stop();
}

#[test]
fn the_last_lines_of_a_log_of_a_tebibyte_are_read_without_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let capture = start(dir.path(), limits());
    worker(&capture, dir.path(), "web.1").write_all(b"begin\n").unwrap();
    drain(&capture, "web.1");
    capture.stop();
    let file = File::options().write(true).open(dir.path().join("logs/web.1.log")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"\none\ntwo\nlast one\n", 1 << 40).unwrap();
    let store = Store::open(&dir.path().join("logs")).unwrap();
    let last = |query| texts(&lines(&store, &["web.1"], query));
    assert_eq!(last(Query { last: Some(2), ..Query::default() }), ["two", "last one"]);
    assert_eq!(last(Query { last: Some(2), ..Query::default() }.grep("one")), ["one", "last one"]);
}
