//! `readiness_*` and `liveness_*`: what the processes of a program are asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::beyond::{duration, some_time};
use super::each::{Known, Templates, is_used};
use super::expand::{self, BadFormat};
use super::ini::Said;
use super::program::{MAX_LOOKED, Program};
use super::reader::{Names, Reader, unexpanded};
use super::value::{self, Value, Wrong};
use crate::ports::MAX_COUNT;
use crate::procfile::shown;
use crate::{Check, Command, Group, Probe, ProbeKind};

/// By which key a question is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Asks {
    Http,
    Tcp,
    Command,
}

/// What a worker is asked, before it is expanded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Question {
    asks: Asks,
    text: String,
    /// What the names in it stand for, beside `process_num` and the worker's own variables.
    names: BTreeMap<String, Known>,
}

/// Why there is no question.
enum BadQuestion {
    Format(BadFormat),
    Wrong(Wrong),
}

/// What to write for `*_http`.
const HTTP: &str = "programs of this file have no port of ganger's: write all of it, such as \
                    `http://127.0.0.1:8000/health`; `%(process_num)d` may stand in it";

impl Asks {
    fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Command => "command",
        }
    }

    fn check(self, text: &str) -> Value<Check> {
        let text = text.trim();
        let of = |(message, hint): (String, &'static str), own: &str| {
            let hint = if hint.contains("TLS") {
                "TLS is not spoken: ask the plain port, or by a command such as `curl -fsS https://…`"
            } else {
                own
            };
            Wrong { message, hint: hint.to_owned() }
        };
        match self {
            Self::Http => match Check::http(text).map_err(|error| of(error, HTTP))? {
                check if check.needs_port() => {
                    Err(Wrong { message: format!("{} names no port", shown(text)), hint: HTTP.to_owned() })
                }
                check => Ok(check),
            },
            Self::Tcp => Check::tcp(text).map_err(|error| of(error, "write a port, or `HOST:PORT`")),
            Self::Command if text.is_empty() || text.contains('\0') => {
                let hint = "write a line for the shell, such as `test -e ready`".to_owned();
                Err(Wrong { message: "the command is empty or has a NUL".to_owned(), hint })
            }
            Self::Command => Ok(Check::Command(Command::Line(text.to_owned()))),
        }
    }
}

impl Question {
    /// What worker `number` is asked.
    fn check(&self, templates: &Templates, number: u32) -> Result<Check, BadQuestion> {
        let own = templates.own_names(number);
        let lookup = |name: &str| match own.get(name) {
            Some(value) => Some(expand::Value::Text(value.clone())),
            None if name == "process_num" => Some(expand::Value::Number(templates.number(number))),
            None => self.names.get(name).map(Known::value),
        };
        let text = expand::expand(&self.text, &lookup).map_err(BadQuestion::Format)?;
        self.asks.check(&text).map_err(BadQuestion::Wrong)
    }

    /// Whether workers are asked different things.
    fn differs(&self, templates: &Templates) -> bool {
        is_used(&self.text, "process_num")
            || templates.texts.as_ref().is_some_and(|texts| is_used(&texts.environment, "process_num"))
                && self.text.contains("(ENV_")
    }
}

impl Templates {
    /// What worker `number` is asked for itself; none if it is what all are asked.
    pub(crate) fn asked(&self, kind: ProbeKind, number: u32) -> Option<Check> {
        self.questions.get(&kind)?.check(self, number).ok()
    }
}

impl Reader<'_> {
    /// What its workers are asked.
    pub(crate) fn probes(&mut self, program: &Program<'_>, group: &mut Group, templates: &mut Templates) {
        if !program.section.name.starts_with("eventlistener:") {
            group.readiness = self.probe(ProbeKind::Readiness, program, group, templates);
        }
        group.liveness = self.probe(ProbeKind::Liveness, program, group, templates);
    }

    fn probe(
        &mut self,
        kind: ProbeKind,
        program: &Program<'_>,
        group: &Group,
        templates: &mut Templates,
    ) -> Option<Probe> {
        let (key, names) = (program.section.name.as_str(), &program.names);
        let named = |what: &str| format!("{kind}_{what}");
        let asked: Vec<(Asks, Said)> = [Asks::Http, Asks::Tcp, Asks::Command]
            .into_iter()
            .filter_map(|asks| Some((asks, self.raw(key, &named(asks.word()))?)))
            .collect();
        let [(asks, said)] = asked.as_slice() else {
            self.tell_of_no_question(kind, key, asked.get(1).map(|(_, said)| said));
            return None;
        };
        let names_of = |text: &str| -> Names {
            let own =
                group.env.iter().map(|one| (format!("ENV_{}", one.name), Known::Text(one.value.clone())));
            let all = self.env.iter().chain(names).map(|(name, known)| (name.clone(), known.clone()));
            all.chain(own).filter(|(name, _)| is_used(text, name)).collect()
        };
        let question = Question { asks: *asks, text: said.text.clone(), names: names_of(&said.text) };
        let check = self.checked_question(&named(asks.word()), said, program, &question, templates)?;
        if question.differs(templates) {
            templates.questions.insert(kind, question);
        }
        let usual = Probe::new(kind, check);
        let interval = self.value(key, &named("interval"), names, some_time);
        let count = |text: &str| value::at_least_one(text, i64::from(i32::MAX));
        Some(Probe {
            delay: self.value(key, &named("delay"), names, duration).unwrap_or(usual.delay),
            interval: interval.unwrap_or(usual.interval),
            interval_ready: interval.unwrap_or(usual.interval_ready),
            timeout: self.value(key, &named("timeout"), names, some_time).unwrap_or(usual.timeout),
            failures: self.value(key, &named("failures"), names, count).unwrap_or(usual.failures),
            successes: self.value(key, &named("successes"), names, count).unwrap_or(usual.successes),
            check: usual.check,
        })
    }

    /// There is not one question: that is wrong if there are two, or if it is said how often none is asked.
    fn tell_of_no_question(&mut self, kind: ProbeKind, key: &str, second: Option<&Said>) {
        if let Some(said) = second {
            let problem = said.problem(format!("the {kind} probe of [{key}] asks two things at once"));
            self.findings.error(
                problem.hinted(format!("leave one of `{kind}_http`, `{kind}_tcp` and `{kind}_command`")),
            );
            return;
        }
        let more = ["delay", "interval", "timeout", "failures", "successes"];
        let said = more.iter().find_map(|what| self.raw(key, &format!("{kind}_{what}")));
        if let Some(said) = said {
            let problem = said.problem(format!("the {kind} probe of [{key}] asks nothing"));
            let hint = format!("add one of `{kind}_http`, `{kind}_tcp` and `{kind}_command`");
            self.findings.error(problem.hinted(hint));
        }
    }

    /// What the first worker is asked. Where they differ all are worked out, so that what is wrong with one shows now.
    fn checked_question(
        &mut self,
        key: &str,
        said: &Said,
        program: &Program<'_>,
        question: &Question,
        templates: &Templates,
    ) -> Option<Check> {
        let all = u32::try_from(program.numprocs).unwrap_or(0).clamp(1, MAX_COUNT);
        let last = if question.differs(templates) { all } else { 1 };
        let mut first = None;
        for number in 1..=last {
            if self.looked > MAX_LOOKED && number != 1 && number != last {
                continue;
            }
            self.looked += question.text.len();
            match question.check(templates, number) {
                Ok(check) => {
                    first.get_or_insert(check);
                }
                Err(BadQuestion::Format(bad)) => {
                    self.findings.error(unexpanded(said, key, &bad, &program.names));
                    return None;
                }
                Err(BadQuestion::Wrong(wrong)) => return self.converted(said, key, Err(wrong)),
            }
        }
        first
    }
}
