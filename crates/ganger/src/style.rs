//! Colours, where somebody sees them.

use std::io::IsTerminal;

use ganger_api::WorkerState;

/// Whether and how text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) coloured: bool,
}

/// The colours of names, in turn: those that can be read on a dark and on a light ground.
const NAMES: [&str; 6] = ["36", "33", "32", "35", "34", "31"];

impl Style {
    /// Plain text.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { coloured: false };

    /// What suits stdout: colours on a terminal, unless `NO_COLOR` or a dumb terminal forbids them.
    pub(crate) fn of_stdout() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { coloured: std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb }
    }

    /// The text in the colour that this code means.
    fn paint(self, code: &str, text: &str) -> String {
        if self.coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The head of a table.
    pub(crate) fn head(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// The prefix of a worker's lines; each place in the order of first appearance has its colour.
    pub(crate) fn name(self, place: usize, text: &str) -> String {
        self.paint(NAMES[place % NAMES.len()], text)
    }

    /// Text that needs somebody.
    pub(crate) fn failure(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Text that belongs to a state: green is well, yellow is on its way, red needs somebody.
    pub(crate) fn state(self, state: WorkerState, text: &str) -> String {
        match state {
            WorkerState::Running => self.paint("32", text),
            WorkerState::Starting | WorkerState::Stopping | WorkerState::Backoff => self.paint("33", text),
            WorkerState::Fatal => self.failure(text),
            WorkerState::Stopped | WorkerState::Exited => text.to_owned(),
        }
    }
}
