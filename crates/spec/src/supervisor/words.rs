//! Words as Python's `shlex` finds them: a command is split as by a POSIX shell, an environment in the older manner.

/// Why a text has no words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadWords {
    /// A quote is never closed.
    #[error("a quote is never closed")]
    Quote,
    /// It ends in a backslash.
    #[error("it ends in a backslash")]
    Escape,
    /// Not `KEY=value` all the way.
    #[error("it is not `KEY=value,KEY=value` all the way")]
    Pairs,
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// The words of a command, without a shell: quotes and backslashes are taken as a shell does, nothing else.
pub(crate) fn split(text: &str) -> Result<Vec<String>, BadWords> {
    let (mut words, mut word): (Vec<String>, Option<String>) = (Vec::new(), None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if is_blank(c) => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(BadWords::Quote)? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => double_quoted(&mut chars, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(chars.next().ok_or(BadWords::Escape)?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn double_quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), BadWords> {
    loop {
        match chars.next().ok_or(BadWords::Quote)? {
            '"' => return Ok(()),
            '\\' => match chars.next().ok_or(BadWords::Escape)? {
                c @ ('"' | '\\') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

/// A variable of an environment, and whether something after its value was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) value: String,
    /// What stands where a comma belongs.
    pub(crate) skipped: Option<String>,
}

/// `KEY=value,KEY="a value"`: three tokens and one more that is skipped, whatever it is.
pub(crate) fn pairs(text: &str) -> Result<Vec<Pair>, BadWords> {
    let tokens = tokens(text)?;
    let mut pairs = Vec::new();
    for four in tokens.chunks(4) {
        let [name, equals, value, rest @ ..] = four else { return Err(BadWords::Pairs) };
        if equals != "=" {
            return Err(BadWords::Pairs);
        }
        pairs.push(Pair {
            name: name.clone(),
            value: value.trim_matches(['\'', '"']).to_owned(),
            skipped: rest.first().filter(|token| *token != ",").cloned(),
        });
    }
    Ok(pairs)
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_/.+-():".contains(c)
}

fn tokens(text: &str) -> Result<Vec<String>, BadWords> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if is_blank(c) => {}
            '#' => skip_line(&mut chars),
            '\'' | '"' => tokens.push(quoted(c, &mut chars)?),
            c if is_of_word(c) => {
                let mut word = String::from(c);
                while let Some(next) = chars.peek().copied() {
                    match next {
                        '#' => skip_line(&mut chars),
                        c if is_of_word(c) || c == '\'' || c == '"' => {
                            word.push(c);
                            chars.next();
                        }
                        _ => break,
                    }
                }
                tokens.push(word);
            }
            other => tokens.push(other.to_string()),
        }
    }
    Ok(tokens)
}

/// With its quotes, and nothing in it escaped.
fn quoted(quote: char, chars: &mut impl Iterator<Item = char>) -> Result<String, BadWords> {
    let mut word = String::from(quote);
    loop {
        let c = chars.next().ok_or(BadWords::Quote)?;
        word.push(c);
        if c == quote {
            return Ok(word);
        }
    }
}

fn skip_line(chars: &mut impl Iterator<Item = char>) {
    for c in chars {
        if c == '\n' {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Result<String, BadWords> {
        let shown = |pair: Pair| match pair.skipped {
            None => format!("{}={}", pair.name, pair.value),
            Some(rest) => format!("{}={}!{rest}", pair.name, pair.value),
        };
        pairs(text).map(|pairs| pairs.into_iter().map(shown).collect::<Vec<_>>().join("|"))
    }

    #[test]
    fn a_command_is_split_as_by_a_shell() {
        for (text, words) in [
            ("a  b\tc\nd", vec!["a", "b", "c", "d"]),
            ("sh -c 'a \\ b' \"c \\\" \\x\" d\\ e", vec!["sh", "-c", "a \\ b", "c \" \\x", "d e"]),
            ("a '' \"\"b # c", vec!["a", "", "b", "#", "c"]),
            ("", vec![]),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        assert_eq!(split("a 'b"), Err(BadWords::Quote));
        assert_eq!(split("a \"b\\"), Err(BadWords::Escape));
        assert_eq!(split("a \\"), Err(BadWords::Escape));
    }

    #[test]
    fn an_environment_is_read_in_fours() {
        for (text, pairs) in [
            ("A=1,B=\"a, b\",C='x'", "A=1|B=a, b|C=x"),
            ("A=1;B=2,", "A=1!;|B=2"),
            ("A=a b", "A=a!b"),
            ("A=$HOME", "A=$!HOME"),
            ("A=http://x:80/y,B=1", "A=http://x:80/y|B=1"),
            ("A=1,\nB=2 # c\n,C=3", "A=1|B=2|C=3"),
            ("A=x\"y z\"", "A=x\"y!z\""),
            ("", ""),
        ] {
            assert_eq!(said(text).as_deref(), Ok(pairs), "{text}");
        }
        for text in ["A=", "A", "A=x@y", "A=http://x?y", "=1", "A=1,B"] {
            assert_eq!(pairs(text), Err(BadWords::Pairs), "{text}");
        }
        assert_eq!(pairs("A='x"), Err(BadWords::Quote));
    }
}
