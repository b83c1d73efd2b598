//! What happened, numbered: kept in memory for `why` and `events`, and in a file for those who come later.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ganger_api::{EndedRunInfo, EventInfo, EventKind, Time};
use ganger_spec::WorkerName;
use tokio::sync::watch;

/// So many of the latest events can be asked for.
const KEPT_MAX: usize = 10_000;
/// The file is begun anew at this size; the one before it is kept.
const FILE_MAX_BYTES: u64 = 8 << 20;

/// What happened, from the oldest that is kept. Shared between the engine, which writes, and the API, which reads.
#[derive(Debug)]
pub(crate) struct Journal {
    inner: Mutex<Inner>,
    /// The number of the latest event, for followers to wait on.
    latest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    kept: VecDeque<Kept>,
    next: u64,
    path: PathBuf,
    file: File,
    bytes: u64,
}

/// An event that can be asked for, as it stands in the file: a third of the size of what is read out of it.
#[derive(Debug)]
struct Kept {
    seq: u64,
    line: Box<[u8]>,
}

impl Kept {
    fn of(line: &[u8]) -> Option<Self> {
        let EventInfo { seq, .. } = serde_json::from_slice(line).ok()?;
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
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) kind: EventKind,
    pub(crate) worker: Option<WorkerName>,
    pub(crate) text: String,
    pub(crate) details: serde_json::Map<String, serde_json::Value>,
}

impl Journal {
    /// Opens the journal, going on with the numbers of the file that is there.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut kept = VecDeque::new();
        let mut bytes = 0;
        if let Ok(file) = File::open(path) {
            bytes = file.metadata()?.len();
            let lines = BufReader::new(file).split(b'\n').map_while(Result::ok);
            for event in lines.filter_map(|line| Kept::of(&line)) {
                keep(&mut kept, event);
            }
        }
        let next = kept.back().map_or(1, |event| event.seq + 1);
        let file = append_to(path)?;
        let inner = Inner { kept, next, path: path.to_owned(), file, bytes };
        Ok(Self { inner: Mutex::new(inner), latest: watch::Sender::new(next - 1) })
    }

    /// Adds events. A file that cannot be written costs later readers those events, and nothing else.
    pub(crate) fn add(&self, entries: impl IntoIterator<Item = Entry>) {
        let _ = self.write(entries);
    }

    /// Adds events, and says whether the file took them.
    pub(crate) fn write(&self, entries: impl IntoIterator<Item = Entry>) -> io::Result<()> {
        let time = Time(jiff::Timestamp::now());
        let mut inner = self.lock();
        let mut lines = Vec::new();
        for Entry { kind, worker, text, details } in entries {
            let event = EventInfo { seq: inner.next, time, kind, worker, text, details };
            inner.next += 1;
            let begin = lines.len();
            if serde_json::to_writer(&mut lines, &event).is_ok() {
                keep(&mut inner.kept, Kept { seq: event.seq, line: lines[begin..].into() });
                lines.push(b'\n');
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        let written = inner.write(&lines);
        let latest = inner.next - 1;
        drop(inner);
        self.latest.send_replace(latest);
        written
    }

    /// The events after this number that are kept, at most `max`.
    pub(crate) fn after(&self, seq: u64, max: usize) -> Vec<EventInfo> {
        let inner = self.lock();
        let start = inner.kept.partition_point(|event| event.seq <= seq);
        inner.kept.range(start..).take(max).filter_map(Kept::event).collect()
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
        let mentioned = self.kept.iter().rev().filter(move |event| event.mentions(&quoted));
        let read = mentioned.filter_map(Kept::event).take_while(move |event| event.time >= since);
        read.filter(move |event| event.worker.as_ref() == Some(name))
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.bytes > FILE_MAX_BYTES {
            std::fs::rename(&self.path, self.path.with_extension("jsonl.1"))?;
            self.file = append_to(&self.path)?;
            self.bytes = 0;
        }
        self.file.write_all(lines)?;
        self.bytes += lines.len() as u64;
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

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry {
        Entry { kind: EventKind::Notice, worker: None, text: text.into(), details: serde_json::Map::new() }
    }

    #[test]
    fn numbers_go_on_after_a_new_start_and_over_a_torn_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        Journal::open(&path).unwrap().add([entry("one"), entry("two")]);
        append_to(&path).unwrap().write_all(b"{\"seq\":3,\"ti\n").unwrap();
        let journal = Journal::open(&path).unwrap();
        journal.add([entry("three")]);
        let seen: Vec<_> = journal.after(1, 10).into_iter().map(|event| (event.seq, event.text)).collect();
        assert_eq!(seen, [(2, "two".to_owned()), (3, "three".to_owned())]);
    }

    #[test]
    fn memory_holds_a_bounded_number() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("events.jsonl")).unwrap();
        for _ in 0..KEPT_MAX + 5 {
            journal.add([entry("x")]);
        }
        let all = journal.after(0, usize::MAX);
        assert_eq!((all.len(), all[0].seq), (KEPT_MAX, 6));
    }

    #[test]
    fn the_last_runs_are_told_with_what_they_used() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("events.jsonl")).unwrap();
        let about = |number, kind, run: u64, usage: Option<serde_json::Value>| {
            let details = [("run", Some(run.into())), ("usage", usage)];
            let details =
                details.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
            Entry { kind, worker: Some(WorkerName::new("web", number)), text: format!("end {run}"), details }
        };
        let usage = serde_json::json!({"user_ms": 5, "system_ms": 7, "peak_resident_bytes": 4096});
        journal.add([about(1, EventKind::Ended, 1, Some(usage.clone()))]);
        journal.add([about(1, EventKind::Started, 2, None), about(2, EventKind::Ended, 9, None)]);
        journal.add([about(1, EventKind::Ended, 2, Some(usage)), about(1, EventKind::Ended, 3, None)]);
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

    #[test]
    fn a_follower_is_woken() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("events.jsonl")).unwrap();
        let watch = journal.watch();
        assert!(!watch.has_changed().unwrap());
        journal.add([entry("x")]);
        assert!(watch.has_changed().unwrap());
    }
}
