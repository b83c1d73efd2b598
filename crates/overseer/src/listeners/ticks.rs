//! The events that tell that time passes.

use std::time::Duration;

/// The types and their periods in seconds.
const TICKS: [(&str, u64); 3] = [("TICK_5", 5), ("TICK_60", 60), ("TICK_3600", 3600)];

/// Which ticks were told. Time is the wall's: since 1970.
#[derive(Debug, Default)]
pub(crate) struct Ticks {
    last: Option<[u64; 3]>,
}

impl Ticks {
    /// The ticks that are due now.
    pub(crate) fn due(&mut self, now: Duration) -> Vec<(&'static str, String)> {
        let slices = TICKS.map(|(_, period)| now.as_secs() / period * period);
        // The first look begins the count.
        let last = self.last.replace(slices).unwrap_or(slices);
        let due = TICKS.iter().zip(slices).zip(last).filter(|((_, slice), last)| slice != last);
        due.map(|((tick, slice), _)| (tick.0, format!("when:{slice}"))).collect()
    }

    /// The count begins, if it has not.
    pub(crate) fn begin(&mut self, now: Duration) {
        if self.last.is_none() {
            self.due(now);
        }
    }

    /// How long until one is due that somebody listens to.
    pub(crate) fn next(now: Duration, is_heard: impl Fn(&str) -> bool) -> Option<Duration> {
        let (_, period) = TICKS.iter().find(|(name, _)| is_heard(name))?;
        Some(Duration::from_secs((now.as_secs() / period + 1) * period).saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_tick_is_due_once_when_its_period_begins() {
        let mut ticks = Ticks::default();
        assert_eq!(ticks.due(SECOND * 3603), []);
        assert_eq!(ticks.due(SECOND * 3604), []);
        assert_eq!(ticks.due(SECOND * 3605), [("TICK_5", "when:3605".to_owned())]);
        assert_eq!(ticks.due(SECOND * 3606), []);
        let all = [("TICK_5", "when:7200"), ("TICK_60", "when:7200"), ("TICK_3600", "when:7200")];
        assert_eq!(ticks.due(SECOND * 7200), all.map(|(name, text)| (name, text.to_owned())));
    }

    #[test]
    fn a_timer_is_armed_for_those_that_are_heard_alone() {
        let now = Duration::from_millis(3_603_500);
        assert_eq!(Ticks::next(now, |_| false), None);
        assert_eq!(Ticks::next(now, |_| true), Some(Duration::from_millis(1_500)));
        assert_eq!(Ticks::next(now, |name| name == "TICK_60"), Some(Duration::from_millis(56_500)));
        assert_eq!(Ticks::next(SECOND * 3605, |name| name == "TICK_5"), Some(SECOND * 5));
    }
}
