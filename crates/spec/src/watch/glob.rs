//! One glob: a path in which parts of names, and directories, may be any.

use std::path::{Component, Path, PathBuf};

/// `{a,b}` makes at most so many globs of one.
const MAX_ALTERNATIVES: usize = 256;
/// The longest glob.
const MAX_LENGTH: usize = 4_096;

/// A glob without alternatives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// This name.
    Name(String),
    /// A name like this.
    Like(Vec<Token>),
    /// Any directories, or none.
    Any,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Letter(char),
    /// `?`
    One,
    /// `*`
    Many,
    /// `[a-z]`, `[!a-z]`
    Class {
        ranges: Vec<(char, char)>,
        not: bool,
    },
}

impl Glob {
    /// The globs that this one stands for: more than one where it has alternatives. A glob that ends in a name means
    /// that file, or all that is in the directory of that name.
    pub(super) fn parse(glob: &Path) -> Result<Vec<Self>, &'static str> {
        let text = glob.to_str().ok_or("it is not text")?;
        if text.len() > MAX_LENGTH {
            return Err("it is too long");
        }
        if text.contains('\0') {
            return Err("it has a NUL");
        }
        let mut globs = Vec::new();
        for one in alternatives(text)? {
            let mut parts = Vec::new();
            for part in Path::new(&one).components() {
                match part {
                    Component::Normal(name) => parts.push(part_of(name.to_str().unwrap_or_default())?),
                    Component::ParentDir => return Err("it has a `..` in braces"),
                    Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
                }
            }
            if matches!(parts.last(), Some(Part::Name(_))) && glob.is_absolute() {
                let below = parts.iter().cloned().chain([Part::Any]).collect();
                globs.push(Self(below));
            } else {
                globs.push(Self(parts));
            }
        }
        Ok(globs)
    }

    /// Whether the whole glob means the whole path.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        // `**` at the end of `app/**` means all that is in it, and `app` itself.
        self.after(names).last().copied().unwrap_or_default()
    }

    /// Whether it may mean something below this directory.
    pub(super) fn reaches(&self, names: &[&str]) -> bool {
        let after = self.after(names);
        after[..after.len() - 1].contains(&true)
    }

    /// Whether it begins with exactly these names.
    pub(super) fn names(&self, names: &[&str]) -> bool {
        names.len() <= self.named()
            && self.0.iter().zip(names).all(|(part, name)| matches!(part, Part::Name(own) if own == name))
    }

    /// How many names it begins with that stand for themselves.
    pub(super) fn named(&self) -> usize {
        self.0.iter().take_while(|part| matches!(part, Part::Name(_))).count()
    }

    /// The path of these names.
    pub(super) fn root(&self) -> PathBuf {
        let names = self.0.iter().map_while(|part| match part {
            Part::Name(name) => Some(name),
            Part::Like(_) | Part::Any => None,
        });
        Path::new("/").join(names.collect::<PathBuf>())
    }

    /// At which parts it may go on after these names; the last place is its end.
    fn after(&self, names: &[&str]) -> Vec<bool> {
        let count = self.0.len();
        let mut at = vec![false; count + 1];
        at[0] = true;
        self.skip_any(&mut at);
        for name in names {
            let mut next = vec![false; count + 1];
            for (place, part) in self.0.iter().enumerate().filter(|(place, _)| at[*place]) {
                match part {
                    Part::Any => next[place] = true,
                    Part::Name(own) => next[place + 1] |= own == name,
                    Part::Like(tokens) => next[place + 1] |= like(tokens, name),
                }
            }
            self.skip_any(&mut next);
            at = next;
        }
        at
    }

    /// `**` may be no directory at all.
    fn skip_any(&self, at: &mut [bool]) {
        for (place, part) in self.0.iter().enumerate() {
            if at[place] && *part == Part::Any {
                at[place + 1] = true;
            }
        }
    }
}

fn part_of(name: &str) -> Result<Part, &'static str> {
    if name == "**" {
        return Ok(Part::Any);
    }
    let mut tokens = Vec::new();
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        tokens.push(match letter {
            '*' if tokens.last() == Some(&Token::Many) => continue,
            '*' => Token::Many,
            '?' => Token::One,
            '[' => class(&mut letters)?,
            '\\' => Token::Letter(letters.next().ok_or("it ends in `\\`")?),
            other => Token::Letter(other),
        });
    }
    let plain: Option<String> = tokens
        .iter()
        .map(|token| match token {
            Token::Letter(letter) => Some(*letter),
            Token::One | Token::Many | Token::Class { .. } => None,
        })
        .collect();
    Ok(plain.map_or(Part::Like(tokens), Part::Name))
}

/// What follows `[`, with its end.
fn class(letters: &mut std::str::Chars<'_>) -> Result<Token, &'static str> {
    const OPEN: &str = "a `[` has no `]`";
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut letter = letters.next().ok_or(OPEN)?;
    let not = matches!(letter, '!' | '^');
    if not {
        letter = letters.next().ok_or(OPEN)?;
    }
    loop {
        // A `]` that comes first is a letter.
        if letter == ']' && !ranges.is_empty() {
            return Ok(Token::Class { ranges, not });
        }
        let mut rest = letters.clone();
        let (dash, to) = (rest.next(), rest.next());
        match (dash, to) {
            (Some('-'), Some(to)) if to != ']' => {
                ranges.push((letter, to));
                *letters = rest;
            }
            _ => ranges.push((letter, letter)),
        }
        letter = letters.next().ok_or(OPEN)?;
    }
}

/// Whether the name is like this. Takes no more steps than the product of the lengths.
fn like(tokens: &[Token], name: &str) -> bool {
    let mut at = vec![false; tokens.len() + 1];
    at[0] = true;
    let skip = |at: &mut [bool]| {
        for (place, token) in tokens.iter().enumerate() {
            if at[place] && *token == Token::Many {
                at[place + 1] = true;
            }
        }
    };
    skip(&mut at);
    for letter in name.chars() {
        let mut next = vec![false; tokens.len() + 1];
        for (place, token) in tokens.iter().enumerate().filter(|(place, _)| at[*place]) {
            match token {
                Token::Many => next[place] = true,
                Token::One => next[place + 1] = true,
                Token::Letter(own) => next[place + 1] |= *own == letter,
                Token::Class { ranges, not } => {
                    let is_in = ranges.iter().any(|(from, to)| (*from..=*to).contains(&letter));
                    next[place + 1] |= is_in != *not;
                }
            }
        }
        skip(&mut next);
        at = next;
    }
    at[tokens.len()]
}

/// What `{a,b}` stands for, each written out.
fn alternatives(text: &str) -> Result<Vec<String>, &'static str> {
    let mut done = Vec::new();
    let mut open = vec![text.to_owned()];
    while let Some(text) = open.pop() {
        if done.len() + open.len() > MAX_ALTERNATIVES {
            return Err("it has too many alternatives");
        }
        let Some((before, choices, after)) = braces(&text)? else {
            done.push(text);
            continue;
        };
        open.extend(choices.iter().rev().map(|choice| format!("{before}{choice}{after}")));
    }
    Ok(done)
}

/// What is before, in and after braces.
type Braces<'a> = (&'a str, Vec<&'a str>, &'a str);

/// The first braces.
fn braces(text: &str) -> Result<Option<Braces<'_>>, &'static str> {
    let Some(from) = unescaped(text, '{') else { return Ok(None) };
    let (mut depth, mut begin, mut is_escaped) = (0, from + 1, false);
    let mut choices = Vec::new();
    for (at, letter) in text[from..].char_indices().map(|(at, letter)| (from + at, letter)) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '{' => depth += 1,
            ',' if depth == 1 => {
                choices.push(&text[begin..at]);
                begin = at + 1;
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    choices.push(&text[begin..at]);
                    return Ok(Some((&text[..from], choices, &text[at + 1..])));
                }
            }
            _ => {}
        }
    }
    Err("a `{` has no `}`")
}

fn unescaped(text: &str, wanted: char) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, letter)| {
        let found = letter == wanted && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        found.then_some(at)
    })
}
