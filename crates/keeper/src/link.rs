//! The socket between overseer and keeper: frames of one message with descriptors beside it, or of several without.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use minicbor::{Decode, Decoder, Encode};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, memfd_create};
use rustix::io::{Errno, pread, retry_on_intr, write};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use crate::protocol::{BODY_MAX, DESCRIPTORS_MAX, Event, INLINE_MAX, MESSAGES_MAX, Request, VERSION};
use crate::sys;

/// The variable that tells an overseer which descriptor is its end of the socket.
pub const DESCRIPTOR_VARIABLE: &str = "GANGER_KEEPER_FD";

/// Version (2 bytes), place of the body (2), length of the body (4), request id (8): little-endian. The id is that of
/// the first message; each message after it has its own before it, in the body.
const HEADER: usize = 16;
const INLINE: u16 = 0;
const IN_MEMORY_FILE: u16 = 1;
const SEALS: SealFlags =
    SealFlags::SEAL.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::WRITE);

/// What an overseer finds on its socket when it starts, ahead of all events: a kind of message that it passes over if
/// it does not know it, hence numbered as none of [`Event`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Inheritance {
    /// The descriptors beside it were kept for it.
    #[n(64)]
    Kept,
}

/// The overseer's end. It never blocks: wait with `poll` or the like on its descriptor.
#[derive(Debug)]
pub struct Link {
    socket: Socket,
    inbox: Inbox<Event>,
    kept: Vec<OwnedFd>,
}

impl Link {
    /// The link that the keeper gave this process.
    pub fn from_env() -> io::Result<Self> {
        let missing =
            || io::Error::new(ErrorKind::NotFound, format!("{DESCRIPTOR_VARIABLE} names no descriptor"));
        let number = std::env::var(DESCRIPTOR_VARIABLE).map_err(|_| missing())?;
        let number = number.parse().map_err(|_| missing())?;
        let socket = Socket(sys::descriptors::inherited(number)?);
        // It was sent before this process began, so it is there or will never be.
        let kept = match socket.receive(&mut Inbox::<Inheritance>::default())? {
            Some(Letter { message: Message::Known(Inheritance::Kept), descriptors, .. }) => descriptors,
            Some(Letter { message: Message::Unknown | Message::Lost, .. }) | None => Vec::new(),
        };
        Ok(Self { socket, inbox: Inbox::default(), kept })
    }

    /// The descriptors that came with the last `Hello` of the overseer before, in that order; they are there from
    /// the start. For the keeper to keep them on, they must come with the next `Hello` again.
    pub fn take_kept(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.kept)
    }

    /// Sends a request. `WouldBlock` means that nothing was sent: wait until the link is writable.
    pub fn send(&self, request: &Request, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.socket.send(request.id(), request, descriptors)
    }

    /// Sends as many of these requests, none of which needs descriptors, as go together; how many. `WouldBlock` means
    /// that none was sent.
    pub fn send_together<'a>(&self, requests: impl IntoIterator<Item = &'a Request>) -> io::Result<usize> {
        self.socket.send_together(requests.into_iter().map(|request| (request.id(), request)))
    }

    /// The next event; none means that there is none yet. An error means that this link is of no more use;
    /// `UnexpectedEof` that the keeper is gone. Events that this version does not know are passed over.
    pub fn receive(&mut self) -> io::Result<Option<(Event, Vec<OwnedFd>)>> {
        loop {
            let Some(letter) = self.socket.receive(&mut self.inbox)? else { return Ok(None) };
            match letter.message {
                Message::Known(event) => return Ok(Some((event, letter.descriptors))),
                Message::Unknown => {}
                Message::Lost => return Err(Errno::MFILE.into()),
            }
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl From<OwnedFd> for Link {
    /// A link over a descriptor that came some other way, as in tests.
    fn from(descriptor: OwnedFd) -> Self {
        Self { socket: Socket(descriptor), inbox: Inbox::default(), kept: Vec::new() }
    }
}

impl From<Socket> for Link {
    fn from(socket: Socket) -> Self {
        Self { socket, inbox: Inbox::default(), kept: Vec::new() }
    }
}

/// Either end.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

/// What came and was not taken yet: at most the messages of one frame.
#[derive(Debug)]
pub(crate) struct Inbox<M> {
    letters: VecDeque<Letter<M>>,
    /// Where frames are received. It is made once: clearing one for each frame would cost more than the frame.
    buffer: Box<[u8]>,
}

impl<M> Default for Inbox<M> {
    fn default() -> Self {
        Self { letters: VecDeque::new(), buffer: vec![0; HEADER + INLINE_MAX].into() }
    }
}

impl<M> Inbox<M> {
    /// Whether something can be taken although the socket has nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }
}

/// One message as it came.
#[derive(Debug)]
pub(crate) struct Letter<M> {
    pub(crate) id: u64,
    pub(crate) message: Message<M>,
    pub(crate) descriptors: Vec<OwnedFd>,
    /// Some descriptors were lost: this process has too many.
    pub(crate) truncated: bool,
}

/// A message, as far as it can be read.
#[derive(Debug)]
pub(crate) enum Message<M> {
    /// Understood.
    Known(M),
    /// Of a kind that another version added.
    Unknown,
    /// Its body was in a descriptor that did not arrive.
    Lost,
}

impl<M> Letter<M> {
    fn new(id: u64, message: Message<M>) -> Self {
        Self { id, message, descriptors: Vec::new(), truncated: false }
    }
}

impl Socket {
    /// Two connected ends, neither of which blocks.
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self(one), Self(other)))
    }

    pub(crate) fn send(
        &self,
        id: u64,
        message: &impl Encode<()>,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let body = minicbor::to_vec(message).map_err(io::Error::other)?;
        if body.len() > BODY_MAX || descriptors.len() > DESCRIPTORS_MAX {
            return Err(Errno::MSGSIZE.into());
        }
        if body.len() <= INLINE_MAX {
            return self.send_frame(&header(INLINE, id, body.len()), &body, descriptors);
        }
        let file = sealed(&body)?;
        let mut all = vec![file.as_fd()];
        all.extend_from_slice(descriptors);
        self.send_frame(&header(IN_MEMORY_FILE, id, body.len()), &[], &all)
    }

    /// Sends as many of these messages as fit into one frame; how many.
    pub(crate) fn send_together<'a, M: Encode<()> + 'a>(
        &self,
        messages: impl IntoIterator<Item = (u64, &'a M)>,
    ) -> io::Result<usize> {
        let mut messages = messages.into_iter().take(MESSAGES_MAX);
        let Some((id, first)) = messages.next() else { return Ok(0) };
        let mut body = minicbor::to_vec(first).map_err(io::Error::other)?;
        if body.len() > INLINE_MAX {
            return self.send(id, first, &[]).map(|()| 1);
        }
        let mut count = 1;
        for (id, message) in messages {
            let fits = body.len();
            minicbor::encode(id, &mut body).map_err(io::Error::other)?;
            minicbor::encode(message, &mut body).map_err(io::Error::other)?;
            if body.len() > INLINE_MAX {
                body.truncate(fits);
                break;
            }
            count += 1;
        }
        self.send_frame(&header(INLINE, id, body.len()), &body, &[])?;
        Ok(count)
    }

    fn send_frame(&self, header: &[u8], body: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX + 1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(Errno::MSGSIZE.into());
        }
        let parts = [IoSlice::new(header), IoSlice::new(body)];
        match retry_on_intr(|| sendmsg(&self.0, &parts, &mut control, SendFlags::NOSIGNAL)) {
            Ok(_) => Ok(()),
            Err(errno) if is_scarcity(errno) => Err(Errno::AGAIN.into()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The next message; none if there is none yet. An error closes the conversation.
    pub(crate) fn receive<M>(&self, inbox: &mut Inbox<M>) -> io::Result<Option<Letter<M>>>
    where
        M: for<'b> Decode<'b, ()>,
    {
        if inbox.is_empty() {
            self.receive_frame(inbox)?;
        }
        Ok(inbox.letters.pop_front())
    }

    fn receive_frame<M>(&self, Inbox { letters, buffer }: &mut Inbox<M>) -> io::Result<()>
    where
        M: for<'b> Decode<'b, ()>,
    {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX + 1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let mut receive = || recvmsg(&self.0, &mut [IoSliceMut::new(buffer)], &mut control, flags);
        // That the other end died with something unread is told once, before what it said last.
        let received = match receive().or_else(|errno| match errno {
            Errno::CONNRESET => receive(),
            other => Err(other),
        }) {
            Ok(received) => received,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(errno) if is_scarcity(errno) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        };
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        if received.bytes == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if received.flags.contains(ReturnFlags::TRUNC) {
            return Err(malformed("a frame that is too long"));
        }
        let truncated = received.flags.contains(ReturnFlags::CTRUNC);
        parse(&buffer[..received.bytes], descriptors, truncated, letters)
    }

    /// Gives the descriptor itself away.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether the kernel had no memory for a message just now, or too many descriptors are on their way: it is still to be
/// sent, or still there.
fn is_scarcity(errno: Errno) -> bool {
    [Errno::NOBUFS, Errno::NOMEM, Errno::TOOMANYREFS].contains(&errno)
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor()
    }
}

fn parse<M>(
    bytes: &[u8],
    mut descriptors: Vec<OwnedFd>,
    truncated: bool,
    letters: &mut VecDeque<Letter<M>>,
) -> io::Result<()>
where
    M: for<'b> Decode<'b, ()>,
{
    let Some((&[v0, v1, p0, p1, l0, l1, l2, l3, ref id @ ..], inline)) = bytes.split_first_chunk::<HEADER>()
    else {
        return Err(malformed("a frame without a header"));
    };
    let id = u64::from_le_bytes(*id);
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if u16::from_le_bytes([v0, v1]) == 0 || length > BODY_MAX {
        return Err(malformed("a header that makes no sense"));
    }
    match u16::from_le_bytes([p0, p1]) {
        INLINE if inline.len() == length => decode(id, inline, letters)?,
        IN_MEMORY_FILE if truncated && descriptors.is_empty() => {
            letters.push_back(Letter::new(id, Message::Lost));
        }
        IN_MEMORY_FILE if !descriptors.is_empty() => {
            decode(id, &unsealed(&descriptors.remove(0), length)?, letters)?;
        }
        _ => return Err(malformed("a frame whose body is not where it says")),
    }
    // Descriptors come with a message that has its frame for itself.
    if let Some(first) = letters.front_mut() {
        first.descriptors = descriptors;
        first.truncated = truncated;
    }
    Ok(())
}

fn header(place: u16, id: u64, length: usize) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..2].copy_from_slice(&VERSION.to_le_bytes());
    header[2..4].copy_from_slice(&place.to_le_bytes());
    header[4..8].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    header[8..].copy_from_slice(&id.to_le_bytes());
    header
}

fn decode<M>(mut id: u64, body: &[u8], letters: &mut VecDeque<Letter<M>>) -> io::Result<()>
where
    M: for<'b> Decode<'b, ()>,
{
    let unreadable = |error| io::Error::new(ErrorKind::InvalidData, error);
    let mut decoder = Decoder::new(body);
    loop {
        let start = decoder.position();
        let message = match decoder.decode() {
            Ok(message) => Message::Known(message),
            Err(error) if error.is_unknown_variant() => {
                decoder.set_position(start);
                decoder.skip().map_err(unreadable)?;
                Message::Unknown
            }
            Err(error) => return Err(unreadable(error)),
        };
        letters.push_back(Letter::new(id, message));
        if decoder.position() == body.len() {
            return Ok(());
        }
        id = decoder.u64().map_err(unreadable)?;
    }
}

/// The bytes in a memory file that nobody can change any more.
pub(crate) fn sealed(body: &[u8]) -> io::Result<OwnedFd> {
    let file = memfd_create("ganger", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut rest = body;
    while !rest.is_empty() {
        rest = &rest[write(&file, rest)?..];
    }
    fcntl_add_seals(&file, SEALS)?;
    Ok(file)
}

/// What [`sealed`] wrote.
pub(crate) fn unsealed(file: &OwnedFd, length: usize) -> io::Result<Vec<u8>> {
    let size = u64::try_from(fstat(file)?.st_size).unwrap_or(0);
    if size != length as u64 || !fcntl_get_seals(file)?.contains(SEALS) {
        return Err(malformed("a body that is not sealed, or of another length"));
    }
    let mut body = vec![0; length];
    let mut done = 0;
    while done < length {
        match pread(file, &mut body[done..], done as u64)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => done += count,
        }
    }
    Ok(body)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_end_said_before_it_died_is_heard_though_it_left_something_unread() {
        let (one, other) = Socket::pair().unwrap();
        one.send(1, &release(1), &[]).unwrap();
        other.send(2, &release(2), &[]).unwrap();
        drop(one);
        let mut inbox = Inbox::<Request>::default();
        assert_eq!(other.receive(&mut inbox).unwrap().map(|letter| letter.id), Some(1));
        let end = other.receive(&mut inbox).map(|letter| letter.map(|letter| letter.id));
        assert_eq!(end.map_err(|error| error.kind()), Err(ErrorKind::UnexpectedEof));
    }

    /// A request whose message is this many bytes longer than the same with an empty name.
    fn release(length: usize) -> Request {
        Request::Release { worker: "w".repeat(length) }
    }

    /// The length of the longest name in a message of at most so many bytes.
    fn longest(message: usize) -> usize {
        // Beyond 64 KiB a length takes five bytes, below it three.
        let head = if message > 1 << 16 { 4 } else { 2 };
        message - minicbor::to_vec(release(0)).unwrap().len() - head
    }

    fn travels(length: usize) -> io::Result<()> {
        let (ours, its) = Socket::pair()?;
        let request = release(length);
        ours.send(7, &request, &[])?;
        let letter: Letter<Request> = its.receive(&mut Inbox::default())?.expect("a message");
        assert_eq!(letter.id, 7);
        assert!(matches!(letter.message, Message::Known(known) if known == request));
        assert!(letter.descriptors.is_empty());
        Ok(())
    }

    #[test]
    fn messages_travel_together_up_to_the_bounds_of_a_frame() {
        let (ours, its) = Socket::pair().unwrap();
        let mut inbox = Inbox::default();
        let long = INLINE_MAX / 2;
        for (lengths, together) in [
            (vec![1; MESSAGES_MAX], MESSAGES_MAX),
            (vec![1; MESSAGES_MAX + 1], MESSAGES_MAX),
            (vec![long, long - 100, 100], 2),
            (vec![INLINE_MAX + 1, 1], 1),
            (vec![], 0),
        ] {
            let requests: Vec<Request> = lengths.into_iter().map(release).collect();
            let numbered = (7..).zip(&requests);
            assert_eq!(ours.send_together(numbered.clone()).unwrap(), together);
            for (id, request) in numbered.take(together) {
                let letter: Letter<Request> = its.receive(&mut inbox).unwrap().expect("a message");
                assert_eq!(letter.id, id);
                assert!(matches!(letter.message, Message::Known(known) if known == *request));
            }
            assert!(its.receive(&mut inbox).unwrap().is_none());
        }
    }

    #[test]
    fn an_unknown_message_among_others_is_passed_over_by_itself() {
        let known = minicbor::to_vec(release(1)).unwrap();
        let unknown = minicbor::to_vec((200_u8, ["new"])).unwrap();
        let body = [&unknown[..], &[5], &known, &[6], &unknown].concat();
        let mut letters = VecDeque::new();
        parse::<Request>(&[&header(INLINE, 4, body.len())[..], &body].concat(), vec![], false, &mut letters)
            .unwrap();
        let seen: Vec<_> =
            letters.iter().map(|one| (one.id, matches!(one.message, Message::Unknown))).collect();
        assert_eq!(seen, [(4, true), (5, false), (6, true)]);
    }

    #[test]
    fn a_message_may_be_as_long_as_the_bound_and_no_longer() {
        assert_eq!(minicbor::to_vec(release(longest(BODY_MAX))).unwrap().len(), BODY_MAX);
        travels(longest(BODY_MAX)).unwrap();
        let error = travels(longest(BODY_MAX) + 1).unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::MSGSIZE));
    }

    #[test]
    fn a_message_travels_inside_its_frame_up_to_a_bound_and_beside_it_beyond() {
        assert_eq!(minicbor::to_vec(release(longest(INLINE_MAX))).unwrap().len(), INLINE_MAX);
        for length in [0, longest(INLINE_MAX), longest(INLINE_MAX) + 1] {
            travels(length).unwrap();
        }
    }

    #[test]
    fn as_many_descriptors_come_as_the_bound_says_even_beside_a_long_message() {
        for length in [0, INLINE_MAX] {
            let (ours, its) = Socket::pair().unwrap();
            let descriptor = ours.descriptor();
            ours.send(0, &release(length), &[descriptor; DESCRIPTORS_MAX]).unwrap();
            let letter: Letter<Request> = its.receive(&mut Inbox::default()).unwrap().expect("a message");
            assert_eq!((letter.descriptors.len(), letter.truncated), (DESCRIPTORS_MAX, false));
            let error = ours.send(0, &release(length), &[descriptor; DESCRIPTORS_MAX + 1]).unwrap_err();
            assert_eq!(Errno::from_io_error(&error), Some(Errno::MSGSIZE));
        }
    }

    #[test]
    fn a_header_that_promises_what_does_not_come_ends_the_conversation() {
        let told = |bytes: &[u8]| {
            let parsed = parse::<Request>(bytes, Vec::new(), false, &mut VecDeque::new());
            parsed.err().map(|error| error.to_string())
        };
        let frame = |place, length| [&header(place, 1, length)[..], &[0]].concat();
        assert_eq!(told(&[1; HEADER - 1]).unwrap(), "a frame without a header");
        assert_eq!(told(&[0; HEADER]).unwrap(), "a header that makes no sense");
        assert_eq!(told(&frame(INLINE, BODY_MAX + 1)).unwrap(), "a header that makes no sense");
        for frame in [frame(INLINE, 2), frame(IN_MEMORY_FILE, 1), frame(2, 1)] {
            assert_eq!(told(&frame).unwrap(), "a frame whose body is not where it says");
        }
    }
}
