//! Whether a command needs a shell, and the words that are executed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Command;

/// The words that are executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argv {
    /// The program and its arguments; never empty.
    pub words: Vec<String>,
    /// Whether the program is the shell that runs the command's line.
    pub shell: bool,
}

/// The shell of command lines.
pub const SHELL: &str = "/bin/sh";

/// Characters that mean something to a shell, wherever they stand. A line without them is a list of words.
const META: &str = "|&;<>()$`\\\"'*?[]{}#~!\n\r";

/// Words that a shell takes for itself when a command begins with them: reserved words and the builtins of the
/// common shells. Some of them exist as programs too, but not everywhere and not quite the same.
const SHELL_WORDS: [&str; 76] = [
    ".", ":", "alias", "bg", "bind", "break", "builtin", "caller", "case", "cd", "chdir", "command",
    "compgen", "complete", "continue", "coproc", "declare", "dirs", "disown", "do", "done", "echo", "elif",
    "else", "enable", "esac", "eval", "exec", "exit", "export", "false", "fc", "fg", "fi", "for", "function",
    "getopts", "hash", "help", "history", "if", "in", "jobs", "kill", "let", "local", "logout", "mapfile",
    "popd", "printf", "pushd", "pwd", "read", "readonly", "return", "select", "set", "shift", "shopt",
    "source", "suspend", "test", "then", "time", "times", "trap", "true", "type", "typeset", "ulimit",
    "umask", "unalias", "unset", "until", "wait", "while",
];

impl Command {
    /// The words that are executed: a line that is only a program and plain arguments runs without a shell.
    pub fn argv(&self) -> Argv {
        match self {
            Self::Words(words) => Argv { words: words.clone(), shell: false },
            Self::Line(line) if needs_shell(line) => {
                Argv { words: vec![SHELL.to_owned(), "-c".to_owned(), line.clone()], shell: true }
            }
            Self::Line(line) => Argv { words: words_of(line).map(str::to_owned).collect(), shell: false },
        }
    }
}

/// One line, for people.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => f.write_str(line),
            Self::Words(words) => f.write_str(&words.join(" ")),
        }
    }
}

fn words_of(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '\t']).filter(|word| !word.is_empty())
}

fn needs_shell(line: &str) -> bool {
    if line.contains(|c| META.contains(c)) {
        return true;
    }
    match words_of(line).next() {
        Some(first) => first.contains('=') || SHELL_WORDS.contains(&first),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(line: &str) -> Argv {
        Command::Line(line.to_owned()).argv()
    }

    #[test]
    fn a_plain_line_runs_without_a_shell() {
        for (line, words) in [
            ("bundle exec puma -p 3000", vec!["bundle", "exec", "puma", "-p", "3000"]),
            ("  ./bin/web\t--bind=0.0.0.0:80  -v ", vec!["./bin/web", "--bind=0.0.0.0:80", "-v"]),
            ("sleep 100", vec!["sleep", "100"]),
            ("env PORT=4000 web", vec!["env", "PORT=4000", "web"]),
            (
                "web @x a,b %d 50% a^b x:y +1 -",
                vec!["web", "@x", "a,b", "%d", "50%", "a^b", "x:y", "+1", "-"],
            ),
            ("café --größe 3", vec!["café", "--größe", "3"]),
        ] {
            assert_eq!(
                argv(line),
                Argv { words: words.into_iter().map(str::to_owned).collect(), shell: false }
            );
        }
    }

    #[test]
    fn what_means_something_to_a_shell_gets_one() {
        for line in [
            "PORT=4000 cmd",
            "a=b",
            "exec x",
            "cd a && b",
            "cd a",
            "ls *.rb",
            "ls a?",
            "ls [ab]",
            "cat ~/x",
            "! true",
            "a | b",
            "a & b",
            "a; b",
            "a > b",
            "a < b",
            "(a)",
            "{ a; }",
            "echo hi",
            "echo $PORT",
            "`a`",
            "a \"b c\"",
            "a 'b'",
            "a\\ b",
            "# nothing",
            "a #b",
            "if x",
            "while x",
            "source x",
            ". x",
            ": x",
            "ulimit -n 4",
            "umask 022",
            "a\nb",
            "wait",
            "exit 3",
            "time x",
            "a {b,c}",
            "a\rb",
        ] {
            assert_eq!(argv(line).words, ["/bin/sh", "-c", line]);
            assert!(argv(line).shell);
        }
    }

    #[test]
    fn words_are_never_given_to_a_shell() {
        let words = vec!["echo".to_owned(), "$HOME; *".to_owned()];
        assert_eq!(Command::Words(words.clone()).argv(), Argv { words, shell: false });
    }

    #[test]
    fn the_list_of_shell_words_is_sorted_and_each_stands_once() {
        assert!(SHELL_WORDS.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
