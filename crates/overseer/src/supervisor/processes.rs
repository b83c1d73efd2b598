//! The workers under supervisord's names.

use ganger_api::supervisor::{Fault, NameSpec, ProcessState, RpcError};
use ganger_core::{Core, WorkerView};
use ganger_spec::{Group, Spec, WorkerName};

/// A worker as a process of supervisord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) worker: WorkerName,
    /// Supervisord's group.
    pub(crate) family: String,
    /// Its name in there.
    pub(crate) name: String,
}

impl Process {
    fn of(group: &Group, number: u32) -> Self {
        Self {
            worker: WorkerName::new(&group.name, number),
            family: group.family_name().to_owned(),
            name: group.process_name(number),
        }
    }

    /// Its shortest full name.
    pub(crate) fn namespec(&self) -> String {
        NameSpec::of(&self.family, &self.name).to_string()
    }
}

/// Every process, in the order in which supervisord starts them: groups, and processes in them, by priority and name.
pub(crate) fn in_order(core: &Core, spec: &Spec) -> Vec<Process> {
    let groups = spec.start_order().into_iter().filter_map(|place| spec.groups.get(place));
    groups
        .flat_map(|group| {
            let count = core.group_count(&group.name).unwrap_or(0);
            (1..=count).map(|number| Process::of(group, number))
        })
        .collect()
}

/// Every process, by the names of groups and processes.
pub(crate) fn by_name(core: &Core, spec: &Spec) -> Vec<Process> {
    let mut all = in_order(core, spec);
    all.sort_by(|one, other| (&one.family, &one.name).cmp(&(&other.family, &other.name)));
    all
}

/// The processes of a group.
pub(crate) fn of_family(core: &Core, spec: &Spec, family: &str) -> Result<Vec<Process>, RpcError> {
    if spec.groups.iter().all(|group| group.family_name() != family) {
        return Err(Fault::BadName.with(family));
    }
    Ok(in_order(core, spec).into_iter().filter(|process| process.family == family).collect())
}

/// What a name means.
pub(crate) enum Meant {
    One(Process),
    /// The group of this name.
    Family(String),
}

/// What `name` or `group:name` or `group:*` means.
pub(crate) fn meant(core: &Core, spec: &Spec, name: &str) -> Result<Meant, RpcError> {
    let NameSpec { group, process } = NameSpec::parse(name);
    let unknown = || Fault::BadName.with(name);
    let mut members = spec.groups.iter().filter(|member| member.family_name() == group).peekable();
    if members.peek().is_none() {
        return Err(unknown());
    }
    let Some(process) = process else { return Ok(Meant::Family(group)) };
    let mut all = members.flat_map(|member| {
        let count = core.group_count(&member.name).unwrap_or(0);
        (1..=count).map(|number| Process::of(member, number))
    });
    all.find(|one| one.name == process).map(Meant::One).ok_or_else(unknown)
}

/// The one process that a name means.
pub(crate) fn one(core: &Core, spec: &Spec, name: &str) -> Result<Process, RpcError> {
    match meant(core, spec, name)? {
        Meant::One(process) => Ok(process),
        Meant::Family(_) => Err(Fault::BadName.with(name)),
    }
}

/// A state by supervisord's code.
pub(crate) fn state(view: &WorkerView) -> ProcessState {
    crate::views::state(view.state).into()
}
