//! The logs of a directory, for readers.

use std::path::Path;

use crate::{From, Reader, Result, Watch};

/// The logs of a directory; a cheap handle to be cloned at will.
#[derive(Debug, Clone)]
pub struct Store {}

impl Store {
    /// Opens the logs in `dir` while nobody captures into it.
    pub fn open(dir: &Path) -> Result<Self> {
        let _ = dir;
        unimplemented!()
    }

    /// The names of all logs, in order.
    pub fn logs(&self) -> Vec<String> {
        Vec::new()
    }

    /// The position just after the last byte of a log.
    pub fn end(&self, log: &str) -> Result<u64> {
        let _ = log;
        unimplemented!()
    }

    /// Reads a log from a place on.
    pub fn reader(&self, log: &str, from: From) -> Result<Reader> {
        let _ = (log, from);
        unimplemented!()
    }

    /// Wakes a follower when any log has news.
    pub fn watch(&self) -> Result<Watch> {
        unimplemented!()
    }
}
