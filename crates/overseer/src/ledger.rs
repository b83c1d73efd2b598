//! The record on disk of what runs: lines of JSON, appended before what they say is done.
//!
//! A line is a turn: what was decided, and the events that tell of it. They are in one line so that neither is ever
//! there without the other: a write may be cut anywhere. The journal's file is written after it, and gets from here what
//! a kill in between kept from it.
//!
//! The first line says whose ledger it is: the keeper's PID and start, and the boot. Only an overseer of that same
//! keeper goes on with it. The last record of a subject counts; when the file has grown to several times what is
//! live, it is written anew and renamed into place. A torn last line is the mark of a crash in the middle of an
//! append: what it would have said was not done yet, so it is dropped. Any other line that makes no sense is damage:
//! the file is put aside and said, and what comes before that line counts.
//!
//! What it says are facts about runs, and no run outlives a boot. So a loss of power may cost it its last lines;
//! what operators asked for is kept more safely, in `wishes`.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ganger_api::EventInfo;
use ganger_core::{Record, RunId};
use ganger_spec::{Spec, WorkerName};
use serde::{Deserialize, Serialize};

use crate::aside::{Damaged, set_aside};
use crate::clock;

/// A ledger below this size, what a start of a thousand workers writes, is not worth writing anew.
const COMPACT_MIN_BYTES: u64 = 1024 * 1024;
/// A ledger is written anew when it has this many times the size it had when it was last written whole.
const COMPACT_FACTOR: u64 = 4;

/// Whose ledger it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) keeper_pid: u32,
    pub(crate) keeper_started: u64,
    pub(crate) boot: String,
}

/// An open ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    owner: Owner,
    file: File,
    /// What this turn decided and what it tells, as the lists of the line to be.
    records: Vec<u8>,
    events: Vec<u8>,
    /// Lines that are not written yet.
    pending: Vec<u8>,
    bytes: u64,
    whole_bytes: u64,
}

impl Ledger {
    /// Opens the ledger of this owner: what it says, or nothing where it is another's or none is there. Of a damaged
    /// one what comes before the damage counts; the keeper knows what runs, so nothing is ever started twice for it.
    /// Events stay in it until it is written anew, for the journal does not have them yet.
    pub(crate) fn open(path: &Path, owner: Owner) -> io::Result<(Self, Found)> {
        let mut found = read(path, &owner);
        found.damaged = found.damage.take().map(|why| set_aside(path, why));
        let lines: io::Result<Vec<_>> =
            found.events.iter().map(|event| Ok(serde_json::to_vec(event)?.into_boxed_slice())).collect();
        let lines = lines?;
        let (file, bytes) = write_whole(path, &owner, &found.records, &lines)?;
        let ledger = Self {
            path: path.to_owned(),
            owner,
            file,
            records: Vec::new(),
            events: Vec::new(),
            pending: Vec::new(),
            bytes,
            // Much of what was read may be outdated: only what is written from what is known tells.
            whole_bytes: 0,
        };
        Ok((ledger, found))
    }

    /// Adds a record; it is on disk after the next [`Ledger::flush`].
    pub(crate) fn append(&mut self, record: &Record) -> io::Result<()> {
        separate(&mut self.records);
        Ok(serde_json::to_writer(&mut self.records, record)?)
    }

    /// Adds an event, as the journal has it, to the records that led to it.
    pub(crate) fn append_event(&mut self, line: &[u8]) {
        separate(&mut self.events);
        self.events.extend_from_slice(line);
    }

    /// Writes what was appended. What could not be written stays pending and is tried again by the next flush.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if !(self.records.is_empty() && self.events.is_empty()) {
            put_turn(&mut self.pending, &self.records, &self.events);
            self.records.clear();
            self.events.clear();
        }
        while !self.pending.is_empty() {
            match self.file.write(&self.pending) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.pending.drain(..written);
                    self.bytes += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The runs of which it has not heard the end.
    pub(crate) fn expects(&self) -> BTreeMap<RunId, WorkerName> {
        expects(&self.path)
    }

    /// Whether so much of it is outdated that it should be written anew.
    pub(crate) fn is_bloated(&self) -> bool {
        self.bytes > COMPACT_MIN_BYTES.max(self.whole_bytes * COMPACT_FACTOR)
    }

    /// Writes it anew with just these records, and the events that the journal's file does not have, beside the old
    /// one; then puts it in its place.
    pub(crate) fn rewrite(&mut self, records: &[Record], events: &[Box<[u8]>]) -> io::Result<()> {
        let (file, bytes) = write_whole(&self.path, &self.owner, records, events)?;
        self.file = file;
        self.records.clear();
        self.events.clear();
        self.pending.clear();
        self.bytes = bytes;
        self.whole_bytes = bytes;
        Ok(())
    }
}

/// The runs, by worker, of which the ledger there has not heard the end, if it is of this boot.
pub(crate) fn expects(path: &Path) -> BTreeMap<RunId, WorkerName> {
    open_runs(of_this_boot(path))
}

/// Whether the ledger there, if it is of this boot, says that its app was to end and that no run of it is left.
pub(crate) fn says_ended(path: &Path) -> bool {
    let records = of_this_boot(path);
    let is_end = |record: &Record| matches!(record, Record::ShuttingDown(_));
    records.iter().any(is_end) && open_runs(records).is_empty()
}

/// The spec of which the ledger there, if it is of this boot, says that it is in force.
pub(crate) fn spec_in_force(path: &Path) -> Option<Spec> {
    spec_of(&of_this_boot(path))
}

/// The spec that is in force after these.
pub(crate) fn spec_of(records: &[Record]) -> Option<Spec> {
    records.iter().rev().find_map(|record| match record {
        Record::Release { spec, .. } => Some(Spec::clone(spec)),
        Record::Scale { .. } | Record::Worker { .. } | Record::NextRun(_) | Record::ShuttingDown(_) => None,
    })
}

fn of_this_boot(path: &Path) -> Vec<Record> {
    let owner = owner(path).filter(|owner| owner.boot == clock::boot_id());
    owner.map(|owner| read(path, &owner).records).unwrap_or_default()
}

fn open_runs(records: Vec<Record>) -> BTreeMap<RunId, WorkerName> {
    let mut present = BTreeMap::new();
    for record in records {
        if let Record::Worker { name, state } = record {
            present.insert(name, state.and_then(|state| state.run()));
        }
    }
    present.into_iter().filter_map(|(name, run)| Some((run?, name))).collect()
}

/// Whose ledger is there.
pub(crate) fn owner(path: &Path) -> Option<Owner> {
    let first = BufReader::new(File::open(path).ok()?).split(b'\n').next()?.ok()?;
    serde_json::from_slice(&first).ok()
}

/// Whether this version can read the ledger there, whosever it is. Nothing is changed.
pub(crate) fn check(path: &Path) -> Result<(), String> {
    let owner = owner(path).ok_or_else(|| "line 1 does not say whose it is".to_owned())?;
    read(path, &owner).damage.map_or(Ok(()), Err)
}

/// Puts a ledger with just these in place of the one that is there; the file, open at its end, and its size.
fn write_whole(
    path: &Path,
    owner: &Owner,
    records: &[Record],
    events: &[Box<[u8]>],
) -> io::Result<(File, u64)> {
    let fresh = path.with_extension("new");
    let mut body = serde_json::to_vec(owner)?;
    body.push(b'\n');
    for record in records {
        put_turn(&mut body, &serde_json::to_vec(record)?, &[]);
    }
    for event in events {
        put_turn(&mut body, &[], event);
    }
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(&body)?;
    std::fs::rename(&fresh, path)?;
    Ok((file, body.len() as u64))
}

/// Adds a comma between two of a list.
fn separate(list: &mut Vec<u8>) {
    if !list.is_empty() {
        list.push(b',');
    }
}

/// Adds the line of a turn, whose lists are written already.
fn put_turn(to: &mut Vec<u8>, records: &[u8], events: &[u8]) {
    for part in [b"{\"records\":[".as_slice(), records, b"],\"events\":[", events, b"]}\n"] {
        to.extend_from_slice(part);
    }
}

/// A line.
#[derive(Deserialize)]
struct Turn {
    records: Vec<Record>,
    events: Vec<EventInfo>,
}

/// What is found where a ledger should be.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What is in force, of this owner's ledger.
    pub(crate) records: Vec<Record>,
    /// The latest events, of anybody's ledger: what happened to the app.
    pub(crate) events: Vec<EventInfo>,
    /// What is wrong with it, and where it is kept.
    pub(crate) damaged: Option<Damaged>,
    damage: Option<String>,
}

impl Found {
    fn damaged(self, why: impl Into<String>) -> Self {
        Self { damage: Some(why.into()), ..self }
    }
}

/// What is in a ledger. A line that cannot be read ends it: nothing after it can be trusted.
fn read(path: &Path, owner: &Owner) -> Found {
    let mut found = Found::default();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return found,
        Err(error) => return found.damaged(error.to_string()),
    };
    let mut lines = BufReader::new(file).split(b'\n').enumerate().peekable();
    let is_ours = match lines.next().map(|(_, line)| line.map(|line| serde_json::from_slice::<Owner>(&line)))
    {
        Some(Ok(Ok(whose))) => whose == *owner,
        Some(Ok(Err(_))) => return found.damaged("line 1 does not say whose it is"),
        Some(Err(error)) => return found.damaged(error.to_string()),
        None => return found.damaged("it is empty"),
    };
    while let Some((number, line)) = lines.next() {
        match line.map(|line| serde_json::from_slice(&line)) {
            Ok(Ok(Turn { records, events })) => {
                found.records.extend(records.into_iter().filter(|_| is_ours));
                found.events.extend(events);
            }
            // The last line is torn: what it would have said was not done.
            Ok(Err(_)) if lines.peek().is_none() => break,
            // What is wrong with another's is no concern of ours.
            Ok(Err(_)) | Err(_) if !is_ours => break,
            Ok(Err(_)) => return found.damaged(format!("line {} makes no sense", number + 1)),
            Err(error) => return found.damaged(error.to_string()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use ganger_core::Shutdown;

    use super::*;

    fn owner() -> Owner {
        Owner { keeper_pid: 7, keeper_started: 9, boot: "b".into() }
    }

    fn scale(count: u32) -> Record {
        Record::Scale { group: "web".into(), count, instead_of: 1 }
    }

    fn event(seq: u64) -> EventInfo {
        serde_json::from_value(serde_json::json!({
            "seq": seq, "time": "2026-01-01T00:00:00Z", "kind": "notice", "worker": null, "text": "x"
        }))
        .unwrap()
    }

    /// A turn that decided this, and told of it.
    fn turn(ledger: &mut Ledger, count: u32, seq: u64) {
        ledger.append(&scale(count)).unwrap();
        ledger.append_event(&serde_json::to_vec(&event(seq)).unwrap());
        ledger.flush().unwrap();
    }

    fn found(path: &Path) -> (Vec<Record>, Vec<EventInfo>) {
        let found = Ledger::open(path, owner()).unwrap().1;
        (found.records, found.events)
    }

    #[test]
    fn what_was_flushed_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let (mut ledger, none) = Ledger::open(&path, owner()).unwrap();
        assert!(none.records.is_empty() && none.damaged.is_none(), "{none:?}");
        ledger.append(&scale(2)).unwrap();
        ledger.append(&scale(3)).unwrap();
        ledger.flush().unwrap();
        drop(ledger);
        assert_eq!(found(&path), (vec![scale(2), scale(3)], Vec::new()));
    }

    /// A worker as the ledger has it.
    fn worker(life: &serde_json::Value) -> Record {
        let state = serde_json::json!({
            "wanted": "up", "life": life, "since": 1, "why": "", "made_of": 1, "restarts": 0, "last_exit": null,
            "history": { "failures": 0, "restarts": [] },
        });
        let state = serde_json::from_value(state).unwrap();
        Record::Worker { name: "web.1".to_owned().try_into().unwrap(), state: Some(state) }
    }

    #[test]
    fn it_tells_that_the_app_was_to_end_and_that_nothing_of_it_runs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let (mut ledger, _) = Ledger::open(&path, Owner { boot: clock::boot_id(), ..owner() }).unwrap();
        let runs = serde_json::json!({ "running": { "run": { "id": 1, "pid": 7, "started": 1 } } });
        let end = Shutdown { status: 0, reason: "quit".into(), now: false };
        let records = [(worker(&runs), false), (Record::ShuttingDown(end), false)];
        for (record, has_ended) in records.into_iter().chain([(worker(&"stopped".into()), true)]) {
            ledger.append(&record).unwrap();
            ledger.flush().unwrap();
            assert_eq!(says_ended(&path), has_ended, "{record:?}");
        }
    }

    #[test]
    fn of_a_ledger_of_another_keeper_or_boot_only_what_happened_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let (mut ledger, _) = Ledger::open(&path, owner()).unwrap();
        turn(&mut ledger, 2, 1);
        let other = Owner { boot: "c".into(), ..owner() };
        let found = Ledger::open(&path, other).unwrap().1;
        assert_eq!((found.records, found.events), (Vec::new(), vec![event(1)]));
    }

    #[test]
    fn a_line_torn_at_any_byte_costs_that_turn_alone_and_all_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let (mut ledger, _) = Ledger::open(&path, owner()).unwrap();
        turn(&mut ledger, 2, 1);
        let safe = ledger.bytes;
        ledger.append(&scale(3)).unwrap();
        turn(&mut ledger, 4, 2);
        let whole = std::fs::read(&path).unwrap();
        // One byte short of the line is the line without its end: complete JSON, hence its turn.
        for cut in usize::try_from(safe).unwrap()..whole.len() - 1 {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let Found { records, events, .. } = read(&path, &owner());
            assert_eq!((records, events), (vec![scale(2)], vec![event(1)]), "cut at {cut}");
        }
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(found(&path), (vec![scale(2), scale(3), scale(4)], vec![event(1), event(2)]));
    }

    #[test]
    fn events_stay_until_it_is_written_anew_and_those_that_are_nowhere_else_also_then() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let (mut ledger, _) = Ledger::open(&path, owner()).unwrap();
        turn(&mut ledger, 2, 1);
        turn(&mut ledger, 3, 2);
        for _ in 0..2 {
            assert_eq!(found(&path).1, [event(1), event(2)]);
        }
        let (mut ledger, _) = Ledger::open(&path, owner()).unwrap();
        let unwritten = serde_json::to_vec(&event(2)).unwrap().into_boxed_slice();
        ledger.rewrite(&[scale(3)], &[unwritten]).unwrap();
        assert_eq!(found(&path), (vec![scale(3)], vec![event(2)]));
    }

    #[test]
    fn damage_is_kept_aside_and_what_comes_before_it_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let (mut ledger, _) = Ledger::open(&path, owner()).unwrap();
        ledger.append(&scale(2)).unwrap();
        ledger.flush().unwrap();
        let good = std::fs::read(&path).unwrap();
        let damages: [(Vec<u8>, &[Record]); 4] = [
            (Vec::new(), &[]),
            (vec![0; 5000], &[]),
            (b"not a ledger\nat all\n".to_vec(), &[]),
            ([&good, b"\xff\xfe\n".as_slice(), b"{}\n"].concat(), &[scale(2)]),
        ];
        for (body, expected) in damages {
            std::fs::write(&path, &body).unwrap();
            let (_, found) = Ledger::open(&path, owner()).unwrap();
            assert_eq!(found.records, expected);
            assert_eq!(std::fs::read(found.damaged.unwrap().kept.unwrap()).unwrap(), body);
            assert!(Ledger::open(&path, owner()).unwrap().1.damaged.is_none(), "the next one is good");
        }
    }

    #[test]
    fn a_directory_in_its_place_is_moved_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        std::fs::create_dir(&path).unwrap();
        let (_, found) = Ledger::open(&path, owner()).unwrap();
        assert!(found.records.is_empty() && found.damaged.unwrap().kept.unwrap().is_dir());
    }

    #[test]
    fn it_is_written_anew_when_it_is_mostly_history() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let (mut ledger, _) = Ledger::open(&path, owner()).unwrap();
        while !ledger.is_bloated() {
            ledger.append(&scale(1)).unwrap();
            ledger.flush().unwrap();
        }
        // An overseer that dies before it does so leaves that to the next one.
        drop(ledger);
        let (mut ledger, _) = Ledger::open(&path, owner()).unwrap();
        assert!(ledger.is_bloated());
        ledger.rewrite(&[scale(1)], &[]).unwrap();
        assert!(!ledger.is_bloated());
        ledger.append(&scale(5)).unwrap();
        ledger.flush().unwrap();
        drop(ledger);
        assert_eq!(found(&path).0, [scale(1), scale(5)]);
    }
}
