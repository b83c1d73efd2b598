//! 1 GiB of lines of 100 bytes from one worker that writes as fast as it can, into rotated files.

use std::fs::File;
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::bed::{Bed, Task, Who, Work};
use crate::files::Logs;
use crate::processes::{PATIENCE, cpu};
use crate::stamps::now;
use crate::table::Row;

const LENGTH: u64 = 100;
const LINES: u64 = (1 << 30) / LENGTH;
const ROUNDS: usize = 5;
const AT_MOST: f64 = 1.2;
const AT_MOST_CPU_SECONDS: f64 = 0.9;
/// The floors: which of them is faster depends on the file system.
const FLOORS: [&str; 2] = ["log", "splice"];
const GLANCE: Duration = Duration::from_millis(2);
/// Files of 50 MB, and room for all of them.
const ROTATION: &str = "logs = { max_size = 50000000, keep = 40 }";

/// One side's times in milliseconds and CPU seconds, of several rounds.
#[derive(Default)]
struct Side {
    times: Vec<f64>,
    cpu: Vec<f64>,
}

pub(crate) fn measure(bed: &Bed) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (on_disk, place) in [(false, "memory"), (true, "disk")] {
        let mut floors = FLOORS.map(|_| Side::default());
        let mut ours = Side::default();
        let mut wrong = 0;
        for _ in 0..ROUNDS {
            for (floor, side) in FLOORS.into_iter().zip(&mut floors) {
                wrong += once(bed, Who::Floor, floor, on_disk, side)?;
            }
            if wrong > 0 {
                bail!("the floor itself loses lines");
            }
            wrong += once(bed, Who::Ganger, "", on_disk, &mut ours)?;
        }
        floors.sort_by(|one, other| least(&one.times).total_cmp(&least(&other.times)));
        let [floor, _] = &floors;
        let wall = format!("logs: 1 GiB in {place}, × the faster of copy and splice");
        let cost = format!("logs: CPU seconds for it, {place}");
        let lines = format!("logs: lines lost, torn or out of order in it, {place}");
        #[expect(clippy::cast_precision_loss, reason = "far below where it matters")]
        let wrong = wrong as f64;
        rows.extend([
            Row::of_times(&wall, &floor.times, &ours.times, AT_MOST),
            Row::of_number(
                &cost,
                format!("{:.2} s", least(&ours.cpu)),
                least(&ours.cpu),
                AT_MOST_CPU_SECONDS,
            )
            .beside(format!("{:.2} s", least(&floor.cpu))),
            Row::of_number(&lines, wrong.to_string(), wrong, 0.0),
        ]);
    }
    Ok(rows)
}

/// One round; how many lines are wrong.
fn once(bed: &Bed, who: Who, floor: &str, on_disk: bool, side: &mut Side) -> Result<u64> {
    let words = [&*LINES.to_string()];
    let task = Task { mode: "blast", words: &words, floor, settings: ROTATION, on_disk, ..Task::quiet(1) };
    let work = bed.launch(who, task)?;
    let begin = work.stamps.wait(1)?.first().map_or(work.launched, |stamp| stamp.time);
    let (logs, end) = until_everything_is_there(&work)?;
    side.times.push(super::milliseconds(end - begin));
    side.cpu.push(super::milliseconds(cpu(&work.managers())) / 1000.0);
    eprintln!("  {who:?} {floor}: {:.1?} ms, {:.2?} s of CPU", side.times.last(), side.cpu.last());
    if who == Who::Ganger && logs.count() <= 1 {
        bail!("the log was not rotated");
    }
    // The managers have nothing to do any more, so that reading a GiB takes nothing from them.
    wrong(&logs)
}

fn until_everything_is_there(work: &Work) -> Result<(Logs, u64)> {
    let limit = Instant::now() + PATIENCE;
    loop {
        let logs = work.logs()?;
        if logs.bytes() >= LINES * LENGTH {
            return Ok((logs, now()));
        }
        if Instant::now() > limit {
            bail!("only {} of {} bytes are in the logs", logs.bytes(), LINES * LENGTH);
        }
        thread::sleep(GLANCE);
    }
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// How many lines are not the ones that were written, in their order.
fn wrong(logs: &Logs) -> Result<u64> {
    let mut lines = Lines::default();
    for path in logs.each().flatten() {
        let mut file = File::open(path)?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => lines.take(&buffer[..count]),
            }
        }
    }
    Ok(lines.wrong + LINES.abs_diff(lines.next))
}

/// Counts lines that come in pieces.
#[derive(Default)]
struct Lines {
    held: Vec<u8>,
    next: u64,
    wrong: u64,
}

impl Lines {
    fn take(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end + 1);
            bytes = rest;
            if self.held.is_empty() {
                self.line(line);
            } else {
                let mut whole = std::mem::take(&mut self.held);
                whole.extend_from_slice(line);
                self.line(&whole);
            }
        }
        self.held.extend_from_slice(bytes);
    }

    fn line(&mut self, line: &[u8]) {
        let number = line.get(..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        if line.len() as u64 == LENGTH && number == Some(self.next) {
            self.next += 1;
        } else {
            self.wrong += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64) -> String {
        format!("{number:012}{:.<87}\n", "")
    }

    #[test]
    fn lines_are_told_apart_however_the_files_are_cut() {
        let text: String = (0..10).map(line).collect();
        for size in [1, 7, 99, 100, 101, 1000] {
            let mut lines = Lines::default();
            text.as_bytes().chunks(size).for_each(|piece| lines.take(piece));
            assert_eq!((lines.next, lines.wrong), (10, 0), "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_that_is_missing_twice_there_or_torn_is_wrong() {
        for text in [[line(0), line(2)], [line(0), line(0)], [line(0), line(1).replacen('.', "\n", 1)]] {
            let mut lines = Lines::default();
            lines.take(text.concat().as_bytes());
            assert!(lines.wrong > 0, "{text:?}");
        }
    }
}
