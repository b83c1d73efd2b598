//! What is carried by hand, with a death at every moment of every operation.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

const TURN_BYTES: usize = 1 << 18;
/// The first file ends with what is taken at once, the next one in the midst of it.
const FILE_BYTES: u64 = 81_920;
const BACKUPS: u32 = 10;

/// What goes wrong, counted from the first operation on.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    /// Operations from this one on fail, so many times.
    Errors(u64, u64),
    Death(u64, Moment),
    /// The second so many operations after it.
    Deaths(u64, Moment, u64),
}

/// Why bytes are carried by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// They are many.
    Loud,
    /// The file cannot be spliced into.
    Refused,
    /// Escape sequences are left out.
    Stripped,
}

impl Why {
    /// What is written, and what of it is to be stored.
    fn pieces(self) -> Vec<[Vec<u8>; 2]> {
        let lengths = match self {
            // Loud, then little, then loud again.
            Self::Loud => vec![40_960, 40_960, 100, 50_000],
            Self::Refused => vec![1, 30, 5000, 40_000],
            // Short enough to be taken at once: a death forgets what was begun of a sequence.
            Self::Stripped => vec![2, 40, 4096, 1000, 4096],
        };
        let mut number = 0;
        let piece = |length| {
            let (mut piece, mut stored) = (Vec::new(), Vec::new());
            let (on, off) = if self == Self::Stripped { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
            loop {
                number += 1;
                let text = format!("line {number} {}", "x".repeat(number % 90));
                let line = format!("{on}{text}{off}\n");
                if piece.len() + line.len() >= length {
                    break;
                }
                piece.extend(line.bytes());
                stored.extend(format!("{text}\n").bytes());
            }
            let rest = length - piece.len();
            for bytes in [&mut piece, &mut stored] {
                bytes.extend(vec![b'.'; rest - 1]);
                bytes.push(b'\n');
            }
            [piece, stored]
        };
        lengths.into_iter().map(piece).collect()
    }
}

/// The process dies, and the next one goes on with what it finds. It may die over that, too.
fn live_anew(disk: &Disk) -> (Log, Writer<Disk>) {
    disk.fail_times.set(0);
    loop {
        let hand = disk.hand.borrow_mut().after_death();
        disk.hand.replace(hand);
        let settled = catch_unwind(AssertUnwindSafe(|| {
            let (home, segments) = recover(disk).unwrap();
            // Whoever settles does not know the limits of this log yet.
            let log = Log::new(NAME, home, segments, limits(100, BACKUPS));
            let mut writer = Writer::new(&log);
            writer.settle(&disk.desk(), &log, 0).unwrap();
            log.limit(limits(FILE_BYTES, BACKUPS));
            (log, writer)
        }));
        disk.death.set(None);
        if let Ok(settled) = settled {
            return settled;
        }
    }
}

/// Writes all pieces; gives how many operations that took.
fn run(why: Why, pieces: &[[Vec<u8>; 2]], file: Option<&'static str>, fault: Fault) -> u64 {
    let (disk, mut log) = begin(file, limits(FILE_BYTES, BACKUPS));
    disk.refuses_splices.set(why == Why::Refused);
    if why == Why::Stripped {
        let home = Home { strip: true, ..home_of(file) };
        home.write(&disk, disk.paths()).unwrap();
        log.settle_in(home);
        disk.done.set(0);
    }
    match fault {
        Fault::None => {}
        Fault::Errors(at, times) => {
            disk.fail_from.set(at);
            disk.fail_times.set(times);
        }
        Fault::Death(at, moment) | Fault::Deaths(at, moment, _) => disk.death.set(Some((at, moment))),
    }
    let mut writer = Writer::<Disk>::new(&log);
    let (source, mut written) = (RefCell::new(VecDeque::new()), Vec::new());
    for [piece, stored] in pieces {
        written.extend(stored);
        source.borrow_mut().extend(piece);
        while !source.borrow().is_empty() || disk.hand.borrow().owes(NAME) > 0 {
            let desk = disk.desk();
            let poured = catch_unwind(AssertUnwindSafe(|| writer.pour(&desk, &log, &source, 0, TURN_BYTES)));
            if poured.is_err() {
                if let Fault::Deaths(_, moment, later) = fault {
                    disk.death.set(Some((disk.done.get() + later, moment)));
                }
                (log, writer) = live_anew(&disk);
            }
        }
    }
    assert_eq!(usize::try_from(log.end()).unwrap(), written.len(), "{why:?}, {fault:?}");
    check(&disk, &recover(&disk).unwrap().1, &written, BACKUPS as usize);
    disk.done.get()
}

fn every_kind() -> impl Iterator<Item = (Why, Option<&'static str>)> {
    let kinds = [Why::Loud, Why::Refused, Why::Stripped].into_iter();
    kinds.flat_map(|why| [None, Some(FILE)].map(|file| (why, file)))
}

#[test]
fn a_death_at_any_moment_of_any_operation_loses_and_doubles_nothing() {
    for (why, file) in every_kind() {
        let pieces = why.pieces();
        let run = |fault| run(why, &pieces, file, fault);
        let operations = run(Fault::None);
        assert!(operations > 10, "{why:?}: {operations}");
        for at in 1..=operations {
            for moment in [Moment::Before, Moment::Amid, Moment::After] {
                run(Fault::Death(at, moment));
                run(Fault::Deaths(at, moment, 1));
                run(Fault::Deaths(at, moment, 2));
            }
        }
    }
}

#[test]
fn an_error_of_any_operation_loses_and_doubles_nothing() {
    for (why, file) in every_kind() {
        let pieces = why.pieces();
        let run = |fault| run(why, &pieces, file, fault);
        for at in 0..run(Fault::None) {
            run(Fault::Errors(at, 1));
            run(Fault::Errors(at, 4));
        }
    }
}

#[test]
fn without_a_hand_all_is_stored_too() {
    for (why, file) in every_kind() {
        let (disk, log) = begin(file, limits(FILE_BYTES, BACKUPS));
        disk.hand.replace(Hand::new(None));
        disk.refuses_splices.set(why == Why::Refused);
        log.settle_in(Home { strip: why == Why::Stripped, ..home_of(file) });
        let source = RefCell::new(VecDeque::new());
        let (mut writer, mut written) = (Writer::<Disk>::new(&log), Vec::new());
        for [piece, stored] in why.pieces() {
            written.extend(&stored);
            source.borrow_mut().extend(piece);
            while writer.pour(&disk.desk(), &log, &source, 0, TURN_BYTES).unwrap().bytes > 0 {}
        }
        check(&disk, &recover(&disk).unwrap().1, &written, BACKUPS as usize);
    }
}
