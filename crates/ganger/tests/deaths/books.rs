//! What workers say that they did, against what ganger kept.

use std::collections::{BTreeMap, BTreeSet};
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

/// What does not balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Who should live has died.
    Died(String),
    /// Something is there, or was told, more often than it happened.
    Doubled(String),
    /// Something that happened is not there.
    Lost(String),
    /// A line is there in part.
    Torn(String),
}

/// A line that says what came of so many kills.
pub(crate) fn tally(kills: u32, wrong: &[Wrong]) -> String {
    let count = |is: fn(&Wrong) -> bool| wrong.iter().filter(|wrong| is(wrong)).count();
    format!(
        "tally: kills {kills}, died {}, doubled {}, lost {}, torn {}",
        count(|wrong| matches!(wrong, Wrong::Died(_))),
        count(|wrong| matches!(wrong, Wrong::Doubled(_))),
        count(|wrong| matches!(wrong, Wrong::Lost(_))),
        count(|wrong| matches!(wrong, Wrong::Torn(_))),
    )
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
pub(crate) fn audit(sandbox: &Sandbox, starts: &[Start]) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if let Ok(doubled) = fs::read_to_string(sandbox.path("alone").join("doubled")) {
        wrong.push(Wrong::Doubled(format!("two runs of a worker at once: {doubled}")));
    }
    let state = sandbox.state();
    lines(sandbox, &state.join("logs"), starts, &mut wrong);
    runs(&state.join("events.jsonl"), starts, &mut wrong);
    wrong
}

/// Every line is in one log, whole and in the order of its run. A PID may be that of several runs, one after the other.
fn lines(sandbox: &Sandbox, logs: &Path, starts: &[Start], wrong: &mut Vec<Wrong>) {
    let mut seen: BTreeMap<i32, Vec<u64>> = BTreeMap::new();
    for (log, text) in texts(logs) {
        let mut latest: BTreeMap<i32, u64> = BTreeMap::new();
        for line in text.split_inclusive('\n') {
            let Some((pid, number)) = parse(line) else {
                wrong.push(Wrong::Torn(format!("{log}: {line:?}")));
                continue;
            };
            let before = latest.insert(pid, number).unwrap_or(0);
            match number {
                1 if before > 0 => seen.entry(pid).or_default().push(before),
                _ if number == before + 1 => {}
                _ => wrong.push(Wrong::Lost(format!("{log}: {pid} wrote line {number} after {before}"))),
            }
        }
        for (pid, count) in latest {
            seen.entry(pid).or_default().push(count);
        }
    }
    let mut times: BTreeMap<i32, usize> = BTreeMap::new();
    for Start { pid } in starts {
        *times.entry(*pid).or_default() += 1;
    }
    for (pid, times) in times {
        // The latest of those who had this PID told it.
        let told = fs::read(sandbox.path("tally").join(pid.to_string())).ok();
        let told = told.and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?))).unwrap_or(0);
        let kept = seen.remove(&pid).unwrap_or_default();
        if kept.len() > times {
            wrong.push(Wrong::Doubled(format!("{pid} was started {times} times, its lines are {kept:?}")));
        }
        // A worker that is killed may have written one more than it could tell.
        let fits = |kept: &u64| *kept == told || *kept == told + 1;
        let is_there = kept.iter().any(fits) || told == 0 && kept.len() < times;
        if !is_there {
            wrong.push(Wrong::Lost(format!("{pid} wrote {told} lines, {kept:?} are kept")));
        }
    }
    if !seen.is_empty() {
        wrong.push(Wrong::Doubled(format!("lines of somebody who was never started: {seen:?}")));
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

/// Every start ended once, and was told once; whatever died between the end of a run and the word of it.
fn runs(events: &Path, starts: &[Start], wrong: &mut Vec<Wrong>) {
    let (mut begun, mut ended) = (BTreeMap::<u64, u32>::new(), BTreeMap::<u64, u32>::new());
    let mut last = 0;
    for event in told(events) {
        let seq = event["seq"].as_u64().unwrap_or(0);
        match seq {
            _ if last == 0 || seq == last + 1 => {}
            _ if seq <= last => wrong.push(Wrong::Doubled(format!("event {seq} comes after {last}"))),
            _ => wrong.push(Wrong::Lost(format!("event {seq} comes after {last}"))),
        }
        last = seq;
        let Some(run) = event["details"]["run"].as_u64() else { continue };
        match event["kind"].as_str() {
            Some("started") => *begun.entry(run).or_default() += 1,
            Some("ended") => *ended.entry(run).or_default() += 1,
            _ => {}
        }
    }
    let all: BTreeSet<u64> = begun.keys().chain(ended.keys()).copied().collect();
    for run in &all {
        let times = |told: &BTreeMap<u64, u32>| told.get(run).copied().unwrap_or(0);
        // One that ended before anybody heard of its start has an end alone.
        let what = format!("run {run} is told to start {} times, to end {}", times(&begun), times(&ended));
        match (times(&begun), times(&ended)) {
            (0 | 1, 1) => {}
            (_, 0) => wrong.push(Wrong::Lost(what)),
            _ => wrong.push(Wrong::Doubled(what)),
        }
    }
    // A worker may be killed before it notes that it starts.
    if starts.len() > all.len() {
        wrong.push(Wrong::Lost(format!("{} starts, but {} ends are told", starts.len(), all.len())));
    }
}

/// All events, those of the file that came before too.
fn told(events: &Path) -> Vec<Value> {
    let text = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let all = [text(events.with_extension("jsonl.1")), text(events.to_owned())].concat();
    all.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
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
