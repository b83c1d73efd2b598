//! Every byte exactly once, in order, whichever file operation is the last one or fails: the writer against a
//! model, on a disk in memory.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;

use crate::files::{Files, Id};
use crate::hand::{HAND_BYTES, Hand};
use crate::home::{Home, Place};
use crate::log::{Log, Segment};
use crate::name::{self, Paths};
use crate::pack::{self, Packed};
use crate::rotate;
use crate::writer::{Desk, Writer};
use crate::{Limits, index};

type Content = Rc<RefCell<Vec<u8>>>;

/// When in an operation a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    Amid,
    After,
}

/// A disk whose operations fail from one on, for so many times. A write or a move that fails has done a half.
struct Disk {
    files: RefCell<BTreeMap<PathBuf, Content>>,
    done: Cell<u64>,
    fail_from: Cell<u64>,
    fail_times: Cell<u64>,
    /// The operation in which the process dies.
    death: Cell<Option<(u64, Moment)>>,
    hand: RefCell<Hand>,
    refuses_splices: Cell<bool>,
    /// The log's place, if it has one of its own.
    file: Option<&'static str>,
}

impl Default for Disk {
    fn default() -> Self {
        let (files, done, fail_from, fail_times, death, refuses_splices) = Default::default();
        let hand = RefCell::new(Hand::new(Some(Box::new(vec![0; HAND_BYTES]))));
        Self { files, done, fail_from, fail_times, death, hand, refuses_splices, file: None }
    }
}

impl Disk {
    fn desk(&self) -> Desk<'_, Self> {
        Desk { files: self, dir: Path::new(DIR), hand: &self.hand }
    }

    /// Dies, if it is to be in the operation under way at this moment.
    fn live_on(&self, moment: Moment) {
        if self.death.get() == Some((self.done.get(), moment)) {
            std::panic::resume_unwind(Box::new("a death"));
        }
    }

    fn paths(&self) -> Paths<'static> {
        paths_of(self.file)
    }

    /// Counts an operation that changes something; is it to fail?
    fn fails(&self) -> bool {
        let now = self.done.get();
        self.done.set(now + 1);
        self.live_on(Moment::Before);
        now >= self.fail_from.get() && now - self.fail_from.get() < self.fail_times.get()
    }

    fn step(&self) -> io::Result<()> {
        if self.fails() { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn put(file: &Content, at: u64, bytes: &[u8]) {
        let at = usize::try_from(at).unwrap();
        let mut content = file.borrow_mut();
        let end = (at + bytes.len()).max(content.len());
        content.resize(end, 0);
        content[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

impl Files for Disk {
    type File = Content;
    type Source = RefCell<VecDeque<u8>>;

    fn open(&self, path: &Path, create: Option<u32>) -> io::Result<Option<Content>> {
        if let Some(file) = self.files.borrow().get(path) {
            return Ok(Some(Rc::clone(file)));
        }
        if create.is_none() {
            return Ok(None);
        }
        self.step()?;
        Ok(Some(Rc::clone(self.files.borrow_mut().entry(path.to_owned()).or_default())))
    }

    fn id(&self, file: &Content) -> io::Result<Id> {
        Ok((0, Rc::as_ptr(file) as u64))
    }

    fn find(&self, path: &Path) -> io::Result<Option<(Id, u64)>> {
        Ok(self.files.borrow().get(path).map(|f| ((0, Rc::as_ptr(f) as u64), f.borrow().len() as u64)))
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        Ok(self.files.borrow().get(path).map(|f| f.borrow().len() as u64))
    }

    fn len(&self, file: &Content) -> io::Result<u64> {
        Ok(file.borrow().len() as u64)
    }

    fn modified(&self, _path: &Path) -> i64 {
        7
    }

    fn read_at(&self, file: &Content, at: u64, buf: &mut [u8]) -> io::Result<usize> {
        let content = file.borrow();
        let rest = content.get(usize::try_from(at).unwrap()..).unwrap_or_default();
        let got = rest.len().min(buf.len());
        buf[..got].copy_from_slice(&rest[..got]);
        Ok(got)
    }

    fn write_at(&self, file: &Content, at: u64, bytes: &[u8]) -> io::Result<()> {
        if self.fails() {
            Self::put(file, at, &bytes[..bytes.len() / 2]);
            return Err(ErrorKind::StorageFull.into());
        }
        Self::put(file, at, &bytes[..bytes.len() / 2]);
        self.live_on(Moment::Amid);
        Self::put(file, at, bytes);
        self.live_on(Moment::After);
        Ok(())
    }

    fn set_len(&self, file: &Content, len: u64) -> io::Result<()> {
        self.step()?;
        file.borrow_mut().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<bool> {
        self.step()?;
        let file = self.files.borrow_mut().remove(from);
        Ok(file.map(|f| self.files.borrow_mut().insert(to.to_owned(), f)).is_some())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.files.borrow_mut().remove(path);
        Ok(())
    }

    fn splice(
        &self,
        source: &Self::Source,
        file: &Content,
        at: u64,
        max: usize,
    ) -> io::Result<Option<usize>> {
        if self.refuses_splices.get() {
            return Ok(None);
        }
        self.step()?;
        let mut source = source.borrow_mut();
        let got = source.len().min(max);
        let bytes = source.drain(..got).collect::<Vec<_>>();
        Self::put(file, at, &bytes);
        Ok(Some(got))
    }

    fn waiting(&self, source: &Self::Source) -> io::Result<usize> {
        Ok(source.borrow().len())
    }

    fn take(&self, source: &Self::Source, buf: &mut [u8]) -> io::Result<usize> {
        self.step()?;
        let got = source.borrow().len().min(buf.len());
        buf[..got].copy_from_slice(&source.borrow_mut().drain(..got).collect::<Vec<_>>());
        self.live_on(Moment::After);
        Ok(got)
    }
}

const DIR: &str = "/logs";
const NAME: &str = "web.1";
/// A place of its own, and what it is for the log.
const FILE: &str = "/var/log/web.log";

fn home_of(file: Option<&str>) -> Home {
    let place = file.map_or(Place::Store, |file| Place::File(file.into()));
    Home { place, ..Home::default() }
}

fn paths_of(file: Option<&'static str>) -> Paths<'static> {
    Paths { dir: Path::new(DIR), name: NAME, file: file.map(Path::new) }
}

/// What a new start makes of the disk.
fn recover(disk: &Disk) -> crate::Result<(Home, Vec<Segment>)> {
    let mut slots = BTreeSet::new();
    for path in disk.files.borrow().keys().filter(|path| path.starts_with(DIR)) {
        let file = path.file_name().and_then(|f| f.to_str()).unwrap();
        slots.extend(name::of_file(file).and_then(|(_, slot)| slot));
    }
    let home = Home::read(disk, Path::new(DIR), NAME)?;
    let found = rotate::recover(disk, (Path::new(DIR), NAME), home, &slots)?;
    assert!(!disk.files.borrow().contains_key(&disk.paths().new_packed()));
    Ok(found)
}

/// A disk, and a log that is kept in the store or in this file.
fn begin(file: Option<&'static str>, limits: Limits) -> (Disk, Log) {
    let disk = Disk { file, ..Disk::default() };
    let home = home_of(file);
    if file.is_some() {
        home.write(&disk, disk.paths()).unwrap();
    }
    disk.done.set(0);
    (disk, Log::new(NAME, home, Vec::new(), limits))
}

/// What a reader makes of a segment.
fn content(disk: &Disk, segment: Segment) -> Vec<u8> {
    let file = Rc::clone(&disk.files.borrow()[&disk.paths().text(segment)]);
    if !segment.packed {
        return file.borrow().clone();
    }
    assert!(!disk.files.borrow().contains_key(&disk.paths().log(segment.slot)), "plain and packed");
    let mut packed = Packed::new(disk, file).unwrap();
    let mut text = vec![0; usize::try_from(packed.len()).unwrap()];
    let mut got = 0;
    while got < text.len() {
        got += packed.read_at(disk, got as u64, &mut text[got..]).unwrap();
    }
    text
}

/// Checks that the kept segments are the end of what was written, without a gap, cut at line ends.
fn check(disk: &Disk, segments: &[Segment], written: &[u8], backups: usize) {
    assert!(segments.len() <= backups + 2, "{segments:?}");
    let mut end = segments.last().map_or(0, |s| s.base);
    for segment in segments.iter().rev() {
        assert_eq!(segment.base, end, "{segments:?}");
        let content = content(disk, *segment);
        let place = usize::try_from(segment.base).unwrap();
        assert_eq!(content, written[place..place + content.len()], "{segments:?}");
        if segment.slot > 0 && content.contains(&b'\n') {
            assert!(content.ends_with(b"\n"), "a torn line");
        }
        let header = index::header(disk, &disk.paths().index(segment.slot), disk.paths().seal()).unwrap();
        assert_eq!(header.map(|h| h.base), Some(segment.base));
        end = segment.end;
    }
    assert_eq!(usize::try_from(end).unwrap(), written.len());
}

/// Compresses as the packer does.
fn pack_all(disk: &Disk, log: &Log) -> crate::Result<()> {
    while log.limits().compress && pack::pack_one(disk, disk.paths(), log, &|| false)? {}
    Ok(())
}

/// Writes `pieces` through a writer onto a disk that begins to fail at an operation: for a while, or (`crash`)
/// until a new start. Gives the number of operations that it took.
fn run(
    file: Option<&'static str>,
    pieces: &[Vec<u8>],
    limits: Limits,
    fail_from: u64,
    fail_times: u64,
    crash: bool,
) -> u64 {
    let (disk, mut log) = begin(file, limits);
    disk.fail_from.set(fail_from);
    disk.fail_times.set(fail_times);
    let source = RefCell::new(VecDeque::new());
    let mut writer = Writer::<Disk>::new(&log);
    let mut written = Vec::new();
    let mut now = 0;
    for piece in pieces {
        written.extend(piece);
        source.borrow_mut().extend(piece);
        while !source.borrow().is_empty() {
            now += 6_000_000;
            let desk = disk.desk();
            let poured = writer.pour(&desk, &log, &source, now, 50);
            if let Ok(moved) = poured {
                let too_much = log.files().rotated_bytes() > limits.rotated_bytes();
                assert!(!(moved.rotated && too_much), "{:?}", log.files());
            }
            if poured.and_then(|_| pack_all(&disk, &log)).is_err() && crash {
                disk.fail_times.set(0);
                let (home, segments) = recover(&disk).unwrap();
                log = Log::new(NAME, home, segments, limits);
                writer = Writer::new(&log);
                let stored = written.len() - source.borrow().len();
                assert_eq!(usize::try_from(log.end()).unwrap(), stored);
            }
        }
    }
    disk.fail_times.set(0);
    let segments = log.files().segments.clone();
    let live = segments.into_iter().map(|s| Segment { end: log.end_of(s), ..s }).collect::<Vec<_>>();
    check(&disk, &live, &written, limits.backups as usize);
    check(&disk, &recover(&disk).unwrap().1, &written, limits.backups as usize);
    assert!(fail_times > 0 || segments_are_packed(&live, limits), "{live:?}");
    disk.done.get()
}

/// Where nothing failed, are all rotated segments compressed if and only if they are to be?
fn segments_are_packed(segments: &[Segment], limits: Limits) -> bool {
    segments.iter().all(|s| s.packed == (limits.compress && s.slot > 0))
}

fn limits(file_bytes: u64, backups: u32) -> Limits {
    Limits { file_bytes, backups, ..Limits::default() }
}

/// Every kind of limit, alone and together; a pour takes 6 ms.
fn kinds_of_limits() -> [Limits; 6] {
    let old = Limits { file_age: Some(Duration::from_millis(30)), ..limits(200, 5) };
    let packed = Limits { compress: true, ..limits(64, 3) };
    [
        limits(64, 0),
        limits(64, 1),
        limits(64, 3),
        old,
        packed,
        Limits { total_bytes: Some(400), compress: true, ..old },
    ]
}

/// Each of them in the store, and with a file of its own, whose index is elsewhere.
fn places_and_limits() -> impl Iterator<Item = (Option<&'static str>, Limits)> {
    let kinds = kinds_of_limits().into_iter();
    kinds.flat_map(|limits| [None, Some(FILE)].map(|file| (file, limits)))
}

fn some_pieces() -> Vec<Vec<u8>> {
    (0..24).map(|n| format!("line {n}\n{}", "x".repeat(n % 7)).into_bytes()).collect()
}

#[test]
fn a_crash_at_any_file_operation_loses_and_doubles_nothing() {
    for (file, limits) in places_and_limits() {
        let operations = run(file, &some_pieces(), limits, u64::MAX, 0, true);
        assert!(operations > 50, "{operations}");
        for at in 0..operations {
            run(file, &some_pieces(), limits, at, u64::MAX, true);
        }
    }
}

#[test]
fn an_error_of_any_file_operation_loses_and_doubles_nothing() {
    for (file, limits) in places_and_limits() {
        let operations = run(file, &some_pieces(), limits, u64::MAX, 0, false);
        for at in 0..operations {
            for times in [1, 4] {
                run(file, &some_pieces(), limits, at, times, false);
            }
        }
    }
}

#[test]
fn a_crash_while_healing_a_crash_loses_and_doubles_nothing() {
    let pieces = some_pieces();
    let operations = |file| run(file, &pieces, limits(64, 2), u64::MAX, 0, true);
    for (file, at) in
        [None, Some(FILE)].into_iter().flat_map(|file| (0..operations(file)).map(move |at| (file, at)))
    {
        for healing in 0..30 {
            let (disk, log) = begin(file, limits(64, 2));
            disk.fail_from.set(at);
            disk.fail_times.set(u64::MAX);
            let desk = disk.desk();
            let source = RefCell::new(pieces.concat().into_iter().collect::<VecDeque<_>>());
            let mut writer = Writer::<Disk>::new(&log);
            while writer.pour(&desk, &log, &source, 0, 30).is_ok_and(|moved| moved.bytes > 0) {}
            disk.fail_from.set(disk.done.get() + healing);
            let healed = recover(&disk).is_ok();
            disk.fail_times.set(0);
            let all = pieces.concat();
            let stored = all.len() - source.borrow().len();
            check(&disk, &recover(&disk).unwrap().1, &all[..stored], 2);
            if healed {
                break;
            }
        }
    }
}

#[test]
fn a_text_that_a_rotation_moves_while_it_is_compressed_is_replaced_where_it_is_by_then() {
    for backups in [1, 5] {
        let limits = limits(64, backups);
        let (disk, log) = begin(None, limits);
        let writer = RefCell::new(Writer::<Disk>::new(&log));
        let source = RefCell::new(VecDeque::new());
        let desk = disk.desk();
        let written = RefCell::new(Vec::new());
        let write = || {
            for _ in 0..10 {
                let line = format!("line {}\n", written.borrow().len());
                written.borrow_mut().extend(line.bytes());
                source.borrow_mut().extend(line.bytes());
                while !source.borrow().is_empty() {
                    writer.borrow_mut().pour(&desk, &log, &source, 0, 100).unwrap();
                }
            }
            false
        };
        write();
        assert_eq!(pack::pack_one(&disk, disk.paths(), &log, &write).unwrap(), backups == 5);
        let packed = log.files().segments.iter().filter(|s| s.packed).map(|s| s.slot).collect::<Vec<_>>();
        assert_eq!(packed.len(), usize::from(backups == 5), "{packed:?}");
        let (_, found) = recover(&disk).unwrap();
        check(&disk, &found, &written.borrow(), backups as usize);
    }
}

#[test]
fn a_file_that_is_too_old_is_rotated_by_the_next_write_once_it_has_a_line_end() {
    let limits = Limits { file_age: Some(Duration::from_secs(1)), ..Limits::default() };
    let (disk, log) = begin(None, limits);
    let mut writer = Writer::<Disk>::new(&log);
    let source = RefCell::new(VecDeque::new());
    let mut files_after = |millis: i64, text: &str| {
        source.borrow_mut().extend(text.bytes());
        let desk = disk.desk();
        writer.pour(&desk, &log, &source, millis * 1_000_000, 1000).unwrap();
        let text = |s: &Segment| String::from_utf8(content(&disk, *s)).unwrap();
        log.files().segments.iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(files_after(5000, "torn"), ["torn"]);
    assert_eq!(files_after(5999, " still"), ["torn still"]);
    assert_eq!(files_after(9000, " and on"), ["torn still and on"], "no line end to cut at");
    assert_eq!(files_after(9001, "\none\ntw"), ["torn still and on\none\ntw"]);
    assert_eq!(files_after(9002, "o\n"), ["two\n", "torn still and on\none\n"], "the next write");
    assert_eq!(files_after(10_001, "three\n"), ["two\nthree\n", "torn still and on\none\n"]);
    assert_eq!(files_after(10_002, "new\n"), ["new\n", "two\nthree\n", "torn still and on\none\n"]);
    assert_eq!(files_after(2000, "the clock went back\n").len(), 3);
}

mod by_hand;
mod others;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn any_writes_with_any_fault_come_out_once_and_in_order(
        pieces in prop::collection::vec(prop::collection::vec(prop_oneof![3 => Just(b'x'), 1 => Just(b'\n')], 1..120), 1..40),
        file_bytes in 8u64..300,
        backups in 0u32..4,
        fail_from in 0u64..400,
        fail_times in 1u64..4,
        crash in any::<bool>(),
        compress in any::<bool>(),
        age in prop::option::of(1u64..100),
        total_bytes in prop::option::of(0u64..1000),
        file in prop::option::of(Just(FILE)),
    ) {
        let file_age = age.map(Duration::from_millis);
        let limits = Limits { file_age, total_bytes, compress, ..limits(file_bytes, backups) };
        run(file, &pieces, limits, fail_from, fail_times, crash);
    }
}
