//! AUTO logs in files of their own, with the names that supervisord gives them.
//!
//! `NAME-stdout---IDENTIFIER-xxxxxxxx.log`: the last part cannot be guessed, as the directory is often one into which
//! everybody writes. It follows from a key that is drawn when the app starts, so that a log keeps its file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use super::daemon::Daemon;
use crate::{LogFile, LogName, Spec};

/// What the last part of a name is made of.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789_";
const LENGTH: usize = 8;

/// Where AUTO logs are, if they are not in ganger's own store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoLogs {
    /// Their directory.
    pub dir: PathBuf,
    /// What their names are made of; empty until the app starts.
    pub(crate) key: String,
}

impl std::fmt::Debug for AutoLogs {
    /// Without the key: who knows it knows the names to come.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AutoLogs").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Daemon {
    /// The file of an AUTO log; none if it is in the store.
    fn auto_log(&self, log: &LogName, process: &str) -> Option<PathBuf> {
        let AutoLogs { dir, key } = self.auto_logs.as_ref().filter(|auto| !auto.key.is_empty())?;
        let digest = Sha1::digest(format!("{key}/{log}"));
        let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
        let last: String = digest.iter().take(LENGTH).map(letter).collect();
        let channel = if log.is_err { "stderr" } else { "stdout" };
        Some(dir.join(format!("{process}-{channel}---{}-{last}.log", self.identifier)))
    }
}

impl Spec {
    /// Names AUTO logs by this key from now on: one that nobody can guess.
    pub fn draw_auto_logs(&mut self, key: String) {
        if let Some(auto) = self.supervisor.as_mut().and_then(|daemon| daemon.auto_logs.as_mut()) {
            auto.key = key;
        }
    }

    /// Names AUTO logs as the spec before did.
    pub fn keep_auto_logs(&mut self, before: &Self) {
        let auto = before.supervisor.as_ref().and_then(|daemon| daemon.auto_logs.as_ref());
        if let Some(auto) = auto {
            self.draw_auto_logs(auto.key.clone());
        }
    }

    /// Where a log is of which nothing is said.
    pub(crate) fn auto_log(&self, file: LogFile, log: &LogName, process: &str) -> LogFile {
        let auto = || self.supervisor.as_ref()?.auto_log(log, process);
        match file {
            LogFile::Store => auto().map_or(LogFile::Store, LogFile::Auto),
            other => other,
        }
    }
}
