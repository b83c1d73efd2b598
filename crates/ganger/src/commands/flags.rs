//! The command lines of other programs: flags with a value, switches, and the variables that stand for them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// A flag of a command.
pub(super) struct Flag {
    /// `port` for `--port`.
    pub(super) long: &'static str,
    pub(super) short: Option<char>,
    /// The variables that stand for it; the first that is set counts.
    pub(super) variables: &'static [&'static str],
    pub(super) kind: Kind,
    pub(super) help: &'static str,
}

/// What a flag is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has a value.
    Value,
    /// The same; said several times, all count.
    Values,
    /// It is said or not.
    Switch,
}

/// What a command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    values: BTreeMap<&'static str, Vec<String>>,
    /// The words that are no flags.
    pub(super) words: Vec<String>,
    /// Help is asked for.
    pub(super) help: bool,
}

impl Said {
    /// What was said of a flag last.
    pub(super) fn value(&self, long: &str) -> Option<&str> {
        self.values.get(long)?.last().map(String::as_str)
    }

    /// All that was said of a flag.
    pub(super) fn values(&self, long: &str) -> &[String] {
        self.values.get(long).map(Vec::as_slice).unwrap_or_default()
    }

    /// Says these of a flag, and nothing else.
    pub(super) fn set(&mut self, long: &'static str, values: Vec<String>) {
        self.values.insert(long, values);
    }

    pub(super) fn is_on(&self, long: &str) -> bool {
        self.value(long) == Some("true")
    }

    /// The parts of a comma list, without blanks and empty parts.
    pub(super) fn list(&self, long: &str) -> Vec<String> {
        let parts = self.value(long).unwrap_or_default().split(',').map(str::trim);
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// A number, if one is said.
    pub(super) fn number(&self, long: &str) -> Result<Option<u32>, String> {
        let Some(text) = self.value(long) else { return Ok(None) };
        text.trim()
            .parse()
            .map(Some)
            .map_err(|_| format!("invalid value \"{text}\" for --{long}: not a number"))
    }

    /// The words that say the same, each flag in its long form.
    pub(super) fn said(&self) -> Vec<String> {
        let flags = self
            .values
            .iter()
            .flat_map(|(long, values)| values.iter().map(move |value| format!("--{long}={value}")));
        flags.chain(self.words.iter().cloned()).collect()
    }
}

/// Reads `-f x`, `-f=x`, `--flag x`, `--flag=x` and, of a switch, `--no-flag`; where a flag is not said, its variables.
/// Flags end at `--`.
pub(super) fn parse(
    flags: &[Flag],
    words: &[String],
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Said, String> {
    let mut said = Said::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let name = match word.strip_prefix("--").or_else(|| word.strip_prefix('-')) {
            Some("") if word == "--" => {
                said.words.extend(words.cloned());
                break;
            }
            None | Some("") => {
                said.words.push(word.clone());
                continue;
            }
            Some(name) => name,
        };
        let (name, value) = name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
        if name == "help" || name == "h" {
            said.help = true;
            continue;
        }
        let denied = name.strip_prefix("no-").and_then(|name| find(flags, name));
        match (find(flags, name), denied) {
            (Some(Flag { long, kind: Kind::Switch, .. }), _) => {
                let on = value.map_or(Some(true), truth);
                let on =
                    on.ok_or_else(|| format!("invalid value \"{}\" for {word}", value.unwrap_or_default()))?;
                said.values.insert(long, vec![on.to_string()]);
            }
            (Some(Flag { long, kind, .. }), _) => {
                let value = value.map(str::to_owned).or_else(|| words.next().cloned());
                let value = value.ok_or_else(|| format!("flag needs an argument: {word}"))?;
                let values = said.values.entry(long).or_default();
                if *kind == Kind::Value {
                    values.clear();
                }
                values.push(value);
            }
            (None, Some(Flag { long, kind: Kind::Switch, .. })) if value.is_none() => {
                said.values.insert(long, vec![false.to_string()]);
            }
            (None, _) => return Err(format!("flag provided but not defined: {word}")),
        }
    }
    for flag in flags.iter().filter(|_| !said.help) {
        if !said.values.contains_key(flag.long)
            && let Some((name, value)) = of_variables(flag, &variable)
        {
            let value = match flag.kind {
                Kind::Value | Kind::Values => value,
                Kind::Switch => truth(&value)
                    .ok_or_else(|| format!("{name}: \"{value}\" is neither true nor false"))?
                    .to_string(),
            };
            said.values.insert(flag.long, vec![value]);
        }
    }
    Ok(said)
}

/// The first variable of a flag that is set, and not to nothing.
fn of_variables(flag: &Flag, variable: impl Fn(&str) -> Option<OsString>) -> Option<(&'static str, String)> {
    let set = |name: &&'static str| {
        let value = variable(name)?;
        (value != OsStr::new("")).then(|| (*name, value.to_string_lossy().into_owned()))
    };
    flag.variables.iter().find_map(set)
}

fn find<'a>(flags: &'a [Flag], name: &str) -> Option<&'a Flag> {
    let is_short = |flag: &Flag| flag.short.is_some_and(|short| name.chars().eq([short]));
    flags.iter().find(|flag| flag.long == name || is_short(flag))
}

/// As Go reads it.
fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The flags, a line each, as their program shows them.
pub(super) fn help(flags: &[Flag]) -> String {
    let rows: Vec<(String, &Flag)> = flags
        .iter()
        .filter(|flag| !flag.help.is_empty())
        .map(|flag| {
            let value = if flag.kind == Kind::Switch { "" } else { " value" };
            let short = flag.short.map(|short| format!(", -{short}{value}")).unwrap_or_default();
            (format!("--{}{value}{short}", flag.long), flag)
        })
        .collect();
    let width = rows.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
    let line = |(left, flag): (String, &Flag)| {
        let variables: Vec<String> = flag.variables.iter().map(|name| format!("${name}")).collect();
        let variables =
            if variables.is_empty() { String::new() } else { format!(" [{}]", variables.join(", ")) };
        format!("   {left:width$}  {}{variables}\n", flag.help)
    };
    rows.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: [Flag; 3] = [
        Flag {
            long: "port",
            short: Some('p'),
            variables: &["A_PORT", "PORT"],
            kind: Kind::Value,
            help: "the base",
        },
        Flag {
            long: "no-port",
            short: Some('N'),
            variables: &["A_NO_PORT"],
            kind: Kind::Switch,
            help: "none",
        },
        Flag { long: "file", short: None, variables: &[], kind: Kind::Values, help: "" },
    ];

    fn read(words: &[&str], variables: &[(&str, &str)]) -> Result<Said, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let of =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        parse(&FLAGS, &words, of)
    }

    #[test]
    fn every_spelling_of_a_flag_is_read() {
        for words in [["-p", "3"].as_slice(), &["-p=3"], &["--port", "3"], &["--port=3"], &["-port", "3"]] {
            let said = read(words, &[]).unwrap();
            assert_eq!((said.value("port"), said.number("port")), (Some("3"), Ok(Some(3))), "{words:?}");
        }
        let said = read(&["web", "-N", "--file=a", "--file=b", "--", "-p"], &[]).unwrap();
        assert_eq!(said.said(), ["--file=a", "--file=b", "--no-port=true", "web", "-p"]);
        assert!(!read(&["--no-port=false"], &[("A_NO_PORT", "1")]).unwrap().is_on("no-port"));
        assert!(read(&["-h", "-p", "1"], &[]).unwrap().help);
    }

    #[test]
    fn variables_stand_for_flags_that_are_not_said() {
        let both = [("A_PORT", "1"), ("PORT", "2")];
        assert_eq!(read(&[], &both).unwrap().value("port"), Some("1"));
        assert_eq!(read(&["-p", "3"], &both).unwrap().value("port"), Some("3"));
        assert_eq!(read(&[], &[("A_PORT", ""), ("PORT", "2")]).unwrap().value("port"), Some("2"));
        assert!(read(&[], &[("A_NO_PORT", "true")]).unwrap().is_on("no-port"));
        let error = read(&[], &[("A_NO_PORT", "maybe")]).unwrap_err();
        assert_eq!(error, "A_NO_PORT: \"maybe\" is neither true nor false");
    }

    #[test]
    fn what_is_no_flag_is_named() {
        assert_eq!(read(&["-z"], &[]).unwrap_err(), "flag provided but not defined: -z");
        assert_eq!(read(&["-p"], &[]).unwrap_err(), "flag needs an argument: -p");
        assert!(read(&["-p", "x"], &[]).unwrap().number("port").is_err());
        assert_eq!(help(&FLAGS).lines().count(), 2);
        assert!(help(&FLAGS).contains("--port value, -p value  the base [$A_PORT, $PORT]"));
    }
}
