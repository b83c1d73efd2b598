//! Descriptors on their way from one overseer to the next.
//!
//! The bag is a pair of sockets. What was sent into one end and is not received from the other is held by the kernel as long
//! as the pair is, and so by the keeper, which keeps both ends. There is one message in it, or for a moment two: whoever dies
//! in that moment leaves the new one as the last.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use ganger_spec::FcgiSocket;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use super::SOCKETS_MAX;

/// A message has at most so many bytes; two of them fit into a socket.
const BYTES_MAX: usize = 64 << 10;

pub(super) struct Bag {
    inlet: OwnedFd,
    outlet: OwnedFd,
}

/// Whose socket it is, as what it listens, and the socket.
type Packed = (String, FcgiSocket, OwnedFd);

impl Bag {
    pub(super) fn new() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (inlet, outlet) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok(Self { inlet, outlet })
    }

    /// The one that the keeper kept.
    pub(super) fn of(kept: Vec<OwnedFd>) -> Option<Self> {
        let [inlet, outlet] = <[OwnedFd; 2]>::try_from(kept).ok()?;
        Some(Self { inlet, outlet })
    }

    /// Both ends once more.
    pub(super) fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        [&self.inlet, &self.outlet].into_iter().map(OwnedFd::try_clone).collect()
    }

    /// Puts these in, in place of what is there.
    pub(super) fn put(&self, sockets: &[(&str, &FcgiSocket, &OwnedFd)]) -> io::Result<()> {
        let names: Vec<_> = sockets.iter().map(|(group, socket, _)| (group, socket)).collect();
        let bytes = serde_json::to_vec(&names)?;
        if bytes.len() > BYTES_MAX {
            return Err(Errno::MSGSIZE.into());
        }
        let descriptors: Vec<_> = sockets.iter().map(|(_, _, descriptor)| descriptor.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(Errno::MSGSIZE.into());
        }
        sendmsg(&self.inlet, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
        self.drop_old(bytes.len())
    }

    /// What is in it, which stays there.
    pub(super) fn look(&self) -> Vec<Packed> {
        // What cannot be read is made anew.
        let Ok((mut bytes, mut descriptors)) = self.receive(RecvFlags::PEEK) else { return Vec::new() };
        if rustix::io::ioctl_fionread(&self.outlet).is_ok_and(|all| all > bytes.len() as u64) {
            let _ = self.receive(RecvFlags::empty());
            (bytes, descriptors) = self.receive(RecvFlags::PEEK).unwrap_or_default();
        }
        let names: Vec<(String, FcgiSocket)> = serde_json::from_slice(&bytes).unwrap_or_default();
        if names.len() != descriptors.len() {
            return Vec::new();
        }
        names.into_iter().zip(descriptors).map(|((group, socket), one)| (group, socket, one)).collect()
    }

    /// Leaves only the last message in it, which has this length.
    fn drop_old(&self, last: usize) -> io::Result<()> {
        while rustix::io::ioctl_fionread(&self.outlet)? > last as u64 {
            self.receive(RecvFlags::empty())?;
        }
        Ok(())
    }

    fn receive(&self, flags: RecvFlags) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
        let mut bytes = vec![0; BYTES_MAX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = flags | RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let received = recvmsg(&self.outlet, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)?;
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        bytes.truncate(received.bytes);
        Ok((bytes, descriptors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(bag: &Bag, groups: &[&str]) {
        let socket = FcgiSocket { url: "unix:///s".to_owned(), backlog: None, owner: None, mode: None };
        let null: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
        bag.put(&groups.iter().map(|group| (*group, &socket, &null)).collect::<Vec<_>>()).unwrap();
    }

    fn groups(bag: &Bag) -> Vec<String> {
        bag.look().into_iter().map(|(group, _, _)| group).collect()
    }

    #[test]
    fn what_was_put_in_last_is_there_however_often_it_is_looked_at() {
        let bag = Bag::new().unwrap();
        assert!(groups(&bag).is_empty());
        for round in [&["a", "b"][..], &["c"], &[], &["d", "e", "f"]] {
            put(&bag, round);
            assert_eq!(groups(&bag), round);
            assert_eq!(groups(&bag), round);
        }
    }

    #[test]
    fn of_two_messages_that_a_death_left_the_last_counts() {
        let (bag, late) = (Bag::new().unwrap(), Bag::new().unwrap());
        put(&bag, &["old"]);
        put(&late, &["new"]);
        let (bytes, descriptors) = late.receive(RecvFlags::PEEK).unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let one = [descriptors[0].as_fd()];
        assert!(control.push(SendAncillaryMessage::ScmRights(&one)));
        sendmsg(&bag.inlet, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL).unwrap();
        assert_eq!(groups(&bag), ["new"]);
        assert_eq!(groups(&bag), ["new"]);
    }
}
