//! `ganger doctor`: what this machine lets ganger do, and where its things are.

use std::path::PathBuf;
use std::process::ExitCode;

use ganger_api::{Environment, running};
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::failure::Outcome;
use crate::output::show;

/// What is found.
#[derive(Serialize)]
struct Findings {
    /// What the kernel has and our rights allow: a name and a value each.
    machine: Vec<(String, String)>,
    runtime_dir: PathBuf,
    /// None where there is no place for state.
    state_dir: Option<PathBuf>,
    /// The running apps: an id and a directory each.
    apps: Vec<(String, PathBuf)>,
}

/// Looks around and tells.
pub(crate) fn run(args: &JsonArgs) -> Outcome {
    let environment = Environment::of_process();
    let apps = running(&environment).into_iter().map(|(place, file)| (place.id, file.root));
    let findings = Findings {
        machine: facts(&ganger_keeper::capabilities().to_string()),
        runtime_dir: environment.runtime_base(),
        state_dir: environment.state_base().ok(),
        apps: apps.collect(),
    };
    show(args.json, &findings, text)?;
    Ok(ExitCode::SUCCESS)
}

/// The keeper's report, cut into names and values: two spaces or more stand between them.
fn facts(report: &str) -> Vec<(String, String)> {
    let cut = |line: &str| {
        let (name, value) = line.split_once("  ").or_else(|| line.rsplit_once(' ')).unwrap_or((line, ""));
        (name.trim().to_owned(), value.trim().to_owned())
    };
    report.lines().map(cut).collect()
}

fn text(findings: &Findings) -> String {
    let state = match &findings.state_dir {
        Some(dir) => dir.display().to_string(),
        None => "no: set GANGER_STATE_DIR or HOME".to_owned(),
    };
    let places = [("runtime files", findings.runtime_dir.display().to_string()), ("state and logs", state)];
    let places = places.map(|(name, value)| (name.to_owned(), value));
    let mut rows = findings.machine.clone();
    rows.extend(places);
    rows.extend(
        findings.apps.iter().map(|(id, root)| ("running app".into(), format!("{id} in {}", root.display()))),
    );
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_cut_and_aligned_anew() {
        let findings = Findings {
            machine: facts("kernel          6.18\npidfd exit info yes\ncgroup          no: not writable"),
            runtime_dir: "/run/user/7/ganger".into(),
            state_dir: None,
            apps: vec![("shop-1".to_owned(), "/srv/shop".into())],
        };
        assert_eq!(
            text(&findings),
            "kernel           6.18\n\
             pidfd exit info  yes\n\
             cgroup           no: not writable\n\
             runtime files    /run/user/7/ganger\n\
             state and logs   no: set GANGER_STATE_DIR or HOME\n\
             running app      shop-1 in /srv/shop\n"
        );
    }
}
