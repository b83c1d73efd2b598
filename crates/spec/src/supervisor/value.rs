//! The types of values, as supervisord converts them. An error is what is wrong and what to write.

use std::path::{Path, PathBuf};

use super::ini::is_space;
use crate::Signal;

/// What is wrong with a value, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) message: String,
    pub(crate) hint: String,
}

pub(crate) type Value<T> = Result<T, Wrong>;

fn wrong<T>(text: &str, message: &str, hint: impl Into<String>) -> Value<T> {
    Err(Wrong { message: format!("{} {message}", crate::procfile::shown(text)), hint: hint.into() })
}

pub(crate) fn boolean(text: &str) -> Value<bool> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => wrong(text, "is neither true nor false", "write `true` or `false`"),
    }
}

/// A number as Python's `int` reads it: blanks around, a sign, single underscores between digits.
fn number(text: &str, base: u32) -> Option<i64> {
    let text = text.trim_matches(is_space);
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) if text.starts_with('-') => ("-", digits),
        Some(digits) => ("", digits),
        None => ("", text),
    };
    let digits = match digits.strip_prefix("0o").or_else(|| digits.strip_prefix("0O")) {
        Some(digits) if base == 8 => digits.strip_prefix('_').unwrap_or(digits),
        Some(_) | None => digits,
    };
    let parts: Vec<&str> = digits.split('_').collect();
    if parts.iter().any(|part| part.is_empty() || !part.chars().all(|c| c.is_digit(base))) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{}", parts.concat()), base).ok()
}

/// Numbers beyond this are refused: they do not fit what clients are sent.
const MAX_NUMBER: i64 = i32::MAX as i64;

pub(crate) fn integer(text: &str) -> Value<i64> {
    match number(text, 10) {
        Some(number) if number.abs() <= MAX_NUMBER => Ok(number),
        Some(_) => wrong(text, "is too large a number", format!("write a number up to {MAX_NUMBER}")),
        None => wrong(text, "is no whole number", "write digits, such as `10`"),
    }
}

pub(crate) fn at_least_one(text: &str, max: i64) -> Value<u32> {
    match (integer(text)?, u32::try_from(integer(text)?)) {
        (value, Ok(number)) if (1..=max).contains(&value) => Ok(number),
        _ => wrong(text, &format!("is not from 1 to {max}"), "write a number in that range"),
    }
}

pub(crate) fn byte_size(text: &str) -> Value<i64> {
    let lower = text.to_lowercase();
    let units = [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)];
    let unit = units.iter().find_map(|(unit, size)| Some((lower.strip_suffix(unit)?, *size)));
    let (digits, size) = unit.unwrap_or((lower.as_str(), 1_i64));
    match number(digits, 10).and_then(|count| count.checked_mul(size)) {
        Some(bytes) => Ok(bytes),
        None => wrong(text, "is no size", "write bytes, or a number with `KB`, `MB` or `GB`, such as `10MB`"),
    }
}

pub(crate) fn octal(text: &str) -> Value<u32> {
    match number(text, 8).and_then(|number| u32::try_from(number).ok()) {
        Some(number) => Ok(number),
        None => wrong(text, "is no octal number", "write octal digits, such as `022`"),
    }
}

pub(crate) fn signal(text: &str) -> Value<Signal> {
    let name = text.trim_matches(is_space).to_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let number = match name {
        "CLD" => 17,
        "IOT" => 6,
        "POLL" => 29,
        "RTMIN" => 34,
        "RTMAX" => 64,
        _ => match number(text, 10) {
            Some(number) => i32::try_from(number).unwrap_or(0),
            None => name
                .parse::<Signal>()
                .ok()
                .filter(|_| !name.starts_with(|c: char| c.is_ascii_digit()))
                .map_or(0, Signal::number),
        },
    };
    match Signal::from_number(number).filter(|signal| matches!(signal.number(), 1..=31 | 34 | 64)) {
        Some(signal) => Ok(signal),
        None => wrong(text, "is no signal", "write a name such as `TERM`, `INT` or `QUIT`"),
    }
}

pub(crate) fn exitcodes(text: &str) -> Value<Vec<u8>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let code = |part: &str| number(part, 10).and_then(|code| u8::try_from(code).ok());
    match text.split(',').map(code).collect() {
        Some(codes) => Ok(codes),
        None => {
            wrong(text, "is no list of exit codes", "write codes from 0 to 255 with commas, such as `0,2`")
        }
    }
}

/// The parts of a list with commas.
pub(crate) fn list(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|part| part.trim_matches(is_space).to_owned()).collect()
}

/// The name of a program, a process or a group.
pub(crate) fn name(text: &str) -> Value<String> {
    let name = text.trim_matches(is_space);
    match name.chars().find(|c| " :/".contains(*c)) {
        Some(c) => {
            wrong(text, &format!("is no name: it has {c:?} in it"), "use letters, digits, `-`, `_` and `.`")
        }
        None => Ok(name.to_owned()),
    }
}

/// `host:port`, a port alone, or `*:port`; no host means all.
pub(crate) fn address(text: &str) -> Value<(String, u16)> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let number = number(port, 10).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    match number {
        Some(port) if host == "*" => Ok((String::new(), port)),
        Some(port) => Ok((host.to_lowercase(), port)),
        None => wrong(text, "has no port from 1 to 65535", "write `127.0.0.1:9001`"),
    }
}

/// Where paths begin, and whose home `~` is.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// The current directory.
    pub(crate) base: PathBuf,
    pub(crate) home: Option<String>,
}

impl Paths {
    /// `~` and `~user` at the beginning are directories.
    pub(crate) fn with_home(&self, text: &str) -> String {
        let Some(rest) = text.strip_prefix('~') else { return text.to_owned() };
        let (user, below) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let home = if user.is_empty() { self.home.clone() } else { super::users::home(user) };
        match home {
            Some(home) if home.trim_end_matches('/').is_empty() && below.is_empty() => "/".to_owned(),
            Some(home) => format!("{}{below}", home.trim_end_matches('/')),
            None => text.to_owned(),
        }
    }

    /// A path whose directory is there.
    pub(crate) fn existing_dirpath(&self, text: &str) -> Value<PathBuf> {
        let path = PathBuf::from(self.with_home(text));
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        match dir {
            Some(dir) if !self.base.join(dir).is_dir() => {
                let dir = dir.display();
                wrong(text, "is in a directory that does not exist", format!("make it: `mkdir -p {dir}`"))
            }
            Some(_) | None => Ok(path),
        }
    }

    pub(crate) fn existing_directory(&self, text: &str) -> Value<PathBuf> {
        let path = PathBuf::from(self.with_home(text));
        if self.base.join(&path).is_dir() {
            return Ok(path);
        }
        wrong(text, "is no directory that exists", format!("make it: `mkdir -p {}`", path.display()))
    }

    /// Absolute, without `.` and `..`.
    pub(crate) fn normal(&self, path: &Path) -> PathBuf {
        let mut normal = PathBuf::new();
        for part in self.base.join(path).components() {
            match part {
                std::path::Component::ParentDir => {
                    normal.pop();
                }
                part => normal.push(part),
            }
        }
        normal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_python_takes_for_them() {
        for (text, number) in [("5", 5), (" +5 ", 5), ("-1", -1), ("1_000", 1000), ("007", 7)] {
            assert_eq!(integer(text), Ok(number), "{text}");
        }
        for text in ["", "5.0", "0x10", "_1", "1__0", "1_", "five", "2147483648", "- 5"] {
            assert!(integer(text).is_err(), "{text}");
        }
        assert_eq!((byte_size("10mb"), byte_size("5"), byte_size("1 KB")), (Ok(10 << 20), Ok(5), Ok(1024)));
        assert!(byte_size("10M").is_err() && byte_size("kb").is_err());
        assert_eq!((octal("022"), octal("0o22"), octal("700")), (Ok(18), Ok(18), Ok(448)));
        assert!(octal("8").is_err() && octal("-1").is_err());
    }

    #[test]
    fn names_and_lists_are_checked() {
        assert_eq!(signal(" sigterm ").map(Signal::number), Ok(15));
        assert_eq!((signal("15").map(Signal::number), signal("CLD").map(Signal::number)), (Ok(15), Ok(17)));
        assert!(["0", "65", "35", "NOPE", ""].iter().all(|text| signal(text).is_err()));
        assert_eq!((exitcodes(""), exitcodes("0, 2")), (Ok(vec![]), Ok(vec![0, 2])));
        assert!(exitcodes("256").is_err() && exitcodes("0,").is_err());
        assert_eq!(address("*:9001"), Ok((String::new(), 9001)));
        assert_eq!(
            (address("Host:1"), address("9001")),
            (Ok(("host".to_owned(), 1)), Ok((String::new(), 9001)))
        );
        assert!(address("a:").is_err() && address("0").is_err() && address("x").is_err());
        assert_eq!(name(" a-b "), Ok("a-b".to_owned()));
        assert!(name("a b").is_err() && name("a/b").is_err());
        assert_eq!((boolean("ON"), boolean("0")), (Ok(true), Ok(false)));
        assert!(boolean("maybe").is_err());
    }
}
