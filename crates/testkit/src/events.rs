//! Waits on the kernel's own events.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use crate::Deadline;

/// Blocks until `fd` can be read (or its other end is gone); false when the deadline passed first.
pub fn wait_readable(fd: impl AsFd, deadline: Deadline) -> bool {
    loop {
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        match poll(&mut fds, Some(&deadline.timespec())) {
            Ok(0) if deadline.left().is_none() => return false,
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return true,
            Err(error) => panic!("cannot wait for a descriptor: {error}"),
        }
    }
}

/// Blocks until the file at `path` exists and its text fulfils `wanted`, and gives that text.
///
/// The directory of `path` must exist: it is what is watched.
pub fn wait_for_file(
    path: impl AsRef<Path>,
    deadline: Deadline,
    wanted: impl Fn(&str) -> bool,
) -> Result<String, String> {
    let path = path.as_ref();
    let directory = path.parent().ok_or_else(|| format!("{} has no directory", path.display()))?;
    let watch = watch(directory).map_err(|error| format!("cannot watch {}: {error}", directory.display()))?;
    loop {
        let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if let Ok(text) = &text
            && wanted(text)
        {
            return Ok(text.clone());
        }
        if !wait_readable(&watch, deadline) {
            return Err(format!("{} is not as wanted in time; it is {text:?}", path.display()));
        }
        drain(&watch);
    }
}

/// A directory that is watched from now on.
pub struct Watched(std::os::fd::OwnedFd);

impl Watched {
    /// Watches what happens to the names in it.
    pub fn new(directory: impl AsRef<Path>) -> Self {
        let directory = directory.as_ref();
        let found = watch(directory);
        Self(found.unwrap_or_else(|error| panic!("cannot watch {}: {error}", directory.display())))
    }

    /// Blocks until something has happened to a name that is `wanted`, since it is watched or since the last call;
    /// false when the deadline passed first.
    pub fn wait_name(&self, deadline: Deadline, wanted: impl Fn(&str) -> bool) -> bool {
        while wait_readable(&self.0, deadline) {
            let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
            let mut reader = inotify::Reader::new(&self.0, &mut buffer);
            while let Ok(event) = reader.next() {
                if event.file_name().and_then(|name| name.to_str().ok()).is_some_and(&wanted) {
                    return true;
                }
            }
        }
        false
    }
}

fn watch(directory: &Path) -> io::Result<std::os::fd::OwnedFd> {
    let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let flags = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::MOVED_TO | WatchFlags::DELETE;
    inotify::add_watch(&watch, directory, flags)?;
    Ok(watch)
}

fn drain(watch: &std::os::fd::OwnedFd) {
    let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
    let mut reader = inotify::Reader::new(watch, &mut buffer);
    while reader.next().is_ok() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::time::Duration;

    #[test]
    fn a_file_that_another_thread_writes_is_waited_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("note");
        let writer = std::thread::spawn({
            let path = path.clone();
            move || {
                let mut file = fs::File::create(path).expect("a file");
                file.write_all(b"half").expect("written");
                file.write_all(b" whole").expect("written");
            }
        });
        let text = wait_for_file(&path, Deadline::generous(), |text| text.ends_with("whole"));
        writer.join().expect("the writer ends");
        assert_eq!(text.as_deref(), Ok("half whole"));
    }

    #[test]
    fn a_name_that_appears_in_a_watched_directory_is_seen_also_afterwards() {
        let dir = tempfile::tempdir().expect("a directory");
        let watched = Watched::new(dir.path());
        fs::write(dir.path().join("other"), "").expect("written");
        fs::write(dir.path().join("wanted"), "").expect("written");
        assert!(watched.wait_name(Deadline::generous(), |name| name == "wanted"));
        assert!(!watched.wait_name(Deadline::after(Duration::ZERO), |name| name == "other"));
    }

    #[test]
    fn a_file_that_never_comes_is_an_error_and_not_a_hang() {
        let dir = tempfile::tempdir().expect("a directory");
        let text = wait_for_file(dir.path().join("never"), Deadline::after(Duration::ZERO), |_| true);
        assert!(text.is_err_and(|message| message.contains("never")));
    }
}
