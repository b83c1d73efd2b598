//! The kernel, behind small safe functions. Linux; another system is another such module.
#![expect(unsafe_code, reason = "libc: clone, wait4, signal masks and the user database have no safe binding")]

pub(crate) mod descriptors;
pub(crate) mod signals;
