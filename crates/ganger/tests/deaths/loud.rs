//! A worker that writes as fast as it can: at any instant, some of what it wrote is on its way from its pipe to its log.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use ganger_testkit::{Deadline, Sandbox, Watched};

use crate::books;
use crate::victim::{GANGER, Victim};

/// Numbers, one on each line: about 200 MB.
const LINES: u64 = 24_000_000;
/// A death comes each time that so much more was written.
const BYTES: u64 = 25_000_000;
const DEATHS: u32 = 6;

/// The files of a log, the oldest first.
fn files(logs: &Path) -> Vec<PathBuf> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(logs).expect("logs").filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        // A rotation under way has a name of its own.
        let age =
            name.strip_prefix("loud.1.log").map(|age| age.strip_prefix('.').unwrap_or("0").parse::<u32>());
        if let Some(Ok(age)) = age {
            files.insert(Reverse(age), entry.path());
        }
    }
    files.into_values().collect()
}

fn written(logs: &Path) -> u64 {
    files(logs).iter().filter_map(|file| fs::metadata(file).ok()).map(|file| file.len()).sum()
}

/// Blocks until so much was written.
fn wait_written(logs: &Path, bytes: u64) {
    let (watched, deadline) = (Watched::new(logs), Deadline::generous());
    while written(logs) < bytes {
        assert!(
            watched.wait_name(deadline, |name| name == "loud.1.log"),
            "{} of {bytes} bytes",
            written(logs)
        );
    }
}

fn play(victim: Victim) {
    let sandbox = Sandbox::new(GANGER);
    sandbox.procfile(&format!("loud: seq {LINES} && exec tail -f /dev/null"));
    sandbox.file("ganger.toml", "[groups.loud]\nlogs = { max_size = 30_000_000, keep = 100 }\n");
    sandbox.run(["start", "-D"]).expect_code(0);
    let logs = sandbox.state().join("logs");
    for death in 1..=DEATHS {
        wait_written(&logs, BYTES * u64::from(death));
        victim.strike(&sandbox);
    }
    let all: u64 = (1..=8).map(|digits| 9 * 10_u64.pow(digits - 1) * u64::from(digits + 1)).sum();
    let too_many = (99_999_999 - LINES) * 9;
    wait_written(&logs, all - too_many);
    sandbox.run(["quit"]).expect_code(0);
    sandbox.assert_nothing_left();
    let mut next = 1;
    for file in files(&logs) {
        for line in BufReader::new(File::open(file).expect("a log")).lines() {
            assert_eq!(line.expect("text"), next.to_string());
            next += 1;
        }
    }
    eprintln!("{}", books::tally(DEATHS, &[]));
    assert_eq!(next, LINES + 1);
}

#[test]
fn the_overseer_is_killed_with_a_loud_log_in_hand() {
    play(Victim::Overseer);
}

#[test]
fn all_of_ganger_is_killed_with_a_loud_log_in_hand() {
    play(Victim::All);
}

#[test]
fn the_keeper_is_killed_with_a_loud_log_in_hand() {
    play(Victim::Keeper);
}

#[test]
fn another_program_takes_over_with_a_loud_log_in_hand() {
    play(Victim::UpgradedBehind);
}
