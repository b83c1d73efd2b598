//! The other end of a link that does not lead to a keeper: for who stands between several overseers' engines and
//! the one keeper that they share.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::link::{Inbox, Letter, Link, Message, Socket};
use crate::protocol::{Event, Request};

/// The end that hears requests and tells events. It never blocks.
#[derive(Debug)]
pub struct Partner {
    socket: Socket,
    inbox: Inbox<Request>,
}

impl Partner {
    /// A link and the end that it leads to.
    pub fn pair() -> io::Result<(Link, Self)> {
        let (link, socket) = Socket::pair()?;
        Ok((link.into(), Self { socket, inbox: Inbox::default() }))
    }

    /// Tells an event. `WouldBlock` means that nothing was sent.
    pub fn send(&self, event: &Event, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.socket.send(event.id(), event, descriptors)
    }

    /// The next request and the descriptors beside it; none means that there is none yet. An error means that the
    /// other end is gone.
    pub fn receive(&mut self) -> io::Result<Option<(Request, Vec<OwnedFd>)>> {
        loop {
            let Some(letter) = self.socket.receive(&mut self.inbox)? else { return Ok(None) };
            let Letter { message, descriptors, .. } = letter;
            match message {
                Message::Known(request) => return Ok(Some((request, descriptors))),
                // Both ends are of one program: it cannot be of another version.
                Message::Unknown | Message::Lost => {}
            }
        }
    }
}

impl AsFd for Partner {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
