//! The control API of a running app: its types, its routes, where its socket is, and its client.
//!
//! Requests, data and errors are three enums: [`Request`], [`Data`] and [`ErrorCode`]. HTTP is a thin parser
//! onto them ([`parse`]) and the client is the same parser backwards ([`encode`]). The table in [`ROUTES`] is
//! the one definition of what can be asked: server, client and the `OpenAPI` document follow it.

mod attach;
pub mod base64;
mod client;
mod cursor;
mod data;
mod error;
mod explain;
mod holder;
mod http;
pub mod limits;
mod log_line;
mod openapi;
pub mod overmind;
mod place;
mod query;
mod request;
mod routes;
mod running;
mod stream;
pub mod supervisor;
mod text;
mod time;
mod usage;
pub mod xmlrpc;

pub use attach::{
    ATTACH_PROTOCOL, AttachQuery, BadFrame, Begin, FromViewer, FromWorker, RunHere, TerminalSize, Told,
    ViewerFrames, Wish, WorkerFrames,
};
pub use client::{Attachment, Client, ClientError, Follow};
pub use cursor::{BadCursor, LogCursor};
pub use data::*;
pub use error::{ApiError, ErrorBody, ErrorCode, ErrorDetail};
pub use explain::port_reason;
pub use holder::Listening;
pub use http::{HttpParts, HttpRequest, check_version, encode, parse, request_id};
pub use log_line::{BadStream, LogLine, Stream};
pub use openapi::openapi;
pub use place::{AppFile, Environment, MAIN_DEPLOYMENT, Place, PlaceError};
pub use query::{decode as percent_decoded, encode as percent_encoded, pairs as query_pairs};
pub use request::{EventQuery, LogQuery, Request};
pub use routes::{Answer, Method, Operation, Parameter, ParameterKind, ROUTES, Route, SchemaOf};
pub use running::{read_app_file, running};
pub use stream::{Item, ItemTooLong, LineDecoder, SseDecoder, json_line, sse_error, sse_event, sse_log_line};
pub use text::Text;
pub use time::Time;
pub use usage::{EndedRunInfo, EndedUsageInfo, GroupUsageInfo, UsageInfo};

/// The version of the API: the `1` in `/v1/…` and in the header `ganger-api-version`.
pub const API_VERSION: &str = "1";

/// The header by which client and server tell the API's version.
pub const VERSION_HEADER: &str = "ganger-api-version";

/// The header that names one request in replies, errors and events.
pub const REQUEST_ID_HEADER: &str = "x-request-id";
