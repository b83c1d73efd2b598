//! What an overseer is given, and who watches it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use ganger_api::{Environment, Place};
use ganger_keeper::Signals;
use ganger_logs::{Limits, Size, Store};
use ganger_spec::{LoadError, Loaded};
use tokio::sync::mpsc;

use crate::Successor;

/// What an overseer is given.
pub struct Config {
    /// Under which name an office oversees it; none if it is the only app.
    pub name: Option<String>,
    /// How the app lives.
    pub life: Life,
    /// Whether an app in the background starts as operators left it; if not, as its files say.
    pub recalls: bool,
    /// Who goes on with the runs when the keeper is killed. None for an app that ends with its keeper.
    pub heir: Option<Heir>,
    /// How another program takes the place of this one. None for one of several apps.
    pub successor: Option<Successor>,
    /// Where the app's socket, ledger and logs are.
    pub place: Place,
    /// What of the environment decides where things are.
    pub environment: Environment,
    /// Reads and checks the app's files.
    pub load: Box<Load>,
    /// What each worker inherits, below what the spec says.
    pub inherited: BTreeMap<OsString, OsString>,
    /// How much of each worker's output is kept.
    pub limits: Limits,
    /// Makes the viewer in the terminal.
    pub viewer: Box<MakeViewer>,
    /// Where SIGWINCH arrives: the viewer's window may have another size then. It is caught before there are threads.
    pub resized: Option<Signals>,
}

/// Who goes on with the runs when the keeper is killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heir {
    /// The overseer's process: it executes this program, which calls [`ganger_keeper::keep`], with these arguments.
    Overseer(PathBuf, Vec<OsString>),
    /// The keeper that a service manager starts next: it knows the keeper's process and no other, so whoever else held the
    /// app would be in its way.
    Manager,
}

/// How an app lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It belongs to a terminal: it starts as its files say, and ends with its workers, with the terminal, with its
    /// output.
    Foreground,
    /// It belongs to a screen: it starts as its files say, and stays, whatever its workers do, until the screen ends it or
    /// is gone.
    Screen,
    /// It belongs to the machine: it starts as operators left it, and ends when it is told to. A hang-up is a request
    /// to read its files again.
    Background,
}

/// Reads and checks the app's files.
pub type Load = dyn Fn(Reading) -> Result<Loaded, LoadError>;

/// What the app's files are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// To start the app.
    First,
    /// For a reload.
    Again,
}

/// Makes a viewer that follows the store, and is the first one or goes on where another was left.
pub type MakeViewer = dyn FnOnce(Store, &Loaded, Messenger, Start) -> io::Result<Box<dyn Viewer>>;

/// Shows what workers write and what happens to them. It follows the log store; only what is not in there is told.
pub trait Viewer {
    /// Show this worker's output.
    fn follow(&self, log: &str, from: Start) -> Result<(), ganger_logs::Error>;
    /// Show a line of ganger's own.
    fn say(&self, line: Line);
    /// The room that what a worker writes has in the window, if there is one.
    fn window(&self) -> Option<Size> {
        None
    }
    /// Show a line of supervisord's main log.
    fn main_log(&self, _line: &str) {}
    /// Show all that there is and end.
    fn finish(self: Box<Self>);
}

/// Where a viewer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what is written from now on.
    Now,
    /// Where the viewer of the overseer before was.
    WhereLeft,
}

/// A line of ganger's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The worker it is about; none if it is about the app.
    pub log: Option<String>,
    /// It comes after the worker's output up to this position.
    pub at: u64,
    /// What it says.
    pub text: String,
    /// The worker's run is over: output without a newline is complete now.
    pub ends_run: bool,
}

/// Tells the overseer, from any thread, what its viewer met.
#[derive(Clone, Debug)]
pub struct Messenger(pub(crate) mpsc::UnboundedSender<crate::engine::Message>);

impl Messenger {
    /// The terminal is gone or nobody reads our output any more: the app is to stop.
    pub fn output_broken(&self, error: io::Error) {
        // It fails only when the overseer has ended, and then all is said.
        let _ = self.0.send(crate::engine::Message::OutputBroken(error));
    }
}
