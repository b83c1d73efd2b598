//! What happened, numbered: kept in memory for `why` and `events`, and in a file for those who come later.
//!
//! An event goes three ways, in this order, by three marks on what is kept. It is handed to the ledger, into the write
//! that says what led to it; it is told to those who ask; and it is written to the file. So who is killed between any
//! two of them leaves events in the ledger that the file does not have, and the next one to open the journal knows them
//! by their numbers: each is told, and none twice. What a full disk keeps from the file is written later, as long as
//! it is kept.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ganger_api::{EndedRunInfo, EventInfo, EventKind, Time};
use ganger_spec::WorkerName;
use serde::Serialize;
use tokio::sync::watch;

/// So many of the latest events can be asked for, and wait for a file that cannot be written.
const KEPT_MAX: usize = 10_000;
/// The file is begun anew at this size; the one before it is kept.
const FILE_MAX_BYTES: u64 = 8 << 20;

/// What happened, from the oldest that is kept. Shared between the engine, which writes, and the API, which reads.
#[derive(Debug)]
pub(crate) struct Journal {
    inner: Mutex<Inner>,
    /// The number of the latest event that is told, for followers to wait on.
    latest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    kept: VecDeque<Kept>,
    next: u64,
    /// Up to this number the ledger has them, up to this one they are told, and up to this one they are in the file.
    handed: u64,
    told: u64,
    written: u64,
    path: PathBuf,
    file: File,
    /// What follows this is part of a line that could not be written whole.
    bytes: u64,
    /// Where the next line is made.
    draft: Vec<u8>,
}

/// An event that can be asked for, as it stands in the file: a third of the size of what is read out of it.
#[derive(Debug)]
struct Kept {
    seq: u64,
    /// With the end of the line.
    line: Box<[u8]>,
}

impl Kept {
    /// The event of a whole line.
    fn of(line: Vec<u8>) -> Option<Self> {
        let EventInfo { seq, .. } = serde_json::from_slice(&line).ok()?;
        Some(Self { seq, line: line.into() })
    }

    fn event(&self) -> Option<EventInfo> {
        serde_json::from_slice(&self.line).ok()
    }

    /// Whether it may be about this worker: a quick look before it is read.
    fn mentions(&self, name: &str) -> bool {
        self.line.windows(name.len()).any(|part| part == name.as_bytes())
    }
}

/// An event before it has a number and a time.
#[derive(Debug)]
pub(crate) struct Entry<'a, D> {
    pub(crate) kind: EventKind,
    pub(crate) worker: Option<&'a WorkerName>,
    pub(crate) text: &'a str,
    /// What it is written as is an object.
    pub(crate) details: D,
}

/// An [`EventInfo`] that is only written.
#[derive(Serialize)]
struct Numbered<'a, D> {
    seq: u64,
    time: Time,
    kind: EventKind,
    worker: Option<&'a WorkerName>,
    text: &'a str,
    details: D,
}

/// Of an event that has none.
#[derive(Debug, Serialize)]
pub(crate) struct NoDetails {}

impl<'a> Entry<'a, NoDetails> {
    /// An event that is all in its text.
    pub(crate) fn notice(text: &'a str) -> Self {
        Self { kind: EventKind::Notice, worker: None, text, details: NoDetails {} }
    }
}

impl Journal {
    /// Opens the journal, going on with the numbers of the file that is there, and with those events that a ledger
    /// has and the file does not.
    pub(crate) fn open(path: &Path, in_ledger: Vec<EventInfo>) -> io::Result<Self> {
        let mut kept = VecDeque::new();
        let bytes = read(path, &mut kept)?;
        if kept.is_empty() {
            // It was just begun anew.
            read(&rotated(path), &mut kept)?;
        }
        let file = append_to(path)?;
        // Who was killed may have left part of a line.
        if file.metadata()?.len() > bytes {
            file.set_len(bytes)?;
        }
        let written = kept.back().map_or(0, |event: &Kept| event.seq);
        let mut next = written + 1;
        for event in in_ledger.into_iter().filter(|event| event.seq > written) {
            let mut line = serde_json::to_vec(&event)?;
            line.push(b'\n');
            next = event.seq + 1;
            keep(&mut kept, Kept { seq: event.seq, line: line.into() });
        }
        let told = next - 1;
        let (handed, path, draft) = (told, path.to_owned(), Vec::new());
        let inner = Inner { kept, next, handed, told, written, path, file, bytes, draft };
        Ok(Self { inner: Mutex::new(inner), latest: watch::Sender::new(told) })
    }

    /// Numbers an event. It is known to others after [`Journal::tell`].
    pub(crate) fn number(&self, entry: Entry<'_, impl Serialize>) {
        let Entry { kind, worker, text, details } = entry;
        let inner = &mut *self.lock();
        let (seq, time) = (inner.next, Time(jiff::Timestamp::now()));
        let line = &mut inner.draft;
        line.clear();
        if serde_json::to_writer(&mut *line, &Numbered { seq, time, kind, worker, text, details }).is_ok() {
            line.push(b'\n');
            inner.next += 1;
            keep(&mut inner.kept, Kept { seq, line: line.as_slice().into() });
        }
    }

    /// Gives the line of each event that was not handed yet, without its end.
    pub(crate) fn hand(&self, mut take: impl FnMut(&[u8])) {
        let mut inner = self.lock();
        for event in inner.after(inner.handed) {
            take(event.line.trim_ascii_end());
        }
        inner.handed = inner.next - 1;
    }

    /// Tells those who ask or follow what was numbered.
    pub(crate) fn tell(&self) {
        let mut inner = self.lock();
        let latest = inner.next - 1;
        if inner.told < latest {
            inner.told = latest;
            drop(inner);
            self.latest.send_replace(latest);
        }
    }

    /// Writes what the file does not have. What could not be written is tried again by the next call.
    pub(crate) fn write(&self) -> io::Result<()> {
        self.lock().write()
    }

    /// The lines, without their ends, that the file does not have.
    pub(crate) fn unwritten(&self) -> Vec<Box<[u8]>> {
        let inner = self.lock();
        inner.after(inner.written).map(|event| event.line.trim_ascii_end().into()).collect()
    }

    /// The number of the latest event, told or not.
    pub(crate) fn latest(&self) -> u64 {
        self.lock().next - 1
    }

    /// Numbers, tells and writes something that needs no ledger.
    pub(crate) fn note(&self, text: &str) -> io::Result<()> {
        self.number(Entry::notice(text));
        self.tell();
        self.write()
    }

    /// The events after this number that are kept, at most `max`.
    pub(crate) fn after(&self, seq: u64, max: usize) -> Vec<EventInfo> {
        let inner = self.lock();
        let told = inner.after(seq).take_while(|event| event.seq <= inner.told);
        told.take(max).filter_map(Kept::event).collect()
    }

    /// The last events of a worker since this time, the oldest first.
    pub(crate) fn of_worker(&self, name: &WorkerName, since: Time, max: usize) -> Vec<EventInfo> {
        let inner = self.lock();
        let mut events: Vec<_> = inner.about(name, since).take(max).collect();
        events.reverse();
        events
    }

    /// The last runs of a worker that ended since this time, the oldest first.
    pub(crate) fn runs_of(&self, name: &WorkerName, since: Time, max: usize) -> Vec<EndedRunInfo> {
        let inner = self.lock();
        let mut runs: Vec<EndedRunInfo> = Vec::new();
        for event in inner.about(name, since) {
            let Some(run) = event.details.get("run").and_then(serde_json::Value::as_u64) else { continue };
            match event.kind {
                EventKind::Ended if runs.len() == max => break,
                EventKind::Ended => runs.push(ended_run(run, &event)),
                EventKind::Started => {
                    if let Some(ended) = runs.iter_mut().find(|ended| ended.run == run) {
                        ended.lasted_ms = u64::try_from(millis_between(event.time, ended.ended)).ok();
                    }
                }
                EventKind::State
                | EventKind::SpawnFailed
                | EventKind::Waiting
                | EventKind::Ready
                | EventKind::Killing
                | EventKind::Stuck
                | EventKind::Released
                | EventKind::Scaled
                | EventKind::ShuttingDown
                | EventKind::PortHeld
                | EventKind::Notice => {}
            }
        }
        runs.reverse();
        runs
    }

    /// Changes whenever an event is added.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while it was held leaves at worst one event unsaid.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The events of a worker since this time, the latest first.
    fn about(&self, name: &WorkerName, since: Time) -> impl Iterator<Item = EventInfo> {
        let quoted = format!("\"{name}\"");
        let told = self.kept.iter().rev().skip_while(|event| event.seq > self.told);
        let mentioned = told.filter(move |event| event.mentions(&quoted));
        let read = mentioned.filter_map(Kept::event).take_while(move |event| event.time >= since);
        read.filter(move |event| event.worker.as_ref() == Some(name))
    }

    /// What is kept after this number.
    fn after(&self, seq: u64) -> impl Iterator<Item = &Kept> {
        self.kept.range(self.kept.partition_point(|event| event.seq <= seq)..)
    }

    fn write(&mut self) -> io::Result<()> {
        let lines = self.after(self.written).map(|event| &*event.line).collect::<Vec<_>>().concat();
        if lines.is_empty() {
            return Ok(());
        }
        if self.bytes > FILE_MAX_BYTES {
            std::fs::rename(&self.path, rotated(&self.path))?;
            self.file = append_to(&self.path)?;
            self.bytes = 0;
        }
        if let Err(error) = self.file.write_all(&lines) {
            // No line is half there. If this fails too, readers skip what is no whole line.
            let _ = self.file.set_len(self.bytes);
            return Err(error);
        }
        self.bytes += lines.len() as u64;
        self.written = self.next - 1;
        Ok(())
    }
}

/// A run as the event of its end has it.
fn ended_run(run: u64, event: &EventInfo) -> EndedRunInfo {
    let usage = event.details.get("usage").and_then(|usage| serde_json::from_value(usage.clone()).ok());
    EndedRunInfo { run, ended: event.time, lasted_ms: None, exit: event.text.clone(), usage }
}

fn millis_between(from: Time, to: Time) -> i128 {
    (to.unix_nanos() - from.unix_nanos()) / 1_000_000
}

/// Keeps an event, and forgets the oldest if there are too many.
fn keep(kept: &mut VecDeque<Kept>, event: Kept) {
    if kept.len() == KEPT_MAX {
        kept.pop_front();
    }
    kept.push_back(event);
}

/// Keeps the events of a file; how long its whole lines are.
fn read(path: &Path, kept: &mut VecDeque<Kept>) -> io::Result<u64> {
    let mut file = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut bytes = 0;
    loop {
        let mut line = Vec::new();
        let length = file.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            return Ok(bytes);
        }
        bytes += length as u64;
        if let Some(event) = Kept::of(line) {
            keep(kept, event);
        }
    }
}

/// Where the events are that came before those in the file.
fn rotated(path: &Path) -> PathBuf {
    path.with_extension("jsonl.1")
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notices(journal: &Journal, texts: &[&str]) {
        for text in texts {
            journal.number(Entry::notice(text));
        }
        journal.tell();
    }

    fn seen(journal: &Journal, after: u64) -> Vec<(u64, String)> {
        journal.after(after, usize::MAX).into_iter().map(|event| (event.seq, event.text)).collect()
    }

    /// What the ledger is given.
    fn handed(journal: &Journal) -> Vec<EventInfo> {
        let mut events = Vec::new();
        journal.hand(|line| events.push(serde_json::from_slice(line).unwrap()));
        events
    }

    fn fresh() -> (tempfile::TempDir, PathBuf, Journal) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let journal = Journal::open(&path, Vec::new()).unwrap();
        (dir, path, journal)
    }

    #[test]
    fn numbers_go_on_after_a_new_start_and_over_a_torn_line() {
        let (_dir, path, journal) = fresh();
        notices(&journal, &["one", "two"]);
        journal.write().unwrap();
        for torn in [b"{\"seq\":3,\"ti\n".as_slice(), b"{\"seq\":3,\"ti"] {
            append_to(&path).unwrap().write_all(torn).unwrap();
        }
        let journal = Journal::open(&path, Vec::new()).unwrap();
        notices(&journal, &["three"]);
        journal.write().unwrap();
        let expected = [(2, "two".to_owned()), (3, "three".to_owned())];
        assert_eq!(seen(&journal, 1), expected);
        assert_eq!(seen(&Journal::open(&path, Vec::new()).unwrap(), 1), expected);
    }

    #[test]
    fn what_the_ledger_has_and_the_file_has_not_is_told_once() {
        let (_dir, path, journal) = fresh();
        notices(&journal, &["one", "two"]);
        let mut in_ledger = handed(&journal);
        journal.write().unwrap();
        notices(&journal, &["three", "four"]);
        in_ledger.extend(handed(&journal));
        assert_eq!(handed(&journal), [], "each is handed once");
        // It is killed here; and then again, before and after the next one has written.
        drop(journal);
        for _ in 0..2 {
            Journal::open(&path, in_ledger.clone()).unwrap();
        }
        let journal = Journal::open(&path, in_ledger.clone()).unwrap();
        assert_eq!((handed(&journal), seen(&journal, 0).len()), (Vec::new(), 4));
        journal.write().unwrap();
        let journal = Journal::open(&path, in_ledger).unwrap();
        assert_eq!(seen(&journal, 2), [(3, "three".to_owned()), (4, "four".to_owned())]);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4);
    }

    #[test]
    fn a_kill_amid_the_write_to_the_file_at_any_byte_costs_nothing() {
        let (_dir, path, journal) = fresh();
        notices(&journal, &["one", "two", "three"]);
        let in_ledger = handed(&journal);
        journal.write().unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            Journal::open(&path, in_ledger.clone()).unwrap().write().unwrap();
            let texts = |journal: Journal| seen(&journal, 0);
            assert_eq!(texts(Journal::open(&path, Vec::new()).unwrap()).len(), 3, "cut at {cut}");
            assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3, "cut at {cut}");
        }
    }

    #[test]
    fn nobody_is_told_before_the_ledger_may_have_it() {
        let (_dir, _path, journal) = fresh();
        let watch = journal.watch();
        journal.number(Entry::notice("x"));
        assert!(seen(&journal, 0).is_empty() && !watch.has_changed().unwrap());
        journal.tell();
        assert!(seen(&journal, 0).len() == 1 && watch.has_changed().unwrap());
    }

    #[test]
    fn a_file_that_cannot_be_written_catches_up() {
        let (_dir, path, journal) = fresh();
        let sound = std::mem::replace(&mut journal.lock().file, File::open(&path).unwrap());
        notices(&journal, &["one"]);
        assert!(journal.write().is_err() && journal.write().is_err());
        assert_eq!((journal.unwritten().len(), seen(&journal, 0).len()), (1, 1));
        notices(&journal, &["two"]);
        journal.lock().file = sound;
        journal.write().unwrap();
        assert!(journal.unwritten().is_empty());
        assert_eq!(seen(&Journal::open(&path, Vec::new()).unwrap(), 0).len(), 2);
    }

    #[test]
    fn numbers_go_on_when_the_file_was_just_begun_anew() {
        let (_dir, path, journal) = fresh();
        notices(&journal, &["one", "two"]);
        let in_ledger = handed(&journal);
        journal.write().unwrap();
        std::fs::rename(&path, rotated(&path)).unwrap();
        let journal = Journal::open(&path, in_ledger).unwrap();
        notices(&journal, &["three"]);
        assert_eq!(seen(&journal, 2), [(3, "three".to_owned())]);
    }

    #[test]
    fn memory_holds_a_bounded_number() {
        let (_dir, _path, journal) = fresh();
        for _ in 0..KEPT_MAX + 5 {
            notices(&journal, &["x"]);
        }
        let all = seen(&journal, 0);
        assert_eq!((all.len(), all[0].0), (KEPT_MAX, 6));
    }

    #[test]
    fn the_last_runs_are_told_with_what_they_used() {
        let (_dir, _path, journal) = fresh();
        let add = |number, kind, run: u64, usage: Option<&serde_json::Value>| {
            let (worker, text) = (WorkerName::new("web", number), format!("end {run}"));
            let mut details = serde_json::json!({"run": run});
            if let Some(usage) = usage {
                details["usage"] = usage.clone();
            }
            journal.number(Entry { kind, worker: Some(&worker), text: &text, details });
            journal.tell();
        };
        let usage = serde_json::json!({"user_ms": 5, "system_ms": 7, "peak_resident_bytes": 4096});
        add(1, EventKind::Ended, 1, Some(&usage));
        add(1, EventKind::Started, 2, None);
        add(2, EventKind::Ended, 9, None);
        add(1, EventKind::Ended, 2, Some(&usage));
        add(1, EventKind::Ended, 3, None);
        let since = Time(jiff::Timestamp::UNIX_EPOCH);
        let runs = journal.runs_of(&WorkerName::new("web", 1), since, 2);
        assert_eq!(
            runs.iter().map(|run| (run.run, run.exit.as_str())).collect::<Vec<_>>(),
            [(2, "end 2"), (3, "end 3")]
        );
        assert!(runs[0].lasted_ms.is_some() && runs[1].lasted_ms.is_none(), "only the start of one is known");
        assert_eq!(runs[0].usage.map(|usage| usage.system_ms), Some(7));
        assert_eq!(runs[1].usage, None);
    }
}
