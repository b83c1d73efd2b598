//! The simulator under many seeds.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use ganger_simulator::Report;

/// Steps with faults under each seed.
const STEPS: u64 = 400;

/// Plays seeds until `time` is over, from one that no other soak began with.
pub(crate) fn for_a_time(time: Duration) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let end = Instant::now() + time;
    play(now.as_secs() << 24, |_| Instant::now() < end)
}

/// Plays the seeds 0 to `count` - 1.
pub(crate) fn so_many(count: u64) -> Result<()> {
    play(0, |played| played < count)
}

/// Plays seeds from `first` on while `more` says so of the number that was begun before; on every core.
fn play(first: u64, more: impl Fn(u64) -> bool + Sync) -> Result<()> {
    let begun = AtomicU64::new(0);
    let total = Mutex::new((Report::default(), 0_u64));
    let failure = Mutex::new(None);
    let work = || {
        loop {
            let turn = begun.fetch_add(1, Ordering::Relaxed);
            if !more(turn) || failure.lock().is_ok_and(|failure| failure.is_some()) {
                return;
            }
            match ganger_simulator::run(first + turn, STEPS) {
                Ok(report) => {
                    if let Ok(mut total) = total.lock() {
                        total.0.add(&report);
                        total.1 += 1;
                    }
                }
                Err(found) => {
                    if let Ok(mut failure) = failure.lock() {
                        failure.get_or_insert(found);
                    }
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    if let Ok(Some(failure)) = failure.into_inner() {
        return Err(anyhow!("{failure}"));
    }
    let (report, seeds) = total.into_inner().map_err(|_| anyhow!("a simulator panicked"))?;
    println!("simulator: {seeds} seeds from {first}, {} steps, every invariant holds", report.steps);
    Ok(())
}
