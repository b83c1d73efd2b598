//! Asks over the network: a connection, and an answer to a GET.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ganger_spec::Check;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// The first line of an answer is within so many bytes.
const STATUS_LINE_MAX: usize = 1_024;

/// Asks in the background and passes the answer on; within this time, or it is none.
pub(super) fn ask(
    check: &Check,
    own_port: Option<u16>,
    within: Duration,
    answer: impl FnOnce(Result<(), String>) + Send + 'static,
) {
    let (host, port, path) = match check {
        Check::Http { host, port, path } => (host.clone(), port.or(own_port), Some(path.clone())),
        Check::Tcp { host, port } => (host.clone(), port.or(own_port), None),
        Check::Command(_) => return,
    };
    let (asked, is_http) = (check.to_string(), path.is_some());
    tokio::spawn(async move {
        let Some(port) = port else {
            answer(Err(format!("{asked}: it has no port")));
            return;
        };
        let found = timeout(within, async {
            let mut stream = connect(host.as_deref(), port).await?;
            match path {
                Some(path) => get(&mut stream, host.as_deref(), port, &path).await.map(Some),
                None => Ok(None),
            }
        });
        answer(match found.await {
            Err(_) if is_http => Err(format!("{asked} was not answered within {within:?}")),
            Err(_) => Err(format!("{asked} was not taken within {within:?}")),
            Ok(Err(error)) => Err(format!("{asked}: {error}")),
            Ok(Ok(None | Some(200..400))) => Ok(()),
            Ok(Ok(Some(status))) => Err(format!("{asked} was answered with {status}")),
        });
    });
}

/// This machine is both of its loopback addresses: a worker may listen at either.
async fn connect(host: Option<&str>, port: u16) -> io::Result<TcpStream> {
    let here = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let places: Vec<SocketAddr> = match host {
        None | Some("localhost") => here.map(|address| SocketAddr::new(address, port)).into(),
        Some(host) => lookup_host((host, port)).await?.collect(),
    };
    let mut first = None;
    for place in places {
        match TcpStream::connect(place).await {
            Ok(stream) => return Ok(stream),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    Err(first.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address")))
}

/// The status of the answer.
async fn get(stream: &mut TcpStream, host: Option<&str>, port: u16, path: &str) -> io::Result<u16> {
    let host = host.unwrap_or("localhost");
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: ganger\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut line = Vec::new();
    let mut stream = stream.take(STATUS_LINE_MAX as u64);
    while !line.contains(&b'\n') {
        if stream.read_buf(&mut line).await? == 0 {
            break;
        }
    }
    status(&line).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP"))
}

/// `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<u16> {
    let line = line.split(|byte| *byte == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let version = words.next()?;
    let status = words.next().filter(|word| word.len() == 3)?;
    version.starts_with("HTTP/").then(|| status.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use tokio::sync::oneshot;

    use super::*;

    /// What comes of asking a server that gives this answer to whoever asks.
    fn asked(path: Option<&str>, reply: &'static [u8], within: Duration) -> (Result<(), String>, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (done, over) = std::sync::mpsc::channel::<()>();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let count = stream.read(&mut request).unwrap_or(0);
            let _ = stream.write_all(reply);
            if reply.is_empty() {
                let _ = over.recv();
            }
            String::from_utf8_lossy(&request[..count]).into_owned()
        });
        let check = match path {
            Some(path) => Check::Http { host: None, port: None, path: path.to_owned() },
            None => Check::Tcp { host: None, port: None },
        };
        let answer = run(&check, Some(port), within);
        drop(done);
        let request = server.join().unwrap();
        if let Some(path) = path {
            assert!(
                request.starts_with(&format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n")),
                "{request}"
            );
        }
        (answer, port)
    }

    fn run(check: &Check, port: Option<u16>, within: Duration) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (sender, receiver) = oneshot::channel();
            ask(check, port, within, move |answer| drop(sender.send(answer)));
            receiver.await.unwrap()
        })
    }

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn a_status_from_200_to_399_is_a_good_answer() {
        assert_eq!(asked(Some("/up"), b"HTTP/1.1 200 OK\r\n\r\n", LONG).0, Ok(()));
        assert_eq!(asked(Some("/"), b"HTTP/1.0 302 Found\r\n", LONG).0, Ok(()));
        let bad = asked(Some("/up"), b"HTTP/1.1 503 Service Unavailable\r\n\r\n", LONG).0;
        assert_eq!(bad.unwrap_err(), "GET /up was answered with 503");
        let no = asked(Some("/up"), b"220 mail.example.org ESMTP\r\n", LONG).0;
        assert_eq!(no.unwrap_err(), "GET /up: the answer is no HTTP");
    }

    #[test]
    fn a_connection_is_a_good_answer_and_none_is_told_with_the_reason() {
        assert_eq!(asked(None, b"x", LONG).0, Ok(()));
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let answer = run(&Check::Tcp { host: None, port: Some(free) }, None, LONG).unwrap_err();
        assert!(answer.starts_with(&format!("a connection to port {free}: Connection refused")), "{answer}");
        let answer = run(&Check::Tcp { host: None, port: None }, None, LONG).unwrap_err();
        assert_eq!(answer, "a connection to its port: it has no port");
    }

    #[test]
    fn who_does_not_answer_in_time_has_answered_badly() {
        let answer = asked(Some("/slow"), b"", Duration::from_millis(50)).0;
        assert_eq!(answer.unwrap_err(), "GET /slow was not answered within 50ms");
    }

    #[test]
    fn only_a_status_line_is_one() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\nX: y\r\n"), Some(204));
        for line in [&b""[..], b"HTTP/1.1", b"HTTP/1.1 20 OK", b"200 OK", b"\xff\xff 200", b"HTTP/1.1 2000"] {
            assert_eq!(status(line), None);
        }
    }
}
