//! The control API over HTTP on a Unix socket, in a thread of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::serve::IncomingStream;
use ganger_api::{
    API_VERSION, ApiError, Data, ErrorCode, HttpParts, Place, REQUEST_ID_HEADER, Request, VERSION_HEADER,
    VersionInfo, check_version, limits, parse, request_id,
};
use ganger_logs::Store;
use hyper::upgrade::OnUpgrade;
use tokio::net::UnixListener;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::Error;
use crate::attach::{self, Doors, Knock, Sizes, VIEWERS_MAX};
use crate::engine::Asked;
use crate::journal::Journal;
use crate::overmind::{self, Counter};
use crate::stats::{self, Sampler};
use crate::streams;
use crate::supervisor::Servers;
use crate::unix_socket;

/// So many threads read logs for clients at once; more clients wait for their turn.
const LOG_READERS_MAX: usize = 4;
/// Only the owner of the app may connect.
const MODE: u32 = 0o600;

/// What every request needs.
pub(crate) struct Server {
    pub(crate) engine: mpsc::Sender<Asked>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) store: Store,
    pub(crate) sizes: Arc<Sizes>,
    /// Each viewer has a permit.
    pub(crate) viewers: Arc<Semaphore>,
    /// None for a daemon of several apps.
    doors: Option<mpsc::Sender<Knock>>,
    sampler: Sampler,
    uid: u32,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
struct Peer {
    uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self { uid: stream.io().peer_cred().ok().map(|cred| cred.uid()) }
    }
}

/// Answers that are under way when the app has ended are given within this time.
pub(crate) const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// Listens on the app's socket and serves from now on, until the engine or the process has ended. What is given back comes
/// when nobody is owed an answer any more.
pub(crate) fn start(
    place: &Place,
    (engine, doors): (mpsc::Sender<Asked>, Option<Doors>),
    journal: Arc<Journal>,
    store: Store,
    supervisor: Option<Servers>,
    counter: Option<Counter>,
) -> Result<oneshot::Receiver<()>, Error> {
    let path = place.socket();
    let failed = |source| Error::File { action: "listen on", path: path.clone(), source };
    let listener = listen(&path).map_err(failed)?;
    let uid = rustix::process::geteuid().as_raw();
    let (closing, closed, app_id) = (engine.clone(), engine.clone(), place.id.clone());
    let (doors, sizes) = doors.unzip();
    let (sizes, sampler) = (sizes.unwrap_or_else(Sizes::new), Sampler::new(&place.id));
    let viewers = Arc::new(Semaphore::new(VIEWERS_MAX as usize));
    let leaving = viewers.clone();
    let server = Arc::new(Server { engine, journal, store, sizes, viewers, doors, sampler, uid });
    let failed = |source| Error::System { action: "start the API's thread", source };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.max_blocking_threads(LOG_READERS_MAX).enable_io().enable_time();
    let runtime = runtime.build().map_err(failed)?;
    let (answered, receiver) = oneshot::channel();
    let serve = move || {
        let _until_the_end: oneshot::Sender<()> = answered;
        runtime.block_on(async {
            let Ok(listener) = UnixListener::from_std(listener) else { return };
            if let Some(servers) = supervisor {
                servers.serve();
            }
            let mut attended = overmind::serve(counter, &server, app_id);
            let app = Router::new().fallback(handle).with_state(server);
            let serving = axum::serve(listener, app.into_make_service_with_connect_info::<Peer>());
            let serving = serving.with_graceful_shutdown(async move { closing.closed().await });
            let mut serving = std::pin::pin!(async {
                // Errors of a connection are that client's.
                let _ = serving.await;
                drop(leaving.acquire_many(VIEWERS_MAX).await);
            });
            tokio::select! {
                () = &mut serving => {}
                () = closed.closed() => {
                    // Who follows the app's output to its end finds the connection closed.
                    let _ = tokio::time::timeout(ANSWERED_WITHIN, serving).await;
                }
            }
            // So do Overmind's clients: nothing comes here but the end, when nobody is attended any more.
            let _ = tokio::time::timeout(ANSWERED_WITHIN, attended.recv()).await;
        });
    };
    std::thread::Builder::new().name("api".to_owned()).spawn(serve).map_err(failed)?;
    Ok(receiver)
}

/// Whoever holds the app's lock owns the name, so a socket that is there is a dead overseer's. Its directory is private
/// already: nobody else could connect before it has its mode.
fn listen(path: &Path) -> std::io::Result<std::os::unix::net::UnixListener> {
    unix_socket::listen(path, &path.with_extension("new"), MODE, || Ok(()))
}

async fn handle(
    State(server): State<Arc<Server>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: axum::extract::Request,
) -> Response<Body> {
    let (axum::http::request::Parts { method, uri, headers, mut extensions, .. }, body) =
        request.into_parts();
    let upgrade = extensions.remove::<OnUpgrade>();
    let id = request_id(text(&headers, REQUEST_ID_HEADER), new_id);
    let result = async {
        server.admit(peer)?;
        check_version(text(&headers, VERSION_HEADER))?;
        let body = whole(body).await?;
        let request = parse(&HttpParts {
            method: method.as_str(),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            accept: text(&headers, header::ACCEPT.as_str()),
            last_event_id: text(&headers, "last-event-id"),
            body: &body,
        })?;
        match request {
            Request::Attach(query) => attach::attach(&server, query, &headers, upgrade).await,
            other => server.answer(other).await,
        }
    }
    .await;
    let mut response = result.unwrap_or_else(|error| refusal(error, &id));
    let headers = response.headers_mut();
    headers.insert(VERSION_HEADER, HeaderValue::from_static(API_VERSION));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID_HEADER, id);
    }
    response
}

impl Server {
    /// One that nobody can connect to.
    #[cfg(test)]
    pub(crate) fn apart(engine: mpsc::Sender<Asked>, journal: Journal, store: Store) -> Arc<Self> {
        let (sizes, viewers) = (Sizes::new(), Arc::new(Semaphore::new(1)));
        let (journal, sampler) = (Arc::new(journal), Sampler::new("app"));
        Arc::new(Self { engine, journal, store, sizes, viewers, doors: None, sampler, uid: 0 })
    }

    /// The owner of the app, or root.
    pub(crate) fn is_owner(&self, uid: u32) -> bool {
        uid == self.uid || uid == 0
    }

    /// Only the owner of the app and root may ask.
    fn admit(&self, peer: Peer) -> Result<(), ApiError> {
        match peer.uid {
            Some(uid) if self.is_owner(uid) => Ok(()),
            Some(_) | None => Err(ApiError::new(ErrorCode::Forbidden, "the app belongs to another user")),
        }
    }

    async fn answer(self: &Arc<Self>, request: Request) -> Result<Response<Body>, ApiError> {
        let data = match request {
            Request::Logs(query) => return streams::logs(self, query).await,
            Request::Events(query) => return Ok(streams::events(self, &query)),
            Request::OpenApi => Data::OpenApi(ganger_api::openapi()),
            Request::Version => Data::Version(VersionInfo {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                api: API_VERSION.to_owned(),
            }),
            other => self.looked_at(self.ask(other).await?).await,
        };
        Ok(json(StatusCode::OK, &data))
    }

    /// Asks the engine.
    pub(crate) async fn ask(&self, request: Request) -> Result<Data, ApiError> {
        let gone = || ApiError::new(ErrorCode::ShuttingDown, "the overseer is ending");
        let (sender, receiver) = oneshot::channel();
        self.engine.send((request, sender)).await.map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())?
    }

    /// Asks the engine something for a viewer.
    pub(crate) async fn knock(&self, knock: Knock) -> Result<(), ApiError> {
        let Some(doors) = &self.doors else {
            return Err(ApiError::new(ErrorCode::BadRequest, "this is the daemon, and not an app"));
        };
        let gone = |_| ApiError::new(ErrorCode::ShuttingDown, "the overseer is ending");
        doors.send(knock).await.map_err(gone)
    }

    /// Adds what the processes use to an answer of the engine.
    async fn looked_at(&self, mut data: Data) -> Data {
        match &mut data {
            Data::Workers(info) => {
                self.sampler.measure(&mut info.workers).await;
                info.groups = stats::by_group(&info.workers);
            }
            Data::Why(info) => self.sampler.measure(std::slice::from_mut(&mut info.worker)).await,
            Data::App(_)
            | Data::Outcome(_)
            | Data::Plan(_)
            | Data::Env(_)
            | Data::Ports(_)
            | Data::Forwards(_)
            | Data::Window(_)
            | Data::LogLine(_)
            | Data::Event(_)
            | Data::Quit(_)
            | Data::Upgrade(_)
            | Data::Apps(_)
            | Data::OpenApi(_)
            | Data::Version(_) => {}
        }
        data
    }
}

async fn whole(body: Body) -> Result<Bytes, ApiError> {
    axum::body::to_bytes(body, limits::MAX_BODY_BYTES).await.map_err(|_| {
        ApiError::new(
            ErrorCode::TooLarge,
            format!("the body is longer than {} bytes", limits::MAX_BODY_BYTES),
        )
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn json(status: StatusCode, body: &impl serde::Serialize) -> Response<Body> {
    // The API's types have text keys and finite numbers: they always have a JSON form.
    let body = serde_json::to_vec(body).unwrap_or_default();
    respond(status, "application/json", Body::from(body))
}

/// A response with a body of this type.
pub(crate) fn respond(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn refusal(error: ApiError, id: &str) -> Response<Body> {
    let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json(status, &error.body(id))
}

fn new_id() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
