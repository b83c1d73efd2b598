//! From the request until 100 obedient workers and their manager are gone.

use anyhow::{Result, bail};

use crate::bed::{Bed, Task, Who};
use crate::processes::{PATIENCE, wait_gone};
use crate::stamps::now;
use crate::table::Row;

const WORKERS: u32 = 100;
const ROUNDS: usize = 7;
const AT_MOST: f64 = 2.0;
/// What the floor does that holds each worker as ganger does.
const HELD: Task<'_> = Task { floor: "hold", ..Task::idle(WORKERS) };

pub(crate) fn measure(bed: &Bed) -> Result<Vec<Row>> {
    let (mut bare, mut held, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(once(bed, Who::Floor, Task::idle(WORKERS))?);
        held.push(once(bed, Who::Floor, HELD)?);
        ours.push(once(bed, Who::Ganger, Task::idle(WORKERS))?);
    }
    let what = "stop: 100 workers and their manager gone, × kill and wait";
    Ok(vec![
        Row::of_times(what, &bare, &ours, AT_MOST),
        Row::of_times(&format!("{what}, a cgroup less for each"), &held, &ours, AT_MOST),
    ])
}

fn once(bed: &Bed, who: Who, task: Task<'_>) -> Result<f64> {
    let mut work = bed.launch(who, task)?;
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
