//! The page of hazards says nothing that is not there: each test and each file that it names exists.

use std::collections::HashSet;

use super::sources::Source;

const PAGE: &str = "docs/hazards.md";

/// Reports each name on the page that is neither a test nor a path of the project.
pub(super) fn of_sources(sources: &[Source], found: &mut Vec<String>) {
    let Some(page) = sources.iter().find(|source| source.path == PAGE) else { return };
    let tests: HashSet<&str> =
        sources.iter().filter(|source| source.is_rust()).flat_map(|source| tests(&source.text)).collect();
    for (index, line) in page.text.lines().enumerate() {
        for name in quoted(line) {
            let (kind, exists) = if name.contains('/') && !name.starts_with('/') {
                ("path", sources.iter().any(|source| is_at_or_below(&source.path, name)))
            } else if is_test_name(name) {
                ("test", tests.contains(name))
            } else {
                continue;
            };
            if !exists {
                found.push(format!("{PAGE}:{}: there is no {kind} `{name}`", index + 1));
            }
        }
    }
}

/// What stands between back quotes.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Names of tests are sentences; two words may be anything else.
fn is_test_name(name: &str) -> bool {
    name.matches('_').count() >= 2
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn is_at_or_below(path: &str, name: &str) -> bool {
    path.strip_prefix(name.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The functions of a file that are marked as tests, other attributes between or not, and the rows of a table from which
/// a macro makes tests: a name and one more word.
fn tests(text: &str) -> Vec<&str> {
    let makes_tests = text.contains("fn $name()");
    let (mut found, mut marked) = (Vec::new(), false);
    for line in text.lines().map(str::trim_start) {
        if line == "#[test]" {
            marked = true;
        } else if let Some(rest) = line.strip_prefix("fn ") {
            if marked {
                found.extend(rest.split('(').next());
            }
            marked = false;
        } else if makes_tests
            && let Some((name, word)) = line.split_once(' ')
            && word.strip_suffix(',').is_some_and(|word| word.chars().all(char::is_alphanumeric))
        {
            found.push(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_with(page: &str) -> Vec<String> {
        let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        let tests = "#[test]\n#[cfg(unix)]\nfn a_line_is_kept() {}\n\nfn a_line_is_made() {}\n";
        let mut found = Vec::new();
        of_sources(&[source("crates/x/src/a.rs", tests), source(PAGE, page)], &mut found);
        found
    }

    #[test]
    fn a_test_and_a_path_that_exist_are_left_alone() {
        let page = "`a_line_is_kept` in `crates/x/src/a.rs`, `crates/x`; `kill -9`, `per_line`, `/proc`";
        assert_eq!(found_with(page), Vec::<String>::new());
    }

    #[test]
    fn a_row_from_which_a_macro_makes_a_test_is_one() {
        let text = "fn $name() {}\nmoments! {\n    it_dies_amid_a_start Start,\n}\n";
        assert!(tests(text).contains(&"it_dies_amid_a_start"));
        assert!(tests(&text.replace("$name", "name")).is_empty());
    }

    #[test]
    fn a_test_or_a_path_that_is_gone_is_found_and_so_is_a_function_that_is_no_test() {
        for name in ["a_line_is_lost", "a_line_is_made", "crates/x/src/b.rs", "crates/y"] {
            assert_eq!(found_with(&format!("\n`{name}`")).len(), 1, "{name}");
        }
    }
}
