//! The overseer as supervisord's clients see it: the same workers under supervisord's names, asked by its XML-RPC.
//!
//! A family of groups is a group of supervisord, and each worker in it a process. What is asked goes to the engine like any
//! request and is answered after the effect; this module translates, and decides nothing.
//!
//! What differs from supervisord is in `docs/supervisor-differences.md`.

mod auto;
mod calls;
mod families;
mod files;
mod http;
mod login;
mod logtail;
mod pages;
mod places;
mod processes;
mod servers;
mod views;

use ganger_api::supervisor::RpcError;
use ganger_api::xmlrpc::Value;
use tokio::sync::oneshot;

pub(crate) use auto::clear_auto_logs;
pub(crate) use calls::{Owed, answer};
pub(crate) use families::Reread;
pub(crate) use http::Called;
pub(crate) use servers::{Servers, forget};
pub(crate) use views::unspawned;

/// Where the answer to a call goes.
pub(crate) type Answer = oneshot::Sender<Result<Value, RpcError>>;

/// The version whose behaviour clients may expect.
pub(crate) const VERSION: &str = "4.3.0";
