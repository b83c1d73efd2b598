//! `ganger.toml`, the native form: the tables as they are written, with their places.

mod reference;
mod tables;
mod values;

use std::ops::Range;
use std::path::{Path, PathBuf};

pub use reference::{reference_page, schema};
pub(crate) use tables::{
    AppTable, BackoffTable, BudgetTable, EnvTable, ForwardTable, GroupTable, LimitsTable, LogsTable,
    ProbeTable,
};
pub use values::parse_duration;
pub(crate) use values::{LogFileValue, MAX_DURATION, PortRule};

use crate::problem::Problem;
use crate::suggest::suggest;

/// A `ganger.toml` that has the right form; whether it makes sense is asked later.
#[derive(Debug)]
pub(crate) struct Native {
    path: PathBuf,
    text: String,
    pub(crate) table: AppTable,
}

impl Native {
    pub(crate) fn parse(path: &Path, text: String) -> Result<Self, Problem> {
        match toml::from_str(&text) {
            Ok(table) => Ok(Self { path: path.to_owned(), text, table }),
            Err(error) => Err(of_toml(path, &text, &error)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The line of a place in the file.
    pub(crate) fn line(&self, span: &Range<usize>) -> u32 {
        position(&self.text, span.start).0
    }

    /// A problem with what stands at this place.
    pub(crate) fn problem(&self, span: &Range<usize>, message: impl Into<String>) -> Problem {
        place(&self.path, &self.text, span, message.into())
    }
}

fn of_toml(path: &Path, text: &str, error: &toml::de::Error) -> Problem {
    let message = error.message().lines().next().unwrap_or("is no TOML");
    let problem = match error.span() {
        Some(span) => place(path, text, &span, String::new()),
        None => Problem::in_file(path, ""),
    };
    for (kind, subject) in [("unknown field ", "key"), ("unknown variant ", "value")] {
        if let Some(rest) = message.strip_prefix(kind) {
            let mut quoted = rest.split('`').skip(1).step_by(2);
            let word = quoted.next().unwrap_or_default();
            let known: Vec<&str> = quoted.collect();
            let hint = match suggest(word, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known: {}", known.join(", ")),
            };
            return Problem { message: format!("unknown {subject} `{word}`"), ..problem }.hinted(hint);
        }
    }
    Problem { message: in_plain_words(message), ..problem }
        .hinted("`ganger.toml` is TOML; docs/ganger.toml.md lists its keys")
}

/// What serde says of a value of another kind, without the names of Rust's types.
fn in_plain_words(message: &str) -> String {
    if let Some(wanted) = message.strip_prefix("wanted ") {
        return format!("write {}", wanted.replace("string", "text").replace("table", "a table"));
    }
    let said = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    let Some((found, expected)) = said.and_then(|said| said.split_once(", expected ")) else {
        return message.to_owned();
    };
    let whole = |least: i64, most: u64| format!("a whole number from {least} to {most}");
    let expected = match expected {
        "u8" => whole(0, u8::MAX.into()),
        "u16" => whole(0, u16::MAX.into()),
        "u32" => whole(0, u32::MAX.into()),
        "i32" => whole(i32::MIN.into(), i32::MAX.unsigned_abs().into()),
        "a boolean" => "true or false".to_owned(),
        "a string" | "path string" => "text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        name if name.starts_with("struct ") => "a table".to_owned(),
        said => said.to_owned(),
    };
    let found = match found {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        value => {
            let value = value.trim_start_matches(|letter: char| letter != '`' && letter != '"');
            format!("`{}`", value.trim_matches(['`', '"']))
        }
    };
    format!("{found} does not fit: write {expected}")
}

fn place(path: &Path, text: &str, span: &Range<usize>, message: String) -> Problem {
    let (line, column) = position(text, span.start);
    Problem { column: Some(column), ..Problem::at(path, line, message) }
}

/// Line and column of a place, counted from 1, the column in characters.
fn position(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
