//! Names of processes and groups.

use std::fmt;

/// `group:process`, `group:*` or `name`, which is the process of that name in the group of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameSpec {
    /// The group.
    pub group: String,
    /// The process; none for all of the group.
    pub process: Option<String>,
}

impl NameSpec {
    /// What is meant by this text. Any text means something; whether it exists is another matter.
    pub fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some((group, "" | "*")) => Self { group: group.to_owned(), process: None },
            Some((group, process)) => Self { group: group.to_owned(), process: Some(process.to_owned()) },
            None => Self { group: text.to_owned(), process: Some(text.to_owned()) },
        }
    }

    /// One process.
    pub fn of(group: impl Into<String>, process: impl Into<String>) -> Self {
        Self { group: group.into(), process: Some(process.into()) }
    }
}

impl fmt::Display for NameSpec {
    /// The shortest text that means it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.process {
            Some(process) if *process == self.group => f.write_str(process),
            Some(process) => write!(f, "{}:{process}", self.group),
            None => write!(f, "{}:*", self.group),
        }
    }
}
