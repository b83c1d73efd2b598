//! What a program prints, collected as it comes.

use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::Deadline;

/// One stream of a program; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Collector(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    closed: bool,
}

impl Collector {
    /// Reads `source` to its end in a thread of its own.
    pub(crate) fn of(source: impl Read + Send + 'static) -> Self {
        let collector = Self::default();
        let filled = collector.clone();
        thread::spawn(move || filled.fill(source));
        collector
    }

    fn fill(&self, mut source: impl Read) {
        let mut chunk = vec![0; 65536];
        loop {
            match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => self.update(|state| state.bytes.extend_from_slice(&chunk[..count])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A terminal whose last writer is gone says so with an error, not with an end.
                Err(_) => break,
            }
        }
        self.update(|state| state.closed = true);
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.0.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// How many bytes came so far.
    pub(crate) fn len(&self) -> usize {
        self.lock().bytes.len()
    }

    /// Blocks until `wanted` finds what it looks for in the text from byte `from` on; none when the stream ended or
    /// the deadline passed before.
    pub(crate) fn wait<T>(
        &self,
        from: usize,
        deadline: Deadline,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.lock();
        loop {
            let text = String::from_utf8_lossy(state.bytes.get(from..).unwrap_or_default());
            if let Some(found) = wanted(&text) {
                return Some(found);
            }
            let left = if state.closed { None } else { deadline.left() };
            state = self.0.changed.wait_timeout(state, left?).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Blocks until the stream has ended; false when the deadline passed first.
    pub(crate) fn wait_end(&self, deadline: Deadline) -> bool {
        let mut state = self.lock();
        while !state.closed {
            let Some(left) = deadline.left() else { return false };
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// The first line of `text` that contains `pattern`; the last line counts also while it is unfinished.
pub(crate) fn line_with(text: &str, pattern: &str) -> Option<String> {
    text.lines().find(|line| line.contains(pattern)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_line_is_found_when_it_comes_and_not_before() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let collector = Collector::of(reader);
        let early = collector.wait(0, Deadline::after(Duration::ZERO), |text| line_with(text, "two"));
        assert_eq!(early, None);
        io::Write::write_all(&mut writer, b"one\ntwo and more\n").expect("written");
        let found = collector.wait(0, Deadline::generous(), |text| line_with(text, "two"));
        assert_eq!(found.as_deref(), Some("two and more"));
    }

    #[test]
    fn a_stream_that_ends_ends_the_wait_at_once() {
        let (reader, writer) = io::pipe().expect("a pipe");
        let collector = Collector::of(reader);
        drop(writer);
        assert_eq!(collector.wait(0, Deadline::generous(), |text| line_with(text, "x")), None);
        assert!(collector.wait_end(Deadline::generous()));
    }

    #[test]
    fn what_came_before_the_mark_does_not_count() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let collector = Collector::of(reader);
        io::Write::write_all(&mut writer, b"ready\n").expect("written");
        collector.wait(0, Deadline::generous(), |text| line_with(text, "ready")).expect("the first");
        let mark = collector.len();
        io::Write::write_all(&mut writer, b"again ready\n").expect("written");
        let found = collector.wait(mark, Deadline::generous(), |text| line_with(text, "ready"));
        assert_eq!(found.as_deref(), Some("again ready"));
    }
}
