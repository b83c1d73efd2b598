//! Logs that have a file of their own, are copied, or kept nowhere: on real pipes and files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::{self, File};
use std::io::{Read as _, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

use ganger_logs::{Capture, Error, From, Limits, Merged, Place, Query, Read, Store, create_pipe};

const DEADLINE: Duration = Duration::from_secs(20);

struct Bed {
    dir: tempfile::TempDir,
    capture: Capture,
}

impl Bed {
    fn new() -> Self {
        Self::of(tempfile::tempdir().unwrap())
    }

    fn of(dir: tempfile::TempDir) -> Self {
        let limits = Limits { file_bytes: 100, backups: 3, ..Limits::default() };
        fs::create_dir_all(dir.path().join("var")).unwrap();
        let on_event = Box::new(|event| panic!("{event:?}"));
        Self { capture: Capture::start(&dir.path().join("logs"), limits, on_event, None).unwrap(), dir }
    }

    fn again(self) -> Self {
        self.capture.stop();
        Self::of(self.dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    /// A log of this name with that place, and its worker's end.
    fn worker(&self, log: &str, place: &Place, strip_ansi: bool) -> Result<File, Error> {
        let pipe = create_pipe(&self.path(&format!("{log}.pipe")), None).unwrap();
        self.capture.place(log, place, strip_ansi)?;
        self.capture.add(log, pipe.reader, Some(1)).unwrap();
        Ok(File::from(pipe.writer))
    }

    fn drain(&self, log: &str) -> u64 {
        let (done, end) = channel();
        self.capture.drain(log, Box::new(move |position| done.send(position).unwrap()));
        end.recv_timeout(DEADLINE).unwrap()
    }

    fn write(&self, worker: &mut File, log: &str, text: &str) {
        worker.write_all(text.as_bytes()).unwrap();
        self.drain(log);
    }

    fn lines(&self, log: &str) -> Vec<String> {
        lines(&self.capture.store(), log)
    }
}

fn lines(store: &Store, log: &str) -> Vec<String> {
    let mut merged = Merged::new(store, &[log.to_owned()], Query::default()).unwrap();
    let batch = merged.next_batch(1 << 20).unwrap();
    batch.into_iter().map(|line| String::from_utf8(line.text).unwrap()).collect()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn numbered(lines: u32) -> String {
    (1..=lines).flat_map(|n| ["line ".to_owned(), n.to_string(), "\n".to_owned()]).collect()
}

/// Reads until all of `wanted` came.
fn expect(mut from: impl std::io::Read, wanted: &str) {
    let mut got = vec![0; wanted.len()];
    from.read_exact(&mut got).unwrap();
    assert_eq!(String::from_utf8_lossy(&got), wanted);
}

#[test]
fn a_file_of_its_own_goes_on_after_what_it_had_and_is_rotated_beside_itself() {
    let bed = Bed::new();
    let path = bed.path("var/web.log");
    fs::write(&path, "old\n").unwrap();
    let mut worker = bed.worker("web.1", &Place::File(path.clone()), false).unwrap();
    bed.write(&mut worker, "web.1", "new\n");
    assert_eq!(text(&path), "old\nnew\n");
    assert_eq!(bed.lines("web.1"), ["old", "new"]);
    let all = numbered(30);
    bed.write(&mut worker, "web.1", &all);
    let rotated = |n| bed.path(&format!("var/web.log.{n}"));
    let whole = [rotated(2), rotated(1), path.clone()].map(|path| text(&path)).concat();
    assert_eq!(whole, format!("old\nnew\n{all}"));
    assert_eq!(bed.lines("web.1").len(), 32);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7077, 0o044 & !umask());
    // The indexes are in the store, and nothing else of the log is.
    let mut stored: Vec<_> =
        fs::read_dir(bed.path("logs")).unwrap().map(|e| e.unwrap().file_name()).collect();
    stored.sort();
    assert_eq!(stored, ["web.1.index", "web.1.index.1", "web.1.index.2", "web.1.place"]);
    assert_eq!(fs::read_dir(bed.path("var")).unwrap().count(), 3);
    let bed = bed.again();
    assert_eq!(bed.lines("web.1").len(), 32, "found again by a store that was told nothing");
    let store = Store::open(&bed.path("logs")).unwrap();
    assert_eq!(store.place("web.1").unwrap(), Place::File(path));
}

fn umask() -> u32 {
    let status = text(Path::new("/proc/self/status"));
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap();
    u32::from_str_radix(mask.trim(), 8).unwrap()
}

#[test]
fn a_file_that_was_renamed_or_removed_is_begun_anew_and_readers_go_on() {
    let bed = Bed::new();
    let path = bed.path("var/web.log");
    let mut worker = bed.worker("web.1", &Place::File(path.clone()), false).unwrap();
    bed.write(&mut worker, "web.1", "one\n");
    let mut reader = bed.capture.store().reader("web.1", From::Start).unwrap();
    let mut buf = [0; 64];
    assert_eq!(reader.read(&mut buf).unwrap(), Read::Bytes(4));
    // As logrotate does it: rename, then tell.
    fs::rename(&path, bed.path("var/web.log.1")).unwrap();
    assert!(bed.capture.reopen_all().is_empty());
    assert_eq!(text(&path), "");
    assert_eq!(bed.lines("web.1"), ["one"]);
    bed.write(&mut worker, "web.1", "two\n");
    assert_eq!((text(&path), reader.read(&mut buf).unwrap()), ("two\n".into(), Read::Bytes(4)));
    // Without being told.
    fs::remove_file(&path).unwrap();
    bed.write(&mut worker, "web.1", "three\n");
    assert_eq!((text(&path), reader.read(&mut buf).unwrap()), ("three\n".into(), Read::Bytes(6)));
    fs::write(&path, "").unwrap();
    bed.write(&mut worker, "web.1", "four\n");
    assert_eq!((text(&path), reader.read(&mut buf).unwrap()), ("four\n".into(), Read::Bytes(5)));
    assert_eq!(bed.drain("web.1"), 19);
    assert_eq!(bed.again().lines("web.1"), ["one", "four"]);
}

#[test]
fn a_log_that_is_cleared_begins_anew_wherever_it_is() {
    for in_store in [true, false] {
        let bed = Bed::new();
        let (place, path) = match bed.path("var/web.log") {
            _ if in_store => (Place::Store, bed.path("logs/web.1.log")),
            path => (Place::File(path.clone()), path),
        };
        let mut worker = bed.worker("web.1", &place, false).unwrap();
        bed.write(&mut worker, "web.1", "one\n");
        bed.capture.clear("web.1").unwrap();
        assert_eq!(path.exists(), !in_store);
        assert_eq!(bed.lines("web.1"), [""; 0]);
        let bed = bed.again();
        assert_eq!(bed.capture.store().end("web.1").unwrap(), 4, "positions go on");
        let mut worker = bed.worker("web.1", &place, false).unwrap();
        bed.write(&mut worker, "web.1", "two\n");
        assert_eq!((text(&path), bed.lines("web.1")), ("two\n".to_owned(), vec!["two".to_owned()]));
    }
}

#[test]
fn what_cannot_be_opened_and_what_another_log_has_is_refused() {
    let bed = Bed::new();
    let path = bed.path("var/web.log");
    let error = bed.worker("web.1", &Place::File(bed.path("none/web.log")), false).unwrap_err();
    assert!(error.to_string().contains("none/web.log"), "{error}");
    assert!(error.hint().unwrap().contains("directory"), "{error}");
    let mut first = bed.worker("web.1", &Place::File(path.clone()), false).unwrap();
    let error = bed.worker("web.2", &Place::File(path.clone()), false).unwrap_err();
    assert!(matches!(&error, Error::Shared { log, .. } if log == "web.1"), "{error}");
    bed.write(&mut first, "web.1", "one\n");
    // A log that is captured no more gives its file away.
    let (done, gone) = channel();
    bed.capture.remove("web.1", Box::new(move |_| done.send(()).unwrap()));
    gone.recv_timeout(DEADLINE).unwrap();
    let mut second = bed.worker("web.2", &Place::File(path.clone()), false).unwrap();
    bed.write(&mut second, "web.2", "two\n");
    assert_eq!((text(&path), bed.lines("web.2").len()), ("one\ntwo\n".into(), 2));
    assert_eq!(bed.lines("web.1"), [""; 0]);
}

#[test]
fn a_file_is_free_for_another_log_when_its_log_has_moved_and_taken_after_a_new_start_too() {
    let bed = Bed::new();
    let file = |name: &str| Place::File(bed.path("var").join(name));
    let _first = bed.worker("web.1", &file("a.log"), false).unwrap();
    bed.capture.place("web.1", &file("b.log"), false).unwrap();
    let _second = bed.worker("web.2", &file("a.log"), false).unwrap();
    let refused = |bed: &Bed, log: &str, name: &str, owner: &str| {
        let error = bed.capture.place(log, &Place::File(bed.path("var").join(name)), false).unwrap_err();
        assert!(matches!(&error, Error::Shared { log, .. } if log == owner), "{error}");
    };
    refused(&bed, "web.1", "a.log", "web.2");
    refused(&bed, "web.2", "b.log", "web.1");
    // A move that fails leaves the log, and its file, where they were.
    assert!(bed.capture.place("web.2", &file("none/x.log"), false).is_err());
    refused(&bed, "web.1", "a.log", "web.2");
    bed.capture.place("web.1", &Place::Store, false).unwrap();
    bed.capture.place("web.2", &file("b.log"), false).unwrap();
    let bed = bed.again();
    let _second = bed.worker("web.2", &Place::File(bed.path("var/b.log")), false).unwrap();
    refused(&bed, "web.1", "b.log", "web.2");
}

#[test]
fn a_log_moves_to_another_place_while_it_is_written() {
    let bed = Bed::new();
    let path = bed.path("var/web.log");
    let mut worker = bed.worker("web.1", &Place::Store, false).unwrap();
    bed.write(&mut worker, "web.1", "one\n");
    bed.capture.place("web.1", &Place::File(path.clone()), false).unwrap();
    bed.write(&mut worker, "web.1", "two\n");
    assert_eq!((text(&path), bed.drain("web.1")), ("two\n".to_owned(), 8));
    bed.capture.place("web.1", &Place::Store, false).unwrap();
    bed.write(&mut worker, "web.1", "three\n");
    assert_eq!(text(&path), "two\n");
    assert_eq!(bed.lines("web.1"), ["one", "three"]);
    assert_eq!(bed.again().lines("web.1"), ["one", "three"]);
}

#[test]
fn what_is_dropped_is_read_and_kept_nowhere() {
    let bed = Bed::new();
    let mut worker = bed.worker("web.1", &Place::File("/dev/null".into()), false).unwrap();
    let loud = "x".repeat(1 << 21);
    bed.write(&mut worker, "web.1", &loud);
    assert_eq!((bed.drain("web.1"), bed.lines("web.1").len()), (0, 0));
    let stored = fs::read_dir(bed.path("logs")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(stored.collect::<Vec<_>>(), ["web.1.place"]);
    let bed = bed.again();
    let pipe = create_pipe(&bed.path("web.1.pipe"), None).unwrap();
    bed.capture.add("web.1", pipe.reader, None).unwrap();
    bed.write(&mut worker, "web.1", "more\n");
    assert_eq!(bed.lines("web.1").len(), 0, "a new start knows it");
    let (done, gone) = channel();
    worker.write_all(b"last\n").unwrap();
    bed.capture.remove("web.1", Box::new(move |_| done.send(()).unwrap()));
    gone.recv_timeout(DEADLINE).unwrap();
}

#[test]
fn escape_sequences_are_left_out_and_runs_are_told_apart_all_the_same() {
    let bed = Bed::new();
    let mut worker = bed.worker("web.1", &Place::Store, true).unwrap();
    for run in 1..=3 {
        bed.capture.begin("web.1", run).wait();
        worker.write_all(b"\x1b[1").unwrap();
        bed.drain("web.1");
        bed.write(&mut worker, "web.1", &format!(";31mrun {run}\x1b[0m\n"));
    }
    assert_eq!(text(&bed.path("logs/web.1.log")), "run 1\nrun 2\nrun 3\n");
    let store = bed.capture.store();
    let mut merged = Merged::new(&store, &["web.1".to_owned()], Query::default()).unwrap();
    let runs: Vec<_> = merged.next_batch(100).unwrap().iter().map(|line| line.run).collect();
    assert_eq!(runs, [1, 2, 3]);
    let (done, gone) = channel();
    worker.write_all(b"\x1b[1mlast\x1b[0m").unwrap();
    bed.capture.remove("web.1", Box::new(move |end| done.send(end).unwrap()));
    assert_eq!(gone.recv_timeout(DEADLINE).unwrap(), 22);
}

#[test]
fn what_is_copied_is_in_the_store_too_and_a_new_start_copies_what_the_one_before_did_not() {
    let bed = Bed::new();
    let fifo = bed.path("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
    let both = File::options().read(true).write(true).open(&fifo).unwrap();
    let mut out = bed.worker("web.1", &Place::File(fifo.clone()), false).unwrap();
    let mut err = bed.worker("web.1.err", &Place::File(fifo.clone()), false).unwrap();
    bed.write(&mut out, "web.1", "torn ");
    bed.write(&mut err, "web.1.err", "whole\n");
    expect(&both, "whole\n");
    bed.write(&mut out, "web.1", "line\n");
    expect(&both, "torn line\n");
    assert_eq!(bed.lines("web.1"), ["torn line"]);
    assert_eq!(bed.capture.store().place("web.1").unwrap(), Place::Copied(fifo));
    bed.write(&mut out, "web.1", "more\nand the rest");
    let bed = bed.again();
    expect(&both, "more\nand the rest");
    let pipe = create_pipe(&bed.path("web.1.pipe"), None).unwrap();
    bed.capture.add("web.1", pipe.reader, None).unwrap();
    bed.write(&mut out, "web.1", "\nagain\n");
    expect(&both, "\nagain\n");
    let mut nothing_more = both.try_clone().unwrap();
    bed.capture.stop();
    rustix::io::ioctl_fionbio(&both, true).unwrap();
    assert!(nothing_more.read(&mut [0; 10]).is_err(), "nothing was copied twice");
}

#[test]
fn a_target_that_takes_nothing_holds_up_no_worker() {
    let bed = Bed::new();
    let fifo = bed.path("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
    let both = File::options().read(true).write(true).open(&fifo).unwrap();
    let mut worker = bed.worker("web.1", &Place::File(fifo), false).unwrap();
    let unlimited = Limits { file_bytes: u64::MAX, backups: 0, ..Limits::default() };
    bed.capture.limit("web.1", unlimited).unwrap();
    let loud = numbered(40_000);
    bed.write(&mut worker, "web.1", &loud);
    assert_eq!(bed.lines("web.1").len(), 40_000);
    expect(&both, &loud);
}

#[test]
fn a_line_that_a_new_start_found_half_written_is_one_line_of_its_run() {
    let bed = Bed::new();
    let mut worker = bed.worker("web.1", &Place::Store, false).unwrap();
    bed.write(&mut worker, "web.1", "half ");
    let bed = bed.again();
    let pipe = create_pipe(&bed.path("web.1.pipe"), None).unwrap();
    bed.capture.add("web.1", pipe.reader, None).unwrap();
    bed.write(&mut worker, "web.1", "a line\n");
    assert_eq!(bed.lines("web.1"), ["half a line"]);
}
