//! `[include]`: which files a pattern names.

use std::path::{Path, PathBuf};

/// The most files that are included.
pub(crate) const MAX_INCLUDES: usize = 10_000;
/// The most bytes that all included files have together.
pub(crate) const MAX_BYTES: usize = 64 << 20;
/// So many directory entries are looked at.
const MAX_ENTRIES: usize = 100_000;

/// There is more than is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

/// The files that a pattern names, sorted: `*`, `?` and `[…]` in any part, none of which names a hidden file by itself.
pub(crate) fn glob(base: &Path, pattern: &str) -> Result<Vec<PathBuf>, TooMany> {
    let mut looked = 0;
    let whole = base.join(pattern);
    let mut found = vec![PathBuf::new()];
    for part in whole.components() {
        let part = part.as_os_str().to_string_lossy().into_owned();
        if !part.contains(['*', '?', '[']) {
            for path in &mut found {
                path.push(&part);
            }
            continue;
        }
        let mut next = Vec::new();
        for dir in found {
            for entry in dir.read_dir().into_iter().flatten().flatten() {
                looked += 1;
                if looked > MAX_ENTRIES {
                    return Err(TooMany);
                }
                let name = entry.file_name();
                let text = name.to_string_lossy();
                if (!text.starts_with('.') || part.starts_with('.')) && matches(&part, &text) {
                    next.push(dir.join(&name));
                }
            }
        }
        found = next;
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    found.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    if found.len() > MAX_INCLUDES { Err(TooMany) } else { Ok(found) }
}

/// Whether a name is what a pattern says. Takes no more steps than the product of the lengths.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (parts(pattern), name.chars().collect::<Vec<_>>());
    let (mut p, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(Part::Any) => {
                retry = Some((p, n));
                p += 1;
            }
            Some(part) if part.takes(name[n]) => (p, n) = (p + 1, n + 1),
            Some(_) | None => {
                let Some((star, from)) = retry else { return false };
                (p, n, retry) = (star + 1, from + 1, Some((star, from + 1)));
            }
        }
    }
    pattern[p..].iter().all(|part| matches!(part, Part::Any))
}

enum Part {
    Any,
    One,
    Letter(char),
    Set { not: bool, ranges: Vec<(char, char)> },
}

impl Part {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Letter(letter) => *letter == c,
            Self::Set { not, ranges } => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *not,
        }
    }
}

fn parts(pattern: &str) -> Vec<Part> {
    let chars: Vec<char> = pattern.chars().collect();
    let (mut parts, mut at) = (Vec::new(), 0);
    while let Some(c) = chars.get(at) {
        at += 1;
        let set = (*c == '[').then(|| set(&chars, at)).flatten();
        match (c, set) {
            ('*', _) => parts.push(Part::Any),
            ('?', _) => parts.push(Part::One),
            (_, Some((part, end))) => {
                parts.push(part);
                at = end;
            }
            (letter, None) => parts.push(Part::Letter(*letter)),
        }
    }
    parts
}

/// `[abc]`, `[a-z]`, `[!a]`: a bracket at the beginning is one of the letters.
fn set(chars: &[char], start: usize) -> Option<(Part, usize)> {
    let not = chars.get(start) == Some(&'!');
    let first = start + usize::from(not);
    let end = (first + 1..chars.len()).find(|at| chars[*at] == ']')?;
    let (inner, mut ranges, mut at) = (&chars[first..end], Vec::new(), 0);
    while at < inner.len() {
        if at + 2 < inner.len() && inner[at + 1] == '-' {
            ranges.push((inner[at], inner[at + 2]));
            at += 3;
        } else {
            ranges.push((inner[at], inner[at]));
            at += 1;
        }
    }
    Some((Part::Set { not, ranges }, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_files_as_pythons_glob_does() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.conf", "a.conf", ".hidden.conf", "c.ini", "sub/d.conf"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        for (pattern, names) in [
            ("*.conf", vec!["a.conf", "b.conf"]),
            ("[ab].c*f", vec!["a.conf", "b.conf"]),
            ("[!a].conf", vec!["b.conf"]),
            (".*.conf", vec![".hidden.conf"]),
            ("*/?.conf", vec!["sub/d.conf"]),
            ("c.ini", vec!["c.ini"]),
            ("none.ini", vec![]),
            ("[", vec![]),
        ] {
            let found = glob(dir.path(), pattern).unwrap();
            let names: Vec<PathBuf> = names.iter().map(|name| dir.path().join(name)).collect();
            assert_eq!(found, names, "{pattern}");
        }
    }
}
