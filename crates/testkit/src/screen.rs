//! What a terminal shows.

use std::num::NonZeroU16;

use vt100::Screen;

use crate::{Deadline, Running};

impl Running {
    /// Blocks until what it wrote after `mark` makes a terminal of this size (columns and rows) show what is `wanted`, and
    /// gives the lines of the screen.
    #[track_caller]
    pub fn wait_screen_after(
        &self,
        mark: usize,
        size: (u16, u16),
        wanted: impl Fn(&Screen) -> bool,
    ) -> String {
        let found = self.wait_output(mark, Deadline::generous(), |text| {
            let screen = screen_of(text, size);
            wanted(&screen).then(|| screen.contents())
        });
        found.unwrap_or_else(|| {
            let shown = screen_of(self.output().get(mark..).unwrap_or_default(), size).contents();
            self.fail(&format!("the screen does not become what is wanted; it is\n{shown}\n---"))
        })
    }

    /// Blocks until its terminal, which has kept its size, shows this text, and gives the screen.
    pub fn wait_terminal(&self, text: &str) -> Screen {
        self.wait_seen(text);
        screen_of(&self.output(), crate::terminal::SIZE)
    }

    /// The same for all that it wrote.
    #[track_caller]
    pub fn wait_screen(&self, size: (u16, u16), wanted: impl Fn(&Screen) -> bool) -> String {
        self.wait_screen_after(0, size, wanted)
    }
}

/// The screen of a terminal of this size (columns and rows) on which this was written.
pub fn screen_of(text: &str, (columns, rows): (u16, u16)) -> Screen {
    let side = |side| NonZeroU16::new(side).expect("a terminal has a size");
    let mut parser = vt100::Parser::new(side(rows), side(columns), 0);
    parser.process(text.as_bytes());
    parser.screen().clone()
}
