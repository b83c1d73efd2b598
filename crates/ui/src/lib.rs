//! The screen of `ganger ui`: what it knows, what keys and news do to it, and how it looks.
//!
//! [`Screen`] is a state machine: [`Screen::update`] takes one [`Message`] and gives [`Effect`]s, which somebody else
//! carries out; [`Screen::picture`] shows the state. There is no terminal, no connection, no clock and no
//! thread in this crate.
//!
//! What it keeps of a log is bounded: a window of at most [`LINES_MAX`] lines and [`BYTES_MAX`] bytes, which moves over
//! what is stored. Of a terminal it keeps what that shows, and the last lines that scrolled off.

mod ansi;
mod ask;
mod draw;
mod entry;
mod figures;
mod input;
mod keys;
mod live;
mod log;
mod message;
mod mode;
mod paint;
mod pane;
mod press;
mod roster;
mod screen;
mod search;
mod window;

#[cfg(test)]
mod tests;

pub use input::{Decoder, Press};
pub use keys::document;
pub use message::{Effect, Message, Page, Place, Setup};
pub use paint::paint;
pub use ratatui_core::buffer::Buffer;
pub(crate) use ratatui_core::layout::Rect;
pub use screen::Screen;
pub use window::{BYTES_MAX, LINES_MAX};
