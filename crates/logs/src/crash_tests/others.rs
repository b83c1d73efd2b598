//! What others do to a log's file while it is written, and while nobody writes it: what comes after that is there once, at
//! positions that nothing had before.

use super::*;

/// What somebody does to the file of a log.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Empty,
    Shorten,
    Remove,
    /// To the name of the first rotated one, those that are there before it.
    Rotate,
    /// The same, and a new file is put there.
    RotateAndMake,
    RenameElsewhere,
    /// The first rotated one gets a copy, then the file is emptied.
    CopyAndEmpty,
}

const DEEDS: [Deed; 7] = [
    Deed::Empty,
    Deed::Shorten,
    Deed::Remove,
    Deed::Rotate,
    Deed::RotateAndMake,
    Deed::RenameElsewhere,
    Deed::CopyAndEmpty,
];

impl Deed {
    fn is_rotation(self) -> bool {
        matches!(self, Self::Rotate | Self::RotateAndMake | Self::CopyAndEmpty)
    }

    fn happen(self, disk: &Disk) {
        let mut files = disk.files.borrow_mut();
        let path = |slot| disk.paths().log(slot);
        let Some(text) = files.get(&path(0)).map(Rc::clone) else { return };
        if self.is_rotation() {
            let top = (0..100).find(|slot| !files.contains_key(&path(slot + 1))).unwrap();
            for slot in (1..=top).rev() {
                let moved = files.remove(&path(slot)).unwrap();
                files.insert(path(slot + 1), moved);
            }
        }
        match self {
            Self::Empty => text.borrow_mut().clear(),
            Self::Shorten => {
                let half = text.borrow().len() / 2;
                text.borrow_mut().truncate(half);
            }
            Self::Remove => drop(files.remove(&path(0))),
            Self::Rotate | Self::RotateAndMake => {
                files.remove(&path(0));
                files.insert(path(1), text);
                if matches!(self, Self::RotateAndMake) {
                    files.insert(path(0), Content::default());
                }
            }
            Self::RenameElsewhere => {
                files.remove(&path(0));
                files.insert("/var/log/web.log-old".into(), text);
            }
            Self::CopyAndEmpty => {
                let copy = Rc::new(RefCell::new(text.borrow().clone()));
                files.insert(path(1), copy);
                text.borrow_mut().clear();
            }
        }
    }
}

/// Writes twice fifteen lines, and in between somebody does a deed, to a writer that is there or before a new start.
/// From `fail_from` on, so many operations fail. Gives how many operations it took.
fn run(deed: Deed, is_alone: bool, fail_from: u64, fail_times: u64, crash: bool) -> u64 {
    let (disk, mut log) = begin(Some(FILE), limits(100, 30));
    let mut writer = Writer::<Disk>::new(&log);
    let (source, mut written, mut now) = (RefCell::new(VecDeque::new()), Vec::new(), 0);
    let mut before = (0, 0);
    for line in 0..30 {
        if line == 15 {
            let end = usize::try_from(log.end()).unwrap();
            assert_eq!(end, written.len());
            before = (end, log.files().segments.first().map_or(0, |s| s.base));
            deed.happen(&disk);
            if is_alone {
                let (home, segments) = recover(&disk).unwrap();
                (log, writer) = (Log::new(NAME, home, segments, limits(100, 30)), Writer::new(&log));
                assert_eq!(usize::try_from(log.end()).unwrap(), end, "{deed:?}");
            }
            let fail_from = disk.done.get().saturating_add(fail_from);
            disk.fail_from.set(fail_from);
            disk.fail_times.set(fail_times);
        }
        let line = format!("line {line} {}\n", "x".repeat(line % 9));
        written.extend(line.bytes());
        source.borrow_mut().extend(line.bytes());
        while !source.borrow().is_empty() {
            now += 6_000_000;
            let desk = disk.desk();
            if writer.pour(&desk, &log, &source, now, 50).is_err() && crash {
                disk.fail_times.set(0);
                let (home, segments) = recover(&disk).unwrap();
                (log, writer) = (Log::new(NAME, home, segments, limits(100, 30)), Writer::new(&log));
            }
        }
    }
    disk.fail_times.set(0);
    let live = log.files().segments.clone();
    let live: Vec<_> = live.into_iter().map(|s| Segment { end: log.end_of(s), ..s }).collect();
    // Where a rotation was somebody else's, even the text that was moved is still where it was.
    let lossless = deed.is_rotation() && fail_times == 0;
    for segments in [live, recover(&disk).unwrap().1] {
        check_end(&disk, &segments, &written, if lossless { 0 } else { before.0 }, deed);
    }
    assert!(!lossless || before.1 > 0, "the deed came after a rotation");
    disk.done.get()
}

/// Checks that what came from a position on is there, at its positions.
fn check_end(disk: &Disk, segments: &[Segment], written: &[u8], from: usize, deed: Deed) {
    let mut next = u64::MAX;
    let mut found = vec![None; written.len()];
    for segment in segments {
        assert!(segment.end <= next, "{deed:?}: {segments:?}");
        next = segment.base;
        let content = content(disk, *segment);
        for (place, byte) in (segment.base..segment.end).zip(content) {
            found[usize::try_from(place).unwrap()] = Some(byte);
        }
    }
    let wanted: Vec<_> = written.iter().copied().map(Some).collect();
    assert_eq!(found[from..], wanted[from..], "{deed:?}: {segments:?}");
}

#[test]
fn what_comes_after_somebody_took_the_file_away_is_there_once() {
    for deed in DEEDS {
        for is_alone in [false, true] {
            run(deed, is_alone, u64::MAX, 0, false);
        }
    }
}

#[test]
fn a_fault_in_finding_out_what_somebody_did_loses_nothing_either() {
    for deed in DEEDS {
        for is_alone in [false, true] {
            let operations = run(deed, is_alone, u64::MAX, 0, false);
            for at in 0..operations {
                for (times, crash) in [(2, false), (u64::MAX, true)] {
                    run(deed, is_alone, at, times, crash);
                }
            }
        }
    }
}

#[test]
fn what_somebody_else_writes_at_the_end_is_of_the_log_too() {
    let (disk, log) = begin(Some(FILE), limits(1000, 3));
    let (source, mut writer) = (RefCell::new(VecDeque::new()), Writer::<Disk>::new(&log));
    let desk = disk.desk();
    for line in ["one\n", "three\n"] {
        source.borrow_mut().extend(line.bytes());
        writer.pour(&desk, &log, &source, 0, 50).unwrap();
        disk.files.borrow()[Path::new(FILE)].borrow_mut().extend(b"other\n");
    }
    writer.pour(&desk, &log, &source, 0, 50).unwrap();
    let (_, segments) = recover(&disk).unwrap();
    assert_eq!(content(&disk, segments[0]), b"one\nother\nthree\nother\n");
    assert_eq!(log.end(), segments[0].end);
}

#[test]
fn what_files_of_these_names_had_before_is_old_text() {
    let disk = Disk { file: Some(FILE), ..Disk::default() };
    for (slot, text) in [(0, "c\n"), (1, "bb\n"), (2, "aaa\n")] {
        let content = Rc::new(RefCell::new(text.as_bytes().to_vec()));
        disk.files.borrow_mut().insert(disk.paths().log(slot), content);
    }
    let log = Log::new(NAME, Home::default(), Vec::new(), limits(1000, 3));
    let (source, mut writer) = (RefCell::new(VecDeque::new()), Writer::<Disk>::new(&log));
    let desk = disk.desk();
    writer.move_to(&desk, &log, home_of(Some(FILE)), 0).unwrap();
    assert_eq!((log.end(), log.began.load(std::sync::atomic::Ordering::Relaxed)), (9, 9));
    source.borrow_mut().extend(b"d\n");
    writer.pour(&desk, &log, &source, 0, 50).unwrap();
    let (home, segments) = recover(&disk).unwrap();
    check(&disk, &segments, b"aaa\nbb\nc\nd\n", 3);
    assert_eq!(home.place, Place::File(FILE.into()));
}

#[test]
fn a_fault_in_moving_to_another_place_or_emptying_the_log_loses_nothing_that_comes_after() {
    for (moves, at, crash) in
        (0..40).flat_map(|at| [(true, at), (false, at)].map(|(m, a)| (m, a, at % 2 == 0)))
    {
        let (mut disk, mut log) = begin(None, limits(100, 30));
        let mut writer = Writer::<Disk>::new(&log);
        let (source, mut written) = (RefCell::new(VecDeque::new()), Vec::new());
        let mut from = 0;
        for line in 0..20 {
            let desk = disk.desk();
            if line == 10 {
                disk.fail_from.set(disk.done.get() + at);
                disk.fail_times.set(u64::MAX);
                from = usize::try_from(log.end()).unwrap();
                let done = if moves {
                    writer.move_to(&desk, &log, home_of(Some(FILE)), 0)
                } else {
                    writer.clear(&desk, &log, 0)
                };
                disk.fail_times.set(0);
                if done.is_err() && crash {
                    let home = Home::read(&disk, Path::new(DIR), NAME).unwrap();
                    disk.file = home.place.file().map(|_| FILE);
                    let (home, segments) = recover(&disk).unwrap();
                    (log, writer) = (Log::new(NAME, home, segments, limits(100, 30)), Writer::new(&log));
                }
            }
            disk.file = log.home().place.file().map(|_| FILE);
            let line = format!("line {line}\n");
            written.extend(line.bytes());
            source.borrow_mut().extend(line.bytes());
            let desk = disk.desk();
            while !source.borrow().is_empty() {
                writer.pour(&desk, &log, &source, 0, 50).unwrap();
            }
        }
        let (_, segments) = recover(&disk).unwrap();
        let deed = if moves { Deed::RenameElsewhere } else { Deed::Remove };
        check_end(&disk, &segments, &written, from, deed);
    }
}
