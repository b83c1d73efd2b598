//! What workers write that listeners are to hear, as it stands in their logs: nobody but capture reads a pipe.
//!
//! Text between two marks is for listeners as a whole, the rest as it comes. A part that may be the beginning of a mark
//! waits for what follows, or for the end of the run. How far a log was heard is in the book, beside each event, and lies
//! before what waits: so nothing is lost, and nothing told twice, when the overseer dies.

use super::payload::DATA_MAX_BYTES;

const BEGIN: &[u8] = b"<!--XSUPERVISOR:BEGIN-->";
const END: &[u8] = b"<!--XSUPERVISOR:END-->";

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Text as it came.
    Log(Vec<u8>),
    /// Text between two marks.
    Captured(Vec<u8>),
}

/// Takes a log apart.
#[derive(Debug)]
pub(crate) struct Scanner {
    /// So much of a text between marks is kept, its end; none if there are no marks.
    capture: Option<usize>,
    is_inside: bool,
    text: Vec<u8>,
    /// How far the log was heard, without what waits.
    position: u64,
    /// Bytes after that which were let go of: the beginning of a text that is too long.
    dropped: u64,
}

impl Scanner {
    /// From this position of a log on; a text between marks is cut to its last so many bytes, 0 for no marks.
    pub(crate) fn new(position: u64, capture_bytes: usize) -> Self {
        let capture = (capture_bytes > 0).then(|| capture_bytes.min(DATA_MAX_BYTES));
        Self { capture, is_inside: false, text: Vec::new(), position, dropped: 0 }
    }

    /// How far the log was heard.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Takes what comes next in the log; gives what is whole, with the position after it.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<(Heard, u64)> {
        self.text.extend_from_slice(bytes);
        let mut heard = Vec::new();
        loop {
            let mark = if self.is_inside { END } else { BEGIN };
            let found = self.capture.and_then(|_| find(&self.text, mark));
            if let Some(at) = found {
                let text = self.take(at);
                self.pass(mark.len());
                match (self.is_inside, self.capture) {
                    (true, Some(max)) => {
                        let start = text.len().saturating_sub(max);
                        heard.push((Heard::Captured(text[start..].to_vec()), self.position));
                    }
                    _ if text.is_empty() => {}
                    // The mark is read again if the overseer dies before what it begins is whole.
                    _ => heard.push((Heard::Log(text), self.position - mark.len() as u64)),
                }
                if !self.is_inside {
                    self.position -= mark.len() as u64;
                    self.dropped = mark.len() as u64;
                }
                self.is_inside = !self.is_inside;
                continue;
            }
            let kept = if self.capture.is_some() { beginning(&self.text, mark) } else { 0 };
            let kept = kept.max(torn(&self.text));
            let ready = self.text.len() - kept;
            match (self.is_inside, self.capture) {
                (true, Some(max)) => {
                    let excess = ready.saturating_sub(max);
                    self.text.drain(..excess);
                    self.dropped += excess as u64;
                }
                _ if ready > 0 => {
                    let text = self.take(ready);
                    heard.push((Heard::Log(text), self.position));
                }
                _ => {}
            }
            return heard;
        }
    }

    /// The run has ended: what waited is all there is.
    pub(crate) fn finish(&mut self) -> Option<(Heard, u64)> {
        let text = self.take(self.text.len());
        let is_log = !std::mem::take(&mut self.is_inside) && !text.is_empty();
        is_log.then_some((Heard::Log(text), self.position))
    }

    /// Rotation removed so much before it was heard.
    pub(crate) fn skip(&mut self, bytes: u64) {
        self.finish();
        self.position += bytes;
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.position += std::mem::take(&mut self.dropped) + length as u64;
        self.text.drain(..length).collect()
    }

    fn pass(&mut self, length: usize) {
        self.take(length);
    }
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|part| part == mark)
}

/// How much at the end of a text may be the beginning of a mark.
fn beginning(text: &[u8], mark: &[u8]) -> usize {
    let longest = text.len().min(mark.len() - 1);
    (1..=longest).rev().find(|length| mark.starts_with(&text[text.len() - length..])).unwrap_or(0)
}

/// How much at the end of a text is the beginning of a character of UTF-8.
fn torn(text: &[u8]) -> usize {
    let of_lead = |byte: u8| match byte {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 0,
    };
    let ends = text.iter().rev().zip(1..4);
    ends.filter(|(byte, length)| of_lead(**byte) > *length).map(|(_, length)| length).next().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is heard of a log that comes in such pieces; texts that follow each other are one.
    fn hear(log: &[u8], piece: usize, capture: usize) -> Vec<Heard> {
        let mut scanner = Scanner::new(0, capture);
        let mut all: Vec<Heard> = Vec::new();
        let mut before = 0;
        let mut take = |(heard, position): (Heard, u64)| {
            assert!(position >= before && position <= log.len() as u64);
            before = position;
            match (all.last_mut(), heard) {
                (Some(Heard::Log(text)), Heard::Log(more)) => text.extend(more),
                (_, heard) => all.push(heard),
            }
        };
        for bytes in log.chunks(piece) {
            scanner.feed(bytes).into_iter().for_each(&mut take);
        }
        scanner.finish().into_iter().for_each(&mut take);
        assert_eq!(scanner.position(), log.len() as u64);
        all
    }

    #[test]
    fn what_is_between_marks_is_one_and_the_rest_is_heard_to_the_last_byte_in_any_pieces() {
        let log = b"a<!--XSUPERVISOR:BEGIN-->hello world<!--XSUPERVISOR:END-->b<!--X<!--XSUPERVISOR:B";
        let text = |text: &[u8]| Heard::Log(text.to_vec());
        for piece in 1..=log.len() {
            let expected =
                [text(b"a"), Heard::Captured(b"hello world".to_vec()), text(b"b<!--X<!--XSUPERVISOR:B")];
            assert_eq!(hear(log, piece, 100), expected, "in pieces of {piece}");
            assert_eq!(hear(log, piece, 0), [text(log)], "in pieces of {piece}");
            let Heard::Captured(end) = &hear(log, piece, 5)[1] else { panic!("a capture") };
            assert_eq!(end, b"world");
        }
    }

    #[test]
    fn a_character_that_comes_in_pieces_is_heard_whole() {
        let mut scanner = Scanner::new(0, 0);
        let text = "é€😀".as_bytes();
        for (index, byte) in text.iter().enumerate() {
            for (heard, position) in scanner.feed(&[*byte]) {
                let Heard::Log(heard) = heard else { panic!("a log") };
                assert!(std::str::from_utf8(&heard).is_ok(), "{heard:?}");
                assert_eq!(position, index as u64 + 1);
            }
        }
        assert_eq!((scanner.position(), scanner.feed(b"\xff").len()), (text.len() as u64, 1));
    }

    #[test]
    fn who_goes_on_at_any_position_that_was_told_hears_the_rest() {
        let log = b"a<!--XSUPERVISOR:BEGIN-->one<!--XSUPERVISOR:END-->b<!--XSUPERVISOR:BEGIN-->two<!--XSUPERVISOR:END-->";
        for piece in 1..log.len() {
            let mut scanner = Scanner::new(0, 100);
            for cut in 0..log.len() / piece {
                let bytes = &log[cut * piece..(cut + 1) * piece];
                let heard = scanner.feed(bytes);
                let Some((_, position)) = heard.last() else { continue };
                let from = usize::try_from(*position).unwrap();
                let mut rest: Vec<_> = heard.into_iter().map(|(heard, _)| heard).collect();
                rest.extend(hear(&log[from..], 7, 100));
                assert_eq!(rest.last(), Some(&Heard::Captured(b"two".to_vec())), "{piece} {cut}");
            }
        }
    }
}
