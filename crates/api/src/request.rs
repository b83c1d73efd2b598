//! What can be asked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ganger_spec::Signal;

use crate::{AttachQuery, LogCursor, Operation, Stream, TerminalSize, Time};

/// What can be asked of a running app.
///
/// Names are patterns: a worker (`web.1`), a group (`web`), a glob (`web.*`, `w?b`) or `all`. The server looks up
/// what they mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The app as a whole.
    App,
    /// Workers, all of them if no name is given.
    Workers {
        /// Which.
        names: Vec<String>,
    },
    /// Bring workers up.
    Start {
        /// Which.
        names: Vec<String>,
    },
    /// Bring workers down and keep them down.
    Stop {
        /// Which.
        names: Vec<String>,
    },
    /// End the present run of workers and start new ones.
    Restart {
        /// Which.
        names: Vec<String>,
    },
    /// Send a signal to the main process of workers.
    Signal {
        /// Which.
        names: Vec<String>,
        /// What they get.
        signal: Signal,
    },
    /// Set how many workers groups have.
    Scale {
        /// The count of each group.
        counts: BTreeMap<String, u32>,
    },
    /// Read the files again and restart the workers whose spec changed.
    Reload {
        /// Only tell what would be done.
        dry_run: bool,
    },
    /// The environment of a worker, a group or the app.
    Env {
        /// Whose; the app's own if none.
        name: Option<String>,
    },
    /// The ports of all workers.
    Ports,
    /// What is forwarded.
    Forwards,
    /// Why a worker is as it is.
    Why {
        /// Which: a worker, or a group of one.
        name: String,
    },
    /// The terminal of a worker, on a connection of its own.
    Attach(AttachQuery),
    /// Terminals of which no viewer decides are to have this size, as those of a window that shows them have it.
    Window(TerminalSize),
    /// Lines of logs.
    Logs(LogQuery),
    /// What happened.
    Events(EventQuery),
    /// Stop everything and end.
    Quit {
        /// Kill at once.
        now: bool,
    },
    /// Put another program in place of the running one.
    Upgrade {
        /// Its path: absolute.
        program: PathBuf,
        /// By what the one who asks knows it: asked again with the same, the answer tells how it ended.
        ticket: String,
    },
    /// The apps of a daemon.
    Apps,
    /// Oversee another app, from now on and after each start of the daemon.
    AddApp {
        /// Its directory.
        dir: PathBuf,
        /// `app/deployment`, or `app` for its main deployment; the directory's name if none is given.
        name: Option<String>,
    },
    /// Stop an app and oversee it no more.
    RemoveApp {
        /// `app/deployment`, or `app` for its main deployment.
        name: String,
    },
    /// The `OpenAPI` document.
    OpenApi,
    /// The versions of the program and the API.
    Version,
}

/// Which lines of which logs.
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter of its own")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Whose logs; all if empty.
    pub names: Vec<String>,
    /// Only what was written there, where stderr is kept apart: stderr alone, or all but that.
    pub stream: Option<Stream>,
    /// Nothing that was written before this.
    pub since: Option<Time>,
    /// Nothing that was written after this.
    pub until: Option<Time>,
    /// At most this many of the last lines, over all logs together.
    pub lines: Option<u32>,
    /// Only lines in which this regular expression is found.
    pub grep: Option<String>,
    /// Let `grep` find small letters for capital ones and the other way round.
    pub ignore_case: bool,
    /// Only lines in which `grep` is not found.
    pub invert: bool,
    /// Go on with lines as they are written.
    pub follow: bool,
    /// Go on after this, where a stream broke off.
    pub after: Option<LogCursor>,
    /// Items as server-sent events; otherwise as lines of JSON. `follow` implies it.
    pub sse: bool,
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Go on with events as they happen.
    pub follow: bool,
    /// Only events after the one with this number.
    pub after: Option<u64>,
    /// Items as server-sent events; otherwise as lines of JSON. `follow` implies it.
    pub sse: bool,
}

impl Request {
    /// Which row of the table of routes it belongs to.
    pub fn operation(&self) -> Operation {
        match self {
            Self::App => Operation::App,
            Self::Workers { .. } => Operation::Workers,
            Self::Start { .. } => Operation::Start,
            Self::Stop { .. } => Operation::Stop,
            Self::Restart { .. } => Operation::Restart,
            Self::Signal { .. } => Operation::Signal,
            Self::Scale { .. } => Operation::Scale,
            Self::Reload { .. } => Operation::Reload,
            Self::Env { .. } => Operation::Env,
            Self::Ports => Operation::Ports,
            Self::Forwards => Operation::Forwards,
            Self::Why { .. } => Operation::Why,
            Self::Attach(query) if query.read_only => Operation::View,
            Self::Attach(_) => Operation::Attach,
            Self::Window(_) => Operation::Window,
            Self::Logs(_) => Operation::Logs,
            Self::Events(_) => Operation::Events,
            Self::Quit { .. } => Operation::Quit,
            Self::Upgrade { .. } => Operation::Upgrade,
            Self::Apps => Operation::Apps,
            Self::AddApp { .. } => Operation::AddApp,
            Self::RemoveApp { .. } => Operation::RemoveApp,
            Self::OpenApi => Operation::OpenApi,
            Self::Version => Operation::Version,
        }
    }
}
