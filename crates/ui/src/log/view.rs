//! What part of the lines is seen.

use super::Log;

/// To the side by so many columns.
const SIDE_STEP: usize = 8;
/// No line is longer.
const SHIFT_MAX: usize = crate::ansi::TEXT_MAX;

/// The room for a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// The first row that is seen: a line, and how many of its rows are above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Anchor {
    pub(crate) line: i64,
    pub(crate) row: usize,
}

/// What is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// The end, which goes on.
    End,
    /// From here on; it does not move by itself.
    Held(Anchor),
}

impl Log {
    /// The columns of a line's text; none where lines are cut instead of broken.
    pub(crate) fn text_columns(&self, space: Space) -> Option<usize> {
        self.wrap.then(|| space.columns.saturating_sub(self.prefix_width()).max(1))
    }

    /// Where the view begins.
    pub(crate) fn anchor(&self, space: Space) -> Anchor {
        let end = self.end_anchor(space);
        match self.view {
            View::End => end,
            View::Held(anchor) => {
                let first = Anchor { line: self.window.first(), row: 0 };
                anchor.clamp(first, Anchor { line: (self.window.end() - 1).max(first.line), row: usize::MAX })
            }
        }
    }

    /// Where a view begins that ends with the last line.
    fn end_anchor(&self, space: Space) -> Anchor {
        let mut left = space.rows;
        let columns = self.text_columns(space);
        for (line, entry) in self.window.before(self.window.end()) {
            let height = entry.height(columns);
            if height >= left {
                return Anchor { line, row: height - left };
            }
            left -= height;
        }
        Anchor { line: self.window.first(), row: 0 }
    }

    /// So many rows further up, at most up to the first.
    fn up(&self, from: Anchor, rows: usize, space: Space) -> Anchor {
        if rows <= from.row {
            return Anchor { row: from.row - rows, ..from };
        }
        let mut left = rows - from.row;
        let columns = self.text_columns(space);
        for (line, entry) in self.window.before(from.line) {
            let height = entry.height(columns);
            if height >= left {
                return Anchor { line, row: height - left };
            }
            left -= height;
        }
        Anchor { line: self.window.first(), row: 0 }
    }

    /// So many rows further down, at most to the last.
    fn down(&self, from: Anchor, rows: usize, space: Space) -> Anchor {
        let mut left = rows + from.row;
        let columns = self.text_columns(space);
        for (line, entry) in self.window.from(from.line) {
            let height = entry.height(columns);
            if left < height {
                return Anchor { line, row: left };
            }
            left -= height;
        }
        self.end_anchor(space)
    }

    /// Moves the view up (negative) or down by so many rows.
    pub(crate) fn scroll(&mut self, rows: isize, space: Space) {
        let (now, end) = (self.anchor(space), self.end_anchor(space));
        let distance = rows.unsigned_abs();
        if rows < 0 {
            let up = self.up(now, distance, space);
            if up < end {
                self.view = View::Held(up);
            }
            return;
        }
        let down = self.down(now, distance, space);
        if down < end {
            self.view = View::Held(down);
        } else {
            self.show_last_kept(space);
        }
    }

    /// To the last line that is kept; at the end of the log the view follows it.
    fn show_last_kept(&mut self, space: Space) {
        if self.at_end {
            self.view = View::End;
            self.unseen = 0;
        } else {
            self.view = View::Held(self.end_anchor(space));
        }
    }

    /// Holds the view where it is.
    pub(crate) fn hold(&mut self, space: Space) {
        if self.view == View::End {
            self.view = View::Held(self.anchor(space));
        }
    }

    /// Makes this line visible: in the middle, unless it is seen already.
    pub(crate) fn reveal(&mut self, line: i64, space: Space) {
        let top = self.anchor(space);
        let wanted = Anchor { line, row: 0 };
        let bottom = self.down(top, space.rows.saturating_sub(1), space);
        if wanted < top || wanted > bottom {
            self.view = View::Held(self.up(wanted, space.rows / 2, space));
        } else {
            self.view = View::Held(top);
        }
    }

    /// To the side, where lines are cut.
    pub(crate) fn shift(&mut self, right: bool) {
        self.shift = match right {
            _ if self.wrap => 0,
            true => (self.shift + SIDE_STEP).min(SHIFT_MAX),
            false => self.shift.saturating_sub(SIDE_STEP),
        };
    }

    /// The number of the line below the last that is seen.
    pub(super) fn below(&self, space: Space) -> i64 {
        let top = self.anchor(space);
        self.down(top, space.rows.saturating_sub(1), space).line.saturating_add(1)
    }

    /// Whether the last line that is kept is seen.
    pub(super) fn is_at_last(&self, space: Space) -> bool {
        self.anchor(space) >= self.end_anchor(space)
    }

    /// Whether fewer rows than one screen are above the view, and below it.
    pub(super) fn nears(&self, space: Space) -> (bool, bool) {
        let top = self.anchor(space);
        let first = Anchor { line: self.window.first(), row: 0 };
        let above = self.up(top, space.rows, space) == first;
        let below = self.down(top, space.rows, space) >= self.end_anchor(space);
        (above, below)
    }
}
