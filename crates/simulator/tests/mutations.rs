//! Each promise is broken once on purpose, to be sure that a broken one is noticed.

use ganger_simulator::{Mutation, run_with};

/// So many seeds are played before a mutation counts as unnoticed.
const SEEDS: u64 = 200;
const STEPS: u64 = 400;

#[test]
fn whatever_is_broken_on_purpose_is_noticed_as_the_promise_that_it_breaks() {
    for mutation in Mutation::ALL {
        let failures: Vec<_> =
            (0..SEEDS).filter_map(|seed| run_with(seed, STEPS, Some(mutation)).err()).collect();
        let noticed: Vec<_> = failures.iter().map(|failure| failure.invariant).collect();
        assert!(
            noticed.iter().any(|invariant| mutation.breaks().contains(invariant)),
            "{mutation:?} went unnoticed as {:?}; noticed {noticed:?}",
            mutation.breaks(),
        );
        println!("{mutation:?}: noticed by {} of {SEEDS} seeds", noticed.len());
    }
}

#[test]
fn a_failure_is_the_same_when_its_seed_is_played_again() {
    let broken = |seed| run_with(seed, STEPS, Some(Mutation::DoubleSpawn)).err();
    let failure = (0..SEEDS).find_map(broken).expect("some seed notices a doubled spawn");
    assert_eq!(broken(failure.seed).as_ref(), Some(&failure));
    assert!(!failure.log.is_empty(), "a failure tells what came before it");
}
