//! The screen as people see it, without a terminal.

mod fixture;
mod pictures;
mod story;
mod terminal;

pub(crate) use fixture::line;
