//! The state of the screen, and what news do to it.

use ganger_api::{EventInfo, EventKind, TerminalSize, Time};

use crate::ask;
use crate::draw::{self, Layout};
use crate::figures::clock;
use crate::live::Live;
use crate::log::{Log, Space};
use crate::message::{Effect, Message, Setup};
use crate::mode::Mode;
use crate::roster::{Roster, Row};
use crate::{Buffer, Rect};

/// The screen.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug)]
pub struct Screen {
    pub(crate) setup: Setup,
    pub(crate) roster: Roster,
    /// The row whose log or terminal is shown.
    pub(crate) shown: Option<Row>,
    pub(crate) log: Log,
    /// Terminals are shown rather than logs, where there are any.
    pub(crate) wants_terminal: bool,
    pub(crate) live: Live,
    pub(crate) mode: Mode,
    /// The arrows scroll the log or the terminal instead of choosing a row.
    pub(crate) log_has_focus: bool,
    /// That is alone on the screen.
    pub(crate) zoomed: bool,
    pub(crate) notice: Option<Notice>,
    /// Why the app is no more, or cannot be reached.
    pub(crate) ended: Option<String>,
    pub(crate) has_mouse: bool,
    /// Figures are not sampled any more.
    pub(crate) rests: bool,
    /// So many commands have no answer yet.
    pub(crate) under_way: usize,
    /// The size that the workers' terminals were given last.
    fitted: Option<TerminalSize>,
}

/// What people should know now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) is_bad: bool,
}

/// So many commands may wait for their answers.
pub(crate) const UNDER_WAY_MAX: usize = 8;

impl Screen {
    /// A screen that knows nothing yet, and what it asks for.
    pub fn new(setup: Setup) -> (Self, Vec<Effect>) {
        let screen = Self {
            setup,
            roster: Roster::default(),
            shown: None,
            log: Log::new(),
            wants_terminal: false,
            live: Live::default(),
            mode: Mode::Keys,
            log_has_focus: false,
            zoomed: false,
            notice: None,
            ended: None,
            has_mouse: false,
            rests: false,
            under_way: 0,
            fitted: None,
        };
        (screen, vec![Effect::Look])
    }

    /// Takes a message; what it asks for.
    pub fn update(&mut self, message: Message) -> Vec<Effect> {
        let mut effects = match message {
            Message::Press(press) => {
                self.rests = false;
                self.press(press)
            }
            Message::Resized(columns, rows) => {
                self.setup.size = (columns, rows);
                Vec::new()
            }
            Message::Looked { app, workers, at } => {
                self.roster.take(*app, workers, at);
                // Lines of its log would have come before.
                self.log.is_fresh = false;
                self.show_selected()
            }
            Message::Happened(event) => self.happened(&event),
            Message::Lines { window, lines } => self.log.lines(window, lines),
            Message::Paged { page, lines, complete } => self.log.paged(&page, lines, complete, self.space()),
            Message::LogFailed { window, why } => {
                self.log.failed(window, why);
                Vec::new()
            }
            Message::Viewed { window, told } => self.viewed(window, told),
            Message::Attached(why_not) => self.attached(why_not),
            Message::Answered { words, result } => {
                self.answered(&words, result);
                Vec::new()
            }
            Message::Ended(why) => self.end(why),
            Message::Rested => {
                self.rests = true;
                Vec::new()
            }
        };
        effects.extend(self.fit());
        if self.live.is_shown() {
            let space = self.space();
            self.live.settle(space);
        }
        if let Some(remark) = self.log.remark.take().or_else(|| self.live.remark.take()) {
            self.say(remark, true);
        }
        if self.ended.is_some() {
            // There is nobody to ask.
            effects.retain(|effect| matches!(effect, Effect::Leave | Effect::Mouse(_)));
        }
        effects
    }

    /// Workers of an app of one's own draw for the room that there is for them.
    fn fit(&mut self) -> Option<Effect> {
        // How much that is tells the number of rows in the list.
        if !self.setup.owns_app || self.roster.rows.is_empty() {
            return None;
        }
        let area = Layout::of(self).log;
        let size = TerminalSize::new(area.height, area.width)?;
        (self.fitted.replace(size) != Some(size)).then_some(Effect::Fit(size))
    }

    /// What it looks like.
    pub fn picture(&self) -> Buffer {
        let (width, height) = self.setup.size;
        let mut buffer = Buffer::empty(Rect { x: 0, y: 0, width, height });
        draw::screen(self, &mut buffer);
        buffer
    }

    /// The room for the log or the terminal.
    pub(crate) fn space(&self) -> Space {
        let area = Layout::of(self).log;
        Space { columns: area.width.into(), rows: area.height.into() }
    }

    pub(crate) fn say(&mut self, text: String, is_bad: bool) {
        self.notice = Some(Notice { text, is_bad });
    }

    fn happened(&mut self, event: &EventInfo) -> Vec<Effect> {
        self.rests = false;
        if event.time <= self.setup.now {
            return Vec::new();
        }
        if tells(event.kind) {
            let about = event.worker.as_ref().map(|worker| format!("{worker} ")).unwrap_or_default();
            let text = format!("{} {about}{}", self.clock(event.time), event.text);
            self.say(text, is_bad(event.kind));
        }
        vec![Effect::Look]
    }

    pub(crate) fn clock(&self, time: Time) -> String {
        clock(time, &self.setup.zone)
    }

    fn answered(&mut self, words: &str, result: Result<ganger_api::OutcomeInfo, String>) {
        self.under_way = self.under_way.saturating_sub(1);
        let (text, is_good) = match result {
            Ok(outcome) => ask::told(words, &outcome),
            Err(why) => (format!("{words}: {why}"), false),
        };
        self.say(text, !is_good);
    }

    fn end(&mut self, why: String) -> Vec<Effect> {
        self.ended = Some(why);
        self.mode = Mode::Keys;
        self.under_way = 0;
        if self.setup.owns_app { vec![Effect::Leave] } else { Vec::new() }
    }
}

/// Whether people are told of it: what starts, and how many there are, is seen in the list.
fn tells(kind: EventKind) -> bool {
    !matches!(
        kind,
        EventKind::State | EventKind::Started | EventKind::Scaled | EventKind::Waiting | EventKind::Ready
    )
}

fn is_bad(kind: EventKind) -> bool {
    match kind {
        EventKind::SpawnFailed | EventKind::Killing | EventKind::Stuck | EventKind::PortHeld => true,
        EventKind::State
        | EventKind::Waiting
        | EventKind::Ready
        | EventKind::Started
        | EventKind::Ended
        | EventKind::Released
        | EventKind::Scaled
        | EventKind::ShuttingDown
        | EventKind::Notice => false,
    }
}
