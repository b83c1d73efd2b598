//! One loud log, and many quiet ones.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::daemon::{Daemon, Programs};
use super::{BOTH, Bench, Sides, row};
use crate::measures::milliseconds;
use crate::processes::{PATIENCE, cpu};
use crate::stamps::now;
use crate::table::Row;

/// Bytes of a line.
const LINE: u64 = 100;
const LOUD_LINES: u64 = 5_000_000;
const LOUD_AT_MOST: f64 = 1.0;
const QUIET_PROGRAMS: u32 = 200;
/// In two bursts of ten a second.
const QUIET_RATE: u64 = 20;
const QUIET_SECONDS: u64 = 10;
const QUIET_AT_MOST: f64 = 0.25;
const ROUNDS: usize = 3;
const GLANCE: Duration = Duration::from_millis(2);

/// Logs of both are where the file says, and in one piece.
const LOG: &str = "stdout_logfile=%(here)s/%(program_name)s.log\nstdout_logfile_maxbytes=0";

/// What `startProcess` gets: the loud one, and that nobody waits until it counts as started.
const NOW: &str = "<param><value>w0</value></param><param><value><boolean>0</boolean></value></param>";

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let (mut time, mut loud_cpu, mut quiet_cpu) = (Sides::default(), Sides::default(), Sides::default());
    for _ in 0..ROUNDS {
        for (side, whose) in BOTH.into_iter().enumerate() {
            let words = LOUD_LINES.to_string();
            let keys = format!("{LOG}\nautostart=false");
            let loud = Programs { count: 1, mode: "blast", words: &words, keys: &keys };
            let (took, used) = of_loud(&Daemon::launch(bench, whose, loud)?)?;
            time[side].push(took);
            loud_cpu[side].push(used);
            let words = format!("{QUIET_RATE} {QUIET_SECONDS}");
            let quiet = Programs { count: QUIET_PROGRAMS, mode: "timed", words: &words, keys: LOG };
            quiet_cpu[side].push(of_quiet(&Daemon::launch(bench, whose, quiet)?)?);
        }
    }
    Ok(vec![
        row("500 MB of lines into one log", &time, LOUD_AT_MOST),
        row("CPU for them", &loud_cpu, LOUD_AT_MOST),
        row("CPU for 10 s of 200 logs, 20 lines a second each", &quiet_cpu, QUIET_AT_MOST),
    ])
}

/// From the first instruction until the last byte is in the log, and what the daemon ran meanwhile, in milliseconds. The
/// start of the one program is among it.
fn of_loud(daemon: &Daemon) -> Result<(f64, f64)> {
    daemon.wait_for_server()?;
    crate::measures::settle();
    let before = cpu(&daemon.managers());
    daemon.call("supervisor.startProcess", NOW)?;
    let began = daemon.stamps.wait(1)?.first().context("a stamp")?.time;
    written(daemon, 1, LOUD_LINES)?;
    let took = now() - began;
    Ok((milliseconds(took), milliseconds(cpu(&daemon.managers()) - before)))
}

/// What the daemon ran from the start of the last program until the last byte of all is in its log, in milliseconds.
fn of_quiet(daemon: &Daemon) -> Result<f64> {
    daemon.stamps.wait(QUIET_PROGRAMS)?;
    let before = cpu(&daemon.managers());
    written(daemon, QUIET_PROGRAMS, QUIET_RATE * QUIET_SECONDS)?;
    Ok(milliseconds(cpu(&daemon.managers()) - before))
}

/// Waits until so many lines of each program are in its log.
fn written(daemon: &Daemon, programs: u32, lines: u64) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    for number in 0..programs {
        let log = daemon.file(&format!("w{number}.log"));
        let length = || fs::metadata(&log).map_or(0, |metadata| metadata.len());
        while length() < lines * LINE {
            if Instant::now() > end {
                bail!("only {} bytes are in {}", length(), log.display());
            }
            thread::sleep(GLANCE);
        }
    }
    Ok(())
}
