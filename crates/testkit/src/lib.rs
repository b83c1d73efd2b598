//! What tests of the whole program share.
//!
//! A [`Sandbox`] is a directory with an app in it and an environment of its own; a [`Running`] is a program that
//! was started there, with all that it printed; a [`Terminal`] is the pseudo terminal that one may run on; a
//! [`transcript`] is a whole session in a Markdown file. Every wait blocks on an event and has a [`Deadline`];
//! nothing here sleeps or polls. A process that a test starts carries the sandbox's mark in its environment, so
//! that [`Sandbox::assert_nothing_left`] sees it in whatever session, group or parent it hides.
//!
//! A wait that is not fulfilled panics with everything that was printed and with the event log of the sandbox.

#![expect(clippy::expect_used, reason = "a test kit fails a test by panicking")]

mod binaries;
mod census;
mod collector;
mod deadline;
mod events;
mod launch;
mod picture;
mod ports;
mod programs;
mod running;
mod sandbox;
mod screen;
mod terminal;
mod tools;
pub mod transcript;

pub use binaries::dummy_beside;
pub use census::{Process, children_of, command_line, is_alive, kill_nine, parent_of, signal, wait_gone};
pub use deadline::Deadline;
pub use events::{Watched, wait_for_file, wait_readable};
pub use launch::Launch;
pub use picture::Picture;
pub use ports::{connect, free_port, free_port_run};
pub use programs::{copy_program, write_program};
pub use running::{Exit, Finished, Running};
pub use sandbox::Sandbox;
pub use screen::screen_of;
pub use terminal::Terminal;
pub use tools::{file_of_python_package, python_environment};
/// What a terminal shows, what stands there, and in which colours: see [`Running::wait_screen`].
pub use vt100::{Cell, Color, Screen};
