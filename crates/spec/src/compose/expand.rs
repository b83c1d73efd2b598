//! Variables and templates in a file of process-compose's.

use std::collections::BTreeMap;

use super::notes::Notes;

/// What names stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Expander {
    /// The environment, for `${NAME}`.
    pub(super) environment: BTreeMap<String, String>,
    /// For `{{.NAME}}`.
    pub(super) vars: BTreeMap<String, String>,
    /// `disable_env_expansion`: a `$` is a `$`.
    pub(super) is_off: bool,
}

/// What follows a `$`.
enum Dollar<'a> {
    /// `$$`
    Itself,
    /// A name, and what stands in its braces after it.
    Name { name: &'a str, rest: &'a str, len: usize },
    /// Nothing that is expanded.
    Other,
}

impl Expander {
    /// A text with everything in its place.
    pub(super) fn text(&self, raw: &str, notes: &mut Notes) -> String {
        let text = self.templates(raw, notes);
        if self.is_off {
            return text;
        }
        let mut out = String::new();
        let mut left = text.as_str();
        while let Some(at) = left.find('$') {
            out.push_str(&left[..at]);
            let after = &left[at + 1..];
            left = match dollar(after) {
                Dollar::Itself => {
                    out.push('$');
                    &after[1..]
                }
                Dollar::Other => {
                    out.push('$');
                    after
                }
                Dollar::Name { name, rest, len } => {
                    self.name(name, rest, &after[..len], &mut out, notes);
                    &after[len..]
                }
            };
        }
        out + left
    }

    /// A command: the shell expands variables when it runs, so they stay.
    pub(super) fn command(&self, raw: &str, notes: &mut Notes) -> String {
        let text = self.templates(raw, notes);
        if self.is_off { text } else { text.replace("$$", "$") }
    }

    fn name(&self, name: &str, rest: &str, said: &str, out: &mut String, notes: &mut Notes) {
        let value = self.environment.get(name).filter(|value| !value.is_empty());
        if let Some(usual) =
            rest.strip_prefix(":-").or_else(|| rest.strip_prefix('-')).or_else(|| rest.strip_prefix(":="))
        {
            return out.push_str(value.map_or(usual, String::as_str));
        }
        if !rest.is_empty() {
            notes.add(format!("`${said}` is not worked out here: it stands as it was."));
            out.push('$');
            return out.push_str(said);
        }
        match value {
            Some(value) => out.push_str(value),
            None => notes.add(format!("`${said}` had no value when this was made.")),
        }
    }

    /// `{{.NAME}}`
    fn templates(&self, raw: &str, notes: &mut Notes) -> String {
        let mut out = String::new();
        let mut left = raw;
        while let Some((before, after)) = left.split_once("{{") {
            let Some((inner, rest)) = after.split_once("}}") else { break };
            out.push_str(before);
            let value = inner.trim().strip_prefix('.').and_then(|name| self.vars.get(name));
            if let Some(value) = value {
                out.push_str(value);
            } else {
                notes.add(format!("`{{{{{inner}}}}}` is not worked out here: it stands as it was."));
                out.extend(["{{", inner, "}}"]);
            }
            left = rest;
        }
        out + left
    }
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn dollar(after: &str) -> Dollar<'_> {
    if after.starts_with('$') {
        return Dollar::Itself;
    }
    let name_of = |text: &str| text.find(|letter| !is_letter(letter)).unwrap_or(text.len());
    if let Some(inner) = after.strip_prefix('{') {
        let (Some(end), len) = (inner.find('}'), name_of(inner)) else { return Dollar::Other };
        if len == 0 || len > end {
            return Dollar::Other;
        }
        return Dollar::Name { name: &inner[..len], rest: &inner[len..end], len: end + 2 };
    }
    match name_of(after) {
        0 => Dollar::Other,
        len => Dollar::Name { name: &after[..len], rest: "", len },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expander() -> Expander {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        Expander {
            environment: map(&[("HOST", "db"), ("EMPTY", "")]),
            vars: map(&[("PORT", "5432")]),
            is_off: false,
        }
    }

    #[test]
    fn names_stand_for_their_values_and_a_doubled_dollar_for_itself() {
        for (raw, expected) in [
            ("$HOST:${HOST}", "db:db"),
            ("{{.PORT}} {{ .PORT }}", "5432 5432"),
            ("${EMPTY:-x} ${NONE-y} ${HOST:-z} ${NONE:=w}", "x y db w"),
            ("$$HOST 5$ ${", "$HOST 5$ ${"),
            ("plain", "plain"),
        ] {
            let mut notes = Notes::default();
            assert_eq!(expander().text(raw, &mut notes), expected);
            assert!(notes.is_empty(), "{raw}: {notes:?}");
        }
    }

    #[test]
    fn what_is_not_worked_out_stands_as_it_was_and_is_noted() {
        for (raw, expected) in [("${HOST^^}", "${HOST^^}"), ("{{ if .X }}", "{{ if .X }}"), ("a$NONE", "a")] {
            let mut notes = Notes::default();
            assert_eq!(expander().text(raw, &mut notes), expected);
            assert!(!notes.is_empty(), "{raw}");
        }
    }

    #[test]
    fn a_command_keeps_what_the_shell_works_out() {
        let mut notes = Notes::default();
        let command = expander().command("echo $HOST $${X} {{.PORT}}", &mut notes);
        assert_eq!(command, "echo $HOST ${X} 5432");
        let off = Expander { is_off: true, ..expander() };
        assert_eq!(
            (off.text("$HOST", &mut notes), off.command("$$", &mut notes)),
            ("$HOST".into(), "$$".into())
        );
    }
}
