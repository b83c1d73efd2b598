//! `ganger env`: the variables of a worker and where they come from.

use std::path::PathBuf;
use std::process::ExitCode;

use ganger_api::{Data, EnvInfo, Request};
use ganger_spec::{Spec, UnknownName, WorkerName};

use crate::ask::{ask_at, find_running, unexpected};
use crate::cli::{EnvArgs, SpecArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::load;
use crate::output::show;
use crate::render::{environment, explained};
use crate::style::Style;

/// Shows an environment: of the app that runs, else of what would run.
pub(crate) fn run(place: &Where, args: &EnvArgs) -> Outcome {
    let (info, root) = match find_running(place)? {
        Some((running, app)) => {
            let request = Request::Env { name: args.name.clone() };
            let Data::Env(info) = ask_at(&running, &request)? else { return Err(unexpected()) };
            (info, app.root)
        }
        None => planned(place, args.name.as_deref())?,
    };
    let text = |info: &EnvInfo| {
        if args.explain { explained(info, &root, Style::of_stdout()) } else { environment(info) }
    };
    show(args.json, &info, text)?;
    Ok(ExitCode::SUCCESS)
}

fn planned(place: &Where, name: Option<&str>) -> Result<(EnvInfo, PathBuf), Failure> {
    let options = load::options(place, &SpecArgs::default(), &[])?;
    let spec = ganger_spec::load(&options)?.spec;
    let (name, explained) = match name {
        Some(name) => {
            let worker = worker_named(&spec, name)?;
            (worker.to_string(), spec.explain(&worker, &options.inherited))
        }
        None => (spec.app.clone(), spec.explain_app(&options.inherited)),
    };
    Ok((EnvInfo::new(name, explained, &spec.sources), spec.root))
}

/// The worker of that name, or the first one of the group of that name, also if the group has none now.
fn worker_named(spec: &Spec, name: &str) -> Result<WorkerName, UnknownName> {
    if spec.group(name).is_some() {
        return Ok(WorkerName::new(name, 1));
    }
    let known: Vec<_> = spec.groups.iter().map(|group| (group.name.clone(), group.count)).collect();
    let found = ganger_spec::select(&known, &[name.to_owned()])?;
    Ok(found.into_iter().next().unwrap_or_else(|| WorkerName::new(name, 1)))
}
