//! Bytes made from other bytes, the same for the same seed.

use ganger_core::Random;

use crate::Target;

/// Longer inputs say nothing that shorter ones do not.
const MAX_BYTES: usize = 4 << 10;
/// At most so many changes are made to one input.
const MAX_CHANGES: u64 = 6;

/// One of the `corpus` with a few things changed.
pub fn mutated(target: &Target, corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = pick(corpus, random).cloned().unwrap_or_default();
    for _ in 0..=random.below(MAX_CHANGES) {
        change(&mut bytes, target, corpus, random);
    }
    bytes.truncate(MAX_BYTES);
    bytes
}

fn change(bytes: &mut Vec<u8>, target: &Target, corpus: &[Vec<u8>], random: &mut Random) {
    let (from, to) = span(bytes.len(), random);
    match random.below(8) {
        0 => {
            if let Some(byte) = bytes.get_mut(from) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => bytes.insert(from, u8::try_from(random.below(256)).unwrap_or(0)),
        2 => {
            bytes.drain(from..to);
        }
        3 => {
            let again = bytes[from..to].to_vec();
            insert(bytes, to, &again);
        }
        4..6 => {
            if let Some(word) = pick(target.words, random) {
                insert(bytes, from, word.as_bytes());
            }
        }
        6 => {
            if let Some(word) = pick(target.words, random) {
                bytes.splice(from..to, word.bytes());
            }
        }
        _ => {
            if let Some(other) = pick(corpus, random) {
                let (start, end) = span(other.len(), random);
                insert(bytes, from, &other[start..end]);
            }
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, more: &[u8]) {
    bytes.splice(at..at, more.iter().copied());
}

/// A short span within `length`.
fn span(length: usize, random: &mut Random) -> (usize, usize) {
    let from = index(length + 1, random);
    (from, from + index((length - from).min(32) + 1, random))
}

fn pick<'a, T>(list: &'a [T], random: &mut Random) -> Option<&'a T> {
    list.get(index(list.len(), random))
}

fn index(length: usize, random: &mut Random) -> usize {
    usize::try_from(random.below(length.max(1) as u64)).unwrap_or(0)
}
