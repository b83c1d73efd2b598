//! What is asked over the API, as the decider takes it, and what the decider made of it, as the API answers it.

use std::collections::{BTreeMap, BTreeSet};

use ganger_api::{
    ApiError, Data, ErrorCode, GroupChange, OutcomeInfo, OutcomeKind, PlanInfo, QuitInfo, WorkerOutcome,
};
use ganger_core::{Command, Core, Outcome, Reply};
use ganger_spec::{ALL, Spec, WorkerName, matches, suggest};
use tokio::sync::oneshot;

use crate::{supervisor, views};

/// Where the answer to a request goes.
pub(crate) type Answer = oneshot::Sender<Result<Data, ApiError>>;

/// What is still to be answered once the decider says that a command is carried out.
pub(crate) enum Owed {
    /// With what became of each worker.
    Outcome { answer: Answer, groups: Vec<GroupChange> },
    /// With the plan that was carried out.
    Plan { answer: Answer, lines: Vec<String>, warnings: Vec<String> },
    /// With the end of the app.
    Quit { answer: Answer, stopped: u32 },
    /// To a client of supervisord's interface.
    Call(supervisor::Owed),
    /// To nobody: the command is ganger's own.
    Nobody,
}

/// The workers that patterns mean. Workers on their way out are known, but not meant.
pub(crate) fn select(core: &Core, spec: &Spec, patterns: &[String]) -> Result<Vec<WorkerName>, ApiError> {
    ganger_spec::select(&counts(core, spec), patterns).map_err(ApiError::from)
}

/// How many workers each group has, in the order of the spec.
fn counts(core: &Core, spec: &Spec) -> Vec<(String, u32)> {
    spec.groups.iter().map(|group| (group.name.clone(), core.group_count(&group.name).unwrap_or(0))).collect()
}

/// The counts that were asked for, checked, with what they change.
pub(crate) fn scale(
    core: &Core,
    spec: &Spec,
    asked: &BTreeMap<String, u32>,
) -> Result<(Command, Vec<GroupChange>), ApiError> {
    let present = counts(core, spec);
    let mut wanted: BTreeMap<String, u32> = BTreeMap::new();
    for (pattern, count) in asked {
        for group in groups(&present, pattern)? {
            spec.check_scale(&group, *count).map_err(ApiError::from)?;
            wanted.insert(group, *count);
        }
    }
    let changes = present
        .into_iter()
        .filter_map(|(name, from)| wanted.get(&name).map(|to| GroupChange { from, to: *to, name }))
        .collect();
    Ok((Command::Scale(wanted.into_iter().collect()), changes))
}

/// The groups that a name, a glob or `all` means.
fn groups(present: &[(String, u32)], pattern: &str) -> Result<Vec<String>, ApiError> {
    let names = || present.iter().map(|(name, _)| name);
    let found: Vec<String> =
        names().filter(|name| pattern == ALL || matches(pattern, name)).cloned().collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let error = ApiError::new(ErrorCode::UnknownName, format!("no group `{pattern}`"));
    Err(match suggest(pattern, names().map(String::as_str)) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error.with_hint(format!("known: {}", names().cloned().collect::<Vec<_>>().join(", "))),
    })
}

/// Answers what is owed. A client that did not wait for it is no fault.
pub(crate) fn answer(core: &Core, owed: Owed, reply: Reply, killed: &BTreeSet<WorkerName>) {
    if let Owed::Call(owed) = owed {
        return supervisor::answer(core, owed, reply);
    }
    let workers = outcomes(core, &reply);
    let refused = reply.refused.map(|reason| ApiError::new(ErrorCode::ShuttingDown, reason));
    let (to, data) = match owed {
        Owed::Outcome { answer, groups } => (answer, Data::Outcome(OutcomeInfo { workers, groups })),
        Owed::Plan { answer, lines, warnings } => {
            let release = core.release();
            (answer, Data::Plan(PlanInfo { lines, warnings, dry_run: false, release, workers }))
        }
        Owed::Quit { answer, stopped } => {
            (answer, Data::Quit(QuitInfo { stopped, killed: killed.iter().cloned().collect() }))
        }
        Owed::Call(_) | Owed::Nobody => return,
    };
    let _ = to.send(refused.map_or(Ok(data), Err));
}

fn outcomes(core: &Core, reply: &Reply) -> Vec<WorkerOutcome> {
    let one = |(name, outcome): &(WorkerName, Outcome)| {
        let view = core.worker(name);
        let (outcome, message) = match outcome {
            Outcome::Done => (OutcomeKind::Done, None),
            Outcome::Unchanged => (OutcomeKind::Unchanged, None),
            Outcome::Failed(why) => (OutcomeKind::Failed, Some(why.clone())),
            Outcome::Superseded => (OutcomeKind::Superseded, None),
        };
        WorkerOutcome {
            name: name.clone(),
            outcome,
            message,
            state: view.as_ref().map(|view| views::state(view.state)),
            pid: view.and_then(|view| view.pid),
        }
    };
    reply.workers.iter().map(one).collect()
}
