//! Ports of the loopback.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};

use crate::Deadline;

/// Below the range that the kernel hands out to outgoing connections, so that only tests compete for it.
const FIRST: u16 = 21_000;
const LAST: u16 = 31_900;

/// A port of the loopback that nobody holds now.
pub fn free_port() -> u16 {
    free_port_run(1, 1)
}

/// A port P such that P, P + step, P + 2 × step, … (`count` of them) are held by nobody now.
///
/// Each call in this process gives other ports; processes begin at different places.
pub fn free_port_run(count: u16, step: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = step * count.saturating_sub(1) + 1;
    let room = LAST - FIRST - span;
    let offset = u16::try_from(std::process::id() % 997).unwrap_or(0) * 11;
    for _ in 0..room {
        let turn = NEXT.fetch_add(span, Ordering::Relaxed);
        let base = FIRST + offset.wrapping_add(turn) % room;
        if (0..count).all(|index| is_free(base + index * step)) {
            return base;
        }
    }
    panic!("no {count} free ports in {FIRST}..{LAST}");
}

/// Connects to a server of the loopback that says nothing when it has begun to listen.
pub fn connect(port: u16, deadline: Deadline) -> TcpStream {
    loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(stream) => return stream,
            Err(error) => assert!(deadline.left().is_some(), "nobody listens on port {port}: {error}"),
        }
        std::thread::yield_now();
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        && TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound() {
        let port = free_port();
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    }

    #[test]
    fn a_run_of_ports_is_free_at_each_step() {
        let base = free_port_run(3, 100);
        let held: Vec<_> = (0..3).map(|n| TcpListener::bind((Ipv4Addr::LOCALHOST, base + n * 100))).collect();
        assert!(held.iter().all(Result::is_ok));
    }
}
