//! The live terminal of a worker, as the screen keeps it.
//!
//! The rules. It is only looked at: the worker's terminal keeps its size, and of one that is larger than its place the
//! part with the cursor is seen, which moves only when the cursor leaves it. What is held is a copy, which does not move
//! while the worker goes on. When a viewer was too slow, what was seen stays until what is to be seen is here.

use ganger_api::{Begin, FromWorker, RunHere, TerminalSize, Told};
use ganger_terminal::{Mirror, Replay, Screen, reset};

use crate::log::Space;

/// So many lines that scrolled off are kept; the log has all.
pub(crate) const HISTORY_LINES: usize = 500;
/// To the side by so many columns.
const SIDE_STEP: u16 = 8;

/// A worker's terminal.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// Which request the frames are of.
    number: u64,
    worker: String,
    state: State,
    run: Option<u64>,
    /// What was written before, while it comes.
    coming: Option<(Mirror, Replay)>,
    /// So many rows are above what is seen.
    top: u16,
    held: Option<Held>,
    /// So many columns are to the left.
    shift: u16,
    /// What people should know.
    pub(crate) remark: Option<String>,
}

/// What is known of a terminal.
#[derive(Debug, Default)]
enum State {
    /// Nobody asked.
    #[default]
    Unwanted,
    /// Nothing yet.
    Awaited,
    /// The worker has none, or no run.
    Without(Lack),
    /// What it shows.
    Seen(Box<Mirror>),
}

/// Why there is no terminal to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// The worker does not run: its next run is waited for.
    NoRun,
    /// Its run writes to a pipe.
    NoTerminal,
    /// It cannot be shown.
    Failed,
}

/// A copy that does not move.
#[derive(Debug)]
struct Held {
    screen: Screen,
    /// So many rows of it are above.
    top: u16,
}

/// The part of a terminal that is seen.
pub(crate) struct Part<'a> {
    pub(crate) screen: &'a Screen,
    pub(crate) top: u16,
    pub(crate) left: u16,
    /// The cursor is where something is written next.
    pub(crate) has_cursor: bool,
}

impl Live {
    /// Looks at the terminal of this worker, and at no other; the number of the request.
    pub(crate) fn begin(&mut self, worker: String) -> u64 {
        *self = Self { number: self.number + 1, worker, state: State::Awaited, ..Self::default() };
        self.number
    }

    /// Looks at none any more; whether there was one.
    pub(crate) fn end(&mut self) -> bool {
        let was_wanted = !matches!(self.state, State::Unwanted);
        *self = Self { number: self.number + 1, ..Self::default() };
        was_wanted
    }

    /// Whether it has the place, and not the log: also while nothing is known yet.
    pub(crate) fn is_shown(&self) -> bool {
        matches!(self.state, State::Awaited | State::Seen(_))
    }

    /// Why there is none, although one was wanted.
    pub(crate) fn lack(&self) -> Option<Lack> {
        match self.state {
            State::Without(lack) => Some(lack),
            State::Unwanted | State::Awaited | State::Seen(_) => None,
        }
    }

    /// Whether this answer is still wanted.
    pub(crate) fn is_wanted(&self, window: u64) -> bool {
        window == self.number && !matches!(self.state, State::Unwanted)
    }

    #[cfg(test)]
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// It cannot be shown.
    pub(crate) fn failed(&mut self, why: String) {
        self.state = State::Without(Lack::Failed);
        self.held = None;
        self.remark = Some(why);
    }

    /// Takes what the app tells.
    pub(crate) fn take(&mut self, frame: FromWorker) {
        match frame {
            FromWorker::Output { position, bytes } => self.output(position, &bytes),
            FromWorker::Told(Told::Begin(begin)) => self.begun(&begin),
            FromWorker::Told(Told::Resumed(begin)) => {
                if let Some(run) = begin.run.filter(|run| Some(run.run) != self.run) {
                    self.started(run);
                }
            }
            FromWorker::Told(Told::Size(size)) => match (&mut self.coming, &mut self.state) {
                (Some((_, replay)), _) => replay.resize(size),
                (None, State::Seen(mirror)) => mirror.resize(size),
                (None, State::Unwanted | State::Awaited | State::Without(_)) => {}
            },
            FromWorker::Told(Told::Ended { text, .. }) => {
                self.run = None;
                let usual = self.mirror().map(|mirror| reset(mirror.screen())).unwrap_or_default();
                self.feed(usual.as_bytes());
                self.line(&text);
            }
            FromWorker::Told(Told::Started(run)) => self.started(run),
            FromWorker::Told(Told::Notice { text }) => self.remark = Some(text),
        }
    }

    fn begun(&mut self, begin: &Begin) {
        self.run = begin.run.map(|run| run.run);
        self.coming = None;
        match begin.run.map(|run| run.terminal) {
            None => self.state = State::Without(Lack::NoRun),
            Some(None) => self.state = State::Without(Lack::NoTerminal),
            Some(Some(size)) => {
                self.coming = Some((Mirror::new(size, HISTORY_LINES), Replay::new(begin, size)));
                self.replayed(begin.position);
            }
        }
    }

    fn output(&mut self, position: u64, bytes: &[u8]) {
        let Some((_, replay)) = &mut self.coming else { return self.feed(bytes) };
        let after = replay.take(position, bytes);
        self.replayed(position + bytes.len() as u64);
        self.feed(after);
    }

    /// What was written up to this position is here: perhaps all that was written before.
    fn replayed(&mut self, position: u64) {
        if let Some((mut mirror, replay)) = self.coming.take_if(|(_, replay)| replay.ends_at(position)) {
            replay.show_in(&mut mirror);
            self.state = State::Seen(Box::new(mirror));
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        if let State::Seen(mirror) = &mut self.state {
            mirror.feed(bytes);
        }
    }

    fn mirror(&self) -> Option<&Mirror> {
        match &self.state {
            State::Seen(mirror) => Some(mirror),
            State::Unwanted | State::Awaited | State::Without(_) => None,
        }
    }

    fn started(&mut self, run: RunHere) {
        self.run = Some(run.run);
        self.coming = None;
        match (&mut self.state, run.terminal) {
            (_, None) => self.state = State::Without(Lack::NoTerminal),
            (State::Seen(mirror), Some(size)) => mirror.resize(size),
            (State::Unwanted | State::Awaited | State::Without(_), Some(size)) => {
                self.state = State::Seen(Box::new(Mirror::new(size, HISTORY_LINES)));
            }
        }
        let pid = run.pid.map(|pid| format!(" with pid {pid}")).unwrap_or_default();
        self.line(&format!("started{pid}"));
    }

    /// A line of ganger's own below what the worker wrote.
    fn line(&mut self, text: &str) {
        let Some(mirror) = self.mirror() else { return };
        let begin = if mirror.screen().cursor_position().1 > 0 { "\r\n" } else { "" };
        let line = format!("{begin}\x1b[2m[{} {text}]\x1b[m\r\n", self.worker);
        self.feed(line.as_bytes());
    }

    /// Its size, where it is known.
    pub(crate) fn size(&self) -> Option<TerminalSize> {
        self.mirror().map(Mirror::size)
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// The first column that is seen, counted from 0.
    pub(crate) fn shift(&self) -> u16 {
        self.shift
    }

    /// The part that is seen in this place.
    pub(crate) fn part(&self, space: Space) -> Option<Part<'_>> {
        let live = self.mirror()?.screen();
        let (screen, top) = match &self.held {
            Some(held) => (&held.screen, held.top),
            None => (live, self.top),
        };
        let has_cursor = self.held.is_none() && self.run.is_some() && !screen.hide_cursor();
        Some(Part { screen, top, left: self.shift.min(shift_max(screen, space)), has_cursor })
    }

    /// Lets the cursor be seen in this place. A program that draws all of the screen and hides the cursor is seen from its
    /// top.
    pub(crate) fn settle(&mut self, space: Space) {
        let Some(mirror) = self.mirror() else { return };
        let screen = mirror.screen();
        if screen.alternate_screen() && screen.hide_cursor() {
            self.top = 0;
            return;
        }
        let place = u16::try_from(space.rows).unwrap_or(u16::MAX).max(1);
        let cursor = screen.cursor_position().0;
        let last = mirror.size().rows.saturating_sub(place);
        self.top = self.top.clamp((cursor + 1).saturating_sub(place), cursor).min(last);
    }

    /// Holds what is seen.
    pub(crate) fn hold(&mut self) {
        if let Some(mirror) = self.mirror()
            && self.held.is_none()
        {
            self.held = Some(Held { screen: mirror.screen().clone(), top: self.top });
        }
    }

    /// Goes on with the worker; whether it was held.
    pub(crate) fn follow(&mut self) -> bool {
        self.held.take().is_some()
    }

    /// Up (negative) or down by so many rows, through what scrolled off, too.
    pub(crate) fn scroll(&mut self, rows: isize, space: Space) {
        if rows < 0 {
            self.hold();
        }
        let Some(held) = &mut self.held else { return };
        let kept = held.screen.scrollback_len();
        let end = kept + usize::from(held.screen.size().0.get()).saturating_sub(space.rows);
        let now = kept - held.screen.scrollback() + usize::from(held.top);
        let wanted = now.saturating_add_signed(rows);
        if wanted >= end && rows > 0 {
            self.held = None;
            return;
        }
        held.screen.set_scrollback(kept.saturating_sub(wanted));
        held.top = u16::try_from(wanted.saturating_sub(kept)).unwrap_or(0);
    }

    /// To the first line that is kept.
    pub(crate) fn go_to_first(&mut self, space: Space) {
        self.scroll(-isize::try_from(HISTORY_LINES + usize::from(u16::MAX)).unwrap_or(isize::MAX), space);
    }

    /// To the side, where the terminal is wider than its place.
    pub(crate) fn turn_aside(&mut self, right: bool, space: Space) {
        let Some(part) = self.part(space) else { return };
        self.shift = if right {
            (part.left + SIDE_STEP).min(shift_max(part.screen, space))
        } else {
            part.left.saturating_sub(SIDE_STEP)
        };
    }
}

fn shift_max(screen: &Screen, space: Space) -> u16 {
    screen.size().1.get().saturating_sub(u16::try_from(space.columns).unwrap_or(u16::MAX))
}
