//! The part of a log that is kept: lines in the order of their time, with numbers that stay when older ones come
//! before them or go.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};

use ganger_api::{LogCursor, LogLine, Time};

use ganger_spec::LogName;

use crate::entry::Entry;

/// So many lines of a log are kept.
pub const LINES_MAX: usize = 20_000;
/// The lines that are kept take so many bytes, about.
pub const BYTES_MAX: usize = 16 << 20;

/// Lines of a log.
#[derive(Debug, Default)]
pub(crate) struct Window {
    lines: VecDeque<Entry>,
    bytes: usize,
    /// The number of the first line.
    first: i64,
}

/// Which lines give way where there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Giving {
    Oldest,
    Newest,
}

impl Window {
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.lines.len() >= LINES_MAX || self.bytes >= BYTES_MAX
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The number of the first line.
    pub(crate) fn first(&self) -> i64 {
        self.first
    }

    /// The number behind that of the last line.
    pub(crate) fn end(&self) -> i64 {
        self.first + i64::try_from(self.lines.len()).unwrap_or(i64::MAX)
    }

    /// The lines with these numbers, as far as they are there.
    pub(crate) fn from(&self, number: i64) -> impl Iterator<Item = (i64, &Entry)> {
        let skipped = usize::try_from(number.saturating_sub(self.first)).unwrap_or(0);
        (self.first.max(number)..).zip(self.lines.iter().skip(skipped))
    }

    /// The lines before this one, the latest first.
    pub(crate) fn before(&self, number: i64) -> impl Iterator<Item = (i64, &Entry)> {
        let count = usize::try_from(number.saturating_sub(self.first)).unwrap_or(0).min(self.lines.len());
        let last = self.first + i64::try_from(count).unwrap_or(0) - 1;
        self.lines
            .iter()
            .take(count)
            .rev()
            .enumerate()
            .map(move |(step, entry)| (last - i64::try_from(step).unwrap_or(0), entry))
    }

    /// Puts lines behind the others; how many were new lines and not the rest of one.
    pub(crate) fn append(&mut self, lines: Vec<LogLine>) -> usize {
        let before = self.lines.len();
        for line in lines {
            if let Some(last) = self.lines.back_mut() {
                let bytes = last.bytes();
                if last.go_on(&line) {
                    self.bytes = self.bytes - bytes + last.bytes();
                    continue;
                }
            }
            let entry = Entry::new(line);
            self.bytes += entry.bytes();
            self.lines.push_back(entry);
        }
        self.lines.len() - before
    }

    /// Puts lines before the others, without those that are there already; how many came.
    pub(crate) fn prepend(&mut self, lines: Vec<LogLine>) -> usize {
        let known = self.firsts();
        let is_new = |line: &LogLine| known.get(&line.log).is_none_or(|first| line.position < *first);
        let mut fresh = Self::default();
        fresh.append(lines.into_iter().filter(is_new).collect());
        let count = fresh.lines.len();
        self.bytes += fresh.bytes;
        self.first -= i64::try_from(count).unwrap_or(0);
        fresh.lines.append(&mut self.lines);
        self.lines = fresh.lines;
        count
    }

    /// Lets lines go until the rest is within its bounds; whether any went.
    pub(crate) fn trim(&mut self, giving: Giving) -> bool {
        let before = self.lines.len();
        while self.lines.len() > LINES_MAX || self.bytes > BYTES_MAX {
            let gone = match giving {
                Giving::Oldest => self.lines.pop_front(),
                Giving::Newest => self.lines.pop_back(),
            };
            let Some(gone) = gone else { break };
            self.bytes -= gone.bytes();
            if giving == Giving::Oldest {
                self.first += 1;
            }
        }
        self.lines.len() < before
    }

    /// The number of this line of this log, or of the one that goes on with it.
    pub(crate) fn find(&self, wanted: &LogLine) -> Option<i64> {
        let mut of_log = self.from(self.first).filter(|(_, entry)| entry.log == wanted.log);
        let (first, entry) = of_log.next()?;
        match entry.position.cmp(&wanted.position) {
            Ordering::Equal => Some(first),
            // It is further above.
            Ordering::Greater => None,
            Ordering::Less => {
                of_log.find(|(_, entry)| entry.position >= wanted.position).map(|(number, _)| number)
            }
        }
    }

    /// When the first line was written, and how many lines have that time.
    pub(crate) fn oldest(&self) -> Option<(Time, usize)> {
        let first = self.lines.front()?.time;
        Some((first, self.lines.iter().take_while(|entry| entry.time == first).count()))
    }

    /// When the last line was written.
    pub(crate) fn latest(&self) -> Option<Time> {
        self.lines.back().map(|entry| entry.time)
    }

    /// Where each log stands behind the last line.
    pub(crate) fn cursor(&self) -> LogCursor {
        let mut cursor = LogCursor::default();
        for entry in self.lines.iter().rev() {
            if !cursor.0.contains_key(&entry.log) {
                cursor.0.insert(entry.log.clone(), entry.position);
            }
        }
        cursor
    }

    /// The position of the first line of each log.
    fn firsts(&self) -> BTreeMap<&LogName, u64> {
        let mut firsts = BTreeMap::new();
        for entry in &self.lines {
            firsts.entry(&entry.log).or_insert(entry.position);
        }
        firsts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::line;

    fn window(count: usize) -> Window {
        let mut window = Window::default();
        let lines = (0..count).map(|at| line("web.1", at as u64 + 100, &at.to_string())).collect();
        assert_eq!(window.append(lines), count);
        window
    }

    fn texts(window: &Window) -> Vec<&str> {
        window.from(i64::MIN).map(|(_, entry)| entry.styled.text.as_str()).collect()
    }

    #[test]
    fn numbers_stay_when_lines_come_before_and_go() {
        let mut window = window(3);
        assert_eq!((window.first(), window.end()), (0, 3));
        let older = vec![line("web.1", 98, "a"), line("web.2", 7, "b"), line("web.1", 100, "known")];
        assert_eq!(window.prepend(older), 2);
        assert_eq!((window.first(), window.end()), (-2, 3));
        assert_eq!(texts(&window), ["a", "b", "0", "1", "2"]);
        assert_eq!(window.from(0).next().unwrap().1.styled.text, "0");
        assert!(window.from(3).next().is_none());
        let before: Vec<i64> = window.before(1).map(|(number, _)| number).collect();
        assert_eq!(before, [0, -1, -2]);
        assert_eq!(window.before(i64::MIN / 2).count(), 0);
        assert_eq!(window.find(&line("web.2", 7, "")), Some(-1));
        assert_eq!(window.find(&line("web.1", 101, "")), Some(1));
        assert_eq!(window.find(&line("web.1", 97, "")), None);
        assert_eq!(window.cursor().to_string(), "web.1@102;web.2@7");
    }

    #[test]
    fn as_many_lines_are_kept_as_the_bound_says_and_no_more() {
        for (giving, left) in [(Giving::Oldest, "1"), (Giving::Newest, "0")] {
            let mut window = window(LINES_MAX);
            assert!(!window.trim(giving) && window.is_full());
            window.append(vec![line("web.1", 1 << 40, "last")]);
            assert!(window.trim(giving));
            assert_eq!(window.lines.len(), LINES_MAX);
            assert_eq!(texts(&window)[0], left);
            assert_eq!(window.first(), left.parse::<i64>().unwrap());
        }
    }

    #[test]
    fn long_lines_are_kept_as_far_as_their_bytes_allow() {
        let mut window = Window::default();
        let long = "x".repeat(64 << 10);
        let count = BYTES_MAX / long.len() + 1;
        window.append((0..count).map(|at| line("web.1", at as u64 + 1, &long)).collect());
        assert!(window.trim(Giving::Oldest) && window.lines.len() < count && window.bytes <= BYTES_MAX);
    }
}
