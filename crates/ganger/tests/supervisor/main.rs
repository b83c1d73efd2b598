//! supervisord's own programs and ganger's in their place, side by side.
//!
//! A [`Side`] is a server and a client, each the stock one or ours; a script is played on two sides, each with a server of
//! its own on the same configuration, and everything that was printed must be the same, exit codes too. What cannot be
//! the same at two times (PIDs, times, directories) is made alike first, in [`alike`]; what differs for a reason stands in
//! `docs/supervisor-differences.md`.

#![expect(clippy::expect_used, reason = "a test may fail by panic, its helpers too")]

mod alike;
mod ansible;
mod clients;
mod commands;
mod script;
mod server;
mod sessions;

use script::Side;
use server::{Client, Daemon};

/// supervisord with its own client: what is right by definition.
const STOCK: Side = Side { daemon: Daemon::Stock, client: Client::Stock };
/// supervisord with our client.
const OUR_CLIENT: Side = Side { daemon: Daemon::Stock, client: Client::Ours };
/// Our supervisord with the stock client.
const OUR_DAEMON: Side = Side { daemon: Daemon::Ours, client: Client::Stock };
