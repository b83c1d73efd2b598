//! Files that are to be executed.
//!
//! Another process writes them: a child that is just being started for another test has every file that this process
//! writes open too, for the moment until it becomes its program, and the kernel executes no file that somebody writes.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use tempfile::NamedTempFile;

/// Puts a copy of `program` at `path`, to be executed.
pub fn copy_program(program: &Path, path: &Path) {
    install(program, path, 0o755);
}

/// Puts a program at `path`, in one step.
pub fn write_program(path: &Path, body: impl AsRef<[u8]>, mode: u32) {
    let mut draft = NamedTempFile::new().expect("a temporary file");
    draft.write_all(body.as_ref()).expect("the temporary file takes it");
    let fresh = path.with_extension("fresh");
    install(draft.path(), &fresh, mode);
    fs::rename(&fresh, path).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

fn install(from: &Path, to: &Path, mode: u32) {
    let mut install = Command::new("install");
    let status = install.args(["-m", &format!("{mode:o}")]).args([from, to]).status();
    assert!(status.expect("install, of coreutils").success(), "cannot install {}", to.display());
}
