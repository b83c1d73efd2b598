//! What must hold after every step, whatever broke.

use std::collections::BTreeMap;

use ganger_core::{Exit, Instant, RunId, State, Wanted, WorkerView};
use ganger_spec::{Condition, OnExit, WorkerName};

use crate::kernel::Kernel;
use crate::model::{Model, Wish};

/// One of the ten promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// 1.
    OneRun,
    /// 2.
    StoppedStaysStopped,
    /// 3.
    StopsEnd,
    /// 4.
    AccountedOnce,
    /// 5.
    Converges,
    /// 6.
    LogIsExact,
    /// 7.
    Budget,
    /// 8.
    SurvivesDeath,
    /// 9.
    StopsInOrder,
    /// 10.
    WaitsFirst,
}

impl Invariant {
    /// Its number in the design.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// What it promises.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::OneRun => "a worker has at most one live run",
            Self::StoppedStaysStopped => {
                "a stopped worker never starts without a command or a policy that says so"
            }
            Self::StopsEnd => {
                "a stop ends: after its timeout the whole tree is killed, and only then it is answered"
            }
            Self::AccountedOnce => "every exit is accounted once, and its policy applied once",
            Self::Converges => "when faults cease, live workers are the wanted workers within a bound",
            Self::LogIsExact => "a byte that a worker wrote is in its log exactly once, in order",
            Self::Budget => "restarts never exceed their budget, and an operator's restart never spends it",
            Self::SurvivesDeath => "the death of an overseer costs no worker its run",
            Self::StopsInOrder => {
                "a shutdown stops what has a lower priority, or what others depend on, only when those before are down"
            }
            Self::WaitsFirst => "a worker starts only when what its group depends on has come so far",
        }
    }
}

/// A promise that is not kept, and what was seen.
pub(crate) type Broken = (Invariant, String);

/// 1. A worker has at most one live run.
pub(crate) fn one_run(kernel: &Kernel, worker: &WorkerName) -> Result<(), Broken> {
    let live = kernel.live_of(worker);
    if live.len() > 1 {
        return Err((Invariant::OneRun, format!("{worker} lives as {live:?}")));
    }
    Ok(())
}

/// 2. A stopped worker never starts without a command or a policy that says so.
pub(crate) fn may_start(model: &Model, worker: &WorkerName) -> Result<(), Broken> {
    let broken = |what: &str| Err((Invariant::StoppedStaysStopped, format!("{worker} is spawned: {what}")));
    match model.slots.get(worker) {
        None => broken("there is to be no such worker"),
        Some(slot) if slot.wish == Wish::Down => broken("it was asked to be down"),
        Some(slot) if slot.over && !slot.due => broken("its policy said that it is done"),
        Some(_) => Ok(()),
    }
}

/// 3. A stop ends: who was asked to end and is not gone by the timeout has got a KILL.
pub(crate) fn stops_end(kernel: &Kernel, now: Instant, calm_since: Instant) -> Result<(), Broken> {
    let patience = std::time::Duration::from_secs(1);
    if now.since(calm_since) < patience {
        return Ok(());
    }
    for (run, process) in kernel.live() {
        if let Some(asked) = process.asked
            && !process.killed
            && now > asked.after(process.stop_timeout).after(patience)
        {
            let what = format!("{run} of {} was asked to end and never killed", process.worker);
            return Err((Invariant::StopsEnd, what));
        }
    }
    Ok(())
}

/// 3. … and the answer comes after the effect.
pub(crate) fn down_before_answer(kernel: &Kernel, worker: &WorkerName) -> Result<(), Broken> {
    if kernel.live_of(worker).is_empty() {
        return Ok(());
    }
    Err((Invariant::StopsEnd, format!("{worker} is said to be down and lives")))
}

/// 4. Every exit is accounted once: it is told once, and no run is forgotten that is not over and in the ledger.
pub(crate) fn may_forget(kernel: &Kernel, model: &Model, run: RunId) -> Result<(), Broken> {
    let broken = |what: &str| Err((Invariant::AccountedOnce, format!("{run} is acknowledged: {what}")));
    let is_accounted = model.accounted.contains(&run) || model.doubtful.contains(&run);
    match kernel.runs.get(&run) {
        Some(process) if process.lives() => broken("it lives"),
        Some(process) if process.ended.is_some() && !is_accounted => broken("its end is not in the ledger"),
        Some(_) | None => Ok(()),
    }
}

/// 4. … told once.
pub(crate) fn told_once(model: &Model, run: RunId) -> Result<(), Broken> {
    match model.told.get(&run) {
        Some(times) if *times > 1 => {
            Err((Invariant::AccountedOnce, format!("the end of {run} was told {times} times")))
        }
        Some(_) | None => Ok(()),
    }
}

/// 4. … and in the end the keeper holds no run that is over.
pub(crate) fn all_forgotten(kernel: &Kernel) -> Result<(), Broken> {
    match kernel.runs.iter().find(|(_, process)| !process.lives()) {
        Some((run, _)) => {
            Err((Invariant::AccountedOnce, format!("{run} is over and was never acknowledged")))
        }
        None => Ok(()),
    }
}

/// 5. When faults cease, live workers are the wanted workers within a bound.
pub(crate) fn converged(
    kernel: &Kernel,
    model: &Model,
    views: impl Iterator<Item = WorkerView>,
) -> Result<(), Broken> {
    let broken = |what: String| Err((Invariant::Converges, what));
    let mut names = Vec::new();
    let views: Vec<WorkerView> = views.collect();
    for view in views.iter().cloned() {
        let live = kernel.live_of(&view.name);
        let fits = match (view.wanted, view.state) {
            (Wanted::Up, State::Running) => live == view.run.into_iter().collect::<Vec<_>>(),
            (Wanted::Up | Wanted::Down, State::Exited | State::Fatal) | (Wanted::Down, State::Stopped) => {
                live.is_empty()
            }
            (Wanted::Up, State::Stopped) => live.is_empty() && may_wait(model, &view.name, &views),
            (Wanted::Up | Wanted::Down | Wanted::Gone, _) => false,
        };
        if !fits {
            let (name, state, why) = (&view.name, view.state, &view.why);
            return broken(format!(
                "{name} is {state} ({why}), wanted {}, and lives as {live:?}",
                view.wanted
            ));
        }
        if model
            .slots
            .get(&view.name)
            .is_none_or(|slot| (slot.wish == Wish::Up) != (view.wanted == Wanted::Up))
        {
            return broken(format!(
                "{} was asked for otherwise than it is wanted ({})",
                view.name, view.wanted
            ));
        }
        names.push(view.name);
    }
    if let Some(missing) = model.slots.keys().find(|name| !names.contains(name)) {
        return broken(format!("{missing} is missing"));
    }
    // Who asked that somebody be up who waits for what may still come is owed the answer until then.
    let waits = |view: &WorkerView| view.wanted == Wanted::Up && view.state == State::Stopped;
    let is_open = views.iter().any(|view| waits(view) && !view.why.contains("in vain"));
    if let Some(id) = model.owed.keys().next().filter(|_| !is_open) {
        return broken(format!("{id} was never answered"));
    }
    Ok(())
}

/// 6. A byte that a worker wrote is in its log exactly once, in order. At the end, every one of them.
pub(crate) fn log_is_exact(worker: &WorkerName, log: &[u64], written: Option<u64>) -> Result<(), Broken> {
    if let Some((place, number)) = log.iter().enumerate().find(|(place, number)| *place as u64 != **number) {
        return Err((Invariant::LogIsExact, format!("{worker}: {number} stands where {place} belongs")));
    }
    match written {
        Some(written) if log.len() as u64 != written => {
            Err((Invariant::LogIsExact, format!("{worker} wrote {written}, {} are in its log", log.len())))
        }
        Some(_) | None => Ok(()),
    }
}

/// 7. Restarts never exceed their budget, and an operator's restart never spends it.
pub(crate) fn within_budget(model: &Model, worker: &WorkerName, now: Instant) -> Result<(), Broken> {
    let (Some(slot), Some(group)) = (model.slots.get(worker), model.group(worker)) else {
        return Ok(());
    };
    let Some(budget) = &group.restart.budget else {
        return Ok(());
    };
    let spent = slot.restarts.iter().filter(|at| now.since(**at) < budget.within).count();
    if spent > budget.restarts as usize {
        let allowed = budget.restarts;
        return Err((
            Invariant::Budget,
            format!("{worker} had {spent} restarts where {allowed} are allowed"),
        ));
    }
    Ok(())
}

/// 5. … unless what they wait for is not there.
fn may_wait(model: &Model, worker: &WorkerName, views: &[WorkerView]) -> bool {
    let is_missing = |(group, condition): (&str, Condition)| {
        let count = model.counts.get(group).copied().unwrap_or(0);
        (1..=count).map(|number| WorkerName::new(group, number)).any(|name| {
            let view = views.iter().find(|view| view.name == name);
            view.is_none_or(|view| match condition {
                Condition::Started => !matches!(view.state, State::Running | State::Exited),
                Condition::Ready => !view.ready,
                Condition::Completed => view.state != State::Exited || !has_succeeded(model, view),
            })
        })
    };
    model.group(worker).is_some_and(|group| group.dependencies().any(is_missing))
}

/// Whether its end is what its group calls done; that of a run that was not all right never is.
fn has_succeeded(model: &Model, view: &WorkerView) -> bool {
    let was_unfit = view.why.starts_with("failed its") || view.why.starts_with("used ");
    match view.last_exit {
        Some(Exit::Code(code)) if !was_unfit => {
            let meaning = model.group(&view.name).and_then(|group| group.exits.get(&code));
            code == 0 || meaning == Some(&OnExit::Stop)
        }
        Some(Exit::Code(_) | Exit::Signal(_) | Exit::Unknown) | None => false,
    }
}

/// What was told of a worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) state: State,
    pub(crate) has_process: bool,
    pub(crate) passed: bool,
}

/// 10. A worker starts only when what its group depends on has come so far, by all that was told before.
pub(crate) fn waits_first(
    model: &Model,
    worker: &WorkerName,
    heard: &BTreeMap<WorkerName, Heard>,
) -> Result<(), Broken> {
    let Some(group) = model.group(worker) else { return Ok(()) };
    for (name, condition) in group.dependencies() {
        let count = model.counts.get(name).copied().unwrap_or(0);
        for other in (1..=count).map(|number| WorkerName::new(name, number)) {
            let probed = model.group(&other).is_some_and(|group| group.readiness.is_some());
            let is_met = heard.get(&other).is_some_and(|heard| match condition {
                Condition::Started => heard.has_process || heard.state == State::Exited,
                Condition::Ready if probed => heard.passed && heard.has_process,
                Condition::Ready => heard.state == State::Running,
                Condition::Completed => heard.state == State::Exited,
            });
            if !is_met {
                let what =
                    format!("{worker} is spawned, and {other} is not {condition}: {:?}", heard.get(&other));
                return Err((Invariant::WaitsFirst, what));
            }
        }
    }
    Ok(())
}

/// 9. A shutdown stops what has a lower priority only when what has a higher one is down, or does not die of KILL.
pub(crate) fn in_order(kernel: &Kernel, model: &Model, run: RunId) -> Result<(), Broken> {
    let rank = |worker: &WorkerName| model.rank(worker);
    let steady = |worker: &WorkerName| model.steady.contains(worker);
    let Some(process) = kernel.runs.get(&run) else { return Ok(()) };
    let is_first = process.asked.is_none() && process.ended.is_none();
    if !model.doubtful.is_empty() || !is_first || !steady(&process.worker) {
        return Ok(());
    }
    let before = kernel.live().find(|(_, other)| {
        !other.killed && steady(&other.worker) && rank(&other.worker) > rank(&process.worker)
    });
    match before {
        Some((other, higher)) => {
            let what =
                format!("{run} of {} is stopped while {other} of {} lives", process.worker, higher.worker);
            Err((Invariant::StopsInOrder, what))
        }
        None => Ok(()),
    }
}

/// 8. The death of an overseer costs no worker its run: nobody is asked to end whom nobody wants to end.
pub(crate) fn may_end(kernel: &Kernel, model: &Model, run: RunId) -> Result<(), Broken> {
    let Some(process) = kernel.runs.get(&run).filter(|process| process.ended.is_none()) else {
        return Ok(());
    };
    match model.slots.get(&process.worker) {
        Some(slot)
            if slot.wish == Wish::Up && !slot.due && !model.shutting_down && !model.unfit.contains(&run) =>
        {
            let what = format!("{run} of {} is asked to end and nobody wished it", process.worker);
            Err((Invariant::SurvivesDeath, what))
        }
        Some(_) | None => Ok(()),
    }
}
