//! Which groups wait for which: names that are none, and circles.

use std::collections::{BTreeMap, BTreeSet};

use crate::problem::{Findings, Problem};
use crate::suggest::hint_for;
use crate::{Condition, Group, Spec};

impl Group {
    /// The groups that it waits for, and until when.
    pub fn dependencies(&self) -> impl Iterator<Item = (&str, Condition)> {
        self.depends_on.iter().map(|(name, condition)| (name.as_str(), *condition))
    }
}

impl Spec {
    /// How many groups, one after the other, wait for each: 0 where nobody does. A shutdown stops those of 0 first.
    ///
    /// In a circle, which no checked spec has, nobody waits.
    pub fn depths(&self) -> BTreeMap<&str, i32> {
        let mut depths: BTreeMap<&str, i32> =
            self.groups.iter().map(|group| (group.name.as_str(), 0)).collect();
        let groups = by_name(&self.groups);
        let mut waiting = sources(&self.groups);
        // Who nobody waits for is done; what it waits for is one deeper, and is done when all that wait for it are.
        let mut done: Vec<&str> = depths.keys().copied().filter(|name| !waiting.contains_key(name)).collect();
        while let Some(name) = done.pop() {
            let depth = depths.get(name).copied().unwrap_or(0);
            for (dependency, _) in groups.get(name).into_iter().flat_map(|group| group.dependencies()) {
                let Some(dependents) = waiting.get_mut(dependency) else { continue };
                dependents.remove(name);
                if let Some(known) = depths.get_mut(dependency) {
                    *known = (*known).max(depth + 1);
                }
                if dependents.is_empty()
                    && let Some((known, _)) = waiting.remove_entry(dependency)
                {
                    done.push(known);
                }
            }
        }
        for name in waiting.keys() {
            depths.insert(name, 0);
        }
        depths
    }
}

fn by_name(groups: &[Group]) -> BTreeMap<&str, &Group> {
    groups.iter().map(|group| (group.name.as_str(), group)).collect()
}

/// For each group that others wait for, these others.
fn sources(groups: &[Group]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut sources: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for group in groups {
        for (name, _) in group.dependencies() {
            sources.entry(name).or_default().insert(&group.name);
        }
    }
    sources
}

/// The names with all that they wait for, and what that waits for.
pub(crate) fn with_dependencies(groups: &[Group], names: BTreeSet<String>) -> BTreeSet<String> {
    let groups = by_name(groups);
    let mut all = names.clone();
    let mut left: Vec<String> = names.into_iter().collect();
    while let Some(name) = left.pop() {
        for (dependency, _) in groups.get(name.as_str()).into_iter().flat_map(|group| group.dependencies()) {
            if all.insert(dependency.to_owned()) {
                left.push(dependency.to_owned());
            }
        }
    }
    all
}

/// Tells of dependencies that can never be met. `place` is where a group says that it waits for another.
pub(crate) fn check(groups: &[Group], place: impl Fn(&str, &str) -> Problem, findings: &mut Findings) {
    let told = |group: &str, other: &str, message: String| Problem { message, ..place(group, other) };
    let names = by_name(groups);
    for group in groups {
        for (name, condition) in group.dependencies() {
            let others = names.keys().copied().filter(|other| *other != group.name);
            match names.get(name) {
                None => {
                    let message = format!("`{}` waits for `{name}`, and there is no such group", group.name);
                    findings.error(told(&group.name, name, message).maybe_hinted(hint_for(name, others)));
                }
                Some(other) if condition == Condition::Completed && never_ends(other) => {
                    let message = format!(
                        "`{}` waits for `{name}` to be completed, and that is started again whenever it ends",
                        group.name
                    );
                    let hint = match other.supervisor {
                        None => format!("let `{name}` have `restart = \"on-failure\"` or `\"never\"`"),
                        Some(_) => {
                            format!("let `{name}` have `autorestart=unexpected` or `autorestart=false`")
                        }
                    };
                    findings.error(told(&group.name, name, message).hinted(hint));
                }
                Some(_) => {}
            }
        }
    }
    if let Some(circle) = circle(groups) {
        let [first, second] = [circle[0], circle.get(1).copied().unwrap_or(circle[0])];
        let others: Vec<String> =
            circle.iter().skip(1).chain(&circle[..1]).map(|name| format!("`{name}`")).collect();
        let message =
            format!("`{first}` waits for {}: none of them can start", others.join(", which waits for "));
        let hint = "leave one of these dependencies out";
        findings.error(told(first, second, message).hinted(hint));
    }
}

/// Whether no end of its workers can be one for good.
fn never_ends(group: &Group) -> bool {
    let stops = group.exits.get(&0).is_some_and(|meaning| *meaning == crate::OnExit::Stop);
    group.restart.mode == crate::RestartMode::Always && !stops
}

/// Groups of which each waits for the next and the last for the first.
fn circle(groups: &[Group]) -> Option<Vec<&str>> {
    let names = by_name(groups);
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for group in groups {
        let mut path: Vec<(&str, Vec<&str>)> = vec![(&group.name, known(group, &names))];
        while let Some((name, left)) = path.last_mut() {
            let name = *name;
            match left.pop() {
                None => {
                    done.insert(name);
                    path.pop();
                }
                Some(next) if done.contains(next) => {}
                Some(next) => {
                    if let Some(at) = path.iter().position(|(on_path, _)| *on_path == next) {
                        return Some(path[at..].iter().map(|(name, _)| *name).collect());
                    }
                    let (next, group) = names.get_key_value(next)?;
                    path.push((next, known(group, &names)));
                }
            }
        }
    }
    None
}

/// What a group waits for, of all that there are.
fn known<'a>(group: &'a Group, names: &BTreeMap<&'a str, &'a Group>) -> Vec<&'a str> {
    group.dependencies().map(|(name, _)| name).filter(|name| names.contains_key(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Command;

    fn groups(of: &[(&str, &[&str])]) -> Vec<Group> {
        let group = |(name, waits): &(&str, &[&str])| {
            let mut group = Group::new(*name, Command::Line("x".to_owned()), "/");
            group.depends_on = waits.iter().map(|name| ((*name).to_owned(), Condition::Ready)).collect();
            group
        };
        of.iter().map(group).collect()
    }

    fn told(of: &[(&str, &[&str])]) -> Vec<String> {
        let mut findings = Findings::default();
        check(&groups(of), |_, _| Problem::new(""), &mut findings);
        match findings.finish() {
            Ok(_) => Vec::new(),
            Err(error) => error.problems().iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_circle_is_told_once_however_long_it_is() {
        assert_eq!(told(&[("web", &["db", "cache"]), ("db", &[]), ("cache", &["db"])]), [""; 0]);
        assert_eq!(told(&[("web", &["web"])]), ["`web` waits for `web`: none of them can start"]);
        let three: [(&str, &[&str]); 4] = [("x", &["a"]), ("a", &["b"]), ("b", &["c"]), ("c", &["a"])];
        let message = "`a` waits for `b`, which waits for `c`, which waits for `a`: none of them can start";
        assert_eq!(told(&three), [message]);
        let long: Vec<String> = (0..5_000).map(|number| format!("g{number}")).collect();
        let next: Vec<[&str; 1]> = (0..5_000).map(|at| [long[(at + 1) % 5_000].as_str()]).collect();
        let ring: Vec<(&str, &[&str])> =
            long.iter().zip(&next).map(|(name, next)| (name.as_str(), next.as_slice())).collect();
        assert_eq!(told(&ring).len(), 1);
        assert!(told(&ring[..4_999]).iter().all(|message| message.contains("no such group")));
    }

    #[test]
    fn an_unknown_group_is_told() {
        assert_eq!(
            told(&[("web", &["bd"]), ("db", &[])]),
            ["`web` waits for `bd`, and there is no such group"]
        );
    }

    #[test]
    fn what_is_waited_for_lies_deeper_than_all_that_wait_for_it() {
        let spec = |of: &[(&str, &[&str])]| Spec {
            app: String::new(),
            root: "/".into(),
            sources: Vec::new(),
            env: Vec::new(),
            groups: groups(of),
            logs_max_total: None,
            forwards: Vec::new(),
            supervisor: None,
            overmind: None,
        };
        let depths = |of: &[(&str, &[&str])]| -> Vec<i32> {
            let spec = spec(of);
            let depths = spec.depths();
            spec.groups.iter().map(|group| depths[group.name.as_str()]).collect()
        };
        assert_eq!(
            depths(&[("web", &["db", "cache"]), ("cache", &["db"]), ("db", &[]), ("x", &[])]),
            [0, 1, 2, 0]
        );
        assert_eq!(depths(&[("a", &["b"]), ("b", &["a"]), ("c", &["d"]), ("d", &[])]), [0, 0, 0, 1]);
    }
}
