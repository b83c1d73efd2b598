//! The command line of `supervisorctl`: options, then an action and its arguments.

use std::path::PathBuf;

use super::config::{self, Settings};
use super::python::repr;

/// What the command line asks for.
pub(super) enum Parsed {
    Run(Options),
    /// `-h`: the text to print.
    Help(String),
}

/// What is to be done, and with whom.
pub(super) struct Options {
    pub(super) settings: Settings,
    /// Whether there is somebody to ask.
    pub(super) interactive: bool,
    /// The action and its arguments; none for a session.
    pub(super) action: Vec<String>,
}

/// A short and a long name; whether a value follows.
const OPTIONS: [(char, &str, bool); 7] = [
    ('h', "help", false),
    ('c', "configuration", true),
    ('i', "interactive", false),
    ('s', "serverurl", true),
    ('u', "username", true),
    ('p', "password", true),
    ('r', "history_file", true),
];

/// What stands on the command line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Given {
    help: bool,
    configuration: Option<String>,
    interactive: bool,
    serverurl: Option<String>,
    username: Option<String>,
    password: Option<String>,
    history_file: Option<String>,
    action: Vec<String>,
}

/// Reads the command line and the file; an error is what to print on stderr.
pub(super) fn parse(program: &str, words: &[String]) -> Result<Parsed, String> {
    let usage = |message: String| format!("Error: {message}\nFor help, use {program} -h\n");
    let given = given(words).map_err(usage)?;
    if given.help {
        return Ok(Parsed::Help(help(program)));
    }
    let file = given.configuration.map(PathBuf::from).or_else(|| config::find(program));
    let mut settings = match file {
        Some(file) => config::read(&file).map_err(usage)?,
        None => Settings::default(),
    };
    settings.server_url = given.serverurl.unwrap_or(settings.server_url);
    settings.username = given.username.or(settings.username);
    settings.password = given.password.or(settings.password);
    settings.history_file = given.history_file.map(PathBuf::from).or(settings.history_file);
    let interactive = given.interactive || given.action.is_empty();
    Ok(Parsed::Run(Options { settings, interactive, action: given.action }))
}

/// As Python's `getopt` has it: options end at the first word that is none, long names may be cut short.
fn given(words: &[String]) -> Result<Given, String> {
    let mut given = Given::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            given.action = words.cloned().collect();
            break;
        }
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let (short, full, takes) = long_option(name)?;
            let value = match (takes, value) {
                (true, Some(value)) => Some(value.to_owned()),
                (true, None) => {
                    let next = words.next().cloned();
                    Some(next.ok_or_else(|| format!("option --{full} requires argument"))?)
                }
                (false, Some(_)) => return Err(format!("option --{full} must not have an argument")),
                (false, None) => None,
            };
            given.set(short, &format!("--{full}"), value)?;
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            let mut letters = letters.chars();
            while let Some(letter) = letters.next() {
                let value = if short_option(letter)? {
                    let rest = std::mem::replace(&mut letters, "".chars()).as_str().to_owned();
                    let value = if rest.is_empty() { words.next().cloned() } else { Some(rest) };
                    Some(value.ok_or_else(|| format!("option -{letter} requires argument"))?)
                } else {
                    None
                };
                given.set(letter, &format!("-{letter}"), value)?;
            }
        } else {
            given.action = std::iter::once(word).chain(words).cloned().collect();
            break;
        }
    }
    Ok(given)
}

/// Whether a value follows.
fn short_option(letter: char) -> Result<bool, String> {
    if letter == '?' {
        return Ok(false);
    }
    let known = OPTIONS.iter().find(|(short, _, _)| *short == letter);
    known.map(|(_, _, takes)| *takes).ok_or_else(|| format!("option -{letter} not recognized"))
}

fn long_option(name: &str) -> Result<(char, &'static str, bool), String> {
    if let Some(exact) = OPTIONS.iter().find(|(_, long, _)| *long == name) {
        return Ok(*exact);
    }
    let mut begun = OPTIONS.iter().filter(|(_, long, _)| long.starts_with(name));
    match (begun.next(), begun.next()) {
        (Some(only), None) => Ok(*only),
        (Some(_), Some(_)) => Err(format!("option --{name} not a unique prefix")),
        (None, _) => Err(format!("option --{name} not recognized")),
    }
}

impl Given {
    fn set(&mut self, letter: char, option: &str, value: Option<String>) -> Result<(), String> {
        let place = match letter {
            'c' => &mut self.configuration,
            's' => &mut self.serverurl,
            'u' => &mut self.username,
            'p' => &mut self.password,
            'r' => &mut self.history_file,
            'i' if self.interactive => return Err(conflicting(option)),
            'i' => {
                self.interactive = true;
                return Ok(());
            }
            _ => {
                self.help = true;
                return Ok(());
            }
        };
        if place.is_some() {
            return Err(conflicting(option));
        }
        if letter == 's'
            && let Some(url) = value.as_deref().filter(|url| !is_url(url))
        {
            let url = repr(url);
            return Err(format!("invalid value for {option} {url}: value {url} is not a URL"));
        }
        *place = value;
        Ok(())
    }
}

fn conflicting(option: &str) -> String {
    format!("conflicting command line option {}", repr(option))
}

/// Whether there are a scheme and something behind it.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|char| char.is_ascii_alphanumeric() || "+-.".contains(char));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    is_scheme && !rest.is_empty() && rest != "//"
}

fn help(program: &str) -> String {
    format!(
        "supervisorctl: talk to a supervisord, or to a ganger that took its place.

Usage: {program} [options] [action [arguments]]

Options:
-c/--configuration FILENAME: the configuration file; searched for if not given
-h/--help: print this and exit
-i/--interactive: ask before what cannot be undone
-s/--serverurl URL: where the server listens
     (default \"http://localhost:9001\")
-u/--username USERNAME: who asks
-p/--password PASSWORD: the password of that user
-r/--history_file FILENAME: keep what is typed there

Without an action a session begins, where actions are typed in one after the other.
The action \"help\" names them all.

"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_end_where_the_action_begins() {
        let given = given(&words("-s unix:///x -uu --pass=p -i tail -f a")).unwrap();
        assert_eq!(given.serverurl.as_deref(), Some("unix:///x"));
        assert_eq!((given.username.as_deref(), given.password.as_deref()), (Some("u"), Some("p")));
        assert!(given.interactive && !given.help);
        assert_eq!(given.action, ["tail", "-f", "a"]);
    }

    #[test]
    fn wrong_options_are_told_as_getopt_tells_them() {
        for (line, told) in [
            ("-x", "option -x not recognized"),
            ("--foo", "option --foo not recognized"),
            ("-c", "option -c requires argument"),
            ("--s", "option --serverurl requires argument"),
            ("--h=1", "option --h not a unique prefix"),
            ("-c a -c b", "conflicting command line option '-c'"),
            ("-i -i", "conflicting command line option '-i'"),
            ("-s x", "invalid value for -s 'x': value 'x' is not a URL"),
            ("--serverurl http://", "invalid value for --serverurl 'http://': value 'http://' is not a URL"),
            ("--interactive=1", "option --interactive must not have an argument"),
        ] {
            assert_eq!(given(&words(line)), Err(told.to_owned()), "{line}");
        }
    }

    #[test]
    fn help_comes_first() {
        assert!(
            matches!(parse("x", &words("-h -c nowhere")), Ok(Parsed::Help(text)) if text.contains("Usage: x"))
        );
        assert!(given(&words("-?")).unwrap().help);
    }
}
