//! How the screen looks: a picture of the state, and nothing else.

mod bars;
mod boxes;
mod lines;
mod list;
mod terminal;

use ganger_api::WorkerState;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};

use crate::mode::Mode;
use crate::screen::Screen;

pub(crate) use boxes::help_scroll_max;

/// From so many columns on, the list and the log stand side by side.
const WIDE: u16 = 150;
/// The list beside the log has so many columns.
const LIST_COLUMNS: u16 = 66;
/// With fewer rows between the bars only one of list and log is shown.
const BOTH_ROWS: u16 = 8;
/// Smaller is of no use.
const LEAST: (u16, u16) = (20, 5);

/// Where everything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    title: Rect,
    /// With its head.
    pub(crate) list: Option<Rect>,
    bar: Rect,
    pub(crate) log: Rect,
    status: Rect,
    footer: Rect,
}

impl Layout {
    pub(crate) fn of(screen: &Screen) -> Self {
        let (columns, rows) = screen.setup.size;
        let row = |y: u16| Rect { x: 0, y, width: columns, height: 1.min(rows.saturating_sub(y)) };
        let (title, status, footer) =
            (row(0), row(rows.saturating_sub(2).max(1)), row(rows.saturating_sub(1).max(2)));
        let body = Rect { x: 0, y: 1.min(rows), width: columns, height: rows.saturating_sub(3) };
        let none = Rect { height: 0, ..body };
        let (list, rest) = if screen.zoomed || (body.height < BOTH_ROWS && screen.log_has_focus) {
            (None, body)
        } else if body.height < BOTH_ROWS {
            (Some(body), none)
        } else if columns >= WIDE {
            let list = Rect { width: LIST_COLUMNS, ..body };
            // A line stands between them.
            let x = LIST_COLUMNS + 1;
            (Some(list), Rect { x, width: columns - x, ..body })
        } else {
            let wanted = u16::try_from(screen.roster.rows.len() + 1).unwrap_or(u16::MAX);
            let height = wanted.clamp(2, (body.height * 2 / 5).max(3));
            let list = Rect { height, ..body };
            (Some(list), Rect { y: body.y + height, height: body.height - height, ..body })
        };
        let bar = Rect { height: rest.height.min(1), ..rest };
        let log = Rect { y: rest.y + bar.height, height: rest.height - bar.height, ..rest };
        Self { title, list, bar, log, status, footer }
    }

    /// What there is no room for beside the rest.
    fn hidden(&self, screen: &Screen) -> Option<&'static str> {
        match self.list {
            None if screen.zoomed => None,
            None => Some("list"),
            Some(_) if self.bar.height > 0 => None,
            Some(_) if screen.live.is_shown() => Some("terminal"),
            Some(_) => Some("log"),
        }
    }

    /// The number of the row of the list that is shown there.
    pub(crate) fn row_at(&self, screen: &Screen, column: u16, row: u16) -> Option<usize> {
        let list = self.list.filter(|list| list.contains((column, row).into()))?;
        let below_head = usize::from(row - list.y).checked_sub(1)?;
        let place = list::scrolled(screen, list) + below_head;
        (place < screen.roster.rows.len()).then_some(place)
    }
}

/// Draws all of it.
pub(crate) fn screen(screen: &Screen, buffer: &mut Buffer) {
    let (columns, rows) = screen.setup.size;
    if columns == 0 || rows == 0 {
        return;
    }
    if columns < LEAST.0 || rows < LEAST.1 {
        let text = format!("at least {}×{}", LEAST.0, LEAST.1);
        buffer.set_stringn(0, 0, text, columns.into(), Style::new());
        return;
    }
    let layout = Layout::of(screen);
    bars::title(screen, layout.title, buffer);
    if let Some(area) = layout.list {
        list::draw(screen, area, buffer);
        if area.width < columns {
            bars::divide(screen, Rect { x: area.right(), width: 1, ..area }, buffer);
        }
    }
    if layout.bar.height > 0 {
        bars::pane(screen, layout.bar, buffer);
        if screen.live.is_shown() {
            terminal::draw(screen, layout.log, buffer);
        } else {
            lines::draw(screen, layout.log, buffer);
        }
    }
    bars::status(screen, layout.status, buffer);
    bars::footer(screen, layout.footer, buffer);
    let body = Rect { x: 0, y: 1, width: columns, height: rows.saturating_sub(3) };
    match &screen.mode {
        Mode::Keys | Mode::Typing(_) => {}
        Mode::Help(scrolled) => boxes::help(screen, *scrolled, body, buffer),
        Mode::Signals { chosen, pattern } => boxes::signals(screen, *chosen, pattern, body, buffer),
        Mode::Question(question) => boxes::question(screen, &question.text, body, buffer),
    }
}

/// The colours of names, in turn: those that can be read on a dark and on a light ground.
const NAMES: [Color; 6] = [Color::Cyan, Color::Yellow, Color::Green, Color::Magenta, Color::Blue, Color::Red];

impl Screen {
    /// This style, or what is left of it without colours.
    fn style(&self, style: Style) -> Style {
        if self.setup.coloured { style } else { Style { fg: None, bg: None, ..style } }
    }

    fn colour(&self, colour: Color) -> Style {
        self.style(Style::new().fg(colour))
    }

    /// Text that needs somebody.
    fn bad(&self) -> Style {
        self.colour(Color::Red)
    }

    fn dim() -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    fn bold() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What stands out from everything.
    fn bar() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The prefix of a worker's lines: each in the order of the list has its colour.
    fn name_style(&self, worker: &ganger_spec::WorkerName) -> Style {
        let place = self.roster.workers.iter().position(|other| other.name == *worker).unwrap_or(0);
        self.colour(NAMES[place % NAMES.len()])
    }

    /// Green is well, yellow is on its way, red needs somebody.
    fn state_style(&self, state: WorkerState) -> Style {
        match state {
            WorkerState::Running => self.colour(Color::Green),
            WorkerState::Starting | WorkerState::Stopping | WorkerState::Backoff => {
                self.colour(Color::Yellow)
            }
            WorkerState::Fatal => self.bad(),
            WorkerState::Stopped | WorkerState::Exited => Style::new(),
        }
    }
}
