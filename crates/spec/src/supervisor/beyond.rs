//! Keys of programs that supervisord passes over and ganger reads: what `ganger.toml` says, by the same words.
//!
//! What is a table there has its name before each key here: `backoff = { max = "30s" }` is `backoff_max=30s`. None of them
//! does anything where it is not written.

use std::time::Duration;

use super::group::SupervisorGroup;
use super::ini::is_space;
use super::program::Program;
use super::reader::{Names, Reader};
use super::value::{self, Value, Wrong};
use crate::groups::permille;
use crate::native::parse_duration;
use crate::procfile::shown;
use crate::suggest::hint_for;
use crate::watch::{USUAL_DEBOUNCE, USUALLY_IGNORED};
use crate::{Backoff, FileWatch, Group, OnFatal};

/// The keys that every program has.
pub(crate) const BEYOND: &[&str] = &[
    "attempts",
    "backoff_initial",
    "backoff_factor",
    "backoff_step",
    "backoff_max",
    "backoff_jitter",
    "on_fatal",
    "max_memory",
    "liveness_http",
    "liveness_tcp",
    "liveness_command",
    "liveness_delay",
    "liveness_interval",
    "liveness_timeout",
    "liveness_failures",
    "liveness_successes",
    "watch",
    "watch_ignore",
    "watch_usual_ignore",
    "watch_debounce",
    "watch_signal",
];

/// The keys that an event listener does not have: it hears all from the beginning, and says itself when it is ready.
pub(crate) const NOT_OF_LISTENERS: &[&str] = &[
    "depends_on",
    "readiness_http",
    "readiness_tcp",
    "readiness_command",
    "readiness_delay",
    "readiness_interval",
    "readiness_timeout",
    "readiness_failures",
    "readiness_successes",
];

/// The longest delay where one of these keys is said and that one is not.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// The keys of [`BEYOND`] that change how failed starts are followed by others.
const CURVE: [&str; 6] =
    ["attempts", "backoff_initial", "backoff_factor", "backoff_step", "backoff_max", "backoff_jitter"];

fn wrong<T>(text: &str, message: &str, hint: &str) -> Value<T> {
    Err(Wrong { message: format!("{} {message}", shown(text)), hint: hint.to_owned() })
}

pub(crate) fn duration(text: &str) -> Value<Duration> {
    parse_duration(text.trim_matches(is_space)).map_err(|error| match error.rsplit_once(": ") {
        Some((message, hint)) => Wrong { message: message.to_owned(), hint: hint.to_owned() },
        None => Wrong { message: error, hint: "write `30s`, `5m` or `1h`".to_owned() },
    })
}

/// A length of time that is more than none.
pub(crate) fn some_time(text: &str) -> Value<Duration> {
    match duration(text)? {
        Duration::ZERO => wrong(text, "is no time at all", "write `500ms`, `5s` or `1m`"),
        time => Ok(time),
    }
}

/// How many starts in a row may fail; none means without bound.
fn attempts(text: &str) -> Value<Option<u32>> {
    let hint = "write a number from 1 on, or `unlimited`";
    match text.trim_matches(is_space).to_lowercase().as_str() {
        "unlimited" => Ok(None),
        number => match value::at_least_one(number, i64::from(i32::MAX)) {
            Ok(number) => Ok(Some(number)),
            Err(_) => wrong(text, "is no number of starts", hint),
        },
    }
}

/// A number with a point, in thousandths.
fn between(text: &str, least: f64, most: f64) -> Value<u32> {
    match text.trim_matches(is_space).parse::<f64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(permille(number)),
        Ok(_) | Err(_) => wrong(
            text,
            &format!("is no number from {least} to {most}"),
            "write a number such as `2`, `1.5` or `0.1`",
        ),
    }
}

fn on_fatal(text: &str) -> Value<OnFatal> {
    match text.trim_matches(is_space).to_lowercase().as_str() {
        "shutdown" => Ok(OnFatal::Shutdown),
        "stay" => Ok(OnFatal::Stay),
        _ => {
            let message = format!("{} is nothing that can follow", shown(text));
            let hint = hint_for(text, ["shutdown", "stay"]).unwrap_or_default();
            Err(Wrong { message, hint })
        }
    }
}

/// A size as supervisord writes it, or as `ganger.toml` does: `300MB` and `300MiB` are the same.
fn memory(text: &str) -> Value<u64> {
    let lower = text.trim_matches(is_space).to_lowercase();
    let plain = ["k", "m", "g"].iter().find_map(|unit| {
        let digits = lower.strip_suffix(&format!("{unit}ib"))?.trim_end();
        Some(format!("{digits}{unit}b"))
    });
    let bytes = value::byte_size(&plain.unwrap_or(lower)).ok().and_then(|bytes| u64::try_from(bytes).ok());
    match bytes {
        Some(0) => {
            wrong(text, "is no memory to run in", "write a size such as `300MB`, or leave the key out")
        }
        Some(bytes) => Ok(bytes),
        None => {
            wrong(text, "is no size", "write bytes, or a number with `KB`, `MB` or `GB`, such as `300MB`")
        }
    }
}

fn globs(text: &str) -> Vec<String> {
    text.split(is_space).filter(|glob| !glob.is_empty()).map(str::to_owned).collect()
}

impl Reader<'_> {
    /// Reads them into the group.
    pub(crate) fn beyond(&mut self, program: &Program<'_>, supervisor: &SupervisorGroup, group: &mut Group) {
        let (key, names) = (program.section.name.as_str(), &program.names);
        if supervisor.listener.is_some() || key.starts_with("eventlistener:") {
            self.refuse(key);
        }
        self.curve(key, names, group);
        group.on_fatal = self.value(key, "on_fatal", names, on_fatal).unwrap_or_default();
        group.max_memory = self.value(key, "max_memory", names, memory);
        group.watch = self.watch(key, names, group);
        self.waits_of(key, names, &group.name);
    }

    /// What makes no sense for an event listener.
    fn refuse(&mut self, key: &str) {
        for name in NOT_OF_LISTENERS {
            if let Some(said) = self.raw(key, name) {
                let problem = said.problem(format!("`{name}` is no key of [{key}]"));
                let hint = "remove it: an event listener hears events from the beginning, and says itself when it is ready";
                self.findings.error(problem.hinted(hint));
            }
        }
    }

    /// How often a start that failed is tried again, and when.
    fn curve(&mut self, key: &str, names: &Names, group: &mut Group) {
        if CURVE.iter().all(|name| self.raw(key, name).is_none()) {
            return;
        }
        if let Some(attempts) = self.value(key, "attempts", names, attempts) {
            group.restart.attempts = attempts;
        }
        let usual = group.restart.backoff.clone();
        let initial = self.value(key, "backoff_initial", names, duration).unwrap_or(usual.initial);
        let factor = self.value(key, "backoff_factor", names, |text| between(text, 1.0, 100.0));
        let step = if factor.is_some() { Duration::ZERO } else { usual.step };
        let max = self.value(key, "backoff_max", names, duration);
        if let (Some(said), Some(_)) = (self.raw(key, "backoff_max"), max.filter(|max| *max < initial)) {
            let problem = said.problem("`backoff_max` is shorter than the first delay, `backoff_initial`");
            self.findings
                .error(problem.hinted("let `backoff_initial`, which is 1s by itself, be at most as long"));
        }
        group.restart.backoff = Backoff {
            initial,
            factor_permille: factor.unwrap_or(usual.factor_permille),
            step: self.value(key, "backoff_step", names, duration).unwrap_or(step),
            max: max.unwrap_or(LONGEST_DELAY.max(initial)),
            jitter_permille: self
                .value(key, "backoff_jitter", names, |text| between(text, 0.0, 1.0))
                .unwrap_or(usual.jitter_permille),
        };
    }

    /// The files that it is watched for; relative globs begin where it runs.
    fn watch(&mut self, key: &str, names: &Names, group: &Group) -> Option<FileWatch> {
        const MORE: [&str; 4] = ["watch_ignore", "watch_usual_ignore", "watch_debounce", "watch_signal"];
        let hint = "write globs with blanks between them: `watch=app/**/*.rb config`; `*`, `?`, `[a-z]`, `{a,b}` and `**` for \
                    any directories stand for names; a `watch_debounce` is at most 1m";
        let Some(said) = self.text(key, "watch", names) else {
            if self.raw(key, "watch").is_none()
                && let Some((name, said)) = MORE.iter().find_map(|name| Some((name, self.raw(key, name)?)))
            {
                let problem = said.problem(format!("`{name}` is said, and no `watch`"));
                self.findings.error(problem.hinted("write `watch=` with globs, or remove the key"));
            }
            return None;
        };
        let usual = self.flag(key, "watch_usual_ignore", names, true);
        let usual = if usual { &USUALLY_IGNORED[..] } else { &[] };
        let own = self.text(key, "watch_ignore", names).map(|said| globs(&said.text)).unwrap_or_default();
        let watch = FileWatch {
            base: group.dir.clone(),
            globs: globs(&said.text),
            ignore: usual.iter().map(|glob| (*glob).to_owned()).chain(own).collect(),
            debounce: self.value(key, "watch_debounce", names, duration).unwrap_or(USUAL_DEBOUNCE),
            signal: self.value(key, "watch_signal", names, value::signal),
        };
        if let Err(problem) = watch.check() {
            self.findings.error(said.problem(format!("`watch`: {}", problem.message)).hinted(hint));
        }
        Some(watch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_ganger_toml_and_supervisord_take_for_them() {
        assert_eq!((attempts(" Unlimited "), attempts("7")), (Ok(None), Ok(Some(7))));
        assert!(["0", "-1", "", "infinite", "1.5"].iter().all(|text| attempts(text).is_err()));
        for (text, bytes) in [("300MB", 300 << 20), ("300 MiB", 300 << 20), ("1gib", 1 << 30), ("4096", 4096)]
        {
            assert_eq!(memory(text), Ok(bytes), "{text}");
        }
        assert!(
            ["0", "0MB", "-1MB", "300M", "MiB", "", "16777216TB"].iter().all(|text| memory(text).is_err())
        );
        assert_eq!((between("1.5", 1.0, 100.0), between("0", 0.0, 1.0)), (Ok(1500), Ok(0)));
        assert!(["0.9", "101", "nan", "inf", "x", ""].iter().all(|text| between(text, 1.0, 100.0).is_err()));
        assert_eq!((duration(" 1m30s"), duration("0")), (Ok(Duration::from_secs(90)), Ok(Duration::ZERO)));
        assert!(some_time("0").is_err() && duration("a: b").is_err() && duration("9999d").is_err());
        let told = duration("soon").unwrap_err();
        assert_eq!(told.message, "`soon` is no duration");
        assert!(told.hint.starts_with("write `500ms`"), "{}", told.hint);
        assert_eq!((on_fatal("Shutdown"), on_fatal("stay")), (Ok(OnFatal::Shutdown), Ok(OnFatal::Stay)));
        assert_eq!(on_fatal("shutdwon").unwrap_err().hint, "did you mean `shutdown`?");
    }
}
