//! Who listens on which TCP port, as the kernel tells it under `/proc`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::path::Path;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

use crate::HolderInfo;

/// The state of a listening socket in the kernel's table.
const LISTEN: &str = "0A";

/// The TCP ports that somebody listens on, on whatever address, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    /// The inode of the socket of each port.
    inodes: BTreeMap<u16, u64>,
}

impl Listening {
    /// Those of this moment.
    pub fn now() -> Self {
        let tables = ["/proc/net/tcp6", "/proc/net/tcp"];
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        Self { inodes: tables.into_iter().flat_map(|path| listeners(&text(path))).collect() }
    }

    /// Whether surely nobody listens on this port, on whatever address: the kernel would let us have it. That takes
    /// microseconds, whereas its tables of sockets take milliseconds to read. Nothing is decided by `false`.
    pub fn is_free(port: u16) -> bool {
        let bound = || {
            let (stream, flags) = (SocketType::STREAM, SocketFlags::CLOEXEC);
            let socket = socket_with(AddressFamily::INET6, stream, flags, None)?;
            // Addresses of both families, and whatever lingers of a connection that is over does not count.
            sockopt::set_ipv6_v6only(&socket, false)?;
            sockopt::set_socket_reuseaddr(&socket, true)?;
            bind(&socket, &SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0))
        };
        bound().is_ok()
    }

    /// Who listens on this port; none if nobody does.
    pub fn holder(&self, port: u16) -> Option<HolderInfo> {
        let pid = owner(*self.inodes.get(&port)?);
        let name = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok());
        Some(HolderInfo { pid, name: name.map(|name| name.trim_end().to_owned()) })
    }
}

impl HolderInfo {
    /// The process that listens on this TCP port, on whatever address; none if nobody does. Without the right to
    /// look into the processes of others it is known that somebody does, but not who.
    pub fn of_port(port: u16) -> Option<Self> {
        if Listening::is_free(port) { None } else { Listening::now().holder(port) }
    }
}

impl fmt::Display for HolderInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.pid) {
            (Some(name), Some(pid)) => write!(f, "{name} (pid {pid})"),
            (None, Some(pid)) => write!(f, "pid {pid}"),
            (_, None) => f.write_str("a process of another user"),
        }
    }
}

/// The listening sockets of the kernel's table of sockets: port and inode.
fn listeners(table: &str) -> Vec<(u16, u64)> {
    table.lines().skip(1).filter_map(listener).collect()
}

/// `sl local remote st tx:rx tr:when retrnsmt uid timeout inode`, if it listens.
fn listener(line: &str) -> Option<(u16, u64)> {
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    if fields.nth(1)? != LISTEN {
        return None;
    }
    let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
    Some((port, fields.nth(5)?.parse().ok()?))
}

/// The process that has this socket open.
fn owner(inode: u64) -> Option<u32> {
    let link = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(|pid: &u32| {
        let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        open.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == Path::new(&link)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_listener_of_ours_is_found_with_its_pid_and_name() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let port = listener.local_addr().unwrap().port();
            assert!(!Listening::is_free(port));
            let holder = HolderInfo::of_port(port).unwrap();
            assert_eq!(holder.pid, Some(std::process::id()));
            assert!(holder.name.is_some_and(|name| !name.is_empty() && !name.contains('\n')));
        }
    }

    #[test]
    fn a_port_is_free_once_its_listener_is_gone_and_though_a_connection_lingers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        // The side that closes first keeps the port for a while.
        drop((listener, accepted));
        drop(client);
        assert!(Listening::is_free(address.port()));
    }

    #[test]
    fn only_listening_sockets_of_that_very_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1388 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 11 1\n\
            1: 0100007F:1389 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1\n\
            2: 0100\n\
            3: 00000000:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 13 1\n";
        assert_eq!(listeners(table), [(5001, 12), (5000, 13)]);
        assert_eq!(listeners(""), []);
    }
}
