//! `ganger check`: whether the files are right, and what would run.

use std::process::ExitCode;

use ganger_spec::{Bytes, Group, Loaded, Logs, PlannedWorker, Source, Warning};
use serde::Serialize;

use crate::cli::{CheckArgs, Where};
use crate::failure::Outcome;
use crate::load::load;
use crate::output::show;
use crate::render::{Table, count};
use crate::style::Style;

/// What would run.
#[derive(Serialize)]
struct Checked<'a> {
    app: &'a str,
    sources: &'a [Source],
    workers: Vec<PlannedWorker>,
    logs_max_total: Option<u64>,
    /// What is said of groups beside, in words; programs have it in `workers`.
    #[serde(skip)]
    rules: Vec<(&'a str, String)>,
    left_out: &'a [String],
    warnings: &'a [Warning],
    /// What would keep workers from starting on this machine.
    missing: Vec<Missing<'a>>,
}

/// What a group names and this machine has not; another one may have it.
#[derive(Serialize)]
struct Missing<'a> {
    group: &'a str,
    message: String,
    hint: Option<String>,
}

/// Reads every file and shows what would run.
pub(crate) fn run(place: &Where, args: &CheckArgs) -> Outcome {
    let loaded = load(place, &args.spec, &args.groups)?;
    let Loaded { spec, warnings, left_out, settings: _ } = &loaded;
    let (sources, workers, logs_max_total) = (&spec.sources, spec.plan(), spec.logs_max_total);
    let rules = spec.groups.iter().map(|group| (group.name.as_str(), group.rules()));
    let rules = rules.filter(|(_, rules)| !rules.is_empty()).collect();
    let missing = spec.groups.iter().flat_map(missing).collect();
    let app = &spec.app;
    let checked = Checked { app, sources, workers, logs_max_total, rules, left_out, warnings, missing };
    show(args.json, &checked, |checked| text(checked, Style::of_stdout()))?;
    Ok(ExitCode::SUCCESS)
}

/// The directory and the user that a group names and that are not there.
fn missing(group: &Group) -> Vec<Missing<'_>> {
    let mut found = Vec::new();
    let mut add = |message, hint| found.push(Missing { group: &group.name, message, hint });
    if !group.dir.is_dir() {
        let message = format!("there is no directory {}", group.dir.display());
        add(message, Some(format!("make it, or change {}", group.directory_key())));
    }
    if let Err(error) = ganger_overseer::launch_of(group, Vec::new(), Vec::new(), String::new()) {
        add(error.to_string(), error.hint());
    }
    found
}

fn text(checked: &Checked<'_>, style: Style) -> String {
    let mut table = Table::new(style, &["NAME", ">PORT", "COMMAND"]);
    for worker in &checked.workers {
        let port = worker.port.map_or_else(|| "-".to_owned(), |port| port.to_string());
        table.row([shown(worker), port, command(worker)]);
    }
    let mut out = table.render();
    let down: Vec<_> = checked.workers.iter().filter(|worker| !worker.autostart).map(shown).collect();
    if !down.is_empty() {
        out.extend([format!("down until a command starts them: {}\n", down.join(", "))]);
    }
    out.extend(checked.rules.iter().map(|(group, rules)| format!("{group}: {rules}\n")));
    for (group, logs) in kept(checked) {
        out.extend([format!("logs of {group}: {logs}\n")]);
    }
    if let Some(bytes) = checked.logs_max_total {
        out.extend([format!("logs of all workers: at most {}\n", Bytes(bytes))]);
    }
    if !checked.left_out.is_empty() {
        out.extend([format!("not started: {}\n", checked.left_out.join(", "))]);
    }
    for warning in checked.warnings {
        out.extend([format!("warning: {warning}\n")]);
        out.extend(warning.hint.iter().map(|hint| format!("hint: {hint}\n")));
    }
    for Missing { group, message, hint } in &checked.missing {
        out.extend([format!("warning: {group} cannot start on this machine: {message}\n")]);
        out.extend(hint.iter().map(|hint| format!("hint: {hint}\n")));
    }
    let files: Vec<_> = checked.sources.iter().filter(|source| source.found).map(name).collect();
    let starting = checked.workers.len() - down.len();
    out.extend([format!("{} would run; read {}\n", count(starting, "worker"), files.join(", "))]);
    out
}

/// Its name, and that in its family where it has another.
fn shown(worker: &PlannedWorker) -> String {
    let name = worker.name.to_string();
    if worker.process == name { name } else { format!("{name} ({})", worker.process) }
}

/// How the output of each group is kept that says it.
fn kept(checked: &Checked<'_>) -> Vec<(String, Logs)> {
    let said = checked.workers.iter().filter(|worker| worker.logs != Logs::default());
    let mut kept: Vec<_> = said.map(|worker| (worker.name.group.clone(), worker.logs.clone())).collect();
    kept.dedup();
    kept
}

/// What is executed: the line as it stands for the shell, or the words.
fn command(worker: &PlannedWorker) -> String {
    match worker.argv.words.last() {
        Some(line) if worker.argv.shell => line.clone(),
        Some(_) | None => worker.argv.words.join(" "),
    }
}

fn name(source: &Source) -> String {
    source
        .path
        .file_name()
        .map_or_else(|| source.path.display().to_string(), |name| name.to_string_lossy().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganger_spec::{Argv, Backoff, OnEnd, OnFatal, RestartMode, Signal, SourceKind, WorkerName};

    fn worker(group: &str, port: Option<u16>, shell: bool, words: &[&str]) -> PlannedWorker {
        PlannedWorker {
            name: WorkerName::new(group, 1),
            process: format!("{group}.1"),
            autostart: group != "idle",
            argv: Argv { words: words.iter().map(|&word| word.to_owned()).collect(), shell },
            dir: "/srv/shop".into(),
            port,
            restart: RestartMode::Never,
            attempts: None,
            backoff: Backoff::default(),
            on_end: OnEnd::Shutdown,
            on_fatal: OnFatal::Stay,
            depends_on: std::collections::BTreeMap::new(),
            readiness: None,
            liveness: None,
            max_memory: None,
            watch: None,
            stop_signal: Signal::TERM,
            stop_timeout: std::time::Duration::from_secs(5),
            user: None,
            logs: Logs::default(),
        }
    }

    #[test]
    fn what_would_run_is_shown_with_what_is_odd_about_it() {
        let source = |path: &str, found| Source { path: path.into(), kind: SourceKind::Procfile, found };
        let warning = Warning {
            path: Some("Procfile".into()),
            line: Some(3),
            column: None,
            message: "odd".into(),
            hint: Some("make it even".into()),
        };
        let checked = Checked {
            app: "shop",
            sources: &[source("/srv/shop/Procfile", true), source("/srv/shop/.env", false)],
            workers: vec![
                worker("web", Some(5000), true, &["/bin/sh", "-c", "serve -p $PORT"]),
                PlannedWorker {
                    logs: Logs { max_size: Some(5 << 20), compress: true, ..Logs::default() },
                    ..worker("clock", None, false, &["tick", "5"])
                },
                PlannedWorker { process: "i".to_owned(), ..worker("idle", None, false, &["wait"]) },
            ],
            logs_max_total: Some(1 << 30),
            rules: vec![("web", "waits for db to be ready".to_owned())],
            left_out: &["mail".to_owned()],
            warnings: &[warning],
            missing: Vec::new(),
        };
        assert_eq!(
            text(&checked, Style::PLAIN),
            "NAME        PORT  COMMAND\n\
             web.1       5000  serve -p $PORT\n\
             clock.1        -  tick 5\n\
             idle.1 (i)     -  wait\n\
             down until a command starts them: idle.1 (i)\n\
             web: waits for db to be ready\n\
             logs of clock: files of 5 MiB, compressed\n\
             logs of all workers: at most 1 GiB\n\
             not started: mail\n\
             warning: Procfile:3: odd\n\
             hint: make it even\n\
             2 workers would run; read Procfile\n"
        );
    }
}
