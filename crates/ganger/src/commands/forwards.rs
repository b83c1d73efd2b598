//! `ganger forwards`: where lines are sent to beside the store.

use std::process::ExitCode;

use ganger_api::{Data, Request};

use crate::ask::{ask, unexpected};
use crate::cli::{JsonArgs, Where};
use crate::failure::Outcome;
use crate::output::show;
use crate::render::forwards;
use crate::style::Style;

/// Lists the forwarders of the running app.
pub(crate) fn run(place: &Where, args: &JsonArgs) -> Outcome {
    let Data::Forwards(info) = ask(place, &Request::Forwards)? else { return Err(unexpected()) };
    show(args.json, &info, |info| forwards(info, Style::of_stdout()))?;
    Ok(ExitCode::SUCCESS)
}
