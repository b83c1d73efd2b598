//! What the keyboard is for.

use ganger_api::Request;
use ganger_spec::Signal;

use crate::search::Pattern;

/// What the keyboard is for.
#[derive(Clone, Debug)]
pub(crate) enum Mode {
    /// The keys of the table.
    Keys,
    /// A text is typed.
    Typing(Typing),
    /// The help is shown, from this line on.
    Help(usize),
    /// A signal is chosen.
    Signals { chosen: usize, pattern: String },
    /// Something dangerous is asked about.
    Question(Question),
}

/// A text that is typed.
#[derive(Clone, Debug)]
pub(crate) struct Typing {
    pub(crate) purpose: Purpose,
    pub(crate) text: String,
}

/// What a text is typed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Search,
    Filter,
}

impl Purpose {
    pub(crate) fn prompt(self) -> &'static str {
        match self {
            Self::Search => "search: ",
            Self::Filter => "show only lines with: ",
        }
    }
}

/// The longest text that can be typed, in bytes.
const TYPED_MAX: usize = ganger_api::limits::MAX_GREP_BYTES;

impl Typing {
    pub(crate) fn push(&mut self, letter: char) {
        if self.text.len() + letter.len_utf8() <= TYPED_MAX {
            self.text.push(letter);
        }
    }

    /// The pattern; none if nothing is typed.
    pub(crate) fn pattern(&self) -> Result<Option<Pattern>, String> {
        if self.text.is_empty() { Ok(None) } else { Pattern::new(&self.text).map(Some) }
    }
}

/// Something dangerous, which is done only after a second key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) text: String,
    pub(crate) request: Request,
    /// The same in words.
    pub(crate) words: String,
}

/// A signal that can be chosen, and what most programs do with it.
pub(crate) const SIGNALS: [(i32, &str); 9] = [
    (1, "read the configuration again"),
    (2, "interrupt, as Ctrl-C"),
    (3, "quit, gracefully or with a core"),
    (10, "the program's own"),
    (12, "the program's own"),
    (15, "end"),
    (9, "end at once; cannot be refused"),
    (19, "stand still"),
    (18, "go on after that"),
];

/// The signal in this place of the menu.
pub(crate) fn signal(place: usize) -> Option<Signal> {
    SIGNALS.get(place).and_then(|(number, _)| Signal::from_number(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_as_long_as_its_bound_and_no_longer() {
        let mut typing = Typing { purpose: Purpose::Search, text: "x".repeat(TYPED_MAX - 1) };
        typing.push('é');
        assert_eq!(typing.text.len(), TYPED_MAX - 1);
        typing.push('y');
        typing.push('z');
        assert_eq!(typing.text.len(), TYPED_MAX);
    }

    #[test]
    fn every_signal_of_the_menu_is_one() {
        assert!((0..SIGNALS.len()).all(|place| signal(place).is_some()));
        assert_eq!(signal(SIGNALS.len()), None);
    }
}
