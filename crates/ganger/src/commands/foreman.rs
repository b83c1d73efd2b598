//! `foreman`: the app under Foreman's name, with its flags and what it prints.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::flags::{self, Flag, Kind, Said};
use super::{daemon, start};
use crate::cli::{self, Command, Where};
use crate::failure::{FAILED, Failure, Outcome};
use crate::load;

/// Its name.
pub(crate) const NAME: &str = "foreman";
/// The version whose place it takes.
const VERSION: &str = "0.90.0";

const COMMON: [Flag; 2] = [
    Flag {
        long: "procfile",
        short: Some('f'),
        variables: &[],
        kind: Kind::Value,
        help: "Specify an alternate Procfile to load",
    },
    Flag {
        long: "root",
        short: Some('d'),
        variables: &[],
        kind: Kind::Value,
        help: "The app's directory (default: the directory of the Procfile)",
    },
];

const ENV: Flag = Flag {
    long: "env",
    short: Some('e'),
    variables: &[],
    kind: Kind::Value,
    help: "Env files to load instead of .env, divided by commas",
};

const START: [Flag; 5] = [
    Flag {
        long: "color",
        short: Some('c'),
        variables: &[],
        kind: Kind::Switch,
        help: "Force color to be enabled",
    },
    Flag {
        long: "formation",
        short: Some('m'),
        variables: &[],
        kind: Kind::Value,
        help: "How many of each: all=1,web=2",
    },
    Flag { long: "port", short: Some('p'), variables: &[], kind: Kind::Value, help: "The base of the ports" },
    Flag {
        long: "timeout",
        short: Some('t'),
        variables: &[],
        kind: Kind::Value,
        help: "Seconds that processes have to stop before they are killed (default: 5)",
    },
    Flag {
        long: "timestamp",
        short: None,
        variables: &[],
        kind: Kind::Switch,
        help: "Begin lines with the time (default)",
    },
];

/// The commands, with what they do.
const COMMANDS: [(&str, &str); 6] = [
    ("check", "Validate your application's Procfile"),
    ("export FORMAT LOCATION", "Export the application to another process management format"),
    ("help [COMMAND]", "Describe available commands or one specific command"),
    ("run COMMAND [ARGS...]", "Run a command using your application's environment"),
    ("start [PROCESS]", "Start the application (or a specific PROCESS)"),
    ("version", "Display the version"),
];

/// Under its own name: the first word is the program.
pub(crate) fn run(words: Vec<OsString>) -> Outcome {
    dispatch(words.into_iter().skip(1))
}

/// As `ganger foreman`.
pub(crate) fn run_inner() -> Outcome {
    dispatch(std::env::args_os().skip_while(|word| word != NAME).skip(1))
}

fn dispatch(words: impl Iterator<Item = OsString>) -> Outcome {
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    try_to(&words).or_else(|failure| Ok(refuse(&failure)))
}

/// Says what is wrong as Foreman does.
fn refuse(failure: &Failure) -> ExitCode {
    if failure.message.is_empty() {
        return failure.report();
    }
    let hints = failure.hint.iter().flat_map(|hint| hint.lines()).map(|line| format!("hint: {line}\n"));
    let text = format!("ERROR: {}\n{}", failure.message, hints.collect::<String>());
    // A closed stderr is no reason to say anything else.
    let _ = io::stderr().write_all(text.as_bytes());
    ExitCode::from(if failure.status > FAILED { failure.status } else { FAILED })
}

fn try_to(words: &[String]) -> Outcome {
    let Some((command, rest)) = words.split_first() else { return show(&help(None)) };
    match command.as_str() {
        "start" => begin(&parse(&start_flags(), rest)?),
        "check" => check(&parse(&COMMON, rest)?),
        "run" => once(rest),
        "export" => Err(Failure::new("ganger does not write files for other process managers by this name").hinted(
            "`ganger daemon` runs the app below systemd as it is: docs/daemon.md and examples/systemd show a unit",
        )),
        "version" | "-v" | "--version" => show(&format!("{VERSION}\n")),
        "help" | "-h" | "--help" => show(&help(rest.first().map(String::as_str))),
        name => Err(Failure::new(format!("Could not find command \"{name}\".")).hinted("`foreman help` shows them")),
    }
}

fn start_flags() -> Vec<Flag> {
    COMMON.into_iter().chain([ENV]).chain(START).collect()
}

fn parse(flags: &[Flag], words: &[String]) -> Result<Said, Failure> {
    flags::parse(flags, words, |_| None)
        .map_err(|error| Failure::new(error).hinted("`foreman help` shows the flags"))
}

/// The words of ganger that say the same, without a command.
fn said(said: &Said, names: &[&'static str]) -> Vec<String> {
    names.iter().filter_map(|name| Some(format!("--{name}={}", said.value(name)?))).collect()
}

/// What the words of ganger mean.
fn read(words: &[String]) -> Result<cli::Cli, Failure> {
    let words = std::iter::once("ganger").chain(words.iter().map(String::as_str)).map(OsString::from);
    // It has said what is wrong.
    cli::parse(words).map_err(|_| Failure { status: FAILED, ..Failure::new("") })
}

fn begin(asked: &Said) -> Outcome {
    if asked.help {
        return show(&help(Some("start")));
    }
    if let [_, other, ..] = asked.words.as_slice() {
        return Err(Failure::new(format!("`start` takes one process, and `{other}` is another")));
    }
    let mut words = vec!["start".to_owned()];
    words.extend(said(asked, &["procfile", "root", "env", "formation", "port", "timeout"]));
    words.extend(asked.words.iter().cloned());
    if asked.is_on("color") {
        words.push("--color".to_owned());
    }
    let cli = read(&words)?;
    let Some(Command::Start(args)) = &cli.command else { return Err(Failure::new("start is no command")) };
    let loaded = load::load(&cli.place, &args.spec, &args.names)?;
    // Foreman begins lines with the time unless it is told not to.
    let timed =
        asked.value("timestamp").map(|said| said == "true").or(loaded.settings.timestamps).unwrap_or(true);
    words.push(if timed { "--timestamps" } else { "--no-timestamps" }.to_owned());
    if let Some((_, app)) = start::running_here(&cli.place)? {
        let failure = Failure::new(format!("{} is already running (pid {})", app.name, app.keeper_pid));
        return Err(failure.hinted("`ganger ps` lists its workers, `ganger quit` ends it"));
    }
    start::clear(&cli.place)?;
    daemon::keep(words.into_iter().map(OsString::from), false, None)
}

fn check(asked: &Said) -> Outcome {
    let place = Where {
        procfile: asked.value("procfile").map(PathBuf::from),
        root: asked.value("root").map(PathBuf::from),
        app: None,
    };
    let loaded = load::load(&place, &cli::SpecArgs::default(), &[])?;
    for warning in &loaded.warnings {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
    let names: Vec<&str> = loaded.spec.groups.iter().map(|group| group.name.as_str()).collect();
    show(&format!("valid procfile detected ({})\n", names.join(", ")))
}

/// `foreman run`: its own flags come before the command.
fn once(words: &[String]) -> Outcome {
    let takes = |word: &str| {
        COMMON.iter().chain([&ENV]).any(|flag| {
            word == format!("--{}", flag.long) || flag.short.is_some_and(|short| word == format!("-{short}"))
        })
    };
    let mut own = 0;
    while let Some(word) = words.get(own).filter(|word| word.starts_with('-')) {
        own += if takes(word) { 2 } else { 1 };
    }
    let (own, command) = words.split_at(own.min(words.len()));
    let flags: Vec<Flag> = COMMON.into_iter().chain([ENV]).collect();
    let asked = parse(&flags, own)?;
    if command.is_empty() {
        return Err(Failure::new("no command is named").hinted("as in `foreman run rake db:migrate`"));
    }
    let mut all = vec!["run".to_owned()];
    all.extend(said(&asked, &["procfile", "root", "env"]));
    all.extend(command.iter().cloned());
    let cli = read(&all)?;
    let Some(Command::Run(args)) = &cli.command else { return Err(Failure::new("run is no command")) };
    super::run::run(&cli.place, args)
}

fn help(command: Option<&str>) -> String {
    let flags = match command {
        Some("start") => start_flags(),
        Some("run") => COMMON.into_iter().chain([ENV]).collect(),
        _ => COMMON.into_iter().collect(),
    };
    let known = COMMANDS.iter().find(|(usage, _)| command.is_some() && usage.split(' ').next() == command);
    let rows = |rows: &[(&str, &str)]| -> String {
        let line = |(usage, what): &(&str, &str)| format!("  foreman {usage:24}# {what}\n");
        rows.iter().map(line).collect()
    };
    match known {
        Some(known) => format!("Usage:\n{}\nOptions:\n{}", rows(&[*known]), flags::help(&flags)),
        None => format!("Commands:\n{}\nOptions:\n{}", rows(&COMMANDS), flags::help(&flags)),
    }
}

fn show(text: &str) -> Outcome {
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
