//! The one place that asks what time it is.

use ganger_core::Instant;
use rustix::time::{ClockId, clock_gettime};

/// Now, on the clock that core counts by. It never goes back, and stands still while the machine is suspended: a
/// worker that was asked to stop gets its whole timeout to do so.
pub(crate) fn now() -> Instant {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Instant(seconds * 1_000_000_000 + nanos)
}

/// When the point in time was, for people: now less the time that has passed since.
pub(crate) fn wall(instant: Instant) -> jiff::Timestamp {
    let ago = jiff::SignedDuration::try_from(now().since(instant)).unwrap_or_default();
    jiff::Timestamp::now().checked_sub(ago).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// Names this boot of the machine, so that times and PIDs of another are not taken for ours.
pub(crate) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}
