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

/// Enough to be carried by hand: loud, then little, then loud again.
fn pieces() -> [Vec<u8>; 4] {
    let mut number = 0;
    [40_960, 40_960, 100, 90_000].map(|length| {
        let mut piece = Vec::new();
        while piece.len() < length {
            number += 1;
            piece.extend(format!("line {number} {}\n", "x".repeat(number % 90)).bytes());
        }
        piece.truncate(length - 1);
        piece.push(b'\n');
        piece
    })
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

/// Writes all pieces; gives how many operations that took, and how much was carried by hand.
fn run(file: Option<&'static str>, fault: Fault) -> (u64, usize) {
    let (disk, mut log) = begin(file, limits(FILE_BYTES, BACKUPS));
    match fault {
        Fault::None => {}
        Fault::Errors(at, times) => {
            disk.fail_from.set(at);
            disk.fail_times.set(times);
        }
        Fault::Death(at, moment) | Fault::Deaths(at, moment, _) => disk.death.set(Some((at, moment))),
    }
    let mut writer = Writer::<Disk>::new(&log);
    let (source, mut written, mut by_hand) = (RefCell::new(VecDeque::new()), Vec::new(), 0);
    for piece in pieces() {
        written.extend(&piece);
        source.borrow_mut().extend(piece);
        while !source.borrow().is_empty() || disk.hand.borrow().owes(NAME) > 0 {
            let desk = disk.desk();
            let poured = catch_unwind(AssertUnwindSafe(|| writer.pour(&desk, &log, &source, 0, TURN_BYTES)));
            match poured {
                Ok(Ok(moved)) if moved.bytes % 4096 == 0 => by_hand += moved.bytes,
                Ok(_) => {}
                Err(_) => {
                    let now = disk.done.get();
                    let Fault::Deaths(_, moment, later) = fault else {
                        (log, writer) = live_anew(&disk);
                        continue;
                    };
                    disk.death.set(Some((now + later, moment)));
                    (log, writer) = live_anew(&disk);
                }
            }
        }
    }
    assert_eq!(usize::try_from(log.end()).unwrap(), written.len(), "{fault:?}");
    check(&disk, &recover(&disk).unwrap().1, &written, BACKUPS as usize);
    (disk.done.get(), by_hand)
}

#[test]
fn a_death_at_any_moment_of_any_operation_loses_and_doubles_nothing() {
    for file in [None, Some(FILE)] {
        let (operations, by_hand) = run(file, Fault::None);
        assert!(operations > 10 && by_hand > 90_000, "{operations} operations, {by_hand} bytes");
        for at in 1..=operations {
            for moment in [Moment::Before, Moment::Amid, Moment::After] {
                run(file, Fault::Death(at, moment));
                run(file, Fault::Deaths(at, moment, 1));
                run(file, Fault::Deaths(at, moment, 2));
            }
        }
    }
}

#[test]
fn an_error_of_any_operation_loses_and_doubles_nothing() {
    for file in [None, Some(FILE)] {
        let (operations, _) = run(file, Fault::None);
        for at in 0..operations {
            run(file, Fault::Errors(at, 1));
            run(file, Fault::Errors(at, 4));
        }
    }
}
