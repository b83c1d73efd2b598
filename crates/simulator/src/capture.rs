//! A model of the capture of output: numbered bytes go from a pipe to a log that rotates, and the overseer may die
//! between any two of its steps. Behind a trait, so that the true store can take its place.

use std::collections::VecDeque;

/// Bytes that a worker wrote and nobody has read. It is held by the keeper: no death of an overseer empties it.
pub(crate) type Pipe = VecDeque<u64>;

/// Where the bytes of a worker go.
pub(crate) trait Store {
    /// Does one step that cannot be interrupted. Whether it was one of a rotation.
    fn step(&mut self, pipe: &mut Pipe) -> bool;
    /// Whether there is a rotation under way.
    fn rotating(&self) -> bool;
    /// A new overseer opens what an earlier one left.
    fn reopen(&mut self);
    /// All bytes, oldest first, as a reader finds them.
    fn contents(&self) -> Vec<u64>;
    /// Puts something wrong into the log; for mutations.
    fn spoil(&mut self, spoil: Spoil);
}

/// How a log is made wrong on purpose.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spoil {
    Double,
    Lose,
}

/// Files on a fake disk. A rotation moves the torn last line (here: what follows the last multiple of ten) to a new
/// file: the tail is copied to a file that does not count, then one rename makes old and new file what they are.
#[derive(Debug, Default)]
pub(crate) struct FakeLog {
    rotated: Vec<Vec<u64>>,
    present: Vec<u64>,
    rotation: Option<Rotation>,
}

#[derive(Debug)]
enum Rotation {
    Begun,
    Copied { cut: usize, tail: Vec<u64> },
}

/// Moved from the pipe at a time.
const CHUNK: usize = 7;
/// A log that is longer rotates.
const FULL: usize = 40;

impl Store for FakeLog {
    fn step(&mut self, pipe: &mut Pipe) -> bool {
        match self.rotation.take() {
            None if self.present.len() > FULL => self.rotation = Some(Rotation::Begun),
            None => {
                let moved = pipe.len().min(CHUNK);
                self.present.extend(pipe.drain(..moved));
                return false;
            }
            Some(Rotation::Begun) => {
                let cut =
                    self.present.iter().rposition(|number| number % 10 == 9).map_or(0, |place| place + 1);
                let tail = self.present[cut..].to_vec();
                self.rotation = Some(Rotation::Copied { cut, tail });
            }
            Some(Rotation::Copied { cut, tail }) => {
                self.present.truncate(cut);
                self.rotated.push(std::mem::replace(&mut self.present, tail));
            }
        }
        true
    }

    fn rotating(&self) -> bool {
        self.rotation.is_some()
    }

    fn reopen(&mut self) {
        self.rotation = None;
    }

    fn contents(&self) -> Vec<u64> {
        self.rotated.iter().flatten().chain(&self.present).copied().collect()
    }

    fn spoil(&mut self, spoil: Spoil) {
        match spoil {
            Spoil::Double => self.present.extend(self.present.last().copied()),
            Spoil::Lose => {
                self.present.pop();
            }
        }
    }
}
