//! A line of a log as the screen keeps it.

use ganger_api::{LogLine, Time};
use ganger_spec::LogName;
use unicode_width::UnicodeWidthChar;

use crate::ansi::{Styled, TEXT_MAX, interpret};

/// What a line takes beside its text, about.
const OVERHEAD: usize = 160;

/// A line of a log.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) log: LogName,
    pub(crate) position: u64,
    pub(crate) time: Time,
    pub(crate) run: Option<u64>,
    pub(crate) styled: Styled,
    /// As it was written so far, if it has no end yet.
    open: Option<String>,
}

impl Entry {
    pub(crate) fn new(line: LogLine) -> Self {
        let styled = interpret(&line.text.text);
        let open = (!line.newline).then_some(line.text.text);
        Self { log: line.log, position: line.position, time: line.time, run: line.run, styled, open }
    }

    /// Takes what goes on with this line, if that is what `line` does.
    pub(crate) fn go_on(&mut self, line: &LogLine) -> bool {
        let Some(open) = &mut self.open else { return false };
        if (&line.log, line.run) != (&self.log, self.run) || line.position <= self.position {
            return false;
        }
        if open.len() + line.text.text.len() <= TEXT_MAX {
            open.push_str(&line.text.text);
            self.styled = interpret(open);
        } else {
            self.styled.cut = true;
        }
        self.position = line.position;
        if line.newline {
            self.open = None;
        }
        true
    }

    /// How much memory it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        let open = self.open.as_ref().map_or(0, String::len);
        OVERHEAD + self.styled.text.len() + open + self.styled.parts.len() * size_of::<(usize, usize, u64)>()
    }

    /// Where each of its rows begins, in bytes, if a row has so many columns; one row where it is cut.
    pub(crate) fn rows(&self, columns: Option<usize>) -> Vec<usize> {
        let mut rows = vec![0];
        let Some(columns) = columns else { return rows };
        let mut used = 0;
        for (at, letter) in self.styled.text.char_indices() {
            let width = letter.width().unwrap_or(0);
            if used + width > columns && used > 0 {
                rows.push(at);
                used = 0;
            }
            used += width;
        }
        rows
    }

    /// How many rows it takes.
    pub(crate) fn height(&self, columns: Option<usize>) -> usize {
        match columns {
            // Most lines are short.
            Some(columns) if self.styled.text.len() > columns => self.rows(Some(columns)).len(),
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::line;

    #[test]
    fn a_line_breaks_where_the_next_letter_does_not_fit() {
        let entry = Entry::new(line("web.1", 1, "abcdef日本"));
        assert_eq!(entry.rows(Some(3)), [0, 3, 6, 9]);
        assert_eq!(entry.rows(Some(4)), [0, 4, 9]);
        assert_eq!(entry.rows(None), [0]);
        assert_eq!((entry.height(Some(4)), entry.height(None)), (3, 1));
        // A letter that is wider than the screen has a row of its own all the same.
        assert_eq!(Entry::new(line("web.1", 1, "日本")).rows(Some(1)), [0, 3]);
    }

    #[test]
    fn a_line_goes_on_until_its_end() {
        let open = |position, text: &str| LogLine { newline: false, ..line("web.1", position, text) };
        let mut entry = Entry::new(open(5, "name? "));
        assert!(!entry.go_on(&line("web.2", 9, "x")), "of another worker");
        assert!(!entry.go_on(&LogLine { run: Some(9), ..line("web.1", 9, "x") }), "of another run");
        assert!(!entry.go_on(&open(5, "x")), "it is there already");
        assert!(entry.go_on(&open(8, "an")));
        assert!(entry.go_on(&line("web.1", 9, "na")));
        assert_eq!(entry.styled.text, "name? anna");
        assert!(!entry.go_on(&line("web.1", 12, "x")), "it has an end");
    }

    #[test]
    fn a_line_that_goes_on_for_ever_is_cut_at_its_bound() {
        let part = |position| LogLine { newline: false, ..line("web.1", position, &"x".repeat(TEXT_MAX)) };
        let mut entry = Entry::new(part(1));
        assert!(entry.go_on(&part(2)) && entry.styled.cut);
        assert_eq!(entry.styled.text.len(), TEXT_MAX);
    }
}
