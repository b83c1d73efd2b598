//! The viewer's own terminal, which is left as it was: at the end, on a signal, and by a panic.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use ganger_api::TerminalSize;
use ganger_keeper::Signals;
use ganger_spec::Signal;
use rustix::fs::{Mode, OFlags};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr, tcgetwinsize,
    tcsetattr,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::failure::Failure;
use crate::listen::listen;
use crate::terminal::{Leave, Restored};

/// So much of what was typed or pasted is read at once.
const KEYS_BYTES: usize = 64 * 1024;
/// A terminal that takes nothing for so long is left as it is.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);
/// Where a terminal does not tell its size.
const USUAL_SIZE: TerminalSize = TerminalSize { rows: 24, columns: 80 };

/// What the keyboard does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyboard {
    /// Every byte is the worker's, and so is what is shown.
    Raw,
    /// Keys come as they are pressed; Ctrl-C is a signal.
    Keys,
    /// Lines are edited here and come whole, also when this byte is typed.
    Lines(Option<u8>),
}

/// The terminal.
pub(super) struct Tty {
    own: AsyncFd<Own>,
    signals: AsyncFd<Signals>,
    /// As they were before.
    modes: Termios,
    _restored: Restored,
}

/// A description of the terminal that nobody else has: only here nothing waits for it.
struct Own(OwnedFd);

impl AsRawFd for Own {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Tty {
    /// Takes the terminal that stdin and stdout are, without changing it.
    pub(super) fn open() -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(format!("cannot take the terminal: {error}"));
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let own = rustix::fs::open("/proc/self/fd/0", flags, Mode::empty());
        let own = own.or_else(|_| rustix::fs::open("/dev/tty", flags, Mode::empty()));
        let own = own.map_err(|errno| failed(errno.into()))?;
        let caught =
            [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::WINCH].map(Signal::number);
        let signals = Signals::catch(&caught).and_then(listen).map_err(failed)?;
        let own = both_ways(own).map_err(failed)?;
        let modes = tcgetattr(io::stdin()).map_err(|errno| failed(errno.into()))?;
        Ok(Self { own, signals, _restored: restored(modes.clone()), modes })
    }

    pub(super) fn size(&self) -> TerminalSize {
        let size = tcgetwinsize(&self.own.get_ref().0).ok();
        size.and_then(|size| TerminalSize::new(size.ws_row, size.ws_col)).unwrap_or(USUAL_SIZE)
    }

    /// Lets the keyboard do this from now on.
    pub(super) fn set(&self, keyboard: Keyboard) -> Result<(), Failure> {
        let mut modes = self.modes.clone();
        match keyboard {
            Keyboard::Raw => modes.make_raw(),
            Keyboard::Keys => {
                modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
                modes.special_codes[SpecialCodeIndex::VMIN] = 1;
                modes.special_codes[SpecialCodeIndex::VTIME] = 0;
            }
            Keyboard::Lines(end) => {
                modes.local_modes |= LocalModes::ICANON | LocalModes::ECHO;
                modes.special_codes[SpecialCodeIndex::VEOL] = end.unwrap_or(0);
            }
        }
        let set = tcsetattr(&self.own.get_ref().0, OptionalActions::Now, &modes);
        set.map_err(|errno| Failure::new(format!("cannot set the terminal: {}", io::Error::from(errno))))
    }

    /// What is typed next; nothing when the terminal is gone, or the end of input is typed.
    pub(super) async fn typed(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; KEYS_BYTES];
        let length =
            self.own.async_io(Interest::READABLE, |own| Ok(rustix::io::read(&own.0, &mut bytes)?)).await?;
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Shows some of this; how much.
    pub(super) async fn show(&self, bytes: &[u8]) -> io::Result<usize> {
        self.own.async_io(Interest::WRITABLE, |own| Ok(rustix::io::write(&own.0, bytes)?)).await
    }

    /// The next signal.
    pub(super) async fn signal(&self) -> io::Result<Signal> {
        loop {
            if let Some(number) = self.signals.get_ref().next() {
                return Ok(Signal::from_number(number).unwrap_or(Signal::TERM));
            }
            self.signals.readable().await?.clear_ready();
        }
    }

    /// Shows this as the last thing, however slow the terminal is, and gives it back.
    pub(super) async fn leave(self, last: &[u8]) {
        let all = async {
            let mut rest = last;
            while !rest.is_empty() {
                match self.show(rest).await {
                    Ok(shown) => rest = &rest[shown..],
                    // A terminal that is gone need not be given back.
                    Err(_) => return,
                }
            }
        };
        let _ = tokio::time::timeout(LEAVE_WITHIN, all).await;
    }
}

#[expect(deprecated, reason = "its successor is unsafe: what is given here owns its descriptor")]
fn both_ways(own: OwnedFd) -> io::Result<AsyncFd<Own>> {
    AsyncFd::with_interest(Own(own), Interest::READABLE | Interest::WRITABLE)
}

/// Gives the terminal these modes back at the end.
fn restored(modes: Termios) -> Restored {
    Restored::by(move |leave| {
        if leave == Leave::ByPanic {
            // The other screen, if it is there, goes with the rest.
            let _ = rustix::io::write(io::stdout().as_fd(), b"\x1b[?1049l\x1b[?25h\x1b[m\r\n");
        }
        // What was typed and nobody read was not meant for whoever reads next.
        let _ = tcflush(io::stdin(), QueueSelector::IFlush);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    })
}
