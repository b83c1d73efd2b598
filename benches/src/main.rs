//! Measures against floors taken in the same run.
//!
//! `cargo xtask bench [start] [stop] [restart] [dev] [lines] [logs] [idle] [curve] [supervisor] [attach]`. Each measure
//! does the same work twice, alternating: once by a small C program that does nothing else (`floor/`), or by supervisord, and once
//! by ganger. Promised are ratios of the two, for those depend little on the machine; SPECIFICATION.md has them.

mod bed;
mod files;
mod follower;
mod measures;
mod processes;
mod stamps;
mod table;
mod window;

use anyhow::{Result, bail};

use crate::bed::Bed;
use crate::table::Row;

/// A measure by name.
type Measure = (&'static str, fn(&Bed) -> Result<Vec<Row>>);

const MEASURES: [Measure; 10] = [
    ("start", measures::start::measure),
    ("stop", measures::stop::measure),
    ("restart", measures::restart::measure),
    ("dev", measures::dev::measure),
    ("lines", measures::lines::measure),
    ("logs", measures::logs::measure),
    ("idle", measures::idle::measure),
    ("curve", measures::curve::measure),
    ("supervisor", measures::supervisor::measure),
    ("attach", measures::attach::measure),
];

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| MEASURES.iter().all(|(known, _)| known != name)) {
        let names: Vec<&str> = MEASURES.iter().map(|(name, _)| *name).collect();
        bail!("no measure named {unknown}; there are {}", names.join(", "));
    }
    let bed = Bed::prepare()?;
    let mut rows = Vec::new();
    for (name, measure) in MEASURES {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            eprintln!("measuring {name}, at a load of {}", processes::load());
            rows.extend(measure(&bed)?);
        }
    }
    print!("{}", table::print(&rows));
    if rows.iter().all(Row::holds) { Ok(()) } else { bail!("a promise of SPECIFICATION.md does not hold") }
}
