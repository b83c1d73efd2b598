//! `ganger quit`: the end.

use std::process::ExitCode;

use ganger_api::{Data, Request};

use crate::ask::{ask, unexpected};
use crate::cli::{QuitArgs, Where};
use crate::failure::Outcome;
use crate::output::show;
use crate::render::quit;

/// Stops everything and ends.
pub(crate) fn run(place: &Where, args: &QuitArgs) -> Outcome {
    let Data::Quit(info) = ask(place, &Request::Quit { now: args.now })? else { return Err(unexpected()) };
    show(args.json, &info, quit)?;
    Ok(ExitCode::SUCCESS)
}
