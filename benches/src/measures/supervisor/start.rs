//! 1,000 programs: from the launch until the last one runs, and then what is told of them.

use anyhow::{Result, bail};

use super::daemon::{Daemon, Programs};
use super::{BOTH, Bench, Sides, TENTH, Whose, row};
use crate::table::Row;

const PROGRAMS: u32 = 1_000;
const ROUNDS: usize = 2;
const STATUS_ROUNDS: usize = 3;
/// The stock client takes its own time, whomever it asks.
const SAME_CLIENT_AT_MOST: f64 = 1.0;

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let programs = Programs { count: PROGRAMS, mode: "idle", words: "", keys: "" };
    let (mut start, mut own, mut same, mut call) =
        (Sides::default(), Sides::default(), Sides::default(), Sides::default());
    for _ in 0..ROUNDS {
        for (side, whose) in BOTH.into_iter().enumerate() {
            let daemon = Daemon::launch(bench, whose, programs)?;
            let stamps = daemon.stamps.wait(PROGRAMS)?;
            let last = stamps.iter().map(|stamp| stamp.time).max().unwrap_or(0);
            start[side].push(crate::measures::milliseconds(last - daemon.launched));
            crate::measures::settle();
            for _ in 0..STATUS_ROUNDS {
                own[side].push(daemon.status(whose, PROGRAMS)?);
                same[side].push(daemon.status(Whose::Stock, PROGRAMS)?);
                call[side].push(all_process_info(&daemon)?);
            }
        }
    }
    Ok(vec![
        row("start of 1,000 programs", &start, TENTH),
        row("`supervisorctl status` of them, each by its own client", &own, TENTH),
        row("the same, both by the stock client", &same, SAME_CLIENT_AT_MOST),
        row("the call beneath it, `getAllProcessInfo`", &call, TENTH),
    ])
}

fn all_process_info(daemon: &Daemon) -> Result<f64> {
    let (took, answer) = daemon.call("supervisor.getAllProcessInfo", "")?;
    let told = answer.matches("<name>statename</name>").count();
    if told == PROGRAMS as usize { Ok(took) } else { bail!("the answer tells of {told} programs") }
}
