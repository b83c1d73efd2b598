//! The lines of several logs in the order of time.

use std::sync::Arc;

use crate::{Result, Store};

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The log it is of.
    pub log: Arc<str>,
    /// When it came, in nanoseconds since 1970.
    pub time: i64,
    /// The run that wrote it; 0 when it is not known.
    pub run: u64,
    /// Where in its log it begins; resume after it from `position + text.len() + 1`.
    pub position: u64,
    /// Its bytes, without the newline.
    pub text: Vec<u8>,
}

/// Which lines are wanted.
#[derive(Default)]
pub struct Query {
    /// Only lines that came at or after this time (nanoseconds since 1970).
    pub since: Option<i64>,
    /// Only lines that came before this time.
    pub until: Option<i64>,
    /// Only the last so many of them.
    pub last: Option<usize>,
    /// Only lines for which this is true.
    pub filter: Option<Box<dyn Fn(&[u8]) -> bool + Send>>,
    /// After what is there come the lines that are still to be written.
    pub follow: bool,
}

impl Query {
    /// Only lines that contain `text`.
    #[must_use]
    pub fn grep(mut self, text: &str) -> Self {
        let finder = memchr::memmem::Finder::new(text).into_owned();
        self.filter = Some(Box::new(move |line| finder.find(line).is_some()));
        self
    }
}

/// Lines of several logs in the order of time, a batch at a time.
pub struct Merged {}

impl Merged {
    /// The lines of `logs` that `query` asks for.
    pub fn new(store: &Store, logs: &[String], query: Query) -> Result<Self> {
        let _ = (store, logs, query);
        unimplemented!()
    }

    /// The next lines, together about `max_bytes` long; none when there are none (yet). Never waits for
    /// output: a follower waits with [`Store::watch`].
    pub fn next_batch(&mut self, max_bytes: usize) -> Result<Vec<Line>> {
        let _ = max_bytes;
        unimplemented!()
    }
}
