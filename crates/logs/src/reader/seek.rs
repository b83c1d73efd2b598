//! Finding where to begin.

use super::{From, Read, Reader, stamps};
use crate::Result;

/// Bytes that are searched for line ends at once.
const BLOCK: u64 = 64 * 1024;

impl Reader {
    pub(super) fn seek(&mut self, from: From) -> Result<u64> {
        let (start, end) = (self.log.start(), self.log.end());
        Ok(match from {
            From::Start => start,
            From::End | From::LastLines(0) => end,
            From::Position(position) => position,
            From::Time(time) => stamps::position_at(&self.store, &self.log, time)?,
            From::LastLines(lines) => self.last_lines(lines, start, end)?,
        })
    }

    /// The position at which the last `lines` lines before `end` begin. What follows the last line end is a line.
    fn last_lines(&mut self, lines: usize, start: u64, end: u64) -> Result<u64> {
        let mut buf = vec![0; usize::try_from(BLOCK).unwrap_or(0)];
        let mut wanted = lines;
        let mut to = end;
        while to > start {
            let from = to.saturating_sub(BLOCK).max(start);
            let block = &mut buf[..usize::try_from(to - from).unwrap_or(0)];
            let skipped = self.read_exactly(from, block)?;
            if skipped > 0 {
                return Ok(from + skipped);
            }
            for at in memchr::memrchr_iter(b'\n', block) {
                let after = from + at as u64 + 1;
                if after == end {
                    // The last line's own end.
                    continue;
                }
                wanted = wanted.saturating_sub(1);
                if wanted == 0 {
                    return Ok(after);
                }
            }
            to = from;
        }
        Ok(start)
    }

    /// Reads a block; says how much from its begin on could not be had.
    fn read_exactly(&mut self, from: u64, block: &mut [u8]) -> Result<u64> {
        let mut got = 0;
        let mut missing = 0;
        self.position = from;
        while got < block.len() {
            match self.read(&mut block[got..])? {
                Read::Bytes(n) => got += n,
                Read::Skipped(n) => {
                    let n = usize::try_from(n).unwrap_or(block.len()).min(block.len() - got);
                    got += n;
                    missing = got as u64;
                }
                Read::End => return Ok(block.len() as u64),
            }
        }
        Ok(missing)
    }
}
