//! `ganger why`: the story of a worker.

use std::process::ExitCode;

use ganger_api::{Data, Request};
use jiff::tz::TimeZone;

use crate::ask::{ask, unexpected};
use crate::cli::{Where, WhyArgs};
use crate::failure::Outcome;
use crate::output::show;
use crate::render::why;
use crate::style::Style;

/// Tells why a worker is as it is.
pub(crate) fn run(place: &Where, args: WhyArgs) -> Outcome {
    let Data::Why(info) = ask(place, &Request::Why { name: args.name })? else { return Err(unexpected()) };
    show(args.json, &info, |info| why(info, &TimeZone::system(), Style::of_stdout()))?;
    Ok(ExitCode::SUCCESS)
}
