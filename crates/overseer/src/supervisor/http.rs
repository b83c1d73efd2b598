//! What supervisord's HTTP servers answer, on the servers that a supervisord.conf asks for.
//!
//! `POST /RPC2` takes calls, `/logtail/NAME[/stdout|/stderr]` follows a log. The pages of supervisord's web interface say
//! where to look instead; none of them changes anything.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use ganger_api::limits::MAX_XMLRPC_CALL_BYTES;
use ganger_api::supervisor::{
    API_VERSION, Call, Channel, Fault, METHODS, ProcessInfo, RpcError, method, multicall_result,
};
use ganger_api::xmlrpc::{self, Value};
use ganger_logs::Store;
use tokio::sync::{mpsc, oneshot};

use super::login::Login;
use super::{Answer, files, logtail};
use crate::server::respond;

/// A body must have come within this.
const BODY_WITHIN: Duration = Duration::from_secs(30);
const TEXT: &str = "text/plain;charset=utf-8";
/// Calls of a `system.multicall` are one after the other, as deep as they go.
const NO_DEEPER: &str = "a system.multicall cannot be called by another";

/// A call of a client, with the place for its answer.
pub(crate) type Called = (Call, Answer);

/// One of the servers.
pub(crate) struct Desk {
    pub(super) calls: mpsc::Sender<Called>,
    /// Who may use it; none means everybody who reaches it.
    pub(super) login: Option<Login>,
    pub(super) store: Store,
}

pub(super) async fn handle(
    State(desk): State<Arc<Desk>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    if desk.login.as_ref().is_some_and(|login| !login.admits(&headers)) {
        return unauthorised();
    }
    let path = percent_decoded(uri.path());
    let mut response = if path.starts_with("/RPC2") {
        desk.rpc(&method, &headers, body).await
    } else if method != Method::GET && method != Method::POST {
        plain(StatusCode::NOT_FOUND, "not found\n")
    } else if let Some(name) = path.strip_prefix("/logtail/") {
        desk.logtail(name).await
    } else {
        page(&path, uri.query().unwrap_or_default())
    };
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("Medusa/1.12"));
    response
}

fn unauthorised() -> Response<Body> {
    let mut response = plain(StatusCode::UNAUTHORIZED, "not authorized\n");
    let headers = response.headers_mut();
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"default\""));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    respond(status, TEXT, Body::from(text))
}

/// The addresses of supervisord's web interface.
fn page(path: &str, query: &str) -> Response<Body> {
    match path {
        "/ok.html" => plain(StatusCode::OK, "OK"),
        "/" | "/index.html" if query.split('&').any(|part| part.starts_with("action=")) => plain(
            StatusCode::METHOD_NOT_ALLOWED,
            "nothing is changed by looking at a page: use supervisorctl\n",
        ),
        "/" | "/index.html" | "/tail.html" => {
            plain(StatusCode::OK, "this is ganger: `supervisorctl status` and `ganger ps` show what runs\n")
        }
        _ => plain(StatusCode::NOT_FOUND, "not found\n"),
    }
}

impl Desk {
    async fn rpc(&self, method: &Method, headers: &HeaderMap, body: Body) -> Response<Body> {
        if method != Method::POST {
            return plain(StatusCode::BAD_REQUEST, "calls come by POST\n");
        }
        if !headers.contains_key(header::CONTENT_LENGTH) {
            return plain(StatusCode::LENGTH_REQUIRED, "a call says how long it is\n");
        }
        let whole =
            tokio::time::timeout(BODY_WITHIN, axum::body::to_bytes(body, MAX_XMLRPC_CALL_BYTES)).await;
        let Ok(Ok(body)) = whole else {
            return plain(StatusCode::BAD_REQUEST, "the call is too long, or did not come\n");
        };
        let call = match xmlrpc::read_call(&body) {
            Ok(call) => call,
            Err(error) => {
                return respond(StatusCode::BAD_REQUEST, TEXT, Body::from(format!("{error}\n")));
            }
        };
        let told = match Call::try_from(&call) {
            Ok(call) => self.run(call).await,
            Err(error) => Err(error),
        };
        let answer = xmlrpc::write_response(&told.map_err(Into::into));
        respond(StatusCode::OK, "text/xml", Body::from(answer))
    }

    async fn run(&self, call: Call) -> Result<Value, RpcError> {
        let Call::Multicall { calls } = call else { return self.run_one(call).await };
        let mut results = Vec::new();
        for call in calls {
            results.push(match call {
                Ok(Call::Multicall { .. }) => Err(Fault::IncorrectParameters.with(NO_DEEPER)),
                Ok(call) => self.run_one(call).await,
                Err(error) => Err(error),
            });
        }
        Ok(multicall_result(results))
    }

    async fn run_one(&self, call: Call) -> Result<Value, RpcError> {
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
                let path = path.filter(|path| path.exists()).ok_or_else(|| Fault::NoFile.with(&name))?;
                aside(move || files::read(&path, offset, length)).await?
            }
            Call::TailProcessLog { name, channel, offset, length } => {
                let path = self.log(&name, channel).await?.unwrap_or_default();
                aside(move || files::tail(&path, offset, length)).await
            }
            other => self.ask(other).await,
        }
    }

    /// Asks the engine.
    async fn ask(&self, call: Call) -> Result<Value, RpcError> {
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
        let nothing = plain(StatusCode::NOT_FOUND, "no such log\n");
        match self.log(name, channel).await {
            Ok(Some(path)) => logtail::follow(&self.store, path).unwrap_or(nothing),
            Ok(None) | Err(_) => nothing,
        }
    }
}

/// Reads files beside the threads that answer.
async fn aside<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Result<T, RpcError> {
    tokio::task::spawn_blocking(read).await.map_err(|error| Fault::Failed.with(error.to_string()))
}

/// A path as it was meant; what is no escape stays as it is.
fn percent_decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let escaped = path.get(at + 1..at + 3).filter(|_| *byte == b'%');
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(meant) => {
                decoded.push(meant);
                at += 3;
            }
            None => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Pieces of a body that go on.
pub(super) fn going_on(pieces: mpsc::Receiver<Bytes>) -> Response<Body> {
    let mut response = crate::streams::pieces(TEXT, pieces);
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_and_what_is_no_escape_stays() {
        for (path, meant) in
            [("/logtail/a%3Ab", "/logtail/a:b"), ("/%", "/%"), ("/%zz", "/%zz"), ("/%2", "/%2")]
        {
            assert_eq!(percent_decoded(path), meant);
        }
    }

    #[test]
    fn no_page_changes_anything() {
        assert_eq!(page("/index.html", "action=stopall").status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(page("/index.html", "").status(), StatusCode::OK);
        assert_eq!(page("/../etc/passwd", "").status(), StatusCode::NOT_FOUND);
    }
}
