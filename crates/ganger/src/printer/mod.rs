//! The foreground printer of `ganger start`: a follower of the store that writes to the terminal.
//!
//! Lines are whole and in each worker's order. On a terminal, what a worker wrote without a newline (a prompt) is
//! shown at the bottom soon, erased when something else is to be printed, and shown again below it.

mod follower;
mod inbox;
mod json;
mod output;
mod prefix;
mod prompt;
mod thread;

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ganger_logs::{From, Marks, Store, Waker};
use ganger_spec::Overmind;

use crate::clean::Keep;
use inbox::{Inbox, Message};
use output::Output;
use prefix::Prefixes;

/// How lines are printed.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub(crate) struct Options {
    /// Colour the prefixes.
    pub(crate) color: bool,
    /// Put `HH:MM:SS` before each line.
    pub(crate) timestamps: bool,
    /// Print objects instead of text: their time and name are in them.
    pub(crate) json: bool,
    /// What of the workers' lines is printed.
    pub(crate) keep: Keep,
    /// Names are padded to this, or to the longest name that was added.
    pub(crate) name_width: usize,
    /// Names and colours as Overmind has them.
    pub(crate) overmind: Option<Arc<Overmind>>,
    /// It follows another printer, which may have left a prompt on the terminal.
    pub(crate) goes_on: bool,
}

impl Options {
    /// What suits an output: colour on a terminal unless `no_color` (the flag) or `NO_COLOR` says otherwise.
    pub(crate) fn suiting(output: &OwnedFd, no_color: bool, timestamps: bool) -> Self {
        let unwanted = no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_terminal = output.is_terminal();
        let keep = Keep::suiting(is_terminal, false);
        Self { color: !unwanted && is_terminal, timestamps, keep, ..Self::default() }
    }
}

/// A line of ganger's own between the workers' lines.
#[derive(Debug, Clone)]
pub(crate) struct System {
    /// Under which name: a log's, or `system`.
    pub(crate) log: String,
    /// It comes after that log's bytes up to this position; 0 for at once.
    pub(crate) at: u64,
    /// What it says.
    pub(crate) text: String,
    /// The worker's run is over: what it left without a newline is now a line.
    pub(crate) ends_run: bool,
}

/// Prints in a thread of its own.
#[derive(Debug)]
pub(crate) struct Printer {
    store: Store,
    inbox: Arc<Inbox>,
    /// How many columns a prefix takes now.
    prefix_columns: Arc<AtomicU16>,
    waker: Waker,
    /// Says at the end whether all was printed.
    ended: Receiver<bool>,
}

impl Printer {
    /// Starts to print onto `output`, and marks how far it is. When the output breaks (closed terminal, broken
    /// pipe), `on_broken` is called once.
    pub(crate) fn start(
        store: Store,
        options: Options,
        output: OwnedFd,
        marks: Marks,
        on_broken: Box<dyn FnOnce(io::Error) + Send>,
    ) -> io::Result<Self> {
        let watch = store.watch().map_err(io::Error::other)?;
        let waker = watch.waker();
        let inbox = Arc::new(Inbox::default());
        let (end, ended) = channel();
        let goes_on = options.goes_on && !options.json;
        let prefixes = Prefixes::new(options);
        let prefix_columns = prefixes.shared_columns();
        let output = Output::new(output, goes_on);
        let thread = thread::Thread::new(watch, Arc::clone(&inbox), prefixes, output, marks, on_broken);
        std::thread::Builder::new().name("printer".to_owned()).spawn(move || {
            // Nobody listens any more if `finish` gave up.
            let _ = end.send(thread.run());
        })?;
        Ok(Self { store, inbox, prefix_columns, waker, ended })
    }

    /// Prints this log too, from a place on; the log must be known to the store.
    pub(crate) fn add(&self, log: &str, from: From) -> ganger_logs::Result<()> {
        let reader = self.store.reader(log, from)?.lossless();
        let position = reader.position();
        self.inbox.put(Message::Add(Box::new(reader)));
        // What comes from now on wakes the printer by itself.
        if self.store.end(log)? > position {
            self.waker.wake();
        }
        Ok(())
    }

    /// How many columns of each line the time and the name take now.
    pub(crate) fn prefix_columns(&self) -> u16 {
        self.prefix_columns.load(Ordering::Relaxed)
    }

    /// Prints a line of ganger's own. Never waits.
    pub(crate) fn system(&self, line: System) {
        self.tell(Message::System(line));
    }

    /// Prints all there is now and ends; says whether that was done within `timeout`.
    pub(crate) fn finish(self, timeout: Duration) -> bool {
        self.tell(Message::Finish);
        self.ended.recv_timeout(timeout).unwrap_or(false)
    }

    fn tell(&self, message: Message) {
        self.inbox.put(message);
        self.waker.wake();
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        self.tell(Message::Finish);
    }
}
