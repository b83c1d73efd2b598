//! What a terminal of a test shows: the picture that all bytes so far make.

use std::num::NonZeroU16;

use crate::terminal::SIZE;
use crate::{Deadline, Running};

/// The rows that a terminal shows, without the space at their ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// From above.
    pub rows: Vec<String>,
    /// Whether a program has a screen of its own, beside the usual one.
    pub is_other: bool,
}

impl Picture {
    fn of(bytes: &[u8]) -> Self {
        let (columns, rows) = SIZE;
        let size = |number: u16| NonZeroU16::new(number).expect("a terminal has a size");
        let mut parser = vt100::Parser::new(size(rows), size(columns), 0);
        parser.process(bytes);
        let screen = parser.screen();
        let rows = screen.rows(0, columns).map(|row| row.trim_end().to_owned()).collect();
        Self { rows, is_other: screen.alternate_screen() }
    }

    /// The first row with this text.
    pub fn row(&self, text: &str) -> Option<&str> {
        self.rows.iter().find(|row| row.contains(text)).map(String::as_str)
    }

    /// Whether this text is seen.
    pub fn shows(&self, text: &str) -> bool {
        self.row(text).is_some()
    }
}

impl Running {
    /// Blocks until what the program shows on its terminal, which has kept its size, is as wanted.
    pub fn wait_picture(&self, what: &str, wanted: impl Fn(&Picture) -> bool) -> Picture {
        let found = self.collected().wait(0, Deadline::generous(), |text| {
            Some(Picture::of(text.as_bytes())).filter(|picture| wanted(picture))
        });
        found.unwrap_or_else(|| {
            let picture = Picture::of(self.output().as_bytes());
            self.fail(&format!("the picture does not show {what}:\n{}\n", picture.rows.join("\n")))
        })
    }

    /// Blocks until this text is seen on its terminal.
    pub fn wait_seen(&self, text: &str) -> Picture {
        self.wait_picture(text, |picture| picture.shows(text))
    }
}
