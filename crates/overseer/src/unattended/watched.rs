//! When a worker is looked at.

use std::time::Duration;

use ganger_core::{Instant, RunId};

use super::{LOOKS, QUIET, REST_MAX, REST_MIN};

/// A run with a terminal of which nobody was told.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) run: RunId,
    /// Where its log ended when it began, and ends now.
    begin: u64,
    end: u64,
    /// The last look, and how long none follows it.
    looked: Option<Instant>,
    rest: Duration,
    /// So many looks found nothing new.
    looks: u32,
    next: Option<Instant>,
}

impl Watched {
    pub(super) fn new(now: Instant, run: RunId, end: u64) -> Self {
        let next = Some(now.after(QUIET));
        Self { run, begin: end, end, looked: None, rest: Duration::ZERO, looks: 0, next }
    }

    /// When it is to be looked at, if nothing comes before.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Where the last byte is that the run showed, if it showed any.
    pub(super) fn last_byte(&self) -> Option<u64> {
        self.end.checked_sub(1).filter(|last| *last >= self.begin)
    }

    /// Its log ends here now.
    pub(super) fn hear(&mut self, now: Instant, end: u64) {
        if std::mem::replace(&mut self.end, end) != end {
            self.looks = 0;
            self.next = Some(now.after(QUIET));
        }
    }

    /// Whether it is to be looked at now that it has been quiet; if not, it will be.
    pub(super) fn is_due(&mut self, now: Instant, is_prompt: bool) -> bool {
        let rest = if is_prompt { REST_MIN } else { self.rest };
        let at = self.looked.map_or(now, |looked| looked.after(rest));
        self.next = Some(at);
        at <= now
    }

    /// It is looked at: the next look comes later.
    pub(super) fn look(&mut self, now: Instant) {
        self.looked = Some(now);
        self.looks += 1;
        self.rest = (self.rest * 2).clamp(REST_MIN, REST_MAX);
        self.next = (self.looks < LOOKS).then(|| now.after(self.rest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant(0).after(Duration::from_millis(millis))
    }

    /// The milliseconds at which a worker is looked at that shows a byte each `step` of them, `count` times.
    fn looks(step: u64, count: u64, is_prompt: bool) -> Vec<u64> {
        let mut watched = Watched::new(at(0), RunId(1), 0);
        let mut looks = Vec::new();
        for now in (0..300_000).step_by(50) {
            watched.hear(at(now), (now / step).min(count));
            if watched.next().is_some_and(|next| next <= at(now)) && watched.is_due(at(now), is_prompt) {
                watched.look(at(now));
                looks.push(now);
            }
        }
        assert_eq!(watched.next(), None, "in the end nothing is armed");
        looks
    }

    #[test]
    fn who_shows_nothing_is_looked_at_a_few_times_each_later_and_then_no_more() {
        assert_eq!(looks(1, 0, false), [500, 1500, 3500, 7500, 15_500]);
    }

    #[test]
    fn who_shows_something_is_looked_at_once_it_is_quiet() {
        assert_eq!(looks(100, 20, false)[0], 2500);
        assert_eq!(looks(100, 20, true)[0], 2500);
    }

    #[test]
    fn who_goes_on_is_looked_at_ever_less_often_but_soon_where_a_line_is_not_whole() {
        let lines = looks(1000, 60, false);
        assert!(lines.windows(2).skip(4).all(|pair| pair[1] - pair[0] >= 16_000), "{lines:?}");
        let parts = looks(1000, 60, true);
        assert!(parts.windows(2).take(50).all(|pair| pair[1] - pair[0] <= 1500), "{parts:?}");
    }

    #[test]
    fn only_what_the_run_showed_itself_is_its_last_byte() {
        let mut watched = Watched::new(at(0), RunId(1), 10);
        assert_eq!(watched.last_byte(), None);
        watched.hear(at(1), 12);
        assert_eq!(watched.last_byte(), Some(11));
    }
}
