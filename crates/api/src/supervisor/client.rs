//! The client of supervisord's RPC interface and of its streams of logs.

mod address;
mod error;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

pub use address::{Address, BadAddress};
pub use error::ClientError;

use super::{Channel, NameSpec};
use crate::base64;
use crate::limits::{MAX_XMLRPC_ANSWER_BYTES, SUPERVISOR_TIMEOUT};
use crate::query;
use crate::xmlrpc::{Value, read_response, write_call};

/// Where the RPC interface is.
const RPC_PATH: &str = "/RPC2";

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub username: String,
    /// Never shown.
    pub password: String,
}

impl Credentials {
    /// The header that tells them.
    fn header(&self) -> String {
        let Self { username, password } = self;
        format!("Basic {}", base64::encode(format!("{username}:{password}").as_bytes()))
    }
}

/// A client of one server; it connects when it must, and keeps its connection.
pub struct Client {
    address: Address,
    credentials: Option<Credentials>,
    sender: Option<http1::SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client that is not connected yet.
    pub fn new(address: Address, credentials: Option<Credentials>) -> Self {
        Self { address, credentials, sender: None }
    }

    /// Calls a method by its full name. Must be called inside a tokio runtime.
    pub async fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, ClientError> {
        let body = write_call(method, params);
        let request = self
            .request(RPC_PATH)
            .method("POST")
            .header(header::CONTENT_TYPE, "text/xml")
            .header(header::ACCEPT, "text/xml")
            .body(Full::new(Bytes::from(body)));
        let response = self.send(request?).await?;
        let body = Limited::new(response.into_body(), MAX_XMLRPC_ANSWER_BYTES).collect();
        let body = bounded(body).await?.map_err(|error| ClientError::Broken(error.to_string()))?;
        let answer = read_response(&body.to_bytes());
        answer.map_err(ClientError::BadXmlRpc)?.map_err(ClientError::Fault)
    }

    /// Asks for what is written to a log of a process from now on, and a little before.
    pub async fn follow_log(&mut self, name: &NameSpec, channel: Channel) -> Result<Follow, ClientError> {
        let name = query::encode(&name.to_string());
        let channel = match channel {
            Channel::Stdout => "stdout",
            Channel::Stderr => "stderr",
        };
        self.follow(&format!("/logtail/{name}/{channel}")).await
    }

    /// The same for the daemon's own log.
    pub async fn follow_main_log(&mut self) -> Result<Follow, ClientError> {
        self.follow("/mainlogtail").await
    }

    async fn follow(&mut self, path: &str) -> Result<Follow, ClientError> {
        let request = self.request(path).header(header::ACCEPT, "*/*").body(Full::default())?;
        let response = self.send(request).await?;
        // The stream takes the connection for itself.
        Ok(Follow { body: response.into_body(), _sender: self.sender.take() })
    }

    fn request(&self, path: &str) -> hyper::http::request::Builder {
        let request = Request::builder()
            .uri(path)
            .header(header::HOST, self.address.host())
            .header(header::USER_AGENT, concat!("ganger/", env!("CARGO_PKG_VERSION")));
        match &self.credentials {
            Some(credentials) => request.header(header::AUTHORIZATION, credentials.header()),
            None => request,
        }
    }

    /// The connection; one that the server has closed since is replaced before anything is sent.
    async fn ready(&mut self) -> Result<http1::SendRequest<Full<Bytes>>, ClientError> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        connect(&self.address).await
    }

    /// Sends a request; the response is a good one, whose body is still to be read.
    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ClientError> {
        let mut sender = self.ready().await?;
        let answer = bounded(sender.send_request(request)).await?;
        let response = answer.map_err(|error| ClientError::of(&error))?;
        if response.status() != StatusCode::OK {
            return Err(ClientError::Status(response.status().as_u16()));
        }
        self.sender = Some(sender);
        Ok(response)
    }
}

/// A log as it is written.
pub struct Follow {
    body: Incoming,
    /// The connection lives as long as this.
    _sender: Option<http1::SendRequest<Full<Bytes>>>,
}

impl Follow {
    /// The next piece; none when the server has closed the stream.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame.map_err(|error| ClientError::of(&error))?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

async fn bounded<T>(work: impl Future<Output = T>) -> Result<T, ClientError> {
    tokio::time::timeout(SUPERVISOR_TIMEOUT, work).await.map_err(|_| ClientError::Timeout)
}

async fn connect(address: &Address) -> Result<http1::SendRequest<Full<Bytes>>, ClientError> {
    match address {
        Address::Unix(path) => {
            handshake(UnixStream::connect(path).await.map_err(ClientError::Connect)?).await
        }
        Address::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(ClientError::Connect)?;
            handshake(stream).await
        }
    }
}

async fn handshake<S>(stream: S) -> Result<http1::SendRequest<Full<Bytes>>, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| ClientError::of(&error))?;
    // It ends with the connection; what it has to say, the requests on it say too.
    tokio::spawn(connection);
    Ok(sender)
}

#[cfg(test)]
mod tests;
