//! The list: all, the groups and the workers.

use ganger_api::{
    AppInfo, GroupInfo, GroupUsageInfo, Time, UsageInfo, WantedState, WorkerInfo, WorkerState, WorkersInfo,
};
use ganger_spec::WorkerName;

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    All,
    /// A group with other than one worker.
    Group(String),
    Worker(WorkerName),
}

impl Row {
    /// By which the API knows it.
    pub(crate) fn pattern(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Group(group) => group.clone(),
            Self::Worker(name) => name.to_string(),
        }
    }

    /// The group that it belongs to.
    pub(crate) fn group(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Group(group) => Some(group),
            Self::Worker(name) => Some(&name.group),
        }
    }
}

/// The app as it was when somebody looked.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    pub(crate) app: Option<AppInfo>,
    pub(crate) workers: Vec<WorkerInfo>,
    usage: Vec<GroupUsageInfo>,
    pub(crate) rows: Vec<Row>,
    selected: usize,
    /// When that was.
    pub(crate) looked: Option<Time>,
}

impl Roster {
    /// Takes what a look found. What was selected stays so, or what is in its place.
    pub(crate) fn take(&mut self, app: AppInfo, workers: WorkersInfo, at: Time) {
        let before = self.selected().cloned();
        self.workers = workers.workers;
        self.usage = workers.groups;
        self.rows = rows(&app.groups, &self.workers);
        self.app = Some(app);
        self.looked = Some(at);
        let place = before.and_then(|row| self.place_of(&row));
        self.selected = place.unwrap_or(self.selected).min(self.rows.len().saturating_sub(1));
    }

    /// Where this row is now. A group that has one worker now has its row.
    fn place_of(&self, row: &Row) -> Option<usize> {
        let exact = self.rows.iter().position(|other| other == row);
        let group =
            || self.rows.iter().position(|other| other.group().is_some_and(|g| Some(g) == row.group()));
        exact.or_else(group)
    }

    pub(crate) fn selected(&self) -> Option<&Row> {
        self.rows.get(self.selected)
    }

    pub(crate) fn place(&self) -> usize {
        self.selected
    }

    /// Selects the row with this number, or the last.
    pub(crate) fn select(&mut self, place: usize) {
        self.selected = place.min(self.rows.len().saturating_sub(1));
    }

    /// The workers of a row.
    pub(crate) fn workers_of<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = &'a WorkerInfo> {
        self.workers.iter().filter(move |worker| match row {
            Row::All => true,
            Row::Group(group) => worker.group == *group,
            Row::Worker(name) => worker.name == *name,
        })
    }

    /// How many workers this group is to have.
    pub(crate) fn count(&self, group: &str) -> Option<u32> {
        let groups = &self.app.as_ref()?.groups;
        groups.iter().find(|other| other.name == group).map(|group| group.count)
    }

    /// What the runs of a row use together; none if it has no run.
    pub(crate) fn usage(&self, row: &Row) -> Option<UsageInfo> {
        match row {
            Row::Worker(_) => self.workers_of(row).next()?.usage.clone(),
            Row::Group(group) => {
                self.usage.iter().find(|other| other.name == *group).map(|group| group.usage.clone())
            }
            Row::All => {
                let mut all = UsageInfo::default();
                self.usage.iter().for_each(|group| all.add(&group.usage));
                (!self.usage.is_empty()).then_some(all)
            }
        }
    }

    /// How many of a row's workers run, and how many are to.
    pub(crate) fn up(&self, row: &Row) -> (usize, usize) {
        let is_up = |worker: &&WorkerInfo| worker.state == WorkerState::Running;
        let is_wanted = |worker: &&WorkerInfo| worker.wanted == WantedState::Up;
        (self.workers_of(row).filter(is_up).count(), self.workers_of(row).filter(is_wanted).count())
    }

    /// The state that matters most among a row's workers.
    pub(crate) fn worst(&self, row: &Row) -> Option<WorkerState> {
        self.workers_of(row).map(|worker| worker.state).max_by_key(|state| severity(*state))
    }
}

/// How much a state needs somebody.
fn severity(state: WorkerState) -> u8 {
    match state {
        WorkerState::Stopped => 0,
        WorkerState::Exited => 1,
        WorkerState::Running => 2,
        WorkerState::Stopping => 3,
        WorkerState::Starting => 4,
        WorkerState::Backoff => 5,
        WorkerState::Fatal => 6,
    }
}

/// All, then each group with its workers; a group of one is its worker.
fn rows(groups: &[GroupInfo], workers: &[WorkerInfo]) -> Vec<Row> {
    let mut rows = vec![Row::All];
    for group in groups {
        let mut of_group = workers.iter().filter(|worker| worker.group == group.name).peekable();
        let first = of_group.next();
        if first.is_none() || of_group.peek().is_some() {
            rows.push(Row::Group(group.name.clone()));
        }
        rows.extend(first.into_iter().chain(of_group).map(|worker| Row::Worker(worker.name.clone())));
    }
    // Those of a group that is gone, as long as they are.
    let is_known = |worker: &&WorkerInfo| groups.iter().any(|group| group.name == worker.group);
    rows.extend(
        workers.iter().filter(|worker| !is_known(worker)).map(|worker| Row::Worker(worker.name.clone())),
    );
    rows
}
