//! Random apps, and random changes of them.

use std::collections::BTreeMap;
use std::time::Duration;

use ganger_core::Random;
use ganger_spec::{
    Backoff, Budget, Check, Command, Condition, Early, Family, Group, OnEnd, OnExit, OnFatal, Probe,
    ProbeKind, Restart, RestartMode, Signal, Spec, Stop, StopScope,
};

/// The groups that an app may have, and the stop timeout of each.
const GROUPS: [(&str, u64); 3] = [("web", 3), ("worker", 5), ("clock", 1)];

/// A random app.
pub(crate) fn spec(random: &mut Random) -> Spec {
    let some = 1 + random.below(3);
    let groups = GROUPS.iter().take(usize::try_from(some).unwrap_or(1));
    Spec {
        app: "shop".to_owned(),
        root: "/srv/shop".into(),
        sources: Vec::new(),
        env: Vec::new(),
        groups: groups.map(|(name, timeout)| group(random, name, *timeout)).collect(),
        logs_max_total: None,
        forwards: Vec::new(),
        supervisor: None,
        overmind: None,
    }
}

/// The same app with something changed.
pub(crate) fn changed(random: &mut Random, old: &Spec) -> Spec {
    let mut spec = old.clone();
    let place = usize::try_from(random.below(spec.groups.len() as u64)).unwrap_or(0);
    match random.below(6) {
        0 => spec.groups[place].command = command(random),
        1 => spec.groups[place].restart = restart(random),
        2 => spec.groups[place].count = count(random),
        // What it depends on then may be gone: nobody waits for a group that is not there.
        4 => spec.groups[place].depends_on = depends_on(random, &spec.groups[place].name),
        3 if spec.groups.len() > 1 => {
            spec.groups.remove(place);
        }
        _ => {
            let missing = GROUPS.iter().find(|(name, _)| spec.groups.iter().all(|group| group.name != *name));
            match missing {
                Some((name, timeout)) => spec.groups.push(group(random, name, *timeout)),
                None => spec.groups[place].exits = exits(random),
            }
        }
    }
    spec
}

pub(crate) fn count(random: &mut Random) -> u32 {
    u32::try_from(random.below(4)).unwrap_or(0)
}

fn group(random: &mut Random, name: &str, timeout: u64) -> Group {
    Group {
        count: count(random),
        restart: restart(random),
        exits: exits(random),
        on_end: match random.below(32) {
            0 | 1 => OnEnd::Shutdown,
            2 => OnEnd::Failure,
            _ => OnEnd::Stay,
        },
        on_fatal: if random.below(16) == 0 { OnFatal::Shutdown } else { OnFatal::Stay },
        readiness: (random.below(3) == 0).then(|| probe(random, ProbeKind::Readiness)),
        liveness: (random.below(4) == 0).then(|| probe(random, ProbeKind::Liveness)),
        depends_on: depends_on(random, name),
        stop: Stop {
            signal: Signal::TERM,
            timeout: Duration::from_secs(timeout),
            scope: if random.below(3) == 0 { StopScope::Main } else { StopScope::Tree },
        },
        autostart: random.below(6) != 0,
        priority: i32::try_from(random.below(3)).unwrap_or(0),
        family: (random.below(4) == 0).then(|| Family {
            name: "family".to_owned(),
            priority: i32::try_from(random.below(3)).unwrap_or(0),
        }),
        ..Group::new(name, command(random), "/srv/shop")
    }
}

/// Each group may wait for those that come after it in the list: so there is no circle.
fn depends_on(random: &mut Random, name: &str) -> BTreeMap<String, Condition> {
    let later = GROUPS.iter().skip_while(|(other, _)| *other != name).skip(1);
    let mut waits = BTreeMap::new();
    for (other, _) in later {
        match random.below(8) {
            0 => waits.insert((*other).to_owned(), Condition::Started),
            1 => waits.insert((*other).to_owned(), Condition::Ready),
            2 if random.below(3) == 0 => waits.insert((*other).to_owned(), Condition::Completed),
            _ => None,
        };
    }
    waits
}

fn probe(random: &mut Random, kind: ProbeKind) -> Probe {
    let mut some = |most: u64| 1 + u32::try_from(random.below(most)).unwrap_or(0);
    let (failures, successes) = (some(3), some(2));
    Probe { failures, successes, ..Probe::new(kind, Check::Tcp { host: None, port: None }) }
}

fn command(random: &mut Random) -> Command {
    Command::Line(format!("serve {}", random.below(1_000_000)))
}

fn restart(random: &mut Random) -> Restart {
    let mode = match random.below(5) {
        0 => RestartMode::Never,
        1 => RestartMode::OnFailure,
        _ => RestartMode::Always,
    };
    let budget = (random.below(2) == 0).then(|| Budget {
        restarts: u32::try_from(random.below(5)).unwrap_or(0),
        within: Duration::from_secs(2 + random.below(60)),
    });
    Restart {
        mode,
        startsecs: Duration::from_secs(random.below(2)),
        backoff: Backoff {
            initial: Duration::from_millis(random.below(1_000)),
            factor_permille: 1_000 + u32::try_from(random.below(1_500)).unwrap_or(0),
            max: Duration::from_secs(8),
            step: Duration::from_millis(random.below(2) * random.below(1_000)),
            jitter_permille: u32::try_from(random.below(300)).unwrap_or(0),
        },
        budget,
        attempts: (random.below(3) == 0).then(|| 1 + u32::try_from(random.below(4)).unwrap_or(0)),
        early: if random.below(3) == 0 { Early::Retry } else { Early::Judge },
    }
}

fn exits(random: &mut Random) -> BTreeMap<u8, OnExit> {
    let mut exits = BTreeMap::new();
    for code in 0..4 {
        match random.below(10) {
            0 => exits.insert(code, OnExit::Stop),
            1 => exits.insert(code, OnExit::Restart),
            2 => exits.insert(code, OnExit::Fatal),
            _ => None,
        };
    }
    exits
}
