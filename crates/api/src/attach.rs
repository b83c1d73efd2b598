//! What is said on a connection that shows a worker's terminal: frames, in both directions.
//!
//! The connection begins as an HTTP request that asks for the protocol [`ATTACH_PROTOCOL`]. After the answer 101 both
//! sides send frames: a kind (one byte), a length (four bytes, the highest first) and so many bytes. A frame of kind
//! `B` holds bytes: what is typed, or a position in the worker's log (eight bytes) and what the worker wrote from there
//! on. A frame of kind `J` holds a JSON object whose `type` says what it is: a [`Told`] or a [`Wish`]. Types and kinds
//! that a side does not know are passed over.

mod frames;

use ganger_spec::WorkerName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::MAX_TERMINAL_SIDE;

pub use frames::{BadFrame, FromViewer, FromWorker, ViewerFrames, WorkerFrames};

/// The protocol and its version, as the header `upgrade` names it.
pub const ATTACH_PROTOCOL: &str = "ganger-attach/1";

/// How many columns and rows a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct TerminalSize {
    /// Rows: 1 to 2000.
    pub rows: u16,
    /// Columns: 1 to 2000.
    pub columns: u16,
}

impl TerminalSize {
    /// A size, if it is one: a terminal of no rows or no columns shows nothing.
    pub fn new(rows: u16, columns: u16) -> Option<Self> {
        let [rows, columns] = [rows, columns].map(|side| side.min(MAX_TERMINAL_SIDE));
        (rows > 0 && columns > 0).then_some(Self { rows, columns })
    }

    /// The part that two terminals have in common.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        Self { rows: self.rows.min(other.rows), columns: self.columns.min(other.columns) }
    }
}

/// Who wants to see a worker's terminal, and perhaps type there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachQuery {
    /// The worker, or a group of one.
    pub name: String,
    /// The viewer's own size. One that has none sees the terminal as it is.
    pub size: Option<TerminalSize>,
    /// Only look.
    pub read_only: bool,
    /// Go on with what the worker wrote from this position of its log on, where a connection broke.
    pub after: Option<u64>,
}

/// What a viewer is told beside what the worker writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Told {
    /// What follows begins here: at first, and where a viewer was too slow and the rest is left out. Nothing that was
    /// shown before counts any more.
    Begin(Begin),
    /// The viewer of an earlier connection goes on where that broke.
    Resumed(Begin),
    /// The terminal has another size from here on.
    Size(TerminalSize),
    /// The run has ended; all that it wrote came before this.
    Ended {
        /// Which run.
        run: u64,
        /// What happened, for people.
        text: String,
    },
    /// Another run of the worker has begun.
    Started(RunHere),
    /// Something that the viewer should know.
    Notice {
        /// A sentence for people.
        text: String,
    },
}

/// Where what a viewer sees begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Begin {
    /// The worker.
    #[schemars(with = "String")]
    pub worker: WorkerName,
    /// Its run; none while it does not run.
    pub run: Option<RunHere>,
    /// Why it is as it is, for people.
    pub why: String,
    /// The position of the first byte that follows.
    pub position: u64,
    /// What comes before this position was written earlier: to be shown at once, not as if it happened now.
    pub until: u64,
    /// Earlier output of this run is left out.
    pub cut: bool,
    /// What puts a fresh terminal into the modes in which the output that is left out had left it.
    pub modes: String,
}

/// A run that a viewer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunHere {
    /// Its number.
    pub run: u64,
    /// Its process.
    pub pid: Option<u32>,
    /// The size of its terminal; none if it has no terminal.
    pub terminal: Option<TerminalSize>,
    /// It reads what is typed: a terminal, or a pipe.
    pub reads: bool,
}

/// What a viewer asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Wish {
    /// The viewer has another size.
    Resize(TerminalSize),
}
