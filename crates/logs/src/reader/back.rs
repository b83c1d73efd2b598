//! Finding the last lines that somebody wants, from the end of a log.

use std::collections::VecDeque;

use super::{From, Lines, Next};
use crate::{Line, Result, Store};

/// The first step back is so long for each wanted line, which is what most lines are shorter than …
const LINE_GUESS: u64 = 160;
/// … within these bounds; each further step is four times as long, up to the upper one.
const STEP_BYTES: (u64, u64) = (4 * 1024, 4 * 1024 * 1024);

/// The position at which the last `wanted` lines begin that came in `since..until` and for which `wants` is true.
///
/// It reads a log from its end in growing steps, each step forwards: what a line is depends on what is before it.
pub(crate) fn last_lines(
    store: &Store,
    log: &str,
    wanted: usize,
    (since, until): (Option<i64>, Option<i64>),
    wants: impl Fn(&Line) -> bool,
) -> Result<u64> {
    let start = store.reader(log, since.map_or(From::Start, From::Time))?.position();
    let mut to = store.reader(log, until.map_or(From::End, From::Time))?.position();
    let mut step = (wanted as u64).saturating_mul(LINE_GUESS).clamp(STEP_BYTES.0, STEP_BYTES.1);
    let mut missing = wanted;
    while missing > 0 && to > start {
        let from = to.saturating_sub(step).max(start);
        let mut lines = Lines::new(store.reader(log, From::Position(from))?);
        lines.align()?;
        let begin = lines.position();
        let mut found = VecDeque::new();
        while lines.position() < to {
            match lines.next(true)? {
                Next::Line(line) if wants(&line) => {
                    if found.len() == missing {
                        found.pop_front();
                    }
                    found.push_back(line.position);
                }
                Next::Line(_) | Next::Skipped(_) => {}
                Next::Nothing => break,
            }
        }
        missing -= found.len();
        match found.front() {
            Some(first) if missing == 0 => return Ok(*first),
            Some(_) | None if from == start => return Ok(begin),
            // No line begins within the step: the next one has to reach further back than this line does.
            Some(_) | None if begin >= to => step *= 4,
            Some(_) | None => {
                to = begin;
                step = (step * 4).min(STEP_BYTES.1);
            }
        }
    }
    Ok(to)
}
