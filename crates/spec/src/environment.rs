//! The environment of a worker, and where each variable of it comes from.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::{Origin, Spec, Variable, WorkerName};

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
        explain(self.said(worker)).into_iter().map(|explained| explained.variable).collect()
    }

    /// The app's own variables, each name once: what a command gets that is no worker.
    pub fn app_environment(&self) -> Vec<Variable> {
        explain(self.env.iter().cloned()).into_iter().map(|explained| explained.variable).collect()
    }

    /// The whole environment of a worker with what each variable hides, in the order of the names.
    pub fn explain(&self, worker: &WorkerName, inherited: &BTreeMap<OsString, OsString>) -> Vec<Explained> {
        let mut explained = explain(from_shell(inherited).chain(self.said(worker)));
        explained.sort_by(|a, b| a.variable.name.cmp(&b.variable.name));
        explained
    }

    /// The whole environment of a command that is no worker, in the order of the names.
    pub fn explain_app(&self, inherited: &BTreeMap<OsString, OsString>) -> Vec<Explained> {
        let mut explained = explain(from_shell(inherited).chain(self.env.iter().cloned()));
        explained.sort_by(|a, b| a.variable.name.cmp(&b.variable.name));
        explained
    }

    /// Every saying, in the order of rising precedence.
    fn said(&self, worker: &WorkerName) -> impl Iterator<Item = Variable> {
        let group = self.group(&worker.group).map(|group| group.env.as_slice()).unwrap_or_default();
        let port = self.port(worker).map(|port| by_ganger(PORT, port.to_string()));
        let names = [by_ganger(PS, worker.to_string()), by_ganger(GANGER_WORKER, worker.to_string())];
        self.env.iter().chain(group).cloned().chain(port).chain(names)
    }
}

fn by_ganger(name: &str, value: String) -> Variable {
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
