//! What a new spec changes of an old one: the plan of a reload.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Group, Port, ProbeKind, Spec, Variable};

/// What becomes of one group. Prints as one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which group.
    pub group: String,
    /// What becomes of it.
    pub kind: ChangeKind,
}

/// What becomes of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It is new.
    Added {
        /// Its workers.
        count: u32,
    },
    /// It is no more: its workers stop.
    Removed,
    /// It is another.
    Changed {
        /// In what.
        fields: Vec<Field>,
        /// Its old and new count, if that changed.
        count: Option<(u32, u32)>,
    },
}

/// What can change of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// What each worker executes.
    Command,
    /// The variables, the app's included.
    Env,
    /// The ports.
    Port,
    /// The directory.
    Dir,
    /// The user.
    User,
    /// The user group.
    Group,
    /// The file mode mask.
    Umask,
    /// The resource limits.
    Limits,
    /// The restart policy.
    Restart,
    /// The meaning of exit codes.
    Exits,
    /// What an end does to the app.
    OnEnd,
    /// How a worker is stopped.
    Stop,
    /// How output is kept.
    Logs,
    /// How many workers.
    Count,
    /// The priority, the group's or its family's.
    Priority,
    /// Whether workers start with the app.
    Autostart,
    /// What a worker reads.
    Stdin,
    /// Whether a worker has a terminal.
    Tty,
    /// What differs from worker to worker.
    Each,
    /// The readiness probe, or the liveness probe.
    Probes,
    /// Which groups it waits for.
    DependsOn,
    /// What a worker that was given up does to the app.
    OnFatal,
    /// How much memory a worker may take.
    MaxMemory,
    /// Which files it is watched for.
    Watch,
    /// What only supervisord's surfaces know.
    Supervisor,
}

impl Field {
    /// Whether a running worker must be restarted for it; if not, only the policy changes.
    pub fn restarts(self) -> bool {
        match self {
            Self::Command
            | Self::Env
            | Self::Port
            | Self::Dir
            | Self::User
            | Self::Group
            | Self::Umask
            | Self::Limits
            | Self::Stdin
            | Self::Tty
            | Self::Each => true,
            Self::Restart
            | Self::Exits
            | Self::OnEnd
            | Self::Stop
            | Self::Logs
            | Self::Count
            | Self::Priority
            | Self::Autostart
            | Self::Probes
            | Self::DependsOn
            | Self::OnFatal
            | Self::MaxMemory
            | Self::Watch
            | Self::Supervisor => false,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Command => "command",
            Self::Env => "env",
            Self::Port => "port",
            Self::Dir => "dir",
            Self::User => "user",
            Self::Group => "group",
            Self::Umask => "umask",
            Self::Limits => "limits",
            Self::Restart => "restart",
            Self::Exits => "exits",
            Self::OnEnd => "on_end",
            Self::Stop => "stop",
            Self::Logs => "logs",
            Self::Count => "count",
            Self::Priority => "priority",
            Self::Autostart => "autostart",
            Self::Stdin => "stdin",
            Self::Tty => "tty",
            Self::Each => "names",
            Self::Probes => "probes",
            Self::DependsOn => "depends_on",
            Self::OnFatal => "on_fatal",
            Self::MaxMemory => "max_memory",
            Self::Watch => "watch",
            Self::Supervisor => "supervisor",
        })
    }
}

impl Change {
    /// Whether running workers of the group must be restarted.
    pub fn restarts(&self) -> bool {
        match &self.kind {
            ChangeKind::Added { .. } | ChangeKind::Removed => false,
            ChangeKind::Changed { fields, .. } => fields.iter().any(|field| field.restarts()),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.group)?;
        let (fields, count) = match &self.kind {
            ChangeKind::Added { count: 1 } => return f.write_str("added, 1 worker"),
            ChangeKind::Added { count } => return write!(f, "added, {count} workers"),
            ChangeKind::Removed => return f.write_str("removed"),
            ChangeKind::Changed { fields, count } => (fields, count),
        };
        let mut parts: Vec<String> = Vec::new();
        let words: Vec<String> =
            fields.iter().filter(|field| **field != Field::Count).map(Field::to_string).collect();
        if !words.is_empty() {
            let effect = if self.restarts() { "its workers restart" } else { "no restart" };
            parts.push(format!("{} changed, {effect}", words.join(", ")));
        }
        if let Some((from, to)) = count {
            parts.push(format!("count from {from} to {to}"));
        }
        f.write_str(&parts.join("; "))
    }
}

impl Spec {
    /// What the new spec changes: groups of the new one in their order, then those that are no more.
    pub fn changes(old: &Self, new: &Self) -> Vec<Change> {
        let in_new = new.groups.iter().filter_map(|group| match old.group(&group.name) {
            None => Some((group, ChangeKind::Added { count: group.count })),
            Some(before) => {
                let fields = changed_fields((old, before), (new, group));
                let count = (before.count != group.count).then_some((before.count, group.count));
                (!fields.is_empty()).then_some((group, ChangeKind::Changed { fields, count }))
            }
        });
        let gone = old.groups.iter().filter(|group| new.group(&group.name).is_none());
        in_new
            .chain(gone.map(|group| (group, ChangeKind::Removed)))
            .map(|(group, kind)| Change { group: group.name.clone(), kind })
            .collect()
    }
}

fn changed_fields((old, before): (&Spec, &Group), (new, after): (&Spec, &Group)) -> Vec<Field> {
    let compared = [
        (Field::Command, before.command.argv() != after.command.argv()),
        (Field::Env, values(&old.env, &before.env) != values(&new.env, &after.env)),
        (Field::Port, ports(before) != ports(after)),
        (Field::Dir, before.dir != after.dir),
        (Field::User, before.user != after.user),
        (Field::Group, before.group != after.group),
        (Field::Umask, before.umask != after.umask),
        (Field::Limits, before.limits != after.limits),
        (Field::Restart, before.restart != after.restart),
        (Field::Exits, before.exits != after.exits),
        (Field::OnEnd, before.on_end != after.on_end),
        (Field::Stop, before.stop != after.stop),
        (Field::Logs, before.logs != after.logs),
        (Field::Count, before.count != after.count),
        (Field::Priority, (before.priority, &before.family) != (after.priority, &after.family)),
        (Field::Autostart, before.autostart != after.autostart),
        (Field::Stdin, before.stdin != after.stdin),
        (Field::Probes, !asks_as(before, after)),
        (Field::DependsOn, before.depends_on != after.depends_on),
        (Field::OnFatal, before.on_fatal != after.on_fatal),
        (Field::MaxMemory, before.max_memory != after.max_memory),
        (Field::Watch, before.watch != after.watch),
        (Field::Tty, before.tty != after.tty),
        (Field::Each, !before.each.runs_as(&after.each)),
        (Field::Supervisor, before.supervisor != after.supervisor),
    ];
    compared.into_iter().filter_map(|(field, changed)| changed.then_some(field)).collect()
}

/// Whether workers are asked the same.
fn asks_as(before: &Group, after: &Group) -> bool {
    let is_same = |kind| before.probe(kind) == after.probe(kind) && before.each.asks_as(&after.each, kind);
    is_same(ProbeKind::Readiness) && is_same(ProbeKind::Liveness)
}

/// What a worker sees: a variable that only moved to another line or file is the same.
fn values<'a>(app: &'a [Variable], group: &'a [Variable]) -> BTreeMap<&'a str, &'a str> {
    app.iter().chain(group).map(|variable| (variable.name.as_str(), variable.value.as_str())).collect()
}

/// The first port and the step to the next.
fn ports(group: &Group) -> Option<(u32, u32)> {
    match group.port {
        Port::Auto(first) => Some((first, group.port_step)),
        Port::Fixed(first) => Some((u32::from(first), group.port_step)),
        Port::None => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Options, load};

    fn spec(dir: &tempfile::TempDir, procfile: &str, native: &str, env: &str) -> Spec {
        for (name, text) in [("Procfile", procfile), ("ganger.toml", native), (".env", env)] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        load(&Options { dir: dir.path().to_owned(), ..Options::default() }).unwrap().spec
    }

    const PROCFILE: &str = "web: bin/web\njob: bin/job\n";

    /// The plan of a reload from the plain app to this one, a line each, and whether each restarts workers.
    fn plan(procfile: &str, native: &str, env: &str) -> Vec<(String, bool)> {
        let dir = tempfile::tempdir().unwrap();
        let old = spec(&dir, PROCFILE, "", "A=1\n");
        let changes = Spec::changes(&old, &spec(&dir, procfile, native, env));
        let json = serde_json::to_string(&changes).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Change>>(&json).unwrap(), changes);
        changes.iter().map(|change| (change.to_string(), change.restarts())).collect()
    }

    fn of_web(native: &str) -> (String, bool) {
        let native = format!("[groups.web]\n{native}");
        let changes = plan(PROCFILE, &native, "A=1\n");
        assert_eq!(changes.len(), 1, "{native}");
        changes[0].clone()
    }

    #[test]
    fn what_is_only_written_otherwise_changes_nothing() {
        assert_eq!(plan("# a comment\n\nweb:  bin/web\njob: bin/job\n", "", "# moved\nA='1'\n"), []);
        assert_eq!(plan(PROCFILE, "[groups.web]\ncommand = ['bin/web']\nport = 5000\n", "A=1"), []);
    }

    #[test]
    fn what_a_run_is_made_of_restarts_workers() {
        for (native, word) in [
            ("command = 'bin/other'", "command"),
            ("env.B = 1", "env"),
            ("port = false", "port"),
            ("dir = 'x'", "dir"),
            ("user = 'x'", "user"),
            ("group = 'x'", "group"),
            ("umask = '022'", "umask"),
            ("limits.core = 0", "limits"),
            ("stdin = 'pipe'", "stdin"),
            ("tty = true", "tty"),
        ] {
            assert_eq!(of_web(native), (format!("web: {word} changed, its workers restart"), true));
        }
    }

    #[test]
    fn a_policy_changes_without_a_restart() {
        for (native, words) in [
            ("restart = 'always'\nstartsecs = 0", "restart, on_end"),
            ("exits.0 = 'stop'", "exits, on_end"),
            ("on_end = 'stay'", "on_end"),
            ("stop.timeout = 9", "stop"),
            ("logs.keep = 9", "logs"),
            ("priority = 1", "priority"),
            ("autostart = false", "autostart"),
            ("readiness.tcp = true", "probes"),
            ("depends_on = ['job']", "depends_on"),
            ("on_fatal = 'shutdown'", "on_fatal"),
            ("watch = ['app']", "on_end, watch"),
        ] {
            assert_eq!(of_web(native), (format!("web: {words} changed, no restart"), false));
        }
        assert_eq!(of_web("count = 3"), ("web: count from 1 to 3".to_owned(), false));
        let both = "web: umask, stop changed, its workers restart; count from 1 to 0";
        assert_eq!(of_web("umask = '022'\nstop.signal = 'INT'\ncount = 0"), (both.to_owned(), true));
    }

    #[test]
    fn groups_come_go_and_move() {
        let lines =
            |changes: Vec<(String, bool)>| changes.into_iter().map(|(line, _)| line).collect::<Vec<_>>();
        let changes = plan("job: bin/job\nnew: bin/new\n", "[groups.new]\ncount = 2\n", "A=1");
        assert_eq!(
            lines(changes),
            ["job: port changed, its workers restart", "new: added, 2 workers", "web: removed"]
        );
        let changes = plan("web: bin/web\njob: bin/job\nnew: x\n", "", "A=2");
        let expected = [
            "web: env changed, its workers restart",
            "job: env changed, its workers restart",
            "new: added, 1 worker",
        ];
        assert_eq!(lines(changes), expected);
    }
}
