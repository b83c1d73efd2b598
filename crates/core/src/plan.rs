//! What a reload would do: which workers run something else now, and what to tell about it.
//!
//! The settings of a group are of three kinds: what a run is **made of** (a change restarts its workers), its
//! **count**, and **policy** (a change is in force at once, and no worker notices). [`made_of`]
//! takes a group apart field by field, so that a new field does not compile before its kind is decided.

use std::collections::BTreeMap;
use std::fmt;

use ganger_spec::{Command, Group, Limit, LimitValue, Logs, Port, ProbeKind, Spec, Stdin, USUAL_PORT_STEP};

/// What a reload would do, a sentence each; none if it would do nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order of the spec; removed groups last.
    pub changes: Vec<String>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.changes.split_last() {
            None => f.write_str("nothing changes"),
            Some((last, others)) => {
                for change in others {
                    writeln!(f, "{change}")?;
                }
                f.write_str(last)
            }
        }
    }
}

/// The fingerprint of what a run of this group is made of. Equal runs have equal fingerprints, over overseers too.
pub(crate) fn made_of(spec: &Spec, group: &Group) -> u64 {
    let Group {
        name,
        command,
        count: _,
        port,
        port_step,
        env: _,
        dir,
        user,
        group: user_group,
        umask,
        limits,
        restart: _,
        exits: _,
        on_end: _,
        on_fatal: _,
        stop: _,
        logs: _,
        priority: _,
        family,
        autostart: _,
        stdin,
        readiness: _,
        liveness: _,
        depends_on: _,
        max_memory: _,
        watch: _,
        tty,
        each,
        supervisor: _,
    } = group;
    let mut print = Fingerprint::new();
    print.text(name);
    match command {
        Command::Line(line) => print.number(0).text(line),
        Command::Words(words) => words.iter().fold(print.number(1), |print, word| print.text(word)),
    };
    print.port(*port, *port_step);
    let environment = environment(spec, group);
    print.number(environment.len() as u64);
    for (name, value) in environment {
        print.text(name).text(value);
    }
    print.text(&dir.to_string_lossy());
    print.option(user.as_deref()).option(user_group.as_deref());
    print.number(umask.map_or(u64::MAX, u64::from));
    print.limits(limits);
    // What was not there when the first ledgers were written counts only where it is said.
    if let Some(family) = family {
        print.number(2).text(&family.name);
    }
    for number in (*stdin == Stdin::Pipe).then_some(3).into_iter().chain(tty.then_some(5)) {
        print.number(number);
    }
    for text in each.made_of() {
        print.number(4).text(&text);
    }
    print.0
}

/// What a reload from `old` to `new` would do, where operators have set `counts`.
pub(crate) fn plan(old: Option<&Spec>, new: &Spec, counts: &BTreeMap<String, u32>) -> Plan {
    let none = Vec::new();
    let before = old.map_or(&none, |old| &old.groups);
    let mut changes = Vec::new();
    for group in &new.groups {
        match old.zip(before.iter().find(|known| known.name == group.name)) {
            None => changes.push(format!("{}: new, {}", group.name, workers(group.count))),
            Some((old, known)) => changes.extend(differences(old, known, new, group, counts)),
        }
    }
    for group in before.iter().filter(|group| new.groups.iter().all(|kept| kept.name != group.name)) {
        changes.push(format!("{}: removed, {} stopped", group.name, workers(count(group, counts))));
    }
    if old.is_some_and(|old| old.logs_max_total != new.logs_max_total) {
        changes.push("logs: max_total changed, in force at once".to_owned());
    }
    Plan { changes }
}

/// The count after a reload: an operator's stays unless the spec's own changed.
pub(crate) fn count_after(old: Option<&Group>, new: &Group, present: Option<u32>) -> u32 {
    match (old, present) {
        (Some(old), Some(present)) if old.count == new.count => present,
        (Some(_) | None, Some(_) | None) => new.count,
    }
}

fn differences(
    old_spec: &Spec,
    old: &Group,
    new_spec: &Spec,
    new: &Group,
    counts: &BTreeMap<String, u32>,
) -> Vec<String> {
    let name = &new.name;
    let mut lines = Vec::new();
    let present = count(old, counts);
    let after = count_after(Some(old), new, Some(present));
    if made_of(old_spec, old) != made_of(new_spec, new) {
        let what = ingredients(old_spec, old, new_spec, new).join(", ");
        lines.push(format!("{name}: {what} changed, {} restarted if up", workers(present.min(after))));
    }
    if present != after {
        lines.push(format!("{name}: count {present} becomes {after}"));
    }
    let policies = policy(old, new).join(", ");
    if !policies.is_empty() {
        lines.push(format!("{name}: {policies} changed, in force at once"));
    }
    if old.logs.stderr != new.logs.stderr {
        lines.push(format!("{name}: logs.stderr changed, in force with the next start of each worker"));
    }
    lines
}

/// The names of what differs among that which runs are made of.
fn ingredients(old_spec: &Spec, old: &Group, new_spec: &Spec, new: &Group) -> Vec<String> {
    let (before, after) = (environment(old_spec, old), environment(new_spec, new));
    let mut names: Vec<&str> = before.keys().chain(after.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| before.get(name) != after.get(name));
    let variables = names.into_iter().map(|name| format!("${name}"));
    let fields = [
        ("command", old.command != new.command),
        ("port", old.port != new.port),
        ("dir", old.dir != new.dir),
        ("user", old.user != new.user),
        ("group", old.group != new.group),
        ("umask", old.umask != new.umask),
        ("limits", old.limits != new.limits),
        ("stdin", old.stdin != new.stdin),
        ("tty", old.tty != new.tty),
        ("names", old.each != new.each || family(old) != family(new)),
    ];
    fields
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| name.to_owned())
        .chain(variables)
        .collect()
}

/// The names of the policies that differ.
fn policy(old: &Group, new: &Group) -> Vec<&'static str> {
    let asks_as = |kind| old.probe(kind) == new.probe(kind) && old.each.asks_as(&new.each, kind);
    let fields = [
        ("restart", old.restart != new.restart),
        ("exits", old.exits != new.exits),
        ("on_end", old.on_end != new.on_end),
        ("on_fatal", old.on_fatal != new.on_fatal),
        ("readiness", !asks_as(ProbeKind::Readiness)),
        ("liveness", !asks_as(ProbeKind::Liveness)),
        ("depends_on", old.depends_on != new.depends_on),
        ("max_memory", old.max_memory != new.max_memory),
        ("watch", old.watch != new.watch),
        ("stop", old.stop != new.stop),
        ("logs", Logs { stderr: new.logs.stderr, ..old.logs.clone() } != new.logs),
        ("priority", (old.priority, old.family_priority()) != (new.priority, new.family_priority())),
        ("autostart", old.autostart != new.autostart),
        ("supervisor", old.supervisor != new.supervisor),
    ];
    fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

fn family(group: &Group) -> Option<&str> {
    group.family.as_ref().map(|family| family.name.as_str())
}

/// The variables of a group's workers: the last of a name counts.
fn environment<'a>(spec: &'a Spec, group: &'a Group) -> BTreeMap<&'a str, &'a str> {
    spec.env
        .iter()
        .chain(&group.env)
        .map(|variable| (variable.name.as_str(), variable.value.as_str()))
        .collect()
}

fn count(group: &Group, counts: &BTreeMap<String, u32>) -> u32 {
    counts.get(&group.name).copied().unwrap_or(group.count)
}

fn workers(count: u32) -> String {
    if count == 1 { "1 worker".to_owned() } else { format!("{count} workers") }
}

/// FNV-1a, written out because the fingerprint stands in the ledger and must mean the same in the next version.
struct Fingerprint(u64);

impl Fingerprint {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len() as u64).bytes(text.as_bytes())
    }

    fn port(&mut self, port: Port, step: u32) {
        match port {
            Port::Auto(port) => self.number(0).number(u64::from(port)),
            Port::Fixed(port) => self.number(1).number(u64::from(port)),
            Port::None => self.number(2),
        };
        if step != USUAL_PORT_STEP {
            self.number(5).number(u64::from(step));
        }
    }

    fn limits(&mut self, limits: &BTreeMap<Limit, LimitValue>) {
        for (limit, value) in limits {
            self.number(*limit as u64);
            self.number(value.soft.unwrap_or(u64::MAX)).number(value.hard.unwrap_or(u64::MAX));
        }
    }

    fn option(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.number(1).text(text),
            None => self.number(0),
        }
    }
}
