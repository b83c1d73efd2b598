//! What of a worker's line is shown among those of others.
//!
//! A worker that has a terminal writes for a screen of its own: colours, a line that is written over again and again, pages
//! that it draws. Of that, a line is shown as it is in the end, with its colours or without them, and nothing that would
//! move the cursor, clear the screen or change the terminal for all.

/// How much of it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Every byte.
    All,
    /// Text and colours: for a terminal.
    Colors,
    /// Text: for a file or a pipe.
    #[default]
    Text,
}

impl Keep {
    /// What suits an output.
    pub(crate) fn suiting(is_terminal: bool, raw: bool) -> Self {
        match (raw, is_terminal) {
            (true, _) => Self::All,
            (false, true) => Self::Colors,
            (false, false) => Self::Text,
        }
    }
}

/// In place of what a worker draws that takes the whole screen.
const FULL_SCREEN: &[u8] = b"(takes the whole screen: `ganger attach` shows it)";
/// So much of the colours that are in force is remembered.
const COLORS_MAX: usize = 64;
/// A cursor is moved on by so many columns at most.
const GAP_MAX: usize = 200;
const ESC: u8 = 0x1B;
const BEL: u8 = 0x07;
const BACKSPACE: u8 = 0x08;
/// Takes all colours back.
pub(crate) const RESET: &[u8] = b"\x1b[0m";

/// Cleans the lines of one log, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Cleaner {
    keep: Keep,
    /// The colours that are in force, over the ends of lines.
    colors: Vec<u8>,
    /// It draws on a screen of its own.
    is_away: bool,
}

/// A line on its way.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    /// Where it begins in there.
    start: usize,
    /// What comes before this is no text that can be gone back over.
    solid: usize,
    /// What is written next is written over all of it.
    is_over: bool,
    /// What is written next is written over so many characters.
    back: usize,
    /// Something is to be shown.
    has_text: bool,
    /// Something was drawn that is not shown.
    hid: bool,
}

/// What an escape sequence does.
enum Sequence {
    Color,
    /// To a screen of its own, or back.
    Screen(bool),
    /// Somewhere else on the screen.
    Moves,
    Clears,
    Skips(usize),
    Other,
}

impl Cleaner {
    pub(crate) fn new(keep: Keep) -> Self {
        Self { keep, colors: Vec::new(), is_away: false }
    }

    /// Whether something is left out.
    pub(crate) fn is_cleaning(&self) -> bool {
        self.keep != Keep::All
    }

    /// Adds what is to be shown of a line, which has no end of line, to `out`. Says whether there is a line to be shown.
    pub(crate) fn line(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        let is_plain = |byte: &u8| !byte.is_ascii_control() || *byte == b'\t';
        let is_settled = self.colors.is_empty() && !self.is_away;
        if self.keep == Keep::All || is_settled && bytes.iter().all(is_plain) {
            out.extend_from_slice(bytes);
            return true;
        }
        let (start, was_away) = (out.len(), self.is_away);
        let (is_over, back, has_text, hid) = (false, 0, false, false);
        let mut line = Line { out, start, solid: start, is_over, back, has_text, hid };
        line.color(self.keep, &self.colors);
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                ESC => {
                    let (length, sequence) = parse(after);
                    self.obey(&sequence, &after[..length], &mut line);
                    rest = &after[length..];
                }
                _ if self.is_away => line.hid = true,
                b'\r' => line.is_over = true,
                BACKSPACE => line.back += 1,
                control if control != b'\t' && control.is_ascii_control() && self.keep == Keep::Colors => {}
                text => line.write(text, self.keep, &self.colors),
            }
        }
        if line.has_text || !line.hid && !was_away {
            if self.keep == Keep::Colors && !self.colors.is_empty() {
                line.out.extend_from_slice(RESET);
            }
            return true;
        }
        out.truncate(start);
        false
    }

    fn obey(&mut self, sequence: &Sequence, bytes: &[u8], line: &mut Line<'_>) {
        match sequence {
            Sequence::Color => {
                let parameters = bytes.get(1..bytes.len() - 1).unwrap_or_default();
                if parameters.is_empty() || parameters == b"0" {
                    self.colors.clear();
                    line.color(self.keep, RESET);
                } else {
                    if self.colors.len() + bytes.len() >= COLORS_MAX {
                        self.colors.clear();
                    }
                    let at = self.colors.len();
                    self.colors.push(ESC);
                    self.colors.extend_from_slice(bytes);
                    line.color(self.keep, &self.colors[at..]);
                }
            }
            Sequence::Screen(true) if !self.is_away => {
                for byte in FULL_SCREEN {
                    line.write(*byte, self.keep, &self.colors);
                }
                self.is_away = true;
            }
            Sequence::Screen(is_away) => {
                self.is_away = *is_away;
                line.hid = true;
            }
            _ if self.is_away => line.hid = true,
            Sequence::Moves => line.is_over = true,
            Sequence::Clears => line.clear(self.keep, &self.colors),
            Sequence::Skips(columns) => {
                for _ in 0..*columns {
                    line.write(b' ', self.keep, &self.colors);
                }
            }
            Sequence::Other => {}
        }
    }
}

impl Line<'_> {
    fn write(&mut self, byte: u8, keep: Keep, colors: &[u8]) {
        if std::mem::take(&mut self.is_over) {
            self.clear(keep, colors);
        }
        if self.back > 0 && byte & 0xC0 != 0x80 {
            self.back -= 1;
            let is_inner = |byte: &u8| byte & 0xC0 == 0x80;
            while self.out.len() > self.solid && self.out.pop().as_ref().is_some_and(is_inner) {}
        }
        self.out.push(byte);
        self.has_text = true;
    }

    fn clear(&mut self, keep: Keep, colors: &[u8]) {
        self.out.truncate(self.start);
        self.solid = self.start;
        self.back = 0;
        self.color(keep, colors);
    }

    fn color(&mut self, keep: Keep, sequence: &[u8]) {
        if keep == Keep::Colors && !self.is_over {
            self.out.extend_from_slice(sequence);
            self.solid = self.out.len();
        }
    }
}

/// The length of the sequence that follows an ESC, and what it does. One that is not complete goes up to the end.
fn parse(bytes: &[u8]) -> (usize, Sequence) {
    match bytes.first() {
        Some(b'[') => {
            let inner = bytes.iter().skip(1).position(|byte| !(0x20..=0x3F).contains(byte));
            let Some(end) = inner.map(|at| at + 1) else { return (bytes.len(), Sequence::Other) };
            // What interrupts it is none of it.
            let length = if bytes[end].is_ascii_control() { end } else { end + 1 };
            (length, meaning(&bytes[1..end], bytes[end]))
        }
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            let is_end = |(at, byte): (usize, &u8)| match *byte {
                BEL => Some(at + 1),
                ESC if bytes.get(at + 1) == Some(&b'\\') => Some(at + 2),
                _ => None,
            };
            (bytes.iter().enumerate().find_map(is_end).unwrap_or(bytes.len()), Sequence::Other)
        }
        Some(_) => {
            let end = bytes.iter().position(|byte| !(0x20..=0x2F).contains(byte));
            let length = end.map_or(bytes.len(), |end| end + usize::from(!bytes[end].is_ascii_control()));
            (length, if bytes[0] == b'c' { Sequence::Screen(false) } else { Sequence::Other })
        }
        None => (0, Sequence::Other),
    }
}

fn meaning(parameters: &[u8], last: u8) -> Sequence {
    let is_private = parameters.first().is_some_and(|byte| (0x3C..=0x3F).contains(byte));
    match (last, parameters) {
        (b'm', _) if !is_private => Sequence::Color,
        (b'h' | b'l', b"?1049" | b"?1047" | b"?47") => Sequence::Screen(last == b'h'),
        (b'A'..=b'B' | b'E'..=b'H' | b'd' | b'f' | b'J', _) if !is_private => Sequence::Moves,
        (b'K', b"1" | b"2") => Sequence::Clears,
        (b'C', _) if !is_private => {
            let columns =
                std::str::from_utf8(parameters).ok().and_then(|text| text.parse().ok()).unwrap_or(1);
            Sequence::Skips(columns.min(GAP_MAX))
        }
        _ => Sequence::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(cleaner: &mut Cleaner, line: &[u8]) -> Option<String> {
        let mut out = b"| ".to_vec();
        let shown = cleaner.line(line, &mut out);
        assert!(shown || out == b"| ");
        shown.then(|| String::from_utf8_lossy(&out[2..]).into_owned())
    }

    fn text(line: &str) -> String {
        cleaned(&mut Cleaner::new(Keep::Text), line.as_bytes()).unwrap()
    }

    fn colored(line: &str) -> String {
        cleaned(&mut Cleaner::new(Keep::Colors), line.as_bytes()).unwrap()
    }

    #[test]
    fn a_line_is_shown_as_it_is_in_the_end() {
        for (line, shown) in [
            ("plain\ttext é日", "plain\ttext é日"),
            ("", ""),
            ("hello\r", "hello"),
            ("10%\r20%\r100%\r", "100%"),
            ("10%\r20%\r100%\r\r", "100%"),
            ("working\x1b[2K\rdone", "done"),
            ("working\r\x1b[Kdone", "done"),
            ("old\x1b[5;1Hnew", "new"),
            ("\x1b[2J\x1b[Hpage", "page"),
            ("|\x08/\x08-", "-"),
            ("é\x08x", "x"),
            ("abc\x08\x08\x08", "abc"),
            ("a\x1b[3Cb", "a   b"),
        ] {
            assert_eq!((text(line).as_str(), colored(line).as_str()), (shown, shown), "{line:?}");
        }
    }

    #[test]
    fn nothing_reaches_another_screen_but_text_and_colours_which_end_with_the_line() {
        let line =
            "\x1b]0;title\x07\x1b[1;31mred\x1b[0m \x1b[?25l\x1b(B\x1bM\x1bP1\x1b\\\x07bell\x1b[38;5;1mon";
        assert_eq!(colored(line), "\x1b[1;31mred\x1b[0m bell\x1b[38;5;1mon\x1b[0m");
        assert_eq!(text(line), "red \x07bellon");
        assert_eq!(colored("\x1b[31mold\r\x1b[32mnew"), "\x1b[31m\x1b[32mnew\x1b[0m");
        assert_eq!(colored("half a sequence \x1b[3"), "half a sequence ");
        let mut raw = Vec::new();
        assert!(Cleaner::new(Keep::All).line(b"\x1b[2Jx\r", &mut raw));
        assert_eq!(raw, b"\x1b[2Jx\r");
    }

    #[test]
    fn colours_go_on_in_the_next_line() {
        let mut cleaner = Cleaner::new(Keep::Colors);
        assert_eq!(cleaned(&mut cleaner, b"\x1b[31mone").unwrap(), "\x1b[31mone\x1b[0m");
        assert_eq!(cleaned(&mut cleaner, b"two\x1b[m").unwrap(), "\x1b[31mtwo\x1b[0m");
        assert_eq!(cleaned(&mut cleaner, b"three").unwrap(), "three");
        for _ in 0..100 {
            cleaned(&mut cleaner, b"\x1b[1;2;3;4;5;6;7;8m");
        }
        assert!(cleaner.colors.len() <= COLORS_MAX);
    }

    #[test]
    fn what_takes_the_whole_screen_is_told_of_and_not_shown() {
        let mut cleaner = Cleaner::new(Keep::Colors);
        let told = cleaned(&mut cleaner, b"\x1b[?1049h\x1b[H\x1b[2Jfirst row").unwrap();
        assert_eq!(told.as_bytes(), FULL_SCREEN);
        assert_eq!(cleaned(&mut cleaner, b"second row"), None);
        assert_eq!(cleaned(&mut cleaner, b""), None);
        assert_eq!(cleaned(&mut cleaner, b"third\x1b[?1049l"), None);
        assert_eq!(cleaned(&mut cleaner, b"again").unwrap(), "again");
    }
}
