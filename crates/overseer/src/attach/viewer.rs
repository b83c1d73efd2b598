//! One viewer, from its first byte to its last.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use ganger_api::limits::MAX_FRAME_BYTES;
use ganger_api::{
    ApiError, AttachQuery, Begin, ErrorCode, EventInfo, EventKind, FromViewer, FromWorker, RunHere,
    TerminalSize, Told, ViewerFrames, Wish,
};
use ganger_logs::{Read, Watch};
use ganger_spec::WorkerName;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::input::{Input, Taken};
use super::sizes::Seat;
use super::window::{Window, first_of};
use super::{Door, Knock, VIEWERS_MAX, Way};
use crate::lines::unreadable;
use crate::readiness::{Source, register};
use crate::server::{ANSWERED_WITHIN, Server};

/// So many bytes wait for a viewer before no more are read for it.
const WAITING_MAX: usize = 128 * 1024;
/// So much is read for it at once.
const PIECE_BYTES: usize = 16 * 1024;
/// A viewer that is so far behind the end begins anew near it.
const BEHIND_MAX: u64 = 1 << 20;
/// So many events are looked at together.
const EVENTS: usize = 256;
/// Of a worker without a terminal, a viewer without one sees so many lines.
const USUAL_LINES: u16 = 24;

/// A viewer of a worker's terminal.
pub(super) struct Viewer {
    server: Arc<Server>,
    worker: WorkerName,
    log: String,
    query: AttachQuery,
    run: Option<RunHere>,
    why: String,
    input: Input,
    /// Among those who may type.
    seat: Option<Seat>,
    sizes: watch::Receiver<u64>,
    /// None while the worker has no log.
    window: Option<Window>,
    watch: AsyncFd<Source<Watch>>,
    /// What happened up to this number is known.
    seen: u64,
    news: watch::Receiver<u64>,
    /// What is told when all before a position is.
    ahead: VecDeque<(u64, Told)>,
    piece: Vec<u8>,
    out: Vec<u8>,
    /// So much of it is sent.
    sent: usize,
    /// What was typed in vain was said to be so.
    is_warned: bool,
    /// One of so many.
    _permit: OwnedSemaphorePermit,
}

impl Viewer {
    /// Finds the worker, and where its viewer begins.
    pub(super) async fn open(server: &Arc<Server>, query: AttachQuery) -> Result<Self, ApiError> {
        let internal = |error: io::Error| ApiError::new(ErrorCode::Internal, error.to_string());
        let Ok(permit) = server.viewers.clone().try_acquire_owned() else {
            let text = format!("{VIEWERS_MAX} viewers are attached to workers of this app already");
            return Err(ApiError::new(ErrorCode::TooLarge, text).with_hint("detach some of them"));
        };
        // What happens from here on is not missed.
        let (seen, news, sizes) = (server.journal.latest(), server.journal.watch(), server.sizes.watch());
        let Door { worker, run, why, way } = knock(server, &query.name).await?;
        let watch = server.store.watch().map_err(|error| unreadable(&error))?;
        let watch = register(watch, Interest::READABLE).map_err(internal)?;
        let mut viewer = Self {
            log: worker.to_string(),
            server: server.clone(),
            worker,
            query,
            run: None,
            why,
            input: Input::default(),
            seat: None,
            sizes,
            window: None,
            watch,
            seen,
            news,
            ahead: VecDeque::new(),
            piece: vec![0; PIECE_BYTES],
            out: Vec::new(),
            sent: 0,
            is_warned: false,
            _permit: permit,
        };
        viewer.enter(run, way).map_err(internal)?;
        match viewer.query.after {
            Some(after) => viewer.resume(after).await?,
            None => viewer.begin().await?,
        }
        viewer.take_seat();
        Ok(viewer)
    }

    /// Types to this run from now on.
    fn enter(&mut self, run: Option<(u64, Option<u32>)>, way: Way) -> io::Result<()> {
        self.input = Input::new(way)?;
        self.is_warned = false;
        let (terminal, reads) = (self.input.size(), self.input.reads());
        self.run = run.map(|(run, pid)| RunHere { run, pid, terminal, reads });
        Ok(())
    }

    /// Counts with those who may type.
    fn take_seat(&mut self) {
        if !self.query.read_only {
            self.seat = Some(self.server.sizes.sit(&self.worker, self.query.size));
        }
        self.fit();
    }

    /// Gives the terminal the size that suits all.
    fn suit(&self) {
        if let Some(size) = self.server.sizes.common(&self.worker) {
            self.input.resize(size);
        }
    }

    /// The same, and tells of it.
    fn fit(&mut self) {
        self.suit();
        let now = self.input.size();
        if let (Some(run), Some(size)) = (&mut self.run, now)
            && run.terminal.replace(size) != Some(size)
        {
            self.tell(Told::Size(size));
        }
    }

    /// Begins near the end of what the run wrote.
    async fn begin(&mut self) -> Result<(), ApiError> {
        let (store, log) = (self.server.store.clone(), self.log.clone());
        let run = self.run.as_ref().map(|run| run.run);
        let has_terminal = self.run.as_ref().is_none_or(|run| run.terminal.is_some());
        let rows = self.query.size.map_or(USUAL_LINES, |size| size.rows);
        let lines = (!has_terminal).then_some(rows);
        if store.holds(&log) {
            let opened = tokio::task::spawn_blocking(move || Window::open(&store, &log, run, lines)).await;
            let opened = opened.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
            self.window = Some(opened?);
        }
        let begin = self.begun();
        self.tell(Told::Begin(begin));
        Ok(())
    }

    /// Goes on where an earlier connection broke, if that is not too far behind.
    async fn resume(&mut self, after: u64) -> Result<(), ApiError> {
        let end = self.server.store.end(&self.log).unwrap_or(0);
        if after > end || end - after > BEHIND_MAX {
            return self.begin().await;
        }
        let reader = self.server.store.reader(&self.log, ganger_logs::From::Position(after));
        let reader = reader.map_err(|error| unreadable(&error))?;
        self.window = Some(Window { reader, end: after, cut: false, modes: String::new() });
        let begin = self.begun();
        self.tell(Told::Resumed(begin));
        Ok(())
    }

    fn begun(&self) -> Begin {
        let window = self.window.as_ref();
        Begin {
            worker: self.worker.clone(),
            run: self.run,
            why: self.why.clone(),
            position: window.map_or(0, |window| window.reader.position()),
            until: window.map_or(0, |window| window.end),
            cut: window.is_some_and(|window| window.cut),
            modes: window.map_or_else(String::new, |window| window.modes.clone()),
        }
    }

    fn tell(&mut self, told: Told) {
        FromWorker::Told(told).write(&mut self.out);
    }

    fn notice(&mut self, text: String) {
        self.tell(Told::Notice { text });
    }

    fn position(&self) -> u64 {
        self.window.as_ref().map_or(0, |window| window.reader.position())
    }

    /// Shows what happens until the viewer or the app is gone.
    pub(super) async fn show(mut self, connection: impl AsyncRead + AsyncWrite) {
        let (mut from, mut to) = tokio::io::split(connection);
        let mut frames = ViewerFrames::default();
        let mut heard = vec![0; MAX_FRAME_BYTES];
        let engine = self.server.engine.clone();
        let mut ends: Option<Instant> = None;
        loop {
            self.watch.get_ref().0.arm();
            self.look().await;
            if let Err(error) = self.fill().await {
                self.notice(error.to_string());
                ends = Some(Instant::now() + ANSWERED_WITHIN);
            }
            if ends.is_some() && self.out.is_empty() {
                return;
            }
            tokio::select! {
                read = from.read(&mut heard) => match read {
                    Ok(length @ 1..) => {
                        frames.push(&heard[..length]);
                        if !self.hear(&mut frames) {
                            return;
                        }
                    }
                    Ok(0) | Err(_) => return,
                },
                written = to.write(&self.out[self.sent..]), if !self.out.is_empty() => match written {
                    Ok(length) => self.was_sent(length),
                    Err(_) => return,
                },
                ready = self.watch.readable(), if self.out.len() < WAITING_MAX => match ready {
                    Ok(mut ready) => ready.clear_ready(),
                    Err(_) => return,
                },
                _ = self.news.changed() => {}
                _ = self.sizes.changed() => self.fit(),
                () = self.input.readable() => self.input.pour(),
                () = engine.closed(), if ends.is_none() => ends = Some(Instant::now() + ANSWERED_WITHIN),
                () = until(ends) => return,
            }
        }
    }

    fn was_sent(&mut self, length: usize) {
        self.sent += length;
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        }
    }

    /// Does what the viewer says; false if it cannot be understood.
    fn hear(&mut self, frames: &mut ViewerFrames) -> bool {
        loop {
            match frames.next_frame() {
                Ok(Some(FromViewer::Input(bytes))) => self.typed(&bytes),
                Ok(Some(FromViewer::Wish(Wish::Resize(size)))) => self.resized(size),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    fn resized(&mut self, size: TerminalSize) {
        let Some(size) = TerminalSize::new(size.rows, size.columns) else { return };
        self.query.size = Some(size);
        match &self.seat {
            Some(seat) => seat.resize(size),
            None => self.take_seat(),
        }
    }

    /// Lets the worker read what is typed, and says once if it does not.
    fn typed(&mut self, bytes: &[u8]) {
        let (worker, taken) =
            (&self.worker, if self.query.read_only { None } else { Some(self.input.take(bytes)) });
        let text = match taken {
            Some(Taken::All) => {
                self.is_warned = false;
                return;
            }
            Some(Taken::Full) => format!("{worker} does not read: what is typed is lost"),
            Some(Taken::Nobody) if self.run.is_none() => {
                format!("{worker} does not run: what is typed is lost")
            }
            Some(Taken::Nobody) => {
                format!("{worker} has no terminal and no pipe to read: what is typed is lost")
            }
            None => format!("{worker} is only looked at here: what is typed is lost"),
        };
        if !std::mem::replace(&mut self.is_warned, true) {
            self.notice(text);
        }
    }

    /// Takes note of what happened to the worker.
    async fn look(&mut self) {
        if *self.news.borrow_and_update() <= self.seen {
            return;
        }
        loop {
            let batch = self.server.journal.after(self.seen, EVENTS);
            let Some(last) = batch.last() else { return };
            self.seen = last.seq;
            let worker = self.worker.clone();
            for event in batch.iter().filter(|event| event.worker.as_ref() == Some(&worker)) {
                match event.kind {
                    EventKind::Ended => self.ended(event).await,
                    EventKind::Started => self.started().await,
                    EventKind::State
                    | EventKind::SpawnFailed
                    | EventKind::Waiting
                    | EventKind::Ready
                    | EventKind::Killing
                    | EventKind::Stuck
                    | EventKind::Released
                    | EventKind::Scaled
                    | EventKind::ShuttingDown
                    | EventKind::PortHeld
                    | EventKind::Notice => {}
                }
            }
        }
    }

    /// The run has ended: said once all that it wrote is.
    async fn ended(&mut self, event: &EventInfo) {
        let run = event.details.get("run").and_then(serde_json::Value::as_u64).unwrap_or(0);
        (self.run, self.input) = (None, Input::default());
        let (sender, drained) = tokio::sync::oneshot::channel();
        let asked = Knock::Drained { worker: self.worker.clone(), answer: sender };
        let end = match self.server.knock(asked).await {
            Ok(()) => drained.await.unwrap_or(0),
            // The engine ends, and all is stored.
            Err(_) => self.server.store.end(&self.log).unwrap_or(0),
        };
        self.find_log();
        // The next run may have written already.
        let low = self.position();
        let at = self.window.as_mut().and_then(|window| first_of(&mut window.reader, run + 1, low, end).ok());
        self.ahead.push_back((at.unwrap_or(end), Told::Ended { run, text: event.text.clone() }));
    }

    /// Another run has begun.
    async fn started(&mut self) {
        let Ok(Door { run, why, way, .. }) = knock(&self.server, &self.log).await else { return };
        self.why = why;
        let known = self.run.as_ref().map(|run| run.run);
        if run.map(|(run, _)| run) == known || self.enter(run, way).is_err() {
            return;
        }
        self.suit();
        if let Some(run) = &mut self.run {
            run.terminal = self.input.size();
            let at = self.ahead.back().map_or(0, |(at, _)| *at);
            self.ahead.push_back((at, Told::Started(*run)));
        }
    }

    /// Follows a log that has begun since.
    fn find_log(&mut self) {
        if self.window.is_none()
            && let Ok(reader) = self.server.store.reader(&self.log, ganger_logs::From::Start)
        {
            self.window = Some(Window { reader, end: 0, cut: false, modes: String::new() });
        }
    }

    /// Reads for the viewer, as far as there is room.
    async fn fill(&mut self) -> Result<(), ApiError> {
        self.find_log();
        let end = self.server.store.end(&self.log).unwrap_or(0);
        if end.saturating_sub(self.position()) > BEHIND_MAX {
            self.tell_all();
            self.begin().await?;
        }
        while self.out.len() < WAITING_MAX {
            let position = self.position();
            if self.ahead.front().is_some_and(|(at, _)| *at <= position) {
                if let Some((_, told)) = self.ahead.pop_front() {
                    self.tell(told);
                }
                continue;
            }
            let most = self
                .ahead
                .front()
                .map_or(usize::MAX, |(at, _)| usize::try_from(at - position).unwrap_or(usize::MAX));
            let room = most.min(self.piece.len());
            let Some(window) = &mut self.window else { return Ok(()) };
            match window.reader.read(&mut self.piece[..room]).map_err(|error| unreadable(&error))? {
                Read::Bytes(length) => {
                    FromWorker::write_output(position, &self.piece[..length], &mut self.out);
                }
                Read::Skipped(_) => {
                    self.tell_all();
                    self.begin().await?;
                }
                Read::End => return Ok(()),
            }
        }
        Ok(())
    }

    /// Tells at once what would be told later: what is before it is left out.
    fn tell_all(&mut self) {
        for (_, told) in std::mem::take(&mut self.ahead) {
            self.tell(told);
        }
    }
}

/// The worker of this name, as it is now.
async fn knock(server: &Server, name: &str) -> Result<Door, ApiError> {
    let gone = || ApiError::new(ErrorCode::ShuttingDown, "the overseer is ending");
    let (answer, door) = tokio::sync::oneshot::channel();
    server.knock(Knock::Door { name: name.to_owned(), answer }).await?;
    door.await.map_err(|_| gone())?
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
