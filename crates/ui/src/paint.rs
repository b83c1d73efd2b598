//! From one picture to the next: the bytes that change what a terminal shows.

use std::fmt::Write as _;

use ratatui_core::buffer::{Buffer, Cell};
use ratatui_core::style::{Color, Modifier};

/// The terminal shows nothing until all of it has come, where it knows how.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";

/// What makes a terminal that shows `before` show `after`; nothing if they are alike. Without a picture before, or one
/// of another size, all of it is drawn anew.
pub fn paint(before: Option<&Buffer>, after: &Buffer) -> Vec<u8> {
    let mut out = String::from(BEGIN);
    let nothing = Buffer::empty(after.area);
    let before = before.filter(|before| before.area == after.area).unwrap_or_else(|| {
        out.push_str("\x1b[0m\x1b[2J");
        &nothing
    });
    let mut pen = Pen::default();
    let mut next = None;
    let start = out.len();
    for (column, row, cell) in before.diff(after) {
        if next != Some((column, row)) {
            // What is written into a text never fails.
            let _ = write!(out, "\x1b[{};{}H", row + 1, column + 1);
        }
        pen.turn_to(cell, &mut out);
        out.push_str(cell.symbol());
        // A letter may be wider than a cell: then the place is said anew.
        next = cell.symbol().is_ascii().then_some((column + 1, row));
    }
    if out.len() == start && start == BEGIN.len() {
        return Vec::new();
    }
    out.push_str("\x1b[0m");
    out.push_str(END);
    out.into_bytes()
}

/// How the terminal writes now.
#[derive(Default)]
struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

/// The modifiers that are shown, and their codes.
const MODIFIERS: [(Modifier, u8); 7] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::SLOW_BLINK, 5),
    (Modifier::REVERSED, 7),
    (Modifier::CROSSED_OUT, 9),
];

impl Pen {
    fn turn_to(&mut self, cell: &Cell, out: &mut String) {
        if (self.fg, self.bg, self.modifier) == (cell.fg, cell.bg, cell.modifier) {
            return;
        }
        out.push_str("\x1b[0");
        for (modifier, code) in MODIFIERS {
            if cell.modifier.contains(modifier) {
                let _ = write!(out, ";{code}");
            }
        }
        colour(cell.fg, 30, out);
        colour(cell.bg, 40, out);
        out.push('m');
        *self = Self { fg: cell.fg, bg: cell.bg, modifier: cell.modifier };
    }
}

/// The code of a colour; `base` is that of black.
fn colour(colour: Color, base: u8, out: &mut String) {
    let (named, bright) = match colour {
        Color::Reset => return,
        Color::Rgb(red, green, blue) => {
            let _ = write!(out, ";{};2;{red};{green};{blue}", base + 8);
            return;
        }
        Color::Indexed(index) => {
            let _ = write!(out, ";{};5;{index}", base + 8);
            return;
        }
        Color::Black => (0, false),
        Color::Red => (1, false),
        Color::Green => (2, false),
        Color::Yellow => (3, false),
        Color::Blue => (4, false),
        Color::Magenta => (5, false),
        Color::Cyan => (6, false),
        Color::Gray => (7, false),
        Color::DarkGray => (0, true),
        Color::LightRed => (1, true),
        Color::LightGreen => (2, true),
        Color::LightYellow => (3, true),
        Color::LightBlue => (4, true),
        Color::LightMagenta => (5, true),
        Color::LightCyan => (6, true),
        Color::White => (7, true),
    };
    let _ = write!(out, ";{}", base + named + if bright { 60 } else { 0 });
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui_core::style::Style;

    fn text(before: Option<&Buffer>, after: &Buffer) -> String {
        String::from_utf8(paint(before, after)).unwrap()
    }

    #[test]
    fn only_what_changed_is_written() {
        let before = Buffer::with_lines(["one two", "three"]);
        let mut after = before.clone();
        assert_eq!(text(Some(&before), &after), "");
        after.set_string(4, 0, "six", Style::new().fg(Color::Red).add_modifier(Modifier::BOLD));
        assert_eq!(text(Some(&before), &after), "\x1b[?2026h\x1b[1;5H\x1b[0;1;31msix\x1b[0m\x1b[?2026l");
    }

    #[test]
    fn another_size_is_drawn_anew() {
        let (small, large) = (Buffer::with_lines(["a"]), Buffer::with_lines(["a", "b"]));
        for before in [None, Some(&small)] {
            let all = text(before, &large);
            assert!(all.starts_with("\x1b[?2026h\x1b[0m\x1b[2J\x1b[1;1H") && all.contains('b'), "{all:?}");
        }
    }

    #[test]
    fn colours_have_their_codes() {
        let codes = |wanted, base| {
            let mut out = String::new();
            colour(wanted, base, &mut out);
            out
        };
        assert_eq!(codes(Color::Reset, 30), "");
        assert_eq!(codes(Color::LightBlue, 30), ";94");
        assert_eq!(codes(Color::White, 40), ";107");
        assert_eq!(codes(Color::Indexed(208), 40), ";48;5;208");
        assert_eq!(codes(Color::Rgb(1, 2, 3), 30), ";38;2;1;2;3");
    }

    #[test]
    fn a_place_is_said_again_behind_a_wide_letter() {
        let before = Buffer::with_lines(["      "]);
        let after = Buffer::with_lines(["日本x "]);
        let all = text(Some(&before), &after);
        assert!(all.contains("日\x1b[1;3H本\x1b[1;5Hx"), "{all:?}");
    }
}
