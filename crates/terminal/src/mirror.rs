//! The screen that a worker's terminal shows.

use std::fmt;
use std::num::NonZeroU16;

use ganger_api::TerminalSize;
use vt100::capture::{BasicFormattedCaptureRange, BasicFormattedCaptureState};
use vt100::{Parser, Screen};

/// A worker's terminal, kept from what the worker writes.
pub struct Mirror {
    parser: Parser,
    history: usize,
}

impl Mirror {
    /// An empty terminal of this size, which keeps so many lines that scrolled off.
    pub fn new(size: TerminalSize, history: usize) -> Self {
        let (rows, columns) = sides(size);
        Self { parser: Parser::new(rows, columns, history), history }
    }

    /// The worker wrote this.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
    }

    /// The terminal has this size from here on. Lines are cut, not wrapped anew: a program that cares draws again.
    pub fn resize(&mut self, size: TerminalSize) {
        if size != self.size() {
            let (rows, columns) = sides(size);
            self.parser.set_size(rows, columns);
        }
    }

    /// Begins with an empty terminal of this size.
    pub fn clear(&mut self, size: TerminalSize) {
        *self = Self::new(size, self.history);
    }

    /// Its size.
    pub fn size(&self) -> TerminalSize {
        let (rows, columns) = self.screen().size();
        TerminalSize { rows: rows.get(), columns: columns.get() }
    }

    /// What it shows.
    pub fn screen(&self) -> &Screen {
        self.parser.screen()
    }

    /// The same, to scroll back in it.
    pub fn screen_mut(&mut self) -> &mut Screen {
        self.parser.screen_mut()
    }

    /// Makes a terminal of the same size show this, whatever it shows now; `alternate` says whether that is the other screen.
    /// `history` lets the lines that scrolled off go by, into what that terminal keeps of them.
    pub fn redraw(&self, alternate: bool, history: bool) -> String {
        let screen = self.screen();
        let mut text = String::from("\x1b[m");
        match (alternate, screen.alternate_screen()) {
            (false, true) => text.push_str("\x1b[?1049h"),
            (true, false) => text.push_str("\x1b[?1049l"),
            (false, false) | (true, true) => {}
        }
        if history && !screen.alternate_screen() {
            text.push_str(&self.lines().replace('\n', "\r\n"));
        }
        text.push_str(&screen.state_formatted());
        text
    }

    /// Every line that is kept and the screen below, with colours.
    fn lines(&self) -> String {
        let mut lines = String::new();
        let mut state = BasicFormattedCaptureState::new();
        let all = BasicFormattedCaptureRange::Full(&mut state);
        // Writing to text cannot fail.
        let _ = self.screen().write_contents_formatted_basic(&mut lines, all);
        lines
    }
}

impl fmt::Debug for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mirror").field("size", &self.size()).finish_non_exhaustive()
    }
}

fn sides(size: TerminalSize) -> (NonZeroU16, NonZeroU16) {
    let side = |side| NonZeroU16::new(side).unwrap_or(NonZeroU16::MIN);
    (side(size.rows), side(size.columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: TerminalSize = TerminalSize { rows: 5, columns: 20 };

    fn mirror(bytes: &str) -> Mirror {
        let mut mirror = Mirror::new(SIZE, 100);
        mirror.feed(bytes.as_bytes());
        mirror
    }

    /// What must be the same of two terminals that show the same.
    fn shown(mirror: &Mirror) -> (String, (u16, u16), bool, String) {
        let screen = mirror.screen();
        (
            screen.contents_formatted(),
            screen.cursor_position(),
            screen.alternate_screen(),
            screen.input_mode_formatted(),
        )
    }

    #[test]
    fn a_redraw_shows_the_same_whatever_was_there_before() {
        let shells = "$ ls\r\n\x1b[34mred\x1b[m  file\r\n$ \x1b[1mtyped";
        let full_screen =
            "before\x1b[?1049h\x1b[?1h\x1b=\x1b[?1000h\x1b[?2004h\x1b[2J\x1b[3;4H\x1b[7mstatus\x1b[?25l";
        let wrapped = &"x".repeat(47);
        let wide = "日本語日本語日本語日本語\r\n\x1b[31m\u{e9}\u{301}";
        for worker in [shells, full_screen, wrapped, wide, ""] {
            for before in ["", "rubbish\r\n\x1b[31mmore\r\n\n\n\n\n\nof it", "\x1b[?1049hrubbish"] {
                for history in [false, true] {
                    let worker = mirror(worker);
                    let mut viewer = mirror(before);
                    let other = viewer.screen().alternate_screen();
                    viewer.feed(worker.redraw(other, history).as_bytes());
                    assert_eq!(shown(&viewer), shown(&worker), "{before:?}, history {history}");
                }
            }
        }
    }

    #[test]
    fn lines_that_scrolled_off_are_in_the_viewers_own_history() {
        let lines: Vec<String> = (1..=30).map(|number| format!("line {number}\r\n")).collect();
        let text = lines.concat();
        let worker = mirror(&text);
        let mut viewer = mirror("$ ganger attach\r\n");
        viewer.feed(worker.redraw(false, true).as_bytes());
        assert_eq!(viewer.screen().contents(), worker.screen().contents());
        viewer.screen_mut().set_scrollback(usize::MAX);
        let oldest = viewer.screen().contents();
        assert!(oldest.starts_with("$ ganger attach\nline 1\nline 2\n"), "{oldest}");
        viewer.feed(worker.redraw(false, false).as_bytes());
        assert_eq!(viewer.screen().scrollback_len(), 27, "nothing goes by twice");
    }

    #[test]
    fn what_follows_a_redraw_means_the_same_in_both() {
        let mut worker = mirror("one\r\ntwo\x1b[?1049h\x1b[2;3Hinside");
        let mut viewer = mirror("rubbish");
        viewer.feed(worker.redraw(false, true).as_bytes());
        for next in ["\x1b[1;1Htop", "\x1b[4;1H\r\nscrolled\r\n", "\x1b[31mred\x1b[K"] {
            worker.feed(next.as_bytes());
            viewer.feed(next.as_bytes());
            assert_eq!(shown(&viewer), shown(&worker), "{next:?}");
        }
    }
}
