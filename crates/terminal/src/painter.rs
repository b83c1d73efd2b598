//! Showing a worker's terminal in one of another size.

use std::fmt::Write;

use ganger_api::TerminalSize;
use vt100::Screen;

use crate::Mirror;

/// Shows as much of a mirror as fits: from the left, and down to the cursor.
#[derive(Default)]
pub struct Painter {
    shown: Option<Shown>,
}

/// What was painted last.
struct Shown {
    screen: Screen,
    size: TerminalSize,
    /// The first row that was shown.
    top: u16,
}

impl Painter {
    /// What was painted is gone: all of it is painted again.
    pub fn forget(&mut self) {
        self.shown = None;
    }

    /// Makes a terminal of this size show what the mirror has now.
    pub fn paint(&mut self, mirror: &Mirror, size: TerminalSize) -> String {
        let screen = mirror.screen();
        let (row, column) = screen.cursor_position();
        let own = mirror.size();
        let rows = size.rows.min(own.rows);
        let columns = size.columns.min(own.columns);
        let top = (row + 1).saturating_sub(rows);
        let before = self.shown.take();
        let before = before
            .filter(|shown| shown.size == size && shown.top == top && shown.screen.size() == screen.size());
        // What is too wide for its place must not go to the next row.
        let mut text = String::from("\x1b[?25l\x1b[?7l\x1b[m");
        if let Some(Shown { screen: before, .. }) = &before {
            put(screen.rows_diff(before, 0, columns), top, rows, false, &mut text);
            text.push_str(&screen.input_mode_diff(before));
        } else {
            text.push_str("\x1b[H\x1b[J");
            put(screen.rows_formatted(0, columns), top, rows, true, &mut text);
            text.push_str(&screen.input_mode_formatted());
        }
        text.push_str("\x1b[?7h");
        if column <= size.columns {
            // Writing to text cannot fail.
            let _ = write!(text, "\x1b[{};{}H", row - top + 1, (column + 1).min(size.columns));
            text.push_str(if screen.hide_cursor() { "" } else { "\x1b[?25h" });
        }
        self.shown = Some(Shown { screen: screen.clone(), size, top });
        text
    }
}

/// Puts so many rows from `top` on at the top of the terminal.
fn put(all: impl Iterator<Item = String>, top: u16, rows: u16, whole: bool, text: &mut String) {
    let rows = all.skip(top.into()).take(rows.into());
    for (number, row) in rows.enumerate().filter(|(_, row)| whole || !row.is_empty()) {
        let _ = write!(text, "\x1b[{};1H\x1b[m{}", number + 1, row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(rows: u16, columns: u16) -> TerminalSize {
        TerminalSize { rows, columns }
    }

    /// The lines of a mirror without what is left of spaces.
    fn lines(mirror: &Mirror) -> Vec<String> {
        let (_, columns) = mirror.screen().size();
        mirror.screen().rows(0, columns.get()).map(|row| row.trim_end().to_owned()).collect()
    }

    #[test]
    fn a_smaller_terminal_shows_the_part_at_the_cursor_and_a_larger_one_all() {
        let mut worker = Mirror::new(size(4, 10), 0);
        let mut small = Mirror::new(size(2, 6), 0);
        let mut large = Mirror::new(size(6, 12), 0);
        let (mut for_small, mut for_large) = (Painter::default(), Painter::default());
        let steps = [
            ("0123456789\r\n\x1b[32mgreen\x1b[m\r\nthird", ["green", "third"], Some((1, 5))),
            ("\x1b[1;1Htop", ["top345", "green"], Some((0, 3))),
            ("\x1b[1;1H\x1b[K\x1b[4;8Hend", ["third", ""], None),
            ("\r\n\r\n\x1b[2Jcleared", ["", "cleare"], None),
        ];
        for (bytes, [first, second], cursor) in steps {
            worker.feed(bytes.as_bytes());
            small.feed(for_small.paint(&worker, small.size()).as_bytes());
            large.feed(for_large.paint(&worker, large.size()).as_bytes());
            assert_eq!(lines(&small), [first, second], "{bytes:?}");
            let shown = (!small.screen().hide_cursor()).then(|| small.screen().cursor_position());
            assert_eq!(shown, cursor, "{bytes:?}: none where it is beyond the edge");
            assert_eq!(lines(&large)[..4], lines(&worker), "{bytes:?}");
            assert_eq!(large.screen().cursor_position(), worker.screen().cursor_position(), "{bytes:?}");
        }
    }

    #[test]
    fn only_what_changed_is_painted_again() {
        let mut worker = Mirror::new(size(24, 80), 0);
        let mut painter = Painter::default();
        worker.feed("text ".repeat(300).as_bytes());
        let first = painter.paint(&worker, size(30, 90)).len();
        worker.feed(b"x");
        let second = painter.paint(&worker, size(30, 90)).len();
        assert!(second * 20 < first, "{first} bytes, then {second}");
        painter.forget();
        assert!(painter.paint(&worker, size(30, 90)).len() >= first);
    }
}
