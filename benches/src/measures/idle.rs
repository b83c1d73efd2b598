//! What 1,000 workers cost while nothing happens.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::bed::{Bed, Who};
use crate::processes::{memory, wake_ups};
use crate::table::Row;

const WORKERS: u32 = 1_000;
const WATCHED: Duration = Duration::from_mins(1);
const AT_MOST_MIB: f64 = 12.0;

pub(crate) fn measure(bed: &Bed) -> Result<Vec<Row>> {
    let work = bed.launch(Who::Ganger, "idle", WORKERS, &[])?;
    work.stamps.wait(WORKERS)?;
    super::settle();
    let managers = work.managers();
    let before = wake_ups(&managers);
    thread::sleep(WATCHED);
    let count = u32::try_from(wake_ups(&managers) - before).unwrap_or(u32::MAX);
    let (pss, rss) = memory(&managers);
    let mib = |kib: u64| f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0;
    let shown = format!("{:.1} MiB (RSS {:.1})", mib(pss), mib(rss));
    Ok(vec![
        Row::of_number("idle: wake-ups in a minute, 1,000 workers", count.to_string(), f64::from(count), 0.0),
        Row::of_number("idle: PSS of keeper and overseer, MiB", shown, mib(pss), AT_MOST_MIB),
    ])
}
