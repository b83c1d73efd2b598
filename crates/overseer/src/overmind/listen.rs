//! Where Overmind's clients are answered.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use ganger_api::limits::MAX_SOCKET_PATH_BYTES;
use ganger_spec::{Overmind, OvermindListen};

use crate::{Error, unix_socket};

/// Only the owner of the app may connect.
const MODE: u32 = 0o600;

pub(super) enum Listening {
    Unix(UnixListener),
    Tcp(std::net::TcpListener),
}

/// Listens there. A socket that nobody answers on is a dead one's, and makes room.
pub(super) fn listen(at: &OvermindListen) -> Result<Listening, Error> {
    match at {
        OvermindListen::Unix(path) => {
            let failed = |source| Error::File { action: "listen on", path: path.clone(), source };
            if let Some(holder) = look(path)? {
                return Err(Error::Answered { path: path.clone(), holder });
            }
            unix(path).map(Listening::Unix).map_err(failed)
        }
        OvermindListen::Tcp(address) => {
            let failed = |source| Error::Address { address: address.clone(), source };
            // Where no host is named, all are meant.
            let whole = if address.starts_with(':') { format!("0.0.0.0{address}") } else { address.clone() };
            let listener = std::net::TcpListener::bind(&whole).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            Ok(Listening::Tcp(listener))
        }
    }
}

/// Removes the socket of an app that ends: who looks for one finds none.
pub(crate) fn forget(overmind: &Overmind) {
    if let OvermindListen::Unix(path) = &overmind.listen
        && is_socket(path)
    {
        // Nobody answers there any more; the next one takes its place.
        let _ = std::fs::remove_file(path);
    }
}

fn is_socket(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket())
}

/// Who answers on this socket, if anybody does.
fn look(path: &Path) -> Result<Option<String>, Error> {
    let failed = |source| Error::File { action: "listen on", path: path.to_owned(), source };
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(Error::NoSocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    let (_dir, reachable) = reachable(path).map_err(failed)?;
    let Ok(client) = UnixStream::connect(reachable) else { return Ok(None) };
    let holder = rustix::net::sockopt::socket_peercred(&client).map(|peer| peer.pid.as_raw_nonzero().get());
    Ok(Some(holder.map_or_else(|_| "another program".to_owned(), named)))
}

fn named(pid: i32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("{} (pid {pid})", if name.is_empty() { "a program" } else { name.trim() })
}

fn unix(path: &Path) -> io::Result<UnixListener> {
    let (_dir, path) = reachable(path)?;
    unix_socket::listen(&path, &unix_socket::beside(&path), MODE, || Ok(()))
}

/// A path to the same socket that the kernel takes, however deep its directory is; good as long as the directory is open.
fn reachable(path: &Path) -> io::Result<(Option<File>, PathBuf)> {
    /// The longest PID and a dot.
    const FRESH: usize = 12;
    if path.as_os_str().len() + FRESH <= MAX_SOCKET_PATH_BYTES {
        return Ok((None, path.to_owned()));
    }
    let dir = File::open(path.parent().unwrap_or(Path::new("/")))?;
    let name = path.file_name().unwrap_or(OsStr::from_bytes(b""));
    let short = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(name);
    Ok((Some(dir), short))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn at(path: &Path) -> OvermindListen {
        OvermindListen::Unix(path.to_owned())
    }

    #[test]
    fn a_dead_socket_makes_room_and_a_live_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".overmind.sock");
        drop(UnixListener::bind(&path).unwrap());
        let listening = listen(&at(&path)).unwrap();
        let error = listen(&at(&path)).err().unwrap().to_string();
        assert!(
            error.contains("is answered by") && error.contains(&std::process::id().to_string()),
            "{error}"
        );
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, MODE);
        drop(listening);
        assert!(listen(&at(&path)).is_ok());
        let names: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(names, [".overmind.sock"]);
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes.txt");
        std::fs::write(&path, "mine").unwrap();
        let error = listen(&at(&path)).err().unwrap();
        assert!(error.to_string().ends_with("notes.txt is there and is no socket"), "{error}");
        let overmind = Overmind { listen: at(&path), timestamps: false, groups: Vec::new() };
        forget(&overmind);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_directory_may_be_deeper_than_the_path_of_a_socket_is_long() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(80)).join("e".repeat(80));
        std::fs::create_dir_all(&deep).unwrap();
        let path = deep.join(".overmind.sock");
        let listening = listen(&at(&path)).unwrap();
        assert!(is_socket(&path));
        assert!(listen(&at(&path)).is_err(), "it is answered");
        drop(listening);
        assert!(listen(&at(&path)).is_ok());
    }

    #[test]
    fn an_address_may_leave_out_the_host() {
        let Listening::Tcp(listener) = listen(&OvermindListen::Tcp(":0".to_owned())).unwrap() else {
            panic!("no TCP");
        };
        let port = listener.local_addr().unwrap().port();
        let error = listen(&OvermindListen::Tcp(format!("127.0.0.1:{port}"))).err().unwrap().to_string();
        assert!(error.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{error}");
    }
}
