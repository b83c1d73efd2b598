//! What goes to stdout: text for people or JSON for programs.

use std::io::{self, BufWriter, StdoutLock, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Stdout, written in large pieces; a reader that went away ends the command silently.
pub(crate) struct Output {
    stdout: BufWriter<StdoutLock<'static>>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { stdout: BufWriter::new(io::stdout().lock()) }
    }

    /// Text as it is.
    pub(crate) fn text(&mut self, text: impl AsRef<[u8]>) -> Result<(), Failure> {
        Ok(self.stdout.write_all(text.as_ref())?)
    }

    /// A value as a JSON document that people can read too.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let json = serde_json::to_string_pretty(value).map_err(Failure::new)?;
        self.text(format!("{json}\n"))
    }

    /// A value as one line of JSON: an item of a stream.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let json = serde_json::to_string(value).map_err(Failure::new)?;
        self.text(format!("{json}\n"))
    }

    /// Shows what was written so far.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.stdout.flush()?)
    }
}

/// How many columns the terminal has; none where stdout is no terminal.
pub(crate) fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Prints one thing: as JSON if it is asked for, else as `text` makes it for people.
pub(crate) fn show<T: Serialize>(
    json: bool,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    let mut output = Output::new();
    if json {
        output.json(value)?;
    } else {
        output.text(text(value))?;
    }
    output.flush()
}
