//! The death matrix, summed up.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::{cargo, root};

/// Each app of the matrix says what came of its deaths in a line that begins so.
const TALLY: &str = "tally: ";

/// Plays every cell, one app after the other on each processor, and prints the sums.
pub(crate) fn run() -> Result<()> {
    cargo(&["build", "--package", "ganger", "--package", "ganger-dummy"])?;
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new("env");
    command.arg("--default-signal").arg(program).current_dir(root()).stderr(Stdio::piped());
    command.args([
        "test",
        "--package",
        "ganger",
        "--test",
        "deaths",
        "--",
        "--nocapture",
        "--skip",
        "soak::",
    ]);
    let mut child = command.spawn().context("cannot start cargo")?;
    let said = child.stderr.take().context("nothing is heard of it")?;
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for line in BufReader::new(said).lines() {
        let line = line?;
        match line.strip_prefix(TALLY) {
            Some(tally) => add(&mut sums, tally),
            None => eprintln!("{line}"),
        }
    }
    let status = child.wait()?;
    let told: Vec<String> = sums.iter().map(|(what, count)| format!("{what} {count}")).collect();
    println!("{}", told.join(", "));
    if status.success() { Ok(()) } else { bail!("the books do not balance: {status}") }
}

/// Adds `kills 3, died 0, …`.
fn add(sums: &mut BTreeMap<String, u64>, tally: &str) {
    for (what, count) in tally.split(", ").filter_map(|part| part.split_once(' ')) {
        *sums.entry(what.to_owned()).or_default() += count.parse::<u64>().unwrap_or(0);
    }
}

#[test]
fn tallies_are_summed() {
    let mut sums = BTreeMap::new();
    for tally in ["kills 3, torn 1", "kills 4, torn 0"] {
        add(&mut sums, tally);
    }
    assert_eq!(sums, BTreeMap::from([("kills".to_owned(), 7), ("torn".to_owned(), 1)]));
}
