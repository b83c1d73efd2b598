//! A terminal with a program in it, and keys that are pressed there.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::stamps::now;

/// So much of what is shown is read at once.
const PIECE_BYTES: usize = 16 * 1024;

/// A window, and the program that shows itself there.
pub(crate) struct Window {
    side: File,
    child: Child,
}

impl Window {
    /// Runs a command in a window of its own, whose session it leads.
    pub(crate) fn open(command: &Command) -> Result<Self> {
        let side = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&side)?;
        unlockpt(&side)?;
        tcsetwinsize(&side, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 })?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let other: OwnedFd = rustix::fs::open(ptsname(&side, Vec::new())?, flags, Mode::empty())?;
        let mut leader = Command::new("setsid");
        leader.arg("--ctty").arg(command.get_program()).args(command.get_args());
        leader.env("TERM", "xterm-256color").env_remove("TMUX");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => leader.env(name, value),
                None => leader.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            leader.current_dir(directory);
        }
        leader.stdin(other.try_clone()?).stdout(other.try_clone()?).stderr(other);
        let child = leader.spawn().context("there is no setsid: install util-linux")?;
        Ok(Self { side: side.into(), child })
    }

    /// Presses a key; how many nanoseconds later it was shown, if that is within `patience`.
    pub(crate) fn press(&mut self, key: u8, patience: Duration) -> Result<Option<u64>> {
        while self.shown(Duration::ZERO)?.is_some() {}
        let pressed = now();
        let until = Instant::now() + patience;
        rustix::io::write(&self.side, &[key])?;
        while let Some(shown) = self.shown(until.saturating_duration_since(Instant::now()))? {
            if shown.contains(&key) {
                return Ok(Some(now() - pressed));
            }
        }
        Ok(None)
    }

    /// What is shown next, if anything is within this time.
    fn shown(&mut self, within: Duration) -> Result<Option<Vec<u8>>> {
        let within = Timespec::try_from(within)?;
        if poll(&mut [PollFd::new(&self.side, PollFlags::IN)], Some(&within))? == 0 {
            return Ok(None);
        }
        let mut piece = vec![0; PIECE_BYTES];
        let length = self.side.read(&mut piece).context("the program in the window has ended")?;
        if length == 0 {
            bail!("the program in the window has ended");
        }
        piece.truncate(length);
        Ok(Some(piece))
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // It is hung up besides, as the window closes.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
