//! What a forwarder is told, and how it waits for that beside other things.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

/// What a forwarder is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Go on.
    Stay,
    /// Send what is there and end.
    Finish,
    /// End at once.
    Leave,
}

/// The last order. Its descriptor is ready from the first one on.
pub(super) struct Orders {
    bell: OwnedFd,
    order: AtomicU8,
}

impl Orders {
    pub(super) fn new() -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { bell, order: AtomicU8::new(Order::Stay as u8) })
    }

    pub(super) fn give(&self, order: Order) {
        self.order.store(order as u8, Ordering::Release);
        // It can only fail by being full, and then it is ready already.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    pub(super) fn last(&self) -> Order {
        match self.order.load(Ordering::Acquire) {
            order if order == Order::Stay as u8 => Order::Stay,
            order if order == Order::Finish as u8 => Order::Finish,
            _ => Order::Leave,
        }
    }

    /// Waits until one of these is ready, there is another order than `heard`, or the time is over.
    pub(super) fn wait(
        &self,
        heard: Order,
        others: &[(BorrowedFd<'_>, PollFlags)],
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        let mut fds: Vec<PollFd<'_>> =
            others.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        let bell = [PollFd::from_borrowed_fd(self.bell.as_fd(), PollFlags::IN)];
        if heard == Order::Stay {
            fds.extend(bell);
        }
        if self.last() != heard {
            return Ok(());
        }
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
