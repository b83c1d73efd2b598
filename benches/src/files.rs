//! The files that logs are in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// The log files below a directory, by the name of the log and by how often each was rotated.
pub(crate) struct Logs(BTreeMap<String, BTreeMap<u32, PathBuf>>);

impl Logs {
    pub(crate) fn below(directory: &Path) -> Result<Self> {
        let mut logs = Self(BTreeMap::new());
        let mut directories = vec![directory.to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                if path.is_dir() {
                    directories.push(path);
                } else if let Some((name, age)) = log_of(&path) {
                    logs.0.entry(name).or_default().insert(age, path);
                }
            }
        }
        Ok(logs)
    }

    /// The files of each log, the oldest first.
    pub(crate) fn each(&self) -> impl Iterator<Item = Vec<&Path>> {
        self.0.values().map(|files| files.values().rev().map(PathBuf::as_path).collect())
    }

    /// The files that are written to now.
    pub(crate) fn current(&self) -> impl Iterator<Item = &Path> {
        self.0.values().filter_map(|files| files.get(&0)).map(PathBuf::as_path)
    }

    /// How many files there are.
    pub(crate) fn count(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// The bytes in all of them. One that is being renamed may be missed.
    pub(crate) fn bytes(&self) -> u64 {
        let files = self.0.values().flat_map(BTreeMap::values);
        files.filter_map(|path| fs::metadata(path).ok()).map(|metadata| metadata.len()).sum()
    }
}

/// The log that a file is a part of, and how often it was rotated: `w.1` and 2 for `w.1.log.2`.
fn log_of(path: &Path) -> Option<(String, u32)> {
    let (log, age) = path.file_name()?.to_str()?.rsplit_once(".log")?;
    let age = if age.is_empty() { 0 } else { age.strip_prefix('.')?.parse().ok()? };
    Some((log.to_owned(), age))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_log_come_in_the_order_of_what_was_written() {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["w.1.log", "w.1.log.2", "w.1.log.10", "w.1.index", "w.1.log.new", "w.2.log"] {
            fs::write(directory.path().join(name), name).expect("written");
        }
        let logs = Logs::below(directory.path()).expect("listed");
        let names = |files: Vec<&Path>| {
            let names = files.iter().filter_map(|path| path.file_name()?.to_str());
            names.collect::<Vec<_>>().join(" ")
        };
        let each: Vec<String> = logs.each().map(names).collect();
        assert_eq!(each, ["w.1.log.10 w.1.log.2 w.1.log", "w.2.log"]);
        assert_eq!(logs.current().count(), 2);
        assert_eq!((logs.count(), logs.bytes()), (4, 10 + 9 + 7 + 7));
    }
}
