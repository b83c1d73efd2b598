//! The keys that detach, among all that is typed.

use std::fmt;
use std::str::FromStr;

/// Keys that are pressed one after the other. By default Ctrl-], as telnet and others have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DetachKeys(Vec<Key>);

/// A key: the byte that it is, and the letter on it if it is pressed with Ctrl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    byte: u8,
    with_ctrl: Option<u8>,
}

/// The longest way to tell one key.
const ENCODED_MAX: usize = 12;

impl Default for DetachKeys {
    fn default() -> Self {
        Self(vec![Key::ctrl(b']')])
    }
}

impl Key {
    fn ctrl(letter: u8) -> Self {
        Self { byte: letter.to_ascii_uppercase() & 0x1f, with_ctrl: Some(letter.to_ascii_lowercase()) }
    }

    /// How many bytes at the begin of what is typed are this key; none if they are another. Programs may have asked the
    /// terminal to tell keys in another way: kitty's, or that of xterm's `modifyOtherKeys`.
    fn length(self, typed: &[u8]) -> Option<usize> {
        if typed.first() == Some(&self.byte) {
            return Some(1);
        }
        let letter = self.with_ctrl?;
        let others =
            [format!("\x1b[{letter};5u"), format!("\x1b[{letter};5:1u"), format!("\x1b[27;5;{letter}~")];
        others.iter().find(|other| typed.starts_with(other.as_bytes())).map(String::len)
    }
}

impl FromStr for DetachKeys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let key = |word: &str| {
            let letter = word.to_ascii_lowercase();
            let letter =
                letter.strip_prefix("ctrl-").or_else(|| letter.strip_prefix('^')).unwrap_or(word).as_bytes();
            match (letter, letter.len() < word.len()) {
                (&[letter], true) if (b'@'..=b'_').contains(&letter.to_ascii_uppercase()) => {
                    Some(Key::ctrl(letter))
                }
                (&[byte], false) if byte.is_ascii_graphic() => Some(Key { byte, with_ctrl: None }),
                _ => None,
            }
        };
        let keys: Option<Vec<Key>> = text.split(',').map(key).collect();
        keys.map(Self).ok_or_else(|| "expected keys as ctrl-], or ctrl-p,ctrl-q, or none".to_owned())
    }
}

impl fmt::Display for DetachKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (place, key) in self.0.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { "," })?;
            match key.with_ctrl {
                Some(letter) => write!(f, "ctrl-{}", char::from(letter))?,
                None => write!(f, "{}", char::from(key.byte))?,
            }
        }
        Ok(())
    }
}

impl DetachKeys {
    /// As people say it: `Ctrl-]`; none if there are none.
    pub(super) fn spoken(&self) -> Option<String> {
        let key = |key: &Key| match key.with_ctrl {
            Some(letter) => format!("Ctrl-{}", char::from(letter.to_ascii_uppercase())),
            None => char::from(key.byte).to_string(),
        };
        (!self.0.is_empty()).then(|| self.0.iter().map(key).collect::<Vec<_>>().join(" "))
    }

    /// The last of them as a byte.
    pub(super) fn last(&self) -> Option<u8> {
        self.0.last().map(|key| key.byte)
    }
}

/// Finds the keys in what is typed.
pub(super) struct Detector {
    keys: DetachKeys,
    /// So many of them were pressed, which are these bytes.
    pressed: usize,
    held: Vec<u8>,
}

impl Detector {
    pub(super) fn new(keys: DetachKeys) -> Self {
        Self { keys, pressed: 0, held: Vec::new() }
    }

    /// What of this goes to the worker, and whether the keys were pressed after that. The first keys of several are held
    /// back until it is known what they mean.
    pub(super) fn typed(&mut self, mut bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut passed = Vec::new();
        while let Some(first) = bytes.first() {
            let Some(key) = self.keys.0.get(self.pressed) else {
                passed.extend_from_slice(bytes);
                break;
            };
            match key.length(&bytes[..bytes.len().min(ENCODED_MAX)]) {
                Some(length) => {
                    self.held.extend_from_slice(&bytes[..length]);
                    bytes = &bytes[length..];
                    self.pressed += 1;
                    if self.pressed == self.keys.0.len() {
                        return (passed, true);
                    }
                }
                None if self.pressed > 0 => {
                    // It may be the first again.
                    passed.append(&mut self.held);
                    self.pressed = 0;
                }
                None => {
                    passed.push(*first);
                    bytes = &bytes[1..];
                }
            }
        }
        (passed, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> DetachKeys {
        text.parse().unwrap()
    }

    #[test]
    fn keys_are_written_as_people_write_them() {
        assert_eq!(keys("ctrl-]"), DetachKeys::default());
        assert_eq!(keys("^]"), keys("Ctrl-]"));
        assert_eq!(keys("ctrl-P,ctrl-q").to_string(), "ctrl-p,ctrl-q");
        assert_eq!(keys("ctrl-a,d").spoken().as_deref(), Some("Ctrl-A d"));
        assert_eq!(keys("none").spoken(), None);
        assert_eq!(keys("none").to_string(), "none");
        for bad in ["", "ctrl-", "ctrl-ab", "ctrl-1", "ctrl-p,", "é", "ctrl", "\x1d"] {
            assert!(bad.parse::<DetachKeys>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn one_key_detaches_however_the_terminal_tells_it() {
        for pressed in ["\x1d", "\x1b[93;5u", "\x1b[93;5:1u", "\x1b[27;5;93~"] {
            let mut detector = Detector::new(DetachKeys::default());
            assert_eq!(detector.typed("é\x1b[A".as_bytes()), ("é\x1b[A".as_bytes().to_vec(), false));
            let typed = format!("before{pressed}after");
            assert_eq!(detector.typed(typed.as_bytes()), (b"before".to_vec(), true), "{pressed:?}");
        }
    }

    #[test]
    fn the_first_of_two_keys_goes_to_the_worker_if_another_follows() {
        let mut detector = Detector::new(keys("ctrl-p,ctrl-q"));
        assert_eq!(detector.typed(b"a\x10"), (b"a".to_vec(), false));
        assert_eq!(detector.typed(b"b"), (b"\x10b".to_vec(), false));
        assert_eq!(detector.typed(b"\x10\x10"), (b"\x10".to_vec(), false));
        assert_eq!(detector.typed(b"\x11rest"), (Vec::new(), true));
        let mut detector = Detector::new(keys("none"));
        assert_eq!(detector.typed(b"\x1d\x10\x11"), (b"\x1d\x10\x11".to_vec(), false));
    }
}
