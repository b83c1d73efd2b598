//! Formations: `web=2,all=1`.

use crate::ports::MAX_COUNT;
use crate::procfile::shown;
use crate::select::ALL;
use crate::suggest::hint_for;

/// How many workers of which groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Formation {
    /// The groups that are named, in their order.
    named: Vec<(String, u32)>,
    /// The count of all others.
    all: Option<u32>,
}

/// What is wrong with a formation, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadFormation {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

const FORM: &str = "write `web=2,worker=1`, or `all=1` for every group";

impl Formation {
    pub(crate) fn parse(text: &str) -> Result<Self, BadFormation> {
        let mut formation = Self::default();
        for part in text.split(',') {
            let part = part.trim();
            let wrong = |message: String| BadFormation { message, hint: Some(FORM.to_owned()) };
            if part.is_empty() {
                return Err(wrong("there is an empty part in the formation".to_owned()));
            }
            let Some((name, count)) = part.split_once('=').map(|(name, count)| (name.trim(), count.trim()))
            else {
                return Err(wrong(format!("no `=` in {} of the formation", shown(part))));
            };
            let digits = !count.is_empty() && count.chars().all(|c| c.is_ascii_digit());
            if name.is_empty() || !digits {
                return Err(wrong(format!("{} is no `group=count`", shown(part))));
            }
            let Some(count) = count.parse().ok().filter(|count| *count <= MAX_COUNT) else {
                let message = format!("{} asks for more than {MAX_COUNT} workers of a group", shown(part));
                return Err(BadFormation {
                    message,
                    hint: Some("ask for fewer, or make several groups".to_owned()),
                });
            };
            if formation.said(name).is_some() {
                return Err(wrong(format!("`{name}` is named twice in the formation")));
            }
            if name == ALL {
                formation.all = Some(count);
            } else {
                formation.named.push((name.to_owned(), count));
            }
        }
        Ok(formation)
    }

    fn said(&self, group: &str) -> Option<u32> {
        if group == ALL { self.all } else { self.named(group) }
    }

    /// The count that the formation gives this group by name.
    pub(crate) fn named(&self, group: &str) -> Option<u32> {
        self.named.iter().find(|(name, _)| name == group).map(|(_, count)| *count)
    }

    /// The count that the formation gives this group, by name or to all.
    pub(crate) fn said_of(&self, group: &str) -> Option<u32> {
        self.named(group).or(self.all)
    }

    /// The count of a group by Foreman's rule: what is not named has none, unless there is `all=`.
    pub(crate) fn count(&self, group: &str) -> u32 {
        self.said_of(group).unwrap_or(0)
    }

    /// Whether this group stays down because the formation says nothing of it.
    pub(crate) fn leaves_out(&self, group: &str) -> bool {
        self.said_of(group).is_none()
    }

    /// The first name that is no group.
    pub(crate) fn check(&self, groups: &[&str]) -> Result<(), BadFormation> {
        match self.named.iter().find(|(name, _)| !groups.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => {
                let message = format!("no group {} for the formation", shown(name));
                Err(BadFormation { message, hint: hint_for(name, groups.iter().copied()) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_has_no_workers_unless_all_is_said() {
        let formation = Formation::parse("web=2").unwrap();
        assert_eq!((formation.count("web"), formation.count("clock")), (2, 0));
        assert!(formation.leaves_out("clock") && !formation.leaves_out("web"));
        let formation = Formation::parse(" all=1 , web = 3,mail=0 ").unwrap();
        assert_eq!((formation.count("web"), formation.count("clock"), formation.count("mail")), (3, 1, 0));
        assert!(!formation.leaves_out("clock"));
    }

    #[test]
    fn bad_text_is_an_error_that_shows_the_part() {
        for (text, message) in [
            ("", "there is an empty part in the formation"),
            ("web=1,", "there is an empty part in the formation"),
            ("web", "no `=` in `web` of the formation"),
            ("web=1,worker=x", "`worker=x` is no `group=count`"),
            ("web=-1", "`web=-1` is no `group=count`"),
            ("web=+1", "`web=+1` is no `group=count`"),
            ("web=", "`web=` is no `group=count`"),
            ("=1", "`=1` is no `group=count`"),
            ("web=1=2", "`web=1=2` is no `group=count`"),
            ("web=10001", "`web=10001` asks for more than 10000 workers of a group"),
            ("web=99999999999", "`web=99999999999` asks for more than 10000 workers of a group"),
            ("web=1,web=2", "`web` is named twice in the formation"),
            ("all=1,all=1", "`all` is named twice in the formation"),
        ] {
            assert_eq!(Formation::parse(text).unwrap_err().message, message, "{text:?}");
        }
        assert_eq!(Formation::parse("web=10000").unwrap().count("web"), MAX_COUNT);
    }

    #[test]
    fn a_name_that_is_no_group_is_an_error_with_a_suggestion() {
        let error = Formation::parse("web=1,wroker=2").unwrap().check(&["web", "worker"]).unwrap_err();
        assert_eq!(error.message, "no group `wroker` for the formation");
        assert_eq!(error.hint.as_deref(), Some("did you mean `worker`?"));
        assert_eq!(Formation::parse("all=2").unwrap().check(&[]), Ok(()));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[a-z=,0-9 é-]{0,60}") {
            let _ = Formation::parse(&text);
        }

        #[test]
        fn a_printed_formation_reads_back(
            named in proptest::collection::btree_map("[b-z][a-z0-9_-]{0,6}", 0..=MAX_COUNT, 1..6),
            all in proptest::option::of(0..=MAX_COUNT),
        ) {
            let all_part = all.map(|count| format!("all={count}"));
            let parts: Vec<String> =
                named.iter().map(|(name, count)| format!("{name}={count}")).chain(all_part).collect();
            let formation = Formation::parse(&parts.join(",")).unwrap();
            proptest::prop_assert_eq!(formation, Formation { named: named.into_iter().collect(), all });
        }
    }
}
