//! Files that groups are watched for: when some change, their workers are restarted or get a signal.
//!
//! One thread waits for what the kernel tells of directories, and for nothing else: while no file changes it sleeps. It
//! sees a change, waits until no more come, and tells the engine once; what follows is decided there. It is there only
//! while a group is watched.

mod quiet;
#[cfg(test)]
mod tests;
mod thread;
mod tree;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ganger_spec::{FileWatch, Spec};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use thread::Thread;

/// What the thread tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// From now on changes are seen.
    Watches {
        /// In so many directories.
        directories: usize,
        /// For these groups.
        groups: Vec<String>,
    },
    /// Files of a group have changed, and no more do for now.
    Changed {
        /// The group.
        group: String,
        /// What happened, for people: `config/app.rb changed`.
        what: String,
    },
    /// Something cannot be watched.
    Trouble {
        /// What, and why.
        text: String,
        /// What to do about it.
        hint: Option<String>,
    },
}

/// Tells the engine something.
pub(crate) type Tell = Box<dyn Fn(Seen) + Send>;

/// What is watched: groups by name.
type Watched = Vec<(String, FileWatch)>;

/// The files of an app that are watched.
pub(crate) struct Files {
    tell: Box<dyn Fn() -> Tell + Send>,
    watched: Watched,
    orders: Option<Arc<Orders>>,
}

/// What the thread is told, with a descriptor that is ready when there is something.
struct Orders {
    bell: OwnedFd,
    order: Mutex<Option<Order>>,
}

enum Order {
    Watch(Watched),
    Leave,
}

impl Files {
    /// None yet. `tell` makes what the thread tells with.
    pub(crate) fn new(tell: Box<dyn Fn() -> Tell + Send>) -> Self {
        Self { tell, watched: Vec::new(), orders: None }
    }

    /// Watches what the release in force says. A change that was seen and not told yet is told.
    pub(crate) fn keep(&mut self, spec: &Spec) {
        let watched = spec.groups.iter().filter_map(|group| Some((group.name.clone(), group.watch.clone()?)));
        let watched: Watched = watched.collect();
        if watched == self.watched {
            return;
        }
        self.watched.clone_from(&watched);
        match &self.orders {
            None => match self.start(watched) {
                Ok(orders) => self.orders = Some(orders),
                Err(error) => {
                    // The next release tries again.
                    self.watched.clear();
                    (self.tell)()(tree::no_inotify(&error));
                }
            },
            Some(orders) if watched.is_empty() => {
                orders.give(Order::Leave);
                self.orders = None;
            }
            Some(orders) => orders.give(Order::Watch(watched)),
        }
    }

    fn start(&self, watched: Watched) -> io::Result<Arc<Orders>> {
        let orders = Arc::new(Orders::new()?);
        let mut thread = Thread::new(Arc::clone(&orders), (self.tell)())?;
        std::thread::Builder::new().name("watch".to_owned()).spawn(move || thread.run(watched))?;
        Ok(orders)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if let Some(orders) = &self.orders {
            orders.give(Order::Leave);
        }
    }
}

impl Orders {
    fn new() -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { bell, order: Mutex::default() })
    }

    fn order(&self) -> MutexGuard<'_, Option<Order>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, order: Order) {
        *self.order() = Some(order);
        // It can only fail by being full, and then it is ready already.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    fn take(&self) -> Option<Order> {
        let mut count = [0; 8];
        // Nothing to read means that it did not ring.
        let _ = rustix::io::read(&self.bell, &mut count);
        self.order().take()
    }

    /// Waits until there is an order, `other` is ready or the time is over.
    fn wait(&self, other: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<()> {
        let fds = [self.bell.as_fd(), other];
        let mut fds = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
