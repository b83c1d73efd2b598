//! How bytes get from a pipe to a log: spliced where that is possible and the worker does not wait for it, else by hand.

use std::io;
use std::sync::atomic::Ordering;

use super::{Desk, Moved, Writer, open};
use crate::files::Files;
use crate::hand::Wanted;
use crate::home::Place;
use crate::log::Log;
use crate::name::Paths;
use crate::{Error, Result};

/// So much in a pipe is carried by hand: the worker would wait for a splice.
const LOUD_BYTES: usize = 32 * 1024;
/// At most this is taken at once where there is no hand.
const TAKE_BYTES: usize = 64 * 1024;

/// Where bytes are moved to.
pub(super) struct Goal<'a, F: Files> {
    pub(super) desk: &'a Desk<'a, F>,
    pub(super) paths: Paths<'a>,
    pub(super) log: &'a Log,
}

impl<F: Files> Writer<F> {
    /// Writes what was taken for this log and could not be written, or what a start before was killed over. It goes to the
    /// file that it was taken for, full or old as that may be: only there can be seen how much of it was written.
    pub(crate) fn settle(&mut self, desk: &Desk<'_, F>, log: &Log, now: i64) -> Result<Moved> {
        let home = log.home();
        let mut moved = Moved { bytes: 0, left_out: 0, rotated: false };
        if desk.hand.borrow().creditor() != Some(&log.name) {
            return Ok(moved);
        }
        if home.place == Place::Dropped {
            desk.hand.borrow_mut().let_go();
            return Ok(moved);
        }
        let paths = home.paths(desk.dir, &log.name);
        moved.rotated = self.look(desk, paths, log)?;
        if self.unsettled {
            self.rotate(desk, paths, log, &log.limits(), now)?;
        }
        if self.open.is_none() {
            self.open = Some(Box::new(open(desk.files, paths, log, self.began.take(), now)?));
        }
        self.held = desk.hand.borrow().owes(&log.name);
        let put = self.put_owed(&Goal { desk, paths, log });
        moved.bytes = put.map_err(|e| Error::io("write", &paths.log(0), e))?;
        Ok(moved)
    }

    /// Moves up to `max` bytes from the source to the log.
    pub(super) fn carry_over(
        &mut self,
        goal: &Goal<'_, F>,
        source: &F::Source,
        max: usize,
    ) -> io::Result<Moved> {
        let strips = goal.log.home().strip;
        if self.carry.is_empty() {
            let least = if strips { 1 } else { LOUD_BYTES };
            let moved = self.take_in_hand(goal, source, least..=max)?;
            if moved.bytes > 0 {
                return Ok(moved);
            }
        }
        if self.carry.is_empty() && !strips {
            if let Some(bytes) = self.splice(goal, source, max)? {
                return Ok(Moved { bytes, left_out: 0, rotated: false });
            }
            let moved = self.take_in_hand(goal, source, 1..=max)?;
            if moved.bytes > 0 {
                return Ok(moved);
            }
        }
        self.copy(goal, source, max)
    }

    /// Splices bytes; none where that is not possible.
    fn splice(&mut self, goal: &Goal<'_, F>, source: &F::Source, max: usize) -> io::Result<Option<usize>> {
        let Some(open) = self.open.as_ref() else { return Ok(None) };
        let spliced = goal.desk.files.splice(source, &open.log, goal.log.end() - open.base, max)?;
        self.has_grown(goal, spliced.unwrap_or(0));
        Ok(spliced)
    }

    /// Carries so many bytes by hand, if they are there and the hand is free.
    fn take_in_hand(
        &mut self,
        goal: &Goal<'_, F>,
        source: &F::Source,
        many: std::ops::RangeInclusive<usize>,
    ) -> io::Result<Moved> {
        let (least, most) = many.into_inner();
        let strip = goal.log.home().strip.then_some(self.strip);
        let wanted = Wanted { log: &goal.log.name, position: goal.log.end(), strip, least, most };
        let mut hand = goal.desk.hand.borrow_mut();
        let bytes = hand.take(goal.desk.files, source, &wanted)?;
        if bytes == 0 {
            return Ok(Moved { bytes, left_out: 0, rotated: false });
        }
        let (owed, strip) = hand.owed();
        let left_out = difference(bytes, owed.len());
        self.held = owed.len();
        self.strip = strip.unwrap_or(self.strip);
        drop(owed);
        drop(hand);
        self.bring_forward(left_out);
        let put = self.put_owed(goal);
        // What was left out is so, though what is left cannot be stored now.
        if left_out == 0 {
            put?;
        }
        Ok(Moved { bytes, left_out, rotated: false })
    }

    /// Writes what is in the hand for this log.
    fn put_owed(&mut self, goal: &Goal<'_, F>) -> io::Result<usize> {
        let mut hand = goal.desk.hand.borrow_mut();
        let Some(open) = self.open.as_ref().filter(|_| hand.creditor() == Some(&goal.log.name)) else {
            return Ok(0);
        };
        let bytes = hand.put(goal.desk.files, &open.log, open.base, goal.log.end())?;
        self.held = 0;
        self.has_grown(goal, bytes);
        Ok(bytes)
    }

    /// Reads bytes and writes them: a kill in between loses them.
    fn copy(&mut self, goal: &Goal<'_, F>, source: &F::Source, max: usize) -> io::Result<Moved> {
        let (mut taken, mut left_out) = (0, 0);
        if self.carry.is_empty() {
            taken = take(goal.desk.files, source, &mut self.carry, max)?;
            if goal.log.home().strip {
                self.strip.strip(&mut self.carry);
            }
            left_out = difference(taken, self.carry.len());
            self.bring_forward(left_out);
        }
        let bytes = self.carry.len().min(max);
        let Some(open) = self.open.as_ref().filter(|_| bytes > 0) else {
            return Ok(Moved { bytes: taken, left_out, rotated: false });
        };
        let written = goal.desk.files.write_at(&open.log, goal.log.end() - open.base, &self.carry[..bytes]);
        match written {
            // What was left out is so, though what is left cannot be stored now.
            Err(_) if left_out != 0 => return Ok(Moved { bytes: taken, left_out, rotated: false }),
            written => written?,
        }
        self.carry.drain(..bytes);
        self.has_grown(goal, bytes);
        Ok(Moved { bytes: bytes.max(taken), left_out, rotated: false })
    }

    /// So much was written.
    fn has_grown(&mut self, goal: &Goal<'_, F>, bytes: usize) {
        let end = goal.log.end() + bytes as u64;
        goal.log.end.store(end, Ordering::Release);
        if let Some(open) = self.open.as_mut().filter(|_| goal.paths.file.is_some() && bytes > 0) {
            open.note_end(goal.desk.files, end);
        }
    }

    /// Takes bytes from the source and lets them go.
    pub(super) fn drop_some(
        &mut self,
        desk: &Desk<'_, F>,
        source: &F::Source,
        log: &Log,
        max: usize,
    ) -> Result<Moved> {
        let mut bytes = std::mem::take(&mut self.carry);
        let mut carried = bytes.len();
        let mut hand = desk.hand.borrow_mut();
        if hand.creditor() == Some(&log.name) {
            carried += hand.owes(&log.name);
            hand.let_go();
            self.held = 0;
        }
        let taken = take(desk.files, source, &mut bytes, max);
        let taken = carried + taken.map_err(|e| Error::io("read the output for", desk.dir, e))?;
        let left_out = difference(taken, 0);
        self.bring_forward(left_out);
        while let Some((_, run)) = self.begins.pop_front_if(|(position, _)| *position <= log.end()) {
            self.run = run;
        }
        Ok(Moved { bytes: taken, left_out, rotated: false })
    }

    /// So many fewer bytes come before what is to begin.
    fn bring_forward(&mut self, left_out: i64) {
        for (position, _) in &mut self.begins {
            *position = position.saturating_add_signed(-left_out);
        }
    }
}

/// How many fewer there are now.
fn difference(before: usize, now: usize) -> i64 {
    i64::try_from(before).unwrap_or(0) - i64::try_from(now).unwrap_or(0)
}

/// Takes up to `max` bytes from the source.
fn take<F: Files>(files: &F, source: &F::Source, bytes: &mut Vec<u8>, max: usize) -> io::Result<usize> {
    bytes.clear();
    bytes.resize(max.min(TAKE_BYTES), 0);
    let taken = files.take(source, bytes);
    bytes.truncate(*taken.as_ref().unwrap_or(&0));
    taken
}
