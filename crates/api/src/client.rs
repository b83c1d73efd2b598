//! The client of the API, over the app's Unix socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::limits::{EFFECT_TIMEOUT, MAX_REPLY_BYTES, READ_TIMEOUT};
use crate::routes::{Method, Operation};
use crate::stream::{Item, LineDecoder, SseDecoder};
use crate::{
    API_VERSION, ApiError, Data, ErrorBody, ErrorCode, Place, REQUEST_ID_HEADER, Request, VERSION_HEADER,
    encode,
};

/// A connection to a running app.
pub struct Client {
    sender: http1::SendRequest<Full<Bytes>>,
    socket: PathBuf,
    asked: u32,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server answered with an error.
    #[error("{0}")]
    Api(ApiError),
    /// Nobody listens: the app is not running, or just ended.
    #[error("the app is not running: nobody listens on {}", socket.display())]
    NotRunning {
        /// Where.
        socket: PathBuf,
    },
    /// The socket cannot be used.
    #[error("cannot connect to {}: {source}", socket.display())]
    Connect {
        /// Where.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The connection broke before the answer was complete.
    #[error("the connection to the app on {} broke: {reason}", socket.display())]
    Broken {
        /// Where.
        socket: PathBuf,
        /// Why.
        reason: String,
    },
    /// No answer came within the bound.
    #[error("the app did not answer within {} s", bound.as_secs())]
    Timeout {
        /// The bound.
        bound: Duration,
    },
    /// The answer is not one of this API.
    #[error("the answer cannot be understood: {0}")]
    BadAnswer(String),
}

impl ClientError {
    /// What went wrong, by the code that the API has for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Api(error) => error.code,
            Self::NotRunning { .. } => ErrorCode::NotRunning,
            Self::Timeout { .. } => ErrorCode::Timeout,
            Self::Connect { .. } | Self::Broken { .. } | Self::BadAnswer(_) => ErrorCode::Internal,
        }
    }

    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Api(error) => error.hint(),
            Self::NotRunning { .. } => Some("`ganger start` starts it".to_owned()),
            Self::Connect { .. } => Some("the socket must belong to you".to_owned()),
            Self::Broken { .. } => Some("`ganger ps` tells whether the app still runs".to_owned()),
            Self::Timeout { .. } => {
                Some("the command may still take effect; `ganger events` tells".to_owned())
            }
            Self::BadAnswer(_) => Some("the app may be run by another version of ganger".to_owned()),
        }
    }
}

impl Client {
    /// Connects to the app in this place. Must be called inside a tokio runtime.
    pub async fn connect(place: &Place) -> Result<Self, ClientError> {
        let socket = place.socket();
        let stream = match UnixStream::connect(&socket).await {
            Ok(stream) => stream,
            Err(error) => return Err(connect_error(socket, error)),
        };
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| broken(&socket, &error))?;
        // It ends with the connection; what it has to say, the requests on it say too.
        tokio::spawn(connection);
        Ok(Self { sender, socket, asked: 0 })
    }

    /// Asks and waits for the whole answer.
    pub async fn request(&mut self, request: &Request) -> Result<Data, ClientError> {
        let response = self.send(request).await?;
        let bytes = body(response, &self.socket).await?;
        Data::decode(request.operation(), &bytes).map_err(|error| ClientError::BadAnswer(error.to_string()))
    }

    /// Asks for a stream of items: logs or events.
    pub async fn stream(mut self, request: &Request) -> Result<Follow, ClientError> {
        let response = self.send(request).await?;
        let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let decoder = if content_type.is_some_and(|value| value.starts_with("text/event-stream")) {
            Decoder::Sse(SseDecoder::default())
        } else {
            Decoder::Lines(LineDecoder::default())
        };
        Ok(Follow {
            body: response.into_body(),
            decoder,
            operation: request.operation(),
            socket: self.socket,
            _sender: self.sender,
        })
    }

    /// Sends a request; the response to it is a good one, whose body is still to be read.
    async fn send(&mut self, request: &Request) -> Result<hyper::Response<Incoming>, ClientError> {
        let encoded = encode(request);
        self.asked += 1;
        let http = hyper::Request::builder()
            .method(encoded.method.as_str())
            .uri(encoded.target)
            .header(header::HOST, "localhost")
            .header(header::ACCEPT, encoded.accept)
            .header(header::CONTENT_TYPE, "application/json")
            .header(VERSION_HEADER, API_VERSION)
            .header(REQUEST_ID_HEADER, format!("cli-{}-{}", std::process::id(), self.asked))
            .body(Full::new(Bytes::from(encoded.body)))
            .map_err(|error| ClientError::BadAnswer(error.to_string()))?;
        let bound = match encoded.method {
            Method::Get => READ_TIMEOUT,
            Method::Post => EFFECT_TIMEOUT,
        };
        let answer = tokio::time::timeout(bound, self.sender.send_request(http)).await;
        let response = match answer {
            Ok(answer) => answer.map_err(|error| broken(&self.socket, &error))?,
            Err(_) => return Err(ClientError::Timeout { bound }),
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = body(response, &self.socket).await?;
        match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(error) => Err(ClientError::Api(error.into())),
            Err(_) => Err(ClientError::BadAnswer(format!("HTTP status {status} without an error body"))),
        }
    }
}

enum Decoder {
    Sse(SseDecoder),
    Lines(LineDecoder),
}

/// A stream of items.
pub struct Follow {
    body: Incoming,
    decoder: Decoder,
    operation: Operation,
    socket: PathBuf,
    /// The connection closes when its sender is dropped.
    _sender: http1::SendRequest<Full<Bytes>>,
}

impl Follow {
    /// Whether more has come already than was given: a printer need not show each item at once.
    pub fn has_more(&self) -> bool {
        match &self.decoder {
            Decoder::Sse(decoder) => decoder.has_line(),
            Decoder::Lines(decoder) => decoder.has_line(),
        }
    }

    /// The next item; none at the end.
    pub async fn next(&mut self) -> Result<Option<Item>, ClientError> {
        loop {
            if let Some(item) = self.decoded()? {
                return Ok(Some(item));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|error| broken(&self.socket, &error))?;
            if let Some(bytes) = frame.data_ref() {
                match &mut self.decoder {
                    Decoder::Sse(decoder) => decoder.push(bytes),
                    Decoder::Lines(decoder) => decoder.push(bytes),
                }
            }
        }
    }

    /// The next item of what has come so far.
    fn decoded(&mut self) -> Result<Option<Item>, ClientError> {
        let bad = |error: &dyn std::fmt::Display| ClientError::BadAnswer(error.to_string());
        let (id, json) = match &mut self.decoder {
            Decoder::Sse(decoder) => match decoder.next_event().map_err(|error| bad(&error))? {
                Some(event) => (event.id, event.data.into_bytes()),
                None => return Ok(None),
            },
            Decoder::Lines(decoder) => match decoder.next_line().map_err(|error| bad(&error))? {
                Some(line) => (None, line),
                None => return Ok(None),
            },
        };
        let data = match Data::decode(self.operation, &json) {
            Ok(data) => data,
            // An error may end a stream that began well.
            Err(error) => match serde_json::from_slice::<ErrorBody>(&json) {
                Ok(body) => return Err(ClientError::Api(body.into())),
                Err(_) => return Err(bad(&error)),
            },
        };
        Ok(Some(Item { id, data }))
    }
}

/// The whole body of a response, within its bounds of size and time.
async fn body(response: hyper::Response<Incoming>, socket: &Path) -> Result<Bytes, ClientError> {
    let collected = Limited::new(response.into_body(), MAX_REPLY_BYTES).collect();
    match tokio::time::timeout(READ_TIMEOUT, collected).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) => Err(ClientError::Broken { socket: socket.to_owned(), reason: error.to_string() }),
        Err(_) => Err(ClientError::Timeout { bound: READ_TIMEOUT }),
    }
}

fn connect_error(socket: PathBuf, source: io::Error) -> ClientError {
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning { socket },
        _ => ClientError::Connect { socket, source },
    }
}

fn broken(socket: &Path, error: &hyper::Error) -> ClientError {
    ClientError::Broken { socket: socket.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests;
