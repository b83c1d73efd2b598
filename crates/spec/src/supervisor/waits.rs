//! `depends_on`: which programs a program waits for, and until when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::file::family_of;
use super::ini::{Said, is_space};
use super::reader::{Names, Reader};
use super::value;
use crate::problem::Problem;
use crate::procfile::shown;
use crate::suggest::{hint_for, suggest};
use crate::{Condition, Group, depends};

/// So many pairs of programs that wait for each other are kept: a `[group:x]` can stand for many.
const MAX_WAITS: usize = 100_000;

/// What a program waits for, as it is written.
#[derive(Debug)]
pub(crate) struct Waits {
    said: Said,
    names: Vec<(String, Condition)>,
}

/// `db`, `db:started`, `db:ready` or `db:completed`.
fn wait(part: &str) -> Result<(String, Condition), (String, String)> {
    let (name, condition) = part.split_once(':').unwrap_or((part, "ready"));
    let (name, condition) = (name.trim_matches(is_space), condition.trim_matches(is_space).to_lowercase());
    let condition = match condition.as_str() {
        "started" => Condition::Started,
        "ready" => Condition::Ready,
        "completed" => Condition::Completed,
        _ => {
            let hint = suggest(&condition, ["started", "ready", "completed"]);
            let hint = hint.map(|near| format!("did you mean `{name}:{near}`?"));
            let usual = || {
                "known: started, ready, completed; it is programs that are named, not processes".to_owned()
            };
            let message = format!("{} is nothing that a program can be waited for to be", shown(&condition));
            return Err((message, hint.unwrap_or_else(usual)));
        }
    };
    if name.is_empty() {
        return Err((
            format!("{} names no program", shown(part)),
            "write `depends_on=db:ready,cache`".to_owned(),
        ));
    }
    Ok((name.to_owned(), condition))
}

impl Reader<'_> {
    /// Keeps what is said until all programs are known.
    pub(crate) fn waits_of(&mut self, section: &str, names: &Names, group: &str) {
        if section.starts_with("eventlistener:") {
            return;
        }
        let Some(said) = self.text(section, "depends_on", names) else { return };
        let mut waits: Vec<(String, Condition)> = Vec::new();
        for part in value::list(&said.text).iter().filter(|part| !part.is_empty()) {
            match wait(part) {
                Ok((name, _)) if waits.iter().any(|(known, _)| *known == name) => {
                    let problem = said.problem(format!("`depends_on` names {} twice", shown(&name)));
                    self.findings.error(problem.hinted("leave one of them"));
                }
                Ok(wait) => waits.push(wait),
                Err((message, hint)) => {
                    self.findings.error(said.problem(format!("`depends_on`: {message}")).hinted(hint));
                }
            }
        }
        self.waits.insert(group.to_owned(), Waits { said, names: waits });
    }

    /// The groups that each waits for: those of a program, or of all programs of a `[group:x]`.
    pub(crate) fn settle_waits(&mut self, groups: &mut [Group]) {
        let waits = std::mem::take(&mut self.waits);
        if waits.is_empty() {
            return;
        }
        let mut programs: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut families: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for group in groups.iter() {
            let program = group.supervisor.as_ref().map_or(&group.name, |own| &own.program);
            programs.entry(program.clone()).or_default().push(group.name.clone());
            families.entry(family_of(group)).or_default().push(group.name.clone());
        }
        let mut pairs = 0;
        for group in groups.iter_mut() {
            let Some(Waits { said, names }) = waits.get(&group.name) else { continue };
            for (name, condition) in names {
                let Some(found) = programs.get(name).or_else(|| families.get(name)) else {
                    let kinds = ["program", "fcgi-program", "eventlistener"];
                    if kinds.iter().any(|kind| self.ini.section(&format!("{kind}:{name}")).is_some()) {
                        // What is wrong with that one is told, and it has no process.
                        continue;
                    }
                    let known: BTreeSet<&str> =
                        programs.keys().chain(families.keys()).map(String::as_str).collect();
                    let hint = hint_for(name, known.iter().copied());
                    let problem = said
                        .problem(format!("`depends_on` names {}, and no such program is there", shown(name)));
                    self.findings.error(problem.maybe_hinted(hint));
                    continue;
                };
                pairs += found.len();
                if pairs > MAX_WAITS {
                    let message =
                        format!("`depends_on` has more than {MAX_WAITS} pairs of programs that wait");
                    let hint = "wait for one program that waits for the others";
                    return self.findings.error(said.problem(message).hinted(hint));
                }
                group.depends_on.extend(found.iter().map(|found| (found.clone(), *condition)));
            }
        }
        self.tell_of_short_ones(groups, &waits);
        let place = |group: &str, _: &str| {
            waits.get(group).map_or_else(|| Problem::new(""), |waits| waits.said.problem(""))
        };
        depends::check(groups, place, self.findings);
    }

    /// A program that is to do something and end is mostly faster than `startsecs`, and that is a failed start.
    fn tell_of_short_ones(&mut self, groups: &[Group], waits: &BTreeMap<String, Waits>) {
        let by_name: BTreeMap<&str, &Group> =
            groups.iter().map(|group| (group.name.as_str(), group)).collect();
        let mut told = BTreeSet::new();
        for group in groups {
            for (name, condition) in group.dependencies() {
                let Some(other) = by_name.get(name) else { continue };
                let startsecs = other.restart.startsecs;
                if condition != Condition::Completed || startsecs == Duration::ZERO || !told.insert(name) {
                    continue;
                }
                let Some(waits) = waits.get(&group.name) else { continue };
                let message = format!(
                    "`{name}` is waited for to be completed, and an end within its `startsecs` of {} s is a failed start",
                    startsecs.as_secs()
                );
                self.findings
                    .warn(waits.said.problem(message).hinted(format!("give `{name}` a line `startsecs=0`")));
            }
        }
    }
}
