//! When an overseer that died is started again.

use std::time::Duration;

/// How long to wait before the next start, after so many deaths in a row; the last one for all that follow.
const AGAIN_AFTER: [Duration; 7] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// An overseer that lived this long was healthy.
const HEALTHY: Duration = Duration::from_secs(10);

/// Counts deaths in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    deaths: usize,
}

impl Backoff {
    /// One died that had lived so long. How long to wait before the next start.
    pub(crate) fn after_death(&mut self, lived: Duration) -> Duration {
        if lived >= HEALTHY {
            self.deaths = 0;
        }
        let wait = AGAIN_AFTER[self.deaths.min(AGAIN_AFTER.len() - 1)];
        self.deaths = self.deaths.saturating_add(1);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(backoff: &mut Backoff, lived: Duration, count: usize) -> Vec<u128> {
        (0..count).map(|_| backoff.after_death(lived).as_millis()).collect()
    }

    #[test]
    fn the_first_death_costs_nothing_and_the_seventh_and_all_later_ones_five_seconds() {
        let mut backoff = Backoff::default();
        let told = waits(&mut backoff, Duration::ZERO, 9);
        assert_eq!(told, [0, 100, 250, 500, 1000, 2000, 5000, 5000, 5000]);
    }

    #[test]
    fn ten_seconds_of_life_make_up_for_all_deaths_before() {
        let mut backoff = Backoff::default();
        waits(&mut backoff, Duration::ZERO, 7);
        assert_eq!(waits(&mut backoff, HEALTHY.saturating_sub(Duration::from_nanos(1)), 1), [5000]);
        assert_eq!(waits(&mut backoff, HEALTHY, 3), [0, 0, 0]);
        assert_eq!(waits(&mut backoff, Duration::ZERO, 2), [100, 250]);
    }

    #[test]
    fn a_count_that_cannot_grow_stays() {
        let mut backoff = Backoff { deaths: usize::MAX };
        assert_eq!(waits(&mut backoff, Duration::ZERO, 2), [5000, 5000]);
    }
}
