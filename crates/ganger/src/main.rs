//! The command line: a client of the control API, and the start of everything else.

mod ask;
mod cli;
mod commands;
mod failure;
mod load;
mod output;
#[cfg_attr(not(test), expect(dead_code, reason = "the commands that print are still to come"))]
mod printer;
mod render;
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
