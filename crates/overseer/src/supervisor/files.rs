//! Parts of log files, as supervisord counts them: offsets are within the file that is written now.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use ganger_api::supervisor::{Fault, RpcError};
use ganger_api::xmlrpc::Value;

/// So much of a file goes into one answer; who wants more asks again with a higher offset.
const ANSWER_MAX: u64 = 4 << 20;

/// `length` bytes from `offset` on, all that follow if it is 0; the last `-offset` bytes where that is negative.
pub(crate) fn read(path: &Path, offset: i64, length: i64) -> Result<Value, RpcError> {
    let failed = |_| Fault::Failed.with(path.display().to_string());
    let (Ok(length), true) = (u64::try_from(length), offset >= 0 || length == 0) else {
        return Err(Fault::BadArguments.with(path.display().to_string()));
    };
    let end = size(path).map_err(failed)?;
    let (from, most) = match u64::try_from(offset) {
        Ok(offset) if length == 0 => (offset, ANSWER_MAX),
        Ok(offset) => (offset, length.min(ANSWER_MAX)),
        Err(_) => (end.saturating_sub(offset.unsigned_abs()), offset.unsigned_abs().min(ANSWER_MAX)),
    };
    part(path, from, most).map(|bytes| Value::text(&bytes)).map_err(failed)
}

/// `[text, end, overflow]`: the last `length` bytes if the file goes further than `offset + length`, else what there is.
pub(crate) fn tail(path: &Path, offset: i64, length: i64) -> Value {
    let told = size(path).and_then(|end| {
        let most = i64::try_from(ANSWER_MAX).unwrap_or(i64::MAX);
        let end = i64::try_from(end).unwrap_or(i64::MAX);
        let overflow = end > offset.saturating_add(length);
        let (mut from, mut length) = (if overflow { end - 1 } else { offset }, length);
        if from.saturating_add(length) > end {
            if from > end - 1 {
                length = 0;
            }
            from = end - length;
        }
        let (from, length) = (from.max(0).unsigned_abs(), length.clamp(0, most).unsigned_abs());
        let bytes = if length == 0 { Vec::new() } else { part(path, from, length)? };
        Ok(Value::Array(vec![Value::text(&bytes), Value::Int(end), Value::Bool(overflow)]))
    });
    told.unwrap_or_else(|_| Value::Array(vec!["".into(), Value::Int(offset), Value::Bool(false)]))
}

fn size(path: &Path) -> io::Result<u64> {
    Ok(std::fs::metadata(path)?.len())
}

fn part(path: &Path, from: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0123456789").unwrap();
        file
    }

    /// As supervisord 4.3.0 answers for a file of ten bytes.
    #[test]
    fn parts_are_what_supervisord_gives() {
        let file = file();
        let told = |offset, length| read(file.path(), offset, length).map_err(|error| error.fault);
        for (offset, length, text) in [
            (0, 0, "0123456789"),
            (4, 0, "456789"),
            (4, 2, "45"),
            (-3, 0, "789"),
            (-30, 0, "0123456789"),
            (20, 0, ""),
        ] {
            assert_eq!(told(offset, length), Ok(text.into()), "{offset} {length}");
        }
        assert_eq!(told(-3, 1), Err(Fault::BadArguments));
        assert_eq!(told(0, -1), Err(Fault::BadArguments));
        assert_eq!(read(Path::new("/nowhere"), 0, 0).map_err(|error| error.fault), Err(Fault::Failed));
    }

    /// As supervisord 4.3.0 answers for a file of ten bytes.
    #[test]
    fn tails_are_what_supervisord_gives() {
        let file = file();
        for (offset, length, text, end, overflow) in [
            (0, 4, "6789", 10, true),
            (10, 4, "", 10, false),
            (0, 10, "0123456789", 10, false),
            (0, 20, "0123456789", 10, false),
            (6, 4, "6789", 10, false),
            (0, 0, "", 10, true),
        ] {
            let told = Value::Array(vec![text.into(), Value::Int(end), Value::Bool(overflow)]);
            assert_eq!(tail(file.path(), offset, length), told, "{offset} {length}");
        }
        let nothing = Value::Array(vec!["".into(), Value::Int(7), Value::Bool(false)]);
        assert_eq!(tail(Path::new("/nowhere"), 7, 4), nothing);
    }
}
