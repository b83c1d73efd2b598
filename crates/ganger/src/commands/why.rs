//! `ganger why`: the story of a worker.

use std::process::ExitCode;

use ganger_api::{Data, Request};
use jiff::tz::TimeZone;

use crate::ask::{ask_at, find, unexpected};
use crate::cli::{Where, WhyArgs};
use crate::failure::Outcome;
use crate::output::show;
use crate::render::why;
use crate::style::Style;

/// Tells why workers are as they are. One is an object of JSON, several are a list.
pub(crate) fn run(place: &Where, args: WhyArgs) -> Outcome {
    let running = find(place)?.0;
    let Data::Workers(chosen) = ask_at(&running, &Request::Workers { names: args.names })? else {
        return Err(unexpected());
    };
    let mut stories = Vec::with_capacity(chosen.workers.len());
    for worker in &chosen.workers {
        let name = worker.name.to_string();
        let Data::Why(info) = ask_at(&running, &Request::Why { name })? else { return Err(unexpected()) };
        stories.push(info);
    }
    let told = |info: &_| why(info, &TimeZone::system(), Style::of_stdout());
    match &stories[..] {
        [] => show(args.json, &stories, |_| "no workers\n".to_owned())?,
        [story] => show(args.json, story, told)?,
        _ => show(args.json, &stories, |all| all.iter().map(told).collect::<Vec<_>>().join("\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}
