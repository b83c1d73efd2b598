//! Questions to the kernel whose answer is an error either way, or harmless.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;

use super::signals::last_errno;

/// Whether clone3 exists: without arguments it is refused, not unknown.
pub(crate) fn has_clone3() -> bool {
    // SAFETY: a null pointer of size zero is refused before anything is done.
    let result = unsafe { libc::syscall(libc::SYS_clone3, std::ptr::null::<u8>(), 0_usize) };
    result < 0 && last_errno() == Errno::INVAL
}

/// Whether ranges of descriptors can be marked: a range that ends before it begins is refused, not unknown.
pub(crate) fn has_close_range() -> bool {
    // SAFETY: an empty range is refused before anything is done.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 4_u32, 3_u32, libc::CLOSE_RANGE_CLOEXEC) };
    result < 0 && last_errno() == Errno::INVAL
}

/// The first version of the kernel's answer to `PIDFD_GET_INFO`.
pub(super) type Info = [u64; 8];
/// `_IOWR(0xff, 11, Info)`.
pub(super) const GET_INFO: libc::Ioctl = libc::_IOWR::<Info>(0xff, 11);

/// Whether a process descriptor tells about its process.
pub(crate) fn has_pidfd_info(pidfd: &OwnedFd) -> bool {
    let mut info = Info::default();
    // SAFETY: the request says how many bytes the kernel may write, and there are as many.
    unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO, info.as_mut_ptr()) == 0 }
}
