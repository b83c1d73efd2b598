//! Descriptors that tokio waits on.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Lets tokio wait on anything that has a descriptor.
#[derive(Debug)]
pub(crate) struct Source<T>(pub(crate) T);

impl<T: AsFd> AsRawFd for Source<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Waits on this from now on.
#[expect(
    deprecated,
    reason = "its successor is unsafe: a source must keep its descriptor, and `Source` owns it"
)]
pub(crate) fn register<T: AsFd>(source: T, interest: Interest) -> io::Result<AsyncFd<Source<T>>> {
    AsyncFd::with_interest(Source(source), interest)
}
