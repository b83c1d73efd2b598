//! The command line: a client of the control API, and the start of everything else.

mod ask;
mod cli;
mod commands;
mod failure;
mod load;
mod notes;
mod output;
mod printer;
mod render;
mod stamp;
mod style;
mod when;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match cli::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(shown) => return shown,
    };
    match commands::dispatch(arguments) {
        Ok(status) => status,
        Err(failure) => failure.report(),
    }
}
