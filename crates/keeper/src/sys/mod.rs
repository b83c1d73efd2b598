//! The kernel, behind small safe functions. Linux; another system is another such module.
#![expect(
    unsafe_code,
    reason = "clone, wait4, signal masks, the user database and mapped memory have no safe binding"
)]

mod child;
mod clone;
pub(crate) mod descriptors;
pub(crate) mod memory;
pub(crate) mod pidfd;
pub(crate) mod probes;
pub(crate) mod program;
pub(crate) mod signals;
pub(crate) mod sockets;
pub(crate) mod spawn;
pub(crate) mod users;
pub(crate) mod wait;

pub(crate) use child::Failure;
