//! Users and groups, as far as `/etc/passwd` and `/etc/group` know them.

use std::path::Path;

/// A line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    home: String,
}

/// What can be said of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found<T> {
    /// It is there.
    Yes(T),
    /// It is nowhere.
    No,
    /// It may be in a directory service, which is not asked.
    Unsure,
}

fn lines(path: &str) -> Vec<Vec<String>> {
    let text = crate::input::read(Path::new(path)).ok().flatten().unwrap_or_default();
    text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
}

/// Whether only the files of this machine know names.
fn only_files(database: &str) -> bool {
    let text = crate::input::read(Path::new("/etc/nsswitch.conf")).ok().flatten().unwrap_or_default();
    let line = text.lines().find_map(|line| line.trim().strip_prefix(database)?.strip_prefix(':'));
    line.is_none_or(|line| {
        line.split_whitespace()
            .all(|word| matches!(word, "files" | "compat" | "systemd") || word.starts_with('['))
    })
}

fn users() -> impl Iterator<Item = User> {
    lines("/etc/passwd").into_iter().filter_map(|fields| {
        let (name, home) = (fields.first()?.clone(), fields.get(5)?.clone());
        Some(User { name, uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()?, home })
    })
}

/// The user of this name or number.
pub(crate) fn user(text: &str) -> Found<User> {
    let number = super::value::integer(text).ok();
    let is_it = |user: &User| match number {
        Some(number) => i64::from(user.uid) == number,
        None => user.name == text,
    };
    found(users().find(is_it), "passwd")
}

/// The number of the group of this name or number.
pub(crate) fn group(text: &str) -> Found<u32> {
    let number = super::value::integer(text).ok();
    let gid = lines("/etc/group").into_iter().find_map(|fields| {
        let gid: u32 = fields.get(2)?.parse().ok()?;
        let is_it = number.map_or_else(|| fields[0] == text, |number| i64::from(gid) == number);
        is_it.then_some(gid)
    });
    found(gid, "group")
}

fn found<T>(value: Option<T>, database: &str) -> Found<T> {
    match value {
        Some(value) => Found::Yes(value),
        None if only_files(database) => Found::No,
        None => Found::Unsure,
    }
}

/// The home directory of the user of this name.
pub(crate) fn home(name: &str) -> Option<String> {
    users().find(|user| user.name == name).map(|user| user.home)
}
