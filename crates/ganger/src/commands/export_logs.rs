//! `ganger logs --export`: lines for tools, in a file that is whole or not there.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ganger_api::{LogLine, json_line};

use crate::failure::Failure;

/// So much is written at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// Lines on their way to where they are exported to.
pub(crate) struct Export {
    out: BufWriter<Box<dyn Write>>,
    /// As it was named.
    to: PathBuf,
    fresh: Option<Fresh>,
}

/// A file that gets its name when it is whole.
struct Fresh {
    file: File,
    path: PathBuf,
    name: PathBuf,
}

impl Export {
    /// Begins an export into a file, a device or a pipe; `-` is stdout.
    pub(crate) fn open(to: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| cannot_write(to, &error);
        let (out, fresh): (Box<dyn Write>, _) = if to == Path::new("-") {
            (Box::new(io::stdout()), None)
        } else if std::fs::metadata(to).is_ok_and(|found| !found.is_file()) {
            (Box::new(File::options().write(true).open(to).map_err(failed)?), None)
        } else {
            let fresh = Fresh::create(to).map_err(failed)?;
            (Box::new(fresh.file.try_clone().map_err(failed)?), Some(fresh))
        };
        Ok(Self { out: BufWriter::with_capacity(BUFFER_BYTES, out), to: to.to_owned(), fresh })
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, line: &LogLine) -> Result<(), Failure> {
        self.out.write_all(json_line(line).as_bytes()).map_err(|error| cannot_write(&self.to, &error))
    }

    /// All lines were written: puts the file in its place.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let flushed = self.out.flush();
        let placed = flushed.and_then(|()| self.fresh.as_ref().map_or(Ok(()), Fresh::place));
        placed.map_err(|error| cannot_write(&self.to, &error))
    }
}

impl Fresh {
    fn create(to: &Path) -> io::Result<Self> {
        // What a symbolic link leads to is replaced, not the link.
        let name = std::fs::canonicalize(to).unwrap_or_else(|_| to.to_owned());
        let file_name = name.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy();
        let path = name.with_file_name(format!(".{file_name}.{}.part", std::process::id()));
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { file, path, name })
    }

    fn place(&self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, &self.name)?;
        let dir = self.name.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(dir)?.sync_all()
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // It is gone where it was put in its place.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn cannot_write(to: &Path, error: &io::Error) -> Failure {
    let to = if to == Path::new("-") { "stdout".into() } else { to.to_string_lossy() };
    Failure::new(format!("cannot export to {to}: {error}"))
        .hinted("name another place, or choose less: --since, --grep, the names of workers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganger_api::{Stream, Text};
    use ganger_spec::WorkerName;

    fn line(text: &[u8]) -> LogLine {
        let worker = WorkerName::new("web", 1);
        let (log, time) = (worker.clone().into(), "2026-11-22T10:00:05Z".parse().unwrap());
        let (run, newline, text) = (Some(1), true, Text::new(text));
        LogLine { log, worker, stream: Stream::Output, time, run, position: 2, newline, text }
    }

    #[test]
    fn a_file_is_replaced_once_all_is_written_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("out.jsonl");
        std::fs::write(&to, "before").unwrap();
        let mut broken_off = Export::open(&to).unwrap();
        broken_off.line(&line(b"a")).unwrap();
        drop(broken_off);
        assert_eq!(std::fs::read(&to).unwrap(), b"before");
        let mut export = Export::open(&to).unwrap();
        export.line(&line(b"a")).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"before");
        export.finish().unwrap();
        let found: LogLine = serde_json::from_slice(&std::fs::read(&to).unwrap()).unwrap();
        assert_eq!(found, line(b"a"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left there");
    }

    #[test]
    fn what_cannot_be_written_is_an_error_that_names_the_place() {
        let mut full = Export::open(Path::new("/dev/full")).unwrap();
        full.line(&line(b"a")).unwrap();
        let failure = full.finish().unwrap_err();
        assert!(failure.message.starts_with("cannot export to /dev/full: No space left"), "{failure:?}");
        assert_eq!(failure.status, crate::failure::FAILED);
        assert!(Export::open(Path::new("/nowhere/out")).is_err());
    }
}
