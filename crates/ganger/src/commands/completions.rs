//! `ganger completions`: for the shell's profile.

use std::process::ExitCode;

use crate::cli::{CompletionsArgs, definition};
use crate::failure::Outcome;
use crate::output::Output;

/// Prints the completions of a shell.
pub(crate) fn run(args: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut definition(), "ganger", &mut script);
    let mut output = Output::new();
    output.text(script)?;
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
