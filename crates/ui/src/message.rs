//! What reaches the screen, and what it asks for.

use ganger_api::{
    AppInfo, EventInfo, FromWorker, LogLine, LogQuery, OutcomeInfo, Request, TerminalSize, Time, WorkersInfo,
};
use jiff::tz::TimeZone;

use crate::Press;

/// What a screen begins with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The app's name.
    pub app: String,
    /// The app ends with the screen: `ganger start --ui`.
    pub owns_app: bool,
    /// Now: what happened before is no news.
    pub now: Time,
    /// Where people are.
    pub zone: TimeZone,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Without colours where somebody asked for none.
    pub coloured: bool,
}

/// What reaches the screen.
#[derive(Clone, Debug)]
pub enum Message {
    /// A key was pressed.
    Press(Press),
    /// The terminal has so many columns and rows now.
    Resized(u16, u16),
    /// The answer to [`Effect::Look`].
    Looked {
        /// The app.
        app: Box<AppInfo>,
        /// Its workers.
        workers: WorkersInfo,
        /// When that was.
        at: Time,
    },
    /// Something happened in the app.
    Happened(EventInfo),
    /// Lines that [`Effect::Follow`] asked for.
    Lines {
        /// Of which request.
        window: u64,
        /// The lines, the oldest first.
        lines: Vec<LogLine>,
    },
    /// The answer to [`Effect::Page`].
    Paged {
        /// What was asked for.
        page: Page,
        /// The lines, the oldest first.
        lines: Vec<LogLine>,
        /// There are no more than these.
        complete: bool,
    },
    /// A log cannot be shown.
    LogFailed {
        /// Of which request.
        window: u64,
        /// Why.
        why: String,
    },
    /// What is told of the terminal that [`Effect::View`] asked for.
    Viewed {
        /// Of which request.
        window: u64,
        /// What is told, or why nothing is any more.
        told: Result<FromWorker, String>,
    },
    /// The end of [`Effect::Attach`], and why it could not be.
    Attached(Option<String>),
    /// The answer to [`Effect::Ask`].
    Answered {
        /// What was asked, in words.
        words: String,
        /// What came of it, or why nothing did.
        result: Result<OutcomeInfo, String>,
    },
    /// The app has ended, or cannot be reached any more: a sentence.
    Ended(String),
    /// Nobody pressed a key and nothing happened for a while: figures are not sampled any more.
    Rested,
}

/// What the screen asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Look at the app and its workers.
    Look,
    /// Follow these logs from now on, and no others.
    Follow {
        /// Comes back with the lines.
        window: u64,
        /// Which.
        query: Box<LogQuery>,
    },
    /// Follow no log any more.
    Unfollow,
    /// Read stored lines.
    Page(Page),
    /// Look at the terminal of this worker from now on, and at no other, without changing it.
    View {
        /// Comes back with what is told.
        window: u64,
        /// Whose.
        worker: String,
    },
    /// Look at no terminal any more.
    Unview,
    /// Give the whole terminal to this worker until it is let go; then comes [`Message::Attached`].
    Attach(String),
    /// Let the workers' terminals be as large as the room for one, where the app is this screen's own.
    Fit(TerminalSize),
    /// Ask the app for something that changes it.
    Ask {
        /// What it is.
        request: Request,
        /// The same in words.
        words: String,
    },
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Give the terminal back and end; the app goes on, unless it has ended.
    Leave,
}

/// Stored lines that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Comes back with the lines.
    pub window: u64,
    /// What they are for.
    pub place: Place,
    /// Which they are.
    pub query: Box<LogQuery>,
    /// No more than so many are wanted.
    pub take: usize,
}

/// What stored lines are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// They go before the lines that are there.
    Older,
    /// They go behind the lines that are there.
    Newer,
    /// The last of them is a match of the search above the lines that are there.
    OlderMatch,
    /// The first of them is a match of the search below the lines that are there.
    NewerMatch,
    /// They take the place of the lines that are there.
    Around,
}
