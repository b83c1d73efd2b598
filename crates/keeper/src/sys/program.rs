//! The program of this process: what it is, and another one in its place.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::ptr;

use rustix::fs::{CWD, Mode, OFlags, openat};

/// The program of this process, whatever is at its path by now.
pub(crate) const OWN: &str = "/proc/self/exe";

/// It, to be executed again when its file is gone and another program is in this process.
pub(crate) fn open_own() -> io::Result<OwnedFd> {
    Ok(openat(CWD, OWN, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// Executes a program in this process. What signals are blocked stays blocked, and pending: the standard library would
/// let them in just before, and one that asks to stop would end us. Comes back only with the error.
pub(crate) fn execute(program: &Path, argv: &[OsString], env: &[OsString]) -> io::Error {
    let string = |text: &[u8]| CString::new(text);
    let strings =
        |all: &[OsString]| all.iter().map(|one| string(one.as_bytes())).collect::<Result<Vec<_>, _>>();
    let (Ok(program), Ok(argv), Ok(env)) =
        (string(program.as_os_str().as_bytes()), strings(argv), strings(env))
    else {
        return io::ErrorKind::InvalidInput.into();
    };
    let pointers = |all: &[CString]| -> Vec<*const libc::c_char> {
        all.iter().map(|one| one.as_ptr()).chain([ptr::null()]).collect()
    };
    // SAFETY: a string and two arrays of strings, each ended as execve wants it, which live until it returns.
    unsafe { libc::execve(program.as_ptr(), pointers(&argv).as_ptr(), pointers(&env).as_ptr()) };
    io::Error::last_os_error()
}

/// Lets the end of the process that started this one be a request to end, however it ends. Call it in a process that has
/// just been started.
pub fn end_with_parent() {
    // It can fail only for a number that is no signal.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM));
}

/// The environment of this process without these variables.
pub(crate) fn environment(without: &[&str]) -> Vec<OsString> {
    let kept = std::env::vars_os().filter(|(name, _)| without.iter().all(|one| name != *one));
    let entry = |(name, value): (OsString, OsString)| {
        OsString::from_vec([name.as_bytes(), b"=", value.as_bytes()].concat())
    };
    kept.map(entry).collect()
}

/// Takes the name that this process was started by, for those who list processes: one that was started from
/// [`OWN`] is called `exe` else.
pub fn take_own_name() {
    let words = std::env::args_os().next();
    let name = words.as_deref().map(Path::new).and_then(Path::file_name);
    if let Some(name) = name.and_then(|name| CString::new(name.as_bytes()).ok()) {
        // A name is for people only.
        let _ = rustix::thread::set_name(&name);
    }
}
