//! Descriptors that tokio waits for.

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits for this to become readable. It must keep its descriptor for as long as it lives.
#[expect(deprecated, reason = "its successor is unsafe: what is given here owns its descriptor")]
pub(crate) fn listen<T: AsRawFd>(source: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(source, Interest::READABLE)
}
