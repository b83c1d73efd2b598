//! Env files: a superset of what Foreman and Overmind read. `docs/formats.md` says it for users.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::problem::{Findings, Problem};
use crate::procfile::shown;
use crate::{Origin, Variable};

/// The longest value: the kernel takes no longer ones.
pub const MAX_VALUE_BYTES: usize = 128 * 1024;
/// The most that the values of one file have together: about what the kernel gives to a process.
pub const MAX_ENV_BYTES: usize = 2 * 1024 * 1024;

/// What a name of a variable is.
pub(crate) const NAME_RULE: &str = "a name has letters, digits, `_` and `.`";

const FORM: &str = "a line is `NAME=value`; a comment begins with #";

/// Reads `text`; `known` is asked for what an expansion names and the file has not said.
pub(crate) fn parse(
    path: &Path,
    text: &str,
    known: impl Fn(&str) -> Option<String>,
    findings: &mut Findings,
) -> Vec<Variable> {
    let mut reader = Reader {
        path,
        text,
        at: 0,
        line: 1,
        known,
        variables: Vec::new(),
        places: BTreeMap::new(),
        size: 0,
        findings,
    };
    while reader.at < text.len() {
        let start = reader.line;
        if let Err(problem) = reader.entry() {
            let line = problem.line.or(Some(start));
            reader.findings.error(Problem { path: Some(path.to_owned()), line, ..problem });
            reader.skip_line();
        }
    }
    reader.variables
}

/// Where the reader is in a file. Moves by whole characters only.
struct Reader<'a, K> {
    path: &'a Path,
    text: &'a str,
    at: usize,
    line: u32,
    known: K,
    variables: Vec<Variable>,
    /// Where in them each name was said last.
    places: BTreeMap<String, usize>,
    /// The bytes of all values so far.
    size: usize,
    findings: &'a mut Findings,
}

impl<'a, K: Fn(&str) -> Option<String>> Reader<'a, K> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        self.line += u32::from(c == '\n');
        Some(c)
    }

    fn rest_of_line(&self) -> &'a str {
        self.rest().split('\n').next().unwrap_or_default()
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|c| c != '\n') {}
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\r']).len();
    }

    /// One line, or as many as a quoted value has.
    fn entry(&mut self) -> Result<(), Problem> {
        self.skip_blanks();
        let rest = self.rest_of_line();
        if rest.is_empty() || rest.starts_with('#') {
            self.skip_line();
            return Ok(());
        }
        let line = self.line;
        let name = self.name(rest)?;
        self.skip_blanks();
        let value = match self.rest().chars().next() {
            Some('\'') => self.single_quoted()?,
            Some('"') => self.double_quoted()?,
            Some(_) | None => self.unquoted()?,
        };
        self.check_size(&name, &value)?;
        self.skip_line();
        let origin = Origin::File { path: self.path.to_owned(), line };
        self.places.insert(name.clone(), self.variables.len());
        self.variables.push(Variable { name, value, origin });
        Ok(())
    }

    fn check_size(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        if value.len() > MAX_VALUE_BYTES {
            let message = format!("the value of `{name}` is longer than {MAX_VALUE_BYTES} bytes");
            return Err(Problem::new(message).hinted("put it into a file, and the file's name here"));
        }
        self.size += value.len();
        if self.size > MAX_ENV_BYTES {
            self.at = self.text.len();
            let message = format!("the values of this file are longer than {MAX_ENV_BYTES} bytes together");
            return Err(Problem::new(message).hinted("more cannot be given to a process"));
        }
        Ok(())
    }

    /// The name, and the separator after it.
    fn name(&mut self, rest: &str) -> Result<String, Problem> {
        let Some(end) = rest.find(['=', ':']) else {
            return Err(Problem::new(format!("no `=` in {}", shown(rest.trim_end()))).hinted(FORM));
        };
        let said = rest[..end].trim();
        let name = match said.strip_prefix("export") {
            Some(after) if after.starts_with([' ', '\t']) => after.trim_start(),
            Some(_) | None => said,
        };
        if name.is_empty() || !name.chars().all(is_name_char) {
            return Err(Problem::new(format!("{} is no name of a variable", shown(name))).hinted(NAME_RULE));
        }
        self.at += end + 1;
        Ok(name.to_owned())
    }

    fn single_quoted(&mut self) -> Result<String, Problem> {
        let line = self.line;
        self.next();
        let mut value = String::new();
        loop {
            match self.next() {
                Some('\'') => break,
                Some(c) => value.push(c),
                None => return Err(unclosed('\'', line)),
            }
        }
        self.nothing_after_quote()?;
        Ok(value)
    }

    fn double_quoted(&mut self) -> Result<String, Problem> {
        let line = self.line;
        self.next();
        let mut value = String::new();
        loop {
            match self.next() {
                Some('"') => break,
                Some('\\') => match self.next() {
                    Some('n') => value.push('\n'),
                    Some('t') => value.push('\t'),
                    Some('r') => value.push('\r'),
                    Some('\n') => {}
                    Some(c) => value.push(c),
                    None => return Err(unclosed('"', line)),
                },
                Some('$') => self.expand(&mut value)?,
                Some(c) => value.push(c),
                None => return Err(unclosed('"', line)),
            }
        }
        self.nothing_after_quote()?;
        Ok(value)
    }

    fn nothing_after_quote(&self) -> Result<(), Problem> {
        let rest = self.rest_of_line();
        let after = rest.trim();
        if after.is_empty() || (after.starts_with('#') && rest.starts_with([' ', '\t'])) {
            return Ok(());
        }
        let problem = Problem {
            line: Some(self.line),
            ..Problem::new(format!("{} after the closing quote", shown(after)))
        };
        Err(problem.hinted("put the whole value into quotes, or a space before the comment"))
    }

    /// Up to the end of the line, or to a `#` after a blank.
    fn unquoted(&mut self) -> Result<String, Problem> {
        let mut value = String::new();
        let mut kept = 0;
        let mut blank = true;
        while let Some(c) = self.rest().chars().next() {
            if c == '\n' || (c == '#' && blank) {
                break;
            }
            self.next();
            blank = c == ' ' || c == '\t' || c == '\r';
            match c {
                '$' => self.expand(&mut value)?,
                '\\' if self.rest().starts_with('$') => value.extend(self.next()),
                _ => value.push(c),
            }
            if !blank {
                kept = value.len();
            }
        }
        value.truncate(kept);
        Ok(value)
    }

    /// What follows a dollar: a variable, or nothing that means something.
    fn expand(&mut self, value: &mut String) -> Result<(), Problem> {
        let rest = self.rest_of_line();
        if let Some(inner) = rest.strip_prefix('{') {
            let end = inner.find('}').ok_or_else(|| self.bad_expansion(rest))?;
            self.at += end + 2;
            let (name, default) = match inner[..end].split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (&inner[..end], None),
            };
            let nested = default.is_some_and(|default| default.contains("${"));
            if name.is_empty() || nested || !name.chars().all(is_name_char) {
                return Err(self.bad_expansion(&rest[..end + 2]));
            }
            self.expand_name(name, default, value);
            return Ok(());
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end == 0 || rest.starts_with(|c: char| c.is_ascii_digit()) {
            value.push('$');
            return Ok(());
        }
        self.at += end;
        self.expand_name(&rest[..end], None, value);
        Ok(())
    }

    fn expand_name(&mut self, name: &str, default: Option<&str>, value: &mut String) {
        let said = self.places.get(name).map(|place| &self.variables[*place]);
        let found = said.map(|variable| variable.value.clone()).or_else(|| (self.known)(name));
        match (found, default) {
            // Longer than any value may be: it is refused, however often it is named.
            (Some(_), _) if value.len() > MAX_VALUE_BYTES => {}
            (Some(text), None) => value.push_str(&text),
            (Some(text), Some(_)) if !text.is_empty() => value.push_str(&text),
            (_, Some(default)) => value.push_str(default),
            (None, None) => {
                let message = format!("${name} is not set: it is empty here");
                let hint = "for a dollar as it is, write the value in single quotes; for a default, ${NAME:-default}";
                self.findings.warn(Problem::at(self.path, self.line, message).hinted(hint));
            }
        }
    }

    fn bad_expansion(&self, text: &str) -> Problem {
        let hint = "write `${NAME}` or `${NAME:-default}`, or single quotes for a dollar as it is";
        let problem = Problem::new(format!("{} cannot be expanded", shown(&format!("${text}"))));
        Problem { line: Some(self.line), ..problem.hinted(hint) }
    }
}

fn unclosed(quote: char, line: u32) -> Problem {
    let hint = match quote {
        '"' => "end the value with \", or write a quote in it as \\\"".to_owned(),
        other => format!("end the value with {other}, or put it into double quotes"),
    };
    let problem = Problem::new(format!("the quote {quote} is never closed"));
    Problem { line: Some(line), ..problem.hinted(hint) }
}

pub(crate) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

/// The value as an env file says it, so that it reads back as it is. A NUL cannot be said.
pub fn quote(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c);
    if value.chars().all(plain) {
        return value.to_owned();
    }
    if !value.contains(['\'', '\r']) {
        return format!("'{value}'");
    }
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '"' | '\\' | '$' => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\{c}");
            }
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
