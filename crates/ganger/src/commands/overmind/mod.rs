//! `overmind`: the app under Overmind's name, with the flags, the variables and the socket that scripts know.

mod client;
mod environment;
mod start;
mod voice;
mod words;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use ganger_api::overmind::Ask;

use self::environment::Surroundings;
pub(crate) use self::start::Task;
pub(crate) use self::voice::Voice;
use super::flags::{self, Said};
use crate::ask::current_dir;
use crate::failure::{FAILED, Failure, Outcome};

/// Its name.
pub(crate) const NAME: &str = "overmind";

/// Under its own name: the first word is the program.
pub(crate) fn run(words: Vec<OsString>) -> Outcome {
    dispatch(words.into_iter().skip(1))
}

/// As `ganger overmind`.
pub(crate) fn run_inner() -> Outcome {
    // All that follows is its own: `-f` belongs to what comes after it.
    dispatch(std::env::args_os().skip_while(|word| word != NAME).skip(1))
}

fn dispatch(words: impl Iterator<Item = OsString>) -> Outcome {
    try_to(&words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>())
        .or_else(|failure| Ok(refuse(&failure)))
}

/// Says what is wrong as Overmind does.
pub(crate) fn refuse(failure: &Failure) -> ExitCode {
    let lines = failure.message.lines().map(|line| format!("{NAME}: {line}\n"));
    let hints = failure.hint.iter().flat_map(|hint| hint.lines()).map(|line| format!("hint: {line}\n"));
    // A closed stderr is no reason to say anything else.
    let _ = io::stderr().write_all(lines.chain(hints).collect::<String>().as_bytes());
    // It knows no other status of its own.
    ExitCode::from(failure.status.min(FAILED))
}

fn try_to(words: &[String]) -> Outcome {
    let Some((command, rest)) = words.split_first() else { return show(&words::help()) };
    let command = match command.as_str() {
        "help" | "h" | "-h" | "-help" | "--help" => {
            return show(&rest.first().and_then(|name| words::help_of(name)).unwrap_or_else(words::help));
        }
        "-v" | "-version" | "--version" => return show(&words::version()),
        name => words::command(name).ok_or_else(|| no_command(name))?,
    };
    let here = Surroundings::look(&current_dir()?);
    if command.name == "run" {
        return execute(rest, &here);
    }
    let said = flags::parse(&command.flags(), rest, |name| here.variable(name)).map_err(|error| {
        Failure::new(error).hinted(format!("`{NAME} {} --help` shows the flags", command.name))
    })?;
    if said.help {
        return show(&command.help());
    }
    match command.name {
        "start" => start::run(said, here),
        "connect" => client::connect(&said),
        name => client::ask(&said, ask(name, &said)?),
    }
}

/// What a command of a client asks for.
fn ask(name: &str, said: &Said) -> Result<Ask, Failure> {
    let ask = match name {
        "restart" => return Ok(Ask::Restart(said.words.clone())),
        "stop" => return Ok(Ask::Stop(said.words.clone())),
        "kill" => Ask::Kill,
        "quit" => Ask::Quit,
        "echo" => Ask::Echo,
        _ => Ask::Status,
    };
    match said.words.first() {
        None => Ok(ask),
        Some(word) => Err(Failure::new(format!("`{name}` takes no arguments, and `{word}` is one"))),
    }
}

fn no_command(name: &str) -> Failure {
    let hint = match ganger_spec::suggest(name, words::names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("`{NAME} help` shows the commands"),
    };
    Failure::new(format!("no command `{name}`")).hinted(hint)
}

/// Becomes a command with the environment of the env files.
fn execute(words: &[String], here: &Surroundings) -> Outcome {
    let Some((program, words)) = words.split_first() else {
        return Err(Failure::new("specify a command to run").hinted("as in `overmind run rake db:migrate`"));
    };
    let mut command = std::process::Command::new(program);
    let error = command.args(words).env_clear().envs(&here.variables).exec();
    let message = match error.kind() {
        io::ErrorKind::NotFound => format!("exec: \"{program}\": executable file not found in $PATH"),
        _ => format!("exec: \"{program}\": {error}"),
    };
    Err(Failure::new(message))
}

fn show(text: &str) -> Outcome {
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
