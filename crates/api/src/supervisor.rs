//! supervisord's RPC interface, typed: its methods, its faults, its structs.
//!
//! A server reads a call with [`read_call`](crate::xmlrpc::read_call), makes a [`Call`] of it and matches on that; what
//! it answers are a [`Value`](crate::xmlrpc::Value) or an [`RpcError`]. A client uses [`ProcessInfo`] and its like the
//! other way around.

mod arguments;
mod call;
mod client;
mod config_info;
mod fault;
mod fields;
pub mod listener;
mod methods;
mod name;
mod process_info;
mod state;

pub use call::{Call, Channel, multicall_result};
pub use client::{Address, BadAddress, Client, ClientError, Credentials, Follow};
pub use config_info::{ConfigInfo, LogConfig, Setting};
pub use fault::{Fault, RpcError};
pub use fields::BadAnswer;
pub use methods::{METHODS, Method, method};
pub use name::NameSpec;
pub use process_info::{ProcessInfo, ProcessStatus};
pub use state::{ProcessState, SupervisorState};

/// The version of the RPC interface. `supervisorctl` talks to no other.
pub const API_VERSION: &str = "3.0";

#[cfg(test)]
mod tests;
