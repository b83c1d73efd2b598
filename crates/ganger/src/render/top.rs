//! What `ganger top` shows: what workers use, with the sums of their groups above.

use std::cmp::Reverse;

use ganger_api::{GroupUsageInfo, UsageInfo, WorkerInfo, WorkersInfo};

use super::human::{count, length, short_size};
use super::table::Table;
use super::workers::{at_least, cpu, or_dash};
use crate::cli::Column;
use crate::style::Style;

/// What is told of a cgroup, if any run has one that counts.
const CGROUP: &str = ">CGROUP";
/// Left out one after the other where the terminal is narrow.
const GIVING_WAY: [&str; 6] = ["THR", "PROC", "WRITTEN", "READ", "CGROUP", "FDS"];

/// What of it is to be seen, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) sort: Column,
    /// The least first.
    pub(crate) reversed: bool,
    /// Only the sums.
    pub(crate) folded: bool,
    /// So many workers are above the first that is shown.
    pub(crate) scrolled: usize,
}

/// The whole table: the sum of all, of each group, then the workers.
pub(crate) fn top(info: &WorkersInfo, view: View, style: Style, width: Option<usize>) -> String {
    if info.workers.is_empty() {
        return "no workers\n".to_owned();
    }
    let cgroups = info.groups.iter().any(|group| group.usage.cgroup_memory_bytes.is_some());
    let columns =
        ["NAME", "STATE", ">CPU", ">MEM", CGROUP, ">PROC", ">THR", ">FDS", ">READ", ">WRITTEN", ">UPTIME"];
    let columns: Vec<_> = columns.into_iter().filter(|column| cgroups || *column != CGROUP).collect();
    let mut table = Table::new(style, &columns).within(width).giving_way(GIVING_WAY, usize::MAX);
    for (name, state, usage) in sums(info, view) {
        table.row(cells(name, state, Some(&usage), None, cgroups));
        table.paint(0, |text| style.head(text));
    }
    for worker in if view.folded { Vec::new() } else { sorted(info, view) } {
        let (name, state) = (worker.name.to_string(), worker.state.to_string());
        table.row(cells(name, state, worker.usage.as_ref(), worker.uptime_ms, cgroups));
        table.paint(1, |text| style.state(worker.state, text));
    }
    table.render()
}

/// The same as a picture of so many columns and rows: a title, the sums, as many workers as fit, the keys.
pub(crate) fn top_frame(
    info: &WorkersInfo,
    view: &mut View,
    title: &str,
    style: Style,
    (columns, rows): (usize, usize),
) -> Vec<String> {
    let table = top(info, *view, style, Some(columns));
    let mut lines = table.lines().map(str::to_owned);
    // The title, the head of the table and the keys have a line each.
    let room = rows.saturating_sub(3);
    let sums = if view.folded { usize::MAX } else { sums(info, *view).len() };
    let mut frame = vec![title.to_owned()];
    frame.extend(lines.next());
    frame.extend(lines.by_ref().take(sums).take(if view.folded { room } else { room / 2 }));
    let mut rest: Vec<String> = table.lines().skip(sums.saturating_add(1)).map(str::to_owned).collect();
    let room = (room + 2).saturating_sub(frame.len());
    view.scrolled = view.scrolled.min(rest.len().saturating_sub(room));
    frame.extend(rest.drain(..).skip(view.scrolled).take(room));
    frame.push(keys(*view, info));
    frame.truncate(rows.max(1));
    frame
}

fn keys(view: View, info: &WorkersInfo) -> String {
    let order = if view.reversed { "the least first" } else { "the most first" };
    let hidden = info.groups.iter().any(|group| group.usage.hidden > 0);
    let hidden = if hidden { "  > some may not be looked into" } else { "" };
    let sort = view.sort.name();
    format!("q quit  ←→ sort: {sort}  r {order}  g groups  ↑↓ scroll{hidden}")
}

/// What is known of all and of each group: a name, how many of its workers run, and what these use.
fn sums(info: &WorkersInfo, view: View) -> Vec<(String, String, UsageInfo)> {
    let workers_of = |name: &str| info.workers.iter().filter(|worker| worker.group == name).count();
    let mut groups: Vec<&GroupUsageInfo> = info.groups.iter().collect();
    order(&mut groups, view, |group| key(view.sort, Some(&group.usage), None));
    let mut all = UsageInfo::default();
    for group in &groups {
        all.add(&group.usage);
    }
    let runs: u32 = groups.iter().map(|group| group.runs).sum();
    let of = |runs: u32, workers: usize| format!("{runs} of {workers}");
    let mut sums = vec![("all".to_owned(), of(runs, info.workers.len()), all)];
    sums.extend(
        groups
            .into_iter()
            .map(|group| (group.name.clone(), of(group.runs, workers_of(&group.name)), group.usage.clone())),
    );
    sums
}

fn sorted(info: &WorkersInfo, view: View) -> Vec<&WorkerInfo> {
    let mut workers: Vec<&WorkerInfo> = info.workers.iter().collect();
    order(&mut workers, view, |worker| key(view.sort, worker.usage.as_ref(), worker.uptime_ms));
    workers
}

/// Sorts by a key, the most first; what has none comes last. Equals stay in the order of their groups.
fn order<T>(items: &mut [&T], view: View, key: impl Fn(&T) -> Option<u64>) {
    let by_name = view.sort == Column::Name;
    match view.reversed {
        false if by_name => {}
        true if by_name => items.reverse(),
        false => items.sort_by_key(|item| Reverse(key(item))),
        true => items.sort_by_key(|item| (key(item).is_none(), key(item))),
    }
}

/// By what is sorted.
fn key(column: Column, usage: Option<&UsageInfo>, uptime_ms: Option<u64>) -> Option<u64> {
    let of = |value: fn(&UsageInfo) -> u64| usage.map(value);
    match column {
        Column::Name => None,
        Column::Cpu => usage.and_then(|usage| usage.cpu_percent).map(permille),
        Column::Memory => of(|usage| usage.memory_bytes),
        Column::Processes => of(|usage| usage.processes.into()),
        Column::Threads => of(|usage| usage.threads.into()),
        Column::Descriptors => of(|usage| usage.descriptors),
        Column::Read => of(|usage| usage.read_bytes),
        Column::Written => of(|usage| usage.written_bytes),
        Column::Uptime => uptime_ms,
    }
}

/// A share as a number that has an order.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is small and not negative"
)]
fn permille(percent: f64) -> u64 {
    (percent * 10.0).round() as u64
}

fn cells(
    name: String,
    state: String,
    usage: Option<&UsageInfo>,
    uptime_ms: Option<u64>,
    cgroups: bool,
) -> Vec<String> {
    let of = |text: fn(&UsageInfo) -> String| or_dash(usage.map(text));
    let mut cells = vec![
        name,
        state,
        or_dash(usage.and_then(cpu)),
        of(|usage| at_least(usage, short_size(usage.memory_bytes))),
    ];
    if cgroups {
        cells.push(or_dash(usage.and_then(|usage| usage.cgroup_memory_bytes).map(short_size)));
    }
    cells.extend([
        of(|usage| usage.processes.to_string()),
        of(|usage| usage.threads.to_string()),
        of(|usage| at_least(usage, usage.descriptors.to_string())),
        of(|usage| at_least(usage, short_size(usage.read_bytes))),
        of(|usage| at_least(usage, short_size(usage.written_bytes))),
        or_dash(uptime_ms.map(length)),
    ]);
    cells
}

/// The first line: whose workers these are.
pub(crate) fn top_title(app: &str, clock: &str, info: &WorkersInfo, style: Style) -> String {
    let workers = count(info.workers.len(), "worker");
    style.head(&format!("{app}  {clock}  {workers} in {}", count(info.groups.len(), "group")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganger_api::{WantedState, WorkerState};
    use ganger_spec::WorkerName;

    fn worker(group: &str, number: u32, cpu: f64, memory: u64) -> WorkerInfo {
        let usage = UsageInfo {
            processes: 1,
            threads: 2,
            cpu_percent: Some(cpu),
            memory_bytes: memory,
            descriptors: 3,
            ..UsageInfo::default()
        };
        WorkerInfo {
            name: WorkerName::new(group, number),
            group: group.to_owned(),
            number,
            state: WorkerState::Running,
            wanted: WantedState::Up,
            why: "started".to_owned(),
            ready: true,
            terminal: false,
            pid: Some(7),
            run: Some(3),
            port: None,
            uptime_ms: Some(61_000),
            since: "2026-11-22T10:00:00Z".parse().unwrap(),
            restarts: 0,
            retry_in_ms: None,
            usage: Some(usage),
            last_exit: None,
            command: "x".to_owned(),
        }
    }

    fn three() -> WorkersInfo {
        let down = WorkerInfo {
            usage: None,
            uptime_ms: None,
            state: WorkerState::Stopped,
            ..worker("job", 2, 0.0, 0)
        };
        let workers = vec![worker("web", 1, 1.0, 3 << 20), worker("job", 1, 50.0, 1 << 20), down];
        let group = |at: usize| {
            let worker: &WorkerInfo = &workers[at];
            let usage = worker.usage.clone().unwrap();
            GroupUsageInfo { name: worker.group.clone(), runs: 1, usage }
        };
        let groups = vec![group(0), group(1)];
        WorkersInfo { workers, groups }
    }

    const BY_CPU: View = View { sort: Column::Cpu, reversed: false, folded: false, scrolled: 0 };

    fn names(text: &str) -> Vec<&str> {
        text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect()
    }

    #[test]
    fn sums_stand_above_the_workers_and_both_are_sorted() {
        let expected = "\
NAME   STATE      CPU   MEM  PROC  THR  FDS  READ  WRITTEN  UPTIME
all    2 of 3   51.0%  4.0M     2    4    6    0B       0B       -
job    1 of 2   50.0%  1.0M     1    2    3    0B       0B       -
web    1 of 1    1.0%  3.0M     1    2    3    0B       0B       -
job.1  RUNNING  50.0%  1.0M     1    2    3    0B       0B   1m 1s
web.1  RUNNING   1.0%  3.0M     1    2    3    0B       0B   1m 1s
job.2  STOPPED      -     -     -    -    -     -        -       -
";
        assert_eq!(top(&three(), BY_CPU, Style::PLAIN, Some(80)), expected);
        let by_memory = View { sort: Column::Memory, ..BY_CPU };
        let sorted = ["all", "web", "job", "web.1", "job.1", "job.2"];
        assert_eq!(names(&top(&three(), by_memory, Style::PLAIN, None)), sorted);
        let least = View { reversed: true, ..by_memory };
        assert_eq!(names(&top(&three(), least, Style::PLAIN, None))[3..], ["job.1", "web.1", "job.2"]);
        let by_name = View { sort: Column::Name, ..BY_CPU };
        assert_eq!(names(&top(&three(), by_name, Style::PLAIN, None))[3..], ["web.1", "job.1", "job.2"]);
    }

    #[test]
    fn narrow_terminals_leave_out_what_matters_least() {
        let narrow = top(&three(), BY_CPU, Style::PLAIN, Some(40));
        assert!(narrow.lines().all(|line| line.chars().count() <= 40), "{narrow}");
        assert!(narrow.starts_with("NAME   STATE      CPU   MEM") && narrow.contains("UPTIME"), "{narrow}");
    }

    #[test]
    fn a_frame_has_the_size_of_the_terminal_and_scrolls_the_workers_alone() {
        let mut many = three();
        many.workers.extend((2..50).map(|number| worker("web", number, 0.5, 1 << 20)));
        let mut view = View { scrolled: 10, ..BY_CPU };
        let frame = top_frame(&many, &mut view, "title", Style::PLAIN, (80, 24));
        assert_eq!((frame.len(), frame[0].as_str()), (24, "title"));
        assert!(frame[2].starts_with("all") && frame[5].starts_with("web.1"), "{frame:#?}");
        assert!(frame[23].contains("q quit") && frame.iter().all(|line| line.chars().count() <= 80));
        view.scrolled = usize::MAX;
        let frame = top_frame(&many, &mut view, "title", Style::PLAIN, (80, 24));
        assert!(frame[22].starts_with("job.2"), "the last one is at the bottom: {frame:#?}");
        assert_eq!(view.scrolled, 51 - 18);
        for rows in 0..8 {
            assert!(top_frame(&many, &mut view, "title", Style::PLAIN, (80, rows)).len() <= rows.max(1));
        }
    }

    #[test]
    fn folded_shows_the_sums_alone() {
        let folded = View { folded: true, ..BY_CPU };
        assert_eq!(names(&top(&three(), folded, Style::PLAIN, None)), ["all", "job", "web"]);
        let frame = top_frame(&three(), &mut folded.clone(), "title", Style::PLAIN, (80, 24));
        assert_eq!(frame.len(), 6);
    }
}
