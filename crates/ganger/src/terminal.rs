//! The whole terminal for one command, which leaves it as it was: at its end, on a signal, and when it panics.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use ganger_keeper::Signals;
use ganger_spec::Signal;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr,
};
use tokio::io::unix::AsyncFd;

use crate::failure::Failure;
use crate::listen::listen;

/// Another screen, without a cursor, where long lines are cut.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
/// Nothing is held back; the mouse is free; the screen that was there before, with all that belongs to it.
const LEAVE: &str = "\x1b[?2026l\x1b[?1000l\x1b[?1006l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";
/// Buttons and the wheel are told, in numbers of any size.
const TAKE_MOUSE: &str = "\x1b[?1000h\x1b[?1006h";
const LEAVE_MOUSE: &str = "\x1b[?1000l\x1b[?1006l";
/// So much of what was typed is read at once.
const KEYS_BYTES: usize = 256;
/// Where the terminal does not tell its size.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// What comes from the terminal and from others.
pub(crate) enum Told {
    /// Keys were pressed: so they come from the terminal.
    Typed(Vec<u8>),
    Resized,
    End(Signal),
}

/// The terminal while it is ours.
pub(crate) struct Screen {
    signals: AsyncFd<Signals>,
    /// None where stdin is no terminal: then there are no keys.
    keyboard: Option<AsyncFd<OwnedFd>>,
    output: File,
    _restored: Restored,
}

impl Screen {
    /// Takes the terminal.
    pub(crate) fn enter() -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(format!("cannot take the terminal: {error}"));
        let ends = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::WINCH].map(Signal::number);
        let signals = Signals::catch(&ends).map_err(failed)?;
        let signals = listen(signals).map_err(failed)?;
        let stdin = isatty(io::stdin()).then(|| io::stdin().as_fd().try_clone_to_owned());
        let keyboard = stdin.transpose().and_then(|stdin| stdin.map(listen).transpose()).map_err(failed)?;
        let output = File::from(io::stdout().as_fd().try_clone_to_owned().map_err(failed)?);
        let restored = take_keys().map_err(failed)?;
        (&output).write_all(ENTER.as_bytes()).map_err(failed)?;
        Ok(Self { signals, keyboard, output, _restored: restored })
    }

    /// Columns and rows.
    pub(crate) fn size(&self) -> (usize, usize) {
        match tcgetwinsize(&self.output) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
            Ok(_) | Err(_) => USUAL_SIZE,
        }
    }

    /// Shows these lines in place of those before, in one write: nothing flickers.
    pub(crate) fn show(&self, lines: &[String]) -> Result<(), Failure> {
        // Each line is cleared behind its text, then all below the last.
        let text = lines.join("\x1b[K\r\n");
        self.write(format!("\x1b[H{text}\x1b[K\x1b[J").as_bytes())
    }

    /// Writes what changes the screen.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        Ok((&self.output).write_all(bytes)?)
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub(crate) fn take_mouse(&self, take: bool) -> Result<(), Failure> {
        self.write(if take { TAKE_MOUSE } else { LEAVE_MOUSE }.as_bytes())
    }

    /// Waits for keys and signals.
    pub(crate) async fn told(&self) -> Result<Told, Failure> {
        let failed = |error: io::Error| Failure::new(format!("cannot listen to the terminal: {error}"));
        loop {
            tokio::select! {
                ready = self.signals.readable() => match self.signals.get_ref().next() {
                    Some(number) if number == Signal::WINCH.number() => return Ok(Told::Resized),
                    Some(number) => return Ok(Told::End(Signal::from_number(number).unwrap_or(Signal::TERM))),
                    None => ready.map_err(failed)?.clear_ready(),
                },
                bytes = typed(self.keyboard.as_ref()) => match bytes.map_err(failed)? {
                    bytes if bytes.is_empty() => return Ok(Told::End(Signal::HUP)),
                    bytes => return Ok(Told::Typed(bytes)),
                },
            }
        }
    }
}

/// What is typed; nothing where the keyboard is gone.
async fn typed(keyboard: Option<&AsyncFd<OwnedFd>>) -> io::Result<Vec<u8>> {
    let Some(keyboard) = keyboard else { return std::future::pending().await };
    let mut ready = keyboard.readable().await?;
    let mut bytes = vec![0; KEYS_BYTES];
    let length = rustix::io::read(keyboard.get_ref(), &mut bytes).unwrap_or(0);
    bytes.truncate(length);
    // What did not fit is read without being told of again.
    if !rustix::io::ioctl_fionread(keyboard.get_ref()).is_ok_and(|left| left > 0) {
        ready.clear_ready();
    }
    Ok(bytes)
}

/// Gives a terminal back when it is dropped, or when somebody panics, before that is said.
pub(crate) struct Restored {
    restore: Arc<dyn Fn(Leave) + Send + Sync>,
}

/// How a terminal is left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// As it was meant to.
    AtEnd,
    /// Somebody panicked: it cannot be known what is shown.
    ByPanic,
}

impl Restored {
    /// This gives it back.
    pub(crate) fn by(restore: impl Fn(Leave) + Send + Sync + 'static) -> Self {
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

/// Switches to single keys that are not shown; signals of the keyboard stay signals, but nothing suspends us.
fn take_keys() -> io::Result<Restored> {
    let modes = tcgetattr(io::stdin()).ok();
    if let Some(modes) = &modes {
        let mut keys = modes.clone();
        keys.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        keys.special_codes[SpecialCodeIndex::VSUSP] = 0;
        keys.special_codes[SpecialCodeIndex::VMIN] = 1;
        keys.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &keys)?;
    }
    Ok(Restored::by(move |_| restore(modes.as_ref())))
}

fn restore(modes: Option<&Termios>) {
    // A terminal that is gone need not be restored.
    let _ = rustix::io::write(io::stdout(), LEAVE.as_bytes());
    if let Some(modes) = modes {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, modes);
    }
}
