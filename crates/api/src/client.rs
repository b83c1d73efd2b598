//! The client of the API, over the app's Unix socket.

mod attach;
mod connect;
mod error;
mod follow;

use http_body_util::{BodyExt, Full, Limited};
use hyper::StatusCode;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;

pub use attach::Attachment;
pub use error::ClientError;
pub use follow::Follow;

use crate::limits::{EFFECT_TIMEOUT, MAX_OVERSEERS_ASKED, MAX_REPLY_BYTES, READ_TIMEOUT};
use crate::routes::{Method, Route};
use crate::{
    API_VERSION, ATTACH_PROTOCOL, Data, ErrorBody, Place, REQUEST_ID_HEADER, Request, VERSION_HEADER, encode,
};

/// Where a stream goes on.
const LAST_EVENT_ID: &str = "last-event-id";

/// A connection to a running app.
pub struct Client {
    sender: http1::SendRequest<Full<Bytes>>,
    /// The process that listens at the other end.
    overseer: Option<connect::Overseer>,
    place: Place,
    asked: u32,
}

impl Client {
    /// Connects to the app in this place. Right after the death of its overseer it waits for the next one. Must be
    /// called inside a tokio runtime.
    pub async fn connect(place: &Place) -> Result<Self, ClientError> {
        let (sender, overseer) = sender(place).await?;
        Ok(Self { sender, overseer, place: place.clone(), asked: 0 })
    }

    /// Asks and waits for the whole answer. If the overseer dies over it, what changes nothing is asked again of the
    /// next one; a command is repeated only if it is sure that nobody has read it.
    pub async fn request(&mut self, request: &Request) -> Result<Data, ClientError> {
        self.until_answered(request, Self::ask).await
    }

    /// Asks for a stream of items: logs or events.
    pub async fn stream(self, request: &Request) -> Result<Follow, ClientError> {
        Follow::start(self, request).await
    }

    async fn ask(&mut self, request: &Request) -> Result<Data, ClientError> {
        let response = self.send(request).await?;
        let bytes = body(response, &self.place).await?;
        Data::decode(request.operation(), &bytes).map_err(|error| ClientError::BadAnswer(error.to_string()))
    }

    /// Asks for a connection that goes on by itself.
    async fn upgrade(&mut self, request: &Request) -> Result<TokioIo<Upgraded>, ClientError> {
        let response = self.send(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(ClientError::BadAnswer("the connection does not change its protocol".to_owned()));
        }
        match hyper::upgrade::on(response).await {
            Ok(upgraded) => Ok(TokioIo::new(upgraded)),
            Err(error) => Err(broken(&self.place, &error)),
        }
    }

    /// Connects to the next overseer.
    async fn reconnect(&mut self) -> Result<(), ClientError> {
        if let Some(overseer) = self.overseer.take() {
            connect::gone(&self.place, overseer).await;
        }
        (self.sender, self.overseer) = sender(&self.place).await?;
        Ok(())
    }

    /// Connects to the next overseer if the request may be repeated there.
    async fn recover(&mut self, request: &Request, unsent: bool) -> Result<(), ClientError> {
        match self.reconnect().await {
            Err(ClientError::NotRunning { .. }) => Err(ClientError::Ended),
            Ok(()) if !unsent && !is_repeatable(request) => Err(ClientError::Unanswered),
            other => other,
        }
    }

    /// Goes from each overseer that dies over a request to the next one. They may die in a row, but a request that kills
    /// each of them must not do so for ever.
    async fn until_answered<T>(
        &mut self,
        request: &Request,
        ask: impl AsyncFn(&mut Self, &Request) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        for _ in 1..MAX_OVERSEERS_ASKED {
            match ask(self, request).await {
                Err(ClientError::Broken { unsent, .. }) => self.recover(request, unsent).await?,
                other => return other,
            }
        }
        ask(self, request).await
    }

    /// Sends a request; the response to it is a good one, whose body is still to be read.
    async fn send(&mut self, request: &Request) -> Result<hyper::Response<Incoming>, ClientError> {
        let encoded = encode(request);
        self.asked += 1;
        let mut http = hyper::Request::builder()
            .method(encoded.method.as_str())
            .uri(encoded.target)
            .header(header::HOST, "localhost")
            .header(header::ACCEPT, encoded.accept)
            .header(header::CONTENT_TYPE, "application/json")
            .header(VERSION_HEADER, API_VERSION)
            .header(REQUEST_ID_HEADER, format!("cli-{}-{}", std::process::id(), self.asked));
        if let Some(id) = encoded.last_event_id {
            http = http.header(LAST_EVENT_ID, id);
        }
        if matches!(request, Request::Attach(_)) {
            http = http.header(header::CONNECTION, "upgrade").header(header::UPGRADE, ATTACH_PROTOCOL);
        }
        let http = http
            .body(Full::new(Bytes::from(encoded.body)))
            .map_err(|error| ClientError::BadAnswer(error.to_string()))?;
        let bound = match encoded.method {
            Method::Get => READ_TIMEOUT,
            Method::Post => EFFECT_TIMEOUT,
        };
        let answer = tokio::time::timeout(bound, self.sender.send_request(http)).await;
        let response = match answer {
            Ok(answer) => answer.map_err(|error| broken(&self.place, &error))?,
            Err(_) => return Err(ClientError::Timeout { bound }),
        };
        if response.status().is_success() || response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        let status = response.status();
        let bytes = body(response, &self.place).await?;
        match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(error) => Err(ClientError::Api(error.into())),
            Err(_) => Err(ClientError::BadAnswer(format!("HTTP status {status} without an error body"))),
        }
    }
}

/// Whether a request that may have been read does no harm when it is read again: it changes nothing, or is known again.
fn is_repeatable(request: &Request) -> bool {
    let is_known = matches!(request, Request::Upgrade { ticket, .. } if !ticket.is_empty());
    is_known || Route::of(request.operation()).method == Method::Get
}

/// A connection to the app's overseer, and that process.
async fn sender(
    place: &Place,
) -> Result<(http1::SendRequest<Full<Bytes>>, Option<connect::Overseer>), ClientError> {
    let stream = connect::connect(place).await?;
    let overseer = connect::overseer(&stream, place);
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|error| broken(place, &error))?;
    // It ends with the connection; what it has to say, the requests on it say too.
    tokio::spawn(connection.with_upgrades());
    Ok((sender, overseer))
}

/// The whole body of a response, within its bounds of size and time.
async fn body(response: hyper::Response<Incoming>, place: &Place) -> Result<Bytes, ClientError> {
    let collected = Limited::new(response.into_body(), MAX_REPLY_BYTES).collect();
    match tokio::time::timeout(READ_TIMEOUT, collected).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) => match error.downcast::<hyper::Error>() {
            Ok(error) => Err(broken(place, &error)),
            Err(_) => Err(ClientError::BadAnswer(format!("it is longer than {MAX_REPLY_BYTES} bytes"))),
        },
        Err(_) => Err(ClientError::Timeout { bound: READ_TIMEOUT }),
    }
}

fn broken(place: &Place, error: &hyper::Error) -> ClientError {
    ClientError::Broken { socket: place.socket(), reason: error.to_string(), unsent: error.is_canceled() }
}

#[cfg(test)]
mod tests;
