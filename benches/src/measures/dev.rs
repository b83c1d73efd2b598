//! 4 workers with 500,000 lines of 80 bytes each, through the foreground printer into a file.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::bed::{BOTH, Bed, Task, Who, Work};
use crate::processes::{PATIENCE, memory};
use crate::stamps::now;
use crate::table::Row;

mod lines;

const WORKERS: u32 = 4;
const LINES: u64 = 500_000;
const LENGTH: usize = 80;
const ROUNDS: usize = 3;
const AT_MOST: f64 = 3.0;
const AT_MOST_MIB: f64 = 64.0;

/// When a file has not grown for so long, everything is in it.
const QUIET: Duration = Duration::from_secs(1);
const GLANCE: Duration = Duration::from_millis(2);

pub(crate) fn measure(bed: &Bed) -> Result<Vec<Row>> {
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    let (mut wrong, mut largest) = (0, 0);
    for _ in 0..ROUNDS {
        for who in BOTH {
            let words = [&*LINES.to_string(), &*LENGTH.to_string()];
            let task = Task { mode: "lines", words: &words, floor: "print", ..Task::idle(WORKERS) };
            let work = bed.launch(who, task)?;
            let time = until_everything_is_there(&work)?;
            let count = lines::check(&fs::read(&work.output)?, u64::from(WORKERS), LINES, LENGTH);
            match who {
                Who::Floor if count.wrong() > 0 => bail!("the floor itself is wrong: {count:?}"),
                Who::Floor => floor.push(time),
                Who::Ganger => {
                    ours.push(time);
                    eprintln!("  {count:?}");
                    wrong += count.wrong();
                    largest = largest.max(memory(&work.managers()).1);
                }
            }
        }
    }
    let wrong = f64::from(u32::try_from(wrong).unwrap_or(u32::MAX));
    let mib = super::mib(largest);
    Ok(vec![
        Row::of_times("dev: 2,000,000 lines printed, × a C multiplexer", &floor, &ours, AT_MOST),
        Row::of_number("dev: lines torn, missing or out of order", format!("{wrong}"), wrong, 0.0),
        Row::of_number(
            "dev: RSS of keeper and overseer afterwards, MiB",
            format!("{mib:.1} MiB"),
            mib,
            AT_MOST_MIB,
        ),
    ])
}

/// From the first instruction of the first worker until the output has stopped growing.
fn until_everything_is_there(work: &Work) -> Result<f64> {
    let begin = work.stamps.wait(WORKERS)?.iter().filter(|stamp| !stamp.is_end).map(|stamp| stamp.time).min();
    let patience = Instant::now() + PATIENCE;
    let (mut size, mut grown, mut at) = (0, Instant::now(), now());
    while grown.elapsed() < QUIET || size < least_size() {
        if Instant::now() > patience {
            // What is missing is counted later.
            break;
        }
        let now_there = size_of(&work.output)?;
        if now_there > size {
            (size, grown, at) = (now_there, Instant::now(), now());
        }
        thread::sleep(GLANCE);
    }
    Ok(super::milliseconds(at - begin.unwrap_or(work.launched)))
}

fn least_size() -> u64 {
    u64::from(WORKERS) * LINES * LENGTH as u64
}

fn size_of(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path)?.len())
}
