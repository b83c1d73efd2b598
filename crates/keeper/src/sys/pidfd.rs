//! What a process descriptor still tells of a process that has ended.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::probes::{GET_INFO, Info};
use super::wait;
use crate::protocol::Exit;

/// The bit of the mask, first in the answer, that stands for the exit status.
const EXIT: u64 = 1 << 3;

/// How the process ended, if it was reaped, the descriptor was open by then, and the kernel keeps that.
pub(crate) fn exit(pidfd: BorrowedFd<'_>) -> Option<Exit> {
    let mut info = Info::default();
    info[0] = EXIT;
    // SAFETY: the request says how many bytes the kernel may write, and there are as many.
    let told = unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO, info.as_mut_ptr()) } == 0;
    // The status is the last four bytes of the first version of the answer.
    let [.., a, b, c, d] = info[7].to_ne_bytes();
    (told && info[0] & EXIT != 0).then(|| wait::exit(i32::from_ne_bytes([a, b, c, d])))
}
