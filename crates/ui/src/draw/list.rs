//! The list of groups and workers.

use ganger_api::WorkerInfo;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Style};
use unicode_width::UnicodeWidthStr;

use super::bars::cut;
use crate::figures::{cpu, moment, size};
use crate::roster::Row;
use crate::screen::Screen;

/// Names have so much room at most.
const NAME_MAX: usize = 24;
/// With less room a reason is not shown.
const WHY_LEAST: usize = 16;
/// Between columns.
const GAP: usize = 2;

/// A column: its head, whether numbers stand in it, and what of it.
struct Column {
    head: &'static str,
    right: bool,
    /// As wide as what may come: a state that changes moves nothing.
    least: usize,
    cell: fn(&Screen, &Row) -> Option<String>,
    /// Numbers that are only right when somebody looks.
    is_figure: bool,
}

/// The columns in the order of their place and of what matters: the last ones give way.
const COLUMNS: [Column; 8] = [
    Column { head: "STATE", right: false, least: "STARTING".len(), cell: state, is_figure: false },
    Column { head: "READY", right: false, least: "not yet".len(), cell: ready, is_figure: false },
    Column {
        head: "CPU",
        right: true,
        least: 0,
        cell: |screen, row| cpu(&screen.roster.usage(row)?),
        is_figure: true,
    },
    Column {
        head: "MEM",
        right: true,
        least: 0,
        cell: |screen, row| screen.roster.usage(row).map(|usage| size(usage.memory_bytes)),
        is_figure: true,
    },
    Column { head: "RESTARTS", right: true, least: 0, cell: restarts, is_figure: false },
    Column { head: "SINCE", right: true, least: 0, cell: since, is_figure: false },
    Column {
        head: "PID",
        right: true,
        least: 0,
        cell: |screen, row| number(worker(screen, row)?.pid),
        is_figure: false,
    },
    Column {
        head: "PORT",
        right: true,
        least: 0,
        cell: |screen, row| number(worker(screen, row)?.port),
        is_figure: false,
    },
];

fn worker<'a>(screen: &'a Screen, row: &'a Row) -> Option<&'a WorkerInfo> {
    matches!(row, Row::Worker(_)).then(|| screen.roster.workers_of(row).next()).flatten()
}

fn number(number: Option<impl ToString>) -> Option<String> {
    number.map(|number| number.to_string())
}

fn state(screen: &Screen, row: &Row) -> Option<String> {
    match row {
        Row::Worker(_) => worker(screen, row).map(|worker| worker.state.to_string()),
        Row::All | Row::Group(_) => {
            let (up, wanted) = screen.roster.up(row);
            Some(format!("{up}/{wanted} up"))
        }
    }
}

/// Only of what runs: nothing else can be.
fn ready(screen: &Screen, row: &Row) -> Option<String> {
    let worker = worker(screen, row).filter(|worker| worker.pid.is_some())?;
    Some(if worker.ready { "ready" } else { "not yet" }.to_owned())
}

fn restarts(screen: &Screen, row: &Row) -> Option<String> {
    number(screen.roster.workers_of(row).map(|worker| worker.restarts).reduce(u64::saturating_add))
}

fn since(screen: &Screen, row: &Row) -> Option<String> {
    let at = worker(screen, row)?.since;
    Some(moment(at, screen.roster.looked?, &screen.setup.zone))
}

/// So many rows are above the first that is shown: as few as let the selected one be seen.
pub(super) fn scrolled(screen: &Screen, area: Rect) -> usize {
    let room = usize::from(area.height.saturating_sub(1)).max(1);
    let (place, count) = (screen.roster.place(), screen.roster.rows.len());
    // The selected one is in the middle, as far as there is something above and below.
    place.saturating_sub(room / 2).min(count.saturating_sub(room))
}

pub(super) fn draw(screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let room = usize::from(area.height.saturating_sub(1));
    let rows: Vec<(usize, &Row)> =
        screen.roster.rows.iter().enumerate().skip(scrolled(screen, area)).take(room).collect();
    let table = Table::of(screen, &rows, area.width.into());
    table.head(area, buffer);
    for (below, (place, row)) in rows.into_iter().enumerate() {
        let y = area.y + 1 + u16::try_from(below).unwrap_or(0);
        let line = Rect { y, height: 1, ..area };
        table.row(screen, row, line, buffer);
        if place == screen.roster.place() {
            // A bar of one colour; states say themselves what they are.
            let bar = Screen::bar().fg(Color::Reset);
            buffer.set_style(line, if screen.log_has_focus { Screen::bold() } else { bar });
        }
    }
    if screen.roster.rows.is_empty() && room > 0 && screen.ended.is_none() {
        buffer.set_stringn(area.x, area.y + 1, "…", area.width.into(), Screen::dim());
    }
}

/// Which columns there is room for, and how wide they are.
struct Table {
    name: usize,
    columns: Vec<(&'static Column, usize)>,
    why: usize,
}

impl Table {
    fn of(screen: &Screen, rows: &[(usize, &Row)], width: usize) -> Self {
        let name = rows.iter().map(|(_, row)| name(screen, row).width()).max().unwrap_or(0);
        let name = name.max("NAME".len()).min(NAME_MAX);
        let mut left = width.saturating_sub(name);
        let mut columns = Vec::new();
        for column in &COLUMNS {
            let cells = rows.iter().filter_map(|(_, row)| (column.cell)(screen, row));
            let Some(widest) = cells.map(|cell| cell.width()).max() else { continue };
            let widest = widest.max(column.head.len()).max(column.least);
            let Some(rest) = left.checked_sub(widest + GAP) else { break };
            left = rest;
            columns.push((column, widest));
        }
        let why = left.saturating_sub(GAP);
        Self { name, columns, why: if why < WHY_LEAST { 0 } else { why } }
    }

    fn head(&self, area: Rect, buffer: &mut Buffer) {
        let style = Screen::dim();
        let mut line = format!("{:<width$}", "NAME", width = self.name);
        for (column, width) in &self.columns {
            line.push_str(&aligned(column.head, *width, column.right));
        }
        if self.why > 0 {
            line.push_str("  WHY");
        }
        buffer.set_stringn(area.x, area.y, line, area.width.into(), style);
    }

    fn row(&self, screen: &Screen, row: &Row, area: Rect, buffer: &mut Buffer) {
        let width = usize::from(area.width);
        buffer.set_stringn(area.x, area.y, cut(&name(screen, row), self.name), width, Screen::bold_if(row));
        let mut x = area.x + u16::try_from(self.name).unwrap_or(0);
        for (column, wide) in &self.columns {
            let cell = (column.cell)(screen, row);
            let text = aligned(cell.as_deref().unwrap_or("-"), *wide, column.right);
            let style = match (column.head, screen.roster.worst(row)) {
                ("STATE", Some(state)) => screen.state_style(state),
                _ if column.is_figure && screen.rests => Screen::dim(),
                _ if cell.is_none() => Screen::dim(),
                _ => Style::new(),
            };
            let room = usize::from(area.right().saturating_sub(x));
            (x, _) = buffer.set_stringn(x, area.y, text, room, style);
        }
        if let Some(worker) = worker(screen, row).filter(|_| self.why > 0) {
            let text = format!("  {}", cut(&worker.why, self.why));
            buffer.set_stringn(x, area.y, text, usize::from(area.right().saturating_sub(x)), Screen::dim());
        }
    }
}

impl Screen {
    fn bold_if(row: &Row) -> Style {
        if matches!(row, Row::Worker(_)) { Style::new() } else { Self::bold() }
    }
}

/// The workers of a group stand below it.
fn name(screen: &Screen, row: &Row) -> String {
    match row {
        Row::Worker(name) => {
            let has_row =
                screen.roster.rows.iter().any(|other| matches!(other, Row::Group(g) if *g == name.group));
            format!("{}{name}", if has_row { "  " } else { "" })
        }
        Row::All | Row::Group(_) => row.pattern(),
    }
}

fn aligned(text: &str, width: usize, right: bool) -> String {
    let filled = " ".repeat(width.saturating_sub(text.width()));
    if right { format!("  {filled}{text}") } else { format!("  {text}{filled}") }
}
