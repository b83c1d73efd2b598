//! Sockets in the file system that are never found before they can be connected to.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// A name beside a socket's that no other process listens under.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(format!(".{}", std::process::id()));
    fresh.into()
}

/// Listens under a fresh name, in this mode and as `prepare` wants the file there, then takes the socket's own, whoever had
/// it before: who finds the socket can connect to it.
pub(crate) fn listen(
    path: &Path,
    fresh: &Path,
    mode: u32,
    prepare: impl FnOnce() -> io::Result<()>,
) -> io::Result<UnixListener> {
    match std::fs::remove_file(fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(fresh)?;
    let take_name = || {
        std::fs::set_permissions(fresh, Permissions::from_mode(mode))?;
        prepare()?;
        listener.set_nonblocking(true)?;
        std::fs::rename(fresh, path)
    };
    if let Err(error) = take_name() {
        // It is of no use to anybody.
        let _ = std::fs::remove_file(fresh);
        return Err(error);
    }
    Ok(listener)
}
