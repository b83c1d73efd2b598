//! What a viewer's terminal shows of a worker's.
//!
//! 1. A terminal of the same size gets what the worker writes as it is. A mirror is kept beside it, from which the screen
//!    is drawn: at first, and where something of ganger's own was shown or something was left out.
//! 2. A terminal of another size is painted from the mirror.
//! 3. A worker without a terminal is shown line by line, as its log is.

use ganger_api::{Begin, FromWorker, RunHere, TerminalSize, Told};
use ganger_terminal::{Mirror, Painter, Replay, reset};

use crate::terminal::Keyboard;

/// So many lines that scrolled off are kept, and shown at first.
const HISTORY_LINES: usize = 2000;

/// What to do beside showing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    GoOn,
    /// The keyboard is to do something else.
    Keyboard(Keyboard),
    /// The run has ended.
    Ended,
}

/// What is said beside what the worker writes.
pub(super) struct Words {
    /// How to detach, as people say it.
    pub(super) keys: Option<String>,
    /// The last of those keys.
    pub(super) last_key: Option<u8>,
    pub(super) read_only: bool,
    /// The lines that scrolled off are shown, too.
    pub(super) history: bool,
}

/// What is shown.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct View {
    words: Words,
    own: TerminalSize,
    worker: String,
    run: Option<u64>,
    /// None for a worker without a terminal.
    mirror: Option<Mirror>,
    painter: Painter,
    /// What was written before the viewer came, while it comes; and whether that is for the first time.
    replay: Option<(Replay, bool)>,
    /// Something of ganger's own is on the screen.
    covered: bool,
    /// The usual screen of the viewer's terminal, below the other one, is not the worker's.
    foreign: bool,
    /// The mirror has what is not painted yet.
    unpainted: bool,
    /// The terminal shows the other screen.
    alternate: bool,
    out: Vec<u8>,
}

impl View {
    pub(super) fn new(own: TerminalSize, words: Words) -> Self {
        Self {
            words,
            own,
            worker: String::new(),
            run: None,
            mirror: None,
            painter: Painter::default(),
            replay: None,
            covered: false,
            foreign: false,
            unpainted: false,
            alternate: false,
            out: Vec::new(),
        }
    }

    /// Takes what the server says.
    pub(super) fn take(&mut self, frame: FromWorker) -> Step {
        match frame {
            FromWorker::Output { position, bytes } => self.output(position, &bytes),
            FromWorker::Told(Told::Begin(begin)) => return self.begin(&begin),
            FromWorker::Told(Told::Resumed(begin)) => return self.resumed(&begin),
            FromWorker::Told(Told::Size(size)) => self.sized(size),
            FromWorker::Told(Told::Ended { text, .. }) => {
                self.ended(&text);
                return Step::Ended;
            }
            FromWorker::Told(Told::Started(run)) => return self.started(run),
            FromWorker::Told(Told::Notice { text }) => self.notice(&text),
        }
        Step::GoOn
    }

    fn begin(&mut self, begin: &Begin) -> Step {
        let first = self.worker.is_empty();
        self.worker = begin.worker.to_string();
        self.run = begin.run.map(|run| run.run);
        let terminal = begin.run.and_then(|run| run.terminal);
        if first {
            self.hello(begin, terminal.is_some());
        }
        match terminal {
            Some(size) => {
                self.mirror = Some(Mirror::new(size, HISTORY_LINES));
                self.replay = Some((Replay::new(begin, size), first));
                self.replayed(begin.position);
            }
            None if !first => self.line("what came faster than it could be shown is left out"),
            None => {}
        }
        Step::Keyboard(self.keyboard(begin.run))
    }

    fn resumed(&mut self, begin: &Begin) -> Step {
        match begin.run {
            Some(run) if Some(run.run) != self.run => self.started(run),
            _ => Step::GoOn,
        }
    }

    /// What the keyboard does while this run is shown.
    fn keyboard(&self, run: Option<RunHere>) -> Keyboard {
        match run {
            Some(RunHere { terminal: Some(_), .. }) => Keyboard::Raw,
            Some(RunHere { reads: true, .. }) if !self.words.read_only => {
                Keyboard::Lines(self.words.last_key)
            }
            Some(_) | None if self.mirror.is_some() => Keyboard::Raw,
            Some(_) | None => Keyboard::Keys,
        }
    }

    /// The first words.
    fn hello(&mut self, begin: &Begin, has_terminal: bool) {
        let what = match begin.run {
            None => format!("{} is not running ({}); its next run is waited for", self.worker, begin.why),
            Some(_) if has_terminal => format!("attached to {}", self.worker),
            Some(run) if run.reads => {
                format!("attached to {}, which has no terminal: it reads lines", self.worker)
            }
            Some(_) => format!("attached to {}, which has no terminal and reads nothing", self.worker),
        };
        let text = format!("{what}{}", self.how_to_leave());
        self.say(&text);
    }

    fn how_to_leave(&self) -> String {
        match &self.words.keys {
            Some(keys) => format!("; press {keys} to detach"),
            None => String::new(),
        }
    }

    /// A line of ganger's own, where lines are.
    fn say(&mut self, text: &str) {
        self.out.extend_from_slice(format!("\x1b[2m[{text}]\x1b[m\r\n").as_bytes());
    }

    fn output(&mut self, position: u64, bytes: &[u8]) {
        let Some(mirror) = &mut self.mirror else { return self.out.extend_from_slice(bytes) };
        if let Some((replay, _)) = &mut self.replay {
            // What was written after the viewer came is drawn for the size that the terminal got then.
            let after = replay.take(position, bytes);
            let end = position + bytes.len() as u64;
            self.replayed(end);
            if !after.is_empty() {
                self.output(end - after.len() as u64, after);
            }
            return;
        }
        let covered = std::mem::take(&mut self.covered);
        mirror.feed(bytes);
        if mirror.size() != self.own {
            self.unpainted = true;
        } else if covered || self.foreign && !mirror.screen().alternate_screen() {
            self.draw(false);
        } else {
            self.out.extend_from_slice(bytes);
            self.alternate = mirror.screen().alternate_screen();
        }
    }

    /// What was written up to this position is here: perhaps all that was written before the viewer came.
    fn replayed(&mut self, position: u64) {
        let whole = self.replay.take_if(|(replay, _)| replay.ends_at(position));
        let (Some((replay, first)), Some(mirror)) = (whole, &mut self.mirror) else { return };
        replay.show_in(mirror);
        self.foreign = mirror.screen().alternate_screen();
        self.draw(first && self.words.history);
        if first {
            self.cover(&format!("attached to {}{}", self.worker, self.how_to_leave()));
        }
    }

    /// Draws all of it.
    fn draw(&mut self, history: bool) {
        let Some(mirror) = &self.mirror else { return };
        self.covered = false;
        if mirror.size() != self.own {
            self.painter.forget();
            self.unpainted = true;
            return;
        }
        self.out.extend_from_slice(mirror.redraw(self.alternate, history).as_bytes());
        self.alternate = mirror.screen().alternate_screen();
        self.foreign &= self.alternate;
    }

    /// Shows words over a line of the screen, until something is typed or written.
    fn cover(&mut self, text: &str) {
        let Some(mirror) = self.mirror.as_ref().filter(|mirror| mirror.size() == self.own) else { return };
        let screen = mirror.screen();
        let row = if screen.cursor_position().0 + 1 < self.own.rows { self.own.rows } else { 1 };
        let text: String = format!(" {text} ").chars().take(usize::from(self.own.columns) - 1).collect();
        let cursor = format!("{}{}", screen.cursor_state_formatted(), screen.attributes_formatted());
        self.out.extend_from_slice(format!("\x1b[{row};1H\x1b[m\x1b[7m{text}\x1b[m{cursor}").as_bytes());
        self.covered = true;
    }

    /// Something is typed.
    pub(super) fn typed(&mut self) {
        if self.covered {
            self.draw(false);
        }
    }

    fn sized(&mut self, size: TerminalSize) {
        if let Some((replay, _)) = &mut self.replay {
            replay.resize(size);
        } else if let Some(mirror) = &mut self.mirror {
            mirror.resize(size);
            self.draw(false);
        }
    }

    /// The viewer's terminal has another size.
    pub(super) fn resized(&mut self, own: TerminalSize) {
        self.own = own;
        if self.replay.is_none() {
            self.draw(false);
        }
    }

    fn started(&mut self, run: RunHere) -> Step {
        self.run = Some(run.run);
        let pid = run.pid.map(|pid| format!(" with pid {pid}")).unwrap_or_default();
        match (&mut self.mirror, run.terminal) {
            (None, Some(size)) => {
                let mut mirror = Mirror::new(size, HISTORY_LINES);
                mirror.feed(b"\x1b[H");
                self.mirror = Some(mirror);
                self.draw(false);
            }
            (Some(_), None) => {
                self.give_back();
                self.mirror = None;
            }
            (Some(mirror), Some(size)) => mirror.resize(size),
            (None, None) => {}
        }
        self.line(&format!("{} started{pid}", self.worker));
        Step::Keyboard(self.keyboard(Some(run)))
    }

    fn ended(&mut self, text: &str) {
        self.run = None;
        if let Some(mirror) = &mut self.mirror {
            let usual = reset(mirror.screen());
            mirror.feed(usual.as_bytes());
            if mirror.size() == self.own {
                self.out.extend_from_slice(usual.as_bytes());
                self.alternate = false;
            }
            if self.foreign {
                self.draw(false);
            }
        }
        let text = format!("{} {text}", self.worker);
        self.line(&text);
    }

    /// Something that the server says.
    fn notice(&mut self, text: &str) {
        let is_full_screen = self.mirror.as_ref().is_some_and(|mirror| mirror.screen().alternate_screen());
        if is_full_screen { self.cover(text) } else { self.line(text) }
    }

    /// A line of ganger's own below what the worker wrote.
    fn line(&mut self, text: &str) {
        let Some(mirror) = &mut self.mirror else { return self.say(text) };
        let begin = if mirror.screen().cursor_position().1 > 0 { "\r\n" } else { "" };
        let line = format!("{begin}\x1b[2m[{text}]\x1b[m\r\n");
        mirror.feed(line.as_bytes());
        if mirror.size() == self.own && !self.covered {
            self.out.extend_from_slice(line.as_bytes());
        } else {
            self.draw(false);
        }
    }

    /// Leaves the terminal as a shell wants it, with the cursor below all that is shown.
    fn give_back(&mut self) {
        let Some(mirror) = &self.mirror else { return };
        if mirror.size() == self.own {
            self.out.extend_from_slice(reset(mirror.screen()).as_bytes());
        } else {
            // What was painted is the viewer's usual screen.
            let painted = Mirror::new(self.own, 0);
            self.out.extend_from_slice(reset(painted.screen()).as_bytes());
        }
        if !self.alternate {
            let last = mirror.screen().rows(0, self.own.columns).take(self.own.rows.into());
            let used =
                last.enumerate().filter(|(_, row)| !row.trim_end().is_empty()).map(|(row, _)| row + 1).last();
            let row = used.unwrap_or(1);
            self.out.extend_from_slice(format!("\x1b[{row};1H").as_bytes());
        }
        self.out.extend_from_slice(b"\r\n");
        self.alternate = false;
    }

    /// The last words. What was still to be shown may have been cut anywhere.
    pub(super) fn farewell(&mut self, text: &str) -> Vec<u8> {
        if self.covered {
            self.draw(false);
        }
        self.give_back();
        let what = text.replace("{worker}", &self.worker);
        self.say(&what);
        self.take_out()
    }

    /// What is to be shown now.
    pub(super) fn take_out(&mut self) -> Vec<u8> {
        if std::mem::take(&mut self.unpainted)
            && let Some(mirror) = self.mirror.as_ref().filter(|mirror| mirror.size() != self.own)
        {
            self.out.extend_from_slice(self.painter.paint(mirror, self.own).as_bytes());
        }
        std::mem::take(&mut self.out)
    }

    /// Whether there is something to be shown.
    pub(super) fn has_news(&self) -> bool {
        self.unpainted || !self.out.is_empty()
    }
}
