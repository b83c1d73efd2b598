//! From the request until 100 obedient workers and their manager are gone.

use anyhow::{Result, bail};

use crate::bed::{BOTH, Bed, Task, Who};
use crate::processes::{PATIENCE, wait_gone};
use crate::stamps::now;
use crate::table::Row;

const WORKERS: u32 = 100;
const ROUNDS: usize = 7;
const AT_MOST: f64 = 2.0;

pub(crate) fn measure(bed: &Bed) -> Result<Vec<Row>> {
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for who in BOTH {
            let time = once(bed, who)?;
            match who {
                Who::Floor => floor.push(time),
                Who::Ganger => ours.push(time),
            }
        }
    }
    Ok(vec![Row::of_times(
        "stop: 100 workers and their manager gone, × kill and wait",
        &floor,
        &ours,
        AT_MOST,
    )])
}

fn once(bed: &Bed, who: Who) -> Result<f64> {
    let mut work = bed.launch(who, Task::idle(WORKERS))?;
    let mut pids: Vec<i32> = work.stamps.wait(WORKERS)?.iter().map(|stamp| stamp.pid).collect();
    super::settle();
    pids.push(work.pid());
    let asked = now();
    work.ask_to_stop()?;
    if !wait_gone(&pids, PATIENCE) {
        bail!("{who:?} does not stop its workers");
    }
    let gone = now();
    work.has_ended()?;
    Ok(super::milliseconds(gone - asked))
}
