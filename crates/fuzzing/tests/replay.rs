//! Every target on its corpus, and on bytes made from it.

#![expect(clippy::unwrap_used, reason = "a test may fail by panic, its helpers too")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ganger_core::Random;
use ganger_fuzzing::{TARGETS, Target, mutated};

/// So many mutations are played for each target.
const MUTATIONS: u64 = 3_000;
/// Another seed gives other mutations: `GANGER_SEED`.
const SEED: u64 = 1;

fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target.name);
    let entries = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Plays bytes; a panic is told with them.
fn play(target: &Target, origin: &str, bytes: &[u8]) {
    let held = catch_unwind(AssertUnwindSafe(|| (target.check)(bytes))).is_ok();
    assert!(held, "{} does not hold for {origin}: \"{}\"", target.name, bytes.escape_ascii());
}

fn play_all(name: &str) {
    let target = ganger_fuzzing::target(name).unwrap();
    let files = corpus(target);
    assert!(!files.is_empty(), "{name} has no corpus");
    for (path, bytes) in &files {
        play(target, &path.display().to_string(), bytes);
    }
    let corpus: Vec<Vec<u8>> = files.into_iter().map(|(_, bytes)| bytes).collect();
    let seed = std::env::var("GANGER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    let mut random = Random::new(seed);
    for number in 0..MUTATIONS {
        let bytes = mutated(target, &corpus, &mut random);
        play(target, &format!("mutation {number} of seed {seed}"), &bytes);
    }
}

macro_rules! targets {
    ($($test:ident: $name:literal,)*) => {
        $(#[test] fn $test() { play_all($name); })*

        #[test]
        fn every_target_is_played_here_and_by_the_fuzzer() {
            let targets: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(targets, [$($name),*]);
            let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
            let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
            for name in targets {
                assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is no binary of the fuzzer");
            }
        }
    };
}

targets! {
    any_procfile_is_read_or_refused_with_its_place: "procfile",
    any_env_file_is_read_or_refused_with_its_place: "dotenv",
    any_foreman_file_is_read_or_refused_with_its_place: "foreman",
    any_native_file_is_read_or_refused_with_its_place: "native",
    any_supervisord_file_is_read_or_refused_with_its_place: "supervisor",
    any_formation_is_read_or_refused: "formation",
    any_words_of_the_command_line_are_read_or_refused: "options",
    any_request_is_understood_as_it_is_asked_or_refused: "request",
    any_cursor_is_read_as_it_is_written_or_refused: "cursor",
    any_answer_is_read_or_refused_and_any_bytes_survive_as_text: "answer",
    any_stream_comes_out_line_by_line_as_it_went_in: "stream",
    any_frame_between_overseer_and_keeper_is_understood_or_refused: "frame",
    any_xml_rpc_is_read_as_it_is_written_or_refused_with_its_place: "xmlrpc",
    whatever_a_listener_says_is_heard_the_same_in_pieces: "listener",
}
