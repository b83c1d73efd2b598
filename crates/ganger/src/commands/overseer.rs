//! `ganger overseer`: started by the keeper, never by people.

use crate::failure::{Failure, Outcome};

/// Oversees.
pub(crate) fn run() -> Outcome {
    Err(Failure::usage("the overseer is started by its keeper").hinted("`ganger start` starts both"))
}
