//! Whether every line is there, once, whole and in order.

use std::collections::BTreeMap;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Whole lines.
    pub(crate) whole: u64,
    /// Lines that carry a worker's text and are not whole.
    pub(crate) torn: u64,
    /// Whole lines that came before their time, or twice.
    pub(crate) disordered: u64,
    /// Lines that never came.
    pub(crate) missing: u64,
}

impl Count {
    /// Everything that should not be.
    pub(crate) fn wrong(&self) -> u64 {
        self.torn + self.disordered + self.missing
    }
}

/// Counts in `output` the lines of `workers` workers, `each` of every one, `length` bytes long with their end.
pub(crate) fn check(output: &[u8], workers: u64, each: u64, length: usize) -> Count {
    let mut count = Count::default();
    let mut next: BTreeMap<u64, u64> = BTreeMap::new();
    for line in output.split(|byte| *byte == b'\n') {
        let text = memchr::memchr(b'<', line).map(|at| &line[at..]);
        match text.and_then(|text| parse(text, length - 1)) {
            Some((pid, number)) => {
                count.whole += 1;
                let expected = next.entry(pid).or_default();
                count.disordered += u64::from(*expected != number);
                *expected = number + 1;
            }
            None => {
                count.torn += u64::from(text.is_some() || memchr::memmem::find(line, b"......").is_some());
            }
        }
    }
    count.missing = (workers * each).saturating_sub(count.whole);
    count
}

/// The worker and the number of a whole line.
fn parse(text: &[u8], length: usize) -> Option<(u64, u64)> {
    if text.len() != length {
        return None;
    }
    let close = memchr::memchr(b'>', text)?;
    if text[close + 1..].iter().any(|byte| *byte != b'.') {
        return None;
    }
    let (pid, number) = str::from_utf8(&text[1..close]).ok()?.split_once(' ')?;
    Some((pid.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_whole_and_in_order_is_right() {
        let output = b"w.1 | <7 0>.....\nw.1 | <8 0>.....\nganger | something\nw.1 | <7 1>.....\n";
        let count = check(output, 1, 3, 11);
        assert_eq!(count, Count { whole: 3, ..Count::default() });
    }

    #[test]
    fn torn_missing_and_disordered_lines_are_counted() {
        let output = b"<7 0>.....\n<7 1>..\n<7 3>.....\n.......\n";
        let count = check(output, 1, 4, 11);
        assert_eq!(count, Count { whole: 2, torn: 2, disordered: 1, missing: 2 });
        assert_eq!(count.wrong(), 5);
    }
}
