//! What is typed: bytes of the terminal become presses of keys.

/// A key, or something that the mouse did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// A character.
    Char(char),
    /// A letter with Ctrl.
    Ctrl(char),
    /// The arrow up.
    Up,
    /// The arrow down.
    Down,
    /// The arrow to the left.
    Left,
    /// The arrow to the right.
    Right,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Backspace.
    Backspace,
    /// Tab.
    Tab,
    /// The wheel was turned up, at this column and row.
    WheelUp(u16, u16),
    /// The wheel was turned down, at this column and row.
    WheelDown(u16, u16),
    /// The left button was pressed at this column and row, counted from 0.
    Click(u16, u16),
}

/// A sequence that is longer is none.
const SEQUENCE_MAX: usize = 32;

/// The sequences that terminals send.
const SEQUENCES: [(&[u8], Press); 16] = [
    (b"\x1b[A", Press::Up),
    (b"\x1bOA", Press::Up),
    (b"\x1b[B", Press::Down),
    (b"\x1bOB", Press::Down),
    (b"\x1b[C", Press::Right),
    (b"\x1bOC", Press::Right),
    (b"\x1b[D", Press::Left),
    (b"\x1bOD", Press::Left),
    (b"\x1b[5~", Press::PageUp),
    (b"\x1b[6~", Press::PageDown),
    (b"\x1b[H", Press::Home),
    (b"\x1bOH", Press::Home),
    (b"\x1b[1~", Press::Home),
    (b"\x1b[F", Press::End),
    (b"\x1bOF", Press::End),
    (b"\x1b[4~", Press::End),
];

/// Finds keys in what is read from a terminal, also where a read ends within one.
#[derive(Debug, Default)]
pub struct Decoder {
    rest: Vec<u8>,
}

impl Decoder {
    /// The keys in these bytes. What is unknown means nothing, as a whole.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Press> {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let mut left = all.as_slice();
        let mut pressed = Vec::new();
        while !left.is_empty() {
            match next(left) {
                Found::Key(key, length) => {
                    pressed.push(key);
                    left = &left[length..];
                }
                Found::Nothing(length) => left = &left[length..],
                Found::Unfinished => {
                    self.rest = left.to_vec();
                    return pressed;
                }
            }
        }
        pressed
    }
}

enum Found {
    Key(Press, usize),
    Nothing(usize),
    Unfinished,
}

/// What these bytes begin with; they are not empty.
fn next(bytes: &[u8]) -> Found {
    if let Some((sequence, key)) = SEQUENCES.iter().find(|(sequence, _)| bytes.starts_with(sequence)) {
        return Found::Key(*key, sequence.len());
    }
    match bytes[0] {
        // Alone at the end it is the key: nobody waits for what might follow.
        0x1b if bytes.len() == 1 => Found::Key(Press::Escape, 1),
        0x1b if bytes[1] == b'[' || bytes[1] == b'O' => sequence(bytes),
        // Alt and a key: none of ours.
        0x1b => Found::Nothing(2),
        b'\r' | b'\n' => Found::Key(Press::Enter, 1),
        b'\t' => Found::Key(Press::Tab, 1),
        0x7f | 0x08 => Found::Key(Press::Backspace, 1),
        control @ 1..=26 => Found::Key(Press::Ctrl(char::from(control + b'a' - 1)), 1),
        0..0x20 => Found::Nothing(1),
        _ => character(bytes),
    }
}

/// A sequence that is not in the table.
fn sequence(bytes: &[u8]) -> Found {
    if bytes[1] == b'O' {
        return if bytes.len() == 2 { Found::Unfinished } else { Found::Nothing(3) };
    }
    let end = bytes[2..].iter().position(|byte| (0x40..=0x7e).contains(byte));
    match end.map(|end| end + 2) {
        Some(end) => match mouse(&bytes[2..=end]) {
            Some(key) => Found::Key(key, end + 1),
            None => Found::Nothing(end + 1),
        },
        None if bytes.len() > SEQUENCE_MAX => Found::Nothing(bytes.len()),
        None => Found::Unfinished,
    }
}

/// `<BUTTON;COLUMN;ROWM`, as terminals tell what the mouse did.
fn mouse(words: &[u8]) -> Option<Press> {
    let words = str::from_utf8(words).ok()?.strip_prefix('<')?.strip_suffix('M')?;
    let mut numbers = words.split(';').map(|number| number.parse::<u16>().ok());
    let (button, column, row) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let (column, row) = (column.saturating_sub(1), row.saturating_sub(1));
    match button {
        0 => Some(Press::Click(column, row)),
        64 => Some(Press::WheelUp(column, row)),
        65 => Some(Press::WheelDown(column, row)),
        _ => None,
    }
}

fn character(bytes: &[u8]) -> Found {
    let length = match bytes[0] {
        0..0x80 => 1,
        0xc2..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf5 => 4,
        _ => return Found::Nothing(1),
    };
    if bytes.len() < length {
        return Found::Unfinished;
    }
    match str::from_utf8(&bytes[..length]).ok().and_then(|text| text.chars().next()) {
        Some(letter) => Found::Key(Press::Char(letter), length),
        None => Found::Nothing(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Press> {
        Decoder::default().feed(bytes)
    }

    #[test]
    fn keys_are_found_among_what_means_nothing() {
        assert_eq!(all(b"x\x1b[Aq"), [Press::Char('x'), Press::Up, Press::Char('q')]);
        assert_eq!(all(b"\x1b[15;2q\x1bxj"), [Press::Char('j')], "letters of other sequences are no keys");
        assert_eq!(
            all(b"\r\x7f\t\x03\x1b"),
            [Press::Enter, Press::Backspace, Press::Tab, Press::Ctrl('c'), Press::Escape]
        );
        assert_eq!(all(b"\xff\x00z"), [Press::Char('z')]);
    }

    #[test]
    fn a_key_may_be_cut_anywhere_by_the_reads() {
        let typed = "\u{1b}[5~é\u{1b}[<64;3;4Mx".as_bytes();
        let wanted = [Press::PageUp, Press::Char('é'), Press::WheelUp(2, 3), Press::Char('x')];
        // After an ESC alone nobody waits: that cut is a key of its own.
        for cut in (0..typed.len()).filter(|cut| *cut == 0 || typed[cut - 1] != 0x1b) {
            let mut decoder = Decoder::default();
            let mut found = decoder.feed(&typed[..cut]);
            found.extend(decoder.feed(&typed[cut..]));
            assert_eq!(found, wanted, "cut at {cut}");
        }
    }

    #[test]
    fn a_sequence_without_an_end_is_given_up_at_its_bound() {
        let mut decoder = Decoder::default();
        let endless = [b"\x1b[".as_slice(), &[b'1'; SEQUENCE_MAX]].concat();
        assert_eq!(decoder.feed(&endless), []);
        assert_eq!(decoder.feed(b"q"), [Press::Char('q')]);
    }

    #[test]
    fn what_the_mouse_does_has_a_place() {
        assert_eq!(
            all(b"\x1b[<0;1;1M\x1b[<0;1;1m\x1b[<65;10;20M"),
            [Press::Click(0, 0), Press::WheelDown(9, 19)]
        );
    }
}
