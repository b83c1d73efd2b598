//! What a worker wrote before its viewer came.

use ganger_api::{Begin, TerminalSize};

use crate::Mirror;

/// What was written up to a position, until all of it is here: then it is shown at once.
#[derive(Debug)]
pub struct Replay {
    until: u64,
    bytes: Vec<u8>,
    /// The size of the terminal now.
    size: TerminalSize,
}

impl Replay {
    /// Of a terminal of this size.
    pub fn new(begin: &Begin, size: TerminalSize) -> Self {
        Self { until: begin.until, bytes: begin.modes.clone().into_bytes(), size }
    }

    /// The terminal has this size now.
    pub fn resize(&mut self, size: TerminalSize) {
        self.size = size;
    }

    /// Takes what was written at this position; the rest was written after the viewer came.
    pub fn take<'a>(&mut self, position: u64, bytes: &'a [u8]) -> &'a [u8] {
        let before = usize::try_from(self.until.saturating_sub(position)).unwrap_or(usize::MAX);
        let (before, after) = bytes.split_at(before.min(bytes.len()));
        self.bytes.extend_from_slice(before);
        after
    }

    /// Whether all that was written up to this position is all.
    pub fn ends_at(&self, position: u64) -> bool {
        position >= self.until
    }

    /// Shows all of it in a new terminal, which had the size of `mirror` when it was written.
    pub fn show_in(self, mirror: &mut Mirror) {
        mirror.feed(&self.bytes);
        if self.size == mirror.size() {
            return;
        }
        if mirror.screen().alternate_screen() {
            mirror.resize(self.size);
        } else {
            // Lines are as long as the terminal is now.
            mirror.clear(self.size);
            mirror.feed(&self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use ganger_spec::WorkerName;

    use super::*;

    const SMALL: TerminalSize = TerminalSize { rows: 3, columns: 10 };
    const LARGE: TerminalSize = TerminalSize { rows: 4, columns: 20 };

    /// What a terminal shows in which this was written before the viewer came, who has another size.
    fn shown(text: &str) -> String {
        let begin = Begin {
            worker: WorkerName::new("web", 1),
            run: None,
            why: String::new(),
            position: 100,
            until: 100 + text.len() as u64,
            cut: false,
            modes: String::new(),
        };
        let (mut mirror, mut replay) = (Mirror::new(SMALL, 10), Replay::new(&begin, SMALL));
        replay.resize(LARGE);
        assert!(!replay.ends_at(begin.position));
        let (first, second) = text.split_at(text.len() / 2);
        assert_eq!(replay.take(100, first.as_bytes()), b"");
        let position = 100 + first.len() as u64;
        let rest = format!("{second}after");
        assert_eq!(replay.take(position, rest.as_bytes()), b"after");
        assert!(replay.ends_at(position + rest.len() as u64));
        replay.show_in(&mut mirror);
        assert_eq!(mirror.size(), LARGE);
        mirror.screen().contents()
    }

    #[test]
    fn lines_are_as_long_as_the_terminal_is_now_and_a_page_stays_as_it_was_drawn() {
        assert_eq!(shown("twelve lines\r\nb"), "twelve lines\nb");
        assert_eq!(shown("\x1b[?1049htwelve lines"), "twelve lin\nes");
    }
}
