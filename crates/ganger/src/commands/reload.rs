//! `ganger reload`: the files again.

use std::process::ExitCode;

use ganger_api::{Data, Request};

use crate::ask::{ask, unexpected};
use crate::cli::{ReloadArgs, Where};
use crate::failure::{FAILED, Outcome};
use crate::output::show;
use crate::render::{any_failed, plan};
use crate::style::Style;

/// Reads the files again; shows the plan, and what became of it.
pub(crate) fn run(place: &Where, args: &ReloadArgs) -> Outcome {
    let Data::Plan(info) = ask(place, &Request::Reload { dry_run: args.dry_run })? else {
        return Err(unexpected());
    };
    show(args.json, &info, |info| plan(info, Style::of_stdout()))?;
    Ok(if any_failed(&info.workers) { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}
