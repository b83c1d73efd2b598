//! What differs from worker to worker of a program: its name, and the texts in which `%(process_num)s` stands.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::expand::{self, BadFormat, Value};
use super::group::{SupervisorGroup, SupervisorStream};
use super::probes::Question;
use super::value::Paths;
use super::words;
use crate::{Check, Group, LogFile, Origin, ProbeKind, Variable};

impl Known {
    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::Text(text.clone()),
        }
    }
}

/// What differs from worker to worker of a group. [`Spec::worker`](crate::Spec::worker) tells what comes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Each(Option<Box<Templates>>);

/// The texts of a program, as they are before they are expanded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Templates {
    /// `process_num` of worker 1.
    pub(crate) first: i64,
    pub(crate) name: String,
    /// The command of worker 1 as it is written.
    pub(crate) line: String,
    /// None if they are the same for every worker, as the group has them.
    pub(crate) texts: Option<Texts>,
    /// What the names in them stand for, beside `process_num` and the program's own variables.
    pub(crate) names: BTreeMap<String, Known>,
    /// Where the program's variables are said.
    pub(crate) origin: Origin,
    /// The URL at which a program reaches the server.
    pub(crate) server_url: Option<String>,
    /// Where a relative directory or file begins.
    pub(crate) base: PathBuf,
    /// What `~` stands for.
    pub(crate) home: Option<String>,
    /// What workers are asked, where each is asked something of its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) questions: BTreeMap<ProbeKind, Question>,
}

/// Texts that may differ from worker to worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Texts {
    pub(crate) command: String,
    pub(crate) environment: String,
    pub(crate) directory: Option<String>,
    pub(crate) stdout: Option<String>,
    pub(crate) stderr: Option<String>,
}

impl Texts {
    fn all(&self) -> impl Iterator<Item = &String> {
        let optional = [&self.directory, &self.stdout, &self.stderr].into_iter().flatten();
        [&self.command, &self.environment].into_iter().chain(optional)
    }
}

/// Whether a name stands in a text.
pub(crate) fn is_used(text: &str, name: &str) -> bool {
    text.contains(&format!("({name})"))
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Known {
    Number(i64),
    Text(String),
}

/// What a worker has for itself; what it has not is as its group says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    pub(crate) line: Option<String>,
    pub(crate) words: Option<Vec<String>>,
    pub(crate) env: Option<Vec<Variable>>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) out: Option<LogFile>,
    pub(crate) err: Option<LogFile>,
}

/// The texts of one worker.
#[derive(Debug)]
pub(crate) struct Expanded {
    pub(crate) line: String,
    pub(crate) env: Vec<Variable>,
    pub(crate) dir: Option<String>,
    pub(crate) out: Option<String>,
    pub(crate) err: Option<String>,
}

/// A text that cannot be expanded, and its key.
#[derive(Debug)]
pub(crate) struct BadText {
    pub(crate) key: &'static str,
    pub(crate) problem: BadFormat,
}

impl BadText {
    fn of(key: &'static str) -> impl Fn(BadFormat) -> Self {
        move |problem| Self { key, problem }
    }

    fn told(&self) -> String {
        match &self.problem {
            BadFormat::Unknown(name) => format!("`%({name})s` in its `{}` stands for nothing", self.key),
            BadFormat::Bad { message, .. } => format!("its `{}` is badly formatted: {message}", self.key),
        }
    }
}

impl From<Templates> for Each {
    fn from(templates: Templates) -> Self {
        Self(Some(Box::new(templates)))
    }
}

impl Each {
    /// The name of worker `number`, where it is not that of every group.
    pub(crate) fn name(&self, number: u32) -> Option<String> {
        let templates = self.0.as_ref()?;
        templates.process_name(templates.texts.as_ref(), number).ok()
    }

    /// What worker `number` has for itself.
    pub(crate) fn of(&self, group: &Group, number: u32) -> Result<Option<Own>, String> {
        let Some(templates) = &self.0 else { return Ok(None) };
        let Some(texts) = &templates.texts else {
            return Ok(Some(Own { line: Some(templates.line.clone()), ..Own::default() }));
        };
        let expanded = templates.expanded(texts, number).map_err(|bad| bad.told())?;
        let words = command_words(&expanded.line)?;
        let file = |text: Option<String>, usual: &LogFile, is_sent: bool| {
            text.map_or_else(|| usual.clone(), |text| log_file(&templates.paths(), &text).sent(is_sent))
        };
        let supervisor = group.supervisor.as_ref();
        let is_sent =
            |of: fn(&SupervisorGroup) -> SupervisorStream| supervisor.is_some_and(|own| of(own).syslog);
        Ok(Some(Own {
            words: Some(words),
            line: Some(expanded.line),
            env: Some(expanded.env),
            dir: expanded.dir.map(|dir| templates.base.join(dir)),
            out: Some(file(expanded.out, &group.logs.out, is_sent(|own| own.stdout))),
            err: Some(file(expanded.err, &group.logs.err, is_sent(|own| own.stderr))),
        }))
    }

    /// Variables that come below those of the app: what supervisord tells a program of itself.
    pub(crate) fn told(&self, group: &Group, number: u32) -> Vec<Variable> {
        let Some(templates) = &self.0 else { return Vec::new() };
        let said = [
            ("SUPERVISOR_ENABLED", Some("1".to_owned())),
            ("SUPERVISOR_SERVER_URL", templates.server_url.clone()),
            ("SUPERVISOR_PROCESS_NAME", self.name(number)),
            ("SUPERVISOR_GROUP_NAME", Some(group.family_name().to_owned())),
        ];
        let variable = |(name, value): (&str, Option<String>)| {
            Some(Variable { name: name.to_owned(), value: value?, origin: Origin::Ganger })
        };
        said.into_iter().filter_map(variable).collect()
    }

    /// Whether workers differ in more than their names.
    pub(crate) fn differs(&self) -> bool {
        self.0.as_ref().is_some_and(|templates| templates.texts.is_some() || !templates.questions.is_empty())
    }

    /// What worker `number` is asked for itself; none if it is what all are asked.
    pub(crate) fn check(&self, kind: ProbeKind, number: u32) -> Option<Check> {
        self.0.as_ref()?.asked(kind, number)
    }

    /// Whether workers are asked the same by both.
    pub fn asks_as(&self, other: &Self, kind: ProbeKind) -> bool {
        let question = |each: &Self| each.0.as_ref().and_then(|own| own.questions.get(&kind).cloned());
        question(self) == question(other)
    }

    /// Whether they are the same but for what workers are asked.
    pub(crate) fn runs_as(&self, other: &Self) -> bool {
        let unasked =
            |each: &Self| each.0.clone().map(|own| Templates { questions: BTreeMap::new(), ..*own });
        unasked(self) == unasked(other)
    }

    /// Whatever of it a run is made of, as texts.
    pub fn made_of(&self) -> Vec<String> {
        let Some(templates) = &self.0 else { return Vec::new() };
        let mut texts = vec![templates.first.to_string(), templates.name.clone()];
        texts.extend(templates.server_url.clone());
        if let Some(said) = &templates.texts {
            texts.extend([said.command.clone(), said.environment.clone()]);
            texts.extend(said.directory.clone());
        }
        for (name, known) in &templates.names {
            let value = match known {
                Known::Number(number) => number.to_string(),
                Known::Text(text) => text.clone(),
            };
            texts.extend([name.clone(), value]);
        }
        texts
    }
}

impl Templates {
    /// The `process_num` of worker `number`.
    pub(crate) fn number(&self, number: u32) -> i64 {
        self.first + i64::from(number) - 1
    }

    /// The variables of worker `number` that are not those of all, as names in a text.
    pub(crate) fn own_names(&self, number: u32) -> BTreeMap<String, String> {
        let own = self.texts.as_ref().and_then(|texts| self.own(texts, number).ok());
        named(&own.unwrap_or_default())
    }

    /// What a name stands for where the program's own variables are not known yet.
    fn known(&self, name: &str, number: u32) -> Option<Value> {
        if name == "process_num" {
            return Some(Value::Number(self.number(number)));
        }
        self.names.get(name).map(Known::value)
    }

    /// The name of worker `number`.
    pub(crate) fn process_name(&self, texts: Option<&Texts>, number: u32) -> Result<String, BadFormat> {
        let own = texts.and_then(|texts| self.own(texts, number).ok()).unwrap_or_default();
        let own = named(&own);
        expand::expand(&self.name, &|name| match own.get(name) {
            Some(value) => Some(Value::Text(value.clone())),
            None => self.known(name, number),
        })
    }

    /// The program's own variables.
    fn own(&self, texts: &Texts, number: u32) -> Result<Vec<words::Pair>, BadText> {
        let names = |name: &str| self.known(name, number);
        let environment = expand::expand(&texts.environment, &names).map_err(BadText::of("environment"))?;
        words::pairs(&environment).map_err(|error| BadText {
            key: "environment",
            problem: BadFormat::Bad { message: error.to_string(), hint: ENVIRONMENT_FORM.to_owned() },
        })
    }

    /// Whether workers differ in more than their names.
    pub(crate) fn differs(&self, texts: &Texts) -> bool {
        texts.all().any(|text| is_used(text, "process_num")) || self.name.contains("(ENV_")
    }

    /// The same with these texts, and with no names that nothing asks for.
    pub(crate) fn with(mut self, texts: Option<Texts>) -> Self {
        let asks = |name: &String| {
            let in_texts = texts.as_ref().is_some_and(|texts| texts.all().any(|text| is_used(text, name)));
            in_texts || is_used(&self.name, name)
        };
        let names = std::mem::take(&mut self.names);
        let names = names.into_iter().filter(|(name, _)| asks(name)).collect();
        Self { texts, names, ..self }
    }

    fn paths(&self) -> Paths {
        Paths { base: self.base.clone(), home: self.home.clone() }
    }

    /// The texts of worker `number`. The program's own variables are known in all but its `environment`.
    pub(crate) fn expanded(&self, texts: &Texts, number: u32) -> Result<Expanded, BadText> {
        let pairs = self.own(texts, number)?;
        let own = named(&pairs);
        let names = |name: &str| match own.get(name) {
            Some(value) => Some(Value::Text(value.clone())),
            None => self.known(name, number),
        };
        let one = |key, text: &Option<String>| {
            let text = text.as_ref().map(|text| expand::expand(text, &names).map_err(BadText::of(key)));
            text.transpose()
        };
        // Supervisord expands the names of log files twice.
        let twice = |key, text: &Option<String>| one(key, &one(key, text)?);
        let origin =
            |pair: words::Pair| Variable { name: pair.name, value: pair.value, origin: self.origin.clone() };
        Ok(Expanded {
            dir: one("directory", &texts.directory)?,
            out: twice("stdout_logfile", &texts.stdout)?,
            err: twice("stderr_logfile", &texts.stderr)?,
            line: expand::expand(&texts.command, &names).map_err(BadText::of("command"))?,
            env: pairs.into_iter().map(origin).collect(),
        })
    }
}

/// Variables, as names in a text.
fn named(pairs: &[words::Pair]) -> BTreeMap<String, String> {
    pairs.iter().map(|pair| (format!("ENV_{}", pair.name), pair.value.clone())).collect()
}

/// What an `environment` looks like.
pub(crate) const ENVIRONMENT_FORM: &str = "write `KEY=\"value\",KEY2=\"value\"`, each value in double quotes";

/// The words of a command. The sentences of the errors are supervisord's.
pub(crate) fn command_words(line: &str) -> Result<Vec<String>, String> {
    match words::split(line) {
        Ok(words) if words.is_empty() => Err("command is empty".to_owned()),
        Ok(words) => Ok(words),
        Err(error) => Err(format!("can't parse command {line:?}: {error}")),
    }
}

/// Where a log is whose file is said.
pub(crate) fn log_file(paths: &Paths, text: &str) -> LogFile {
    match text.to_lowercase().as_str() {
        "none" | "off" | "syslog" => LogFile::Dropped,
        "auto" => LogFile::Store,
        _ => LogFile::Path(paths.base.join(paths.with_home(text))),
    }
}
