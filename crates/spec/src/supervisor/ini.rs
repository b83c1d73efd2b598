//! The INI dialect: what Python's `RawConfigParser(inline_comment_prefixes=(';', '#'), strict=False)` takes.
//!
//! Keys and values are parted by `=` or `:`, whichever comes first; keys are lower case. A line that is indented deeper
//! than its key goes on with the value. `;` and `#` begin a comment at the start of a line and after a blank. A section
//! that comes again is the same section, a key that comes again has the later value; `[DEFAULT]` holds for all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::problem::{Findings, Problem};
use crate::procfile::shown;

/// The most sections of all files together.
pub(crate) const MAX_SECTIONS: usize = 20_000;

const DEFAULT: &str = "DEFAULT";

/// A value and where it is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) path: PathBuf,
    pub(crate) line: u32,
}

impl Said {
    /// A problem with this value.
    pub(crate) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(&self.path, self.line, message)
    }
}

/// The keys of a section.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) line: u32,
    pub(crate) keys: BTreeMap<String, Said>,
}

impl Section {
    /// A problem with the section as a whole.
    pub(crate) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(&self.path, self.line, message)
    }
}

/// What all files say together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ini {
    pub(crate) sections: Vec<Section>,
    places: BTreeMap<String, usize>,
    defaults: BTreeMap<String, Said>,
}

impl Ini {
    /// The section of this name.
    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.get(*self.places.get(name)?)
    }

    /// What is said of a key, in its section or for all of them.
    pub(crate) fn get(&self, section: &str, key: &str) -> Option<&Said> {
        self.section(section)?.keys.get(key).or_else(|| self.defaults.get(key))
    }

    /// Reads another file over what is there.
    pub(crate) fn read(&mut self, path: &Path, text: &str, findings: &mut Findings) {
        let mut reading =
            Reading { ini: self, path, place: None, key: None, indent: 0, said: BTreeMap::new() };
        for (number, line) in (1..).zip(text.split('\n')) {
            // Python takes a lone carriage return for the end of a line, editors do not.
            for part in line.split('\r') {
                reading.line(number, part, findings);
            }
        }
        reading.join();
    }

    /// Puts a directory where `%(here)s` stands in any value.
    pub(crate) fn expand_here(&mut self, here: &str) {
        const HERE: &str = "%(here)s";
        for section in &mut self.sections {
            let default = self.defaults.iter().filter(|(_, said)| said.text.contains(HERE));
            for (key, said) in default.map(|(key, said)| (key.clone(), said.clone())).collect::<Vec<_>>() {
                section.keys.entry(key).or_insert(said);
            }
            for said in section.keys.values_mut().filter(|said| said.text.contains(HERE)) {
                said.text = said.text.replace(HERE, here);
            }
        }
    }
}

/// Where keys go to.
#[derive(Clone, Copy, Debug)]
enum Place {
    Section(usize),
    Defaults,
}

struct Reading<'a> {
    ini: &'a mut Ini,
    path: &'a Path,
    place: Option<Place>,
    key: Option<String>,
    indent: usize,
    /// What this file says: the lines of each value, joined at its end.
    said: BTreeMap<(String, String), (u32, Vec<String>)>,
}

impl Reading<'_> {
    fn line(&mut self, number: u32, line: &str, findings: &mut Findings) {
        let chars: Vec<char> = line.chars().collect();
        let comment = comment_start(&chars);
        let value: String = chars[..comment.unwrap_or(chars.len())].iter().collect();
        let value = value.trim_matches(is_space);
        if value.is_empty() {
            if comment.is_none() {
                self.go_on(String::new());
            }
            return;
        }
        let indent = chars.iter().take_while(|c| is_space(**c)).count();
        if self.key.is_some() && indent > self.indent {
            self.go_on(value.to_owned());
        } else {
            self.indent = indent;
            match header(value) {
                Some(name) => self.begin(number, name, findings),
                None => self.key_line(number, value, findings),
            }
        }
        if let (Some(at), Some("command" | "readiness_command" | "liveness_command")) =
            (comment, self.key.as_deref())
        {
            let rest: String = chars[at..].iter().collect();
            let message = format!("{} is a comment here, no part of the command", shown(rest.trim_end()));
            let hint = "write a comment on a line of its own; where it belongs to the command, put no blank before the \
                        `;` or `#`, or move the line into a script";
            findings.warn(Problem::at(self.path, number, message).hinted(hint));
        }
    }

    fn begin(&mut self, number: u32, name: &str, findings: &mut Findings) {
        self.key = None;
        if name == DEFAULT {
            self.place = Some(Place::Defaults);
            return;
        }
        let ini = &mut *self.ini;
        let place = match ini.places.get(name) {
            Some(place) => *place,
            None if ini.sections.len() >= MAX_SECTIONS => {
                let message = format!("there are more than {MAX_SECTIONS} sections");
                findings.error(Problem::at(self.path, number, message).hinted("is it the right file?"));
                return;
            }
            None => {
                let (name, path) = (name.to_owned(), self.path.to_owned());
                ini.places.insert(name.clone(), ini.sections.len());
                ini.sections.push(Section { name, path, line: number, keys: BTreeMap::new() });
                ini.sections.len() - 1
            }
        };
        self.place = Some(Place::Section(place));
    }

    fn key_line(&mut self, number: u32, value: &str, findings: &mut Findings) {
        let wrong = |message: String, hint: &str| Problem::at(self.path, number, message).hinted(hint);
        if self.place.is_none() {
            let message = format!("{} stands before any `[section]`", shown(value));
            findings.error(wrong(message, "begin the file with a section, such as `[supervisord]`"));
            return;
        }
        let Some((key, text)) = value.split_once(['=', ':']) else {
            let message = format!("{} is neither `key=value` nor a section", shown(value));
            findings.error(wrong(
                message,
                "write `key=value`; indent a line that goes on with the value before it",
            ));
            return;
        };
        let key = key.trim_end_matches(is_space).to_lowercase();
        if key.is_empty() {
            findings.error(wrong(format!("there is no key before {}", shown(value)), "write `key=value`"));
            return;
        }
        let lines = vec![text.trim_matches(is_space).to_owned()];
        let name = self.section_name();
        if let Some((before, _)) = self.said.insert((name.clone(), key.clone()), (number, lines)) {
            let message = format!("`{key}` of [{name}] is said on line {before} too: only this one counts");
            findings.warn(wrong(message, "remove one of the lines, or give one section another name"));
        }
        self.key = Some(key);
    }

    fn section_name(&self) -> String {
        match self.place {
            Some(Place::Section(place)) => self.ini.sections[place].name.clone(),
            Some(Place::Defaults) | None => DEFAULT.to_owned(),
        }
    }

    fn go_on(&mut self, text: String) {
        if let Some(key) = &self.key {
            let place = (self.section_name(), key.clone());
            if let Some((_, lines)) = self.said.get_mut(&place) {
                lines.push(text);
            }
        }
    }

    fn join(self) {
        for ((section, key), (line, lines)) in self.said {
            let text = lines.join("\n").trim_end_matches(is_space).to_owned();
            let said = Said { text, path: self.path.to_owned(), line };
            match self.ini.places.get(&section) {
                Some(place) => self.ini.sections[*place].keys.insert(key, said),
                None => self.ini.defaults.insert(key, said),
            };
        }
    }
}

/// A blank, as Python has it.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Where the comment of a line begins. Python looks at the first `;` and the first `#`, then at the second of each and
/// so on, and stops where one of the two follows a blank.
fn comment_start(chars: &[char]) -> Option<usize> {
    if let Some(';' | '#') = chars.iter().find(|c| !is_space(**c)) {
        return Some(0);
    }
    let places = |prefix| (0..chars.len()).filter(move |at| chars[*at] == prefix);
    let begins = |at: &usize| *at == 0 || is_space(chars[*at - 1]);
    let (mut semicolons, mut hashes) = (places(';'), places('#'));
    loop {
        let pair = [semicolons.next(), hashes.next()];
        if let Some(at) = pair.into_iter().flatten().filter(begins).min() {
            return Some(at);
        }
        if pair == [None, None] {
            return None;
        }
    }
}

/// The name of a section: all between the first bracket and the last.
fn header(value: &str) -> Option<&str> {
    let inner = value.strip_prefix('[')?;
    let end = inner.rfind(']')?;
    (end > 0).then(|| &inner[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> (Ini, Findings) {
        let (mut ini, mut findings) = (Ini::default(), Findings::default());
        for (number, text) in texts.iter().enumerate() {
            ini.read(Path::new(&format!("f{number}")), text, &mut findings);
        }
        (ini, findings)
    }

    fn value<'a>(ini: &'a Ini, section: &str, key: &str) -> Option<(&'a str, u32)> {
        ini.get(section, key).map(|said| (said.text.as_str(), said.line))
    }

    #[test]
    fn values_comments_and_continuations_are_as_python_has_them() {
        let text = "; c\n[a] tail\nKEY : v ; x\nB=1#2;3\n  more\n\n  last\n\n# no\nc = sh -c \"x ;y\"\nd=a;b ;c #d\n[a]b]\ne=\n";
        let (ini, _) = read(&[text]);
        assert_eq!(value(&ini, "a", "key"), Some(("v", 3)));
        assert_eq!(value(&ini, "a", "b"), Some(("1#2;3\nmore\n\nlast", 4)));
        assert_eq!(value(&ini, "a", "c"), Some(("sh -c \"x", 10)));
        assert_eq!(value(&ini, "a", "d"), Some(("a;b ;c", 11)), "the first of each is looked at together");
        assert_eq!(value(&ini, "a]b", "e"), Some(("", 13)));
    }

    #[test]
    fn sections_merge_over_files_and_default_holds_for_all() {
        let (ini, findings) = read(&["[p]\na=1\nb=1\n[DEFAULT]\nd=4\n", "[q]\n[p]\na=2\n"]);
        assert_eq!((value(&ini, "p", "a"), value(&ini, "p", "b")), (Some(("2", 3)), Some(("1", 3))));
        assert_eq!((value(&ini, "q", "d"), value(&ini, "q", "b")), (Some(("4", 5)), None));
        assert_eq!(ini.sections.iter().map(|section| section.name.as_str()).collect::<Vec<_>>(), ["p", "q"]);
        assert_eq!(findings.finish().unwrap(), []);
    }

    #[test]
    fn what_is_probably_not_meant_so_is_told() {
        let (_, findings) = read(&["[p]\ncommand=sh -c \"a ; b\"\nx=1\nx=2\n"]);
        let warnings: Vec<String> = findings.finish().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(
            warnings,
            [
                "f0:2: `; b\"` is a comment here, no part of the command",
                "f0:4: `x` of [p] is said on line 3 too: only this one counts"
            ]
        );
    }

    #[test]
    fn other_lines_are_errors_with_their_place() {
        for (text, message) in [
            ("a=1", "f0:1: `a=1` stands before any `[section]`"),
            ("[p]\nword", "f0:2: `word` is neither `key=value` nor a section"),
            ("[p]\n=x", "f0:2: there is no key before `=x`"),
        ] {
            assert_eq!(read(&[text]).1.finish().unwrap_err().to_string(), message);
        }
    }
}
