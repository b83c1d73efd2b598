//! The conversation of overseer and keeper.

use std::fmt::Debug;

use ganger_keeper::{Event, Link, Request};
use minicbor::{Decode, Encode};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socketpair};

pub(crate) const FRAME: &[&str] = &[
    "\u{1}\0\0\0",
    "\u{2}\0",
    "\u{1}\0\u{1}\0",
    "\0\0\0\0\0\0\0\0",
    "web.1",
    "\u{7f}",
    "ÿÿÿÿ",
    "exec",
    "@",
    "\u{18}",
];

/// A frame that comes over the socket, and its body alone, in both directions.
pub(crate) fn frame(bytes: &[u8]) {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None);
    let (here, there) = pair.unwrap_or_else(|error| panic!("no socket to send a frame over: {error}"));
    if send(&there, bytes, SendFlags::NOSIGNAL).is_ok() {
        drop(there);
        let mut link = Link::from(here);
        // The first message of the frame, and what follows it: another one or the end of the conversation.
        for _ in 0..2 {
            match link.receive() {
                Ok(Some((event, descriptors))) => {
                    assert!(descriptors.is_empty(), "descriptors that nobody sent came with {event:?}");
                    same_again(&event);
                }
                Ok(None) => {}
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
    understood::<Request>(bytes);
    understood::<Event>(bytes);
}

fn understood<M>(bytes: &[u8])
where
    M: for<'b> Decode<'b, ()> + Encode<()> + PartialEq + Debug,
{
    if let Ok(message) = minicbor::decode::<M>(bytes) {
        same_again(&message);
    }
}

fn same_again<M>(message: &M)
where
    M: for<'b> Decode<'b, ()> + Encode<()> + PartialEq + Debug,
{
    let bytes = minicbor::to_vec(message).unwrap_or_else(|error| panic!("{message:?} is not sent: {error}"));
    match minicbor::decode::<M>(&bytes) {
        Ok(again) => assert_eq!(&again, message),
        Err(error) => panic!("{message:?} is not understood when it is sent: {error}"),
    }
}
