//! One module a measure.

pub(crate) mod dev;
pub(crate) mod idle;
pub(crate) mod start;
pub(crate) mod stop;

use std::thread;
use std::time::Duration;

/// Nanoseconds as milliseconds.
pub(crate) fn milliseconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64() * 1000.0
}

/// Waits until a manager that has started its workers has nothing left to do.
pub(crate) fn settle() {
    thread::sleep(Duration::from_secs(3));
}
