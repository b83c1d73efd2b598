//! An operator who types at the worst moments.

use std::sync::Arc;

use ganger_core::{Command, CommandId, Input, Random};
use ganger_spec::{Signal, Spec, WorkerName};

use crate::marks::Mark;
use crate::model::Model;
use crate::scenario;

/// The first or a later release.
pub(crate) fn apply(id: CommandId, spec: Spec, finish_when_idle: bool) -> Input {
    Input::Apply { command: id, spec: Arc::new(spec), finish_when_idle }
}

/// A random wish.
pub(crate) fn wish(
    random: &mut Random,
    id: CommandId,
    model: &Model,
    finish_when_idle: bool,
) -> (Mark, Input) {
    let Some(spec) = &model.spec else {
        return (Mark::ReloadCount, apply(id, scenario::spec(random), finish_when_idle));
    };
    let names = some(random, model);
    let (mark, command) = match random.below(40) {
        0..8 => (Mark::CommandStart, Command::Start(names)),
        8..16 => (Mark::CommandStop, Command::Stop(names)),
        16..23 => (Mark::CommandRestart, Command::Restart(names)),
        23..29 => (Mark::CommandScale, Command::Scale(counts(random, model))),
        29..31 => (Mark::CommandSignal, Command::Signal(names, Signal::HUP)),
        38 => (Mark::CommandRefresh, Command::Refresh(names, "app.rb changed".into())),
        31 if random.below(6) == 0 => {
            let now = random.below(3) == 0;
            let mark = if now { Mark::CommandShutdownNow } else { Mark::CommandShutdown };
            (mark, Command::Shutdown { now, reason: "asked to quit".to_owned(), status: 0 })
        }
        _ => {
            let new = scenario::changed(random, spec);
            return (reload_mark(spec, &new), apply(id, new, finish_when_idle));
        }
    };
    (mark, Input::Command { id, command })
}

fn reload_mark(old: &Spec, new: &Spec) -> Mark {
    let pairs = || old.groups.iter().zip(&new.groups);
    if new.groups.len() < old.groups.len() {
        Mark::ReloadRemoved
    } else if pairs().any(|(old, new)| old.command != new.command) {
        Mark::ReloadCommand
    } else if pairs().any(|(old, new)| old.restart != new.restart) {
        Mark::ReloadPolicy
    } else {
        Mark::ReloadCount
    }
}

fn some(random: &mut Random, model: &Model) -> Vec<WorkerName> {
    let mut names: Vec<WorkerName> = model.slots.keys().cloned().collect();
    if random.below(4) != 0 {
        names.retain(|_| random.below(3) == 0);
    }
    names
}

fn counts(random: &mut Random, model: &Model) -> Vec<(String, u32)> {
    let mut counts: Vec<(String, u32)> =
        model.counts.iter().map(|(name, count)| (name.clone(), *count)).collect();
    counts.retain_mut(|(_, count)| {
        *count = scenario::count(random);
        random.below(2) == 0
    });
    counts
}
