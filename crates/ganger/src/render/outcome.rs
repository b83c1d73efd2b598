//! What commands came to.

use ganger_api::{OutcomeInfo, OutcomeKind, PlanInfo, QuitInfo, WorkerOutcome, WorkerState};

use super::human::count;
use super::table::Table;
use crate::style::Style;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Start,
    Stop,
    Restart,
    Signal,
    Scale,
    Reload,
}

/// A line for each worker and each group that was scaled.
pub(crate) fn outcomes(verb: Verb, info: &OutcomeInfo, style: Style) -> String {
    let mut out = String::new();
    for group in &info.groups {
        out.extend([format!("{}: {} -> {}\n", group.name, group.from, group.to)]);
    }
    out.push_str(&workers(verb, &info.workers, style));
    if out.is_empty() { "nothing to do\n".to_owned() } else { out }
}

fn workers(verb: Verb, workers: &[WorkerOutcome], style: Style) -> String {
    let mut table = Table::new(style, &["NAME", "STATE", ">PID", "RESULT"]);
    for worker in workers {
        let state = worker.state.map_or_else(|| "gone".to_owned(), |state| state.to_string());
        let pid = worker.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        table.row([worker.name.to_string(), state, pid, result(verb, worker)]);
        if let Some(state) = worker.state {
            table.paint(1, |text| style.state(state, text));
        }
    }
    table.render()
}

fn result(verb: Verb, worker: &WorkerOutcome) -> String {
    let word = match worker.outcome {
        OutcomeKind::Done => done(verb, worker.state),
        OutcomeKind::Unchanged => "unchanged",
        OutcomeKind::Failed => "failed",
        OutcomeKind::Superseded => "superseded by a later command",
    };
    match &worker.message {
        Some(message) => format!("{word}: {message}"),
        None => word.to_owned(),
    }
}

fn done(verb: Verb, state: Option<WorkerState>) -> &'static str {
    match verb {
        Verb::Start => "started",
        Verb::Stop => "stopped",
        Verb::Restart => "restarted",
        Verb::Signal => "signalled",
        Verb::Scale | Verb::Reload => match state {
            None => "removed",
            Some(WorkerState::Stopped | WorkerState::Exited) => "stopped",
            Some(WorkerState::Starting | WorkerState::Running) => "started",
            Some(WorkerState::Backoff | WorkerState::Stopping | WorkerState::Fatal) => "changed",
        },
    }
}

/// Whether a command failed for any of these.
pub(crate) fn any_failed(workers: &[WorkerOutcome]) -> bool {
    workers.iter().any(|worker| match worker.outcome {
        OutcomeKind::Failed | OutcomeKind::Superseded => true,
        OutcomeKind::Done | OutcomeKind::Unchanged => false,
    })
}

/// What a reload changes, and what became of it.
pub(crate) fn plan(info: &PlanInfo, style: Style) -> String {
    let mut out = String::new();
    out.extend(info.warnings.iter().map(|warning| format!("warning: {warning}\n")));
    if info.lines.is_empty() {
        return out + "nothing changed\n";
    }
    out.extend(info.lines.iter().map(|line| format!("{line}\n")));
    if info.dry_run {
        out.push_str("nothing was done (dry run)\n");
    } else {
        out.push_str(&workers(Verb::Reload, &info.workers, style));
        out.extend([format!("release {} is in force\n", info.release)]);
    }
    out
}

/// The end of the app.
pub(crate) fn quit(info: &QuitInfo) -> String {
    let stopped = usize::try_from(info.stopped).unwrap_or(usize::MAX);
    let mut out = format!("stopped {}\n", count(stopped, "worker"));
    if !info.killed.is_empty() {
        let names: Vec<String> = info.killed.iter().map(ToString::to_string).collect();
        out.extend([format!("had to be killed: {}\n", names.join(", "))]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganger_api::GroupChange;
    use ganger_spec::WorkerName;

    fn worker(
        number: u32,
        outcome: OutcomeKind,
        state: Option<WorkerState>,
        message: Option<&str>,
    ) -> WorkerOutcome {
        let pid = state.filter(|state| *state == WorkerState::Running).map(|_| 70 + number);
        let message = message.map(str::to_owned);
        WorkerOutcome { name: WorkerName::new("web", number), outcome, message, state, pid }
    }

    fn three() -> Vec<WorkerOutcome> {
        vec![
            worker(1, OutcomeKind::Done, Some(WorkerState::Running), None),
            worker(2, OutcomeKind::Unchanged, Some(WorkerState::Running), None),
            worker(3, OutcomeKind::Failed, Some(WorkerState::Fatal), Some("exec: no such file")),
        ]
    }

    #[test]
    fn each_worker_is_told_with_what_became_of_it() {
        let info = OutcomeInfo { workers: three(), groups: vec![] };
        assert_eq!(
            outcomes(Verb::Start, &info, Style::PLAIN),
            "NAME   STATE    PID  RESULT\n\
             web.1  RUNNING   71  started\n\
             web.2  RUNNING   72  unchanged\n\
             web.3  FATAL      -  failed: exec: no such file\n"
        );
        assert!(any_failed(&info.workers));
        assert!(!any_failed(&info.workers[..2]));
    }

    #[test]
    fn a_scale_tells_the_counts_and_the_workers() {
        let groups = vec![GroupChange { name: "web".to_owned(), from: 2, to: 1 }];
        let info = OutcomeInfo { workers: vec![worker(2, OutcomeKind::Done, None, None)], groups };
        let expected = "web: 2 -> 1\nNAME   STATE  PID  RESULT\nweb.2  gone     -  removed\n";
        assert_eq!(outcomes(Verb::Scale, &info, Style::PLAIN), expected);
    }

    #[test]
    fn a_plan_is_told_before_what_became_of_it() {
        let mut info = PlanInfo {
            lines: vec!["web: command changed".into()],
            warnings: vec![],
            dry_run: true,
            release: 2,
            workers: vec![],
        };
        assert_eq!(plan(&info, Style::PLAIN), "web: command changed\nnothing was done (dry run)\n");
        info.dry_run = false;
        info.workers = three()[..1].to_vec();
        assert_eq!(
            plan(&info, Style::PLAIN),
            "web: command changed\n\
             NAME   STATE    PID  RESULT\n\
             web.1  RUNNING   71  started\n\
             release 2 is in force\n"
        );
        info.warnings = vec!["-m: no group `clock`".into()];
        assert!(
            plan(&info, Style::PLAIN).starts_with("warning: -m: no group `clock`\nweb: command changed\n")
        );
        (info.lines, info.warnings) = (vec![], vec![]);
        assert_eq!(plan(&info, Style::PLAIN), "nothing changed\n");
    }

    #[test]
    fn the_end_names_those_that_had_to_be_killed() {
        let killed = vec![WorkerName::new("web", 2), WorkerName::new("db", 1)];
        assert_eq!(
            quit(&QuitInfo { stopped: 3, killed }),
            "stopped 3 workers\nhad to be killed: web.2, db.1\n"
        );
        assert_eq!(quit(&QuitInfo { stopped: 1, killed: vec![] }), "stopped 1 worker\n");
    }
}
