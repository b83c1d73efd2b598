//! One module a measure.

pub(crate) mod attach;
pub(crate) mod curve;
pub(crate) mod dev;
pub(crate) mod idle;
pub(crate) mod lines;
pub(crate) mod logs;
pub(crate) mod restart;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod supervisor;

use std::thread;
use std::time::Duration;

/// Nanoseconds as milliseconds.
pub(crate) fn milliseconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64() * 1000.0
}

/// KiB as MiB.
pub(crate) fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

/// Waits until a manager that has started its workers has nothing left to do.
pub(crate) fn settle() {
    thread::sleep(Duration::from_secs(3));
}

/// The value that this part of the others does not exceed.
pub(crate) fn quantile(values: &mut [u64], part: f64) -> u64 {
    values.sort_unstable();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few values"
    )]
    let at = ((values.len() as f64 * part) as usize).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(0)
}
