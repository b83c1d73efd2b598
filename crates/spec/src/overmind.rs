//! What is different for an app that was started as Overmind starts one: its ports, counts, stop signals and names.
//!
//! 1. A group has one worker unless the formation says otherwise, and as many as fit between two groups' ports.
//! 2. The ports of groups are a step apart, those of the workers of a group another step.
//! 3. The first signal of a stop is INT, or what the group is given.
//! 4. A worker is `web`; one of several is `web#2`. It is told its name in `PS`, and the ports of all others.
//! 5. What names a group that is not there is told of, and is no error: one `.overmind.env` serves several Procfiles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::environment::{PS, by_ganger};
use crate::formation::{BadFormation, Formation};
use crate::input::read;
use crate::problem::{Findings, LoadError, Problem};
use crate::select::ALL;
use crate::wishes::{Place, Wishes};
use crate::{Command, Group, Port, Signal, Variable, WorkerName, dotenv};

/// The ports of so many other workers are told to each.
pub const MAX_OTHER_PORTS: usize = 256;
/// The shell whose lines need no other program.
const USUAL_SHELL: &str = "sh";

/// What the command line of `overmind start` says beside what [`Options`](crate::Options) have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OvermindOptions {
    /// From the port of one group to that of the next.
    pub port_step: u32,
    /// From the port of one worker to that of the next.
    pub formation_port_step: u32,
    /// No port is given to anybody.
    pub no_port: bool,
    /// Only these groups start; all if empty.
    pub processes: Vec<String>,
    /// These groups do not start.
    pub ignored: Vec<String>,
    /// What stops a group.
    pub stop_signals: BTreeMap<String, Signal>,
    /// The shell that runs the lines of the Procfile.
    pub shell: String,
    /// Where clients are answered.
    pub listen: OvermindListen,
    /// The colours of names, by the position of their groups.
    pub colors: Vec<u8>,
    /// Lines for clients begin with the time.
    pub timestamps: bool,
}

/// Where Overmind's clients are answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OvermindListen {
    /// A socket in the file system. Absolute.
    Unix(PathBuf),
    /// A TCP address: `localhost:4000`.
    Tcp(String),
}

/// What clients of Overmind's know of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overmind {
    /// Where they are answered.
    pub listen: OvermindListen,
    /// Lines for them begin with the time.
    pub timestamps: bool,
    /// The groups in their order: name, workers at the start, colour.
    pub groups: Vec<(String, u32, u8)>,
}

impl Overmind {
    /// The name of a worker: `web`, or `web#2` where there are several.
    pub fn name(&self, worker: &WorkerName) -> String {
        let is_alone = worker.number == 1 && self.group(&worker.group).is_none_or(|(count, _)| count <= 1);
        if is_alone { worker.group.clone() } else { format!("{}#{}", worker.group, worker.number) }
    }

    /// The colour of a group's names, of the 256 of a terminal.
    pub fn color(&self, group: &str) -> u8 {
        self.group(group).map_or(SYSTEM_COLOR, |(_, color)| color)
    }

    /// The length of the longest name of those that start.
    pub fn width(&self) -> usize {
        let longest = |(name, count, _): &(String, u32, u8)| {
            self.name(&WorkerName::new(name, (*count).max(1))).chars().count()
        };
        self.groups.iter().map(longest).max().unwrap_or(0).max(NARROWEST)
    }

    fn group(&self, name: &str) -> Option<(u32, u8)> {
        self.groups.iter().find(|(known, ..)| known == name).map(|(_, count, color)| (*count, *color))
    }

    /// What a worker is told of itself and of the others.
    pub(crate) fn variables(&self, groups: &[Group], own: &WorkerName) -> Vec<Variable> {
        let others = groups.iter().flat_map(|group| {
            (1..=group.count.max(1)).map(move |number| (group, WorkerName::new(&group.name, number)))
        });
        let of = |(group, worker): (&Group, WorkerName)| {
            let port = group.port_of(worker.number).filter(|_| worker != *own)?;
            Some(by_ganger(&port_variable(&self.name(&worker)), port.to_string()))
        };
        let ports = others.filter_map(of).take(MAX_OTHER_PORTS);
        ports.chain([by_ganger(PS, self.name(own))]).collect()
    }
}

/// The variables of an env file; none if there is no such file. `known` is asked for what an expansion names and the file
/// has not said.
pub fn read_env_file(
    path: &Path,
    known: impl Fn(&str) -> Option<String>,
) -> Result<Option<Vec<Variable>>, LoadError> {
    let mut findings = Findings::default();
    let text = findings.take(read(path)).flatten();
    let variables = text.map(|text| dotenv::parse(path, &text, known, &mut findings));
    findings.finish()?;
    Ok(variables)
}

/// The colour of what is about no worker.
pub const SYSTEM_COLOR: u8 = 7;
/// Names are padded to at least this.
const NARROWEST: usize = 6;

/// `OVERMIND_PROCESS_web_2_PORT` of `web#2`.
fn port_variable(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    format!("OVERMIND_PROCESS_{}_PORT", name.chars().map(plain).collect::<String>())
}

/// Gives the groups what Overmind gives them. `plain` says that only a Procfile speaks of them.
pub(crate) fn apply(
    options: &OvermindOptions,
    groups: &mut [Group],
    (base, plain): (u16, bool),
    wishes: &Wishes,
    findings: &mut Findings,
) -> Overmind {
    let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
    tell_unknown(options, &names, findings);
    let formation = formation(options, wishes, &names, findings);
    for (position, group) in groups.iter_mut().enumerate() {
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        if matches!(group.port, Port::Auto(_)) {
            let first = u32::from(base).saturating_add(position.saturating_mul(options.port_step));
            group.port = if options.no_port { Port::None } else { Port::Auto(first) };
            group.port_step = options.formation_port_step;
        }
        match options.stop_signals.get(&group.name) {
            Some(signal) => group.stop.signal = *signal,
            None if plain => group.stop.signal = Signal::INT,
            None => {}
        }
        if let Command::Line(line) = &group.command
            && options.shell != USUAL_SHELL
        {
            group.command = Command::Words(vec![options.shell.clone(), "-c".to_owned(), line.clone()]);
        }
        group.count =
            formation.as_ref().and_then(|formation| formation.said_of(&group.name)).unwrap_or(group.count);
    }
    let count = options.colors.len().max(1);
    let color = |position: usize| options.colors.get(position % count).copied().unwrap_or(SYSTEM_COLOR);
    let listed = groups.iter().enumerate();
    let listed = listed.map(|(position, group)| (group.name.clone(), group.count, color(position))).collect();
    for group in groups.iter_mut() {
        let is_wanted = options.processes.is_empty() || options.processes.contains(&group.name);
        if !is_wanted || options.ignored.contains(&group.name) {
            group.count = 0;
        }
    }
    Overmind { listen: options.listen.clone(), timestamps: options.timestamps, groups: listed }
}

fn tell_unknown(options: &OvermindOptions, names: &[String], findings: &mut Findings) {
    let lists = [("--processes", &options.processes), ("--ignored-processes", &options.ignored)];
    let listed = lists.into_iter().flat_map(|(flag, list)| list.iter().map(move |name| (flag, name)));
    let signals = options.stop_signals.keys().map(|name| ("--stop-signals", name));
    for (flag, name) in listed.chain(signals).filter(|(_, name)| !names.contains(name)) {
        findings.no_group(true, Problem::new(format!("{flag}: no group `{name}`")));
    }
}

fn formation(
    options: &OvermindOptions,
    wishes: &Wishes,
    names: &[String],
    findings: &mut Findings,
) -> Option<Formation> {
    let wish = wishes.formation.as_ref()?;
    let placed = |bad: BadFormation| wish.place.problem(&bad.message).maybe_hinted(bad.hint);
    let formation = findings.take(Formation::parse(&wish.value).map_err(placed))?;
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    if let Err(bad) = formation.check(&known) {
        findings.no_group(true, placed(bad));
    }
    let most = options.port_step.checked_div(options.formation_port_step).filter(|_| !options.no_port);
    for name in names.iter().map(String::as_str).chain([ALL]) {
        if let Some((count, most)) = formation.said_of(name).zip(most)
            && count > most
        {
            let message = format!(
                "{count} workers of `{name}`: the ports have room for {most}, with a step of {} from group to group \
                 and of {} from worker to worker",
                options.port_step, options.formation_port_step
            );
            let hint = "ask for fewer, give a larger --port-step, or no port with --no-port";
            findings.error(Place::Flag("--formation").problem(&message).hinted(hint));
            break;
        }
    }
    Some(formation)
}

#[cfg(test)]
mod tests;
