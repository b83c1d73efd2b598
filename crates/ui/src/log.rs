//! The log that is shown: which lines of it are kept, and what part of them is seen.
//!
//! The rules. What is kept is one piece of the stored log without a gap. At the end of the log it is followed: what is
//! written is put behind it, and the oldest lines give way. A view that is held does not move: if what is kept is full
//! then, following ends instead, and begins again where the piece ends or at the end of the log. Near an end of the piece
//! the next lines are asked for.

mod paging;
mod seek;
mod view;

use ganger_api::{LogLine, LogQuery};

use crate::message::{Effect, Place};
use crate::search::Pattern;
use crate::window::{Giving, Window};

pub(crate) use view::{Anchor, Space, View};

/// So many lines are asked for when a log is opened.
const LINES_AT_FIRST: u32 = 1_000;
/// So many lines are asked for at a time, further up and down.
const PAGE_LINES: u32 = 1_000;
/// Names before lines are given so much room at most.
const NAME_MAX: usize = 24;
/// What stands before a line: `12:30:05 `.
const STAMP_WIDTH: usize = 9;
/// What stands between a name and its line: ` | `.
const BAR_WIDTH: usize = 3;

/// A log, or several together.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) window: Window,
    /// Which request the lines are of.
    number: u64,
    names: Vec<String>,
    /// Several workers: their names stand before the lines.
    pub(crate) merged: bool,
    pub(crate) name_width: usize,
    /// Nothing older is stored.
    at_start: bool,
    /// What is written now goes behind the last line.
    at_end: bool,
    pub(crate) view: View,
    /// Lines that came while the view was held.
    pub(crate) unseen: usize,
    pub(crate) stamps: bool,
    pub(crate) wrap: bool,
    /// So many columns are to the left, where lines are cut.
    pub(crate) shift: usize,
    pub(crate) search: Option<Pattern>,
    /// The line that the search has found.
    pub(crate) found: Option<i64>,
    pub(crate) filter: Option<Pattern>,
    /// It was asked for lately: that there is nothing cannot be said yet.
    pub(crate) is_fresh: bool,
    /// Lines are under way.
    waiting: Option<Place>,
    /// What is to be seen when they are there.
    goal: Option<LogLine>,
    /// What people should know.
    pub(crate) remark: Option<String>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            window: Window::default(),
            number: 0,
            names: Vec::new(),
            merged: true,
            name_width: 0,
            at_start: false,
            at_end: true,
            view: View::End,
            unseen: 0,
            stamps: false,
            wrap: true,
            shift: 0,
            search: None,
            found: None,
            filter: None,
            is_fresh: true,
            waiting: None,
            goal: None,
            remark: None,
        }
    }

    /// Shows these logs from their end.
    pub(crate) fn open(&mut self, names: Vec<String>, merged: bool) -> Effect {
        self.names = names;
        self.merged = merged;
        self.name_width = 0;
        self.shift = 0;
        self.reopen()
    }

    /// Shows the end of the same logs.
    pub(crate) fn reopen(&mut self) -> Effect {
        self.begin();
        self.is_fresh = true;
        self.at_start = false;
        self.at_end = true;
        self.view = View::End;
        Effect::Follow {
            window: self.number,
            query: Box::new(LogQuery {
                lines: Some(LINES_AT_FIRST),
                follow: true,
                sse: true,
                ..self.query()
            }),
        }
    }

    /// Nothing is kept; what was asked for before is not wanted any more.
    fn begin(&mut self) {
        self.number += 1;
        self.window.clear();
        self.unseen = 0;
        self.found = None;
        self.waiting = None;
        self.goal = None;
    }

    /// Which lines are shown at all.
    fn query(&self) -> LogQuery {
        let query = LogQuery { names: self.names.clone(), ..LogQuery::default() };
        match &self.filter {
            Some(filter) => {
                LogQuery { grep: Some(filter.text.clone()), ignore_case: filter.ignores_case, ..query }
            }
            None => query,
        }
    }

    #[cfg(test)]
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether this answer is still wanted.
    fn is_wanted(&self, window: u64) -> bool {
        window == self.number
    }

    /// Takes lines that were written.
    pub(crate) fn lines(&mut self, window: u64, lines: Vec<LogLine>) -> Vec<Effect> {
        if !self.is_wanted(window) || !self.at_end {
            return Vec::new();
        }
        self.learn_names(&lines);
        let new = self.window.append(lines);
        if self.view == View::End {
            if self.window.trim(Giving::Oldest) {
                self.at_start = false;
            }
            return Vec::new();
        }
        self.unseen += new;
        if !self.window.is_full() {
            return Vec::new();
        }
        self.window.trim(Giving::Newest);
        self.at_end = false;
        vec![Effect::Unfollow]
    }

    fn learn_names(&mut self, lines: &[LogLine]) {
        let longest = lines.iter().map(|line| line.log.to_string().len()).max().unwrap_or(0);
        self.name_width = self.name_width.max(longest.min(NAME_MAX));
    }

    /// A log cannot be shown.
    pub(crate) fn failed(&mut self, window: u64, why: String) {
        if self.is_wanted(window) {
            self.waiting = None;
            self.remark = Some(why);
        }
    }

    /// What stands before each line takes so many columns.
    pub(crate) fn prefix_width(&self) -> usize {
        let stamp = if self.stamps { STAMP_WIDTH } else { 0 };
        stamp + if self.merged && self.name_width > 0 { self.name_width + BAR_WIDTH } else { 0 }
    }

    /// Shows only lines with this in them, or all.
    pub(crate) fn set_filter(&mut self, filter: Option<Pattern>) -> Effect {
        self.filter = filter;
        self.reopen()
    }

    /// Whether the end is seen, as it goes on.
    pub(crate) fn follows(&self) -> bool {
        self.view == View::End
    }
}
