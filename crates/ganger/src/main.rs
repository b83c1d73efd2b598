//! The command line: a client of the control API, and the start of everything else.

mod ask;
mod clean;
mod cli;
mod commands;
mod failure;
mod listen;
mod load;
mod names;
mod notes;
mod output;
mod printer;
mod render;
mod stamp;
mod style;
mod terminal;
mod when;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    if let Some(run) = names::other(&words) {
        return run(words).unwrap_or_else(|failure| failure.report());
    }
    let arguments = match cli::parse(words) {
        Ok(arguments) => arguments,
        Err(shown) => return shown,
    };
    match commands::dispatch(arguments) {
        Ok(status) => status,
        Err(failure) => failure.report(),
    }
}
