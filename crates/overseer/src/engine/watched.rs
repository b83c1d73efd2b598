//! What follows when files change that groups are watched for.

use ganger_core::{Command, Input, State, Wanted, WorkerView};
use ganger_spec::WorkerName;

use super::Engine;
use crate::commands::Owed;
use crate::watch::Seen;

impl Engine {
    /// Watches the files that the release in force says.
    pub(super) fn keep_files(&mut self) {
        self.files.keep(&self.spec());
    }

    pub(super) fn saw(&mut self, seen: Seen) {
        match seen {
            Seen::Watches { directories, groups } => {
                let of = if directories == 1 { "directory" } else { "directories" };
                self.narrator
                    .notice(format!("watches {directories} {of} for changes ({})", groups.join(", ")));
            }
            Seen::Changed { group, what } => self.changed(&group, &what),
            Seen::Trouble { text, hint } => {
                self.narrator.notice(text);
                if let Some(hint) = hint {
                    self.narrator.notice(format!("hint: {hint}"));
                }
            }
        }
    }

    /// Restarts the workers of a group, or sends them its signal. This is no wish of an operator's: what is to be down
    /// stays down.
    fn changed(&mut self, group: &str, what: &str) {
        let spec = self.spec();
        // The group may have gone since.
        let Some(watch) = spec.group(group).and_then(|group| group.watch.as_ref()) else { return };
        if self.core.shutting_down().is_some() {
            return;
        }
        let workers = self.core.workers().filter(|view| view.name.group == group);
        let command = match watch.signal {
            None => {
                let (restarted, rest): (Vec<_>, Vec<_>) = workers.partition(is_restarted);
                for view in &restarted {
                    self.narrator.show(&view.name, format!("restarts: {what}"));
                }
                Command::Refresh(
                    restarted.into_iter().chain(rest).map(|view| view.name).collect(),
                    what.into(),
                )
            }
            Some(signal) => {
                let running: Vec<WorkerName> =
                    workers.filter(|view| view.pid.is_some()).map(|view| view.name).collect();
                if !running.is_empty() {
                    self.narrator.notice(format!("{what}: {signal} sent to {group}"));
                }
                Command::Signal(running, signal)
            }
        };
        let id = self.owe(Owed::Nobody);
        self.decide(Input::Command { id, command });
    }
}

/// Whether a change ends this worker's run, or begins its next one: who waits for others, or stops already, goes on with that.
fn is_restarted(view: &WorkerView) -> bool {
    view.wanted == Wanted::Up && !matches!(view.state, State::Stopped | State::Stopping)
}
