//! What the command line says of ends and stops: Foreman's rule, Overmind's exceptions, and the background, where the
//! end of a worker is never the app's.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::native::parse_duration;
use crate::problem::{Findings, Problem};
use crate::select::ALL;
use crate::suggest::hint_for;
use crate::wishes::Wishes;
use crate::{Options, RestartMode, Terminals};

/// How long a stop may take where nothing is said.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// What the command line says of ends and stops.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    /// The app runs without a terminal.
    background: bool,
    any_can_die: bool,
    can_die: Vec<String>,
    auto_restart: Vec<String>,
    /// The groups that others wait for to be completed.
    completed: BTreeSet<String>,
    /// How long a stop may take, for groups that do not say it.
    pub(crate) timeout: Option<Duration>,
    /// Which workers have a terminal.
    pub(crate) terminals: Terminals,
}

impl Policy {
    pub(crate) fn of(
        options: &Options,
        wishes: &Wishes,
        groups: &[&str],
        completed: &BTreeSet<&str>,
        findings: &mut Findings,
    ) -> Self {
        let mut names = |flag, text: &Option<String>| match text {
            Some(text) => list(flag, text, groups, options.again || options.overmind.is_some(), findings),
            None => Vec::new(),
        };
        let can_die = names("--can-die", &options.can_die);
        let auto_restart = names("--auto-restart", &options.auto_restart);
        for name in can_die.iter().filter(|name| auto_restart.contains(name)) {
            let message = format!("`{name}` is in --can-die and in --auto-restart");
            let hint = "a group that is restarted whenever it ends does not die: leave it out of one of them";
            findings.error(Problem::new(message).hinted(hint));
        }
        let timeout = wishes.timeout.as_ref().and_then(|wish| {
            findings.take(parse_duration(wish.value.trim()).map_err(|message| {
                wish.place.problem(&message).hinted("write seconds, or a duration such as `1m30s`")
            }))
        });
        Self {
            background: options.background,
            any_can_die: options.any_can_die,
            can_die,
            auto_restart,
            completed: completed.iter().map(|name| (*name).to_owned()).collect(),
            timeout,
            terminals: options.terminals,
        }
    }

    /// Whether the end of this group is not the app's: in the background none is.
    pub(crate) fn outlives(&self, group: &str) -> bool {
        self.background || self.can_die(group)
    }

    /// Which ends of this group are followed by a restart where its table does not say it. Who is to be completed is left
    /// alone when it is; who is watched is watched to be started anew.
    pub(crate) fn usual_restart(&self, group: &str, is_watched: bool) -> RestartMode {
        match (self.background && !self.can_die(group), self.completes(group)) {
            (true, false) => RestartMode::Always,
            (true, true) => RestartMode::OnFailure,
            (false, _) if is_watched => RestartMode::OnFailure,
            (false, _) => RestartMode::Never,
        }
    }

    /// Whether others wait for this group to be completed.
    pub(crate) fn completes(&self, group: &str) -> bool {
        self.completed.contains(group)
    }

    fn can_die(&self, group: &str) -> bool {
        self.any_can_die || self.can_die.iter().any(|name| name == ALL || name == group)
    }

    /// Whether this group is restarted whenever it ends; `--can-die web` excepts `web` from `--auto-restart all`.
    pub(crate) fn auto_restarts(&self, group: &str) -> bool {
        let named = self.auto_restart.iter().any(|name| name == group);
        let all = self.auto_restart.iter().any(|name| name == ALL);
        named || (all && !self.can_die.iter().any(|name| name == group))
    }
}

/// The names of a comma list, each of them a group or `all`.
fn list(flag: &str, text: &str, groups: &[&str], again: bool, findings: &mut Findings) -> Vec<String> {
    let mut names = Vec::new();
    for name in text.split(',').map(str::trim) {
        if name.is_empty() {
            let problem = Problem::new(format!("{flag}: there is an empty name in `{text}`"));
            findings.error(problem.hinted("write `web,worker`, or `all`"));
        } else if name != ALL && !groups.contains(&name) {
            let problem = Problem::new(format!("{flag}: no group `{name}`"));
            findings.no_group(again, problem.maybe_hinted(hint_for(name, groups.iter().copied())));
        } else {
            names.push(name.to_owned());
        }
    }
    names
}
