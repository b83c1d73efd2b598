//! Which workers a word names: `web`, `web.1`, `w*`, `*.1`, `all`.

use crate::WorkerName;
use crate::suggest::{listed, suggest};

/// The word for every worker.
pub const ALL: &str = "all";

/// A word that names no group and no worker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no group or worker `{pattern}`")]
pub struct UnknownName {
    /// The word.
    pub pattern: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
    /// What there is, if nothing is near.
    known: String,
}

impl UnknownName {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match &self.suggestion {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if self.known.is_empty() => None,
            None => Some(format!("known: {}", self.known)),
        }
    }
}

/// Whether a pattern means the worker of this name, in this group.
pub fn is_meant(pattern: &str, group: &str, name: &str) -> bool {
    pattern == ALL || matches(pattern, group) || matches(pattern, name)
}

/// The workers that the patterns name, each once, in the order of `known`: groups with their counts.
///
/// A pattern is `all`, or the name of a group or of a worker, in which `*` stands for any text and `?` for any
/// letter. A group without workers is known and names none.
pub fn select(known: &[(String, u32)], patterns: &[String]) -> Result<Vec<WorkerName>, UnknownName> {
    let workers: Vec<WorkerName> = known
        .iter()
        .flat_map(|(group, count)| (1..=*count).map(move |number| WorkerName::new(group, number)))
        .collect();
    let names: Vec<String> = workers.iter().map(WorkerName::to_string).collect();
    let mut chosen = vec![false; workers.len()];
    for pattern in patterns {
        let mut found = pattern == ALL || known.iter().any(|(group, _)| matches(pattern, group));
        for (index, worker) in workers.iter().enumerate() {
            if is_meant(pattern, &worker.group, &names[index]) {
                chosen[index] = true;
                found = true;
            }
        }
        if !found {
            return Err(unknown(pattern, known, &names));
        }
    }
    Ok(workers.into_iter().zip(chosen).filter_map(|(worker, chosen)| chosen.then_some(worker)).collect())
}

fn unknown(pattern: &str, known: &[(String, u32)], names: &[String]) -> UnknownName {
    let groups = || known.iter().map(|(group, _)| group.as_str());
    let suggestion = match pattern.rsplit_once('.') {
        Some((group, number)) if groups().any(|known| known == group) && number.parse::<u32>().is_ok() => {
            None
        }
        Some(_) => suggest(pattern, names.iter().map(String::as_str).chain(groups())),
        None => suggest(pattern, groups()),
    };
    let known = match pattern.rsplit_once('.') {
        Some((group, _)) if groups().any(|known| known == group) => {
            let prefix = format!("{group}.");
            let of_group = listed(names.iter().map(String::as_str).filter(|name| name.starts_with(&prefix)));
            if of_group.is_empty() { listed(groups()) } else { of_group }
        }
        Some(_) | None => listed(groups()),
    };
    UnknownName { pattern: pattern.to_owned(), suggestion: suggestion.map(str::to_owned), known }
}

/// Whether `text` is what the pattern says: `*` any text, `?` any one letter, all else itself. Takes no more steps
/// than the product of the lengths.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            retry = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|c| *c == '?' || *c == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, eaten)) = retry {
            retry = Some((star, eaten + 1));
            p = star + 1;
            t = eaten + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<(String, u32)> {
        [("web", 2), ("worker", 1), ("clock", 1), ("mailer", 0)]
            .map(|(name, count)| (name.to_owned(), count))
            .into()
    }

    fn names(patterns: &[&str]) -> Result<Vec<String>, UnknownName> {
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        select(&known(), &patterns).map(|workers| workers.iter().map(WorkerName::to_string).collect())
    }

    #[test]
    fn groups_workers_globs_and_all_are_names() {
        for (pattern, expected) in [
            ("web", vec!["web.1", "web.2"]),
            ("web.2", vec!["web.2"]),
            ("w*", vec!["web.1", "web.2", "worker.1"]),
            ("*.1", vec!["web.1", "worker.1", "clock.1"]),
            ("*", vec!["web.1", "web.2", "worker.1", "clock.1"]),
            ("all", vec!["web.1", "web.2", "worker.1", "clock.1"]),
            ("we?.?", vec!["web.1", "web.2"]),
            ("mailer", vec![]),
        ] {
            assert_eq!(names(&[pattern]).unwrap(), expected, "{pattern}");
        }
    }

    #[test]
    fn a_worker_that_several_patterns_name_is_chosen_once_and_in_order() {
        assert_eq!(names(&["clock", "web.1", "w*"]).unwrap(), ["web.1", "web.2", "worker.1", "clock.1"]);
        assert_eq!(names(&[]).unwrap(), [""; 0]);
    }

    #[test]
    fn an_unknown_name_is_an_error_with_a_hint() {
        for (pattern, hint) in [
            ("wbe", "did you mean `web`?"),
            ("wroker.1", "did you mean `worker.1`?"),
            ("web.7", "known: web.1, web.2"),
            ("mailer.1", "known: web, worker, clock, mailer"),
            ("zebra", "known: web, worker, clock, mailer"),
            ("z*", "known: web, worker, clock, mailer"),
        ] {
            let error = names(&["web", pattern]).unwrap_err();
            assert_eq!(error.to_string(), format!("no group or worker `{pattern}`"));
            assert_eq!(error.hint().as_deref(), Some(hint));
        }
        assert_eq!(select(&[], &["web".to_owned()]).unwrap_err().hint(), None);
    }

    #[test]
    fn a_glob_backtracks() {
        assert!(matches("*a*b*", "xxaxxbxx") && matches("a*a", "aa") && matches("**", "") && matches("", ""));
        assert!(!matches("a*a", "a") && !matches("?", "") && !matches("*b", "a") && !matches("", "a"));
        assert!(!matches(&"a*".repeat(50), &"b".repeat(5000)));
    }
}
