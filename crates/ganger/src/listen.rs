//! Descriptors that tokio waits for.

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits for this to become readable. It must keep its descriptor for as long as it lives.
pub(crate) fn listen<T: AsRawFd>(source: T) -> io::Result<AsyncFd<T>> {
    listen_for(source, Interest::READABLE)
}

/// The same, and for room to write.
pub(crate) fn listen_both_ways<T: AsRawFd>(source: T) -> io::Result<AsyncFd<T>> {
    listen_for(source, Interest::READABLE | Interest::WRITABLE)
}

#[expect(deprecated, reason = "its successor is unsafe: what is given here owns its descriptor")]
fn listen_for<T: AsRawFd>(source: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(source, interest)
}
