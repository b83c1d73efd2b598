//! The lines of the log.

use std::ops::Range;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::bars::cut;
use crate::entry::Entry;
use crate::log::Space;
use crate::screen::Screen;

pub(super) fn draw(screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let log = &screen.log;
    if log.window.is_empty() {
        let text = match (&log.filter, &screen.ended) {
            _ if screen.shown.is_none() || log.is_fresh => "",
            (Some(_), _) => "no such line was written",
            (None, Some(_)) => "",
            (None, None) if screen.has_terminal() => "no line was written; v shows the terminal",
            (None, None) => "no line was written",
        };
        buffer.set_stringn(area.x, area.y, text, area.width.into(), Screen::dim());
        return;
    }
    let space = Space { columns: area.width.into(), rows: area.height.into() };
    let top = log.anchor(space);
    let columns = log.text_columns(space);
    let mut y = area.y;
    for (number, entry) in log.window.from(top.line) {
        let rows = entry.rows(columns);
        let skipped = if number == top.line { top.row } else { 0 };
        for (index, start) in rows.iter().enumerate().skip(skipped) {
            if y >= area.bottom() {
                return;
            }
            let end = rows.get(index + 1).copied().unwrap_or(entry.styled.text.len());
            let line = Rect { y, height: 1, ..area };
            if index == 0 {
                prefix(screen, entry, line, buffer);
            }
            let indent = u16::try_from(log.prefix_width()).unwrap_or(u16::MAX).min(line.width);
            let line = Rect { x: line.x + indent, width: line.width - indent, ..line };
            let is_found = log.found == Some(number);
            text(screen, entry, *start..end, is_found, line, buffer);
            y += 1;
        }
    }
}

/// When it was written and by whom, as far as that is shown.
fn prefix(screen: &Screen, entry: &Entry, area: Rect, buffer: &mut Buffer) {
    let log = &screen.log;
    let mut x = area.x;
    let room = |x: u16| usize::from(area.right().saturating_sub(x));
    if log.stamps {
        (x, _) = buffer.set_stringn(x, area.y, screen.clock(entry.time) + " ", room(x), Screen::dim());
    }
    if log.merged {
        let name = cut(&entry.log.to_string(), log.name_width);
        let filled = log.name_width.saturating_sub(name.width());
        let name = format!("{name}{:filled$} | ", "");
        buffer.set_stringn(x, area.y, name, room(x), screen.name_style(&entry.log.worker));
    }
}

/// A row of a line's text, with its own colours and what the search finds in it.
fn text(screen: &Screen, entry: &Entry, row: Range<usize>, is_found: bool, area: Rect, buffer: &mut Buffer) {
    let log = &screen.log;
    let whole = &entry.styled.text;
    let start = row.start + if log.wrap { 0 } else { skip(&whole[row.clone()], log.shift) };
    let mut x = area.x;
    let mut put = |part: Range<usize>, style: Style| {
        let part = part.start.max(start)..part.end.min(row.end);
        if part.start < part.end {
            let room = usize::from(area.right().saturating_sub(x));
            (x, _) = buffer.set_stringn(x, area.y, &whole[part], room, screen.style(style));
        }
    };
    let places = log.search.as_ref().map(|search| search.places(whole)).unwrap_or_default();
    let mut at = start;
    for (part, style) in &entry.styled.parts {
        put(at..part.start, Style::new());
        put(part.clone(), *style);
        at = at.max(part.end);
    }
    put(at..row.end, Style::new());
    let is_cut = entry.styled.cut && row.end == whole.len();
    if is_cut || (!log.wrap && whole[start..row.end].width() > area.width.into()) {
        let x = x.min(area.right().saturating_sub(1));
        buffer.set_stringn(x, area.y, "…", 1, Screen::dim());
    }
    let mark = if is_found && screen.setup.coloured {
        Style::new().fg(Color::Black).bg(Color::Yellow)
    } else if is_found {
        Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
    } else {
        Screen::bar()
    };
    for place in places {
        let place = place.start.max(start)..place.end.min(row.end);
        if place.start < place.end {
            let from = whole[start..place.start].width();
            let width = whole[place].width();
            let spot = Rect {
                x: area.x.saturating_add(u16::try_from(from).unwrap_or(u16::MAX)),
                width: u16::try_from(width).unwrap_or(u16::MAX),
                ..area
            };
            buffer.set_style(spot.intersection(area), mark);
        }
    }
}

/// Where a text goes on to the right of so many columns.
fn skip(text: &str, columns: usize) -> usize {
    let mut used = 0;
    for (at, letter) in text.char_indices() {
        if used >= columns {
            return at;
        }
        used += letter.width().unwrap_or(0);
    }
    text.len()
}
