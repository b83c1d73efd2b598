//! Where a viewer begins: in what its worker's run wrote, near the end.

use ganger_api::ApiError;
use ganger_logs::{From, Read, Reader, Store};

use super::modes::Modes;
use crate::lines::unreadable;

/// So much of what a run wrote last is shown at first: many screens.
pub(super) const REPLAY_BYTES: u64 = 256 * 1024;
/// So much is read for the lines of a worker without a terminal.
const LINES_BYTES: u64 = 64 * 1024;

/// So much of what comes before that is searched for the modes of the terminal.
const MODES_BYTES: u64 = 32 << 20;
/// So much at once.
const PIECE_BYTES: usize = 64 * 1024;

/// A reader at the place where a viewer begins.
pub(super) struct Window {
    pub(super) reader: Reader,
    pub(super) end: u64,
    /// Earlier output of the run is left out.
    pub(super) cut: bool,
    /// The modes in which that left the terminal.
    pub(super) modes: String,
}

impl Window {
    /// Near the end of what a run wrote; of the latest one that wrote, if none is given. Of a worker without a terminal, so
    /// many lines.
    pub(super) fn open(
        store: &Store,
        log: &str,
        run: Option<u64>,
        lines: Option<u16>,
    ) -> Result<Self, ApiError> {
        let failed = |error: ganger_logs::Error| unreadable(&error);
        let end = store.end(log).map_err(failed)?;
        let least = end.saturating_sub(if lines.is_some() { LINES_BYTES } else { REPLAY_BYTES });
        let mut reader = store.reader(log, From::Position(least)).map_err(failed)?;
        let run = match (run, end.checked_sub(1)) {
            (Some(run), _) => run,
            (None, Some(last)) => reader.stamp(last).map_err(failed)?.run,
            (None, None) => 0,
        };
        let mut begin = first_of(&mut reader, run, least, end).map_err(failed)?;
        // Whether it is the first of the run is told by what is before it.
        let mut cut = begin == least && least > 0 && reader.stamp(least - 1).map_err(failed)?.run == run;
        if let Some(lines) = lines {
            let found = last_lines(store, log, begin, end, lines).map_err(failed)?;
            cut |= found > begin;
            begin = found;
        }
        let modes = if cut && lines.is_none() {
            modes_before(store, log, run, begin).map_err(failed)?
        } else {
            String::new()
        };
        let reader = store.reader(log, From::Position(begin)).map_err(failed)?;
        Ok(Self { reader, end, cut, modes })
    }
}

/// The modes in which a run had left its terminal when it came to a position.
fn modes_before(store: &Store, log: &str, run: u64, position: u64) -> ganger_logs::Result<String> {
    let least = position.saturating_sub(MODES_BYTES);
    let mut reader = store.reader(log, From::Position(least))?;
    let begin = first_of(&mut reader, run, least, position)?;
    let mut reader = store.reader(log, From::Position(begin))?;
    let (mut modes, mut piece) = (Modes::default(), vec![0; PIECE_BYTES]);
    while reader.position() < position {
        let most = usize::try_from(position - reader.position()).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        match reader.read(&mut piece[..most])? {
            Read::Bytes(length) => modes.feed(&piece[..length]),
            Read::Skipped(_) => modes = Modes::default(),
            Read::End => break,
        }
    }
    Ok(modes.text())
}

/// The first position between two that a run wrote, or one after it: `high` if there is none.
pub(super) fn first_of(reader: &mut Reader, run: u64, low: u64, high: u64) -> ganger_logs::Result<u64> {
    let (mut low, mut high) = (low, high);
    while low < high {
        let middle = low + (high - low) / 2;
        if reader.stamp(middle)?.run < run {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// Where the last so many lines begin.
fn last_lines(store: &Store, log: &str, begin: u64, end: u64, lines: u16) -> ganger_logs::Result<u64> {
    let mut reader = store.reader(log, From::Position(begin))?;
    let mut text = vec![0; usize::try_from(end - begin).unwrap_or(0)];
    let (mut length, mut first) = (0, begin);
    while length < text.len() {
        match reader.read(&mut text[length..])? {
            Read::Bytes(read) => length += read,
            Read::Skipped(_) => (length, first) = (0, reader.position()),
            Read::End => break,
        }
    }
    let text = text[..length].strip_suffix(b"\n").unwrap_or(&text[..length]);
    let ends = text.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    let before = ends.map(|(place, _)| place as u64 + 1).nth(usize::from(lines).saturating_sub(1));
    Ok(before.map_or(first, |place| first + place))
}
