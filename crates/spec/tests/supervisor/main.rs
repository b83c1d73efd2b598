//! supervisord's own parser and ganger's read the same files, and make the same of them or refuse both.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panic, its helpers too")]

mod beyond;
mod generate;
mod stock;
mod table;
mod told;

use std::path::{Path, PathBuf};

use ganger_spec::{Options, load};
use serde_json::Value;

/// So many random files are read.
const SEEDS: u64 = 600;

/// What ganger makes of a file, or its errors.
fn ganger(dir: &Path, file: &Path) -> Result<Value, String> {
    let options = Options {
        dir: dir.to_owned(),
        file: Some(file.to_owned()),
        inherited: stock::inherited(),
        ..Options::default()
    };
    load(&options).map(|loaded| table::of(&loaded)).map_err(|error| error.to_string())
}

/// Compares what both make of files; returns how many both took.
fn compare(dir: &Path, files: &[PathBuf]) -> usize {
    let (mut taken, mut differences) = (0, Vec::new());
    for (file, mut theirs) in files.iter().zip(stock::parse(dir, files)) {
        let text = || std::fs::read_to_string(file).unwrap_or_default();
        match (ganger(dir, file), theirs["error"].as_str()) {
            (Ok(mut ours), None) => {
                taken += 1;
                table::absolute(&mut theirs, dir);
                table::absolute(&mut ours, dir);
                if let Some(difference) = difference("", &ours, &theirs) {
                    differences.push(format!("{}: {difference}\n{}", file.display(), text()));
                }
            }
            (Err(_), Some(_)) => {}
            (Ok(_), Some(error)) => {
                differences.push(format!(
                    "{}: only supervisord refuses it: {error}\n{}",
                    file.display(),
                    text()
                ));
            }
            (Err(error), None) => {
                differences.push(format!("{}: only ganger refuses it: {error}\n{}", file.display(), text()));
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        differences[..differences.len().min(5)].join("\n----\n")
    );
    taken
}

/// The first place at which two tables differ.
fn difference(place: &str, ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let none = Value::Null;
            keys.into_iter().find_map(|key| {
                difference(
                    &format!("{place}.{key}"),
                    a.get(key).unwrap_or(&none),
                    b.get(key).unwrap_or(&none),
                )
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(at, (a, b))| difference(&format!("{place}[{at}]"), a, b))
        }
        (a, b) if a == b => None,
        (a, b) => Some(format!("{place} is {a} in ganger, {b} in supervisord")),
    }
}

fn write(dir: &Path, files: &[(String, String)]) -> PathBuf {
    for (name, text) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir.join(&files[0].0)
}

#[test]
fn random_files_are_the_same_programs_to_both_or_are_refused_by_both() {
    let dir = tempfile::tempdir().unwrap();
    let start = std::env::var("GANGER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = start.map_or(0..SEEDS, |seed| seed..seed + 1);
    let file = |seed| write(&dir.path().join(format!("seed-{seed}")), &generate::files(seed).0);
    let files: Vec<PathBuf> = seeds.map(file).collect();
    let taken = compare(dir.path(), &files);
    println!("both took {taken} of {} files", files.len());
    let some = files.len() / 4..files.len() * 3 / 4;
    assert!(
        start.is_some() || some.contains(&taken),
        "both took {taken}: few files are right, or few are wrong"
    );
}

#[test]
fn supervisords_own_examples_and_fixtures_are_the_same_to_both() {
    let package = stock::package().join("supervisor");
    let mut files = vec![package.join("skel/sample.conf")];
    let fixtures =
        std::fs::read_dir(package.join("tests/fixtures")).unwrap().map(|entry| entry.unwrap().path());
    files.extend(fixtures.filter(|path| path.extension().is_some_and(|extension| extension == "conf")));
    files.sort();
    let dir = tempfile::tempdir().unwrap();
    assert!(compare(dir.path(), &files) > 15);
}
