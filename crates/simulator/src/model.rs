//! What the operator asked for and what the policies say, kept apart from the decider and much simpler than it.
//!
//! Where the decider may do one of two things because an event and a command cross, the model allows both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ganger_core::{Command, CommandId, Core, Exit, Input, Instant, RunId, Wanted};
use ganger_spec::{Early, Group, OnExit, RestartMode, Spec, WorkerName};

/// What a worker was asked to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Up,
    Down,
}

/// What came before the next spawn of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// A spawn that had no consequence yet.
    Asked,
    /// A run that ended by itself, or could not be for a lasting reason.
    Ended,
    /// A spawn that failed for a passing reason.
    FailedForNow,
}

/// A worker that there is to be.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) wish: Wish,
    /// Whether an operator is owed a new run.
    pub(crate) due: bool,
    /// Whether policy said that it is not started again.
    pub(crate) over: bool,
    pub(crate) last: Last,
    /// When policy restarted it, since an operator last did.
    pub(crate) restarts: Vec<Instant>,
}

/// What is wanted.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) spec: Option<Arc<Spec>>,
    pub(crate) counts: BTreeMap<String, u32>,
    pub(crate) slots: BTreeMap<WorkerName, Slot>,
    pub(crate) shutting_down: bool,
    /// Workers that were up, and that nobody had asked anything else of, when the shutdown began.
    pub(crate) steady: BTreeSet<WorkerName>,
    /// Commands whose answer is owed, and the workers that they were to stop.
    pub(crate) owed: BTreeMap<CommandId, BTreeSet<WorkerName>>,
    /// Runs whose end is in the ledger.
    pub(crate) accounted: BTreeSet<RunId>,
    /// Whether the ledger was ever damaged: what runs may run for a command that is forgotten.
    pub(crate) is_damaged: bool,
    /// Runs of before the ledger was damaged: nobody can say whether their end was in it.
    pub(crate) doubtful: BTreeSet<RunId>,
    /// Runs that failed their liveness probe often enough, or took too much.
    pub(crate) unfit: BTreeSet<RunId>,
    /// How often the end of a run was told.
    pub(crate) told: BTreeMap<RunId, u32>,
}

const ASKED: Slot = Slot { wish: Wish::Up, due: true, over: false, last: Last::Asked, restarts: Vec::new() };

impl Model {
    pub(crate) fn group(&self, worker: &WorkerName) -> Option<&Group> {
        self.spec.as_ref()?.groups.iter().find(|group| group.name == worker.group)
    }

    /// Those of the highest are stopped first.
    pub(crate) fn rank(&self, worker: &WorkerName) -> Option<(i32, i32)> {
        let depth = self.spec.as_ref()?.depths().get(worker.group.as_str()).copied()?;
        Some((self.group(worker)?.family_priority(), -depth))
    }

    /// A run is not all right: it may be ended, and what follows is judged by that.
    pub(crate) fn is_unfit(&mut self, worker: &WorkerName, run: RunId) {
        self.unfit.insert(run);
        if let Some(slot) = self.slots.get_mut(worker) {
            slot.over = false;
        }
    }

    /// The operator asks for this.
    pub(crate) fn asked(&mut self, input: &Input) {
        match input {
            Input::Apply { command, spec, .. } => {
                self.owed.insert(*command, BTreeSet::new());
                if !self.shutting_down {
                    self.released(spec);
                }
            }
            Input::Command { id, command } => {
                self.owed.insert(*id, BTreeSet::new());
                if self.shutting_down {
                    return;
                }
                match command {
                    Command::Start(names) | Command::Restart(names) => {
                        self.each(names, |slot| (slot.wish, slot.due, slot.over) = (Wish::Up, true, false));
                        for name in names {
                            self.no_longer_down(name);
                        }
                    }
                    Command::Refresh(names, _) => self.each(names, |slot| {
                        if slot.wish == Wish::Up {
                            (slot.due, slot.over) = (true, false);
                        }
                    }),
                    Command::Stop(names) => {
                        self.owed.insert(*id, names.iter().cloned().collect());
                        self.each(names, |slot| slot.wish = Wish::Down);
                    }
                    Command::Scale(counts) => {
                        self.counts.extend(counts.iter().cloned());
                        self.fill();
                    }
                    Command::Signal(..) => {}
                    Command::Shutdown { .. } => self.ends(),
                }
            }
            Input::Spawned { .. }
            | Input::SpawnFailed { .. }
            | Input::Exited { .. }
            | Input::Emptied { .. }
            | Input::Connected { .. }
            | Input::Probed { .. }
            | Input::TooMuch { .. }
            | Input::Tick => {}
        }
    }

    /// The app stops.
    pub(crate) fn ends(&mut self) {
        if !self.shutting_down {
            let steady = self.slots.iter().filter(|(_, slot)| slot.wish == Wish::Up && !slot.due);
            self.steady = steady.map(|(name, _)| name.clone()).collect();
        }
        self.shutting_down = true;
        self.slots.values_mut().for_each(|slot| slot.wish = Wish::Down);
    }

    /// A run ended by itself, or could not be. `exit` is the code where there is one.
    pub(crate) fn ended(&mut self, worker: &WorkerName, run: RunId, exit: Exit) {
        let allowed =
            self.unfit.contains(&run) || self.group(worker).is_some_and(|group| may_follow(group, exit));
        if let Some(slot) = self.slots.get_mut(worker).filter(|slot| slot.wish == Wish::Up && !slot.due) {
            slot.last = Last::Ended;
            slot.over = !allowed;
        }
    }

    /// How a run of this worker ended, or that it ever was, nobody may know: its end may be judged in either way.
    pub(crate) fn lost_sight(&mut self, worker: &WorkerName) {
        if let Some(slot) = self.slots.get_mut(worker) {
            (slot.over, slot.last) = (false, Last::Asked);
        }
    }

    /// The machine was started again: no time of before can be compared with one of now, so no restart that was
    /// spent before counts; nor one that was spent and not carried out.
    pub(crate) fn rebooted(&mut self) {
        for slot in self.slots.values_mut() {
            slot.restarts.clear();
            slot.last = Last::Asked;
        }
    }

    /// A spawn is asked for.
    pub(crate) fn spawns(&mut self, worker: &WorkerName, now: Instant) {
        let Some(slot) = self.slots.get_mut(worker) else {
            return;
        };
        if slot.due {
            slot.restarts.clear();
        } else if slot.last == Last::Ended {
            slot.restarts.push(now);
        }
        (slot.due, slot.over, slot.last) = (false, false, Last::Asked);
    }

    /// An overseer died in the middle of a command, so it may or may not be carried out: what the next one goes on
    /// from is what counts.
    pub(crate) fn adopt(&mut self, core: &Core) {
        self.spec = core.spec().cloned();
        self.shutting_down = core.shutting_down().is_some();
        self.counts.clear();
        for group in self.spec.iter().flat_map(|spec| &spec.groups) {
            self.counts.insert(group.name.clone(), core.group_count(&group.name).unwrap_or(0));
        }
        self.slots.clear();
        self.fill();
        for view in core.workers().filter(|view| view.wanted == Wanted::Down) {
            self.each(&[view.name], |slot| slot.wish = Wish::Down);
        }
        self.adopt_started(core);
    }

    /// Who runs though its group does not start by itself was started by a command, of which nobody knows any more.
    pub(crate) fn adopt_started(&mut self, core: &Core) {
        for view in core.workers().filter(|view| view.wanted == Wanted::Up) {
            if self.group(&view.name).is_some_and(|group| !group.autostart) {
                self.each(&[view.name], |slot| {
                    if slot.wish == Wish::Down {
                        *slot = ASKED;
                    }
                });
            }
        }
    }

    fn released(&mut self, spec: &Arc<Spec>) {
        let old = self.spec.replace(Arc::clone(spec));
        let known = |name: &str| old.as_ref()?.groups.iter().find(|group| group.name == name);
        let mut counts = BTreeMap::new();
        for group in &spec.groups {
            let before = known(&group.name);
            let kept = before.filter(|before| before.count == group.count).and(self.counts.get(&group.name));
            counts.insert(group.name.clone(), kept.copied().unwrap_or(group.count));
            let Some(before) = before else {
                continue;
            };
            for slot in
                self.slots.iter_mut().filter(|(name, _)| name.group == group.name).map(|(_, slot)| slot)
            {
                if before.command != group.command && slot.wish == Wish::Up {
                    (slot.due, slot.over) = (true, false);
                }
                if before.restart != group.restart || before.exits != group.exits {
                    // What was judged before stays so; the new policy counts from now on.
                    (slot.over, slot.last) = (false, Last::Asked);
                    slot.restarts.clear();
                }
            }
        }
        self.counts = counts;
        self.fill();
    }

    fn fill(&mut self) {
        let counts = &self.counts;
        self.slots.retain(|name, _| counts.get(&name.group).is_some_and(|count| name.number <= *count));
        let groups = self.spec.iter().flat_map(|spec| &spec.groups);
        let quiet: BTreeSet<&str> =
            groups.filter(|group| !group.autostart).map(|group| group.name.as_str()).collect();
        for (group, count) in counts {
            let wish = if quiet.contains(group.as_str()) { Wish::Down } else { Wish::Up };
            for number in 1..=*count {
                let slot = Slot { wish, due: wish == Wish::Up, ..ASKED };
                self.slots.entry(WorkerName::new(group.as_str(), number)).or_insert(slot);
            }
        }
        for stops in self.owed.values_mut() {
            stops.retain(|name| self.slots.get(name).is_some_and(|slot| slot.wish == Wish::Down));
        }
    }

    /// Who was to stop it is told of the past.
    fn no_longer_down(&mut self, worker: &WorkerName) {
        for stops in self.owed.values_mut() {
            stops.remove(worker);
        }
    }

    fn each(&mut self, names: &[WorkerName], change: impl Fn(&mut Slot)) {
        for name in names {
            if let Some(slot) = self.slots.get_mut(name) {
                change(slot);
            }
        }
    }
}

/// Whether the policy of a group lets a run follow this end.
fn may_follow(group: &Group, exit: Exit) -> bool {
    if group.restart.early == Early::Retry {
        return true;
    }
    let mapped = match exit {
        Exit::Code(code) => group.exits.get(&code),
        Exit::Signal(_) | Exit::Unknown => None,
    };
    match (mapped, group.restart.mode) {
        (Some(OnExit::Restart), _) | (None, RestartMode::Always) => true,
        (Some(OnExit::Stop | OnExit::Fatal), _) | (None, RestartMode::Never) => false,
        (None, RestartMode::OnFailure) => exit != Exit::Code(0),
    }
}
