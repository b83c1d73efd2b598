//! Lines as objects, for programs that collect what a container prints.

use ganger_api::{Stream, Text, Time};
use ganger_logs::{Stamp, Store};
use ganger_overseer::stream_of;
use ganger_spec::LogName;
use serde::Serialize;

/// A line that a worker wrote, as the API has it, or one of ganger's own.
#[derive(Serialize)]
struct Object<'a> {
    time: Option<Time>,
    /// The log; none for a line about the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    /// Where the worker wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<Stream>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<u64>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    text: Option<Text>,
    /// What ganger says.
    #[serde(skip_serializing_if = "Option::is_none")]
    ganger: Option<&'a str>,
}

/// Adds a line that a worker wrote.
pub(super) fn line(out: &mut Vec<u8>, store: &Store, log: &str, stamp: Stamp, text: &[u8]) {
    let name = name(log);
    let object = Object {
        time: time(stamp.time),
        log: Some(log),
        stream: name.as_ref().map(|name| stream_of(store, name)),
        worker: name.map(|name| name.worker.to_string()),
        run: (stamp.run != 0).then_some(stamp.run),
        text: Some(Text::new(text)),
        ganger: None,
    };
    add(out, &object);
}

/// Adds a line of ganger's own.
pub(super) fn own(out: &mut Vec<u8>, log: Option<&str>, now: i64, text: &str) {
    let worker = log.and_then(name).map(|name| name.worker.to_string());
    let (time, ganger) = (time(now), Some(text));
    add(out, &Object { time, log, worker, stream: None, run: None, text: None, ganger });
}

fn add(out: &mut Vec<u8>, object: &Object<'_>) {
    // Writing to a vector does not fail, and all that an object holds has a JSON form.
    let _ = serde_json::to_writer(&mut *out, object);
    out.push(b'\n');
}

fn name(log: &str) -> Option<LogName> {
    LogName::try_from(log.to_owned()).ok()
}

fn time(nanos: i64) -> Option<Time> {
    Time::from_unix_nanos(nanos.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_object_with_its_exact_bytes() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("web.1.err.log"), "x\n").unwrap();
        let store = Store::open(dir.path()).unwrap();
        let mut out = Vec::new();
        line(&mut out, &store, "web.1.err", Stamp { time: 1_000_000_000, run: 7 }, b"say \"hi\"");
        line(&mut out, &store, "web.2", Stamp { time: 0, run: 0 }, b"a\xff");
        own(&mut out, Some("web.1"), 0, "exited with code 1");
        own(&mut out, None, 0, "bye");
        let expected = [
            r#"{"time":"1970-01-01T00:00:01Z","log":"web.1.err","worker":"web.1","stream":"stderr","run":7,"text":"say \"hi\""}"#,
            r#"{"time":"1970-01-01T00:00:00Z","log":"web.2","worker":"web.2","stream":"output","text":"a�","bytes":"Yf8="}"#,
            r#"{"time":"1970-01-01T00:00:00Z","log":"web.1","worker":"web.1","ganger":"exited with code 1"}"#,
            r#"{"time":"1970-01-01T00:00:00Z","ganger":"bye"}"#,
        ];
        let out = String::from_utf8(out).unwrap();
        assert!(out.lines().eq(expected), "{out}");
    }
}
