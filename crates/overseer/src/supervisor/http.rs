//! What supervisord's HTTP servers answer, on the servers that a supervisord.conf asks for.
//!
//! `POST /RPC2` takes calls, `/logtail/NAME[/stdout|/stderr]` and `/mainlogtail` follow a log. The pages of supervisord's
//! web interface are in `pages.rs`.

use std::path::PathBuf;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use ganger_api::limits::MAX_XMLRPC_CALL_BYTES;
use ganger_api::percent_decoded;
use ganger_api::supervisor::{
    API_VERSION, Call, Channel, Fault, METHODS, ProcessInfo, RpcError, method, multicall_result,
};
use ganger_api::xmlrpc::{self, Value};
use ganger_logs::Store;
use http_body::Body as _;
use tokio::sync::{mpsc, oneshot, watch};

use super::login::{Access, Role};
use super::pages::Asked;
use super::places::{Held, Place};
use super::{Answer, files, logtail};
use crate::server::respond;
use crate::streams::Piece;

/// A body must have come within this.
const BODY_WITHIN: Duration = Duration::from_secs(30);
const TEXT: &str = "text/plain;charset=utf-8";
/// Once the results of a `system.multicall` have so many bytes, what follows is refused.
const MULTICALL_MAX_BYTES: usize = 8 << 20;
const TOO_MUCH: &str = "the answers before are too long";
/// Calls of a `system.multicall` are one after the other, as deep as they go.
const NO_DEEPER: &str = "a system.multicall cannot be called by another";
const ONLY_LOOKS: &str = "this user may only look; log in as the user of `username`";

/// A call of a client, with the place for its answer.
pub(crate) type Called = (Call, Answer);

/// One of the servers.
pub(crate) struct Desk {
    pub(super) calls: mpsc::Sender<Called>,
    pub(super) access: Access,
    pub(super) store: Store,
    /// The file of the main log, and the news of it.
    pub(super) main_log: Option<PathBuf>,
    pub(super) main_news: watch::Receiver<()>,
    /// Whether it serves supervisord's own methods.
    pub(super) has_methods: bool,
    /// Whether a link on a page acts, as in supervisord.
    pub(super) links_act: bool,
}

pub(super) async fn handle(desk: &Desk, place: &Place, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut response = match desk.access.role(&head.headers) {
        Some(role) => {
            place.admitted();
            held(place, desk.answer(place, &head, body, role).await).await
        }
        None => unauthorised(),
    };
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("Medusa/1.12"));
    response
}

/// An answer that is whole is held for its client until it was sent.
async fn held(place: &Place, response: Response<Body>) -> Response<Body> {
    let length = response.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
    let Some(length) = length else { return response };
    let (head, body) = response.into_parts();
    match (place.hold(length), axum::body::to_bytes(body, length).await) {
        (Some(held), Ok(bytes)) => {
            let answer = Bytes::from_owner(Answered { bytes, _held: held });
            Response::from_parts(head, Body::from(answer))
        }
        (None, _) | (_, Err(_)) => {
            plain(StatusCode::SERVICE_UNAVAILABLE, "others have long answers under way\n")
        }
    }
}

/// An answer, held for its client until it was sent.
struct Answered {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Answered {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn unauthorised() -> Response<Body> {
    let mut response = plain(StatusCode::UNAUTHORIZED, "not authorized\n");
    let headers = response.headers_mut();
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"default\""));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    self::text(status, text.to_owned())
}

/// Plain text, whatever stands in it.
pub(super) fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = respond(status, TEXT, Body::from(text));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

impl Desk {
    /// Answers who was admitted in this role.
    async fn answer(&self, place: &Place, head: &Parts, body: Body, role: Role) -> Response<Body> {
        let Some(path) = percent_decoded(head.uri.path(), false) else { return not_found() };
        if path.starts_with("/RPC2") {
            return self.rpc(place, head, body, role).await;
        }
        if head.method != Method::GET && head.method != Method::POST {
            return not_found();
        }
        let _work = place.work();
        if let Some(name) = path.strip_prefix("/logtail/") {
            self.logtail(name).await
        } else if path == "/mainlogtail" {
            self.main_log_tail()
        } else {
            let query = head.uri.query().unwrap_or_default();
            self.page(Asked { method: &head.method, path: &path, query, headers: &head.headers, role }).await
        }
    }

    async fn rpc(&self, place: &Place, head: &Parts, body: Body, role: Role) -> Response<Body> {
        if head.method != Method::POST {
            return plain(StatusCode::BAD_REQUEST, "calls come by POST\n");
        }
        let length = head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let Some(length) = length.and_then(|length| length.parse().ok()) else {
            return plain(StatusCode::LENGTH_REQUIRED, "a call says how long it is\n");
        };
        if length > MAX_XMLRPC_CALL_BYTES {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "the call is too long\n");
        }
        let Some(_held) = place.hold(length) else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "others have long calls under way\n");
        };
        let whole = tokio::time::timeout(BODY_WITHIN, axum::body::to_bytes(body, length)).await;
        let Ok(Ok(body)) = whole else {
            return plain(StatusCode::BAD_REQUEST, "the call did not come\n");
        };
        let _work = place.work();
        let call = match xmlrpc::read_call(&body) {
            Ok(call) => call,
            Err(error) => {
                return text(StatusCode::BAD_REQUEST, format!("{error}\n"));
            }
        };
        let told = match Call::try_from(&call) {
            Ok(call) => self.run(call, role).await,
            Err(error) => Err(error),
        };
        let answer = xmlrpc::write_response(&told.map_err(Into::into));
        respond(StatusCode::OK, "text/xml", Body::from(answer))
    }

    /// Answers a call of somebody in this role.
    pub(super) async fn run(&self, call: Call, role: Role) -> Result<Value, RpcError> {
        let Call::Multicall { calls } = call else { return self.run_one(call, role).await };
        let (mut results, mut bytes) = (Vec::new(), 0);
        for call in calls {
            let result = match call {
                _ if bytes > MULTICALL_MAX_BYTES => Err(Fault::Failed.with(TOO_MUCH)),
                Ok(Call::Multicall { .. }) => Err(Fault::IncorrectParameters.with(NO_DEEPER)),
                Ok(call) => self.run_one(call, role).await,
                Err(error) => Err(error),
            };
            bytes += result.as_ref().map_or(0, Value::weight);
            results.push(result);
        }
        Ok(multicall_result(results))
    }

    async fn run_one(&self, call: Call, role: Role) -> Result<Value, RpcError> {
        if call.is_of_supervisor() && !self.has_methods {
            return Err(Fault::UnknownMethod.into());
        }
        if role == Role::Reader && call.changes() {
            return Err(Fault::NotPermitted.with(ONLY_LOOKS));
        }
        match call {
            Call::GetApiVersion => Ok(API_VERSION.into()),
            Call::ListMethods => {
                Ok(METHODS.iter().map(|method| Value::from(method.name)).collect::<Vec<_>>().into())
            }
            Call::MethodHelp { name } => method(&name)
                .map(|method| method.help.into())
                .ok_or_else(|| Fault::SignatureUnsupported.into()),
            Call::MethodSignature { name } => method(&name)
                .map(|method| Value::from(method.signature.to_vec()))
                .ok_or_else(|| Fault::SignatureUnsupported.into()),
            Call::ReadProcessLog { name, channel, offset, length } => {
                let path = self.log(&name, channel).await?;
                let path = path.ok_or_else(|| Fault::NoFile.with(&name))?;
                // A file of the store begins with what is written first; supervisord's is there before, and empty.
                match path.exists() {
                    true => aside(move || files::read(&path, offset, length)).await?,
                    false if path.starts_with(self.store.dir()) => Ok("".into()),
                    false => Err(Fault::NoFile.with(&name)),
                }
            }
            Call::TailProcessLog { name, channel, offset, length } => {
                let path = self.log(&name, channel).await?.unwrap_or_default();
                aside(move || files::tail(&path, offset, length)).await
            }
            other => self.ask(other).await,
        }
    }

    /// Asks the engine.
    pub(super) async fn ask(&self, call: Call) -> Result<Value, RpcError> {
        let (sender, receiver) = oneshot::channel();
        self.calls.send((call, sender)).await.map_err(|_| RpcError::from(Fault::ShutdownState))?;
        receiver.await.map_err(|_| RpcError::from(Fault::ShutdownState))?
    }

    /// The file of a log, if there is one.
    async fn log(&self, name: &str, channel: Channel) -> Result<Option<PathBuf>, RpcError> {
        let info = self.ask(Call::GetProcessInfo { name: name.to_owned() }).await?;
        let info = ProcessInfo::try_from(&info).map_err(|error| Fault::Failed.with(error.to_string()))?;
        let path = match channel {
            Channel::Stdout => info.stdout_logfile,
            Channel::Stderr => info.stderr_logfile,
        };
        Ok(Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty()))
    }

    async fn logtail(&self, name: &str) -> Response<Body> {
        let (name, channel) = match name.rsplit_once('/') {
            Some((name, "stdout")) => (name, Channel::Stdout),
            Some((name, "stderr")) => (name, Channel::Stderr),
            Some(_) | None => (name, Channel::Stdout),
        };
        let followed = match self.log(name, channel).await {
            Ok(Some(path)) => logtail::follow(&self.store, path),
            Ok(None) | Err(_) => None,
        };
        followed.unwrap_or_else(no_log)
    }

    fn main_log_tail(&self) -> Response<Body> {
        let path = self.main_log.clone();
        path.and_then(|path| logtail::follow_main(path, self.main_news.clone())).unwrap_or_else(no_log)
    }
}

fn not_found() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "not found\n")
}

fn no_log() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "no such log\n")
}

/// Reads files beside the threads that answer.
async fn aside<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Result<T, RpcError> {
    tokio::task::spawn_blocking(read).await.map_err(|error| Fault::Failed.with(error.to_string()))
}

/// Pieces of a body that go on.
pub(super) fn going_on(pieces: mpsc::Receiver<Piece>) -> Response<Body> {
    let mut response = crate::streams::pieces(TEXT, pieces);
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
