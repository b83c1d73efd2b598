//! The terminal that a command has for itself, which is left as it was: at its end, on a signal, and when it panics.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ganger_api::TerminalSize;
use ganger_keeper::Signals;
use ganger_spec::Signal;
use rustix::fs::{Mode, OFlags};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, isatty, tcflush, tcgetattr,
    tcgetwinsize, tcsetattr,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::failure::Failure;
use crate::listen::{listen, listen_both_ways};

/// Another screen, without a cursor, where long lines are cut.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
/// Nothing is held back; the mouse is free; the screen that was there before, with all that belongs to it.
const LEAVE: &str = "\x1b[?2026l\x1b[?1000l\x1b[?1006l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";
/// Buttons and the wheel are told, in numbers of any size.
const TAKE_MOUSE: &str = "\x1b[?1000h\x1b[?1006h";
const LEAVE_MOUSE: &str = "\x1b[?1000l\x1b[?1006l";
/// So much of what was typed or pasted is read at once.
const KEYS_BYTES: usize = 64 * 1024;
/// A terminal that takes nothing for so long is not begun with: who stopped it goes on before.
const ENTER_WITHIN: Duration = Duration::from_secs(10);
/// A terminal that takes nothing for so long is left as it is.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);
/// Where a terminal does not tell its size.
const USUAL_SIZE: TerminalSize = TerminalSize { rows: 24, columns: 80 };

/// What comes from the terminal and from others.
pub(crate) enum Told {
    /// Keys were pressed: so they come from the terminal. Nothing when it is gone, or the end of input is typed.
    Typed(Vec<u8>),
    Resized,
    End(Signal),
}

/// What the keyboard does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyboard {
    /// Every byte is a worker's, and so is what is shown.
    Raw,
    /// Keys come as they are pressed and are not shown. Those of the keyboard that are signals stay so, but nothing
    /// suspends us.
    Keys,
    /// Lines are edited here and come whole, also when this byte is typed.
    Lines(Option<u8>),
}

/// The terminal while it is ours.
pub(crate) struct Tty {
    own: AsyncFd<Own>,
    signals: AsyncFd<Signals>,
    /// As they were before; none where stdin is no terminal: then there are no keys.
    modes: Option<Termios>,
    state: Arc<State>,
    _restored: Restored,
}

/// A description of the terminal that nobody else has: only here nothing waits for it.
struct Own(OwnedFd);

impl AsRawFd for Own {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// What is to be taken back.
#[derive(Default)]
struct State {
    /// The other screen is shown.
    is_other: AtomicBool,
    /// Programs may have asked the terminal something.
    was_raw: AtomicBool,
}

impl Tty {
    /// Takes the terminal that stdout is, without changing it. Its keys are ours where it is stdin, too.
    pub(crate) fn open() -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(format!("cannot take the terminal: {error}"));
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let own = rustix::fs::open("/proc/self/fd/1", flags, Mode::empty());
        let own = own.or_else(|_| rustix::fs::open("/dev/tty", flags, Mode::empty()));
        let own = own.map_err(|errno| failed(errno.into()))?;
        let caught =
            [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::WINCH].map(Signal::number);
        let signals = Signals::catch(&caught).and_then(listen).map_err(failed)?;
        let modes = isatty(io::stdin()).then(|| tcgetattr(&own)).transpose();
        let modes = modes.map_err(|errno| failed(errno.into()))?;
        let state = Arc::<State>::default();
        let again = own.try_clone().map_err(failed)?;
        let restored = restored(again, Arc::clone(&state), modes.clone());
        let own = listen_both_ways(Own(own)).map_err(failed)?;
        Ok(Self { own, signals, modes, state, _restored: restored })
    }

    /// Its size.
    pub(crate) fn size(&self) -> TerminalSize {
        let size = tcgetwinsize(&self.own.get_ref().0).ok();
        size.and_then(|size| TerminalSize::new(size.ws_row, size.ws_col)).unwrap_or(USUAL_SIZE)
    }

    /// Lets the keyboard do this from now on.
    pub(crate) fn set(&self, keyboard: Keyboard) -> Result<(), Failure> {
        let Some(mut modes) = self.modes.clone() else { return Ok(()) };
        match keyboard {
            Keyboard::Raw => {
                self.state.was_raw.store(true, Ordering::Relaxed);
                modes.make_raw();
            }
            Keyboard::Keys => {
                modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
                modes.special_codes[SpecialCodeIndex::VSUSP] = 0;
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

    /// Shows another screen, on which nothing that is typed appears.
    pub(crate) async fn enter(&self) -> Result<(), Failure> {
        self.set(Keyboard::Keys)?;
        self.state.is_other.store(true, Ordering::Relaxed);
        match tokio::time::timeout(ENTER_WITHIN, self.show_all(ENTER.as_bytes())).await {
            Ok(shown) => Ok(shown?),
            Err(_) => {
                Err(Failure::new("the terminal takes nothing")
                    .hinted("Ctrl-Q lets one go on that was stopped"))
            }
        }
    }

    /// Shows the screen from before again.
    pub(crate) async fn exit(&self) {
        if self.leave(LEAVE.as_bytes()).await {
            self.state.is_other.store(false, Ordering::Relaxed);
        }
    }

    /// Waits for keys and signals.
    pub(crate) async fn told(&self) -> Result<Told, Failure> {
        tokio::select! {
            typed = self.typed(), if self.modes.is_some() => Ok(Told::Typed(typed.unwrap_or_default())),
            signal = self.signal() => match signal {
                Ok(Signal::WINCH) => Ok(Told::Resized),
                Ok(signal) => Ok(Told::End(signal)),
                Err(error) => Err(Failure::new(format!("cannot listen to the terminal: {error}"))),
            },
        }
    }

    async fn typed(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; KEYS_BYTES];
        let length =
            self.own.async_io(Interest::READABLE, |own| Ok(rustix::io::read(&own.0, &mut bytes)?)).await?;
        bytes.truncate(length);
        Ok(bytes)
    }

    async fn signal(&self) -> io::Result<Signal> {
        loop {
            if let Some(number) = self.signals.get_ref().next() {
                return Ok(Signal::from_number(number).unwrap_or(Signal::TERM));
            }
            self.signals.readable().await?.clear_ready();
        }
    }

    /// Shows some of this; how much.
    pub(crate) async fn show(&self, bytes: &[u8]) -> io::Result<usize> {
        self.own.async_io(Interest::WRITABLE, |own| Ok(rustix::io::write(&own.0, bytes)?)).await
    }

    /// Shows all of this.
    pub(crate) async fn show_all(&self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = &rest[self.show(rest).await?..];
        }
        Ok(())
    }

    /// Shows this as the last thing, however slow the terminal is; whether it took it within a bound.
    pub(crate) async fn leave(&self, last: &[u8]) -> bool {
        // A terminal that is gone need not be given back.
        tokio::time::timeout(LEAVE_WITHIN, self.show_all(last)).await.is_ok_and(|shown| shown.is_ok())
    }
}

/// What takes the mouse, or leaves it to the terminal.
pub(crate) fn mouse(take: bool) -> &'static [u8] {
    if take { TAKE_MOUSE } else { LEAVE_MOUSE }.as_bytes()
}

/// Gives a terminal back when it is dropped, or when somebody panics, before that is said.
struct Restored {
    restore: Arc<dyn Fn(Leave) + Send + Sync>,
}

/// How a terminal is left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// As it was meant to.
    AtEnd,
    /// Somebody panicked: it cannot be known what is shown.
    ByPanic,
}

impl Restored {
    /// This gives it back.
    fn by(restore: impl Fn(Leave) + Send + Sync + 'static) -> Self {
        let restore: Arc<dyn Fn(Leave) + Send + Sync> = Arc::new(restore);
        let (again, told) = (Arc::clone(&restore), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            again(Leave::ByPanic);
            told(panic);
        }));
        Self { restore }
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            drop(std::panic::take_hook());
            (self.restore)(Leave::AtEnd);
        }
    }
}

/// Gives this terminal its screen and its modes back at the end.
fn restored(own: OwnedFd, state: Arc<State>, modes: Option<Termios>) -> Restored {
    Restored::by(move |leave| {
        if leave == Leave::ByPanic || state.is_other.load(Ordering::Relaxed) {
            let _ = rustix::io::write(&own, LEAVE.as_bytes());
        }
        if leave == Leave::ByPanic {
            let _ = rustix::io::write(&own, b"\r\n");
        }
        if state.was_raw.load(Ordering::Relaxed) {
            // What was typed and nobody read was not meant for whoever reads next.
            let _ = tcflush(&own, QueueSelector::IFlush);
        }
        if let Some(modes) = &modes {
            let _ = tcsetattr(&own, OptionalActions::Now, modes);
        }
    })
}
