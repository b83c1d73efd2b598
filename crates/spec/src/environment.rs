//! The environment of a worker, and where each variable of it comes from.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::{Group, Origin, Spec, Variable, WorkerName};

/// The worker's name as Foreman says it.
pub const PS: &str = "PS";
/// The worker's name.
pub const GANGER_WORKER: &str = "GANGER_WORKER";
/// The worker's port.
pub const PORT: &str = "PORT";

/// A variable and what it hides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// What the worker gets.
    pub variable: Variable,
    /// Earlier sayings of the same name, the nearest first.
    pub overrides: Vec<Variable>,
}

impl Spec {
    /// What ganger puts into a worker's environment beside the shell's, each name once. The order is that in which
    /// the names were first said.
    pub fn environment(&self, worker: &WorkerName) -> Vec<Variable> {
        each_once(self.said_to(worker))
    }

    /// The app's own variables, each name once: what a command gets that is no worker.
    pub fn app_environment(&self) -> Vec<Variable> {
        each_once(self.env.clone())
    }

    /// The whole environment of a worker with what each variable hides, in the order of the names.
    pub fn explain(&self, worker: &WorkerName, inherited: &BTreeMap<OsString, OsString>) -> Vec<Explained> {
        let mut explained = explain(from_shell(inherited).chain(self.said_to(worker)));
        explained.sort_by(|a, b| a.variable.name.cmp(&b.variable.name));
        explained
    }

    /// The whole environment of a command that is no worker, in the order of the names.
    pub fn explain_app(&self, inherited: &BTreeMap<OsString, OsString>) -> Vec<Explained> {
        let mut explained = explain(from_shell(inherited).chain(self.env.iter().cloned()));
        explained.sort_by(|a, b| a.variable.name.cmp(&b.variable.name));
        explained
    }

    /// Every saying, in the order of rising precedence. `own` is what the worker has instead of its group's.
    pub(crate) fn said(&self, group: &Group, number: u32, own: Option<&Vec<Variable>>) -> Vec<Variable> {
        let name = WorkerName::new(&group.name, number);
        let mut said = group.each.told(group, number);
        said.extend(self.env.iter().chain(own.unwrap_or(&group.env)).cloned());
        said.extend(group.port_of(number).map(|port| by_ganger(PORT, port.to_string())));
        said.extend([by_ganger(PS, name.to_string()), by_ganger(GANGER_WORKER, name.to_string())]);
        if let Some(overmind) = &self.overmind {
            said.extend(overmind.variables(&self.groups, &name));
        }
        said
    }

    fn said_to(&self, worker: &WorkerName) -> Vec<Variable> {
        let Some(group) = self.group(&worker.group) else {
            let names = [by_ganger(PS, worker.to_string()), by_ganger(GANGER_WORKER, worker.to_string())];
            return self.env.iter().cloned().chain(names).collect();
        };
        let own = group.each.of(group, worker.number).ok().flatten().and_then(|own| own.env);
        self.said(group, worker.number, own.as_ref())
    }
}

/// The last of each name, in the order in which the names were first said.
pub(crate) fn each_once(said: Vec<Variable>) -> Vec<Variable> {
    explain(said.into_iter()).into_iter().map(|explained| explained.variable).collect()
}

pub(crate) fn by_ganger(name: &str, value: String) -> Variable {
    Variable { name: name.to_owned(), value, origin: Origin::Ganger }
}

fn from_shell(inherited: &BTreeMap<OsString, OsString>) -> impl Iterator<Item = Variable> {
    inherited.iter().map(|(name, value)| Variable {
        name: name.to_string_lossy().into_owned(),
        value: value.to_string_lossy().into_owned(),
        origin: Origin::Shell,
    })
}

fn explain(said: impl Iterator<Item = Variable>) -> Vec<Explained> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut explained: Vec<Explained> = Vec::new();
    for variable in said {
        if let Some(&place) = places.get(&variable.name) {
            let hidden = std::mem::replace(&mut explained[place].variable, variable);
            explained[place].overrides.insert(0, hidden);
        } else {
            places.insert(variable.name.clone(), explained.len());
            explained.push(Explained { variable, overrides: Vec::new() });
        }
    }
    explained
}
