//! What a forwarder has done, for those who ask.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ganger_api::{ForwardInfo, ForwardState};
use ganger_logs::Store;
use ganger_spec::Forward;

/// Counts since the overseer started.
#[derive(Default)]
pub(super) struct Status(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    lines: u64,
    bytes: u64,
    dropped: u64,
    /// Why the target takes nothing, if it does not.
    trouble: Option<String>,
    /// Where it goes on in each log.
    positions: BTreeMap<Arc<str>, u64>,
}

impl Status {
    /// Lines were sent; it goes on there.
    pub(super) fn sent<'a>(
        &self,
        (lines, bytes): (u64, u64),
        positions: impl Iterator<Item = (&'a Arc<str>, u64)>,
    ) {
        let mut counts = self.counts();
        counts.lines += lines;
        counts.bytes += bytes;
        for (log, position) in positions {
            match counts.positions.get_mut(log) {
                Some(known) => *known = position,
                None => {
                    counts.positions.insert(Arc::clone(log), position);
                }
            }
        }
    }

    /// The store had dropped so many bytes before they were sent.
    pub(super) fn dropped(&self, bytes: u64) {
        self.counts().dropped += bytes;
    }

    /// The target takes nothing, or takes again; says whether that is new.
    pub(super) fn trouble(&self, trouble: Option<String>) -> bool {
        let mut counts = self.counts();
        let is_new = counts.trouble.is_some() != trouble.is_some();
        counts.trouble = trouble;
        is_new
    }

    pub(super) fn info(&self, forward: &Forward, store: &Store) -> ForwardInfo {
        let counts = self.counts();
        let waiting = |(log, at): (&Arc<str>, &u64)| store.end(log).map_or(0, |end| end.saturating_sub(*at));
        ForwardInfo {
            name: forward.name.clone(),
            to: forward.to.to_string(),
            groups: forward.groups.clone(),
            state: if counts.trouble.is_some() { ForwardState::Failing } else { ForwardState::Up },
            why: counts.trouble.clone(),
            sent_lines: counts.lines,
            sent_bytes: counts.bytes,
            waiting_bytes: counts.positions.iter().map(waiting).sum(),
            dropped_bytes: counts.dropped,
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
