//! How things look to people: pure functions from data to text.

mod forwards;
mod human;
mod log_line;
mod outcome;
mod table;
mod top;
mod workers;

pub(crate) use forwards::forwards;
pub(crate) use human::count;
pub(crate) use log_line::LogPrinter;
pub(crate) use outcome::{Verb, any_failed, outcomes, plan, quit};
pub(crate) use table::Table;
pub(crate) use top::{View, top, top_frame, top_title};
pub(crate) use workers::{environment, event, explained, holder, ports, why, workers};
