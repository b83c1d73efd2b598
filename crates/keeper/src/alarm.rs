//! Signals that were sent to the keeper: passed on to the overseer, and acted on if the overseer does not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::patience::Patience;

/// Signals that ask to stop: these must be acted on.
const STOPPING: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// What the keeper has to do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// When.
    pub(crate) at: Instant,
    /// For which signal.
    pub(crate) signal: i32,
    /// Without asking the runs first.
    pub(crate) kill: bool,
}

/// Signals that came and were not yet told, or not yet taken.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    /// A hang-up asks for no stop.
    background: bool,
    untold: BTreeSet<i32>,
    untaken: BTreeMap<i32, Instant>,
    hurry: bool,
}

impl Alarm {
    /// For an app in the background, or for one in a terminal, which stops when that is gone.
    pub(crate) fn new(background: bool) -> Self {
        Self { background, ..Self::default() }
    }

    /// A signal came.
    pub(crate) fn raise(&mut self, signal: i32, now: Instant) {
        self.untold.insert(signal);
        if signal == libc::SIGINT && self.untaken.contains_key(&signal) {
            self.hurry = true;
        }
        self.untaken.entry(signal).or_insert(now);
    }

    /// The overseer acts on it.
    pub(crate) fn taken(&mut self, signal: i32) {
        self.untaken.remove(&signal);
        self.hurry &= signal != libc::SIGINT;
    }

    /// What nobody has acted on.
    pub(crate) fn untaken(&self) -> Vec<i32> {
        self.untaken.keys().copied().collect()
    }

    /// Another overseer: it must be told again what the last one did not take.
    pub(crate) fn tell_again(&mut self) {
        self.untold.extend(self.untaken.keys());
    }

    /// The next signal to tell.
    pub(crate) fn next_untold(&mut self) -> Option<i32> {
        self.untold.pop_first()
    }

    /// When, and for which signal, the keeper stops the runs itself unless the overseer speaks up.
    pub(crate) fn due(&self, patience: &Patience) -> Option<Due> {
        let stops = |signal: i32| STOPPING.contains(&signal) && !(self.background && signal == libc::SIGHUP);
        let stopping = self.untaken.iter().filter(|(signal, _)| stops(**signal));
        let due = stopping.map(|(signal, since)| {
            let kill = self.hurry && *signal == libc::SIGINT;
            Due { at: *since + if kill { patience.hurried } else { patience.taken }, signal: *signal, kill }
        });
        due.min_by_key(|due| due.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_is_taken_is_due_no_more() {
        let (mut alarm, now) = (Alarm::default(), Instant::now());
        alarm.raise(libc::SIGTERM, now);
        assert_eq!(
            alarm.due(&Patience::default()),
            Some(Due { at: now + Patience::default().taken, signal: libc::SIGTERM, kill: false })
        );
        alarm.taken(libc::SIGTERM);
        assert_eq!(alarm.due(&Patience::default()), None);
    }

    #[test]
    fn a_second_interrupt_hurries() {
        let (mut alarm, now) = (Alarm::default(), Instant::now());
        alarm.raise(libc::SIGINT, now);
        alarm.raise(libc::SIGINT, now + Patience::default().hurried / 2);
        assert_eq!(
            alarm.due(&Patience::default()),
            Some(Due { at: now + Patience::default().hurried, signal: libc::SIGINT, kill: true })
        );
        alarm.taken(libc::SIGINT);
        alarm.raise(libc::SIGINT, now);
        assert_eq!(alarm.due(&Patience::default()).map(|due| due.kill), Some(false));
    }

    #[test]
    fn what_was_told_but_not_taken_is_told_to_the_next_overseer() {
        let (mut alarm, now) = (Alarm::default(), Instant::now());
        alarm.raise(libc::SIGTERM, now);
        alarm.raise(libc::SIGUSR1, now);
        assert_eq!((alarm.next_untold(), alarm.next_untold()), (Some(libc::SIGUSR1), Some(libc::SIGTERM)));
        alarm.taken(libc::SIGUSR1);
        alarm.tell_again();
        assert_eq!((alarm.next_untold(), alarm.next_untold()), (Some(libc::SIGTERM), None));
    }

    #[test]
    fn a_hang_up_stops_the_runs_of_a_terminal_and_no_others() {
        for background in [false, true] {
            let mut alarm = Alarm::new(background);
            alarm.raise(libc::SIGHUP, Instant::now());
            assert_eq!(alarm.due(&Patience::default()).is_none(), background);
        }
    }

    #[test]
    fn a_user_signal_never_stops_the_runs() {
        let mut alarm = Alarm::default();
        alarm.raise(libc::SIGUSR2, Instant::now());
        assert_eq!(alarm.due(&Patience::default()), None);
    }
}
