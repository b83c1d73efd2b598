//! `ganger ports`: who has which port, and who else holds it.

use std::process::ExitCode;

use ganger_api::{Data, HolderInfo, PortInfo, PortsInfo, Request, port_reason};
use ganger_spec::{Spec, WorkerName, select};

use crate::ask::{ask_at, find_running, unexpected};
use crate::cli::{ListArgs, SpecArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::load;
use crate::output::show;
use crate::render::ports;
use crate::style::Style;

/// Lists ports: of the app that runs, else of what would run.
pub(crate) fn run(place: &Where, args: &ListArgs) -> Outcome {
    let mut info = match find_running(place)? {
        Some((running, _)) => {
            let Data::Ports(info) = ask_at(&running, &Request::Ports)? else { return Err(unexpected()) };
            info
        }
        None => planned(place)?,
    };
    if !args.names.is_empty() {
        let mut known: Vec<(String, u32)> = Vec::new();
        for WorkerName { group, number } in info.ports.iter().map(|port| &port.worker) {
            match known.iter_mut().find(|(name, _)| name == group) {
                Some((_, count)) => *count = (*number).max(*count),
                None => known.push((group.clone(), *number)),
            }
        }
        let chosen = select(&known, &args.names)?;
        info.ports.retain(|port| chosen.contains(&port.worker));
    }
    show(args.json, &info, |info| ports(info, Style::of_stdout()))?;
    Ok(ExitCode::SUCCESS)
}

fn planned(place: &Where) -> Result<PortsInfo, Failure> {
    Ok(of_spec(&load::load(place, &SpecArgs::default(), &[])?.spec))
}

fn of_spec(spec: &Spec) -> PortsInfo {
    let workers = spec.plan().into_iter().map(|planned| PortInfo {
        why: port_reason(spec, &planned.name.group),
        holder: planned.port.and_then(HolderInfo::of_port),
        worker: planned.name,
        port: planned.port,
    });
    PortsInfo { ports: workers.collect() }
}
