//! Waking a follower when there is something new.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use crate::store::lock;
use crate::{Error, Result};

/// News of so many logs are told apart; of more it is only said that there are some.
const NAMES: usize = 1024;

/// Wakes one follower, at most once for each time it was armed.
///
/// The follower reads until there is nothing, calls [`Watch::arm`], looks once more (something may
/// have come in between) and then waits, here or on the descriptor. While it is busy reading it is
/// not armed, so that a loud log costs no system call for it.
#[derive(Debug)]
pub struct Watch {
    bell: Waker,
    board: Arc<Board>,
}

/// Which logs may have something new.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// These, and no others.
    Of(BTreeSet<Arc<str>>),
    /// Any.
    All,
}

/// What the store tells one follower.
#[derive(Debug)]
pub(crate) struct Board {
    bell: Arc<Bell>,
    news: Mutex<News>,
    /// The follower wants news of this log alone.
    only: Option<Arc<str>>,
}

/// Wakes a follower for a reason of one's own: a message for it, a wish to stop.
#[derive(Debug, Clone)]
pub struct Waker {
    bell: Arc<Bell>,
}

#[derive(Debug)]
pub(crate) struct Bell {
    fd: OwnedFd,
    armed: AtomicBool,
}

impl Bell {
    pub(crate) fn new() -> std::io::Result<Arc<Self>> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Arc::new(Self { fd, armed: AtomicBool::new(false) }))
    }

    /// Rings if the other side waits or is about to.
    pub(crate) fn ring(&self) {
        // Pairs with the one in `arm`: either the news is seen there or the armed bell is seen here.
        fence(Ordering::SeqCst);
        if self.armed.load(Ordering::SeqCst) && self.armed.swap(false, Ordering::SeqCst) {
            // It can only fail by being full, and then it rings already.
            let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
        }
    }

    pub(crate) fn arm(&self) {
        let mut count = [0; 8];
        // Nothing to read means that it did not ring.
        let _ = rustix::io::read(&self.fd, &mut count);
        self.armed.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }
}

impl Default for News {
    fn default() -> Self {
        Self::Of(BTreeSet::new())
    }
}

impl Board {
    /// Notes that these logs have grown, and wakes the follower. Whoever takes the news holds the lock for a moment only.
    pub(crate) fn post(&self, grown: &[Arc<str>]) {
        if self.only.as_ref().is_some_and(|only| !grown.contains(only)) {
            return;
        }
        let mut news = lock(&self.news);
        if let News::Of(names) = &mut *news {
            names.extend(grown.iter().cloned());
            if names.len() > NAMES {
                *news = News::All;
            }
        }
        drop(news);
        self.bell.ring();
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Waker {
    /// Wakes the follower if it waits or is about to.
    pub fn wake(&self) {
        self.bell.ring();
    }
}

impl Watch {
    pub(crate) fn new(bell: Arc<Bell>, only: Option<&str>) -> Self {
        let board = Board { bell: Arc::clone(&bell), news: Mutex::default(), only: only.map(Arc::from) };
        let board = Arc::new(board);
        Self { bell: Waker { bell }, board }
    }

    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Which logs have grown since this was last asked. After [`Watch::arm`], it is the look that must not be left out.
    pub fn news(&self) -> News {
        std::mem::take(&mut *lock(&self.board.news))
    }

    /// From now on, news wake. What came before does not: look again after this, then wait.
    pub fn arm(&self) {
        self.bell.bell.arm();
    }

    /// Waits for news since [`Watch::arm`], at most for `timeout`; says whether there was any.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
        let mut fds = [PollFd::new(self, PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(n) => Ok(n > 0),
            Err(Errno::INTR) => Ok(true),
            Err(e) => Err(Error::io("wait for", std::path::Path::new("log output"), e)),
        }
    }

    /// A handle with which others can wake this follower.
    pub fn waker(&self) -> Waker {
        self.bell.clone()
    }
}

impl AsFd for Watch {
    /// Readable when there is news.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.bell.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_rings_once_for_each_time_it_was_armed_and_never_before() {
        let watch = Watch::new(Bell::new().unwrap(), None);
        let waker = watch.waker();
        let news = || watch.wait(Some(Duration::ZERO)).unwrap();
        waker.wake();
        assert!(!news(), "not armed");
        watch.arm();
        assert!(!news());
        waker.wake();
        waker.wake();
        assert!(news());
        watch.arm();
        assert!(!news(), "arming forgets the old news");
    }

    #[test]
    fn news_are_told_once_by_name_and_of_too_many_logs_without() {
        let watch = Watch::new(Bell::new().unwrap(), None);
        let name = |n: usize| Arc::<str>::from(format!("web.{n}"));
        watch.board().post(&[name(1), name(2)]);
        watch.board().post(&[name(1)]);
        assert_eq!(watch.news(), News::Of(BTreeSet::from([name(1), name(2)])));
        assert_eq!(watch.news(), News::default());
        (0..=NAMES).for_each(|n| watch.board().post(&[name(n)]));
        assert_eq!(watch.news(), News::All);
        watch.board().post(&[name(3)]);
        assert_eq!(watch.news(), News::Of(BTreeSet::from([name(3)])));
    }

    #[test]
    fn a_follower_of_one_log_is_woken_for_no_other() {
        let watch = Watch::new(Bell::new().unwrap(), Some("web.1"));
        let news = || watch.wait(Some(Duration::ZERO)).unwrap();
        watch.arm();
        watch.board().post(&[Arc::from("web.2"), Arc::from("web.1.err")]);
        assert!(!news());
        watch.board().post(&[Arc::from("web.2"), Arc::from("web.1")]);
        assert!(news());
    }
}
