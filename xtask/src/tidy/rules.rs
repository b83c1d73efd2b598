//! The rules, one function each.

use std::path::Path;

use anyhow::{Context, Result};

use super::sources::Source;

/// A file that is longer is two things.
const MAX_LINES: usize = 600;
/// A wide terminal. The formatter breaks code at 110; this is for what it leaves alone: text and strings.
const MAX_COLUMNS: usize = 132;
/// A worker of a test may sleep for as long as nobody waits for: that is a worker that only a signal ends.
const FOREVER: u32 = 1_000;
/// Documents that the project promises.
const DOCUMENTS: [&str; 8] = [
    "README.md",
    "ARCHITECTURE.md",
    "SPECIFICATION.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/openapi.json",
    "docs/formats.md",
    "docs/hazards.md",
];

/// The rules about one file.
pub(super) fn of_text(source: &Source, found: &mut Vec<String>) {
    // The rules themselves name what they forbid.
    if source.path == "xtask/src/tidy/rules.rs" {
        return;
    }
    if source.is_rust() {
        length(source, found);
        module_names(source, found);
    }
    for (index, line) in source.text.lines().enumerate() {
        let mut report = |what: &str| found.push(format!("{}:{}: {what}", source.path, index + 1));
        if source.is_rust() && line.chars().count() > MAX_COLUMNS {
            report(&format!("more than {MAX_COLUMNS} columns"));
        }
        if line.ends_with([' ', '\t']) && source.is_rust() {
            report("white space at the end");
        }
        for what in banned_words(source, line) {
            report(what);
        }
        if sleeps(source, line) {
            report("a test that sleeps: wait on an event with a deadline");
        }
    }
}

fn length(source: &Source, found: &mut Vec<String>) {
    let lines = source.text.lines().count();
    if lines > MAX_LINES {
        found.push(format!("{}: {lines} lines; one thing, or two? at most {MAX_LINES}", source.path));
    }
}

fn module_names(source: &Source, found: &mut Vec<String>) {
    let vague = ["utils", "util", "helpers", "misc", "common"];
    let name = Path::new(&source.path).file_stem().unwrap_or_default();
    if vague.iter().any(|word| name == *word) {
        found.push(format!("{}: a name that says nothing", source.path));
    }
}

fn banned_words<'a>(source: &Source, line: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    if ["TODO", "FIXME", "XXX"].iter().any(|word| contains_word(line, word)) {
        found.push("something left to do: do it, or open an issue");
    }
    if ["/tmp/wt", "/work/", "/farm/", "/root/"].iter().any(|path| line.contains(path)) {
        found.push("a path that exists on one machine only");
    }
    if source.is_rust() && ["#[ignore", "todo!(", "unimplemented!("].iter().any(|word| line.contains(word)) {
        found.push("unfinished or switched off");
    }
    if source.is_rust() && line.contains("#[allow(") && !line.contains("reason") {
        found.push("a lint allowed without a reason");
    }
    found
}

/// Whether `word` stands in `line` by itself.
fn contains_word(line: &str, word: &str) -> bool {
    let is_part = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        !is_part(line[..at].chars().next_back()) && !is_part(line[at + word.len()..].chars().next())
    })
}

fn sleeps(source: &Source, line: &str) -> bool {
    let calls = ["thread::sleep", "time::sleep(", "time.sleep("];
    source.is_test() && (calls.iter().any(|call| line.contains(call)) || naps(line))
}

/// Whether a command in `line` sleeps for a time that is waited for.
fn naps(line: &str) -> bool {
    line.split("sleep ").skip(1).any(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().is_ok_and(|seconds| seconds < FOREVER)
    })
}

/// The rules about the project as a whole.
pub(super) fn of_project(root: &Path, found: &mut Vec<String>) -> Result<()> {
    for document in DOCUMENTS {
        if !root.join(document).exists() {
            found.push(format!("{document}: it is promised and not there"));
        }
    }
    let map = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap_or_default();
    let crates = std::fs::read_dir(root.join("crates")).context("cannot list crates")?;
    for entry in crates {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !map.contains(&format!("`crates/{name}`")) {
            found.push(format!("crates/{name}: not on the map in ARCHITECTURE.md"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in(path: &str, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        of_text(&Source { path: path.to_owned(), text: text.to_owned() }, &mut found);
        found
    }

    #[test]
    fn what_is_tidy_is_left_alone() {
        assert_eq!(found_in("crates/x/src/lib.rs", "//! Words.\n\nfn main() {}\n"), Vec::<String>::new());
    }

    #[test]
    fn a_long_file_and_a_long_line_are_found_at_the_edge() {
        assert!(found_in("a.rs", &"x\n".repeat(MAX_LINES)).is_empty());
        assert_eq!(found_in("a.rs", &"x\n".repeat(MAX_LINES + 1)).len(), 1);
        assert!(found_in("a.rs", &"x".repeat(MAX_COLUMNS)).is_empty());
        assert_eq!(found_in("a.rs", &"x".repeat(MAX_COLUMNS + 1)), ["a.rs:1: more than 132 columns"]);
    }

    #[test]
    fn words_that_promise_later_work_are_found_as_words_only() {
        assert_eq!(found_in("a.md", "TODO: more").len(), 1);
        assert!(found_in("a.md", "TODOS and AUTODO").is_empty());
    }

    #[test]
    fn a_machine_path_is_found() {
        assert_eq!(found_in("a.md", "see /work/x").len(), 1);
    }

    #[test]
    fn sleeping_is_found_in_tests_and_only_there() {
        for line in ["    std::thread::sleep(x);", "\"web: sleep 10\""] {
            assert_eq!(found_in("crates/x/tests/a.rs", line).len(), 1, "{line}");
            assert!(found_in("crates/x/src/a.rs", line).is_empty(), "{line}");
        }
        for line in ["no sleep at all", "\"exec sleep 1000\""] {
            assert!(found_in("crates/x/tests/a.rs", line).is_empty(), "{line}");
        }
    }

    #[test]
    fn a_vague_module_name_is_found() {
        assert_eq!(found_in("crates/x/src/utils.rs", "").len(), 1);
    }
}
