//! Who listens on a port.

use std::fs;
use std::path::Path;

use crate::HolderInfo;

/// The state of a listening socket in the kernel's table.
const LISTEN: &str = "0A";

impl HolderInfo {
    /// The process that listens on this TCP port, on whatever address; none if nobody does. Without the right to
    /// look into the processes of others it is known that somebody does, but not who.
    pub fn of_port(port: u16) -> Option<Self> {
        let tables =
            ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
        let inode = tables.iter().find_map(|table| listening_inode(table, port))?;
        let pid = owner(&inode);
        let name = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok());
        Some(Self { pid, name: name.map(|name| name.trim_end().to_owned()) })
    }
}

/// The inode of the socket that listens on this port, from the kernel's table of sockets.
fn listening_inode(table: &str, port: u16) -> Option<String> {
    let wanted = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        (local.ends_with(&wanted) && *state == LISTEN).then(|| (*inode).to_owned())
    })
}

/// The process that has this socket open.
fn owner(inode: &str) -> Option<u32> {
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
    use std::net::TcpListener;

    #[test]
    fn a_listener_of_ours_is_found_with_its_pid_and_name() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let holder = HolderInfo::of_port(listener.local_addr().unwrap().port()).unwrap();
            assert_eq!(holder.pid, Some(std::process::id()));
            assert!(holder.name.is_some_and(|name| !name.is_empty() && !name.contains('\n')));
        }
    }

    #[test]
    fn only_listening_sockets_of_that_very_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1388 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 11 1\n\
            1: 0100007F:1389 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1\n\
            2: 0100\n\
            3: 00000000:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 13 1\n";
        assert_eq!(listening_inode(table, 5000).as_deref(), Some("13"));
        assert_eq!(listening_inode(table, 5001).as_deref(), Some("12"));
        assert_eq!(listening_inode(table, 9999), None);
        assert_eq!(listening_inode("", 5000), None);
    }
}
