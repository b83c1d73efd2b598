//! Supervisord, the newest that there is, and ganger in its place, on the same configuration.
//!
//! Both do the same in turn: start 1,000 programs and tell of them, start anew what was killed, write logs.

mod daemon;
mod logs;
mod restart;
mod start;

use std::path::Path;

use anyhow::Result;

use crate::bed::Bed;
use crate::table::Row;

/// Whose programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Stock,
    Ganger,
}

/// The two, in the order in which they take turns.
const BOTH: [Whose; 2] = [Whose::Stock, Whose::Ganger];

/// Ten times better, or more.
const TENTH: f64 = 0.1;

/// What the two sides came to, in the order of [`BOTH`].
type Sides = [Vec<f64>; 2];

/// What is shared by the measures.
struct Bench<'a> {
    bed: &'a Bed,
    /// Where supervisord and supervisorctl are.
    stock: &'a Path,
}

pub(crate) fn measure(bed: &Bed) -> Result<Vec<Row>> {
    let stock = ganger_testkit::python_environment(bed.ganger(), &["supervisor", "superlance"]);
    let bench = Bench { bed, stock: &stock };
    let mut rows = start::measure(&bench)?;
    rows.extend(restart::measure(&bench)?);
    rows.extend(logs::measure(&bench)?);
    Ok(rows)
}

/// A row for times of both.
fn row(what: &str, [stock, ganger]: &Sides, at_most: f64) -> Row {
    Row::of_times(&format!("supervisor: {what}, × supervisord"), stock, ganger, at_most)
}
