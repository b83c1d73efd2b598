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

/// The numbers of a user, by name or number, with all its groups. `group` replaces its first group.
pub fn lookup_user(user: &str, group: Option<&str>) -> Result<Ids, LookupError> {
    let (uid, own_gid, name) = match (find_user(user)?, user.parse::<u32>()) {
        (Some((uid, gid, name)), _) => (uid, Some(gid), Some(name)),
        (None, Ok(uid)) => match find_user_by_number(uid)? {
            Some((uid, gid, name)) => (uid, Some(gid), Some(name)),
            None => (uid, None, None),
        },
        (None, Err(_)) => return Err(LookupError::NoUser(user.to_owned())),
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
    found.or_else(|| group.parse().ok()).ok_or_else(missing)
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
