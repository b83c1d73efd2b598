//! Whole sessions, in `tests/transcripts/*.md`.

use std::path::Path;

use ganger_testkit::transcript;

use crate::support::sandbox;

fn play(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(name);
    transcript::run(&sandbox(), path);
}

#[test]
fn a_first_session() {
    play("first_session.md");
}

#[test]
fn a_second_terminal() {
    play("second_terminal.md");
}

#[test]
fn mistakes() {
    play("mistakes.md");
}

#[test]
fn one_worker_at_a_time() {
    play("one_worker.md");
}

#[test]
fn every_transcript_is_played() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let here = include_str!("transcripts.rs");
    let entries = std::fs::read_dir(directory).map(|entries| entries.flatten().collect::<Vec<_>>());
    for entry in entries.unwrap_or_default() {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(here.contains(&format!("play(\"{name}\")")), "{name} is played by no test");
    }
}
