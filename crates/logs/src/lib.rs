//! Captures, rotates, indexes, replays and follows what workers write.
//!
//! Logs go one way: a worker's pipe, into which its terminal leads if it has one → [`Capture`] → files → followers of
//! the [`Store`]. Whoever wants to see output is a follower; nobody but capture reads a pipe or a terminal, so a slow viewer
//! never slows a worker (unless it asked to miss nothing: [`Reader::lossless`]).

mod capture;
mod error;
mod files;
mod hand;
mod home;
mod index;
mod limits;
mod log;
mod marks;
mod merged;
mod name;
mod pack;
mod pipe;
mod reader;
mod rotate;
mod store;
mod strip;
mod terminal;
mod watch;
mod writer;

#[cfg(test)]
mod crash_tests;

pub use capture::{Begun, Capture, Event};
pub use error::{Error, Result};
pub use hand::{HAND_BYTES, Lasting};
pub use home::Place;
pub use limits::Limits;
pub use marks::Marks;
pub use merged::{Filter, Line, Merged, Query};
pub use pipe::{Pipe, create_pipe};
pub use reader::{From, Read, Reader, Stamp};
pub use store::Store;
pub use terminal::{Size, Terminal, create_terminal, resize_terminal};
pub use watch::{News, Waker, Watch};
