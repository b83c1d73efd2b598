//! Connections to the targets: whole messages in, no waiting inside.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ganger_spec::{SyslogSocket, Target};

/// A TCP server that does not answer for this long is away.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// So much is taken for unread by a TCP server: after a broken connection it is sent again. What a server that dies has
/// acknowledged and not read beyond that is lost.
pub(super) const UNREAD_BYTES: u64 = 256 * 1024;

/// A connection to a target.
pub(crate) trait Link: Send {
    /// Gives a message to the kernel; false if there is no room for it now.
    fn send(&mut self, message: &[u8]) -> io::Result<bool>;

    /// Gives what is left of the last message to the kernel; false if there is no room for it now. An error that
    /// the kernel learnt of meanwhile is told.
    fn flush(&mut self) -> io::Result<bool>;

    /// How many of the bytes that were sent may not have reached the target.
    fn outstanding(&self) -> io::Result<u64>;

    /// Looks what came from the target; says whether it has closed the connection in good order.
    fn hear(&mut self) -> io::Result<bool>;

    /// Says that nothing more comes: the target may close the connection in good order.
    fn end(&mut self) {}

    /// Ready for reading when there is something to hear, and for writing when there is room.
    fn socket(&self) -> BorrowedFd<'_>;
}

/// Connects to a target.
pub(crate) fn connect(target: &Target) -> io::Result<Box<dyn Link>> {
    Ok(match target {
        Target::Journald { socket } => Box::new(Unix::connect(socket)?),
        Target::Syslog { at: SyslogSocket::Unix(path), .. } => Box::new(Unix::connect(path)?),
        Target::Syslog { at: SyslogSocket::Udp(address), .. } => Box::new(Udp::connect(address)?),
        Target::Syslog { at: SyslogSocket::Tcp(address), .. } => Box::new(Tcp::connect(address)?),
    })
}

/// A Unix datagram socket: the kernel tells what the target has read.
struct Unix {
    socket: UnixDatagram,
    path: PathBuf,
    /// Which socket the path led to.
    target: FileId,
}

/// A file for as long as it exists: its device, number and time of birth.
type FileId = (u64, u64, i64, i64);

impl Unix {
    fn connect(path: &Path) -> io::Result<Self> {
        let target = file_id(path)?;
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, path: path.to_owned(), target })
    }

    /// Whether the target that this is connected to still listens: what it had not read when it died is lost, and
    /// no longer outstanding.
    fn is_alive(&self) -> io::Result<bool> {
        let listens = UnixDatagram::unbound()?.connect(&self.path).is_ok();
        Ok(listens && file_id(&self.path)? == self.target)
    }
}

fn file_id(path: &Path) -> io::Result<FileId> {
    let meta = std::fs::metadata(path)?;
    Ok((meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec()))
}

impl Link for Unix {
    fn send(&mut self, message: &[u8]) -> io::Result<bool> {
        has_room(self.socket.send(message))
    }

    fn flush(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    fn outstanding(&self) -> io::Result<u64> {
        let bytes = ganger_keeper::outstanding(self.socket.as_fd())?;
        if self.is_alive()? { Ok(bytes) } else { Err(ErrorKind::ConnectionReset.into()) }
    }

    fn hear(&mut self) -> io::Result<bool> {
        Ok(false)
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A UDP socket: nobody tells what arrived; that nobody listens is told at times.
struct Udp(UdpSocket);

impl Udp {
    fn connect(address: &str) -> io::Result<Self> {
        let address = resolve(address)?.next().ok_or_else(unresolved)?;
        let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(own)?;
        socket.connect(address)?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }
}

impl Link for Udp {
    fn send(&mut self, message: &[u8]) -> io::Result<bool> {
        has_room(self.0.send(message))
    }

    fn flush(&mut self) -> io::Result<bool> {
        self.hear().map(|_| true)
    }

    fn outstanding(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn hear(&mut self) -> io::Result<bool> {
        // A server has nothing to say; what it says is not to be woken for again.
        while has_room(self.0.recv(&mut [0; 16]))? {}
        self.0.take_error()?.map_or(Ok(false), Err)
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A TCP connection.
struct Tcp {
    stream: TcpStream,
    /// What is left of the last message.
    rest: Vec<u8>,
}

impl Tcp {
    fn connect(address: &str) -> io::Result<Self> {
        let mut last = unresolved();
        for address in resolve(address)? {
            match TcpStream::connect_timeout(&address, CONNECT_WITHIN) {
                Ok(stream) => {
                    stream.set_nonblocking(true)?;
                    return Ok(Self { stream, rest: Vec::new() });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Writes what it can; how much that was.
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<usize> {
        let whole = bytes.len();
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(whole - bytes.len())
    }
}

impl Link for Tcp {
    fn send(&mut self, message: &[u8]) -> io::Result<bool> {
        if !self.flush()? {
            return Ok(false);
        }
        let written = self.write(message)?;
        self.rest.extend_from_slice(&message[written..]);
        Ok(true)
    }

    fn flush(&mut self) -> io::Result<bool> {
        let rest = std::mem::take(&mut self.rest);
        let written = self.write(&rest)?;
        self.rest.extend_from_slice(&rest[written..]);
        Ok(self.rest.is_empty())
    }

    fn outstanding(&self) -> io::Result<u64> {
        Ok(ganger_keeper::outstanding(self.stream.as_fd())? + self.rest.len() as u64 + UNREAD_BYTES)
    }

    fn hear(&mut self) -> io::Result<bool> {
        loop {
            match self.stream.read(&mut [0; 4096]) {
                Ok(0) if self.outstanding()? == UNREAD_BYTES => return Ok(true),
                Ok(0) => return Err(ErrorKind::ConnectionReset.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn end(&mut self) {
        // A connection that is broken already shows it when it is next heard.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn has_room(result: io::Result<usize>) -> io::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

fn resolve(address: &str) -> io::Result<impl Iterator<Item = SocketAddr> + use<>> {
    address.to_socket_addrs()
}

fn unresolved() -> io::Error {
    io::Error::new(ErrorKind::NotFound, "the name has no address")
}
