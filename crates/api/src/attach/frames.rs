//! Frames, written and read.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Told, Wish};
use crate::limits::MAX_FRAME_BYTES;

/// A frame of bytes.
const BYTES: u8 = b'B';
/// A frame with a JSON object.
const JSON: u8 = b'J';
/// A kind and a length.
const HEAD: usize = 5;
/// A position in a log.
const POSITION: usize = 8;

/// What a server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromWorker {
    /// What the worker wrote.
    Output {
        /// The position of the first byte in the worker's log.
        position: u64,
        /// Just as they were written.
        bytes: Vec<u8>,
    },
    /// What the viewer is told.
    Told(Told),
}

/// What a viewer sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromViewer {
    /// What is typed, byte for byte.
    Input(Vec<u8>),
    /// What is asked for.
    Wish(Wish),
}

/// Why a connection cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// A frame is longer than any may be.
    #[error("a frame of {0} bytes is more than is accepted (the limit is {MAX_FRAME_BYTES})")]
    TooLong(usize),
    /// What worker's output begins with is missing.
    #[error("a frame of output has no position")]
    NoPosition,
    /// What should be an object of this protocol is none.
    #[error("a frame cannot be understood: {0}")]
    NotUnderstood(String),
}

impl FromWorker {
    /// Adds this as a frame. Output must fit: see [`MAX_FRAME_BYTES`].
    pub fn write(&self, frames: &mut Vec<u8>) {
        match self {
            Self::Output { position, bytes } => Self::write_output(*position, bytes, frames),
            Self::Told(told) => json(told, frames),
        }
    }

    /// Adds output as a frame, without a copy of it in between.
    pub fn write_output(position: u64, bytes: &[u8], frames: &mut Vec<u8>) {
        head(BYTES, POSITION + bytes.len(), frames);
        frames.extend_from_slice(&position.to_be_bytes());
        frames.extend_from_slice(bytes);
    }
}

impl FromViewer {
    /// Adds this as frames: more than one where much is typed.
    pub fn write(&self, frames: &mut Vec<u8>) {
        match self {
            Self::Input(bytes) => {
                for piece in bytes.chunks(MAX_FRAME_BYTES) {
                    head(BYTES, piece.len(), frames);
                    frames.extend_from_slice(piece);
                }
            }
            Self::Wish(wish) => json(wish, frames),
        }
    }
}

fn head(kind: u8, length: usize, frames: &mut Vec<u8>) {
    let Ok(short) = u32::try_from(length) else { unreachable!("a frame of {length} bytes is never made") };
    frames.push(kind);
    frames.extend_from_slice(&short.to_be_bytes());
}

fn json(value: &impl Serialize, frames: &mut Vec<u8>) {
    let Ok(text) = serde_json::to_vec(value) else {
        unreachable!("the objects of this protocol have text keys only: all of them have a JSON form")
    };
    head(JSON, text.len(), frames);
    frames.extend_from_slice(&text);
}

/// Puts together what a server sent.
#[derive(Debug, Default)]
pub struct WorkerFrames(Frames);

impl WorkerFrames {
    /// Takes the next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.push(bytes);
    }

    /// The next whole frame that is known.
    pub fn next_frame(&mut self) -> Result<Option<FromWorker>, BadFrame> {
        while let Some((kind, payload)) = self.0.next_frame()? {
            match kind {
                BYTES => {
                    let (position, bytes) =
                        payload.split_first_chunk::<POSITION>().ok_or(BadFrame::NoPosition)?;
                    let position = u64::from_be_bytes(*position);
                    return Ok(Some(FromWorker::Output { position, bytes: bytes.to_vec() }));
                }
                JSON => {
                    if let Some(told) = object(&payload)? {
                        return Ok(Some(FromWorker::Told(told)));
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

/// Puts together what a viewer sent.
#[derive(Debug, Default)]
pub struct ViewerFrames(Frames);

impl ViewerFrames {
    /// Takes the next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.push(bytes);
    }

    /// The next whole frame that is known.
    pub fn next_frame(&mut self) -> Result<Option<FromViewer>, BadFrame> {
        while let Some((kind, payload)) = self.0.next_frame()? {
            match kind {
                BYTES => return Ok(Some(FromViewer::Input(payload))),
                JSON => {
                    if let Some(wish) = object(&payload)? {
                        return Ok(Some(FromViewer::Wish(wish)));
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

/// An object of this protocol; none if its type is of a later version.
fn object<T: DeserializeOwned>(json: &[u8]) -> Result<Option<T>, BadFrame> {
    let bad = |error: serde_json::Error| BadFrame::NotUnderstood(error.to_string());
    let value: serde_json::Value = serde_json::from_slice(json).map_err(bad)?;
    let is_typed = value.get("type").is_some_and(serde_json::Value::is_string);
    match serde_json::from_value(value) {
        Ok(object) => Ok(Some(object)),
        // serde names what it does not know; all else is a fault.
        Err(error) if is_typed && error.to_string().starts_with("unknown variant") => Ok(None),
        Err(error) => Err(bad(error)),
    }
}

/// Cuts bytes that come in pieces into frames.
#[derive(Debug, Default)]
struct Frames {
    buffer: Vec<u8>,
    /// What comes before this was taken.
    taken: usize,
}

impl Frames {
    fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    fn next_frame(&mut self) -> Result<Option<(u8, Vec<u8>)>, BadFrame> {
        let rest = &self.buffer[self.taken..];
        let Some((&[kind, a, b, c, d], rest)) = rest.split_first_chunk::<HEAD>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > MAX_FRAME_BYTES + POSITION {
            return Err(BadFrame::TooLong(length));
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let payload = payload.to_vec();
        self.taken += HEAD + length;
        Ok(Some((kind, payload)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TerminalSize;

    fn notice(text: &str) -> FromWorker {
        FromWorker::Told(Told::Notice { text: text.to_owned() })
    }

    #[test]
    fn frames_come_whole_however_they_are_cut() {
        let size = TerminalSize { rows: 24, columns: 80 };
        let sent = [
            notice("hello"),
            FromWorker::Output { position: 1 << 40, bytes: vec![0, 255, b'B', b'J'] },
            FromWorker::Told(Told::Size(size)),
            FromWorker::Output { position: 0, bytes: Vec::new() },
        ];
        let mut bytes = Vec::new();
        for frame in &sent {
            frame.write(&mut bytes);
        }
        for step in [1, 2, 7, bytes.len()] {
            let mut frames = WorkerFrames::default();
            let mut heard = Vec::new();
            for piece in bytes.chunks(step) {
                frames.push(piece);
                while let Some(frame) = frames.next_frame().unwrap() {
                    heard.push(frame);
                }
            }
            assert_eq!(heard, sent, "in pieces of {step}");
        }
    }

    #[test]
    fn what_is_typed_at_once_may_be_longer_than_a_frame() {
        let typed = vec![b'x'; MAX_FRAME_BYTES + 1];
        let mut bytes = Vec::new();
        FromViewer::Input(typed.clone()).write(&mut bytes);
        FromViewer::Wish(Wish::Resize(TerminalSize { rows: 1, columns: 2 })).write(&mut bytes);
        let mut frames = ViewerFrames::default();
        frames.push(&bytes);
        let mut heard = Vec::new();
        loop {
            match frames.next_frame().unwrap() {
                Some(FromViewer::Input(bytes)) => heard.extend(bytes),
                Some(FromViewer::Wish(Wish::Resize(size))) => assert_eq!((size.rows, size.columns), (1, 2)),
                None => break,
            }
        }
        assert!(heard == typed);
    }

    #[test]
    fn what_a_later_version_says_is_passed_over_and_nonsense_is_not() {
        let mut bytes = Vec::new();
        json(&serde_json::json!({"type": "of_a_later_version", "more": 1}), &mut bytes);
        head(b'Z', 3, &mut bytes);
        bytes.extend_from_slice(b"abc");
        notice("known").write(&mut bytes);
        let mut frames = WorkerFrames::default();
        frames.push(&bytes);
        assert_eq!(frames.next_frame(), Ok(Some(notice("known"))));
        for nonsense in [&b"J\0\0\0\x02[]"[..], b"J\0\0\0\x01{", b"B\0\0\0\x02ab"] {
            let mut frames = WorkerFrames::default();
            frames.push(nonsense);
            assert!(frames.next_frame().is_err(), "{nonsense:?}");
        }
        let mut frames = ViewerFrames::default();
        frames.push(b"B\xff\0\0\0");
        assert!(matches!(frames.next_frame(), Err(BadFrame::TooLong(_))));
    }
}
