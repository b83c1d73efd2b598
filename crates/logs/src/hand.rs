//! The hand: memory in which bytes are carried from a pipe to a log, and which outlives the process.
//!
//! Splicing loses nothing with a kill, but keeps the pipe locked until the bytes are in the file: a loud worker waits
//! for its log. Some files cannot be spliced into, and what is to be left out of a log can only be found by reading. What was
//! read and is not written yet would be lost. So it is read into memory that the next start finds, and that tells whether
//! it was read:
//!
//! 1. It is noted whose bytes they are, for which position, and how many are to be read: so many are in the pipe.
//! 2. A mark that no worker knows is laid where they will come.
//! 3. They are read. A kill does not come between the first and the last of them, so they are there if and only if the
//!    mark is not. A pipe of packets gives one packet instead, which is shorter than a page: the mark fills that.
//! 4. It is noted how many they are. Then they are written, and owed no more.
//!
//! Whoever comes next writes of them what is not in the log. Until then the log gets nothing else.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::{Ordering, compiler_fence};

use crate::files::Files;
use crate::strip::Strip;

/// So much memory makes a hand.
pub const HAND_BYTES: usize = HEAD + CARRIED_MAX;

/// Memory that outlives its process: the next one finds there what this one wrote. At first it is of zeros.
pub trait Lasting: AsRef<[u8]> + AsMut<[u8]> + Send {}

impl<T: AsRef<[u8]> + AsMut<[u8]> + Send> Lasting for T {}

/// Tells this arrangement from others.
const ARRANGEMENT: u64 = 0x676e_7248_616e_6402;
/// What is noted, before the bytes.
const HEAD: usize = PAGE;
const PAGE: usize = 4096;
const CARRIED_MAX: usize = 256 * 1024;
const MARK: usize = 16;
/// Each byte of a mark is one that no text has.
const MARK_BITS: u8 = 0xF8;
/// Where a name begins, after the words.
const NAME: usize = 128;
const NAME_MAX: usize = HEAD - NAME;

/// The words that are noted, each of eight bytes, and the mark after them.
#[derive(Clone, Copy)]
enum Word {
    Arrangement,
    /// 0 if nothing is, or one of these.
    Owed,
    Position,
    Length,
    NameLength,
    /// Whether escape sequences are to be left out, and what was begun of one before.
    Strip,
    Mark,
}

/// It is to be read, or was.
const PERHAPS: u64 = 1;
/// It was read.
const SURELY: u64 = 2;

/// What is to be taken.
pub(crate) struct Wanted<'a> {
    pub(crate) log: &'a str,
    /// The log's end.
    pub(crate) position: u64,
    /// Escape sequences are to be left out; this was begun of one before.
    pub(crate) strip: Option<Strip>,
    /// Less is not worth it.
    pub(crate) least: usize,
    pub(crate) most: usize,
}

impl Word {
    fn at(self) -> usize {
        self as usize * 8
    }
}

/// Carries bytes, of one log at a time. Without memory, it never takes any.
pub(crate) struct Hand {
    memory: Option<Box<dyn Lasting>>,
    mark: [u8; MARK],
}

impl Hand {
    /// Takes up the memory, and what is owed in it. It is of no use if there is less than [`HAND_BYTES`] of it.
    pub(crate) fn new(memory: Option<Box<dyn Lasting>>) -> Self {
        let memory = memory.filter(|memory| (**memory).as_ref().len() >= HAND_BYTES);
        let mut mark = [0; MARK];
        // Nobody can know what the keys of a new hasher are.
        for half in mark.chunks_mut(8) {
            half.copy_from_slice(&RandomState::new().hash_one(0).to_le_bytes());
        }
        for byte in &mut mark {
            *byte |= MARK_BITS;
        }
        let mut hand = Self { memory, mark };
        if hand.memory.is_some() && hand.word(Word::Arrangement) != ARRANGEMENT {
            hand.let_go();
            hand.set(Word::Arrangement, ARRANGEMENT);
        }
        if hand.creditor().is_some() && hand.read().is_empty() {
            hand.let_go();
        }
        hand
    }

    /// As the next process finds it.
    #[cfg(test)]
    pub(crate) fn after_death(&mut self) -> Self {
        Self::new(self.memory.take())
    }

    /// The log that bytes are owed to.
    pub(crate) fn creditor(&self) -> Option<&str> {
        if self.memory.is_none() || self.word(Word::Owed) == 0 {
            return None;
        }
        let length = usize::try_from(self.word(Word::NameLength)).ok()?.min(NAME_MAX);
        std::str::from_utf8(&self.bytes()[NAME..NAME + length]).ok()
    }

    /// How many bytes are owed to a log.
    pub(crate) fn owes(&self, log: &str) -> usize {
        if self.creditor() == Some(log) { self.owed().0.len() } else { 0 }
    }

    /// The bytes that are owed, and if escape sequences were left out, what was begun of one at their end.
    pub(crate) fn owed(&self) -> (Cow<'_, [u8]>, Option<Strip>) {
        match Strip::of_number(self.word(Word::Strip)) {
            None => (self.read().into(), None),
            Some(mut strip) => {
                let mut bytes = self.read().to_vec();
                strip.strip(&mut bytes);
                (bytes.into(), Some(strip))
            }
        }
    }

    /// Forgets what is owed.
    pub(crate) fn let_go(&mut self) {
        compiler_fence(Ordering::SeqCst);
        self.set(Word::Owed, 0);
    }

    /// Takes what is wanted, and says how much that is; 0 if that is not worth it or not possible now.
    pub(crate) fn take<F: Files>(
        &mut self,
        files: &F,
        source: &F::Source,
        wanted: &Wanted<'_>,
    ) -> io::Result<usize> {
        let Wanted { log, least, most, .. } = *wanted;
        if self.memory.is_none() || most < least || log.len() > NAME_MAX || self.creditor().is_some() {
            return Ok(0);
        }
        let waiting = files.waiting(source)?.min(most).min(CARRIED_MAX);
        // Of more than a page whole ones, so that the mark in the last one is whole, too.
        let length = if waiting > PAGE { waiting / PAGE * PAGE } else { waiting };
        if length < least.max(1) {
            return Ok(0);
        }
        self.note(wanted, length);
        let taken = files.take(source, &mut self.bytes_mut()[HEAD..HEAD + length]);
        match taken {
            Ok(taken) if taken > 0 => {
                self.set(Word::Length, taken as u64);
                compiler_fence(Ordering::SeqCst);
                self.set(Word::Owed, SURELY);
            }
            _ => self.let_go(),
        }
        taken
    }

    /// Writes what is owed to the end of a log, whose file begins at `base`, but for what is there already; says how much
    /// that was, and owes nothing then.
    pub(crate) fn put<F: Files>(
        &mut self,
        files: &F,
        file: &F::File,
        base: u64,
        end: u64,
    ) -> io::Result<usize> {
        let ((owed, _), position) = (self.owed(), self.word(Word::Position));
        let mut there = vec![0; usize::try_from(end.saturating_sub(position)).unwrap_or(0).min(owed.len())];
        if !there.is_empty() && position >= base {
            let got = files.read_at(file, position - base, &mut there)?;
            there.truncate(got);
        } else {
            there.clear();
        }
        let is_same = |(one, other): &(&u8, &u8)| one == other;
        let same = there.iter().zip(owed.iter()).take_while(is_same).count();
        files.write_at(file, end - base, &owed[same..])?;
        let written = owed.len() - same;
        self.let_go();
        Ok(written)
    }

    /// What was read: all that was to be, or the one packet that was instead, or nothing.
    fn read(&self) -> &[u8] {
        let length = usize::try_from(self.word(Word::Length)).unwrap_or(0).min(CARRIED_MAX);
        let bytes = &self.bytes()[HEAD..HEAD + length];
        let mark = &self.bytes()[Word::Mark.at()..Word::Mark.at() + MARK];
        let is_all = length > PAGE && !bytes[length - PAGE..].starts_with(mark);
        if is_all || self.word(Word::Owed) == SURELY {
            return bytes;
        }
        let first = &bytes[..length.min(PAGE)];
        let is_marked = |(at, byte): &(usize, &u8)| **byte == mark[at % MARK];
        let marked = first.iter().enumerate().rev().take_while(is_marked).count();
        &first[..first.len() - marked]
    }

    /// Notes what is to be read, and lays the marks: in each page, so that none is missing while it is read, and all
    /// over the first.
    fn note(&mut self, wanted: &Wanted<'_>, length: usize) {
        let (mark, log) = (self.mark, wanted.log);
        let memory = self.bytes_mut();
        memory[NAME..NAME + log.len()].copy_from_slice(log.as_bytes());
        memory[Word::Mark.at()..Word::Mark.at() + MARK].copy_from_slice(&mark);
        let (first, rest) = memory[HEAD..HEAD + length].split_at_mut(length.min(PAGE));
        first.chunks_mut(MARK).for_each(|place| place.copy_from_slice(&mark[..place.len()]));
        for page in rest.chunks_mut(PAGE) {
            page[..MARK].copy_from_slice(&mark);
        }
        self.set(Word::Position, wanted.position);
        self.set(Word::Length, length as u64);
        self.set(Word::NameLength, log.len() as u64);
        self.set(Word::Strip, wanted.strip.map_or(0, Strip::number));
        // It is owed once all of this is noted. A kill leaves what was written by then; it is for the compiler alone.
        compiler_fence(Ordering::SeqCst);
        self.set(Word::Owed, PERHAPS);
        compiler_fence(Ordering::SeqCst);
    }

    fn word(&self, word: Word) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.bytes()[word.at()..word.at() + 8]);
        u64::from_le_bytes(bytes)
    }

    fn set(&mut self, word: Word, value: u64) {
        self.bytes_mut()[word.at()..word.at() + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn bytes(&self) -> &[u8] {
        self.memory.as_deref().map_or(&[], AsRef::as_ref)
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.as_deref_mut().map_or(&mut [], AsMut::as_mut)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

    use super::*;
    use crate::files::RealFiles;

    fn hand() -> Hand {
        Hand::new(Some(Box::new(vec![0; HAND_BYTES])))
    }

    /// A pipe that holds these pieces.
    fn holding(pieces: &[&[u8]], flags: PipeFlags) -> OwnedFd {
        let (source, worker) = pipe_with(flags | PipeFlags::NONBLOCK).unwrap();
        fcntl_setpipe_size(&source, 1 << 20).unwrap();
        for piece in pieces {
            assert_eq!(rustix::io::write(&worker, piece), Ok(piece.len()));
        }
        source
    }

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|number| b'a' + u8::try_from(number % 26).unwrap()).collect()
    }

    fn wanted(log: &str, least: usize) -> Wanted<'_> {
        Wanted { log, position: 0, strip: None, least, most: usize::MAX }
    }

    #[test]
    fn whole_pages_of_a_pipe_are_taken_and_owed_until_they_are_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = RealFiles.open(&dir.path().join("log"), Some(0o600)).unwrap().unwrap();
        let (text, mut hand) = (text(50_000), hand());
        let source = holding(&[&text], PipeFlags::empty());
        assert_eq!(hand.take(&RealFiles, &source, &wanted("web.1", 1)).unwrap(), 49_152);
        assert_eq!((hand.creditor(), hand.owes("web.1"), hand.owes("web.2")), (Some("web.1"), 49_152, 0));
        assert_eq!(hand.take(&RealFiles, &source, &wanted("web.2", 1)).unwrap(), 0, "it is full");
        assert_eq!(hand.put(&RealFiles, &file, 0, 0).unwrap(), 49_152);
        assert_eq!((hand.creditor(), hand.owes("web.1")), (None, 0));
        assert_eq!(std::fs::read(dir.path().join("log")).unwrap(), text[..49_152]);
        assert_eq!(RealFiles.waiting(&source).unwrap(), 848);
    }

    #[test]
    fn less_than_is_wanted_is_not_taken_and_nothing_without_memory() {
        let source = holding(&[&text(999)], PipeFlags::empty());
        assert_eq!(hand().take(&RealFiles, &source, &wanted("web.1", 1000)).unwrap(), 0);
        for memory in [None, Some(Box::new(vec![0_u8; HAND_BYTES - 1]) as Box<dyn Lasting>)] {
            let mut hand = Hand::new(memory);
            assert_eq!(hand.take(&RealFiles, &source, &wanted("web.1", 1)).unwrap(), 0);
            assert_eq!(hand.creditor(), None);
        }
        let most = Wanted { most: 0, ..wanted("web.1", 1) };
        assert_eq!(hand().take(&RealFiles, &source, &most).unwrap(), 0);
        assert_eq!(RealFiles.waiting(&source).unwrap(), 999);
    }

    #[test]
    fn what_was_read_and_not_noted_is_told_from_what_was_not_read_whatever_its_length() {
        for length in [1, 15, 16, 17, 4095, 4096, 8192, 131_072] {
            let (mut hand, text) = (hand(), text(length));
            hand.note(&wanted("web.1", 1), length);
            hand = hand.after_death();
            assert_eq!((hand.creditor(), hand.read().len()), (None, 0), "{length} bytes, not read");
            hand.note(&wanted("web.1", 1), length);
            hand.bytes_mut()[HEAD..HEAD + length].copy_from_slice(&text);
            hand = hand.after_death();
            assert_eq!((hand.creditor(), hand.read()), (Some("web.1"), &text[..]), "{length} bytes");
        }
    }

    /// A worker may make its pipe one of packets. Then a kill can come before it is known how little was read.
    #[test]
    fn of_a_pipe_of_packets_one_is_taken_also_by_a_process_that_dies_at_once() {
        for length in [3000, 40_000] {
            let (mut hand, text) = (hand(), text(length));
            let source = holding(&[&text[..100], &text[100..]], PipeFlags::DIRECT);
            assert_eq!(hand.take(&RealFiles, &source, &wanted("web.1", 1)).unwrap(), 100);
            assert_eq!(hand.read(), &text[..100]);
            // The same where it was not noted yet how much that is.
            hand.let_go();
            hand.note(&wanted("web.1", 1), length / PAGE.min(length) * PAGE.min(length));
            hand.bytes_mut()[HEAD..HEAD + 100].copy_from_slice(&text[..100]);
            assert_eq!(hand.after_death().read(), &text[..100]);
        }
    }

    #[test]
    fn escape_sequences_are_left_out_of_what_is_owed_and_what_was_begun_of_one_is_known() {
        let mut hand = hand();
        let source = holding(&[b"31mred\x1b[0m and \x1b["], PipeFlags::empty());
        let strip = Some(Strip::Sequence);
        let taken = hand.take(&RealFiles, &source, &Wanted { strip, ..wanted("web.1", 1) }).unwrap();
        assert_eq!(taken, 17);
        for _ in 0..2 {
            let (owed, strip) = hand.owed();
            assert_eq!((&*owed, strip), (&b"red and "[..], Some(Strip::Sequence)));
            hand = hand.after_death();
        }
    }

    #[test]
    fn what_an_earlier_arrangement_left_is_not_believed() {
        let mut memory = vec![0; HAND_BYTES];
        memory[Word::Owed.at()] = 1;
        assert_eq!(Hand::new(Some(Box::new(memory))).creditor(), None);
    }
}
