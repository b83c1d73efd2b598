//! 50 workers with 2,000 lines a second each, for 10 s: how late a line is in its file, and what that costs.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bed::{BOTH, Bed, Task, Who, Work};
use crate::files::Logs;
use crate::follower::Follower;
use crate::processes::cpu;
use crate::table::Row;

const WORKERS: u32 = 50;
const RATE: u32 = 2_000;
const SECONDS: u32 = 10;
const LENGTH: u64 = 100;
const AT_MOST_MS: f64 = 2.0;
const AT_MOST_CPU_SECONDS: f64 = 1.5;
const GLANCE: Duration = Duration::from_millis(10);

/// Rounds; the best counts, for what the machine does beside only adds.
const ROUNDS: usize = 3;

/// What a side came to.
struct Outcome {
    /// Late lines in milliseconds: half of them, 99 of 100, all.
    late: [f64; 3],
    cpu_seconds: f64,
    wrong: u32,
}

pub(crate) fn measure(bed: &Bed) -> Result<Vec<Row>> {
    let mut sides = BOTH.map(|_| Outcome { late: [f64::INFINITY; 3], cpu_seconds: f64::INFINITY, wrong: 0 });
    for _ in 0..ROUNDS {
        for (who, side) in BOTH.into_iter().zip(&mut sides) {
            let round = once(bed, who)?;
            eprintln!("  {who:?}: late by {:.2?} ms, {:.2} s of CPU", round.late, round.cpu_seconds);
            if round.late[1] < side.late[1] {
                side.late = round.late;
            }
            side.cpu_seconds = side.cpu_seconds.min(round.cpu_seconds);
            side.wrong += round.wrong;
        }
    }
    let [floor, ours] = sides;
    let late = |Outcome { late: [median, slow, slowest], .. }: &Outcome| {
        format!("{slow:.2} ms (median {median:.2}, most {slowest:.1})")
    };
    let seconds = |outcome: &Outcome| format!("{:.2} s", outcome.cpu_seconds);
    let wrong = f64::from(ours.wrong);
    let slow = ours.late[1];
    Ok(vec![
        Row::of_number("lines: lost, torn or out of order of 3,000,000", wrong.to_string(), wrong, 0.0)
            .beside(floor.wrong.to_string()),
        Row::of_number("lines: from the write to the file, ms, 99 of 100", late(&ours), slow, AT_MOST_MS)
            .beside(late(&floor)),
        Row::of_number("lines: CPU seconds in 10 s", seconds(&ours), ours.cpu_seconds, AT_MOST_CPU_SECONDS)
            .beside(seconds(&floor)),
    ])
}

fn once(bed: &Bed, who: Who) -> Result<Outcome> {
    let words = [&*RATE.to_string(), &*SECONDS.to_string()];
    let work =
        bed.launch(who, Task { mode: "timed", words: &words, floor: "log", ..Task::quiet(WORKERS) })?;
    let follower = Follower::of(work.directory(), WORKERS as usize);
    work.stamps.wait(2 * WORKERS)?;
    let logs = until_everything_is_there(&work)?;
    let cpu_seconds = super::milliseconds(cpu(&work.managers())) / 1000.0;
    let mut late = follower.finish()?;
    let mut at = |part: f64| super::milliseconds(super::quantile(&mut late, part));
    let late = [at(0.5), at(0.99), at(1.0)];
    Ok(Outcome { late, cpu_seconds, wrong: wrong(&logs)? })
}

fn until_everything_is_there(work: &Work) -> Result<Logs> {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let logs = work.logs()?;
        if logs.bytes() >= u64::from(WORKERS * RATE * SECONDS) * LENGTH || Instant::now() > end {
            return Ok(logs);
        }
        thread::sleep(GLANCE);
    }
}

/// How many lines are not where they should be: each worker's in a log of its own, in order.
fn wrong(logs: &Logs) -> Result<u32> {
    let each = RATE * SECONDS;
    let mut wrong = 0;
    let mut workers = BTreeSet::new();
    for files in logs.each() {
        let mut text = Vec::new();
        for file in files {
            text.extend(fs::read(file)?);
        }
        let mut expected = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            match parse(line) {
                Some((pid, number)) if number == expected => {
                    workers.insert(pid);
                    expected += 1;
                }
                _ => wrong += 1,
            }
        }
        wrong += each.abs_diff(expected);
    }
    Ok(wrong + (WORKERS - u32::try_from(workers.len()).unwrap_or(0).min(WORKERS)) * each)
}

/// Whose line it is, and which.
fn parse(line: &[u8]) -> Option<(u32, u32)> {
    let mut words = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?.split(' ');
    let found = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let filled = words.nth(1)?.bytes().all(|byte| byte == b'.');
    (filled && line.len() as u64 == LENGTH).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_torn_or_joined_to_another_is_none() {
        let line = format!("{:.<99}\n", "7 12 123456 ");
        assert_eq!(parse(line.as_bytes()), Some((7, 12)));
        let (head, tail) = line.split_at(40);
        for wrong in [head.to_owned(), tail.to_owned(), format!("{head}{line}"), line.replace("...", ".x.")] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
