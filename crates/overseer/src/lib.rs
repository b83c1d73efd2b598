//! The overseer: runs the decider against the keeper and the logs, and serves the control API.
//!
//! One thread decides (`engine`), one moves the workers' output (in `ganger-logs`), one serves the API (`server`), one
//! sends lines to each place that they are forwarded to (`forward`), and one waits for changes of files, where a group is
//! watched for them (`watch`).
//! Only the first touches the decider and the keeper, so that neither a slow client nor a loud worker delays a
//! restart. Any of it may die at any instant: the keeper holds the runs and their output, the ledger holds the
//! decisions, and the next overseer goes on from both.

mod abort;
mod aside;
mod attach;
mod clock;
mod commands;
mod config;
mod engine;
mod error;
mod forward;
mod hands;
mod herald;
mod journal;
mod launch;
mod lease;
mod ledger;
mod lines;
mod listeners;
mod mainlog;
#[cfg(test)]
mod matrix;
mod narrator;
mod office;
mod output;
mod overmind;
mod prober;
mod readiness;
mod roster;
mod server;
mod sockets;
mod stats;
mod stdin;
mod streams;
mod supervisor;
mod survivors;
mod terminals;
mod unattended;
mod unix_socket;
mod upgrade;
mod views;
mod watch;
mod wishes;

pub use config::{Config, Heir, Life, Line, Load, MakeViewer, Messenger, Reading, Start, Viewer};
pub use error::Error;
pub use launch::{environment, launch_of, variables};
pub use lines::{api_line, incomplete, is_of, no_stderr, stored_lines, stream_of};
pub use office::{Entry, MakeConfig, Office, can_go_on_with_all, edit, run_all, survivors_of_all};
pub use survivors::{Survivors, left_alive, survivors, survivors_and_stragglers};
pub use upgrade::{Successor, can_go_on};

/// Oversees the app until nothing is left to oversee; the exit status of the whole.
///
/// To be called in a process that a keeper started: see [`ganger_keeper::keep`].
pub fn run(config: Config) -> Result<u8, Error> {
    abort::on_panic();
    engine::run(config)
}
