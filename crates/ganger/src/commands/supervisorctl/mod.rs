//! `supervisorctl`: the client of a supervisord, or of whatever speaks its language.
//!
//! What it prints and how it exits are those of supervisord's own client, byte for byte; `docs/supervisor-differences.md`
//! lists where not. The tests run both side by side.

mod actions;
mod config;
mod editor;
mod help;
mod input;
mod interactive;
mod options;
mod python;
mod session;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::failure::{Failure, Outcome};
use options::Parsed;
use session::Session;

/// Its name.
const NAME: &str = "supervisorctl";

/// Under its own name: the first word is the program.
pub(crate) fn run(words: Vec<OsString>) -> Outcome {
    let mut words = words.into_iter();
    let program = words.next().map_or_else(|| NAME.to_owned(), |program| lossy(&program));
    start(&program, words)
}

/// As `ganger supervisorctl`.
pub(crate) fn run_inner(words: Vec<OsString>) -> Outcome {
    let ganger = std::env::args_os().next().map_or_else(|| "ganger".to_owned(), |program| lossy(&program));
    start(&format!("{ganger} {NAME}"), words.into_iter())
}

fn lossy(word: &OsString) -> String {
    word.to_string_lossy().into_owned()
}

fn start(program: &str, words: impl Iterator<Item = OsString>) -> Outcome {
    let words: Vec<String> = words.map(|word| lossy(&word)).collect();
    let options = match options::parse(program, &words) {
        Ok(Parsed::Run(options)) => options,
        Ok(Parsed::Help(text)) => {
            print!("{text}");
            return Ok(ExitCode::SUCCESS);
        }
        Err(usage) => {
            eprint!("{usage}");
            return Ok(ExitCode::from(crate::failure::USAGE));
        }
    };
    for section in &options.settings.plugins {
        eprintln!("ganger: [{section}] names Python code, which is not loaded: its actions are missing");
    }
    let line = options.action.join(" ");
    let mut session = Session::new(options.settings, options.interactive)?;
    if options.action.is_empty() {
        return interactive::run(&mut session);
    }
    match actions::line(&mut session, &line) {
        Ok(_) => Ok(ExitCode::from(session.status)),
        Err(stop) => stop.outcome(),
    }
}

/// Why no further command is carried out.
#[derive(Debug)]
enum Stop {
    /// Ctrl-C.
    Interrupted,
    /// Nothing can be printed or read any more.
    Failed(Failure),
}

/// The status of a process that Ctrl-C ended, as shells tell it.
const INTERRUPTED: u8 = 130;

impl Stop {
    fn outcome(self) -> Outcome {
        match self {
            Self::Interrupted => Ok(ExitCode::from(INTERRUPTED)),
            Self::Failed(failure) => Err(failure),
        }
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}
