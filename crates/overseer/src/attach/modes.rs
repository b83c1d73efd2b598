//! The modes in which a program left its terminal, found in what it wrote long ago.

use std::collections::BTreeMap;
use std::fmt::Write;

/// The longest sequence that is understood.
const SEQUENCE_BYTES: usize = 64;
/// Modes that are remembered: the other screen first, then keys, scrolling and wrapping, the cursor, mouse, focus, paste.
const KEPT: [u16; 16] = [1049, 1047, 47, 1, 6, 7, 25, 9, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 2004];
/// Of these, those that are on at first.
const ON_AT_FIRST: [u16; 2] = [7, 25];

/// Takes note of each mode that is set.
#[derive(Debug, Default)]
pub(super) struct Modes {
    set: BTreeMap<u16, bool>,
    is_keypad: bool,
    /// The begin of a sequence at the end of the piece before.
    torn: Vec<u8>,
}

impl Modes {
    /// The program wrote this.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        let mut bytes = std::mem::take(&mut self.torn);
        bytes.extend_from_slice(piece);
        let mut rest = &bytes[..];
        while let Some(place) = rest.iter().position(|byte| *byte == 0x1b) {
            rest = &rest[place..];
            let Some(length) = self.sequence(&rest[1..]) else {
                self.torn = rest.to_vec();
                return;
            };
            rest = &rest[1 + length..];
        }
    }

    /// What follows an escape; how much of it is known, or none if its end is missing.
    fn sequence(&mut self, after: &[u8]) -> Option<usize> {
        match after {
            [] | [b'['] => None,
            [key @ (b'=' | b'>'), ..] => {
                self.is_keypad = *key == b'=';
                Some(1)
            }
            [b'c', ..] => {
                *self = Self::default();
                Some(1)
            }
            [b'[', b'?', numbers @ ..] => {
                let end = numbers.iter().take(SEQUENCE_BYTES).position(|byte| !b"0123456789;".contains(byte));
                let Some(end) = end else {
                    return (numbers.len() >= SEQUENCE_BYTES).then_some(2);
                };
                if let on @ (b'h' | b'l') = numbers[end] {
                    let text = String::from_utf8_lossy(&numbers[..end]);
                    for number in text.split(';').filter_map(|number| number.parse().ok()) {
                        self.set.insert(number, on == b'h');
                    }
                }
                Some(2 + end)
            }
            _ => Some(0),
        }
    }

    /// Puts a fresh terminal into these modes.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for mode in KEPT {
            let is_usual = ON_AT_FIRST.contains(&mode);
            if let Some(on) = self.set.get(&mode).filter(|on| **on != is_usual) {
                // Writing to text cannot fail.
                let _ = write!(text, "\x1b[?{mode}{}", if *on { 'h' } else { 'l' });
            }
        }
        if self.is_keypad {
            text.push_str("\x1b=");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_found_however_the_text_is_cut_and_only_the_last_counts() {
        let text = b"plain\x1b[31m\x1b[?2004h\x1b[?2004l\x1b[?1049;1h\x1b=\x1b[?25l\x1b]0;t\x07\x1b[?7h\x1b[?9999h\x1b[?12";
        for step in [1, 2, 3, 5, text.len()] {
            let mut modes = Modes::default();
            for piece in text.chunks(step) {
                modes.feed(piece);
            }
            assert_eq!(modes.text(), "\x1b[?1049h\x1b[?1h\x1b[?25l\x1b=", "in pieces of {step}");
        }
        let mut modes = Modes::default();
        modes.feed(b"\x1b[?1049h\x1b[?1003h\x1bc\x1b[?1006h");
        modes.feed(&[b"\x1b[?".to_vec(), vec![b'1'; 1000], b"h\x1b[?1000h".to_vec()].concat());
        assert_eq!(modes.text(), "\x1b[?1000h\x1b[?1006h");
    }
}
