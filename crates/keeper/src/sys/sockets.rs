//! What the kernel knows of a socket.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::signals::last_errno;

/// How much a socket holds that its receiver has not got: on a Unix socket not read, on TCP not acknowledged. On a
/// Unix socket it counts the kernel's own overhead too, so that it is never less than the bytes that were sent.
pub fn outstanding(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the request writes one int, for which there is room.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result < 0 { Err(last_errno().into()) } else { Ok(u64::try_from(bytes).unwrap_or(0)) }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn what_was_sent_is_outstanding_until_it_is_read() {
        let (sender, receiver) = UnixDatagram::pair().unwrap();
        assert_eq!(outstanding(sender.as_fd()).unwrap(), 0);
        sender.send(&[b'x'; 1000]).unwrap();
        assert!(outstanding(sender.as_fd()).unwrap() >= 1000);
        receiver.recv(&mut [0; 1000]).unwrap();
        assert_eq!(outstanding(sender.as_fd()).unwrap(), 0);
    }
}
