//! Workers, their ports, environments and stories.

use std::path::Path;

use ganger_api::{
    EndedRunInfo, EnvInfo, EventInfo, HolderInfo, PortsInfo, UsageInfo, VariableInfo, WantedState, WhyInfo,
    WorkerInfo, WorkerState, WorkersInfo,
};
use jiff::tz::TimeZone;

use super::human::{clock, length, size};
use super::table::Table;
use crate::style::Style;

/// So much room the reasons of `ganger ps` should have.
const WHY_ROOM: usize = 44;

/// The table of `ganger ps`, in so many columns if that is bounded.
pub(crate) fn workers(info: &WorkersInfo, style: Style, width: Option<usize>) -> String {
    const COLUMNS: [&str; 11] =
        ["NAME", "STATE", "READY", "WANTED", ">PID", ">PORT", ">UPTIME", ">RESTARTS", ">CPU", ">MEM", "WHY"];
    /// What `ports`, `why` and `top` tell too.
    const GIVING_WAY: [&str; 5] = ["PORT", "RESTARTS", "CPU", "MEM", "UPTIME"];
    // Nor is room taken by what the state of each tells.
    let is_usual = |worker: &WorkerInfo| worker.ready == (worker.state == WorkerState::Running);
    let giving_way = GIVING_WAY.into_iter().chain(info.workers.iter().all(is_usual).then_some("READY"));
    let mut table = Table::new(style, &COLUMNS).within(width).giving_way(giving_way, WHY_ROOM);
    for worker in &info.workers {
        table.row([
            worker.name.to_string(),
            worker.state.to_string(),
            (if worker.ready { "yes" } else { "no" }).to_owned(),
            worker.wanted.to_string(),
            or_dash(worker.pid),
            or_dash(worker.port),
            or_dash(worker.uptime_ms.map(length)),
            worker.restarts.to_string(),
            or_dash(worker.usage.as_ref().and_then(cpu)),
            or_dash(worker.usage.as_ref().map(|usage| at_least(usage, size(usage.memory_bytes)))),
            worker.why.clone(),
        ]);
        table.paint(1, |text| style.state(worker.state, text));
    }
    if info.workers.is_empty() { "no workers\n".to_owned() } else { table.render() }
}

/// The share of a CPU.
pub(super) fn cpu(usage: &UsageInfo) -> Option<String> {
    usage.cpu_percent.map(|percent| format!("{percent:.1}%"))
}

/// A sum, marked if it lacks what could not be looked into.
pub(super) fn at_least(usage: &UsageInfo, sum: String) -> String {
    if usage.hidden > 0 { format!(">{sum}") } else { sum }
}

pub(super) fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// What `ganger why` says.
pub(crate) fn why(info: &WhyInfo, zone: &TimeZone, style: Style) -> String {
    let worker = &info.worker;
    let state = style.state(worker.state, &worker.state.to_string());
    let wish = match worker.wanted {
        WantedState::Up => "up",
        WantedState::Down => "down",
    };
    let mut out = format!("{} is {state} and wanted {wish}: {}\n", worker.name, worker.why);
    let facts = [
        worker.pid.map(|pid| format!("pid {pid}")),
        worker.port.map(|port| format!("port {port}")),
        worker.uptime_ms.map(|uptime| format!("up {}", length(uptime))),
        Some(super::count(usize::try_from(worker.restarts).unwrap_or(usize::MAX), "restart")),
        worker.last_exit.as_ref().map(|exit| format!("the last run {exit}")),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    out.extend([format!("{}\nruns: {}\n", facts.join(", "), worker.command)]);
    if let Some(usage) = &worker.usage {
        out.extend([format!("uses: {}\n", uses(usage))]);
    }
    if !info.runs.is_empty() {
        out.extend(["\n".to_owned(), ended_runs(&info.runs, zone, style)]);
    }
    if !info.events.is_empty() {
        out.push('\n');
    }
    for happened in &info.events {
        out.push_str(&event(happened, zone));
    }
    out
}

/// What a run uses now, in a line.
fn uses(usage: &UsageInfo) -> String {
    let hidden = match usage.hidden {
        0 => None,
        1 => Some("of 1 process, of another user, memory, descriptors and bytes are not shown".to_owned()),
        n => Some(format!("of {n} processes, of other users, memory, descriptors and bytes are not shown")),
    };
    let processes = match usage.processes {
        1 => "1 process".to_owned(),
        number => format!("{number} processes"),
    };
    let counted = |number: u32, what| super::count(usize::try_from(number).unwrap_or(usize::MAX), what);
    let parts = [
        cpu(usage).map(|share| format!("{share} CPU")),
        Some(format!("{} memory", at_least(usage, size(usage.memory_bytes)))),
        usage.cgroup_memory_bytes.map(|bytes| format!("{} in its cgroup", size(bytes))),
        Some(processes),
        Some(counted(usage.threads, "thread")),
        Some(format!("{} descriptors", at_least(usage, usage.descriptors.to_string()))),
        Some(format!("{} read, {} written", size(usage.read_bytes), size(usage.written_bytes))),
        hidden,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The last runs, with what each used.
fn ended_runs(runs: &[EndedRunInfo], zone: &TimeZone, style: Style) -> String {
    let mut table = Table::new(style, &[">RUN", "ENDED", ">LASTED", ">CPU", ">PEAK", "EXIT"]);
    for ended in runs {
        table.row([
            ended.run.to_string(),
            clock(ended.ended, zone),
            or_dash(ended.lasted_ms.map(length)),
            or_dash(ended.usage.map(|usage| seconds(usage.user_ms + usage.system_ms))),
            or_dash(ended.usage.map(|usage| size(usage.peak_resident_bytes))),
            ended.exit.clone(),
        ]);
    }
    table.render()
}

/// `1.25s`.
fn seconds(milliseconds: u64) -> String {
    format!("{}.{:02}s", milliseconds / 1000, milliseconds % 1000 / 10)
}

/// One line of `ganger events`.
pub(crate) fn event(event: &EventInfo, zone: &TimeZone) -> String {
    let subject = event.worker.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    format!("{:>6}  {}  {subject:<12}  {}\n", event.seq, clock(event.time, zone), event.text)
}

/// The table of `ganger ports`.
pub(crate) fn ports(info: &PortsInfo, style: Style) -> String {
    let mut table = Table::new(style, &["NAME", ">PORT", "WHY", "HELD BY"]);
    for port in &info.ports {
        let holder = port.holder.as_ref().map(holder).unwrap_or_default();
        table.row([port.worker.to_string(), or_dash(port.port), port.why.clone(), holder]);
    }
    if info.ports.is_empty() { "no workers\n".to_owned() } else { table.render() }
}

/// `nginx (pid 12)`.
pub(crate) fn holder(holder: &HolderInfo) -> String {
    match (&holder.name, holder.pid) {
        (Some(name), Some(pid)) => format!("{name} (pid {pid})"),
        (None, Some(pid)) => format!("pid {pid}"),
        (_, None) => "a process of another user".to_owned(),
    }
}

/// What `ganger env` says: lines that an env file takes.
pub(crate) fn environment(info: &EnvInfo) -> String {
    let line =
        |variable: &VariableInfo| format!("{}={}\n", variable.name, ganger_spec::quote(&variable.value));
    info.variables.iter().map(line).collect()
}

/// What `ganger env --explain` says: where each value comes from, and below it those that it hides. Paths in `root`
/// are told from there.
pub(crate) fn explained(info: &EnvInfo, root: &Path, style: Style) -> String {
    let prefix = format!("{}/", root.display());
    let told = |place: &str| place.strip_prefix(&prefix).unwrap_or(place).to_owned();
    let mut table = Table::new(style, &["NAME", "FROM", "VALUE"]);
    for variable in &info.variables {
        let value = ganger_spec::quote(&variable.value);
        table.row([variable.name.clone(), told(&variable.origin), value]);
        for hidden in &variable.overridden {
            let value = format!("{} (overridden)", ganger_spec::quote(&hidden.value));
            table.row([String::new(), told(&hidden.origin), value]);
        }
    }
    let mut out = table.render();
    let files = |found| {
        let files = info.sources.iter().filter(|source| source.found == found);
        files.map(|source| told(&source.path.to_string_lossy())).collect::<Vec<_>>().join(", ")
    };
    for (what, files) in [("read", files(true)), ("not there", files(false))] {
        if !files.is_empty() {
            out.extend([format!("{what}: {files}\n")]);
        }
    }
    out
}

#[cfg(test)]
mod tests;
