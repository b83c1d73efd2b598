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

/// Lets go of the memory that this process used for its beginning, once it has begun: the pages of its program, most of which
/// were for words, files and tables that are read once, and what its heap has free. What is needed again of the program comes
/// back from the file, a few pages at a time. Breakpoints of a debugger that were set by now are lost.
pub fn forget_beginning() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for (start, length) in code_in(&maps) {
        let start = ptr::with_exposed_provenance_mut::<libc::c_void>(start);
        // SAFETY: a private mapping of a file, in which nobody can write: what is dropped is the same when it is read again.
        unsafe { libc::madvise(start, length, libc::MADV_DONTNEED) };
    }
    #[cfg(target_env = "gnu")]
    // SAFETY: it gives back what the heap has free, and touches nothing else.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Where a list of mappings has files to be executed, and how long that is.
fn code_in(maps: &str) -> impl Iterator<Item = (usize, usize)> {
    maps.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (from, to) = words.next()?.split_once('-')?;
        let (is_code, is_file) =
            (words.next()? == "r-xp", words.nth(3).is_some_and(|path| path.starts_with('/')));
        let (from, to) = (usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?);
        (is_code && is_file).then(|| (from, to.saturating_sub(from)))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_what_is_executed_from_a_file_and_never_written_to() {
        let maps = "\
            1000-3000 r--p 00000000 08:01 7    /bin/ganger\n\
            3000-8000 r-xp 00002000 08:01 7    /bin/ganger (deleted)\n\
            8000-9000 rw-p 00007000 08:01 7    /bin/ganger\n\
            9000-a000 rwxp 00007000 08:01 7    /bin/ganger\n\
            a000-b000 r-xp 00000000 00:00 0\n\
            ffff-10000 r-xp 00000000 00:00 0    [vdso]\n";
        assert_eq!(code_in(maps).collect::<Vec<_>>(), [(0x3000, 0x5000)]);
    }

    #[test]
    fn a_process_goes_on_without_the_pages_of_its_beginning() {
        let code = || code_in(&std::fs::read_to_string("/proc/self/maps").unwrap()).collect::<Vec<_>>();
        let before = code();
        assert!(!before.is_empty());
        forget_beginning();
        assert_eq!(code(), before);
    }
}
