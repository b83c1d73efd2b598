//! The terminal of a worker: what it has in place of a pipe, if it is to write and to be typed to as to a person.
//!
//! What a worker writes there goes through the pipe of its log ([`crate::Capture::relay`]): what was taken from the terminal
//! is in the pipe, and what left that is in the log, so that none is lost, whoever of ganger dies.

use std::os::fd::OwnedFd;

use rustix::fs::{Gid, OFlags, Uid, fchown, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, unlockpt};
use rustix::termios::{InputModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use crate::{Error, Result};

/// Both sides of a worker's terminal.
#[derive(Debug)]
pub struct Terminal {
    /// The side where the screen and the keyboard are; never blocks. The worker is hung up when nobody has it any more.
    pub screen: OwnedFd,
    /// The worker's.
    pub worker: OwnedFd,
}

/// How many characters a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// In a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

impl Default for Size {
    fn default() -> Self {
        Self { columns: 80, rows: 24 }
    }
}

/// Makes a terminal of this size, which is `owner`'s.
pub fn create_terminal(size: Size, owner: Option<(u32, u32)>) -> Result<Terminal> {
    let wrap = |e: Errno| Error::Terminal(e.into());
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let screen = openpt(flags).map_err(wrap)?;
    grantpt(&screen).and_then(|()| unlockpt(&screen)).map_err(wrap)?;
    let worker = open_peer(&screen).map_err(wrap)?;
    if let Some((uid, gid)) = owner {
        fchown(&worker, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).map_err(wrap)?;
    }
    let mut modes = tcgetattr(&worker).map_err(wrap)?;
    // What is erased of a typed line are characters.
    modes.input_modes |= InputModes::IUTF8;
    tcsetattr(&worker, OptionalActions::Now, &modes).map_err(wrap)?;
    resize_terminal(&screen, size).map_err(wrap)?;
    let flags = fcntl_getfl(&screen).map_err(wrap)?;
    fcntl_setfl(&screen, flags | OFlags::NONBLOCK).map_err(wrap)?;
    Ok(Terminal { screen, worker })
}

/// Gives a terminal another size; whoever is in its foreground is told by SIGWINCH, if it is another one.
pub fn resize_terminal(screen: &OwnedFd, Size { columns, rows }: Size) -> std::result::Result<(), Errno> {
    tcsetwinsize(screen, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })
}

/// The worker's side, without a path that may lead elsewhere.
#[cfg(target_os = "linux")]
fn open_peer(screen: &OwnedFd) -> std::result::Result<OwnedFd, Errno> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    rustix::pty::ioctl_tiocgptpeer(screen, flags).or_else(|errno| match errno {
        // A sandbox that does not know the call.
        Errno::NOTTY | Errno::INVAL | Errno::NOSYS => open_by_name(screen),
        other => Err(other),
    })
}

/// The worker's side.
#[cfg(not(target_os = "linux"))]
fn open_peer(screen: &OwnedFd) -> std::result::Result<OwnedFd, Errno> {
    open_by_name(screen)
}

fn open_by_name(screen: &OwnedFd) -> std::result::Result<OwnedFd, Errno> {
    let name = rustix::pty::ptsname(screen, Vec::new())?;
    rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, rustix::fs::Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    use rustix::fs::fstat;
    use rustix::termios::tcgetwinsize;

    #[test]
    fn a_terminal_has_the_size_that_it_is_given_and_never_blocks_whoever_reads_it() {
        let Terminal { screen, worker } = create_terminal(Size { columns: 71, rows: 9 }, None).unwrap();
        let size = |side: &OwnedFd| tcgetwinsize(side).map(|size| (size.ws_col, size.ws_row)).unwrap();
        assert_eq!(size(&worker), (71, 9));
        resize_terminal(&screen, Size { columns: 1, rows: 2 }).unwrap();
        assert_eq!(size(&worker), (1, 2));
        assert_eq!(rustix::io::read(&screen, &mut [0; 8]), Err(Errno::AGAIN));
        assert!(!fcntl_getfl(&worker).unwrap().contains(OFlags::NONBLOCK), "the worker's side blocks");
    }

    #[test]
    fn a_terminal_is_its_owners() {
        if rustix::process::geteuid().is_root() {
            let terminal = create_terminal(Size::default(), Some((12345, 23456))).unwrap();
            let found = fstat(&terminal.worker).unwrap();
            assert_eq!((found.st_uid, found.st_gid, found.st_mode & 0o007), (12345, 23456, 0));
        }
    }

    #[test]
    fn the_workers_side_is_found_by_its_name_too() {
        let Terminal { screen, worker } = create_terminal(Size::default(), None).unwrap();
        let other = open_by_name(&screen).unwrap();
        let number = |side: &OwnedFd| fstat(side).unwrap().st_rdev;
        assert_eq!(number(&other), number(&worker));
    }
}
