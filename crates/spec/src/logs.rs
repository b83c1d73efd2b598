//! How output is kept: `[logs]` of `ganger.toml`, for the app and for each group.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::input::absolute;
use crate::native::{LogFileValue, LogsTable, Native};
use crate::problem::Findings;

/// A log file is rotated at this size where nothing is said.
pub const LOG_FILE_BYTES: u64 = 10 << 20;

/// Stands for the worker's number in the name of a log file.
const NUMBER: &str = "{number}";

/// The most rotated files of a log that can be kept.
pub const MAX_KEEP: u32 = 1000;

/// How the output of a worker is kept. What is not said is ganger's to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logs {
    /// A log file is rotated when it has grown to so many bytes.
    pub max_size: Option<u64>,
    /// So many rotated files are kept.
    pub keep: Option<u32>,
    /// A log file that is older is rotated by the next write.
    pub max_age: Option<Duration>,
    /// All files of one worker take at most so many bytes.
    pub max_total: Option<u64>,
    /// Rotated files are compressed.
    pub compress: bool,
    /// Where stderr goes.
    pub stderr: Stderr,
    /// Where the log of stdout is, and of stderr if it is in the same.
    pub out: LogFile,
    /// Where the log of stderr is that is kept apart.
    pub err: LogFile,
    /// The size and the number of rotated files of that log, where they differ.
    pub err_size: Option<LogSize>,
}

/// Where a log is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFile {
    /// In the store of the app.
    #[default]
    Store,
    /// In a file of its own, beside which its rotated files are. Absolute.
    Path(PathBuf),
    /// Nowhere: what is written is dropped.
    Dropped,
    /// In the store of the app, until it is sent to syslog: to supervisord's clients there is no file.
    Sent,
    /// In the store of the app, until it is copied into supervisord's main log: to its clients there is no file.
    Echoed,
    /// In a file with a name as supervisord gives it.
    Auto(PathBuf),
}

/// How far a log may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSize {
    /// A file is rotated when it has grown to so many bytes.
    pub max_size: u64,
    /// So many rotated files are kept.
    pub keep: u32,
}

/// Where a worker's stderr goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stderr {
    /// Into one log with stdout, in the order in which both were written.
    #[default]
    Together,
    /// Into a log of its own, `web.1.err` beside `web.1`.
    Separate,
}

impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = [
            self.max_size.map(|bytes| match bytes {
                u64::MAX => "never rotated".to_owned(),
                bytes => format!("files of {}", Bytes(bytes)),
            }),
            self.keep.map(|files| format!("{files} rotated ones kept")),
            self.max_age.map(|age| format!("rotated after {}", Age(age))),
            self.max_total.map(|bytes| format!("at most {} a worker", Bytes(bytes))),
            self.compress.then(|| "compressed".to_owned()),
            self.out.told("in"),
            (self.stderr == Stderr::Separate).then(|| "stderr apart".to_owned()),
            self.err.told("stderr in"),
        ];
        f.write_str(&said.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

impl LogFile {
    fn of(said: Option<&LogFileValue>, beside: &Path) -> Self {
        match said.map(|said| &said.0) {
            Some(Self::Path(path)) => Self::Path(absolute(beside, path)),
            Some(other) => other.clone(),
            None => Self::Store,
        }
    }

    /// What has no file is kept nevertheless until syslog has it.
    pub(crate) fn sent(self, is_sent: bool) -> Self {
        match self {
            Self::Dropped if is_sent => Self::Sent,
            other => other,
        }
    }

    /// That of worker `number`.
    pub(crate) fn of_worker(&self, number: u32) -> Self {
        match self {
            Self::Path(path) => match path.to_str() {
                Some(text) => Self::Path(text.replace(NUMBER, &number.to_string()).into()),
                None => self.clone(),
            },
            Self::Store | Self::Dropped | Self::Sent | Self::Echoed | Self::Auto(_) => self.clone(),
        }
    }

    fn is_shared(&self) -> bool {
        matches!(self, Self::Path(path) if !path.starts_with("/dev") && !path.to_string_lossy().contains(NUMBER))
    }

    fn told(&self, what: &str) -> Option<String> {
        match self {
            Self::Store => None,
            Self::Path(path) | Self::Auto(path) => Some(format!("{what} {}", path.display())),
            Self::Dropped => Some(format!("{what} no file")),
            Self::Sent => Some(format!("{what} syslog")),
            Self::Echoed => Some(format!("{what} the main log")),
        }
    }
}

/// A number of bytes, as it is said in `ganger.toml`.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.iter().find(|(size, _)| self.0 >= *size && self.0.is_multiple_of(*size)) {
            Some((size, unit)) => write!(f, "{} {unit}", self.0 / size),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

/// A length of time, as it is said in `ganger.toml`.
pub(crate) struct Age(pub(crate) Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, units) = (self.0.as_secs(), [(86_400, "d"), (3600, "h"), (60, "m")]);
        match units
            .iter()
            .find(|(unit, _)| seconds >= *unit && self.0 == Duration::from_secs(seconds / unit * unit))
        {
            Some((unit, letter)) => write!(f, "{}{letter}", seconds / unit),
            None => write!(f, "{}s", self.0.as_secs_f64()),
        }
    }
}

impl Logs {
    /// What a group's table says, and where it says nothing, what the app's does. The app's `max_total` is about all
    /// workers together.
    pub(crate) fn of(app: Option<&LogsTable>, group: Option<&LogsTable>, beside: &Path) -> Self {
        let none = LogsTable::default();
        let (app, group) = (app.unwrap_or(&none), group.unwrap_or(&none));
        Self {
            max_size: group.max_size.or(app.max_size).map(|size| size.0),
            keep: group.keep.or(app.keep),
            max_age: group.max_age.or(app.max_age).map(|age| age.0),
            max_total: group.max_total.map(|size| size.0),
            compress: group.compress.or(app.compress).unwrap_or(false),
            stderr: group.stderr.or(app.stderr).unwrap_or_default(),
            out: LogFile::of(group.file.as_ref(), beside),
            err: LogFile::of(group.err_file.as_ref(), beside),
            err_size: None,
        }
    }
}

/// Tells what makes no sense in a table, at its place: that of a group with this many workers, or of the app.
pub(crate) fn check(
    native: &Native,
    span: &Range<usize>,
    table: &LogsTable,
    logs: &Logs,
    count: Option<u32>,
    findings: &mut Findings,
) {
    let max_total = table.max_total.map(|size| size.0);
    let max_size = logs.max_size.unwrap_or(LOG_FILE_BYTES);
    let is_file = table.file.is_some() || table.err_file.is_some();
    let is_shared = logs.out.is_shared() || logs.err.is_shared();
    let wrong = [
        (
            is_file && count.is_none(),
            "a file in `[logs]` would be that of all workers",
            "say it of a group: `[groups.NAME.logs]`",
        ),
        (
            is_shared && count.is_some_and(|count| count > 1),
            "the workers of the group cannot have one log file",
            "put `{number}` into its name",
        ),
        (
            table.err_file.is_some() && logs.stderr == Stderr::Together,
            "`err_file` is said, but stderr is in one log with stdout",
            "add `stderr = \"separate\"`",
        ),
        (logs.max_size == Some(0), "a `max_size` of 0 keeps nothing", "write a size such as `10MiB`"),
        (
            logs.keep.is_some_and(|keep| keep > MAX_KEEP),
            "more than 1000 rotated files cannot be kept",
            "let files grow larger: raise `max_size`",
        ),
        (
            logs.max_age.is_some_and(|age| age < Duration::from_secs(1)),
            "a `max_age` of less than a second makes a file of each line",
            "write a duration such as `1d`",
        ),
        (
            max_total.is_some_and(|total| total < max_size),
            "`max_total` is less than `max_size` (10 MiB where it is not said)",
            "lower `max_size`, or raise `max_total`",
        ),
    ];
    for (_, message, hint) in wrong.into_iter().filter(|(is_wrong, ..)| *is_wrong) {
        findings.error(native.problem(span, message).hinted(hint));
    }
}
