//! The index beside a segment: where it begins in the whole log, and when which bytes came.
//!
//! A header, then records of a fixed size in ascending order. A record holds for all bytes from its position
//! up to the next record's. A torn last record is ignored and written over.

use std::io;
use std::path::Path;

use crate::Stamp;
use crate::files::Files;

/// Bytes of the header.
pub(crate) const HEADER: u64 = HEADER_BYTES as u64;
const HEADER_BYTES: usize = 32;
/// Bytes of a record.
pub(crate) const RECORD: u64 = RECORD_BYTES as u64;
/// The same, to size buffers with.
pub(crate) const RECORD_BYTES: usize = 24;
const MAGIC: u64 = u64::from_le_bytes(*b"ganglog1");

/// What an index says about its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The position of the segment's first byte in the whole log.
    pub(crate) base: u64,
    /// How long the segment before this one is, once the rotation that made this one is complete.
    pub(crate) cut: u64,
}

/// From this position on, bytes bear this stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) position: u64,
    pub(crate) stamp: Stamp,
}

impl Header {
    /// `seal` tells the place of the text that it is an index of.
    pub(crate) fn bytes(self, seal: u64) -> [u8; HEADER_BYTES] {
        words([MAGIC, self.base, self.cut, self.check(seal)])
    }

    fn parse(bytes: &[u8], seal: u64) -> Option<Self> {
        let [magic, base, cut, check] = unwords::<4>(bytes)?;
        let header = Self { base, cut };
        (magic == MAGIC && check == header.check(seal)).then_some(header)
    }

    fn check(self, seal: u64) -> u64 {
        let sum = MAGIC ^ self.base.rotate_left(21) ^ self.cut.rotate_left(42) ^ seal;
        sum.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl Record {
    pub(crate) fn bytes(self) -> [u8; RECORD_BYTES] {
        words([self.position, self.stamp.time.cast_unsigned(), self.stamp.run])
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let [position, time, run] = unwords::<3>(bytes)?;
        Some(Self { position, stamp: Stamp { time: time.cast_signed(), run } })
    }
}

/// Reads a header; `None` when the index is missing, or its header is torn, foreign or of a text at another place.
pub(crate) fn header<F: Files>(files: &F, path: &Path, seal: u64) -> io::Result<Option<Header>> {
    let Some(file) = files.open(path, None)? else { return Ok(None) };
    let mut bytes = [0; HEADER_BYTES];
    let got = files.read_at(&file, 0, &mut bytes)?;
    Ok(Header::parse(&bytes[..got], seal))
}

/// Reads the record with this number, if it is there whole.
pub(crate) fn record<F: Files>(files: &F, file: &F::File, number: u64) -> io::Result<Option<Record>> {
    let mut bytes = [0; RECORD_BYTES];
    let got = files.read_at(file, HEADER + number * RECORD, &mut bytes)?;
    Ok(Record::parse(&bytes[..got]))
}

/// The whole records in a part of an index.
pub(crate) fn parse_all(bytes: &[u8]) -> impl Iterator<Item = Record> {
    bytes.chunks_exact(RECORD_BYTES).filter_map(Record::parse)
}

/// How many whole records an index of this size holds.
pub(crate) fn records(size: u64) -> u64 {
    size.saturating_sub(HEADER) / RECORD
}

fn words<const N: usize, const B: usize>(words: [u64; N]) -> [u8; B] {
    let mut bytes = [0; B];
    for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn unwords<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    let mut words = [0; N];
    let (chunks, _) = bytes.as_chunks::<8>();
    if chunks.len() < N {
        return None;
    }
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u64::from_le_bytes(*chunk);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_torn_or_altered_anywhere_is_not_believed() {
        let whole = Header { base: 123_456, cut: 789 }.bytes(5);
        assert_eq!(Header::parse(&whole, 5), Some(Header { base: 123_456, cut: 789 }));
        assert_eq!(Header::parse(&whole, 6), None, "of another place");
        for n in 0..whole.len() {
            assert_eq!(Header::parse(&whole[..n], 5), None);
            let mut altered = whole;
            altered[n] ^= 0x10;
            assert_eq!(Header::parse(&altered, 5), None, "byte {n}");
        }
    }

    #[test]
    fn a_torn_record_does_not_count() {
        assert_eq!(records(0), 0);
        assert_eq!(records(HEADER + RECORD - 1), 0);
        assert_eq!(records(HEADER + RECORD), 1);
        let record = Record { position: 5, stamp: Stamp { time: -7, run: 9 } };
        assert_eq!(Record::parse(&record.bytes()), Some(record));
        assert_eq!(Record::parse(&record.bytes()[..23]), None);
    }
}
