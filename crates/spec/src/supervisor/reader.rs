//! Reads values of sections: expanded, converted, and told with their place if they are wrong.

use std::collections::BTreeMap;

use super::each::Known;
use super::expand::{self, BadFormat};
use super::ini::{Ini, Said, Section};
use super::value::{self, Paths, Value};
use super::waits::Waits;
use crate::problem::{Findings, Problem};
use crate::procfile::shown;
use crate::suggest::suggest;

/// What names stand for in some values.
pub(crate) type Names = BTreeMap<String, Known>;

/// The files, and what is known while they are read.
pub(crate) struct Reader<'a> {
    pub(crate) ini: &'a Ini,
    pub(crate) findings: &'a mut Findings,
    /// Variables, as `ENV_NAME`.
    pub(crate) env: Names,
    /// The directory of the file.
    pub(crate) here: String,
    pub(crate) host: String,
    pub(crate) paths: Paths,
    /// So many bytes of expanded texts were looked at.
    pub(crate) looked: usize,
    /// What groups wait for, by their names.
    pub(crate) waits: BTreeMap<String, Waits>,
}

impl Reader<'_> {
    /// What is known everywhere beside variables.
    pub(crate) fn usual(&self) -> Names {
        BTreeMap::from([("here".to_owned(), Known::Text(self.here.clone()))])
    }

    /// The name behind the colon of a section's; none if it is no name, which is told.
    pub(crate) fn name_of(&mut self, section: &Section) -> Option<String> {
        let said = section.name.split_once(':').map_or("", |(_, name)| name);
        let wrong = match value::name(said) {
            Ok(name) => return Some(name),
            Err(wrong) => wrong,
        };
        let problem = section.problem(format!("[{}]: {}", section.name, wrong.message));
        self.findings.error(problem.hinted(wrong.hint));
        None
    }

    /// What is said of a key, as it stands.
    pub(crate) fn raw(&self, section: &str, key: &str) -> Option<Said> {
        self.ini.get(section, key).cloned()
    }

    /// What is said of a key, expanded.
    pub(crate) fn text(&mut self, section: &str, key: &str, names: &Names) -> Option<Said> {
        let said = self.raw(section, key)?;
        let lookup = |name: &str| names.get(name).or_else(|| self.env.get(name)).map(Known::value);
        match expand::expand(&said.text, &lookup) {
            Ok(text) => Some(Said { text, ..said }),
            Err(bad) => {
                self.findings.error(unexpanded(&said, key, &bad, names));
                None
            }
        }
    }

    /// The value of a key; none if nothing is said, or nothing that makes sense.
    pub(crate) fn value<T>(
        &mut self,
        section: &str,
        key: &str,
        names: &Names,
        convert: impl FnOnce(&str) -> Value<T>,
    ) -> Option<T> {
        let said = self.text(section, key, names)?;
        self.converted(&said, key, convert(&said.text))
    }

    /// A value that was converted; what is wrong with it is told.
    pub(crate) fn converted<T>(&mut self, said: &Said, key: &str, value: Value<T>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(wrong) => {
                let problem = said.problem(format!("`{key}`: {}", wrong.message));
                self.findings.error(problem.hinted(wrong.hint));
                None
            }
        }
    }
}

/// A problem with a text that cannot be expanded.
pub(crate) fn unexpanded(said: &Said, key: &str, bad: &BadFormat, names: &Names) -> Problem {
    match bad {
        BadFormat::Bad { message, hint } => {
            let text = shown(&said.text);
            said.problem(format!("`{key}`: {text} is badly formatted: {message}")).hinted(hint.clone())
        }
        BadFormat::Unknown(name) => {
            let problem = said.problem(format!("`{key}`: `%({name})s` stands for nothing here"));
            problem.hinted(unknown_name(name, names))
        }
    }
}

/// What to do about a name that nobody knows. The names of variables are not listed: they may be nobody's business.
fn unknown_name(name: &str, names: &Names) -> String {
    if name == "process_num" || name == "numprocs" {
        return format!(
            "`{name}` is known in `process_name`, `command`, `environment`, `directory`, the keys of log files, and what \
             probes ask"
        );
    }
    if let Some(variable) = name.strip_prefix("ENV_") {
        return format!(
            "set {variable} where ganger is started, or in `environment` of [supervisord]; what a program's own \
             `environment` says is known in its `command`, `directory` and log files"
        );
    }
    let known = || names.keys().map(String::as_str);
    let list = || known().collect::<Vec<_>>().join(", ");
    match suggest(name, known()) {
        Some(near) => format!("did you mean `%({near})s`?"),
        None => {
            format!("known: {}, and ENV_ with the name of a variable; a plain `%` is written `%%`", list())
        }
    }
}
