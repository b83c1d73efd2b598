//! When a change counts: as soon as nothing has changed any more for a while.
//!
//! 1. A change is told when none has come for the debounce, and at the latest [`LONGEST_WAIT`] after the first.
//! 2. What is told tells of all that changed since the last time: a burst is one.
//! 3. Who is told [`LOOP`] times in a row, each time [`SOON`] after the last, is probably told of what it does itself: it is told
//!    so, and then only each [`LONGEST_WAIT`], until there was peace for as long.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// So long changes may keep coming before they count.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// So many changes in a row are a loop …
pub(super) const LOOP: u32 = 10;
/// … if each comes so soon after the last was told.
pub(super) const SOON: Duration = Duration::from_secs(5);
/// So many files are told apart.
const FILES: usize = 1_000;

/// The changes of one group that were not told yet.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    debounce: Duration,
    open: Option<Open>,
    told: Option<Instant>,
    row: u32,
}

#[derive(Debug)]
struct Open {
    first: Instant,
    last: Instant,
    /// The first file; none if the kernel lost count.
    path: Option<PathBuf>,
    others: BTreeSet<PathBuf>,
}

/// Changes that count.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The first file; none if the kernel lost count.
    pub(super) path: Option<PathBuf>,
    /// How many others.
    pub(super) others: usize,
    /// It looks like a loop.
    pub(super) is_loop: bool,
}

impl Quiet {
    pub(super) fn set(&mut self, debounce: Duration) {
        self.debounce = debounce;
    }

    /// A file changed; none stands for any.
    pub(super) fn saw(&mut self, now: Instant, path: Option<&Path>) {
        let path = path.map(Path::to_owned);
        let Some(open) = &mut self.open else {
            self.open = Some(Open { first: now, last: now, path, others: BTreeSet::new() });
            return;
        };
        open.last = now;
        match path {
            Some(path) if open.path.as_ref() != Some(&path) && open.others.len() < FILES => {
                open.others.insert(path);
            }
            Some(_) | None => {}
        }
    }

    /// When it counts.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let open = self.open.as_ref()?;
        if self.row >= LOOP
            && let Some(told) = self.told
        {
            return Some((told + LONGEST_WAIT).max(open.last + self.debounce));
        }
        Some((open.last + self.debounce).min(open.first + LONGEST_WAIT.max(self.debounce)))
    }

    /// What counts now.
    pub(super) fn due(&mut self, now: Instant) -> Option<Due> {
        if self.due_at()? > now {
            return None;
        }
        let Open { first, path, others, .. } = self.open.take()?;
        let peace = if self.row >= LOOP { LONGEST_WAIT } else { SOON };
        let is_soon = self.told.is_some_and(|told| first.saturating_duration_since(told) < peace);
        self.row = if is_soon { self.row.saturating_add(1) } else { 0 };
        self.told = Some(now);
        Some(Due { path, others: others.len(), is_loop: self.row == LOOP })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBOUNCE: Duration = Duration::from_millis(200);
    const MS: Duration = Duration::from_millis(1);

    fn quiet() -> (Quiet, Instant) {
        let mut quiet = Quiet::default();
        quiet.set(DEBOUNCE);
        (quiet, Instant::now())
    }

    fn one(path: &str) -> Due {
        Due { path: Some(path.into()), others: 0, is_loop: false }
    }

    #[test]
    fn a_burst_counts_once_when_it_is_over() {
        let (mut quiet, now) = quiet();
        assert_eq!((quiet.due_at(), quiet.due(now)), (None, None));
        for (at, path) in [(0, "a"), (150, "b"), (300, "a"), (300, "b")] {
            quiet.saw(now + MS * at, Some(Path::new(path)));
            assert_eq!(quiet.due(now + MS * at), None);
        }
        assert_eq!(quiet.due_at(), Some(now + MS * 500));
        assert_eq!(quiet.due(now + MS * 499), None);
        assert_eq!(quiet.due(now + MS * 500), Some(Due { others: 1, ..one("a") }));
        assert_eq!((quiet.due_at(), quiet.due(now + MS * 500)), (None, None));
    }

    #[test]
    fn what_never_ends_counts_now_and_then() {
        let (mut quiet, now) = quiet();
        let mut at = now;
        while at < now + LONGEST_WAIT {
            quiet.saw(at, Some(Path::new("a")));
            assert_eq!(quiet.due(at), None);
            at += MS * 100;
        }
        assert_eq!(quiet.due(now + LONGEST_WAIT), Some(one("a")));
        // A debounce that is longer than that is kept to.
        quiet.set(LONGEST_WAIT * 2);
        quiet.saw(at, Some(Path::new("b")));
        assert_eq!(quiet.due_at(), Some(at + LONGEST_WAIT * 2));
    }

    #[test]
    fn more_files_than_are_told_apart_are_counted_no_further() {
        let (mut quiet, now) = quiet();
        (0..FILES + 9).for_each(|n| quiet.saw(now, Some(Path::new(&n.to_string()))));
        quiet.saw(now, None);
        assert_eq!(quiet.due(now + DEBOUNCE), Some(Due { others: FILES, ..one("0") }));
        quiet.saw(now, None);
        let lost = Due { path: None, others: 0, is_loop: false };
        assert_eq!(quiet.due(now + DEBOUNCE), Some(lost));
    }

    /// A worker that writes a file of its own as soon as it is started, so many times; how often that was called a loop.
    fn writes_itself(quiet: &mut Quiet, at: &mut Instant, times: u32) -> usize {
        let mut loops = 0;
        for _ in 0..times {
            quiet.saw(*at, Some(Path::new("a")));
            *at = quiet.due_at().unwrap();
            loops += usize::from(quiet.due(*at).unwrap().is_loop);
        }
        loops
    }

    #[test]
    fn who_is_told_of_what_it_does_itself_is_told_so_once_and_slowed_down() {
        let (mut quiet, mut at) = quiet();
        let begin = at;
        assert_eq!(writes_itself(&mut quiet, &mut at, LOOP), 0);
        assert_eq!(writes_itself(&mut quiet, &mut at, 1), 1);
        assert_eq!(at, begin + DEBOUNCE * (LOOP + 1));
        assert_eq!(writes_itself(&mut quiet, &mut at, 3), 0);
        assert_eq!(at, begin + DEBOUNCE * (LOOP + 1) + LONGEST_WAIT * 3);
        // Peace ends it.
        at += LONGEST_WAIT;
        assert_eq!(writes_itself(&mut quiet, &mut at, LOOP), 0);
    }

    #[test]
    fn who_saves_now_and_then_is_never_slowed_down() {
        let (mut quiet, mut at) = quiet();
        for _ in 0..LOOP * 3 {
            at += SOON;
            quiet.saw(at, Some(Path::new("a")));
            assert_eq!(quiet.due_at(), Some(at + DEBOUNCE));
            at += DEBOUNCE;
            assert_eq!(quiet.due(at), Some(one("a")));
        }
    }
}
