//! What workers say that they did, against what ganger kept.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ganger_testkit::Sandbox;
use serde_json::Value;

/// The flags by which a worker keeps its own books: lines have 100 bytes.
pub(crate) const FLAGS: &str = "--alone alone --stamp starts --tally tally";
/// The length of every line.
const LENGTH: usize = 100;

/// One start of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) pid: i32,
}

/// Makes what the workers write their books into.
pub(crate) fn keep(sandbox: &Sandbox) {
    for name in ["alone", "tally"] {
        fs::create_dir(sandbox.path(name)).expect("a directory");
    }
    sandbox.file("starts", "");
}

/// The starts in the file of stamps.
pub(crate) fn starts(text: &str) -> Vec<Start> {
    let pids = text.lines().filter_map(|line| line.split(' ').next()?.parse().ok());
    pids.map(|pid| Start { pid }).collect()
}

/// Everything that does not balance once the app has ended.
pub(crate) fn audit(sandbox: &Sandbox, starts: &[Start]) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Ok(doubled) = fs::read_to_string(sandbox.path("alone").join("doubled")) {
        wrong.push(format!("two runs of a worker at once: {doubled}"));
    }
    let state = state(sandbox);
    lines(sandbox, &state.join("logs"), starts, &mut wrong);
    runs(&state.join("events.jsonl"), &mut wrong);
    wrong
}

/// The app's directory of state.
pub(crate) fn state(sandbox: &Sandbox) -> PathBuf {
    let mut found = fs::read_dir(sandbox.root().join("state")).expect("a directory").filter_map(Result::ok);
    found.next().expect("the app has a directory").path()
}

/// Every line is in one log, whole and in the order of its run.
fn lines(sandbox: &Sandbox, logs: &Path, starts: &[Start], wrong: &mut Vec<String>) {
    let mut seen: BTreeMap<i32, u64> = BTreeMap::new();
    for (log, text) in texts(logs) {
        for line in text.split_inclusive('\n') {
            match parse(line) {
                Some((pid, number)) => {
                    let before = seen.entry(pid).or_default();
                    if number != *before + 1 {
                        wrong.push(format!("{log}: {pid} wrote line {number} after {before}"));
                    }
                    *before = number;
                }
                None => wrong.push(format!("{log}: torn: {line:?}")),
            }
        }
    }
    for Start { pid } in starts {
        let told = fs::read(sandbox.path("tally").join(pid.to_string())).ok();
        let told = told.and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?))).unwrap_or(0);
        let kept = seen.remove(pid).unwrap_or(0);
        // A worker that is killed may have written one more than it could tell.
        if kept != told && kept != told + 1 {
            wrong.push(format!("{pid} wrote {told} lines, {kept} are kept"));
        }
    }
    if !seen.is_empty() {
        wrong.push(format!("lines of somebody who was never started: {seen:?}"));
    }
}

/// The text of each log, its oldest file first.
fn texts(logs: &Path) -> Vec<(String, String)> {
    let mut files: BTreeMap<String, BTreeMap<u32, PathBuf>> = BTreeMap::new();
    for entry in fs::read_dir(logs).expect("logs").filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some((log, age)) = name.rsplit_once(".log") {
            let age = age.strip_prefix('.').map_or(0, |age| age.parse().expect("a number"));
            files.entry(log.to_owned()).or_default().insert(age, entry.path());
        }
    }
    let text = |files: BTreeMap<u32, PathBuf>| {
        let parts = files.values().rev().map(|path| fs::read_to_string(path).expect("text"));
        parts.collect::<String>()
    };
    files.into_iter().map(|(log, files)| (log, text(files))).collect()
}

/// Whose line it is, and which; none if it is not whole.
fn parse(line: &str) -> Option<(i32, u64)> {
    let mut words = line.strip_suffix('\n')?.split(' ');
    let found = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let filled = words.next()?.bytes().all(|byte| byte == b'x') && words.next().is_none();
    (filled && line.len() == LENGTH).then_some(found)
}

/// No run began or ended twice, whatever died between its end and the word of it.
fn runs(events: &Path, wrong: &mut Vec<String>) {
    let mut told: BTreeMap<(String, u64), u32> = BTreeMap::new();
    for line in fs::read_to_string(events).expect("events").lines() {
        let event: Value = serde_json::from_str(line).expect("an event");
        if let (Some(kind), Some(run)) = (event["kind"].as_str(), event["details"]["run"].as_u64()) {
            *told.entry((kind.to_owned(), run)).or_default() += 1;
        }
    }
    for ((kind, run), times) in &told {
        if *times > 1 {
            wrong.push(format!("run {run} {kind} {times} times"));
        }
    }
}

#[test]
fn a_line_is_whole_or_it_is_none() {
    let line = format!("{:x<99}\n", "123 45 ");
    assert_eq!(parse(&line), Some((123, 45)));
    let (head, tail) = line.split_at(30);
    for torn in [head.to_owned(), tail.to_owned(), format!("{head}{line}"), line.replacen('x', " ", 1)] {
        assert_eq!(parse(&torn), None, "{torn:?}");
    }
}
