//! Descriptors that this process was born with.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{Errno, FdFlags, fcntl_setfd};

/// Takes the one descriptor that was handed down to this process. Later processes do not inherit it. Works once.
pub(crate) fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if number < 3 || TAKEN.swap(true, Ordering::Relaxed) {
        return Err(Errno::BADF.into());
    }
    // SAFETY: the borrow ends with this function, and a number that is not open is refused by the call.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    // SAFETY: it is open, as the call above showed, was opened before this process began, and is taken just once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
