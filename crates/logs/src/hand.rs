//! The hand: memory in which bytes are carried from a pipe to a log, and which outlives the process.
//!
//! Splicing loses nothing with a kill, but keeps the pipe locked until the bytes are in the file: a loud worker waits
//! for its log. Reading lets go of the pipe sooner, but what was read and is not written yet would be lost. So it is
//! read into memory that the next start finds, and that tells whether it was read:
//!
//! 1. It is noted whose bytes they are, for which position, and how many are to be read: so many are in the pipe.
//! 2. A mark that no worker knows is laid where they will come.
//! 3. They are read. A kill does not come between the first and the last of them, so they are there if and only if the
//!    mark is not. A pipe of packets gives one packet instead, which is shorter than a page: the mark fills that.
//! 4. They are written, and owed no more.
//!
//! Whoever comes next writes of them what is not in the log. Until then the log gets nothing else.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::{Ordering, compiler_fence};

use crate::files::Files;

/// So much memory makes a hand.
pub const HAND_BYTES: usize = HEAD + CARRIED_MAX;

/// Memory that outlives its process: the next one finds there what this one wrote. At first it is of zeros.
pub trait Lasting: AsRef<[u8]> + AsMut<[u8]> + Send {}

impl<T: AsRef<[u8]> + AsMut<[u8]> + Send> Lasting for T {}

/// Tells this arrangement from others.
const ARRANGEMENT: u64 = 0x676e_7248_616e_6401;
/// What is noted, before the bytes.
const HEAD: usize = PAGE;
const PAGE: usize = 4096;
/// Less is spliced.
const CARRIED_MIN: usize = 32 * 1024;
const CARRIED_MAX: usize = 128 * 1024;
const MARK: usize = 16;
/// Where a name begins, after the words.
const NAME: usize = 128;
const NAME_MAX: usize = HEAD - NAME;

/// The words that are noted, each of eight bytes, and the mark after them.
#[derive(Clone, Copy)]
enum Word {
    Arrangement,
    /// 1 while bytes are owed.
    Owed,
    Position,
    Length,
    NameLength,
    Mark,
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
        let mut hand = Self { memory, mark };
        if hand.memory.is_some() && hand.word(Word::Arrangement) != ARRANGEMENT {
            hand.let_go();
            hand.set(Word::Arrangement, ARRANGEMENT);
        }
        if hand.creditor().is_some() && hand.taken().is_empty() {
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
        if self.creditor() == Some(log) { self.taken().len() } else { 0 }
    }

    /// Forgets what is owed.
    pub(crate) fn let_go(&mut self) {
        compiler_fence(Ordering::SeqCst);
        self.set(Word::Owed, 0);
    }

    /// Takes up to `max` bytes for a log, from this position on; 0 if that is not worth it or not possible now.
    pub(crate) fn take<F: Files>(
        &mut self,
        files: &F,
        source: &F::Source,
        (log, position): (&str, u64),
        max: usize,
    ) -> io::Result<usize> {
        if self.memory.is_none() || max < CARRIED_MIN || log.len() > NAME_MAX || self.creditor().is_some() {
            return Ok(0);
        }
        // Whole pages, so that the mark in the last one is whole, too.
        let length = files.waiting(source)?.min(max).min(CARRIED_MAX) / PAGE * PAGE;
        if length < CARRIED_MIN {
            return Ok(0);
        }
        self.note(log, position, length);
        let taken = files.take(source, &mut self.bytes_mut()[HEAD..HEAD + length]);
        match taken {
            Ok(taken) if taken > 0 => self.set(Word::Length, taken as u64),
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
        let (taken, position) = (self.taken(), self.word(Word::Position));
        let mut there = vec![0; usize::try_from(end.saturating_sub(position)).unwrap_or(0).min(taken.len())];
        if !there.is_empty() && position >= base {
            let got = files.read_at(file, position - base, &mut there)?;
            there.truncate(got);
        } else {
            there.clear();
        }
        let is_same = |(one, other): &(&u8, &u8)| one == other;
        let same = there.iter().zip(taken).take_while(is_same).count();
        files.write_at(file, end - base, &taken[same..])?;
        let written = taken.len() - same;
        self.let_go();
        Ok(written)
    }

    /// What is owed: all that was to be read, or the one packet that was read instead, or nothing if nothing was read.
    fn taken(&self) -> &[u8] {
        let length = usize::try_from(self.word(Word::Length)).unwrap_or(0).min(CARRIED_MAX);
        let bytes = &self.bytes()[HEAD..HEAD + length];
        let mark = &self.bytes()[Word::Mark.at()..Word::Mark.at() + MARK];
        if length <= PAGE || !bytes[length - PAGE..].starts_with(mark) {
            return bytes;
        }
        let is_marked = |at: &usize| bytes[*at] == mark[at % MARK];
        let marked = (0..PAGE).rev().take_while(is_marked).count();
        &bytes[..PAGE - marked]
    }

    /// Notes what is to be read, and lays the marks: in each page, so that none is missing while it is read, and all
    /// over the first.
    fn note(&mut self, log: &str, position: u64, length: usize) {
        let mark = self.mark;
        let memory = self.bytes_mut();
        memory[NAME..NAME + log.len()].copy_from_slice(log.as_bytes());
        memory[Word::Mark.at()..Word::Mark.at() + MARK].copy_from_slice(&mark);
        let (first, rest) = memory[HEAD..HEAD + length].split_at_mut(PAGE);
        first.chunks_exact_mut(MARK).for_each(|place| place.copy_from_slice(&mark));
        for page in rest.chunks_mut(PAGE) {
            page.iter_mut().zip(mark).for_each(|(place, byte)| *place = byte);
        }
        self.set(Word::Position, position);
        self.set(Word::Length, length as u64);
        self.set(Word::NameLength, log.len() as u64);
        // It is owed once all of this is noted. A kill leaves what was written by then; it is for the compiler alone.
        compiler_fence(Ordering::SeqCst);
        self.set(Word::Owed, 1);
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

    #[test]
    fn whole_pages_of_a_loud_pipe_are_taken_and_owed_until_they_are_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = RealFiles.open(&dir.path().join("log"), Some(0o600)).unwrap().unwrap();
        let (text, mut hand) = (text(50_000), hand());
        let source = holding(&[&text], PipeFlags::empty());
        assert_eq!(hand.take(&RealFiles, &source, ("web.1", 0), usize::MAX).unwrap(), 49_152);
        assert_eq!((hand.creditor(), hand.owes("web.1"), hand.owes("web.2")), (Some("web.1"), 49_152, 0));
        assert_eq!(hand.take(&RealFiles, &source, ("web.2", 0), usize::MAX).unwrap(), 0, "it is full");
        assert_eq!(hand.put(&RealFiles, &file, 0, 0).unwrap(), 49_152);
        assert_eq!((hand.creditor(), hand.owes("web.1")), (None, 0));
        assert_eq!(std::fs::read(dir.path().join("log")).unwrap(), text[..49_152]);
        assert_eq!(RealFiles.waiting(&source).unwrap(), 848);
    }

    #[test]
    fn little_is_not_taken_and_nothing_without_memory() {
        let source = holding(&[&text(CARRIED_MIN - 1)], PipeFlags::empty());
        assert_eq!(hand().take(&RealFiles, &source, ("web.1", 0), usize::MAX).unwrap(), 0);
        let source = holding(&[&text(CARRIED_MIN)], PipeFlags::empty());
        for memory in [None, Some(Box::new(vec![0_u8; HAND_BYTES - 1]) as Box<dyn Lasting>)] {
            let mut hand = Hand::new(memory);
            assert_eq!(hand.take(&RealFiles, &source, ("web.1", 0), usize::MAX).unwrap(), 0);
            assert_eq!(hand.creditor(), None);
        }
        assert_eq!(hand().take(&RealFiles, &source, ("web.1", 0), CARRIED_MIN - 1).unwrap(), 0);
        assert_eq!(RealFiles.waiting(&source).unwrap(), CARRIED_MIN);
    }

    /// A worker may make its pipe one of packets. Then a kill can come before it is known how little was read.
    #[test]
    fn of_a_pipe_of_packets_one_is_taken_also_by_a_process_that_dies_at_once() {
        for dies in [false, true] {
            let (mut hand, text) = (hand(), text(40_000));
            let source = holding(&[&text[..100], &text[100..]], PipeFlags::DIRECT);
            let taken = hand.take(&RealFiles, &source, ("web.1", 0), usize::MAX).unwrap();
            assert_eq!(taken, 100);
            if dies {
                // It was not noted yet how much that is.
                hand.set(Word::Length, 36_864);
                hand = hand.after_death();
            }
            assert_eq!(hand.taken(), &text[..100]);
        }
    }

    #[test]
    fn a_process_that_dies_before_it_reads_leaves_a_hand_that_is_free() {
        let mut hand = hand();
        hand.note("web.1", 0, CARRIED_MIN);
        assert_eq!(hand.after_death().creditor(), None);
    }

    #[test]
    fn what_an_earlier_arrangement_left_is_not_believed() {
        let mut memory = vec![0; HAND_BYTES];
        memory[Word::Owed.at()] = 1;
        assert_eq!(Hand::new(Some(Box::new(memory))).creditor(), None);
    }
}
