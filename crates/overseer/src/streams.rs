//! Answers that go on: log lines and events, as server-sent events or as lines of JSON.
//!
//! A stream is a task that follows the log store or the journal like any other viewer. It waits for its client when
//! that is slow, and nobody waits for it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Response, StatusCode};
use ganger_api::{
    ApiError, Data, ErrorCode, EventQuery, LogCursor, LogQuery, Request, Stream, json_line, sse_error,
    sse_event, sse_log_line,
};
use ganger_logs::{Merged, Store, Watch};
use ganger_spec::{LogName, WorkerName};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use crate::lines::{api_line, incomplete, is_of, no_stderr, stored_lines, unreadable};
use crate::readiness::{Source, register};
use crate::server::{Server, respond};

/// So many pieces wait for a slow client.
const PIECES_MAX: usize = 4;
/// A piece holds about this much of logs.
const PIECE_BYTES: usize = 64 * 1024;
/// What a rotation holds back must be readable after this.
const SETTLE_WITHIN: Duration = Duration::from_secs(5);
/// A piece holds so many events.
const PIECE_EVENTS: usize = 256;

/// A piece of a body.
pub(crate) type Piece = Result<Bytes, Cut>;

/// A body that goes on elsewhere: with the next overseer, or with what an app that has ended left. Its connection breaks off,
/// for one that ended in good order would be complete.
#[derive(Debug, thiserror::Error)]
#[error("the overseer is ending")]
pub(crate) struct Cut;

/// A body that comes in pieces.
struct Pieces(mpsc::Receiver<Piece>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(http_body::Frame::data)))
    }
}

fn stream(sse: bool, pieces: mpsc::Receiver<Piece>) -> Response<Body> {
    self::pieces(if sse { "text/event-stream" } else { "application/jsonl" }, pieces)
}

/// A body of this type that comes in pieces.
pub(crate) fn pieces(content_type: &'static str, pieces: mpsc::Receiver<Piece>) -> Response<Body> {
    respond(StatusCode::OK, content_type, Body::new(Pieces(pieces)))
}

/// The events that are kept, then those that come.
pub(crate) fn events(server: &Arc<Server>, query: &EventQuery) -> Response<Body> {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let (server, follow, sse) = (server.clone(), query.follow, query.sse);
    let mut after = query.after.unwrap_or(0);
    tokio::spawn(async move {
        let mut news = server.journal.watch();
        let mut is_over = false;
        loop {
            news.mark_unchanged();
            let batch = server.journal.after(after, PIECE_EVENTS);
            if let Some(last) = batch.last() {
                after = last.seq;
                let text: String =
                    batch.iter().map(|event| if sse { sse_event(event) } else { json_line(event) }).collect();
                if sender.send(Ok(Bytes::from(text))).await.is_err() {
                    return;
                }
                continue;
            }
            if !follow {
                return;
            }
            if is_over {
                let _ = sender.send(Err(Cut)).await;
                return;
            }
            tokio::select! {
                changed = news.changed() => if changed.is_err() { return },
                () = sender.closed() => return,
                // What is there now is all that there will be.
                () = server.engine.closed() => is_over = true,
            }
        }
    });
    stream(sse, receiver)
}

/// The lines that are kept, then those that come.
pub(crate) async fn logs(server: &Arc<Server>, query: LogQuery) -> Result<Response<Body>, ApiError> {
    let (server, follow, sse) = (server.clone(), query.follow, query.sse);
    let chosen = Chosen::of(&server, &query).await?;
    let watch = server.store.watch().map_err(|error| unreadable(&error))?;
    let watch = register(watch, Interest::READABLE)
        .map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
    let (store, names) = (server.store.clone(), chosen.logs.clone());
    let of = store.clone();
    let merged = aside(move || stored_lines(&store, &names, &query)).await?;
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let lines = Lines { store: of, merged, cursor: LogCursor::default(), sse };
    tokio::spawn(async move {
        if let Err(error) = send_lines(&server, follow, chosen, &watch, lines, &sender).await {
            // Who has gone away needs no reason.
            let _ = sender.send(Ok(last_piece(sse, error))).await;
        }
    });
    Ok(stream(sse, receiver))
}

/// Sends lines until all are sent, or nobody listens; an error is the reason why it is not all.
async fn send_lines(
    server: &Server,
    follow: bool,
    mut chosen: Chosen,
    watch: &AsyncFd<Source<Watch>>,
    mut lines: Lines,
    sender: &mpsc::Sender<Piece>,
) -> Result<(), ApiError> {
    let mut is_over = false;
    loop {
        watch.get_ref().0.arm();
        let (piece, rest) = aside(move || Ok((lines.next()?, lines))).await?;
        lines = rest;
        if let Some(piece) = piece {
            if sender.send(Ok(piece)).await.is_err() {
                return Ok(());
            }
            continue;
        }
        if !follow && lines.merged.is_done() {
            return lines.complete();
        }
        if follow {
            let begun = chosen.begun(server).await;
            for log in &begun {
                lines.merged.add(&server.store, log).map_err(|error| unreadable(&error))?;
            }
            if !begun.is_empty() {
                continue;
            }
            if is_over {
                let _ = sender.send(Err(Cut)).await;
                return Ok(());
            }
        }
        let settled = tokio::time::Instant::now() + SETTLE_WITHIN;
        tokio::select! {
            ready = watch.readable() => match ready {
                Ok(mut guard) => guard.clear_ready(),
                Err(error) => return Err(ApiError::new(ErrorCode::Internal, error.to_string())),
            },
            () = sender.closed() => return Ok(()),
            // What is stored now is all that there will be.
            () = server.engine.closed(), if follow => is_over = true,
            () = tokio::time::sleep_until(settled), if !follow => return Err(unsettled()),
        }
    }
}

/// That what is there cannot be read now.
fn unsettled() -> ApiError {
    ApiError::new(ErrorCode::Incomplete, "a rotation of the logs is under way, and does not end")
        .with_hint("a full disk stops it half-way: `ganger events` tells")
}

/// Tells why a stream ends.
fn last_piece(sse: bool, error: ApiError) -> Bytes {
    let body = error.body("");
    Bytes::from(if sse { sse_error(&body) } else { json_line(&body) })
}

/// Reads logs where it holds up no other client: a search may have to look through all that is kept.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(ApiError::new(ErrorCode::Internal, format!("the search failed: {error}")))
    })
}

/// The logs that a stream is about.
struct Chosen {
    wanted: Vec<String>,
    stream: Option<Stream>,
    logs: Vec<String>,
    /// How many logs the store had when these were chosen; it never has fewer.
    known: usize,
}

impl Chosen {
    async fn of(server: &Server, query: &LogQuery) -> Result<Self, ApiError> {
        let known = server.store.logs().len();
        let (wanted, stream) = (query.names.clone(), query.stream);
        let mut logs = names(server, &wanted).await?;
        logs.retain(|log| is_of(stream, log));
        if logs.is_empty() && stream == Some(Stream::Stderr) && !query.follow {
            return Err(no_stderr());
        }
        Ok(Self { wanted, stream, logs, known })
    }

    /// Those that have begun since: workers that a scale or a reload brought.
    async fn begun(&mut self, server: &Server) -> Vec<String> {
        let known = server.store.logs().len();
        if known == self.known {
            return Vec::new();
        }
        self.known = known;
        // Where a group is gone meanwhile, nothing new of it begins.
        let mut begun = names(server, &self.wanted).await.unwrap_or_default();
        begun.retain(|log| is_of(self.stream, log) && !self.logs.contains(log));
        self.logs.extend_from_slice(&begun);
        begun
    }
}

/// The logs that are meant: those of workers that are there, and of those that were and left a log.
async fn names(server: &Server, wanted: &[String]) -> Result<Vec<String>, ApiError> {
    let stored = server.store.logs();
    if wanted.is_empty() {
        return Ok(stored);
    }
    let stored: Vec<LogName> = stored.into_iter().filter_map(|log| LogName::try_from(log).ok()).collect();
    // A log that is named as such is meant alone; a worker's name means all of its logs.
    let (wanted, named): (Vec<String>, Vec<String>) = wanted
        .iter()
        .cloned()
        .partition(|name| !stored.iter().any(|log| log.is_err && log.to_string() == *name));
    if wanted.is_empty() {
        return Ok(named);
    }
    let Data::App(app) = server.ask(Request::App).await? else {
        return Err(ApiError::new(ErrorCode::Internal, "the engine answered something else"));
    };
    let highest = |group: &str| {
        stored.iter().map(|log| &log.worker).filter(|worker| worker.group == group).map(|w| w.number).max()
    };
    let known: Vec<(String, u32)> = app
        .groups
        .into_iter()
        .map(|group| (highest(&group.name).unwrap_or(0).max(group.count), group.name))
        .map(|(count, name)| (name, count))
        .collect();
    let chosen: Vec<WorkerName> = ganger_spec::select(&known, &wanted).map_err(ApiError::from)?;
    let of_worker = stored.iter().filter(|log| chosen.contains(&log.worker)).map(ToString::to_string);
    let mut logs: Vec<String> = of_worker.chain(named).collect();
    logs.sort_unstable();
    logs.dedup();
    Ok(logs)
}

/// Lines of logs as pieces of a body.
struct Lines {
    store: Store,
    merged: Merged,
    cursor: LogCursor,
    sse: bool,
}

impl Lines {
    /// The next piece; none if there is nothing now.
    fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let batch = self.merged.next_batch(PIECE_BYTES).map_err(|error| unreadable(&error))?;
        let Some(last) = batch.len().checked_sub(1) else { return Ok(None) };
        let mut text = String::new();
        for (index, line) in batch.iter().enumerate() {
            let Some(item) = api_line(&self.store, line) else { continue };
            self.cursor.0.insert(item.log.clone(), item.position);
            if self.sse {
                text.push_str(&sse_log_line((index == last).then_some(&self.cursor), &item));
            } else {
                text.push_str(&json_line(&item));
            }
        }
        Ok(Some(Bytes::from(text)))
    }

    /// Whether nothing is missing in what was given.
    fn complete(&mut self) -> Result<(), ApiError> {
        match self.merged.take_skipped() {
            0 => Ok(()),
            bytes => Err(incomplete(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use http_body::Body as _;

    use super::*;
    use crate::journal::Journal;

    async fn next(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
        let frame = std::future::poll_fn(|context| pin!(&mut *body).poll_frame(context)).await;
        frame.map(|frame| frame.map(|frame| frame.into_data().unwrap()))
    }

    #[tokio::test]
    async fn a_stream_gives_all_there_is_and_breaks_off_when_the_engine_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("web.1.log"), "ready\n").unwrap();
        let journal = Journal::open(&dir.path().join("events.jsonl"), Vec::new()).unwrap();
        journal.note("ganger starts").unwrap();
        let (engine, asked) = mpsc::channel(1);
        let server = Server::apart(engine, journal, Store::open(dir.path()).unwrap());
        let told = events(&server, &EventQuery { follow: true, ..EventQuery::default() });
        let lines = logs(&server, LogQuery { follow: true, ..LogQuery::default() }).await.unwrap();
        drop(asked);
        for (response, expected) in [(told, "ganger starts"), (lines, "ready")] {
            let mut body = response.into_body();
            let piece = next(&mut body).await.unwrap().unwrap();
            assert!(String::from_utf8_lossy(&piece).contains(expected), "{piece:?}");
            assert!(next(&mut body).await.unwrap().is_err(), "it is not complete");
        }
    }
}
