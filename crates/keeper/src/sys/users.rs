//! The user database. Asked by the overseer, never between fork and exec: it may go over the network.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::ptr;

use thiserror::Error;

use crate::protocol::Ids;

/// The most memory that one entry of the database may take.
const ENTRY_MAX: usize = 1 << 20;
/// The most groups that a user may be in.
const GROUPS_MAX: usize = 1 << 16;

/// A user or a group that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LookupError {
    /// No such user.
    #[error("there is no user {0}")]
    NoUser(String),
    /// No such group.
    #[error("there is no group {0}")]
    NoGroup(String),
    /// The database failed.
    #[error("cannot look up {0}: {1}")]
    Failed(String, String),
}

impl LookupError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoUser(user) if number(user).is_some() => {
                Some("a number that belongs to no user has no group of its own: name a group too".to_owned())
            }
            Self::NoUser(_) => Some("`getent passwd` lists the users of this machine".to_owned()),
            Self::NoGroup(_) => Some("`getent group` lists the groups of this machine".to_owned()),
            Self::Failed(..) => None,
        }
    }
}

/// The numbers of a user, by name or number, with all its groups. `group` replaces its first group.
pub fn lookup_user(user: &str, group: Option<&str>) -> Result<Ids, LookupError> {
    let (uid, own_gid, name) = match (find_user(user)?, number(user)) {
        (Some((uid, gid, name)), _) => (uid, Some(gid), Some(name)),
        (None, Some(uid)) => match find_user_by_number(uid)? {
            Some((uid, gid, name)) => (uid, Some(gid), Some(name)),
            None => (uid, None, None),
        },
        (None, None) => return Err(LookupError::NoUser(user.to_owned())),
    };
    let gid = match (group, own_gid) {
        (Some(group), _) => lookup_group(group)?,
        (None, Some(gid)) => gid,
        (None, None) => return Err(LookupError::NoUser(user.to_owned())),
    };
    let groups = name.map_or_else(|| vec![gid], |name| groups_of(&name, gid));
    Ok(Ids { uid, gid, groups })
}

/// The number of a group, by name or number.
pub fn lookup_group(group: &str) -> Result<u32, LookupError> {
    let missing = || LookupError::NoGroup(group.to_owned());
    let name = CString::new(group).map_err(|_| missing())?;
    let mut entry = MaybeUninit::<libc::group>::uninit();
    let found = ask(
        group,
        |buffer, found| {
            // SAFETY: a string, room for an entry, a buffer of the said length, room for a pointer.
            unsafe {
                libc::getgrnam_r(name.as_ptr(), entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), found)
            }
        },
        |entry: &libc::group| entry.gr_gid,
    )?;
    found.or_else(|| number(group)).ok_or_else(missing)
}

/// A user or group given by number. The highest is none: to the kernel it means that nothing is to change.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number != u32::MAX)
}

type User = (u32, u32, CString);

fn user(entry: &libc::passwd) -> User {
    // SAFETY: a found entry points to its name, ended by a NUL, in the buffer that is still there.
    (entry.pw_uid, entry.pw_gid, unsafe { CStr::from_ptr(entry.pw_name) }.to_owned())
}

fn find_user(name: &str) -> Result<Option<User>, LookupError> {
    let text = CString::new(name).map_err(|_| LookupError::NoUser(name.to_owned()))?;
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    ask(
        name,
        |buffer, found| {
            // SAFETY: a string, room for an entry, a buffer of the said length, room for a pointer.
            unsafe {
                libc::getpwnam_r(text.as_ptr(), entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), found)
            }
        },
        user,
    )
}

fn find_user_by_number(uid: u32) -> Result<Option<User>, LookupError> {
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    ask(
        &uid.to_string(),
        |buffer, found| {
            // SAFETY: room for an entry, a buffer of the said length, room for a pointer.
            unsafe { libc::getpwuid_r(uid, entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), found) }
        },
        user,
    )
}

/// Asks with a buffer that grows until the answer fits, and reads the entry that was found.
fn ask<E, T>(
    subject: &str,
    mut call: impl FnMut(&mut [libc::c_char], *mut *mut E) -> i32,
    read: impl Fn(&E) -> T,
) -> Result<Option<T>, LookupError> {
    let mut size = 1024;
    loop {
        let mut buffer = vec![0; size];
        let mut found = ptr::null_mut();
        match call(&mut buffer, &raw mut found) {
            // SAFETY: null, or the entry that the call filled in; what that points to is in the buffer.
            0 => return Ok(unsafe { found.as_ref() }.map(&read)),
            libc::ERANGE if size < ENTRY_MAX => size *= 2,
            libc::ENOENT | libc::ESRCH => return Ok(None),
            libc::EINTR => {}
            errno => {
                let reason = std::io::Error::from_raw_os_error(errno).to_string();
                return Err(LookupError::Failed(subject.to_owned(), reason));
            }
        }
    }
}

fn groups_of(name: &CStr, gid: u32) -> Vec<u32> {
    let mut room = 64;
    loop {
        let mut groups = vec![0; room];
        let mut count = i32::try_from(room).unwrap_or(i32::MAX);
        // SAFETY: a string, a number, and room for as many numbers as are said to fit.
        let result = unsafe { libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &raw mut count) };
        if result >= 0 || room >= GROUPS_MAX {
            groups.truncate(usize::try_from(count).unwrap_or(0));
            return groups;
        }
        room *= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No machine gives it to anybody.
    const NOBODYS: &str = "4123456789";

    #[test]
    fn a_user_is_found_by_name_and_by_number_with_its_groups() {
        let root = lookup_user("root", None).unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0));
        assert_eq!(lookup_user("0", None).unwrap(), root);
    }

    #[test]
    fn another_group_takes_the_place_of_the_first() {
        let ids = lookup_user("root", Some("4242")).unwrap();
        assert_eq!((ids.uid, ids.gid), (0, 4242));
        assert!(ids.groups.contains(&4242));
    }

    #[test]
    fn a_number_without_an_entry_needs_a_group() {
        let error = lookup_user(NOBODYS, None).unwrap_err();
        assert_eq!(error.to_string(), "there is no user 4123456789");
        assert!(error.hint().unwrap().contains("name a group too"));
        let ids = lookup_user(NOBODYS, Some("root")).unwrap();
        assert_eq!(ids, Ids { uid: 4_123_456_789, gid: 0, groups: vec![0] });
    }

    #[test]
    fn an_unknown_name_is_told_with_where_to_look() {
        for name in ["no-such-user", "", "-1", "a\0b", "4294967295"] {
            let error = lookup_user(name, None).unwrap_err();
            assert_eq!(error, LookupError::NoUser(name.to_owned()));
            assert_eq!(error.hint().unwrap(), "`getent passwd` lists the users of this machine");
            let error = lookup_group(name).unwrap_err();
            assert_eq!(error.to_string(), format!("there is no group {name}"));
            assert_eq!(error.hint().unwrap(), "`getent group` lists the groups of this machine");
        }
    }

    #[test]
    fn a_group_is_found_by_name_and_by_number() {
        assert_eq!(lookup_group("root"), Ok(0));
        assert_eq!(lookup_group("0"), Ok(0));
        assert_eq!(lookup_group(NOBODYS), Ok(4_123_456_789), "a group needs no entry");
    }
}
