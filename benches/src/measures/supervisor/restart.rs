//! From the death of a program by SIGKILL until its next first instruction.
//!
//! Both have their programs all the time, and lose one in turn. Each program dies once, long after it has started.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::daemon::{Daemon, Programs};
use super::{BOTH, Bench, TENTH};
use crate::measures::{milliseconds, quantile};
use crate::stamps::now;
use crate::table::Row;

const PROGRAMS: u32 = 30;

/// One side, with those of its programs that were not killed yet.
struct Side {
    daemon: Daemon,
    alive: Vec<i32>,
    times: Vec<u64>,
}

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let programs = Programs { count: PROGRAMS, mode: "idle", words: "", keys: "autorestart=true" };
    let mut sides = Vec::new();
    for whose in BOTH {
        let daemon = Daemon::launch(bench, whose, programs)?;
        let alive = daemon.stamps.wait(PROGRAMS)?.iter().map(|stamp| stamp.pid).collect();
        sides.push(Side { daemon, alive, times: Vec::new() });
    }
    crate::measures::settle();
    for killed in 0..PROGRAMS {
        for side in &mut sides {
            side.kill_one(killed)?;
        }
    }
    let mut median =
        |side: usize| milliseconds(sides.get_mut(side).map_or(0, |side| quantile(&mut side.times, 0.5)));
    let (stock, ganger) = (median(0), median(1));
    let what = "supervisor: a killed program runs again, median, × supervisord";
    let row = Row::of_number(what, format!("{ganger:.2} ms"), ganger / stock, TENTH);
    Ok(vec![row.beside(format!("{stock:.2} ms"))])
}

impl Side {
    fn kill_one(&mut self, killed: u32) -> Result<()> {
        let victim = self.alive.pop().and_then(Pid::from_raw).context("a program is alive")?;
        let died = now();
        kill_process(victim, Signal::KILL)?;
        let stamps = self.daemon.stamps.wait(PROGRAMS + killed + 1)?;
        self.times.push(stamps.last().context("a stamp")?.time - died);
        Ok(())
    }
}
