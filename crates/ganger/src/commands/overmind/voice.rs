//! How Overmind says what happens.

use std::cell::RefCell;
use std::collections::BTreeSet;

use ganger_api::overmind::{bold, told};
use ganger_spec::{Overmind, OvermindListen};

/// Puts Overmind's words in place of ganger's.
pub(crate) struct Voice {
    is_bold: bool,
    /// Workers of which a run has ended: the next one is a restart.
    ended: RefCell<BTreeSet<String>>,
    /// Where commands are answered.
    pub(crate) listens_at: String,
}

impl Voice {
    pub(crate) fn new(overmind: &Overmind, is_bold: bool) -> Self {
        let listens_at = match &overmind.listen {
            OvermindListen::Unix(path) => path.display().to_string(),
            OvermindListen::Tcp(address) => address.clone(),
        };
        Self { is_bold, ended: RefCell::default(), listens_at }
    }

    /// A line of ganger's own as Overmind says it.
    pub(crate) fn say(&self, worker: Option<&str>, text: &str, ends_run: bool) -> String {
        let again = worker.is_some_and(|worker| self.ended.borrow().contains(worker));
        self.ended.borrow_mut().extend(worker.filter(|_| ends_run).map(str::to_owned));
        let text = told(text, again);
        if self.is_bold { bold(&text) } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_is_a_restart() {
        let listen = OvermindListen::Tcp(":4321".to_owned());
        let voice = Voice::new(&Overmind { listen, timestamps: false, groups: Vec::new() }, false);
        assert_eq!(voice.say(Some("web.1"), "started with pid 7", false), "Started with pid 7...");
        assert_eq!(voice.say(Some("web.1"), "exited with code 3", true), "Exited with code 3");
        assert_eq!(voice.say(Some("job.1"), "started with pid 8", false), "Started with pid 8...");
        assert_eq!(voice.say(Some("web.1"), "started with pid 9", false), "Restarted with pid 9...");
        assert_eq!(voice.say(None, "SIGINT received, stopping", false), "SIGINT received, stopping");
        assert_eq!(voice.listens_at, ":4321");
    }
}
