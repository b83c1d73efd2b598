//! From the death of a worker by SIGKILL until the next one has run its first instruction.
//!
//! The floor and ganger each have their workers all the time, and lose one in turn: what the machine does beside is
//! the same for both.

use std::collections::VecDeque;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::bed::{BOTH, Bed, Task, Who, Work};
use crate::stamps::now;
use crate::table::Row;

const WORKERS: u32 = 20;
const KILLS: u32 = 300;
const MEDIAN_AT_MOST: f64 = 1.6;
const SLOWEST_AT_MOST: f64 = 3.0;
/// Between two kills: every worker is killed when it has been healthy for long.
const PAUSE: Duration = Duration::from_millis(90);
/// How long a worker that crashes at once is watched, and how often it may be started in that time.
const CRASHING: Duration = Duration::from_secs(10);
const STARTS_AT_MOST: f64 = 6.0;

/// One side, with its live workers: the oldest first.
struct Side {
    who: Who,
    work: Work,
    alive: VecDeque<i32>,
    seen: u32,
    times: Vec<u64>,
}

pub(crate) fn measure(bed: &Bed) -> Result<Vec<Row>> {
    let task = Task { floor: "respawn", settings: "restart = \"always\"", ..Task::quiet(WORKERS) };
    let mut sides = Vec::new();
    for who in BOTH {
        let work = bed.launch(who, task)?;
        let alive = work.stamps.wait(WORKERS)?.iter().map(|stamp| stamp.pid).collect();
        sides.push(Side { who, work, alive, seen: WORKERS, times: Vec::new() });
    }
    super::settle();
    for _ in 0..KILLS {
        for side in &mut sides {
            side.kill_one()?;
        }
        thread::sleep(PAUSE);
    }
    let mut at = |part: f64, who: Who| {
        let side = sides.iter_mut().find(|side| side.who == who);
        super::milliseconds(side.map_or(0, |side| super::quantile(&mut side.times, part)))
    };
    let mut row = |what: &str, part: f64, at_most: f64| {
        let (floor, ours) = (at(part, Who::Floor), at(part, Who::Ganger));
        let row = Row::of_number(what, format!("{ours:.2} ms"), ours / floor, at_most);
        row.beside(format!("{floor:.2} ms"))
    };
    let mut rows = vec![
        row("restart: after a SIGKILL, median, × waitpid and posix_spawn", 0.5, MEDIAN_AT_MOST),
        row("restart: the slowest of a hundred, × the same", 0.99, SLOWEST_AT_MOST),
    ];
    drop(sides);
    rows.push(crash_loop(bed)?);
    Ok(rows)
}

impl Side {
    fn kill_one(&mut self) -> Result<()> {
        let victim = self.alive.pop_front().and_then(Pid::from_raw).context("a worker is alive")?;
        let killed = now();
        kill_process(victim, Signal::KILL)?;
        self.seen += 1;
        let stamps = self.work.stamps.wait(self.seen)?;
        let next = stamps.last().context("a stamp")?;
        self.alive.push_back(next.pid);
        self.times.push(next.time - killed);
        Ok(())
    }
}

fn crash_loop(bed: &Bed) -> Result<Row> {
    let task = Task { mode: "crash", settings: "restart = \"always\"", ..Task::quiet(1) };
    let work = bed.launch(Who::Ganger, task)?;
    work.stamps.wait(1)?;
    thread::sleep(CRASHING);
    let starts = u32::try_from(work.stamps.count()?).unwrap_or(u32::MAX);
    let what = "restart: starts in 10 s of a worker that crashes at once";
    Ok(Row::of_number(what, starts.to_string(), f64::from(starts), STARTS_AT_MOST))
}
