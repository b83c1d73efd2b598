//! Properties of the back-off curve.

use std::time::Duration;

use ganger_core::Instant;
use ganger_core::restart::{History, MAX_BUDGET, delay};
use ganger_spec::{Backoff, Budget};
use proptest::prelude::*;

fn backoffs() -> impl Strategy<Value = Backoff> {
    (0..10_000_u64, 1_000..4_000_u32, 0..2_000_u64, 0..600_000_u64, 0..=1_000_u32).prop_map(
        |(initial, factor, step, more, jitter)| Backoff {
            initial: Duration::from_millis(initial),
            factor_permille: factor,
            step: Duration::from_millis(step),
            max: Duration::from_millis(initial + more),
            jitter_permille: jitter,
        },
    )
}

proptest! {
    #[test]
    fn a_delay_stays_within_its_jitter_of_the_first_and_the_longest(
        backoff in backoffs(), failures in 1..200_u32, chance: u64,
    ) {
        let varied = delay(&backoff, failures, chance).as_nanos();
        let (low, high) = (1000 - u128::from(backoff.jitter_permille), 1000 + u128::from(backoff.jitter_permille));
        prop_assert!(varied * 1000 <= backoff.max.as_nanos() * high);
        prop_assert!((varied + 1) * 1000 >= backoff.initial.as_nanos() * low);
    }

    #[test]
    fn without_jitter_a_delay_never_gets_shorter_from_failure_to_failure(
        backoff in backoffs(), failures in 1..200_u32, chance: u64,
    ) {
        let steady = Backoff { jitter_permille: 0, ..backoff };
        prop_assert!(delay(&steady, failures, chance) <= delay(&steady, failures + 1, chance));
    }
}

#[test]
fn a_history_is_bounded_by_the_budget_and_by_its_own_limit() {
    for (restarts, kept) in [(0, 1), (3, 3), (u32::MAX, MAX_BUDGET as usize)] {
        let budget = Budget { restarts, within: Duration::from_secs(1) };
        let mut history = History::default();
        (0..u64::from(MAX_BUDGET) + 10).for_each(|now| history.restarted(Instant(now), Some(&budget)));
        assert_eq!(history.restarts.len(), kept);
    }
}
