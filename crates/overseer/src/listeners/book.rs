//! The audience on disk: a line of what it was, and a line for each input since.
//!
//! A line is written before what it leads to is done: an event is in the book before a listener gets it, and what a
//! listener said before it is taken out of its pipe. So whoever is killed between any two steps leaves a book that the
//! next one plays to where it was. A torn last line is an input that led to nothing yet.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::audience::{Audience, Input, Output};

/// A book below this size is not worth writing anew.
const COMPACT_MIN_BYTES: u64 = 256 * 1024;
/// It is written anew when it has this many times the size it had when it was last written whole.
const COMPACT_FACTOR: u64 = 4;

/// An audience whose inputs are kept.
#[derive(Debug)]
pub(crate) struct Book {
    path: PathBuf,
    file: File,
    audience: Audience,
    pending: Vec<u8>,
    bytes: u64,
    whole_bytes: u64,
}

impl Book {
    /// A new one, in place of any that is there.
    pub(crate) fn begin(path: &Path, audience: Audience) -> io::Result<Self> {
        let (file, bytes) = write_whole(path, &audience)?;
        let path = path.to_owned();
        Ok(Self { path, file, audience, pending: Vec::new(), bytes, whole_bytes: bytes })
    }

    /// The one that is there, played to its end; none if there is none that makes sense.
    pub(crate) fn open(path: &Path) -> Option<Self> {
        let mut lines = BufReader::new(File::open(path).ok()?).split(b'\n');
        let mut audience: Audience = serde_json::from_slice(&lines.next()?.ok()?).ok()?;
        for line in lines {
            let Ok(Ok(input)) = line.map(|line| serde_json::from_slice::<Input>(&line)) else { break };
            audience.handle(&input);
        }
        Self::begin(path, audience).ok()
    }

    pub(crate) fn audience(&self) -> &Audience {
        &self.audience
    }

    /// Gives the audience an input, which is on disk after the next [`Book::flush`]; nothing of what is to be done may be
    /// done before.
    pub(crate) fn handle(&mut self, input: &Input) -> Vec<Output> {
        // What cannot be written is an input that this life alone knows.
        if serde_json::to_writer(&mut self.pending, input).is_ok() {
            self.pending.push(b'\n');
        }
        self.audience.handle(input)
    }

    /// Writes what is not written yet. What could not be is tried again by the next call, and then with all there is.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.pending);
        self.bytes += self.pending.len() as u64;
        self.pending.clear();
        let is_bloated = self.bytes > COMPACT_MIN_BYTES.max(self.whole_bytes * COMPACT_FACTOR);
        if written.is_ok() && !is_bloated {
            return Ok(());
        }
        // A line that was written in part makes what follows it unreadable.
        self.bytes = u64::MAX / COMPACT_FACTOR;
        let (file, bytes) = write_whole(&self.path, &self.audience)?;
        (self.file, self.bytes, self.whole_bytes) = (file, bytes, bytes);
        Ok(())
    }

    /// Nobody listens any more.
    pub(crate) fn close(self) {
        // One that stays behind is begun anew by the next app.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Puts a book with just this in place of the one that is there; the file, open at its end, and its size.
fn write_whole(path: &Path, audience: &Audience) -> io::Result<(File, u64)> {
    let fresh = path.with_extension("new");
    let mut line = serde_json::to_vec(audience)?;
    line.push(b'\n');
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(&line)?;
    std::fs::rename(&fresh, path)?;
    Ok((file, line.len() as u64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::pool::Subscription;
    use super::*;

    fn event(number: usize) -> Input {
        Input::Event { name: "TICK_5".into(), payload: format!("when:{number}") }
    }

    fn formed() -> Input {
        let subscription = Subscription { events: vec!["TICK".into()], buffer_size: 3 };
        let pools = BTreeMap::from([("mail".to_owned(), subscription)]);
        Input::Formed { families: vec!["mail".into()], pools, is_new: true }
    }

    #[test]
    fn a_kill_amid_a_write_costs_the_input_that_was_not_acted_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("listeners");
        let mut book = Book::begin(&path, Audience::default()).unwrap();
        let mut states = vec![(book.bytes, book.audience.clone())];
        for input in [formed(), event(1), event(2), Input::Read(9), event(3)] {
            book.handle(&input);
            book.flush().unwrap();
            states.push((book.bytes, book.audience.clone()));
        }
        let whole = std::fs::read(&path).unwrap();
        for cut in usize::try_from(states[0].0).unwrap()..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let audience = Book::open(&path).unwrap().audience;
            // A line without its end is whole JSON, hence its input.
            let expected = states.iter().rev().find(|(bytes, _)| *bytes <= cut as u64 + 1).unwrap();
            assert_eq!(audience, expected.1, "cut at {cut}");
        }
    }

    #[test]
    fn it_stays_small_and_says_the_same_when_it_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("listeners");
        let mut book = Book::begin(&path, Audience::default()).unwrap();
        book.handle(&formed());
        for number in 0..10_000 {
            book.handle(&event(number));
            book.flush().unwrap();
        }
        assert!(std::fs::metadata(&path).unwrap().len() <= COMPACT_MIN_BYTES);
        assert_eq!(Book::open(&path).unwrap().audience, book.audience);
    }

    #[test]
    fn no_book_and_one_that_makes_no_sense_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("listeners");
        assert!(Book::open(&path).is_none());
        std::fs::write(&path, "nonsense\n").unwrap();
        assert!(Book::open(&path).is_none());
    }
}
