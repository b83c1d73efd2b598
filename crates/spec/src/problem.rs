//! What is wrong with a file or a command line, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One thing that is wrong: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file; none means the command line or the shell's environment, which the message then names.
    pub path: Option<PathBuf>,
    /// The line, counted from 1.
    pub line: Option<u32>,
    /// The column in characters, counted from 1.
    pub column: Option<u32>,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Something that ganger goes on with, but that is probably not meant so.
pub type Warning = Problem;

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { path: None, line: None, column: None, message: message.into(), hint: None }
    }

    pub(crate) fn in_file(path: &Path, message: impl Into<String>) -> Self {
        Self { path: Some(path.to_owned()), ..Self::new(message) }
    }

    pub(crate) fn at(path: &Path, line: u32, message: impl Into<String>) -> Self {
        Self { line: Some(line), ..Self::in_file(path, message) }
    }

    #[must_use]
    pub(crate) fn hinted(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same as it is told to somebody in this directory: what lies in it has its relative name.
    fn told_in(self, dir: &Path) -> Self {
        let prefix = format!("{}/", dir.display());
        let path = self.path.map(|path| path.strip_prefix(dir).map_or(path.clone(), Path::to_owned));
        Self { path, message: self.message.replace(&prefix, ""), ..self }
    }

    /// With a hint where there is one to give.
    #[must_use]
    pub(crate) fn maybe_hinted(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}:", path.display())?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
            }
            if let Some(column) = self.column {
                write!(f, "{column}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.message)
    }
}

/// Why there is no spec. Prints one line a problem; the hints are apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    problems: Vec<Problem>,
}

/// So many problems are told at once; the rest is counted.
pub const MAX_PROBLEMS: usize = 50;

impl LoadError {
    /// Everything that is wrong, in the order of the files.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What to do about it: each hint once, a line each.
    pub fn hint(&self) -> Option<String> {
        let mut hints: Vec<&str> = Vec::new();
        for hint in self.problems.iter().filter_map(|problem| problem.hint.as_deref()) {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        (!hints.is_empty()).then(|| hints.join("\n"))
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}

/// Problems as they are found: errors, which prevent a spec, and warnings. Bounded by [`MAX_PROBLEMS`] each.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    errors: Vec<Problem>,
    more_errors: usize,
    warnings: Vec<Warning>,
    more_warnings: usize,
}

impl Findings {
    pub(crate) fn error(&mut self, problem: Problem) {
        push_bounded(&mut self.errors, &mut self.more_errors, problem);
    }

    pub(crate) fn warn(&mut self, warning: Warning) {
        push_bounded(&mut self.warnings, &mut self.more_warnings, warning);
    }

    /// A group that the command line names is not there. That is an error, unless it may have gone since the start.
    pub(crate) fn no_group(&mut self, again: bool, problem: Problem) {
        if again { self.warn(Problem { hint: None, ..problem }) } else { self.error(problem) }
    }

    /// What was found in a part, as an error here, and its value if it has one.
    pub(crate) fn take<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problem) => {
                self.error(problem);
                None
            }
        }
    }

    /// How many errors are kept.
    pub(crate) fn errors(&self) -> usize {
        self.errors.len()
    }

    /// What was found to be an error after the first so many is only told of.
    pub(crate) fn soften(&mut self, after: usize) {
        for problem in self.errors.split_off(after.min(self.errors.len())) {
            self.warn(problem);
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// The same as compilers tell it: paths in `dir` from there.
    pub(crate) fn told_in(self, dir: &Path) -> Self {
        let told =
            |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.told_in(dir)).collect();
        Self { errors: told(self.errors), warnings: told(self.warnings), ..self }
    }

    /// The warnings, if nothing was an error.
    pub(crate) fn finish(self) -> Result<Vec<Warning>, LoadError> {
        if self.errors.is_empty() {
            return Ok(counted(self.warnings, self.more_warnings));
        }
        Err(LoadError { problems: counted(self.errors, self.more_errors) })
    }
}

fn push_bounded(list: &mut Vec<Problem>, more: &mut usize, problem: Problem) {
    if list.len() < MAX_PROBLEMS {
        list.push(problem);
    } else {
        *more += 1;
    }
}

fn counted(mut list: Vec<Problem>, more: usize) -> Vec<Problem> {
    if more > 0 {
        list.push(Problem::new(format!("and {more} more like these")));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(count: usize) -> LoadError {
        let mut findings = Findings::default();
        for line in 1..=count {
            let problem = Problem::at(Path::new("/app/Procfile"), u32::try_from(line).unwrap(), "bad");
            findings.error(problem.hinted("write it well"));
        }
        findings.finish().unwrap_err()
    }

    #[test]
    fn every_problem_is_a_line_and_a_hint_is_told_once() {
        let error = error_of(2);
        assert_eq!(error.to_string(), "/app/Procfile:1: bad\n/app/Procfile:2: bad");
        assert_eq!(error.hint().as_deref(), Some("write it well"));
    }

    #[test]
    fn what_lies_in_the_directory_has_its_relative_name() {
        let mut findings = Findings::default();
        findings.error(Problem::at(Path::new("/app/web/Procfile"), 3, "no file /app/web/x"));
        findings.error(Problem::at(Path::new("/app/web2/Procfile"), 3, "no file /app/x"));
        let error = findings.told_in(Path::new("/app/web")).finish().unwrap_err();
        assert_eq!(error.to_string(), "Procfile:3: no file x\n/app/web2/Procfile:3: no file /app/x");
    }

    #[test]
    fn problems_past_the_bound_are_counted() {
        assert_eq!(error_of(MAX_PROBLEMS).problems().len(), MAX_PROBLEMS);
        let error = error_of(MAX_PROBLEMS + 7);
        assert_eq!(error.problems().len(), MAX_PROBLEMS + 1);
        assert!(error.to_string().ends_with("\nand 7 more like these"), "{error}");
    }
}
