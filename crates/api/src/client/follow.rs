//! Streams of items, which go on where they broke off.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header;

use super::{Client, ClientError, broken};
use crate::stream::{Item, LineDecoder, SseDecoder};
use crate::{Data, ErrorBody, EventQuery, LogCursor, LogQuery, Request, Time};

enum Decoder {
    Sse(SseDecoder),
    Lines(LineDecoder),
}

impl Decoder {
    /// That of this response.
    fn of(response: &hyper::Response<Incoming>) -> Self {
        let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if content_type.is_some_and(|value| value.starts_with("text/event-stream")) {
            Self::Sse(SseDecoder::default())
        } else {
            Self::Lines(LineDecoder::default())
        }
    }
}

/// A stream of items. When its overseer dies, it goes on with the next one, after the last item that was given.
pub struct Follow {
    client: Client,
    body: Incoming,
    decoder: Decoder,
    rest: Rest,
}

impl Follow {
    /// Asks for a stream.
    pub(super) async fn start(mut client: Client, request: &Request) -> Result<Self, ClientError> {
        let response = client.until_answered(request, Client::send).await?;
        let decoder = Decoder::of(&response);
        Ok(Self { client, body: response.into_body(), decoder, rest: Rest::of(request) })
    }

    /// Whether more has come already than was given: a printer need not show each item at once.
    pub fn has_more(&self) -> bool {
        match &self.decoder {
            Decoder::Sse(decoder) => decoder.has_line(),
            Decoder::Lines(decoder) => decoder.has_line(),
        }
    }

    /// The request that asks for what was not given yet.
    pub fn rest(&self) -> Request {
        self.rest.request()
    }

    /// The next item; none at the end. `NotRunning` tells that the app has ended, `rest` what it still owes.
    pub async fn next(&mut self) -> Result<Option<Item>, ClientError> {
        loop {
            match self.received().await {
                Ok(Some(item)) => {
                    self.rest.given(&item.data);
                    return Ok(Some(item));
                }
                Err(ClientError::Broken { .. }) => self.resume().await?,
                other => return other,
            }
        }
    }

    /// Goes on with the next overseer.
    async fn resume(&mut self) -> Result<(), ClientError> {
        self.client.reconnect().await?;
        let response = self.client.until_answered(&self.rest.request(), Client::send).await?;
        self.decoder = Decoder::of(&response);
        self.body = response.into_body();
        Ok(())
    }

    /// The next item of this connection.
    async fn received(&mut self) -> Result<Option<Item>, ClientError> {
        loop {
            if let Some(item) = self.decoded()? {
                return Ok(Some(item));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|error| broken(&self.client.place, &error))?;
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
        let data = match Data::decode(self.rest.request.operation(), &json) {
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

/// What a stream still owes: its request, moved on by each item that was given.
struct Rest {
    request: Request,
    /// Lines older than this were not asked for, also in logs of which none was given yet.
    since: Option<Time>,
}

impl Rest {
    fn of(request: &Request) -> Self {
        Self { request: request.clone(), since: None }
    }

    fn given(&mut self, data: &Data) {
        match (&mut self.request, data) {
            (Request::Logs(LogQuery { after, .. }), Data::LogLine(line)) => {
                self.since.get_or_insert(line.time);
                after.get_or_insert_with(LogCursor::default).0.insert(line.log.clone(), line.position);
            }
            (Request::Events(EventQuery { after, .. }), Data::Event(event)) => *after = Some(event.seq),
            // Nothing else is an item of a stream: it is asked for again as it was.
            _ => {}
        }
    }

    fn request(&self) -> Request {
        match (&self.request, self.since) {
            // The last so many lines were chosen when the first of them was given; all after it are owed.
            (Request::Logs(query), Some(first)) if query.lines.is_some() => {
                Request::Logs(LogQuery { lines: None, since: query.since.max(Some(first)), ..query.clone() })
            }
            (request, _) => request.clone(),
        }
    }
}
