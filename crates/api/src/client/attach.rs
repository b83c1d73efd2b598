//! A connection that shows a worker's terminal, which goes on with the next overseer where it broke.

use std::collections::VecDeque;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Client, ClientError};
use crate::limits::{MAX_FRAME_BYTES, MAX_UNSENT_BYTES};
use crate::{AttachQuery, FromViewer, FromWorker, Place, Request, TerminalSize, Told, Wish, WorkerFrames};

/// A viewer of a worker's terminal.
///
/// When the overseer dies, it goes on with the next one: [`Told::Resumed`] says so, or [`Told::Begin`] where too much was
/// written meanwhile.
pub struct Attachment {
    client: Client,
    query: AttachQuery,
    /// None while there is no connection.
    io: Option<TokioIo<Upgraded>>,
    frames: WorkerFrames,
    /// Frames that are still to be sent, and how much of the first has been.
    unsent: VecDeque<Vec<u8>>,
    sent: usize,
    waiting: usize,
    buffer: Vec<u8>,
}

impl Attachment {
    /// Asks the app in this place for a worker's terminal. Must be called inside a tokio runtime.
    pub async fn open(place: &Place, query: AttachQuery) -> Result<Self, ClientError> {
        let client = Client::connect(place).await?;
        let mut attachment = Self {
            client,
            query,
            io: None,
            frames: WorkerFrames::default(),
            unsent: VecDeque::new(),
            sent: 0,
            waiting: 0,
            buffer: vec![0; MAX_FRAME_BYTES],
        };
        attachment.ask().await?;
        Ok(attachment)
    }

    /// Types this; it is sent by [`Attachment::next`]. Says whether there was room for it: of a worker that is asked too
    /// much at once, all of it is left out.
    pub fn input(&mut self, bytes: &[u8]) -> bool {
        let fits = self.waiting + bytes.len() <= MAX_UNSENT_BYTES;
        if fits && !bytes.is_empty() {
            self.send(&FromViewer::Input(bytes.to_vec()));
        }
        fits
    }

    /// The viewer has this size now.
    pub fn resize(&mut self, size: TerminalSize) {
        if self.query.size.replace(size) != Some(size) && self.io.is_some() {
            self.send(&FromViewer::Wish(Wish::Resize(size)));
        }
    }

    fn send(&mut self, what: &FromViewer) {
        let mut frames = Vec::new();
        what.write(&mut frames);
        self.waiting += frames.len();
        self.unsent.push_back(frames);
    }

    /// The next thing that happens. It may be given up at any time and asked for again: nothing is lost.
    /// [`ClientError::NotRunning`] and [`ClientError::Ended`] tell that the app has ended.
    pub async fn next(&mut self) -> Result<FromWorker, ClientError> {
        loop {
            let frame = self.frames.next_frame();
            if let Some(frame) = frame.map_err(|error| ClientError::BadAnswer(error.to_string()))? {
                self.given(&frame);
                return Ok(frame);
            }
            let Some(io) = &mut self.io else {
                self.reconnect().await?;
                continue;
            };
            let unsent = self.unsent.front().map_or(&[][..], |frame| &frame[self.sent..]);
            let (mut reader, mut writer) = tokio::io::split(io);
            tokio::select! {
                read = reader.read(&mut self.buffer) => match read {
                    Ok(1..) => self.frames.push(&self.buffer[..read.unwrap_or(0)]),
                    Ok(0) | Err(_) => self.io = None,
                },
                written = writer.write(unsent), if !unsent.is_empty() => match written {
                    Ok(length) => self.was_sent(length),
                    // What is still to be read comes again.
                    Err(_) => self.io = None,
                },
            }
        }
    }

    /// Sends all that was typed, and hears nothing. It may be given up at any time.
    pub async fn send_all(&mut self) {
        while let (Some(io), Some(frame)) = (&mut self.io, self.unsent.front()) {
            match io.write(&frame[self.sent..]).await {
                Ok(length) => self.was_sent(length),
                Err(_) => self.io = None,
            }
        }
    }

    fn was_sent(&mut self, length: usize) {
        self.sent += length;
        self.waiting = self.waiting.saturating_sub(length);
        if self.unsent.front().is_some_and(|frame| frame.len() <= self.sent) {
            self.unsent.pop_front();
            self.sent = 0;
        }
    }

    /// Notes where to go on.
    fn given(&mut self, frame: &FromWorker) {
        match frame {
            FromWorker::Output { position, bytes } => self.query.after = Some(position + bytes.len() as u64),
            FromWorker::Told(Told::Begin(begin) | Told::Resumed(begin)) => {
                self.query.after = Some(begin.position);
            }
            FromWorker::Told(Told::Size(_) | Told::Ended { .. } | Told::Started(_) | Told::Notice { .. }) => {
            }
        }
    }

    /// Goes on with the next overseer. A frame of which it has a part only is sent once more as a whole.
    async fn reconnect(&mut self) -> Result<(), ClientError> {
        self.frames = WorkerFrames::default();
        self.waiting += std::mem::take(&mut self.sent);
        self.client.reconnect().await?;
        self.ask().await
    }

    /// Asks this overseer for the terminal. Who dies over it is asked no more: `next` goes on with another one.
    async fn ask(&mut self) -> Result<(), ClientError> {
        match self.client.upgrade(&Request::Attach(self.query.clone())).await {
            Ok(io) => self.io = Some(io),
            Err(ClientError::Broken { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
