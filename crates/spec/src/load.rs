//! From options and files to one checked spec.

use std::ffi::OsStr;
use std::path::Path;

use crate::depends::with_dependencies;
use crate::environment::{GANGER_WORKER, PORT, PS};
use crate::foreman::Defaults;
use crate::formation::{BadFormation, Formation};
use crate::forward::forwards;
use crate::groups::{check_dependencies, completed, drafts};
use crate::policy::Policy;
use crate::ports::{DEFAULT_PORT, MAX_PORT};
use crate::problem::{Findings, LoadError, Problem};
use crate::procfile::shown;
use crate::select::{ALL, matches};
use crate::sources::{Sources, read_foreman};
use crate::suggest::hint_for;
use crate::wishes::{Place, Wish, Wishes};
use crate::{
    Group, Loaded, Logs, Options, Origin, Port, SourceKind, Spec, Variable, logs, overmind, supervisor,
};

/// The most workers of an app at its start.
pub const MAX_WORKERS: u64 = 100_000;

/// Reads every file that the options name or that lies in the app's directory, and checks all of it.
pub fn load(options: &Options) -> Result<Loaded, LoadError> {
    let mut findings = Findings::default();
    let mut list = Vec::new();
    let foreman = options.dir.join(".foreman");
    let defaults = match options.overmind {
        None => read_foreman(&foreman, &mut list, &mut findings),
        Some(_) => Defaults::default(),
    };
    let wishes = Wishes::of(options, &foreman, defaults);
    let settings = wishes.settings;
    let loaded = match wishes.file.as_ref().filter(|file| supervisor::is_one(&file.value)) {
        Some(file) => of_supervisor(options, &wishes, &file.value, &mut findings),
        None => Sources::read(options, &wishes, list, &mut findings)
            .map(|sources| assemble(options, &wishes, sources, &mut findings)),
    };
    let warnings = findings.told_in(&options.dir).finish()?;
    match loaded {
        Some((spec, left_out)) => Ok(Loaded { spec, warnings, settings, left_out }),
        None => unreachable!("sources that cannot be read leave an error in the findings"),
    }
}

/// The spec, and the groups that the formation leaves out.
fn assemble(
    options: &Options,
    wishes: &Wishes,
    sources: Sources,
    findings: &mut Findings,
) -> (Spec, Vec<String>) {
    let base = base_port(options, wishes, &sources, findings);
    let drafts = drafts(&sources, options.without_groups, findings);
    let names: Vec<&str> = drafts.iter().map(|draft| draft.name).collect();
    let policy = Policy::of(options, wishes, &names, &completed(&drafts), findings);
    let logs = sources.native.as_ref().and_then(|native| Some((native, native.table.logs.as_ref()?)));
    let app_logs = logs.map(|(_, table)| table.get_ref());
    if let Some((native, table)) = logs {
        let usual = Logs::of(app_logs, None, Path::new(""));
        logs::check(native, &table.span(), table.get_ref(), &usual, None, findings);
    }
    let logs_max_total = app_logs.and_then(|table| table.max_total).map(|size| size.0);
    let mut groups: Vec<Group> = drafts
        .iter()
        .enumerate()
        .map(|(position, draft)| {
            draft.group((position, base), &sources.root, &policy, app_logs, &names, findings)
        })
        .collect();
    check_dependencies(&groups, &drafts, findings);
    let (left_out, overmind) = match &options.overmind {
        None => (count(&mut groups, &names, options, wishes, findings), None),
        Some(overmind) => {
            let is_plain = sources.native.is_none();
            let overmind = overmind::apply(overmind, &mut groups, (base, is_plain), wishes, findings);
            bound(&groups, findings);
            (Vec::new(), Some(Box::new(overmind)))
        }
    };
    let app = sources.native.as_ref().and_then(|native| native.table.app.clone());
    let app = app.unwrap_or_else(|| {
        sources.root.file_name().map_or_else(|| "app".to_owned(), |name| name.to_string_lossy().into_owned())
    });
    let forwards = forwards(options, &sources, &names, findings);
    let spec = Spec {
        app,
        root: sources.root,
        sources: sources.list,
        env: sources.env,
        groups,
        logs_max_total,
        forwards,
        supervisor: None,
        overmind,
    };
    check_reserved(&spec, findings);
    if !findings.has_errors() {
        check_ports(&spec, findings);
    }
    (spec, left_out)
}

/// The spec of a file of supervisord's, and the groups that the formation leaves out.
fn of_supervisor(
    options: &Options,
    wishes: &Wishes,
    path: &Path,
    findings: &mut Findings,
) -> Option<(Spec, Vec<String>)> {
    let file = supervisor::File::read(path, options, findings)?;
    let mut groups = file.groups;
    let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let left_out = count(&mut groups, &names, options, wishes, findings);
    let beside = path.parent().unwrap_or(path).to_owned();
    let root = wishes.root.as_ref().map_or(beside, |root| root.value.clone());
    let sources = Sources { root, procfile: None, native: None, env: file.env, list: file.list };
    let mut forwards = forwards(options, &sources, &names, findings);
    supervisor::echo(file.daemon.loglevel, &mut groups);
    for group in groups.iter_mut().filter(|_| options.is_root) {
        group.user = group.user.take().or_else(|| file.daemon.user.clone());
    }
    forwards.extend(supervisor::syslog_forward(&file.daemon, &groups));
    let spec = Spec {
        app: file.daemon.identifier.clone(),
        root: sources.root,
        sources: sources.list,
        env: sources.env,
        groups,
        logs_max_total: None,
        forwards,
        supervisor: Some(Box::new(file.daemon)),
        overmind: None,
    };
    check_reserved(&spec, findings);
    Some((spec, left_out))
}

/// The base of the ports: `-p`, then `PORT` of an env file, `port` of `ganger.toml`, `PORT` of the shell, 5000.
fn base_port(options: &Options, wishes: &Wishes, sources: &Sources, findings: &mut Findings) -> u16 {
    let in_file = sources.env.iter().rev().find_map(|variable| match &variable.origin {
        Origin::File { path, line } if variable.name == PORT && is_env_file(sources, path) => {
            Some((variable.value.clone(), Place::Line(path.clone(), *line)))
        }
        Origin::File { .. } | Origin::Ganger | Origin::CommandLine | Origin::Shell => None,
    });
    if let Some(Wish { value, place }) = &wishes.port {
        return findings.take(port_of(value, place)).unwrap_or(DEFAULT_PORT);
    }
    if let Some((value, place)) = in_file {
        return findings.take(port_of(&value, &place)).unwrap_or(DEFAULT_PORT);
    }
    let native = sources.native.as_ref().and_then(|native| Some((native, native.table.port.as_ref()?)));
    if let Some((native, port)) = native {
        let place = Place::Line(native.path().to_owned(), native.line(&port.span()));
        return findings.take(port_of(&port.get_ref().to_string(), &place)).unwrap_or(DEFAULT_PORT);
    }
    let Some(value) = options.inherited.get(OsStr::new(PORT)) else { return DEFAULT_PORT };
    match port_of(&value.to_string_lossy(), &Place::Flag("PORT of the shell")) {
        Ok(port) => port,
        Err(problem) => {
            findings.warn(problem.hinted(format!("the ports begin at {DEFAULT_PORT}")));
            DEFAULT_PORT
        }
    }
}

fn is_env_file(sources: &Sources, path: &Path) -> bool {
    sources.list.iter().any(|source| source.kind == SourceKind::Env && source.path == path)
}

fn port_of(text: &str, place: &Place) -> Result<u16, Problem> {
    let digits = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if digits && port > 0 => Ok(port),
        Ok(_) | Err(_) => {
            let problem = place.problem(&format!("{} is no port", shown(text)));
            Err(problem.hinted(format!("a port is a number from 1 to {MAX_PORT}")))
        }
    }
}

/// Gives the groups the counts that formation and command line ask for; says which the formation leaves out.
fn count(
    groups: &mut [Group],
    names: &[&str],
    options: &Options,
    wishes: &Wishes,
    findings: &mut Findings,
) -> Vec<String> {
    let formation = wishes.formation.as_ref().and_then(|wish| {
        let formation = Formation::parse(&wish.value);
        let placed = |bad: BadFormation| wish.place.problem(&bad.message).maybe_hinted(bad.hint);
        let formation = findings.take(formation.map_err(placed))?;
        if let Err(bad) = formation.check(names) {
            // A file can be put right before it is read again, a command line cannot.
            let again = options.again && matches!(wish.place, Place::Flag(_));
            findings.no_group(again, placed(bad));
        }
        Some(formation)
    });
    let asked = |name: &&str| options.groups.iter().any(|pattern| pattern == ALL || matches(pattern, name));
    let asked = names.iter().copied().filter(asked).map(str::to_owned).collect();
    let asked = with_dependencies(groups, asked);
    for pattern in &options.groups {
        if pattern != ALL && !names.iter().any(|name| matches(pattern, name)) {
            let problem = Problem::new(format!("no group {}", shown(pattern)));
            findings.no_group(options.again, problem.maybe_hinted(hint_for(pattern, names.iter().copied())));
        }
    }
    let mut left_out = Vec::new();
    for group in groups.iter_mut() {
        if !options.groups.is_empty() {
            let wanted = formation.as_ref().filter(|formation| !formation.leaves_out(&group.name));
            let wanted = wanted.map_or(group.count, |formation| formation.count(&group.name));
            group.count = if asked.contains(&group.name) { wanted.max(1) } else { 0 };
        } else if let Some(formation) = &formation {
            group.count = formation.count(&group.name);
            if formation.leaves_out(&group.name) {
                left_out.push(group.name.clone());
            }
        }
    }
    bound(groups, findings);
    left_out
}

/// Tells of more workers than there can be, and of none.
fn bound(groups: &[Group], findings: &mut Findings) {
    let total: u64 = groups.iter().map(|group| u64::from(group.count)).sum();
    if total > MAX_WORKERS {
        let message = format!("{total} workers are more than the {MAX_WORKERS} that an app can have");
        findings.error(Problem::new(message).hinted("lower a count in the formation or in ganger.toml"));
    }
    if total == 0 && !groups.is_empty() {
        findings.warn(
            Problem::new("no worker starts: every group has a count of 0")
                .hinted("`-m all=1` starts one of each"),
        );
    }
}

/// Tells of variables that ganger itself sets.
fn check_reserved(spec: &Spec, findings: &mut Findings) {
    let is_native = |path: &Path| {
        spec.sources.iter().any(|source| source.kind == SourceKind::GangerToml && source.path == path)
    };
    let app = spec.env.iter().map(|variable| (variable, "at the top of the file"));
    let kept = |group: &&Group| group.port != Port::None;
    let own = spec.groups.iter().filter(kept).flat_map(|group| &group.env);
    let own = own.map(|variable| (variable, "in its group, or `port = false` to keep this value"));
    for (variable, where_to) in app.chain(own) {
        let Origin::File { path, line } = &variable.origin else { continue };
        if variable.name == PORT && is_native(path) {
            let problem = Problem::at(path, *line, "`PORT` is set by ganger");
            findings.error(problem.hinted(format!("write `port = {}` {where_to}", shown_port(variable))));
        }
    }
    for variable in spec.env.iter().chain(spec.groups.iter().flat_map(|group| &group.env)) {
        let Origin::File { path, line } = &variable.origin else { continue };
        if variable.name == PS || variable.name == GANGER_WORKER {
            let message =
                format!("`{}` is set by ganger for each worker: this value is not used", variable.name);
            findings
                .warn(Problem::at(path, *line, message).hinted("remove the line, or choose another name"));
        }
    }
}

/// What a `port` key would be instead of this variable.
fn shown_port(variable: &Variable) -> &str {
    if variable.value.parse::<u16>().is_ok() { &variable.value } else { "5000" }
}

fn check_ports(spec: &Spec, findings: &mut Findings) {
    for group in &spec.groups {
        if let Err(error) = group.check_count(group.count) {
            findings.error(Problem::new(error.to_string()).maybe_hinted(error.hint()));
        }
    }
    if spec.overmind.is_some() {
        // Their steps are as the command line asks for, equal ports as well.
        return;
    }
    for (first, second, port) in spec.shared_ports() {
        let problem = Problem::new(format!("{first} and {second} have the same port, {port}"));
        findings.warn(
            problem.hinted("give one of the groups another `port` in ganger.toml, or start fewer workers"),
        );
    }
}

#[cfg(test)]
mod tests;
