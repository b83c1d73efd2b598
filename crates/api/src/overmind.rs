//! The lines of Overmind's command socket: what its client sends, and what it shows.
//!
//! A line is a command and its arguments, split at white space; the last one may end with the connection instead of a
//! newline. Overmind answers `status`, `echo` and `get-connection`, and nothing else. A line that begins with
//! [`ANSWERED`] is ours: it is greeted at once, and answered after the effect.

use crate::limits::MAX_OVERMIND_WORDS;

/// Before a command: its end is to be answered.
pub const ANSWERED: &str = "ganger";
/// How the answer begins if it was done; what was asked for follows.
pub const DONE: &str = "done";
/// How the answer begins if it was not done; why follows.
pub const FAILED: &str = "failed";
/// How a second line of an answer begins, which says what may help.
pub const HINT: &str = "hint";
/// What stands for the name of a tmux server where there is none.
pub const NO_TMUX: &str = "ganger-has-no-tmux--type--ganger-attach";

/// What a line asks for. Names are patterns in which `*` stands for any text; none means all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// End the present run of processes and start new ones.
    Restart(Vec<String>),
    /// Bring processes down; a second time, kill them.
    Stop(Vec<String>),
    /// Stop all and end.
    Quit,
    /// Kill all and end.
    Kill,
    /// Where the terminal of a process is; of the first one if none is named.
    Connection(Option<String>),
    /// Everything that is printed from now on.
    Echo,
    /// A table of the processes.
    Status,
}

/// A line that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What it asks for.
    pub ask: Ask,
    /// Whether the end of it is to be answered.
    pub answered: bool,
}

/// What a line asks for; none of an empty line and of a command that nobody knows.
pub fn read(line: &str) -> Option<Asked> {
    let mut words = line.split_whitespace().take(MAX_OVERMIND_WORDS).map(str::to_owned).peekable();
    let answered = words.next_if(|word| word == ANSWERED).is_some();
    let command = words.next()?;
    let ask = match command.as_str() {
        "restart" => Ask::Restart(words.collect()),
        "stop" => Ask::Stop(words.collect()),
        "quit" => Ask::Quit,
        "kill" => Ask::Kill,
        "get-connection" => Ask::Connection(words.next()),
        "echo" => Ask::Echo,
        "status" => Ask::Status,
        _ => return None,
    };
    Some(Asked { ask, answered })
}

impl Ask {
    /// The line that asks for it.
    pub fn line(&self) -> String {
        let (command, words): (_, &[String]) = match self {
            Self::Restart(names) => ("restart", names),
            Self::Stop(names) => ("stop", names),
            Self::Quit => ("quit", &[]),
            Self::Kill => ("kill", &[]),
            Self::Connection(name) => ("get-connection", name.as_slice()),
            Self::Echo => ("echo", &[]),
            Self::Status => ("status", &[]),
        };
        let words: Vec<&str> = std::iter::once(command).chain(words.iter().map(String::as_str)).collect();
        words.join(" ") + "\n"
    }
}

/// A process in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its PID; 0 if it has none.
    pub pid: u32,
}

/// The table of `status`.
pub fn status(rows: &[Row]) -> String {
    /// The narrowest column of names.
    const NARROWEST: usize = 9;
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(NARROWEST) + 1;
    let line = |name: &str, pid: &str, status: &str| format!("{name:width$}{pid:10}{status}\n");
    let row =
        |Row { name, pid }: &Row| line(name, &pid.to_string(), if *pid == 0 { "dead" } else { "running" });
    std::iter::once(line("PROCESS", "PID", "STATUS")).chain(rows.iter().map(row)).collect()
}

/// What stands before a line: the time, the name and a bar.
pub fn prefix(name: &str, width: usize, color: Option<u8>, time: Option<&str>) -> String {
    let time = time.map(|time| format!("{time} ")).unwrap_or_default();
    let Some(color) = color else { return format!("{time}{name:width$} | ") };
    let time = if time.is_empty() { time } else { format!("\x1b[0;38;5;{color}m{time}") };
    format!("{time}\x1b[1;38;5;{color}m{name:width$}\x1b[0m | ")
}

/// A line of the manager's own.
pub fn bold(text: &str) -> String {
    format!("\x1b[1m{text}\x1b[0m")
}

/// What Overmind says of the start of a run.
pub fn started(pid: &str, again: bool) -> String {
    format!("{} with pid {pid}...", if again { "Restarted" } else { "Started" })
}

/// What Overmind says where ganger says this: the words that scripts look for.
pub fn told(text: &str, again: bool) -> String {
    if let Some(pid) = text.strip_prefix("started with pid ") {
        return started(pid, again);
    }
    text.strip_prefix("exited with code ")
        .map_or_else(|| text.to_owned(), |code| format!("Exited with code {code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_client_is_understood() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (line, ask) in [
            ("restart web  worker*\n", Ask::Restart(names(&["web", "worker*"]))),
            ("restart \n", Ask::Restart(Vec::new())),
            ("stop \n", Ask::Stop(Vec::new())),
            ("quit", Ask::Quit),
            ("kill", Ask::Kill),
            ("get-connection \n", Ask::Connection(None)),
            ("get-connection web#1\n", Ask::Connection(Some("web#1".to_owned()))),
            ("echo\n", Ask::Echo),
            ("status\r\n", Ask::Status),
        ] {
            let understood = read(line).unwrap();
            assert_eq!(understood, Asked { ask: ask.clone(), answered: false }, "{line:?}");
            let ours = format!("{ANSWERED} {}", ask.line());
            assert_eq!(read(&ours).unwrap(), Asked { ask, answered: true }, "{ours:?}");
        }
        assert_eq!(
            [read(""), read("  "), read("start web"), read("ganger"), read("STOP")],
            [const { None }; 5]
        );
    }

    #[test]
    fn no_more_words_are_taken_than_the_bound() {
        let line = format!("stop {}", "web ".repeat(MAX_OVERMIND_WORDS * 2));
        let Some(Asked { ask: Ask::Stop(names), .. }) = read(&line) else { panic!("no stop") };
        assert_eq!(names.len(), MAX_OVERMIND_WORDS - 1);
    }

    #[test]
    fn the_table_is_laid_out_as_overminds() {
        let row = |name: &str, pid| Row { name: name.to_owned(), pid };
        let table = status(&[row("web", 4711), row("job", 0)]);
        assert_eq!(
            table,
            "PROCESS   PID       STATUS\nweb       4711      running\njob       0         dead\n"
        );
        assert!(
            status(&[row("a-long-name#1", 1)]).starts_with("PROCESS       PID       STATUS\na-long-name#1 1")
        );
    }

    #[test]
    fn a_prefix_is_coloured_as_overminds() {
        assert_eq!(prefix("web", 6, Some(42), None), "\x1b[1;38;5;42mweb   \x1b[0m | ");
        let timed = "\x1b[0;38;5;2m12:30:05 \x1b[1;38;5;2mweb   \x1b[0m | ";
        assert_eq!(prefix("web", 6, Some(2), Some("12:30:05")), timed);
        assert_eq!(prefix("web", 6, None, Some("12:30:05")), "12:30:05 web    | ");
        assert_eq!(told("started with pid 7", false), "Started with pid 7...");
        assert_eq!(told("started with pid 7", true), "Restarted with pid 7...");
        assert_eq!(told("exited with code 3", true), "Exited with code 3");
        assert_eq!(told("ended by SIGKILL", true), "ended by SIGKILL");
    }
}
