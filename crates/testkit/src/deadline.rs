//! The one kind of time limit that waits have.

use std::time::{Duration, Instant};

use rustix::event::Timespec;

/// A point in time by which something must have happened.
///
/// It is there to end a test that hangs, never to measure: it is far beyond what a busy machine needs.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// Half a minute: what every wait of the suite uses unless it says why not.
    pub fn generous() -> Self {
        Self::after(Duration::from_secs(30))
    }

    /// `limit` from now.
    pub fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// What is left of it; none once it has passed.
    pub fn left(self) -> Option<Duration> {
        self.0.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// What is left of it as the kernel wants it; zero once it has passed.
    pub fn timespec(self) -> Timespec {
        let left = self.left().unwrap_or_default();
        Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_of_nothing_has_passed() {
        assert!(Deadline::after(Duration::ZERO).left().is_none());
        assert_eq!(Deadline::after(Duration::ZERO).timespec().tv_sec, 0);
    }

    #[test]
    fn a_generous_deadline_leaves_time() {
        assert!(Deadline::generous().left().is_some_and(|left| left > Duration::from_secs(20)));
    }
}
