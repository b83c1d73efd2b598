//! The quick loop: many seeds, every promise, every kind of fault.

use ganger_simulator::{Report, run};

/// Seeds of the quick loop.
const SEEDS: u64 = 2_000;
/// Steps with faults in each.
const STEPS: u64 = 400;

#[test]
fn every_promise_holds_under_every_fault_and_every_fault_was_seen() {
    if let Some(seed) = std::env::var("GANGER_SEED").ok().and_then(|seed| seed.parse().ok()) {
        let report = run(seed, STEPS).unwrap_or_else(|failure| panic!("\n{failure}"));
        println!("{report:?}");
        return;
    }
    let mut total = Report::default();
    for seed in 0..SEEDS {
        total.add(&run(seed, STEPS).unwrap_or_else(|failure| panic!("\n{failure}")));
    }
    println!("{SEEDS} seeds, {} steps: {:?}", total.steps, total.marks);
    assert_eq!(total.missing(), [], "the seeds never came to this");
}
