//! The decider in a world that breaks whatever it can: a fake keeper and kernel, a fake clock, and a seed.
//!
//! [`run`] plays one seed: a random app, random lives of its processes, random commands of its operator, and faults
//! between any two steps. After every step the [ten invariants](invariants) are checked. Then the faults cease, and
//! the world has a bounded time to become what was asked for. A [`Failure`] names the seed, the invariant and the
//! last lines of the event log; the same seed gives the same failure.
//!
//! To be sure that the invariants can fail, a [`Mutation`] breaks one thing on purpose between decider and world.

mod capture;
mod driver;
pub mod invariants;
mod kernel;
mod marks;
mod model;
mod mutation;
mod operator;
mod scenario;

pub use invariants::Invariant;
pub use marks::Mark;
pub use mutation::Mutation;

use std::collections::BTreeMap;
use std::fmt;

/// What happened under one seed, or under many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Steps that were taken.
    pub steps: u64,
    /// How often each thing that matters was seen.
    pub marks: BTreeMap<Mark, u64>,
}

impl Report {
    /// Adds what happened under another seed.
    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        for (mark, times) in &other.marks {
            *self.marks.entry(*mark).or_default() += times;
        }
    }

    /// What was never seen.
    pub fn missing(&self) -> Vec<Mark> {
        Mark::all().filter(|mark| !self.marks.contains_key(mark)).collect()
    }
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Replays it: `GANGER_SEED=…`.
    pub seed: u64,
    /// Which.
    pub invariant: Invariant,
    /// What exactly was seen.
    pub what: String,
    /// The last lines of the event log.
    pub log: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.log {
            writeln!(f, "  {line}")?;
        }
        let number = self.invariant.number();
        writeln!(f, "invariant {number} does not hold: {}", self.invariant.sentence())?;
        writeln!(f, "seen: {}", self.what)?;
        write!(f, "replay: GANGER_SEED={} cargo test -p ganger-simulator", self.seed)
    }
}

impl std::error::Error for Failure {}

/// Plays one seed: so many steps with faults, then without.
pub fn run(seed: u64, steps: u64) -> Result<Report, Box<Failure>> {
    run_with(seed, steps, None)
}

/// Plays one seed with something broken on purpose.
pub fn run_with(seed: u64, steps: u64, mutation: Option<Mutation>) -> Result<Report, Box<Failure>> {
    driver::Driver::new(seed, mutation).play(steps)
}
