//! `.foreman`: Foreman's file of defaults for its command line; flat YAML.

use std::path::Path;

use crate::input::numbered;
use crate::problem::{Findings, Problem};
use crate::procfile::shown;
use crate::suggest::hint_for;

/// A value and the line that says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said<T> {
    pub(crate) value: T,
    pub(crate) line: u32,
}

/// What a `.foreman` file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) formation: Option<Said<String>>,
    pub(crate) port: Option<Said<String>>,
    pub(crate) procfile: Option<Said<String>>,
    pub(crate) root: Option<Said<String>>,
    pub(crate) env: Option<Said<String>>,
    pub(crate) timeout: Option<Said<String>>,
    pub(crate) timestamp: Option<bool>,
    pub(crate) color: Option<bool>,
}

const KEYS: [&str; 9] =
    ["formation", "concurrency", "port", "procfile", "root", "env", "timeout", "timestamp", "color"];

pub(crate) fn parse(path: &Path, text: &str, findings: &mut Findings) -> Defaults {
    let mut defaults = Defaults::default();
    for (line, text) in numbered(text) {
        if text.trim().is_empty() || text.trim_start().starts_with('#') || text.trim_end() == "---" {
            continue;
        }
        let placed = |problem: Problem| Problem { path: Some(path.to_owned()), line: Some(line), ..problem };
        match pair(text).and_then(|(key, value)| set(&mut defaults, key, value, line)) {
            Ok(None) => {}
            Ok(Some(warning)) => findings.warn(placed(warning)),
            Err(problem) => findings.error(placed(problem)),
        }
    }
    defaults
}

fn pair(text: &str) -> Result<(&str, Option<String>), Problem> {
    let hint = "`.foreman` has a line `key: value` for each option and nothing inside it";
    let wrong = |what: &str| Problem::new(format!("{} {what}", shown(text.trim()))).hinted(hint);
    if text.starts_with([' ', '\t', '-']) {
        return Err(wrong("is nested"));
    }
    let (key, value) = text.split_once(':').ok_or_else(|| wrong("has no `key:`"))?;
    if !value.is_empty() && !value.starts_with([' ', '\t']) {
        return Err(wrong("has no space after the colon"));
    }
    let value = value.trim();
    if value.starts_with(['{', '[', '|', '>', '&', '*', '!']) {
        return Err(wrong("is nested"));
    }
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote) {
            let (inner, rest) =
                inner.split_once(quote).ok_or_else(|| wrong("has a quote that is never closed"))?;
            if !rest.trim().is_empty() && !rest.trim_start().starts_with('#') {
                return Err(wrong("goes on after the closing quote"));
            }
            return Ok((key.trim(), Some(inner.to_owned())));
        }
    }
    let value =
        if value.starts_with('#') { "" } else { value.split(" #").next().unwrap_or_default().trim_end() };
    Ok((key.trim(), (!value.is_empty() && value != "~" && value != "null").then(|| value.to_owned())))
}

fn set(
    defaults: &mut Defaults,
    key: &str,
    value: Option<String>,
    line: u32,
) -> Result<Option<Problem>, Problem> {
    let text = match key {
        "formation" | "concurrency" => &mut defaults.formation,
        "port" => &mut defaults.port,
        "procfile" => &mut defaults.procfile,
        "root" => &mut defaults.root,
        "env" => &mut defaults.env,
        "timeout" => &mut defaults.timeout,
        "timestamp" => return flag(&mut defaults.timestamp, key, value.as_deref()),
        "color" => return flag(&mut defaults.color, key, value.as_deref()),
        _ => {
            let warning = Problem::new(format!("unknown option {} is ignored", shown(key)));
            return Ok(Some(warning.maybe_hinted(hint_for(key, KEYS))));
        }
    };
    *text = value.map(|value| Said { value, line });
    Ok(None)
}

fn flag(place: &mut Option<bool>, key: &str, value: Option<&str>) -> Result<Option<Problem>, Problem> {
    *place = match value {
        None => None,
        Some("true" | "yes" | "on") => Some(true),
        Some("false" | "no" | "off") => Some(false),
        Some(other) => {
            let problem = Problem::new(format!("{} for `{key}` is neither true nor false", shown(other)));
            return Err(problem.hinted(format!("write `{key}: true` or `{key}: false`")));
        }
    };
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Defaults, Findings) {
        let mut findings = Findings::default();
        (parse(Path::new(".foreman"), text, &mut findings), findings)
    }

    #[test]
    fn flat_pairs_are_read() {
        let text = "---\n# defaults\nformation: web=2,all=1 # note\nport: 3000\nprocfile: \"Procfile.dev\"\n\
                    root: './x'\nenv: .env,.env.dev\ntimeout: 10\ntimestamp: false\ncolor: yes\n";
        let (defaults, findings) = read(text);
        assert_eq!(findings.finish().unwrap(), []);
        let said = |value: &str, line| Some(Said { value: value.to_owned(), line });
        let expected = Defaults {
            formation: said("web=2,all=1", 3),
            port: said("3000", 4),
            procfile: said("Procfile.dev", 5),
            root: said("./x", 6),
            env: said(".env,.env.dev", 7),
            timeout: said("10", 8),
            timestamp: Some(false),
            color: Some(true),
        };
        assert_eq!(defaults, expected);
        assert_eq!(read("concurrency: web=1").0.formation, said("web=1", 1));
        assert_eq!(read("port:\nenv: ~\ncolor: # none").0, Defaults::default());
    }

    #[test]
    fn an_unknown_option_is_a_warning() {
        let warnings = read("prot: 3\nport: 4").1.finish().unwrap();
        assert_eq!(warnings[0].to_string(), ".foreman:1: unknown option `prot` is ignored");
        assert_eq!(warnings[0].hint.as_deref(), Some("did you mean `port`?"));
    }

    #[test]
    fn anything_nested_or_unclear_is_an_error() {
        for (text, message) in [
            ("port: 1\n  web: 2", ".foreman:2: `web: 2` is nested"),
            ("- a", ".foreman:1: `- a` is nested"),
            ("env: [a, b]", ".foreman:1: `env: [a, b]` is nested"),
            ("formation: {web: 1}", ".foreman:1: `formation: {web: 1}` is nested"),
            ("env: |", ".foreman:1: `env: |` is nested"),
            ("port", ".foreman:1: `port` has no `key:`"),
            ("port:3", ".foreman:1: `port:3` has no space after the colon"),
            ("env: \"a", ".foreman:1: `env: \"a` has a quote that is never closed"),
            ("env: 'a' b", ".foreman:1: `env: 'a' b` goes on after the closing quote"),
            ("color: maybe", ".foreman:1: `maybe` for `color` is neither true nor false"),
        ] {
            assert_eq!(read(text).1.finish().unwrap_err().to_string(), message, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[ -~\\n\\t:#é'\"]{0,200}") {
            let _ = read(&text);
        }
    }
}
