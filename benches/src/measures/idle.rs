//! What 1,000 workers cost while nothing happens: those that never wrote anything, and those that did.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::bed::{Bed, Task, Who};
use crate::processes::{memory, wake_ups};
use crate::table::Row;

const WORKERS: u32 = 1_000;
const WATCHED: Duration = Duration::from_mins(1);
const SILENT_AT_MOST_MIB: f64 = 12.0;
const LOGGED_AT_MOST_MIB: f64 = 16.0;

pub(crate) fn measure(bed: &Bed) -> Result<Vec<Row>> {
    let silent = Task::quiet(WORKERS);
    let logged = Task { mode: "lines", words: &["1", "80"], ..silent };
    let mut rows = watch(bed, silent, "silent", SILENT_AT_MOST_MIB)?;
    rows.extend(watch(bed, logged, "logged", LOGGED_AT_MOST_MIB)?);
    Ok(rows)
}

fn watch(bed: &Bed, task: Task<'_>, name: &str, at_most: f64) -> Result<Vec<Row>> {
    let work = bed.launch(Who::Ganger, task)?;
    let stamps_each = if task.mode == "idle" { 1 } else { 2 };
    work.stamps.wait(WORKERS * stamps_each)?;
    super::settle();
    let managers = work.managers();
    let before = wake_ups(&managers);
    thread::sleep(WATCHED);
    let count = u32::try_from(wake_ups(&managers) - before).unwrap_or(u32::MAX);
    let (pss, rss) = memory(&managers);
    let shown = format!("{:.1} MiB (RSS {:.1})", super::mib(pss), super::mib(rss));
    let wakes = format!("idle: wake-ups in a minute, 1,000 {name} workers");
    let memory = format!("idle: PSS of keeper and overseer, MiB, 1,000 {name} workers");
    Ok(vec![
        Row::of_number(&wakes, count.to_string(), f64::from(count), 0.0),
        Row::of_number(&memory, shown, super::mib(pss), at_most),
    ])
}
