//! `ganger version`.

use std::process::ExitCode;

use ganger_api::{API_VERSION, VersionInfo};

use crate::cli::JsonArgs;
use crate::failure::Outcome;
use crate::output::show;

/// Prints the versions of this program and of the API that it speaks.
pub(crate) fn run(args: &JsonArgs) -> Outcome {
    let info = VersionInfo { version: env!("CARGO_PKG_VERSION").to_owned(), api: API_VERSION.to_owned() };
    show(args.json, &info, |info| format!("ganger {}\n", info.version))?;
    Ok(ExitCode::SUCCESS)
}
