//! The Procfile: `name: command`, a line each, in the union of Foreman's and Overmind's dialects.

use std::collections::BTreeMap;
use std::path::Path;

use crate::input::numbered;
use crate::problem::{Findings, Problem};
use crate::select::ALL;

/// A line of a Procfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) command: String,
    pub(crate) line: u32,
}

const FORM: &str = "an entry is `name: command`; a comment begins with #";

/// The entries in their order; what is wrong goes to `findings`.
pub(crate) fn parse(path: &Path, text: &str, findings: &mut Findings) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut lines: BTreeMap<String, u32> = BTreeMap::new();
    let mut continued = false;
    for (line, text) in numbered(text) {
        let text = text.trim();
        let follows = std::mem::replace(&mut continued, text.ends_with('\\') && !text.starts_with('#'));
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match entry(path, line, text) {
            Ok(entry) => {
                if let Some(first) = lines.insert(entry.name.clone(), line) {
                    let message = format!("`{}` is already defined on line {first}", entry.name);
                    findings.error(Problem::at(path, line, message).hinted("give each entry an own name"));
                } else {
                    entries.push(entry);
                }
            }
            // The line before already has the error: this one is what it meant to go on with.
            Err(_) if follows => {}
            Err(problem) => findings.error(problem),
        }
    }
    entries
}

fn entry(path: &Path, line: u32, text: &str) -> Result<Entry, Problem> {
    let wrong = |message: String| Err(Problem::at(path, line, message).hinted(FORM));
    let Some((name, command)) = text.split_once(':') else {
        return wrong(format!("no `name:` in {}", shown(text)));
    };
    let (name, command) = (name.trim_end(), command.trim());
    if name.is_empty() {
        return wrong("there is no name before the colon".to_owned());
    }
    check_name(name).map_err(|problem| Problem {
        path: Some(path.to_owned()),
        line: Some(line),
        ..problem
    })?;
    if command.is_empty() {
        return wrong(format!("`{name}` has no command"));
    }
    if command.ends_with('\\') {
        let message = format!("the command of `{name}` ends in a backslash");
        let hint =
            "a Procfile has no continued lines: write the command on one line, or put it into a script";
        return Err(Problem::at(path, line, message).hinted(hint));
    }
    Ok(Entry { name: name.to_owned(), command: command.to_owned(), line })
}

/// A part of a line that is short enough to be shown.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() { format!("`{short}…`") } else { format!("`{short}`") }
}

/// The longest name of a group.
pub const MAX_NAME: usize = 64;

/// Whether a group can have this name: the rule of every format.
pub(crate) fn check_name(name: &str) -> Result<(), Problem> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.is_empty() || !name.chars().all(allowed) || name.starts_with('.') || name.ends_with('.') {
        let hint = "a name has letters, digits, `_` and `-`, and dots inside";
        return Err(Problem::new(format!("{} is no name of a group", shown(name))).hinted(hint));
    }
    if name.len() > MAX_NAME {
        let message = format!("the name {} is longer than {MAX_NAME} letters", shown(name));
        return Err(Problem::new(message).hinted("choose a shorter name"));
    }
    if name == ALL {
        let hint = "choose another name";
        return Err(Problem::new("`all` stands for every group and is no name of one").hinted(hint));
    }
    match name.rsplit_once('.') {
        Some((group, number)) if number.chars().all(|c| c.is_ascii_digit()) => {
            let message = format!("`{name}` would be worker {number} of `{group}`");
            Err(Problem::new(message).hinted("let the part after the last dot have a letter"))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<(String, String)>, Vec<String>> {
        let mut findings = Findings::default();
        let entries = parse(Path::new("Procfile"), text, &mut findings);
        match findings.finish() {
            Ok(_) => Ok(entries.into_iter().map(|entry| (entry.name, entry.command)).collect()),
            Err(error) => Err(error.problems().iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn the_dialects_of_foreman_and_overmind_are_accepted() {
        let text = "# comment\n\nweb: bundle exec puma\n  # another\nworker:rake jobs:work\n\tclock:   a b  \n\
                    a_b-C9: x:y\nblog.web: z # kept for the shell\nlast : q";
        let expected = [
            ("web", "bundle exec puma"),
            ("worker", "rake jobs:work"),
            ("clock", "a b"),
            ("a_b-C9", "x:y"),
            ("blog.web", "z # kept for the shell"),
            ("last", "q"),
        ];
        assert_eq!(parsed(text).unwrap(), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(parsed("").unwrap(), []);
    }

    #[test]
    fn every_other_line_is_an_error_with_its_line() {
        for (text, message) in [
            ("web puma", "Procfile:1: no `name:` in `web puma`"),
            ("\n: puma", "Procfile:2: there is no name before the colon"),
            ("web:", "Procfile:1: `web` has no command"),
            ("web:  \t", "Procfile:1: `web` has no command"),
            ("a b: c", "Procfile:1: `a b` is no name of a group"),
            ("wéb: c", "Procfile:1: `wéb` is no name of a group"),
            (".web: c", "Procfile:1: `.web` is no name of a group"),
            ("web.: c", "Procfile:1: `web.` is no name of a group"),
            ("all: c", "Procfile:1: `all` stands for every group and is no name of one"),
            ("web.2: c", "Procfile:1: `web.2` would be worker 2 of `web`"),
            ("web: a\n\nweb: b", "Procfile:3: `web` is already defined on line 1"),
            ("web: a \\\n  --port 3000", "Procfile:1: the command of `web` ends in a backslash"),
        ] {
            assert_eq!(parsed(text).unwrap_err(), [message], "{text:?}");
        }
        let long = "w".repeat(MAX_NAME + 1);
        assert!(parsed(&format!("{long}: x")).unwrap_err()[0].ends_with("is longer than 64 letters"));
        assert!(parsed(&format!("{}: x", &long[1..])).is_ok());
    }

    #[test]
    fn all_bad_lines_are_told_and_hinted() {
        let mut findings = Findings::default();
        parse(Path::new("Procfile"), "one\nweb: x\ntwo\n", &mut findings);
        let error = findings.finish().unwrap_err();
        assert_eq!(error.to_string(), "Procfile:1: no `name:` in `one`\nProcfile:3: no `name:` in `two`");
        assert_eq!(error.hint().as_deref(), Some(FORM));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_without_a_panic(text in "[ -~\\n\\t:#é\\\\]{0,200}") {
            let _ = parsed(&text);
        }

        #[test]
        fn a_printed_entry_parses_back(name in "[a-z][a-z0-9_-]{0,10}", command in "[a-z]([ -\\[\\]-~]{0,30}[a-z0-9])?") {
            proptest::prop_assume!(name != ALL);
            let entries = parsed(&format!("{name}: {command}\n")).unwrap();
            proptest::prop_assert_eq!(entries, [(name, command)]);
        }
    }
}
