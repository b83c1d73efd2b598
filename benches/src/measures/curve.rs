//! How the costs grow from 10 to 10,000 workers.

use std::fmt::Write;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::bed::{Bed, Task, Who, Work};
use crate::processes::{PATIENCE, memory, wait_gone};
use crate::stamps::{Stamp, now};
use crate::table::Row;

/// How many workers, and in how many rounds: the fastest counts.
const SIZES: [(u32, u32); 4] = [(10, 3), (100, 3), (1_000, 3), (10_000, 2)];
/// A worker among 10,000 costs at most this many times what one among 1,000 does.
const AT_MOST: f64 = 2.0;

/// What is measured at each size. Times are in milliseconds, memory is in MiB.
const COSTS: [&str; 5] = ["posix_spawn loop, ms", "start, ms", "PSS, MiB", "ps, ms", "stop, ms"];

/// What so many workers cost.
struct Point {
    workers: u32,
    costs: [f64; COSTS.len()],
}

pub(crate) fn measure(bed: &Bed) -> Result<Vec<Row>> {
    let mut points = Vec::new();
    for (workers, rounds) in SIZES {
        let mut point = Point { workers, costs: [f64::INFINITY; COSTS.len()] };
        for _ in 0..rounds {
            for (least, cost) in point.costs.iter_mut().zip(once(bed, workers)?) {
                *least = least.min(cost);
            }
        }
        eprintln!("  {workers} workers: {:.1?}", point.costs);
        points.push(point);
    }
    eprint!("{}", print(&points));
    let [.., before, last] = points.as_slice() else { bail!("one point is no curve") };
    let of_each = |point: &Point, cost: usize| point.costs[cost] / f64::from(point.workers);
    let rows = COSTS.iter().enumerate().skip(1).map(|(cost, name)| {
        let what = format!("curve: {name}: one of 10,000 × one of 1,000");
        let shown = format!("{:.1} against {:.1}", last.costs[cost], before.costs[cost]);
        Row::of_number(&what, shown, of_each(last, cost) / of_each(before, cost), AT_MOST)
    });
    Ok(rows.collect())
}

fn once(bed: &Bed, workers: u32) -> Result<[f64; COSTS.len()]> {
    let (work, _, floor) = started(bed, Who::Floor, workers)?;
    drop(work);
    let (work, mut pids, start) = started(bed, Who::Ganger, workers)?;
    super::settle();
    let (pss, _) = memory(&work.managers());
    let asked = Instant::now();
    work.command(&["ps"])?;
    let ps = asked.elapsed().as_secs_f64() * 1000.0;
    pids.push(work.pid());
    let asked = now();
    work.ask_to_stop()?;
    if !wait_gone(&pids, PATIENCE) {
        bail!("{workers} workers and their manager do not go");
    }
    Ok([floor, start, super::mib(pss), ps, super::milliseconds(now() - asked)])
}

/// Workers that all run, their PIDs, and how long that took.
fn started(bed: &Bed, who: Who, workers: u32) -> Result<(Work, Vec<i32>, f64)> {
    let work = bed.launch(who, Task::quiet(workers))?;
    let stamps = work.stamps.wait(workers)?;
    let last = stamps.iter().map(|Stamp { time, .. }| *time).max().unwrap_or(0);
    let pids = stamps.iter().map(|stamp| stamp.pid).collect();
    let took = super::milliseconds(last - work.launched);
    Ok((work, pids, took))
}

/// The curve in Markdown.
fn print(points: &[Point]) -> String {
    let mut text = format!("\n| workers | {} |\n|---:|{}\n", COSTS.join(" | "), "---:|".repeat(COSTS.len()));
    for Point { workers, costs } in points {
        let cells: Vec<String> = costs.iter().map(|cost| format!("{cost:.1}")).collect();
        let _ = writeln!(text, "| {workers} | {} |", cells.join(" | "));
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_has_a_line_for_each_size() {
        let text = print(&[Point { workers: 10, costs: [1.0, 2.0, 3.0, 4.0, 5.25] }]);
        assert_eq!(text.trim_end().lines().last(), Some("| 10 | 1.0 | 2.0 | 3.0 | 4.0 | 5.2 |"));
    }
}
