//! `ganger ps`: the workers.

use std::process::ExitCode;

use ganger_api::{Data, Request};

use crate::ask::{ask, unexpected};
use crate::cli::{ListArgs, Where};
use crate::failure::Outcome;
use crate::output::{show, terminal_width};
use crate::render::workers;
use crate::style::Style;

/// Lists workers.
pub(crate) fn run(place: &Where, args: ListArgs) -> Outcome {
    let Data::Workers(info) = ask(place, &Request::Workers { names: args.names })? else {
        return Err(unexpected());
    };
    show(args.json, &info, |info| workers(info, Style::of_stdout(), terminal_width()))?;
    Ok(ExitCode::SUCCESS)
}
