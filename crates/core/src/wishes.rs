//! What operators asked for beside the files, and how long it holds.
//!
//! 1. In the foreground an app is started as its files say, each time: what operators asked for ends with it.
//! 2. In the background it holds until it is undone: over a restart of ganger, over a reboot, over a `quit`. A stop
//!    of the whole app says nothing of its workers: the next start brings up the same set.
//! 3. A count holds only while the files say what it was given instead of; a stopped worker stays stopped until it
//!    is started, or is no more.
//! 4. A group that does not start by itself is down after each start of the app, whatever was asked for before.
//! 5. An app in the background goes on when its workers have ended, and waits for commands. Neither the end of one
//!    worker nor the end of all ends it.

use std::collections::{BTreeMap, BTreeSet};

use ganger_spec::{Group, WorkerName};
use serde::{Deserialize, Serialize};

use crate::Core;
use crate::io::Wanted;

/// What operators asked for beside the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wishes {
    /// Counts of groups.
    pub counts: BTreeMap<String, WishedCount>,
    /// Workers that are to be down.
    pub stopped: BTreeSet<WorkerName>,
}

/// An operator's count of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WishedCount {
    /// The count.
    pub count: u32,
    /// The count of the files that it overrides.
    pub instead_of: u32,
}

impl Wishes {
    /// The count of a group under the release that says this of it.
    pub(crate) fn count(&self, group: &Group) -> u32 {
        let wished = self.counts.get(&group.name).filter(|wished| wished.instead_of == group.count);
        wished.map_or(group.count, |wished| wished.count)
    }
}

impl Core {
    /// The same decider, which knows what operators asked for before: its first release takes that into account.
    #[must_use]
    pub fn wishing(self, wishes: Wishes) -> Self {
        Self { wishes, ..self }
    }

    /// What operators ask for now. None before the first release, and while the app stops: that everything is to be
    /// down then is no wish of anybody.
    pub fn wishes(&self) -> Option<Wishes> {
        let release = self.release.as_ref().filter(|_| self.shutdown.is_none())?;
        let counts = release.spec.groups.iter().filter_map(|group| {
            let count = self.group_count(&group.name).filter(|count| *count != group.count)?;
            Some((group.name.clone(), WishedCount { count, instead_of: group.count }))
        });
        let starts = |name: &WorkerName| self.group(name).is_none_or(|group| group.autostart);
        let down = self.workers.iter().filter(|(name, worker)| worker.wanted == Wanted::Down && starts(name));
        Some(Wishes { counts: counts.collect(), stopped: down.map(|(name, _)| name.clone()).collect() })
    }
}
