//! `ganger run`: one worker or one command in this terminal, with the app's environment and no overseer.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use ganger_api::HolderInfo;
use ganger_keeper::{Launch, run_attached};
use ganger_spec::{Command, GANGER_WORKER, Group, PORT, PS, Spec, Variable, WorkerName};
use serde::Serialize;

use crate::cli::{AfterGroup, RunArgs, RunWorkerArgs, SpecArgs, Where};
use crate::failure::{FAILED, Failure, Outcome, USAGE};
use crate::load;
use crate::output::show;
use crate::render::{self, Table};
use crate::style::Style;

/// The variable by which a worker is told its queue.
const QUEUE: &str = "QUEUE";

/// Runs it, or lists what can be run.
pub(crate) fn run(place: &Where, args: &RunArgs) -> Outcome {
    let spec_args = SpecArgs { env: args.env.clone(), port: args.base_port.clone(), ..SpecArgs::default() };
    let mut options = load::options(place, &spec_args, &[])?;
    // A command needs no more than an environment, as with Foreman.
    options.without_groups = !args.list;
    let spec = ganger_spec::load(&options)?.spec;
    if args.list {
        return list(&spec, args.json);
    }
    let task = match what(&spec, &args.words)? {
        What::Worker(group, after) => worker(&spec, group, &merged(&args.worker, &after), &after.args),
        What::Command(words) => command(&spec, words, &args.worker),
    };
    let launch = task.launch(&options.inherited)?;
    task.warn_of_held_port();
    let ended = run_attached(&launch).map_err(|error| {
        let failure = Failure { status: error.status(), ..Failure::new(&error) };
        if task.group.is_none() { failure.hinted(groups_of(&spec)) } else { failure }
    })?;
    for process in &ended.killed {
        say(&format!("had to kill {} (pid {}), which was left behind", process.name, process.pid));
    }
    Ok(ExitCode::from(ended.status))
}

/// What could have been meant by a word that is neither a group nor a command that runs.
fn groups_of(spec: &Spec) -> String {
    let names: Vec<_> = spec.groups.iter().map(|group| group.name.as_str()).collect();
    if names.is_empty() {
        return format!("there is no Procfile in {} that names groups", spec.root.display());
    }
    format!("the groups are {}", names.join(", "))
}

/// What the words name.
#[derive(Debug, PartialEq)]
enum What<'a> {
    Worker(&'a Group, AfterGroup),
    Command(&'a [OsString]),
}

/// A group, if the first word names one and no further plain word follows; else a command.
fn what<'a>(spec: &'a Spec, words: &'a [OsString]) -> Result<What<'a>, Failure> {
    let Some((first, rest)) = words.split_first() else {
        let failure = Failure::usage("nothing is named that should run");
        return Err(failure.hinted("name a group or a command; `ganger run --list` lists the groups"));
    };
    let group = first.to_str().and_then(|name| spec.group(name));
    let flags_follow = rest.first().is_none_or(|word| word.as_encoded_bytes().starts_with(b"-"));
    match group {
        Some(group) if flags_follow => match AfterGroup::try_parse_from(rest) {
            Ok(after) => Ok(What::Worker(group, after)),
            Err(error) => Err(Failure { status: USAGE, ..bad_flag(group, &error) }),
        },
        Some(_) | None => Ok(What::Command(words)),
    }
}

fn bad_flag(group: &Group, error: &clap::Error) -> Failure {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let message = first.strip_prefix("error: ").unwrap_or(first);
    Failure::new(format!("after the group {}: {message}", group.name))
        .hinted("what follows `--` is given to the group's command")
}

/// What is said after the group's name counts before what is said before it.
fn merged(before: &RunWorkerArgs, after: &AfterGroup) -> RunWorkerArgs {
    RunWorkerArgs {
        queue: after.worker.queue.clone().or_else(|| before.queue.clone()),
        port: after.worker.port.or(before.port),
    }
}

/// What will run.
#[derive(Debug, PartialEq)]
struct Task<'a> {
    name: String,
    /// None for a command that is no worker.
    group: Option<&'a Group>,
    dir: &'a std::path::Path,
    argv: Vec<OsString>,
    variables: Vec<(String, String)>,
    port: Option<u16>,
}

fn worker<'a>(spec: &'a Spec, group: &'a Group, args: &RunWorkerArgs, extra: &[OsString]) -> Task<'a> {
    let slot = WorkerName::new(&group.name, 1);
    let name = format!("{}.run", group.name);
    let port = args.port.or_else(|| spec.port(&slot));
    let mut variables = plain(spec.environment(&slot));
    variables.extend([(PS.to_owned(), name.clone()), (GANGER_WORKER.to_owned(), name.clone())]);
    variables.extend(given(args));
    Task {
        name,
        group: Some(group),
        dir: &group.dir,
        argv: with_arguments(&group.command, extra),
        variables,
        port,
    }
}

fn command<'a>(spec: &'a Spec, words: &[OsString], args: &RunWorkerArgs) -> Task<'a> {
    let mut variables = plain(spec.app_environment());
    variables.extend(given(args));
    let argv = match words {
        // One word may be a whole line: `ganger run "rake db:migrate"`.
        [line] => match line.to_str() {
            Some(line) => words_of(&Command::Line(line.to_owned())),
            None => words.to_vec(),
        },
        _ => words.to_vec(),
    };
    let name = words.first().map_or_else(String::new, |word| word.to_string_lossy().into_owned());
    Task { name, group: None, dir: &spec.root, argv, variables, port: args.port }
}

fn given(args: &RunWorkerArgs) -> impl Iterator<Item = (String, String)> {
    let port = args.port.map(|port| (PORT.to_owned(), port.to_string()));
    port.into_iter().chain(args.queue.clone().map(|queue| (QUEUE.to_owned(), queue)))
}

fn plain(variables: Vec<Variable>) -> Vec<(String, String)> {
    variables.into_iter().map(|variable| (variable.name, variable.value)).collect()
}

fn words_of(command: &Command) -> Vec<OsString> {
    command.argv().words.into_iter().map(OsString::from).collect()
}

/// The command's words and these; a shell's line gets them as `"$@"`, so that nothing in them means anything to it.
fn with_arguments(command: &Command, extra: &[OsString]) -> Vec<OsString> {
    let argv = command.argv();
    let mut words = words_of(command);
    if extra.is_empty() {
        return words;
    }
    if argv.shell {
        if let Some(line) = words.last_mut() {
            line.push(" \"$@\"");
        }
        words.push("sh".into());
    }
    words.extend_from_slice(extra);
    words
}

impl Task<'_> {
    fn launch(&self, inherited: &BTreeMap<OsString, OsString>) -> Result<Launch, Failure> {
        let inherited = ganger_overseer::variables(inherited);
        let env = ganger_overseer::environment(inherited, self.variables.clone());
        let (argv, tag) = (self.argv.clone(), format!("run-{}", std::process::id()));
        match self.group {
            Some(group) => ganger_overseer::launch_of(group, argv, env, tag).map_err(Failure::new),
            None => Ok(Launch { argv, env, dir: self.dir.to_owned(), tag, ..Launch::default() }),
        }
    }

    fn warn_of_held_port(&self) {
        let Some(port) = self.port else { return };
        if let Some(found) = HolderInfo::of_port(port) {
            say(&format!("port {port} of {} is held by {}", self.name, render::holder(&found)));
        }
    }
}

/// Tells something that is no failure; a closed stderr does not matter.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "ganger: {text}");
}

/// A group that can be run.
#[derive(Serialize)]
struct Runnable {
    name: String,
    port: Option<u16>,
    command: String,
}

fn list(spec: &Spec, json: bool) -> Outcome {
    let runnable = |group: &Group| Runnable {
        name: group.name.clone(),
        port: spec.port(&WorkerName::new(&group.name, 1)),
        command: group.command.to_string(),
    };
    let groups: Vec<_> = spec.groups.iter().map(runnable).collect();
    show(json, &groups, |groups| listed(groups, Style::of_stdout()))?;
    Ok(if groups.is_empty() { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

fn listed(groups: &[Runnable], style: Style) -> String {
    let mut table = Table::new(style, &["NAME", ">PORT", "COMMAND"]);
    for group in groups {
        let port = group.port.map_or_else(|| "-".to_owned(), |port| port.to_string());
        table.row([group.name.clone(), port, group.command.clone()]);
    }
    table.render()
}

#[cfg(test)]
mod tests;
