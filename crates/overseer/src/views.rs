//! The decider's state as the API shows it. What the processes use is added where it is served: see `stats`.

use std::collections::BTreeMap;
use std::ffi::OsString;

use ganger_api::{
    AppInfo, EnvInfo, GroupInfo, Listening, PortInfo, PortsInfo, Time, WantedState, WorkerInfo, WorkerState,
    port_reason,
};
use ganger_core::{Core, State, Wanted, WorkerView};
use ganger_spec::{Spec, WorkerName};

use crate::clock;
use crate::terminals::Terminals;

pub(crate) fn state(state: State) -> WorkerState {
    match state {
        State::Stopped => WorkerState::Stopped,
        State::Starting => WorkerState::Starting,
        State::Running => WorkerState::Running,
        State::Backoff => WorkerState::Backoff,
        State::Stopping => WorkerState::Stopping,
        State::Exited => WorkerState::Exited,
        State::Fatal => WorkerState::Fatal,
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A worker as the API shows it, with the terminals that there are.
pub(crate) fn worker(spec: &Spec, view: &WorkerView, terminals: &Terminals) -> WorkerInfo {
    let now = clock::now();
    let is_to_have_terminal = || spec.group(&view.name.group).is_some_and(|group| group.tty);
    WorkerInfo {
        name: view.name.clone(),
        group: view.name.group.clone(),
        number: view.name.number,
        state: state(view.state),
        wanted: match view.wanted {
            Wanted::Up => WantedState::Up,
            Wanted::Down | Wanted::Gone => WantedState::Down,
        },
        why: view.why.clone(),
        ready: view.ready,
        terminal: terminals.screen(&view.name).is_some() || view.run.is_none() && is_to_have_terminal(),
        pid: view.pid,
        run: view.run.map(|run| run.0),
        port: spec.port(&view.name),
        uptime_ms: view.pid.and(view.started).map(|started| millis(now.since(started))),
        since: Time(clock::wall(view.since)),
        restarts: view.restarts,
        retry_in_ms: view.retry.map(|retry| millis(retry.since(now))),
        usage: None,
        last_exit: view.last_exit.map(|exit| exit.to_string()),
        command: command(spec, &view.name),
    }
}

/// What a worker runs, as a line; its group's command where that of its number comes to nothing.
fn command(spec: &Spec, name: &WorkerName) -> String {
    let of_group = || spec.group(&name.group).map(|group| group.command.to_string()).unwrap_or_default();
    spec.worker(name).map_or_else(|_| of_group(), |worker| worker.line)
}

/// All workers in the order of their groups and numbers.
pub(crate) fn ordered(core: &Core, spec: &Spec) -> Vec<WorkerView> {
    let positions: BTreeMap<&str, usize> =
        spec.groups.iter().enumerate().map(|(position, group)| (group.name.as_str(), position)).collect();
    let mut views: Vec<_> = core.workers().collect();
    views.sort_by_key(|view| (positions.get(view.name.group.as_str()).copied(), view.name.number));
    views
}

/// The app as a whole.
pub(crate) fn app(core: &Core, spec: &Spec, id: &str, keeper_pid: u32, started: Time) -> AppInfo {
    let mut states: BTreeMap<WorkerState, u32> = BTreeMap::new();
    let mut groups: Vec<GroupInfo> = spec
        .groups
        .iter()
        .map(|group| GroupInfo {
            name: group.name.clone(),
            count: 0,
            running: 0,
            command: group.command.to_string(),
            port: spec.port(&WorkerName::new(&group.name, 1)),
        })
        .collect();
    for view in core.workers() {
        *states.entry(state(view.state)).or_default() += 1;
        if let Some(group) = groups.iter_mut().find(|group| group.name == view.name.group) {
            group.count += u32::from(view.wanted != Wanted::Gone);
            group.running += u32::from(view.state == State::Running);
        }
    }
    AppInfo {
        name: spec.app.clone(),
        id: id.to_owned(),
        root: spec.root.clone(),
        keeper_pid,
        overseer_pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        release: core.release(),
        started,
        groups,
        workers: states,
    }
}

/// The ports of these workers, and who holds those that a worker of ours does not.
pub(crate) fn ports(spec: &Spec, views: &[WorkerView]) -> PortsInfo {
    let listening = Listening::now();
    let port = |view: &WorkerView| {
        let port = spec.port(&view.name);
        let holder = port.and_then(|port| listening.holder(port)).filter(|holder| !is_of(view, holder.pid));
        PortInfo { worker: view.name.clone(), port, why: port_reason(spec, &view.name.group), holder }
    };
    PortsInfo { ports: views.iter().map(port).collect() }
}

/// Whether a process is in the tree of the worker's run.
fn is_of(view: &WorkerView, pid: Option<u32>) -> bool {
    let (Some(main), Some(mut pid)) = (view.pid, pid) else { return false };
    while pid > 1 {
        if pid == main {
            return true;
        }
        let Some(parent) = crate::stats::parent(pid) else { return false };
        pid = parent;
    }
    false
}

/// An environment with the origin of each variable.
pub(crate) fn env(
    spec: &Spec,
    name: Option<&WorkerName>,
    inherited: &BTreeMap<OsString, OsString>,
) -> EnvInfo {
    let explained = match name {
        Some(worker) => spec.explain(worker, inherited),
        None => spec.explain_app(inherited),
    };
    EnvInfo::new(name.map_or_else(|| spec.app.clone(), ToString::to_string), explained, &spec.sources)
}
