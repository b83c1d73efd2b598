//! The foreground printer of `ganger start`: a follower of the store that writes to the terminal.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use ganger_logs::{From, Store};

/// How lines are printed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Colour the prefixes.
    pub color: bool,
    /// Put `HH:MM:SS` before each line.
    pub timestamps: bool,
    /// Names are padded to this, or to the longest name that was added.
    pub name_width: usize,
}

impl Options {
    /// What suits an output: colour on a terminal unless `no_color` (the flag) or `NO_COLOR` says otherwise.
    pub fn suiting(output: &OwnedFd, no_color: bool, timestamps: bool) -> Self {
        let _ = (output, no_color);
        Self { color: false, timestamps, name_width: 0 }
    }
}

/// A line of ganger's own between the workers' lines.
#[derive(Debug, Clone)]
pub struct System {
    /// Under which name: a log's, or `system`.
    pub log: String,
    /// It comes after that log's bytes up to this position; 0 for at once.
    pub at: u64,
    /// What it says.
    pub text: String,
    /// The worker's run is over: what it left without a newline is now a line.
    pub ends_run: bool,
}

/// Prints in a thread of its own.
#[derive(Debug)]
pub struct Printer {}

impl Printer {
    /// Starts to print onto `output`. When that breaks (closed terminal, broken pipe), `on_broken` is called once.
    pub fn start(
        store: Store,
        options: Options,
        output: OwnedFd,
        on_broken: Box<dyn FnOnce(io::Error) + Send>,
    ) -> io::Result<Self> {
        let _ = (store, options, output, on_broken);
        unimplemented!()
    }

    /// Prints this log too, from a place on.
    pub fn add(&self, log: &str, from: From) {
        let _ = (log, from);
    }

    /// Prints a line of ganger's own.
    pub fn system(&self, line: System) {
        let _ = line;
    }

    /// Prints all there is now and ends; says whether that was done within `timeout`.
    pub fn finish(self, timeout: Duration) -> bool {
        let _ = timeout;
        true
    }
}
