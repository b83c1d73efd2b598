//! The main log, sent to syslog by a thread of its own: a server that is slow or away holds up nobody.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::Duration;

use ganger_spec::Target;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::forward::{Link, connect, of_supervisord};

/// So many lines wait for the thread, and as many for a server that takes none; what is more is in the journal alone.
const WAITING_MAX: usize = 1024;
/// A server has so long to make room for a line.
const ROOM_WITHIN: Duration = Duration::from_secs(2);
/// At the end, what is left is sent within this.
const END_WITHIN: Duration = Duration::from_secs(2);

pub(super) struct Syslog {
    /// None at the end.
    lines: Option<SyncSender<Vec<u8>>>,
    ended: Receiver<()>,
}

impl Syslog {
    pub(super) fn start(target: Target) -> io::Result<Self> {
        let (lines, taken) = sync_channel::<Vec<u8>>(WAITING_MAX);
        let (end, ended) = channel();
        let mut sender = Sender { target, link: None, waiting: VecDeque::new() };
        std::thread::Builder::new().name("syslog".to_owned()).spawn(move || {
            let _until_the_end: std::sync::mpsc::Sender<()> = end;
            for line in taken {
                sender.take(&line);
            }
        })?;
        Ok(Self { lines: Some(lines), ended })
    }

    pub(super) fn write(&self, line: &str) {
        if let Some(lines) = &self.lines {
            // Nobody waits for a server that takes nothing.
            let _ = lines.try_send(line.as_bytes().to_vec());
        }
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        self.lines = None;
        // An error is what is waited for: the thread has ended.
        let _ = self.ended.recv_timeout(END_WITHIN);
    }
}

struct Sender {
    target: Target,
    link: Option<Box<dyn Link>>,
    /// Messages that the server has not taken; they go with the next line.
    waiting: VecDeque<Vec<u8>>,
}

impl Sender {
    fn take(&mut self, line: &[u8]) {
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(of_supervisord(&self.target, line));
        // A server that has been started anew is found by the second try.
        if self.send().is_err() {
            self.link = None;
            if self.send().is_err() {
                self.link = None;
            }
        }
    }

    fn send(&mut self) -> io::Result<()> {
        while let Some(message) = self.waiting.front() {
            let link = match &mut self.link {
                Some(link) => link,
                None => self.link.insert(connect(&self.target)?),
            };
            while !link.send(message)? {
                room(link.as_ref())?;
            }
            self.waiting.pop_front();
            while !link.flush()? {
                room(link.as_ref())?;
            }
        }
        Ok(())
    }
}

/// Waits until there is room for more.
fn room(link: &dyn Link) -> io::Result<()> {
    let mut fds = [PollFd::from_borrowed_fd(link.socket(), PollFlags::OUT)];
    let timeout = Timespec::try_from(ROOM_WITHIN).ok();
    match poll(&mut fds, timeout.as_ref())? {
        0 => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use ganger_spec::{Facility, SyslogFormat, SyslogSocket};

    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 1024];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[test]
    fn lines_reach_a_server_that_was_away_and_one_that_was_started_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let at = SyslogSocket::Unix(path.clone());
        let target = Target::Syslog { at, format: SyslogFormat::Rfc3164, facility: Facility::User };
        let mut sender = Sender { target, link: None, waiting: VecDeque::new() };
        sender.take(b"INFO one");
        for _ in 0..2 {
            let server = UnixDatagram::bind(&path).unwrap();
            sender.take(b"INFO two");
            let first = received(&server);
            assert!(first.starts_with("<14>") && first.contains(" supervisord: INFO "), "{first}");
            if first.ends_with("INFO one") {
                assert!(received(&server).ends_with("INFO two"));
            }
            assert!(sender.waiting.is_empty());
            drop(server);
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn lines_that_nobody_takes_are_bounded_and_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let at = SyslogSocket::Unix(dir.path().join("nowhere"));
        let target = Target::Syslog { at, format: SyslogFormat::Rfc3164, facility: Facility::User };
        let mut sender = Sender { target, link: None, waiting: VecDeque::new() };
        (0..=WAITING_MAX).for_each(|n| sender.take(n.to_string().as_bytes()));
        assert_eq!(sender.waiting.len(), WAITING_MAX);
        assert!(sender.waiting[0].ends_with(b" 1"));
    }
}
