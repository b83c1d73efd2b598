//! Connections that show a worker's terminal: `ganger attach`.
//!
//! 1. A viewer follows the worker's log like any other, from a position on, byte for byte. Nobody but capture reads a
//!    terminal, so that an overseer's death costs a viewer nothing: it asks the next one for what comes after its position.
//! 2. What a viewer is sent is bounded. One that is too slow is told to begin anew near the end; it holds up nobody.
//! 3. What is typed goes to the worker's terminal or pipe as it comes. What the worker does not read is held up to a bound,
//!    then left out, and the viewer is told.
//! 4. The terminal is as large as the smallest of those who may type. Who only looks changes nothing, and the window of the
//!    foreground decides only while nobody may type.
//! 5. A viewer outlives the run: it is told of its end after all that the run wrote, and of the next.

mod input;
mod modes;
mod sizes;
mod viewer;
mod window;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use ganger_api::{ATTACH_PROTOCOL, ApiError, AttachQuery, ErrorCode};
use ganger_spec::WorkerName;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::sync::{mpsc, oneshot};

use crate::server::Server;
pub(crate) use sizes::Sizes;
use viewer::Viewer;

/// So many viewers may be there at once.
pub(crate) const VIEWERS_MAX: u32 = 256;

/// Where viewers ask the engine, and where those that may type are counted.
pub(crate) type Doors = (mpsc::Sender<Knock>, Arc<Sizes>);

/// What a viewer asks of the engine.
#[derive(Debug)]
pub(crate) enum Knock {
    /// Which worker this is, and where what is typed goes.
    Door { name: String, answer: oneshot::Sender<Result<Door, ApiError>> },
    /// When all that the worker wrote until now is stored, where its log ends.
    Drained { worker: WorkerName, answer: oneshot::Sender<u64> },
}

/// A worker, as a viewer meets it.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) worker: WorkerName,
    /// Its run and the process of that, while it has one.
    pub(crate) run: Option<(u64, Option<u32>)>,
    pub(crate) why: String,
    pub(crate) way: Way,
}

/// Where what is typed goes.
#[derive(Debug)]
pub(crate) enum Way {
    /// The worker reads nothing.
    Nowhere,
    /// Its stdin is a pipe.
    Pipe(OwnedFd),
    /// It has a terminal: the side of that where screen and keyboard are.
    Terminal(OwnedFd),
}

/// Begins to show a worker's terminal on this connection.
pub(crate) async fn attach(
    server: &Arc<Server>,
    query: AttachQuery,
    headers: &HeaderMap,
    upgrade: Option<OnUpgrade>,
) -> Result<Response<Body>, ApiError> {
    let protocol = headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
    let Some(upgrade) = upgrade.filter(|_| protocol == Some(ATTACH_PROTOCOL)) else {
        let error = ApiError::new(ErrorCode::BadRequest, "a terminal is shown on a connection of its own");
        let hint = format!("ask with the headers `connection: upgrade` and `upgrade: {ATTACH_PROTOCOL}`");
        return Err(error.with_hint(hint));
    };
    let viewer = Viewer::open(server, query).await?;
    tokio::spawn(async move {
        // Who has gone away meanwhile is shown nothing.
        if let Ok(connection) = upgrade.await {
            viewer.show(TokioIo::new(connection)).await;
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static(ATTACH_PROTOCOL));
    Ok(response)
}
