//! The API: requests, cursors, answers and streams.

use std::fmt::Debug;

use ganger_api::{Data, HttpParts, LineDecoder, LogCursor, Method, ROUTES, Request, Text, encode, parse};

pub(crate) const REQUEST: &[&str] = &[
    "GET",
    "POST",
    "\n",
    "/v1/",
    "/v1/workers",
    "/v1/logs",
    "/v1/events",
    "/v1/why/web.1",
    "/v1/scale",
    "/v1/signal",
    "/v1/env",
    "/v1/quit",
    "name=",
    "&",
    "=",
    "%",
    "%2",
    "%00",
    "%ff",
    "+",
    "follow=true",
    "lines=",
    "since=",
    "2026-11-22T12:30:00Z",
    "until=",
    "after=",
    "web.1@7",
    "grep=",
    "99999999999999999999",
    "-1",
    "text/event-stream",
    "{\"names\":[\"web\"]}",
    "{\"counts\":{\"web\":2}}",
    "{\"signal\":\"HUP\",\"names\":[]}",
    "{\"now\":true}",
    "ü",
];
pub(crate) const CURSOR: &[&str] =
    &["web.1", "@", ";", "0", "18446744073709551615", ".", "a.b.2", "-", " ", "ü"];
pub(crate) const ANSWER: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "null",
    "true",
    "1",
    "-1",
    "1e999",
    "\"state\":",
    "\"RUNNING\"",
    "\"name\":",
    "\"web.1\"",
    "\"at\":",
    "\"2026-11-22T12:30:00Z\"",
    "\\u0000",
    "\\ud800",
];
pub(crate) const STREAM: &[&str] =
    &["id: ", "event: ", "log", "error", "data: ", "data:", "\n", "\r\n", "\r", "\n\n", ":", "{}", "\0"];

/// Lines: method, path, query, `accept`, `last-event-id`; the rest is the body. What is understood is the same when it
/// is encoded and parsed again.
pub(crate) fn request(bytes: &[u8]) {
    let mut parts = bytes.splitn(6, |byte| *byte == b'\n');
    let mut line = || parts.next().unwrap_or_default();
    let texts = [line(), line(), line(), line(), line()].map(String::from_utf8_lossy);
    let [method, path, query, accept, last_event_id] = &texts;
    let header = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
    let (accept, last_event_id) = (header(accept), header(last_event_id));
    let (accept, last_event_id) = (accept.as_deref(), last_event_id.as_deref());
    let body = line();
    match parse(&HttpParts { method, path, query, accept, last_event_id, body }) {
        Ok(request) => same_again(&request),
        Err(error) => assert!(!error.message.is_empty(), "nothing is said: {error:?}"),
    }
}

fn same_again(request: &Request) {
    let http = encode(request);
    let (path, query) = http.target.split_once('?').unwrap_or((&http.target, ""));
    let method = match http.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let last_event_id = http.last_event_id.as_deref();
    let parts = HttpParts { method, path, query, accept: Some(http.accept), last_event_id, body: &http.body };
    match parse(&parts) {
        Ok(again) => assert_eq!(&again, request, "asked as {http:?}"),
        Err(error) => panic!("{request:?} is refused when it is encoded: {error:?}"),
    }
}

/// The word that a client sends back to go on.
pub(crate) fn cursor(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    match text.parse::<LogCursor>() {
        Ok(cursor) => assert_eq!(cursor.to_string().parse(), Ok(cursor), "from {text:?}"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// What a server answers to each operation; and a text of any bytes.
pub(crate) fn answer(bytes: &[u8]) {
    for route in ROUTES {
        if let Ok(data) = Data::decode(route.operation, bytes) {
            debug_prints(&data);
        }
    }
    assert_eq!(Text::new(bytes).to_bytes(), bytes, "a text is not what was written");
}

fn debug_prints(value: &impl Debug) {
    assert!(!format!("{value:?}").is_empty());
}

/// Lines come out as they went in, in whatever pieces.
pub(crate) fn stream(bytes: &[u8]) {
    let whole = lines([bytes].into_iter());
    let size = 1 + usize::from(bytes.first().copied().unwrap_or_default()) % 7;
    assert_eq!(lines(bytes.chunks(size)), whole, "in pieces of {size}");
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let taken: Vec<u8> = whole.concat();
    let expected: Vec<u8> =
        bytes[..end].split_inclusive(|byte| *byte == b'\n').flat_map(stripped).copied().collect();
    assert_eq!(taken, expected, "bytes of a line are lost or doubled");
}

fn stripped(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn lines<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut decoder = LineDecoder::default();
    let mut lines = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Ok(Some(line)) = decoder.next_line() {
            lines.push(line);
        }
    }
    lines
}
