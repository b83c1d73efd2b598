//! Items of a stream: server-sent events and lines of JSON, written and read.

use serde::Serialize;

use crate::limits::MAX_ITEM_BYTES;
use crate::{Data, ErrorBody, EventInfo, LogCursor, LogLine};

/// An item of a stream with the id by which the stream can be resumed after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Sent back as `Last-Event-ID` or `after`.
    pub id: Option<String>,
    /// A line of a log or an event.
    pub data: Data,
}

/// A server-sent event that carries a line of a log. `cursor` is where all logs of the stream stand after it; a
/// server may leave it out of lines that follow each other closely.
pub fn sse_log_line(cursor: Option<&LogCursor>, line: &LogLine) -> String {
    let id = cursor.map(|cursor| format!("id: {cursor}\n")).unwrap_or_default();
    format!("{id}event: log\ndata: {}\n\n", to_json(line))
}

/// A server-sent event that carries an event.
pub fn sse_event(event: &EventInfo) -> String {
    format!("id: {}\nevent: event\ndata: {}\n\n", event.seq, to_json(event))
}

/// A server-sent event that ends a stream with an error.
pub fn sse_error(error: &ErrorBody) -> String {
    format!("event: error\ndata: {}\n\n", to_json(error))
}

/// A line of JSON: an item, or an error that ends the stream.
pub fn json_line(item: &impl Serialize) -> String {
    format!("{}\n", to_json(item))
}

fn to_json(value: &impl Serialize) -> String {
    let Ok(json) = serde_json::to_string(value) else {
        unreachable!("the types of the API have text keys only: all of them have a JSON form")
    };
    json
}

/// One server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SseEvent {
    pub(crate) id: Option<String>,
    pub(crate) event: String,
    pub(crate) data: String,
}

/// Cuts bytes that come in pieces into lines, each at most [`MAX_ITEM_BYTES`] long.
#[derive(Debug, Default)]
pub struct LineDecoder {
    buffer: Vec<u8>,
    searched: usize,
}

/// A line or an event is longer than [`MAX_ITEM_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an item of the stream is longer than {MAX_ITEM_BYTES} bytes")]
pub struct ItemTooLong;

impl LineDecoder {
    /// Takes the next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a whole line is there.
    pub fn has_line(&self) -> bool {
        self.buffer.contains(&b'\n')
    }

    /// The next whole line without its end.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, ItemTooLong> {
        let end = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
        let Some(end) = end.map(|end| end + self.searched) else {
            self.searched = self.buffer.len();
            return if self.buffer.len() > MAX_ITEM_BYTES { Err(ItemTooLong) } else { Ok(None) };
        };
        if end > MAX_ITEM_BYTES {
            return Err(ItemTooLong);
        }
        let mut line: Vec<u8> = self.buffer.drain(..=end).take(end).collect();
        self.searched = 0;
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(line))
    }
}

/// Puts bytes that come in pieces together to server-sent events.
#[derive(Debug, Default)]
pub struct SseDecoder {
    lines: LineDecoder,
    event: SseEvent,
    size: usize,
}

impl SseDecoder {
    /// Takes the next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        self.lines.push(bytes);
    }

    /// Whether at least a line of the next event is there.
    pub fn has_line(&self) -> bool {
        self.lines.has_line()
    }

    /// The next whole event.
    pub(crate) fn next_event(&mut self) -> Result<Option<SseEvent>, ItemTooLong> {
        while let Some(line) = self.lines.next_line()? {
            if line.is_empty() {
                self.size = 0;
                let event = std::mem::take(&mut self.event);
                if !event.data.is_empty() {
                    return Ok(Some(event));
                }
                continue;
            }
            self.size += line.len();
            if self.size > MAX_ITEM_BYTES {
                return Err(ItemTooLong);
            }
            self.field(&String::from_utf8_lossy(&line));
        }
        Ok(None)
    }

    /// One line of an event; what is unknown, and comments, are passed over as the format asks.
    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => self.event.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.event.event),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
