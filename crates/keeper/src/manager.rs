//! The service manager that started the keeper, and what it is told: systemd's way, a datagram for each message. The
//! keeper sends it, since its PID is the one that the manager knows.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable that says where the manager listens: a path, or `@` and an abstract name.
pub const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";

/// So many messages wait for a manager that is busy; older ones give way.
const WAITING_MAX: usize = 16;

/// What waits for the manager. Without one nothing ever does.
#[derive(Debug, Default)]
pub(crate) struct Manager {
    address: Option<SocketAddr>,
    socket: Option<UnixDatagram>,
    waiting: VecDeque<String>,
}

impl Manager {
    /// The one that the environment names.
    pub(crate) fn of_environment() -> Self {
        let address = std::env::var_os(SOCKET_VARIABLE).and_then(|name| address(&name));
        Self { address, ..Self::default() }
    }

    /// Tells it this, now or as soon as it listens.
    pub(crate) fn tell(&mut self, state: String) {
        if self.address.is_none() {
            return;
        }
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(state);
        self.flush();
    }

    /// Sends what waits, as far as it is taken. A manager that is gone gets nothing.
    pub(crate) fn flush(&mut self) {
        while let Some(state) = self.waiting.pop_front() {
            let is_new = self.socket.is_none();
            match self.send(state.as_bytes()) {
                Ok(()) => {}
                Err(error) => {
                    if error.kind() == ErrorKind::WouldBlock {
                        self.waiting.push_front(state);
                        return;
                    }
                    // It may have come back under the same name: once more, on a new connection.
                    self.socket = None;
                    if !is_new {
                        self.waiting.push_front(state);
                    }
                }
            }
        }
    }

    /// What it was not told yet, the oldest first.
    pub(crate) fn waiting(&self) -> Vec<String> {
        self.waiting.iter().cloned().collect()
    }

    /// What to wait on until it takes more.
    pub(crate) fn interest(&self) -> Option<&UnixDatagram> {
        self.socket.as_ref().filter(|_| !self.waiting.is_empty())
    }

    fn send(&mut self, state: &[u8]) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => self.connect()?,
        };
        let sent = socket.send(state);
        self.socket = Some(socket);
        sent.map(drop)
    }

    fn connect(&self) -> io::Result<UnixDatagram> {
        let Some(address) = &self.address else { return Err(ErrorKind::NotFound.into()) };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect_addr(address)?;
        Ok(socket)
    }
}

fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(name: &str) -> Manager {
        Manager { address: address(name.as_ref()), ..Manager::default() }
    }

    fn heard(listener: &UnixDatagram) -> String {
        let mut buffer = [0; 100];
        let length = listener.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn it_is_told_under_a_path_and_under_an_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        manager(path.to_str().unwrap()).tell("READY=1".to_owned());
        assert_eq!(heard(&by_path), "READY=1");
        let name = format!("ganger-test-{}", std::process::id());
        let by_name =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes()).unwrap()).unwrap();
        manager(&format!("@{name}")).tell("STOPPING=1".to_owned());
        assert_eq!(heard(&by_name), "STOPPING=1");
    }

    #[test]
    fn what_a_busy_one_does_not_take_waits_and_the_oldest_gives_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let mut manager = manager(path.to_str().unwrap());
        let mut sent = 0;
        while manager.interest().is_none() {
            manager.tell(format!("N={sent}"));
            sent += 1;
        }
        for _ in 0..WAITING_MAX {
            manager.tell(format!("N={sent}"));
            sent += 1;
        }
        assert_eq!(manager.waiting.len(), WAITING_MAX);
        let mut latest = String::new();
        while latest != format!("N={}", sent - 1) {
            latest = heard(&listener);
            manager.flush();
        }
        assert!(manager.interest().is_none());
    }

    #[test]
    fn nothing_waits_where_there_is_none_or_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["", "relative", dir.path().join("gone").to_str().unwrap()] {
            let mut manager = manager(name);
            manager.tell("READY=1".to_owned());
            assert!(manager.waiting.is_empty() && manager.interest().is_none(), "{name:?}");
        }
    }
}
