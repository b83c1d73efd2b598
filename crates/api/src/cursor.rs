//! Where a reader of several logs has got to, as one word.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ganger_spec::LogName;

use crate::limits::MAX_CURSOR_BYTES;

/// For each log that a stream has sent something of: the position after the last line that was sent.
///
/// Its text form, `web.1@1042;worker.1@77`, is the id of a log item; sent back as `Last-Event-ID` or `after`,
/// the stream goes on with the next line of each log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogCursor(pub BTreeMap<LogName, u64>);

/// A word that is no cursor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCursor {
    /// A part is not `WORKER@POSITION`.
    #[error("{0:?} is not a position in a log (WORKER@POSITION)")]
    Part(String),
    /// It is longer than `MAX_CURSOR_BYTES`.
    #[error("a log cursor of {0} bytes is too long (the limit is {MAX_CURSOR_BYTES})")]
    TooLong(usize),
}

impl fmt::Display for LogCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (log, position)) in self.0.iter().enumerate() {
            write!(f, "{}{log}@{position}", if index == 0 { "" } else { ";" })?;
        }
        Ok(())
    }
}

impl FromStr for LogCursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        if text.len() > MAX_CURSOR_BYTES {
            return Err(BadCursor::TooLong(text.len()));
        }
        let parts = text.split(';').filter(|part| !part.is_empty());
        parts.map(position).collect::<Result<_, _>>().map(Self)
    }
}

/// One `WORKER@POSITION`.
fn position(part: &str) -> Result<(LogName, u64), BadCursor> {
    let bad = || BadCursor::Part(part.to_owned());
    let (log, position) = part.split_once('@').ok_or_else(bad)?;
    let log = LogName::try_from(log.to_owned()).map_err(|_| bad())?;
    Ok((log, position.parse().map_err(|_| bad())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_parses_back_from_its_text() {
        for text in ["", "web.1@0", "web.1@1042;worker.2@77", "a.b.1@18446744073709551615"] {
            assert_eq!(text.parse::<LogCursor>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_cursor_is_an_error() {
        for text in ["web.1", "web@1", "web.1@-1", "web.1@", "@1", "web.0@1", "web.1@18446744073709551616"] {
            assert_eq!(text.parse::<LogCursor>(), Err(BadCursor::Part(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_cursor_may_be_as_long_as_its_limit_and_no_longer() {
        let filler = ";".repeat(MAX_CURSOR_BYTES - "web.1@1".len());
        let longest = format!("web.1@1{filler}");
        assert!(longest.parse::<LogCursor>().is_ok());
        assert_eq!(format!("{longest};").parse::<LogCursor>(), Err(BadCursor::TooLong(MAX_CURSOR_BYTES + 1)));
    }
}
