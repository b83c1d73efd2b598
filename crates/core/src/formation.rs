//! The formation: which workers there are to be, by the release in force and the counts of operators.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ganger_spec::{Group, Spec, WorkerName};

use crate::dependencies::Sight;
use crate::event::Event;
use crate::io::{Action, CommandId, Instant, Wanted};
use crate::ledger::Record;
use crate::plan;
use crate::tickets::Goal;
use crate::turn::Stimulus;
use crate::why::Motive;
use crate::wishes::WishedCount;
use crate::worker::WorkerRecord;
use crate::{Core, Formed, Release};

impl Core {
    /// A release comes into force; the first starts the app, a later one changes just what differs.
    pub(crate) fn apply(&mut self, now: Instant, id: CommandId, spec: Arc<Spec>, finish_when_idle: bool) {
        if let Some(refusal) = self.refusal() {
            self.refuse(id, refusal);
            return;
        }
        let motive = if self.release.is_some() { Motive::Reload } else { Motive::App };
        let changes = self.plan(&spec).changes;
        let counts = self.counts_after(&spec);
        // Who leaves is stopped by the rules under which it was started.
        let mut goals = self.leave_beyond(now, &counts, &motive);
        let undone = self.scales_undone(&spec);
        let number = self.release() + 1;
        self.form(Release { number, spec: Arc::clone(&spec), finish_when_idle }, |group| {
            counts.get(group.name.as_str()).copied()
        });
        let mut places = spec.start_order();
        places.sort_by_key(|place| -self.depth(&spec.groups[*place].name));
        for group in places.into_iter().filter_map(|place| spec.groups.get(place)) {
            goals.extend(self.fill(now, &group.name, &motive));
        }
        self.round.after.push(Record::Release { number, spec, finish_when_idle });
        self.round.after.extend(undone);
        let resumed = self.scales_resumed();
        self.round.after.extend(resumed);
        self.round.actions.push(Action::Event(Event::Released { number, changes }));
        self.stir_all();
        // Whether somebody waits in vain can be said only when all are looked after.
        self.look_at_waiting(now);
        self.promise(id, Vec::new(), goals);
    }

    /// Operators set counts.
    pub(crate) fn scale(&mut self, now: Instant, id: CommandId, wishes: Vec<(String, u32)>) {
        if let Some((group, _)) = wishes.iter().find(|(group, _)| !self.groups.contains_key(group)) {
            let refusal = format!("there is no group {group:?}");
            self.refuse(id, refusal);
            return;
        }
        let mut changed = Vec::new();
        for (group, count) in wishes {
            let Some(formed) = self.groups.get_mut(&group) else {
                continue;
            };
            let from = std::mem::replace(&mut formed.count, count);
            if from == count {
                continue;
            }
            self.stir(&group);
            let instead_of = self.spec_count(&group);
            self.round.before.push(Record::Scale { group: group.clone(), count, instead_of });
            self.round.actions.push(Action::Event(Event::Scaled { group: group.clone(), from, to: count }));
            changed.push((group, count));
        }
        changed.sort_by_key(|(group, _)| -self.depth(group));
        let mut goals = Vec::new();
        for (group, count) in changed {
            goals.extend(self.leave_group(now, &group, count, &Motive::Scale));
            goals.extend(self.fill(now, &group, &Motive::Scale));
        }
        self.look_at_waiting(now);
        self.promise(id, Vec::new(), goals);
    }

    /// Puts the workers in line with the release and the counts; nothing to do unless a death interrupted that.
    pub(crate) fn reform(&mut self, now: Instant) {
        let counts: BTreeMap<String, u32> =
            self.groups.iter().map(|(name, formed)| (name.clone(), formed.count)).collect();
        self.leave_beyond(now, &counts, &Motive::Reload);
        let mut groups: Vec<String> = counts.into_keys().collect();
        groups.sort_by_key(|group| -self.depth(group));
        for group in groups {
            self.fill(now, &group, &Motive::Reload);
        }
    }

    /// How many groups, one after the other, wait for a group: what others wait for is looked after first, lest they start
    /// beside what it was before.
    pub(crate) fn depth(&self, group: &str) -> i32 {
        self.groups.get(group).map_or(0, |formed| formed.depth)
    }

    /// Sets the release and its groups, with an operator's counts where there are such.
    pub(crate) fn form(&mut self, release: Release, count: impl Fn(&Group) -> Option<u32>) {
        let spec = &release.spec;
        let depths = spec.depths();
        let groups = spec.groups.iter().enumerate().map(|(place, group)| {
            let count = count(group).unwrap_or(group.count);
            let depth = depths.get(group.name.as_str()).copied().unwrap_or(0);
            let made_of = plan::made_of(spec, group);
            (group.name.clone(), Formed { place, count, made_of, depth, awaited: Sight::default() })
        });
        self.groups = groups.collect();
        self.dependents.clear();
        for group in &spec.groups {
            for (name, _) in group.dependencies() {
                self.dependents.entry(name.to_owned()).or_default().push(group.name.clone());
            }
        }
        self.release = Some(release);
    }

    /// Brings up the workers of a group that are missing, and renews those whose runs are made of something else.
    fn fill(&mut self, now: Instant, group: &str, motive: &Motive) -> Vec<(WorkerName, Goal)> {
        let Some(formed) = self.groups.get(group) else {
            return Vec::new();
        };
        let (count, made_of) = (formed.count, formed.made_of);
        let autostart =
            crate::group_of(self.release.as_ref(), Some(formed)).is_none_or(|group| group.autostart);
        let mut goals = Vec::new();
        for number in 1..=count {
            let name = WorkerName::new(group, number);
            let stimulus = match self.workers.get_mut(&name) {
                None if !autostart => {
                    self.enter(&name, WorkerRecord::not_started(now));
                    continue;
                }
                None if self.wishes.stopped.contains(&name) => {
                    self.enter(&name, WorkerRecord::stopped_before(now));
                    continue;
                }
                None => {
                    self.enter(&name, WorkerRecord::new(now, Wanted::Up));
                    Stimulus::Start(motive.clone())
                }
                Some(worker) => match worker.wanted {
                    Wanted::Gone if !autostart => {
                        self.want(&name, Wanted::Down);
                        continue;
                    }
                    Wanted::Gone => Stimulus::Start(motive.clone()),
                    Wanted::Up if worker.is_of_unknown_make() => {
                        worker.made_of = made_of;
                        Stimulus::Retune
                    }
                    Wanted::Up if worker.made_of != made_of => Stimulus::Restart(motive.clone()),
                    Wanted::Up => Stimulus::Retune,
                    Wanted::Down => continue,
                },
            };
            if !matches!(stimulus, Stimulus::Retune) {
                self.want(&name, Wanted::Up);
                goals.push((name.clone(), Goal::Up));
            }
            self.step(now, &name, stimulus);
        }
        goals
    }

    /// A new worker.
    fn enter(&mut self, name: &WorkerName, worker: WorkerRecord) {
        self.index.add(name, &worker.life);
        self.workers.insert(name.clone(), worker);
        self.round.changed.insert(name.clone());
    }

    /// Lets those go that are beyond these counts; also those that were taken over when there was no release.
    fn leave_beyond(
        &mut self,
        now: Instant,
        counts: &BTreeMap<String, u32>,
        motive: &Motive,
    ) -> Vec<(WorkerName, Goal)> {
        let taken_over = self.workers.keys().filter(|_| self.release.is_none()).map(|name| &name.group);
        let groups: BTreeSet<String> = self.groups.keys().chain(taken_over).cloned().collect();
        let leave = |group: String| {
            let count = counts.get(&group).copied().unwrap_or(0);
            self.leave_group(now, &group, count, motive)
        };
        groups.into_iter().flat_map(leave).collect()
    }

    fn leave_group(
        &mut self,
        now: Instant,
        group: &str,
        count: u32,
        motive: &Motive,
    ) -> Vec<(WorkerName, Goal)> {
        let first = WorkerName::new(group, count.saturating_add(1));
        let last = WorkerName::new(group, u32::MAX);
        let beyond = self.workers.range(first..=last).filter(|(_, worker)| worker.wanted != Wanted::Gone);
        let names: Vec<WorkerName> = beyond.map(|(name, _)| name.clone()).collect();
        for name in &names {
            self.want(name, Wanted::Gone);
            self.step(now, name, Stimulus::Stop(motive.clone()));
        }
        names.into_iter().map(|name| (name, Goal::Down)).collect()
    }

    /// Sets what a worker is to be; earlier commands that asked for the opposite are superseded.
    pub(crate) fn want(&mut self, name: &WorkerName, wanted: Wanted) {
        if let Some(worker) = self.workers.get_mut(name) {
            worker.wanted = wanted;
        }
        self.stir(&name.group);
        let goal = match wanted {
            Wanted::Up => Goal::Up,
            Wanted::Down | Wanted::Gone => Goal::Down,
        };
        self.tickets.supersede(name, goal, &mut self.round.actions);
    }

    fn counts_after(&self, spec: &Spec) -> BTreeMap<String, u32> {
        let old = |name: &str| self.spec()?.groups.iter().find(|group| group.name == name);
        let count = |group: &Group| match &self.release {
            Some(_) => plan::count_after(old(&group.name), group, self.group_count(&group.name)),
            None => self.wishes.count(group),
        };
        spec.groups.iter().map(|group| (group.name.clone(), count(group))).collect()
    }

    /// Records that undo the operators' counts which a release ends. Without them such a count would come back with
    /// a later release that says again what it once overrode.
    fn scales_undone(&self, new: &Spec) -> Vec<Record> {
        let overridden = self.groups.iter().filter(|(name, formed)| formed.count != self.spec_count(name));
        let undone = overridden.filter_map(|(name, _)| {
            match new.groups.iter().find(|group| group.name == *name).map(|group| group.count) {
                Some(count) if count == self.spec_count(name) => None,
                Some(count) => Some(undone(name, count)),
                None => Some(undone(name, 0)),
            }
        });
        undone.collect()
    }

    /// Records of the counts that hold from before the first release. They are taken into account once.
    fn scales_resumed(&mut self) -> Vec<Record> {
        let wishes = std::mem::take(&mut self.wishes);
        let resumed = wishes.counts.into_iter().filter(|(group, wished)| {
            self.group_count(group) == Some(wished.count) && self.spec_count(group) == wished.instead_of
        });
        let record = |(group, WishedCount { count, instead_of })| Record::Scale { group, count, instead_of };
        resumed.map(record).collect()
    }

    /// The count of a group as the release in force says it; 0 if it has no such group.
    pub(crate) fn spec_count(&self, group: &str) -> u32 {
        crate::group_of(self.release.as_ref(), self.groups.get(group)).map_or(0, |group| group.count)
    }
}

/// The record that ends an operator's count of a group.
pub(crate) fn undone(group: &str, count: u32) -> Record {
    Record::Scale { group: group.to_owned(), count, instead_of: count }
}
