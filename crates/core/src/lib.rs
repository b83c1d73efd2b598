//! Decides what runs: a state machine with no I/O, no clock and no randomness but a seed passed in.
//!
//! Its whole face is [`Core::handle`], [`Core::poll_action`] and [`Core::next_deadline`]: one mutation, then
//! all actions are drained before the next.

mod io;

pub use io::*;
