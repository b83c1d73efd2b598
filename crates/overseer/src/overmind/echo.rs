//! `overmind echo`: what workers write and what happens to them, from now on, as lines with coloured names.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use ganger_api::overmind::{bold, prefix, told};
use ganger_api::{EventInfo, EventKind, Request};
use ganger_logs::{From, Line, Merged, Query};
use ganger_spec::{LogName, SYSTEM_COLOR, WorkerName};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::io::{AsyncWrite, AsyncWriteExt, Interest};

use super::session::Session;
use crate::readiness::register;

/// About so much is written at once.
const PIECE_BYTES: usize = 64 * 1024;
/// So many events are told at once.
const PIECE_EVENTS: usize = 256;
/// The name of lines about the app.
const SYSTEM: &str = "system";

/// Writes until the client or the app is gone.
pub(super) async fn run(session: &Session, client: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    /// Of the next client.
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let (server, mut style) = (&session.server, Style::of(session));
    let watch = register(server.store.watch().map_err(io::Error::other)?, Interest::READABLE)?;
    let mut news = server.journal.watch();
    let mut after = server.journal.latest();
    let mut known: BTreeSet<String> = server.store.logs().into_iter().collect();
    let from: Vec<(String, From)> = known.iter().map(|log| (log.clone(), From::End)).collect();
    let query = Query { follow: true, ..Query::default() };
    let mut merged = Merged::resume(&server.store, &from, query).map_err(io::Error::other)?;
    // Who has asked is waited for at the end.
    let _ = server.ask(Request::App).await;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let opened = style.own(None, &format!("Echo #{number} opened"), Timestamp::now());
    client.write_all(opened.as_bytes()).await?;
    let mut ended = false;
    loop {
        watch.get_ref().0.arm();
        news.mark_unchanged();
        for log in server.store.logs() {
            if known.insert(log.clone()) {
                merged.add(&server.store, &log).map_err(io::Error::other)?;
            }
        }
        let events = server.journal.after(after, PIECE_EVENTS);
        after = events.last().map_or(after, |event| event.seq);
        let (ends, begins): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|event| event.kind == EventKind::Ended);
        let mut bytes = style.events(&begins);
        // Disks may be slow: other clients do not wait for this one's lines.
        let work = move || (merged.next_batch(PIECE_BYTES), merged);
        let (lines, rest) = tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?;
        merged = rest;
        for line in lines.map_err(io::Error::other)? {
            style.line(&line, &mut bytes);
        }
        bytes.extend(style.events(&ends));
        if !bytes.is_empty() {
            client.write_all(&bytes).await?;
            continue;
        }
        if ended {
            return client.shutdown().await;
        }
        tokio::select! {
            ready = watch.readable() => ready?.clear_ready(),
            changed = news.changed() => ended = changed.is_err(),
            // What is there now is all that there will be.
            () = server.engine.closed() => ended = true,
        }
    }
}

/// What lines look like.
struct Style<'a> {
    session: &'a Session,
    width: usize,
    zone: TimeZone,
    /// Of these a run has ended: the next one is a restart.
    ended: BTreeSet<WorkerName>,
}

impl<'a> Style<'a> {
    fn of(session: &'a Session) -> Self {
        let (width, zone) = (session.overmind.width(), TimeZone::system());
        Self { session, width, zone, ended: BTreeSet::new() }
    }

    fn prefix(&self, worker: Option<&WorkerName>, at: Timestamp) -> String {
        let overmind = &self.session.overmind;
        let (name, color) = match worker {
            Some(worker) => (overmind.name(worker), overmind.color(&worker.group)),
            None => (SYSTEM.to_owned(), SYSTEM_COLOR),
        };
        let time =
            overmind.timestamps.then(|| at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string());
        prefix(&name, self.width, Some(color), time.as_deref())
    }

    /// A line of ganger's own.
    fn own(&self, worker: Option<&WorkerName>, text: &str, at: Timestamp) -> String {
        format!("{}{}\n", self.prefix(worker, at), bold(text))
    }

    /// A line of a worker.
    fn line(&self, line: &Line, bytes: &mut Vec<u8>) {
        let Ok(log) = LogName::try_from(line.log.to_string()) else { return };
        bytes.extend(self.prefix(Some(&log.worker), moment(line.time.into())).bytes());
        bytes.extend_from_slice(&line.text);
        bytes.push(b'\n');
    }

    /// What of these events people at a terminal are told too.
    fn events(&mut self, events: &[EventInfo]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for event in events.iter().filter(|event| is_shown(event.kind)) {
            let again = event.worker.as_ref().is_some_and(|worker| self.ended.contains(worker));
            if event.kind == EventKind::Ended {
                self.ended.extend(event.worker.clone());
            }
            let text = told(&event.text, again);
            bytes.extend(self.own(event.worker.as_ref(), &text, moment(event.time.unix_nanos())).bytes());
        }
        bytes
    }
}

fn is_shown(kind: EventKind) -> bool {
    match kind {
        EventKind::Started
        | EventKind::Ended
        | EventKind::Killing
        | EventKind::Stuck
        | EventKind::ShuttingDown
        | EventKind::PortHeld
        | EventKind::Notice
        | EventKind::SpawnFailed
        | EventKind::Waiting
        | EventKind::Ready => true,
        EventKind::State | EventKind::Released | EventKind::Scaled => false,
    }
}

fn moment(nanos: i128) -> Timestamp {
    Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::UNIX_EPOCH)
}
