//! Overmind's commands and flags, as it names them.

use super::super::flags::{self, Flag, Kind};

/// The version whose place it takes.
const VERSION: &str = "2.5.1";

/// A command.
pub(super) struct Command {
    pub(super) name: &'static str,
    aliases: &'static [&'static str],
    what: &'static str,
    arguments: &'static str,
}

const COMMANDS: [Command; 9] = [
    Command { name: "start", aliases: &["s"], what: "Run procfile", arguments: "" },
    Command {
        name: "restart",
        aliases: &["r"],
        what: "Restart specified processes",
        arguments: " [process name...]",
    },
    Command {
        name: "stop",
        aliases: &["interrupt", "i"],
        what: "Stop specified processes without quitting Overmind itself",
        arguments: " [process name...]",
    },
    Command {
        name: "connect",
        aliases: &["c"],
        what: "Connect to the terminal of the specified process",
        arguments: " [process name]",
    },
    Command {
        name: "quit",
        aliases: &["q"],
        what: "Stop all processes and end, as Ctrl-C does",
        arguments: "",
    },
    Command { name: "kill", aliases: &["k"], what: "Kill all processes and end", arguments: "" },
    Command {
        name: "run",
        aliases: &["exec", "e"],
        what: "Run a command within the environment of the env files",
        arguments: " command [arguments...]",
    },
    Command { name: "echo", aliases: &[], what: "Print what is printed from now on", arguments: "" },
    Command { name: "status", aliases: &["ps"], what: "Print the processes", arguments: "" },
];

const fn value(
    long: &'static str,
    short: Option<char>,
    variables: &'static [&'static str],
    help: &'static str,
) -> Flag {
    Flag { long, short, variables, kind: Kind::Value, help }
}

const fn switch(
    long: &'static str,
    short: Option<char>,
    variables: &'static [&'static str],
    help: &'static str,
) -> Flag {
    Flag { long, short, variables, kind: Kind::Switch, help }
}

fn start_flags() -> Vec<Flag> {
    vec![
        value("title", Some('w'), &["OVERMIND_TITLE"], "The title of the terminal"),
        value("procfile", Some('f'), &["OVERMIND_PROCFILE"], "The Procfile (default: \"./Procfile\")"),
        value("processes", Some('l'), &["OVERMIND_PROCESSES"], "Start only these, divided by commas"),
        value("root", Some('d'), &[], "Where processes start (default: the directory of the Procfile)"),
        value(
            "timeout",
            Some('t'),
            &["OVERMIND_TIMEOUT"],
            "Seconds before what does not stop is killed (default: 5)",
        ),
        value("port", Some('p'), &["OVERMIND_PORT", "PORT"], "The base of the ports (default: 5000)"),
        value(
            "port-step",
            Some('P'),
            &["OVERMIND_PORT_STEP"],
            "From one group's port to the next (default: 100)",
        ),
        switch("no-port", Some('N'), &["OVERMIND_NO_PORT"], "Set no $PORT"),
        value("can-die", Some('c'), &["OVERMIND_CAN_DIE"], "The end of these does not stop the others"),
        switch("any-can-die", None, &["OVERMIND_ANY_CAN_DIE"], "No end stops the others"),
        value(
            "auto-restart",
            Some('r'),
            &["OVERMIND_AUTO_RESTART"],
            "These, or all, are started again when they end",
        ),
        value(
            "colors",
            Some('b'),
            &["OVERMIND_COLORS"],
            "The colours of names: xterm codes, divided by commas",
        ),
        switch("show-timestamps", Some('T'), &["OVERMIND_SHOW_TIMESTAMPS"], "Begin lines with the time"),
        value("formation", Some('m'), &["OVERMIND_FORMATION"], "How many of each: web=2,all=1"),
        value(
            "formation-port-step",
            None,
            &["OVERMIND_FORMATION_PORT_STEP"],
            "From one port of a group to its next (default: 10)",
        ),
        value(
            "stop-signals",
            Some('i'),
            &["OVERMIND_STOP_SIGNALS"],
            "What stops them (default: INT): web=TERM,job=QUIT",
        ),
        switch("daemonize", Some('D'), &["OVERMIND_DAEMONIZE"], "Start in the background"),
        value("tmux-config", Some('F'), &["OVERMIND_TMUX_CONFIG"], "Not used: there is no tmux"),
        value("ignored-processes", Some('x'), &["OVERMIND_IGNORED_PROCESSES"], "Start all but these"),
        value("shell", Some('H'), &["OVERMIND_SHELL"], "The shell that runs commands (default: \"sh\")"),
        // Between the parts of ganger: where the user was, and the env files that were read there.
        value("at", None, &[], ""),
        Flag { long: "env-file", short: None, variables: &[], kind: Kind::Values, help: "" },
    ]
}

impl Command {
    pub(super) fn flags(&self) -> Vec<Flag> {
        let mut flags = match self.name {
            "start" => start_flags(),
            "connect" => vec![switch(
                "control-mode",
                Some('c'),
                &["OVERMIND_CONTROL_MODE"],
                "Not used: there is no tmux",
            )],
            _ => Vec::new(),
        };
        flags.push(value(
            "socket",
            Some('s'),
            &["OVERMIND_SOCKET"],
            "The socket of commands, or with another network its address (default: \"./.overmind.sock\")",
        ));
        flags.push(value(
            "network",
            Some('S'),
            &["OVERMIND_NETWORK"],
            "unix, tcp, tcp4 or tcp6 (default: \"unix\")",
        ));
        flags
    }

    pub(super) fn help(&self) -> String {
        let flags = if self.name == "run" { String::new() } else { flags::help(&self.flags()) };
        let options = if flags.is_empty() { String::new() } else { format!("\nOPTIONS:\n{flags}") };
        let Self { name, what, arguments, .. } = self;
        format!(
            "NAME:\n   overmind {name} - {what}\n\nUSAGE:\n   overmind {name} [command options]{arguments}\n{options}"
        )
    }
}

/// The command of this name.
pub(super) fn command(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name || command.aliases.contains(&name))
}

/// The names of all commands.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|command| command.name)
}

/// The help of one command.
pub(super) fn help_of(name: &str) -> Option<String> {
    command(name).map(Command::help)
}

pub(super) fn version() -> String {
    format!("Overmind version {VERSION} (ganger {})\n", env!("CARGO_PKG_VERSION"))
}

pub(super) fn help() -> String {
    let rows: Vec<(String, &str)> = COMMANDS
        .iter()
        .map(|command| {
            let names: Vec<&str> =
                std::iter::once(command.name).chain(command.aliases.iter().copied()).collect();
            (names.join(", "), command.what)
        })
        .chain([("help, h".to_owned(), "Show the commands, or the flags of one")])
        .collect();
    let width = rows.iter().map(|(names, _)| names.len()).max().unwrap_or(0);
    let line = |(names, what): &(String, &str)| format!("   {names:width$}  {what}\n");
    let rows: String = rows.iter().map(line).collect();
    format!(
        "NAME:\n   Overmind - the commands of Overmind, done by ganger\n\nUSAGE:\n   overmind [global options] command \
         [command options] [arguments...]\n\nVERSION:\n   {VERSION} (ganger {})\n\nCOMMANDS:\n{rows}\nGLOBAL OPTIONS:\n   \
         --help, -h     show help\n   --version, -v  print the version\n",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_is_one_command_and_every_flag_has_its_own_letter() {
        let mut names: Vec<&str> = COMMANDS
            .iter()
            .flat_map(|command| std::iter::once(&command.name).chain(command.aliases))
            .copied()
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for command in &COMMANDS {
            let mut letters: Vec<char> = command.flags().iter().filter_map(|flag| flag.short).collect();
            let count = letters.len();
            letters.sort_unstable();
            letters.dedup();
            assert_eq!(letters.len(), count, "{}", command.name);
        }
        assert!(help_of("s").unwrap().contains("[$OVERMIND_PORT, $PORT]"));
        assert!(!help_of("start").unwrap().contains("env-file"));
    }
}
