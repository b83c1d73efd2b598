//! Reads a small text file, or says clearly why not.

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::problem::Problem;

/// The largest file that is read: far more than anybody writes, and no burden.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The text of a file: line ends are `\n`, a byte order mark is gone. None if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Problem> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => {
            let problem = Problem::in_file(path, "is a directory, not a file");
            return Err(problem.hinted("name a file, or move the directory out of the way"));
        }
        Ok(meta) if meta.file_type().is_fifo() && !path.starts_with("/dev") && !path.starts_with("/proc") => {
            let problem = Problem::in_file(path, "is a named pipe, which may never end");
            return Err(problem.hinted("name a file, or what the shell gives for `<(command)`"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(path, &error)),
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let message = format!("the file is larger than {MAX_FILE_BYTES} bytes");
        return Err(Problem::in_file(path, message).hinted("is it the right file?"));
    }
    decode(path, bytes).map(Some)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    let problem = Problem::in_file(path, format!("cannot be read: {}", reason(error)));
    match error.kind() {
        ErrorKind::PermissionDenied => problem.hinted("give ganger's user the right to read it"),
        _ => problem.hinted("does the disk work? `cat` should show the file too"),
    }
}

/// The words of the system without the number that Rust appends.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    text.to_lowercase()
}

/// The text of bytes, as [`read`] gives it.
pub(crate) fn decode(path: &Path, bytes: Vec<u8>) -> Result<String, Problem> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = line_of(&error.as_bytes()[..good]);
        Problem::at(path, line, "is not UTF-8 text").hinted("save the file as UTF-8")
    })?;
    if let Some(at) = text.find('\0') {
        let line = line_of(&text.as_bytes()[..at]);
        return Err(Problem::at(path, line, "contains a NUL byte").hinted("is it a text file?"));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.replace("\r\n", "\n"))
}

/// The number of the line on which these bytes end.
fn line_of(before: &[u8]) -> u32 {
    u32::try_from(before.split(|byte| *byte == b'\n').count()).unwrap_or(u32::MAX)
}

/// The lines of a text with their numbers, counted from 1.
pub(crate) fn numbered(text: &str) -> impl Iterator<Item = (u32, &str)> {
    (1..).zip(text.lines())
}

/// A path as it was said, made absolute; `.` and `..` in it are taken out where that needs no look at the disk.
pub(crate) fn absolute(dir: &Path, path: &Path) -> PathBuf {
    dir.join(path).components().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(name: &str, bytes: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        read(&path).unwrap_err().to_string().replace(&format!("{}/", dir.path().display()), "")
    }

    #[test]
    fn what_is_no_text_is_an_error_with_its_line() {
        assert_eq!(problem("Procfile", b"web: a\nb\xff"), "Procfile:2: is not UTF-8 text");
        assert_eq!(problem("Procfile", b"web: a\n\nb\0"), "Procfile:3: contains a NUL byte");
        let dir = tempfile::tempdir().unwrap();
        let message = read(dir.path()).unwrap_err().to_string();
        assert_eq!(message, format!("{}: is a directory, not a file", dir.path().display()));
    }

    #[test]
    fn a_file_may_be_as_large_as_the_bound_and_no_larger() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("Procfile");
        let most = usize::try_from(MAX_FILE_BYTES).unwrap();
        fs::write(&path, vec![b'#'; most]).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().len(), most);
        assert_eq!(
            problem("Procfile", &vec![b'#'; most + 1]),
            "Procfile: the file is larger than 1048576 bytes"
        );
        assert!(read(Path::new("/dev/zero")).unwrap_err().message.contains("larger than"));
    }

    #[test]
    fn byte_order_marks_and_carriage_returns_are_taken_away() {
        let path = Path::new("Procfile");
        assert_eq!(decode(path, b"\xef\xbb\xbfweb: a\r\nb: c\r\n".to_vec()).unwrap(), "web: a\nb: c\n");
    }

    #[test]
    fn a_missing_file_is_none_and_a_file_as_a_directory_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&dir.path().join("none")), Ok(None));
        fs::write(dir.path().join("file"), "").unwrap();
        let error = read(&dir.path().join("file/Procfile")).unwrap_err();
        assert!(error.message.starts_with("cannot be read: not a directory"), "{error}");
    }

    #[test]
    fn a_named_pipe_is_refused_instead_of_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert_eq!(read(&path).unwrap_err().message, "is a named pipe, which may never end");
        assert_eq!(read(Path::new("/dev/null")), Ok(Some(String::new())));
    }

    #[test]
    fn paths_are_made_absolute_without_needless_dots() {
        assert_eq!(absolute(Path::new("/app"), Path::new("./a/./b")), Path::new("/app/a/b"));
        assert_eq!(absolute(Path::new("/app"), Path::new("/x")), Path::new("/x"));
        assert_eq!(absolute(Path::new("/app"), Path::new(".")), Path::new("/app"));
    }
}
