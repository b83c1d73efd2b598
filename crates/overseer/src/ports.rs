//! Who listens on which TCP port, as the kernel tells it under `/proc/net`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The state `TCP_LISTEN` as `/proc/net/tcp` writes it.
const LISTEN: &str = "0A";

/// A process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its PID; none where its descriptors cannot be read (another user's process).
    pub pid: Option<u32>,
    /// Its name, where the PID is known.
    pub name: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "{} (pid {pid})", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Who listens on this port, if somebody does.
pub fn holder_of(port: u16) -> Option<Holder> {
    listening().get(&port).map(|inode| holder(*inode))
}

/// The ports somebody listens on, with the inode of each socket.
pub(crate) fn listening() -> BTreeMap<u16, u64> {
    let mut ports = BTreeMap::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(file) = std::fs::File::open(table) else { continue };
        for line in BufReader::new(file).lines().map_while(Result::ok).skip(1) {
            if let Some((port, inode)) = parse(&line) {
                ports.insert(port, inode);
            }
        }
    }
    ports
}

/// The port and inode of a listening socket's line: `sl local remote st tx:rx tr:when retrnsmt uid timeout inode`.
fn parse(line: &str) -> Option<(u16, u64)> {
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    if fields.nth(1)? != LISTEN {
        return None;
    }
    let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
    Some((port, fields.nth(5)?.parse().ok()?))
}

/// The process that holds the socket with this inode.
pub(crate) fn holder(inode: u64) -> Holder {
    let wanted = format!("socket:[{inode}]");
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for entry in pids {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let fds = std::fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten();
        for fd in fds {
            if std::fs::read_link(fd.path()).is_ok_and(|target| target == Path::new(&wanted)) {
                return Holder { pid: Some(pid), name: process_name(pid) };
            }
        }
    }
    Holder { pid: None, name: "a process of another user".to_owned() }
}

/// What a process calls itself.
pub(crate) fn process_name(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm"))
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket_is_found_with_its_holder() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let inode = listening()[&port];
        let holder = holder(inode);
        assert_eq!(holder.pid, Some(std::process::id()));
        assert_eq!(holder.name, process_name(std::process::id()));
        drop(listener);
        assert!(!listening().contains_key(&port));
    }

    #[test]
    fn lines_that_are_no_listeners_are_passed_over() {
        let listener =
            "  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 77 1 0";
        assert_eq!(parse(listener), Some((8080, 77)));
        assert_eq!(parse(&listener.replace(" 0A ", " 01 ")), None);
        assert_eq!(parse(""), None);
        assert_eq!(parse("0: nonsense x 0A"), None);
    }
}
