//! A pseudo terminal: what a person at a keyboard has.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::collector::Collector;
use crate::{Deadline, wait_readable};

/// The columns and rows of a new one.
pub(crate) const SIZE: (u16, u16) = (100, 30);

/// The side of the terminal where the screen and the keyboard are.
pub struct Terminal {
    /// Gone once the terminal was closed.
    side: Arc<Mutex<Option<OwnedFd>>>,
    /// Closing this wakes the reader of the screen.
    alarm: Option<io::PipeWriter>,
    bell: io::PipeReader,
    path: std::ffi::CString,
}

impl Terminal {
    /// A new one.
    pub(crate) fn open() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let side = openpt(flags).expect("a pseudo terminal");
        grantpt(&side).expect("the terminal is granted");
        unlockpt(&side).expect("the terminal is unlocked");
        let path = ptsname(&side, Vec::new()).expect("the terminal has a name");
        let (bell, alarm) = io::pipe().expect("a pipe");
        let terminal = Self { side: Arc::new(Mutex::new(Some(side))), alarm: Some(alarm), bell, path };
        terminal.resize(SIZE.0, SIZE.1);
        terminal
    }

    /// The side of the program.
    pub(crate) fn user_side(&self) -> OwnedFd {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::open(self.path.as_c_str(), flags, Mode::empty()).expect("the terminal opens")
    }

    /// Collects what appears on the screen.
    pub(crate) fn collect(&self) -> Collector {
        let bell = self.bell.try_clone().expect("another descriptor");
        Collector::of(Screen { side: Arc::clone(&self.side), bell })
    }

    fn with_side<T>(&self, act: impl FnOnce(&OwnedFd) -> T) -> T {
        let side = self.side.lock().unwrap_or_else(PoisonError::into_inner);
        act(side.as_ref().expect("the terminal is open"))
    }

    /// Presses keys: `"\x03"` is Ctrl-C.
    pub fn press(&self, keys: &str) {
        let written = self.with_side(|side| rustix::io::write(side, keys.as_bytes()));
        assert_eq!(written, Ok(keys.len()), "the terminal takes keys");
    }

    /// Changes the size of the window.
    pub fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        self.with_side(|side| tcsetwinsize(side, size)).expect("the terminal takes a size");
    }

    /// Whether what is typed is shown and comes in whole lines, as it is at first.
    pub fn is_in_lines(&self) -> bool {
        let modes = self.with_side(|side| tcgetattr(side)).expect("the terminal has modes");
        modes.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// Closes the window, as its user may at any time.
    pub fn hang_up(&mut self) {
        self.alarm.take();
        self.side.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Reads the screen without holding the terminal open.
struct Screen {
    side: Arc<Mutex<Option<OwnedFd>>>,
    bell: io::PipeReader,
}

impl Read for Screen {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // A copy, so that typing is possible while this waits; closing waits for this to wake by the bell.
            let copy = match &*self.side.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(side) => File::from(side.as_fd().try_clone_to_owned()?),
                None => return Ok(0),
            };
            if !wait_either(&copy, &self.bell)? {
                return Ok(0);
            }
            if wait_readable(&copy, Deadline::after(std::time::Duration::ZERO)) {
                return (&copy).read(buffer);
            }
        }
    }
}

/// Blocks until `side` can be read (true) or the bell rang (false).
fn wait_either(side: &File, bell: &io::PipeReader) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, poll};
    let mut fds = [PollFd::new(side, PollFlags::IN), PollFd::new(bell, PollFlags::IN)];
    poll(&mut fds, None)?;
    Ok(fds[1].revents().is_empty())
}
