//! Descriptors that this process was born with.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes the one descriptor that was handed down to this process. Later processes do not inherit it. Works once.
pub(crate) fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(Errno::BADF.into());
    }
    own(number)
}

fn own(number: RawFd) -> io::Result<OwnedFd> {
    if number < 3 {
        return Err(Errno::BADF.into());
    }
    // SAFETY: the borrow ends with this function, and a number that is not open is refused by the call.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    // SAFETY: it is open, as the call above showed, was opened before this program began, and the callers take it once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Takes descriptors that the program before this one in the same process left open. Later processes do not inherit
/// them. A number that is not open, is a standard stream's or comes twice is refused.
pub(crate) fn handed_down(numbers: &[RawFd]) -> io::Result<Vec<OwnedFd>> {
    static TAKEN: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    numbers
        .iter()
        .map(|number| if taken.insert(*number) { own(*number) } else { Err(Errno::BADF.into()) })
        .collect()
}

/// The limits of open descriptors: soft and hard.
pub(crate) type OpenFiles = (u64, u64);

/// Lets this process open as many descriptors as its hard limit allows. Gives back what the limits were, for its
/// children.
pub(crate) fn raise_limit() -> OpenFiles {
    let before = getrlimit(Resource::Nofile);
    // A limit that cannot be raised stays as it is: there is nothing else to be done about it.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: before.maximum, maximum: before.maximum });
    (before.current.unwrap_or(u64::MAX), before.maximum.unwrap_or(u64::MAX))
}

/// The limits that this process was born with.
pub(crate) fn limits_at_birth() -> OpenFiles {
    *AT_BIRTH.get_or_init(|| {
        let now = getrlimit(Resource::Nofile);
        (now.current.unwrap_or(u64::MAX), now.maximum.unwrap_or(u64::MAX))
    })
}

/// Noted before they are first raised.
static AT_BIRTH: OnceLock<OpenFiles> = OnceLock::new();

/// How many descriptors this process may have open.
pub(crate) fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Lets this process have as many descriptors open at once as are needed, if it may. Gives the limit that is in
/// force now: fewer than needed if no more are allowed. What it starts later inherits that limit.
pub fn raise_descriptor_limit(needed: u64) -> io::Result<u64> {
    limits_at_birth();
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let fits = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    if !fits(current) {
        let hard = if fits(maximum) { maximum } else { Some(needed) };
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: hard });
        if raised == Err(Errno::PERM) {
            setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
        } else {
            raised?;
        }
    }
    Ok(limit())
}

/// The kernel's table of this process's descriptors is made large for at most so many: half a megabyte.
const TABLE_MAX: u64 = 1 << 16;

/// Lets the kernel make room for so many descriptors at once. Each time that it has to make its table larger while threads
/// share it, it waits until no processor can be looking at the old one, and so does whoever opens the descriptor: some 15
/// ms, at 64, 128, 256 of them and so on. So this is best called before there are threads. What goes wrong costs only that.
pub fn make_room_for_descriptors(needed: u64) {
    let last = needed.min(TABLE_MAX).min(limit()).saturating_sub(1);
    if let (Ok(last), Ok(any)) = (RawFd::try_from(last), File::open("/dev/null")) {
        // The table stays as large as it was once.
        let _ = fcntl_dupfd_cloexec(any, last);
    }
}
