//! From the launch until the last of 1,000 trivial workers has run its first instruction.

use anyhow::Result;

use crate::bed::{BOTH, Bed, Task, Who};
use crate::stamps::Stamp;
use crate::table::Row;

const WORKERS: u32 = 1_000;
const ROUNDS: usize = 5;
const AT_MOST: f64 = 1.5;

pub(crate) fn measure(bed: &Bed) -> Result<Vec<Row>> {
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for who in BOTH {
            let work = bed.launch(who, Task::idle(WORKERS))?;
            let stamps = work.stamps.wait(WORKERS)?;
            let last = stamps.iter().map(|Stamp { time, .. }| *time).max().unwrap_or(0);
            let times = match who {
                Who::Floor => &mut floor,
                Who::Ganger => &mut ours,
            };
            times.push(super::milliseconds(last - work.launched));
        }
    }
    Ok(vec![Row::of_times("start: 1,000 workers running, × posix_spawn", &floor, &ours, AT_MOST)])
}
