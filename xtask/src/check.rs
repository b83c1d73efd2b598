//! The quick loop.

use anyhow::Result;

use crate::command::cargo;
use crate::{simulate, tidy};

/// Seeds of the simulator that the quick loop plays, besides those that its own tests play.
const SEEDS: u64 = 2_000;

/// Format, tidiness, lints, unit tests, simulator: the quickest to fail comes first.
pub(crate) fn run() -> Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    tidy::run()?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])?;
    cargo(&["test", "--workspace", "--exclude", "ganger"])?;
    cargo(&["test", "--package", "ganger", "--bins"])?;
    simulate::so_many(SEEDS)
}
