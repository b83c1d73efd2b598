//! Putting a terminal back.

use vt100::Screen;

/// What a program may have left in a terminal ends, all but what is written there: mouse and paste modes, other keys, a part
/// of the screen that scrolls alone, colours, a hidden cursor.
const MODES: &str = concat!(
    // Scrolling everywhere, and positions from the top of the screen: both put the cursor there.
    "\x1b[r\x1b[?6l",
    // The mouse, and how it tells; focus; pasted text in brackets; pictures that are drawn at once.
    "\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?1016l",
    "\x1b[?2004l\x1b[?2026l",
    // Keys as they were: kitty's and xterm's other ways to tell them, arrows, keypad.
    "\x1b[<99u\x1b[>4;0m\x1b[?1l\x1b>",
    // Lines wrap, text takes no room for itself; letters, colours, the cursor.
    "\x1b[?7h\x1b[4l\x1b(B\x0f\x1b[m\x1b[0 q\x1b[?25h",
);

/// Gives back a terminal that a program had and that shows this. Its text and its cursor stay.
pub fn reset(shown: &Screen) -> String {
    if shown.alternate_screen() {
        // It has the cursor of the usual screen.
        return format!("{MODES}\x1b[?1049l\x1b[m");
    }
    let (row, column) = shown.cursor_position();
    format!("{MODES}\x1b[{};{}H", row + 1, column + 1)
}

#[cfg(test)]
mod tests {
    use ganger_api::TerminalSize;

    use super::*;
    use crate::Mirror;

    #[test]
    fn a_terminal_that_is_given_back_has_its_text_and_its_usual_modes() {
        let mut mirror = Mirror::new(TerminalSize { rows: 6, columns: 20 }, 0);
        mirror.feed(b"one\r\n\x1b[31mtwo\x1b[2;4r\x1b[4;3H");
        mirror.feed(b"\x1b[?1h\x1b=\x1b[?1002h\x1b[?1006h\x1b[?2004h\x1b[?25l\x1b[3 q");
        mirror.feed(reset(mirror.screen()).as_bytes());
        let fresh = Mirror::new(TerminalSize { rows: 6, columns: 20 }, 0);
        assert_eq!(mirror.screen().contents(), "one\ntwo");
        assert_eq!(mirror.screen().cursor_position(), (3, 2));
        assert_eq!(mirror.screen().input_mode_formatted(), fresh.screen().input_mode_formatted());
        assert!(!mirror.screen().hide_cursor());
        mirror.feed(b"\x1b[?1049h\x1b[2Jinside");
        mirror.feed(reset(mirror.screen()).as_bytes());
        assert_eq!(mirror.screen().contents(), "one\ntwo");
        assert!(!mirror.screen().alternate_screen());
        assert_eq!(mirror.screen().fgcolor(), fresh.screen().fgcolor());
    }
}
