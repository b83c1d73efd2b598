//! Groups of supervisord that come and go one by one: `reread`, `update`, `add`, `remove`.
//!
//! Supervisord reads its files without putting them in force, and then is asked for each group. So the files that were
//! read wait here, checked whole; each group that is added or removed makes a release of what is in force and that group.
//! A file with mistakes changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ganger_api::supervisor::{Fault, RpcError};
use ganger_api::xmlrpc::Value;
use ganger_core::Command;
use ganger_spec::{Change, ChangeKind, Group, Loaded, Spec, WorkerName};

use super::calls::{Owed, send};
use super::{Answer, processes, views};
use crate::commands;
use crate::config::Reading;
use crate::engine::Engine;

/// So many changes are told when the files were read; the rest is counted.
const MAX_TOLD: usize = 50;

/// The files as they were read last, if that is not what is in force.
#[derive(Debug, Default)]
pub(crate) struct Reread(Option<Arc<Spec>>);

impl Reread {
    /// What is in the files, as far as anybody looked.
    fn spec(&self, in_force: &Arc<Spec>) -> Arc<Spec> {
        Arc::clone(self.0.as_ref().unwrap_or(in_force))
    }

    /// All of it is in force.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}

impl Engine {
    /// Reads the files; which groups are new, changed and gone.
    pub(super) fn reload_config(&mut self) -> Result<Value, RpcError> {
        let Loaded { spec, warnings, .. } =
            (self.load)(Reading::Again).map_err(|error| Fault::CantReread.with(error.to_string()))?;
        for warning in &warnings {
            self.narrator.notice(format!("warning: {warning}"));
        }
        let in_force = self.spec();
        let (before, after) = (families(&in_force.groups), families(&spec.groups));
        let order = order(&spec);
        let names = |mut list: Vec<&&str>| {
            list.sort_by_key(|name| order.get(**name));
            Value::Array(list.into_iter().map(|name| (**name).into()).collect())
        };
        let added = after.keys().filter(|name| !before.contains_key(*name)).collect();
        let removed = before.keys().filter(|name| !after.contains_key(*name)).collect();
        let is_changed = |name: &&&str| before.get(*name).is_some_and(|old| after.get(*name) != Some(old));
        let changed = after.keys().filter(is_changed).collect();
        let told = Value::Array(vec![names(added), names(changed), names(removed)]);
        let changes = Spec::changes(&in_force, &spec);
        for change in changes.iter().take(MAX_TOLD) {
            self.narrator.notice(format!("reread: {}", planned(change)));
        }
        if changes.len() > MAX_TOLD {
            self.narrator.notice(format!("reread: and {} more", changes.len() - MAX_TOLD));
        }
        self.reread = Reread(Some(Arc::new(spec)));
        Ok(Value::Array(vec![told]))
    }

    /// Puts a group of the files in force.
    pub(super) fn add_family(&mut self, name: &str, answer: Answer) {
        let in_force = self.spec();
        let files = self.reread.spec(&in_force);
        let new: Vec<&Group> = files.groups.iter().filter(|group| group.family_name() == name).collect();
        if in_force.groups.iter().any(|group| group.family_name() == name) {
            return send(answer, Err(Fault::AlreadyAdded.with(name)));
        }
        if new.is_empty() {
            return send(answer, Err(Fault::BadName.with(name)));
        }
        let mut next = Spec::clone(&in_force);
        next.groups.extend(new.into_iter().cloned());
        let places: BTreeMap<&str, usize> =
            files.groups.iter().enumerate().map(|(place, group)| (group.name.as_str(), place)).collect();
        next.groups.sort_by_key(|group| places.get(group.name.as_str()).copied());
        self.renew(next, commands::Owed::Nobody);
        send(answer, Ok(true.into()));
    }

    /// Takes a group whose processes are down out of force.
    pub(super) fn remove_family(&mut self, name: &str, answer: Answer) {
        let in_force = self.spec();
        let processes = match processes::of_family(&self.core, &in_force, name) {
            Ok(processes) => processes,
            Err(error) => return send(answer, Err(error)),
        };
        let is_up = |process: &processes::Process| {
            self.core.worker(&process.worker).is_some_and(|view| !processes::state(&view).is_stopped())
        };
        if processes.iter().any(is_up) {
            return send(answer, Err(Fault::StillRunning.with(name)));
        }
        // What is taken out may be added again, whether the files were read since or not.
        self.reread = Reread(Some(self.reread.spec(&in_force)));
        let mut next = Spec::clone(&in_force);
        next.groups.retain(|group| group.family_name() != name);
        self.renew(next, commands::Owed::Call(Owed::Whole { answer }));
    }

    /// Reads the files, puts them in force, and begins with them as at the start: what starts with the app is started anew,
    /// what does not is stopped. Mistakes in them change nothing.
    pub(super) fn restart_all(&mut self) -> Result<Value, RpcError> {
        let loaded = (self.load)(Reading::Again).map_err(|error| Fault::Failed.with(error.to_string()))?;
        self.begin_anew(loaded.spec);
        Ok(true.into())
    }

    /// Puts this in force, and begins with it as at the start.
    pub(crate) fn begin_anew(&mut self, spec: Spec) {
        self.reread.forget();
        self.renew(spec, commands::Owed::Nobody);
        let spec = self.spec();
        let starts = |name: &WorkerName| spec.group(&name.group).is_some_and(|group| group.autostart);
        let all = self.core.workers().map(|view| view.name);
        let (begin, end) = all.partition(starts);
        self.command(Command::Stop(end), commands::Owed::Nobody);
        self.command(Command::Restart(begin), commands::Owed::Nobody);
    }

    /// Every process that the files have, in force or not.
    pub(super) fn all_config_info(&self) -> Value {
        let in_force = self.spec();
        let files = self.reread.spec(&in_force);
        let active: BTreeSet<&str> = in_force.groups.iter().map(Group::family_name).collect();
        let mut all: Vec<_> = files
            .groups
            .iter()
            .flat_map(|group| {
                let inuse = active.contains(group.family_name());
                // An operator's count holds as long as the files say the one that it was given instead of.
                let same = in_force.group(&group.name).filter(|active| active.count == group.count);
                let scaled = same.and_then(|_| self.core.group_count(&group.name));
                let (count, files) = (scaled.unwrap_or(group.count), &files);
                (1..=count).map(move |number| views::config(files, group, number, inuse))
            })
            .collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all.into()
    }
}

/// What would become of a group if the files came into force.
fn planned(change: &Change) -> String {
    match &change.kind {
        ChangeKind::Changed { .. } if !change.restarts() => {
            format!("{change}; `ganger reload` puts it in force so, `update` restarts its group")
        }
        ChangeKind::Added { .. } | ChangeKind::Removed | ChangeKind::Changed { .. } => change.to_string(),
    }
}

/// In which order groups of supervisord are to be added: those first that others wait for, then by priority.
fn order(spec: &Spec) -> BTreeMap<&str, (i32, i32)> {
    let depths = spec.depths();
    let mut order = BTreeMap::new();
    for group in &spec.groups {
        let depth = depths.get(group.name.as_str()).copied().unwrap_or(0);
        let place = (-depth, group.family_priority());
        let known = order.entry(group.family_name()).or_insert(place);
        *known = place.min(*known);
    }
    order
}

/// What each group of supervisord consists of.
fn families(groups: &[Group]) -> BTreeMap<&str, Vec<&Group>> {
    let mut families: BTreeMap<&str, Vec<&Group>> = BTreeMap::new();
    for group in groups {
        families.entry(group.family_name()).or_default().push(group);
    }
    families
}
