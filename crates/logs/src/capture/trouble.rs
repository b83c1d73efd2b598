//! Output that cannot be stored. A disk that is full is so for all logs: it is said once, and counted.

use std::time::SystemTime;

use rustix::io::Errno;

use super::Event;
use crate::Error;

/// What is wrong now, of all logs together.
#[derive(Default)]
pub(super) struct Trouble {
    since: Option<SystemTime>,
    /// What was said. There are not many kinds of errors.
    said: Vec<Errno>,
    /// How many logs it is, now and at any time.
    failing: usize,
    logs: usize,
    attempts: u64,
}

impl Trouble {
    /// A log could not be stored; `is_new` if it could before. Gives what is to be said of it.
    pub(super) fn met(&mut self, log: &str, error: &Error, is_new: bool) -> Option<Event> {
        let since = *self.since.get_or_insert_with(SystemTime::now);
        self.attempts += 1;
        if is_new {
            self.failing += 1;
            self.logs += 1;
        }
        let (path, errno) = super::place(error);
        if self.said.contains(&errno) {
            return None;
        }
        self.said.push(errno);
        Some(Event::Failed { log: log.to_owned(), path, errno, since })
    }

    /// A log that could not be stored is so again, or is there no more. Gives what is to be said of it.
    pub(super) fn over(&mut self) -> Option<Event> {
        self.failing = self.failing.saturating_sub(1);
        if self.failing > 0 {
            return None;
        }
        let Self { since, logs, attempts, .. } = std::mem::take(self);
        since.map(|since| Event::Recovered { since, logs, attempts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_logs_meet_is_said_once_and_its_end_with_how_much_it_was() {
        let mut trouble = Trouble::default();
        let error = |errno: Errno| Error::io("write", std::path::Path::new("/logs/web.1.log"), errno);
        let full = error(Errno::NOSPC);
        assert!(matches!(trouble.met("web.1", &full, true), Some(Event::Failed { errno: Errno::NOSPC, .. })));
        assert_eq!(trouble.met("web.2", &full, true), None);
        assert_eq!(trouble.met("web.1", &full, false), None);
        let event = trouble.met("web.2", &error(Errno::ROFS), false);
        assert!(matches!(event, Some(Event::Failed { errno: Errno::ROFS, .. })), "{event:?}");
        assert_eq!(trouble.over(), None);
        let event = trouble.over();
        assert!(matches!(event, Some(Event::Recovered { logs: 2, attempts: 4, .. })), "{event:?}");
        assert!(trouble.met("web.1", &full, true).is_some(), "the next time is another");
    }
}
