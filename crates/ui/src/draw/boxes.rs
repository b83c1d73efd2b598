//! What stands above the rest: the help, the signals, a question.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use unicode_width::UnicodeWidthStr;

use super::bars::cut;
use crate::keys::{Topic, of_topic};
use crate::mode::{SIGNALS, signal};
use crate::screen::Screen;

/// The help is not wider.
const HELP_COLUMNS: usize = 78;
/// The frame and what stands beside it.
const FRAME: usize = 4;

/// An empty box in the middle with this title; the room inside.
fn frame(
    screen: &Screen,
    title: &str,
    (columns, rows): (usize, usize),
    area: Rect,
    buffer: &mut Buffer,
) -> Rect {
    let width = u16::try_from(columns + FRAME).unwrap_or(u16::MAX).min(area.width);
    let height = u16::try_from(rows + 2).unwrap_or(u16::MAX).min(area.height);
    let x = area.x + (area.width - width) / 2;
    let y = area.y + (area.height - height) / 2;
    let outer = Rect { x, y, width, height };
    for row in outer.top()..outer.bottom() {
        buffer.set_string(x, row, " ".repeat(width.into()), Style::reset());
    }
    if width < 4 || height < 3 {
        return Rect { width: 0, height: 0, ..outer };
    }
    let style = screen.style(Style::new());
    let bar = "─".repeat(usize::from(width) - 2);
    buffer.set_string(x, y, format!("┌{bar}┐"), style);
    buffer.set_string(x, outer.bottom() - 1, format!("└{bar}┘"), style);
    for row in y + 1..outer.bottom() - 1 {
        buffer.set_string(x, row, "│", style);
        buffer.set_string(outer.right() - 1, row, "│", style);
    }
    let title = cut(&format!(" {title} "), usize::from(width) - 4);
    buffer.set_string(x + 2, y, title, Screen::bold());
    Rect { x: x + 2, y: y + 1, width: width - 4, height: height - 2 }
}

/// The lines of the help; heads are marked.
fn help_lines(columns: usize) -> Vec<(bool, String)> {
    let label =
        Topic::ALL.into_iter().flat_map(of_topic).map(|binding| binding.label.width()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for topic in Topic::ALL {
        if !lines.is_empty() {
            lines.push((false, String::new()));
        }
        lines.push((true, topic.title().to_owned()));
        for binding in of_topic(topic) {
            let filled = " ".repeat(label - binding.label.width());
            let line = format!("  {}{filled}  {}", binding.label, binding.does);
            lines.push((false, cut(&line, columns)));
        }
    }
    lines
}

/// The help can be scrolled by so many lines.
pub(crate) fn help_scroll_max((columns, rows): (u16, u16)) -> usize {
    let room = usize::from(rows).saturating_sub(3 + 2);
    help_lines(usize::from(columns)).len().saturating_sub(room)
}

pub(super) fn help(screen: &Screen, scrolled: usize, area: Rect, buffer: &mut Buffer) {
    let columns = HELP_COLUMNS.min(usize::from(area.width).saturating_sub(FRAME));
    let lines = help_lines(columns);
    let inner = frame(screen, "keys", (columns, lines.len()), area, buffer);
    let scrolled = scrolled.min(help_scroll_max(screen.setup.size));
    for (y, (is_head, line)) in (inner.top()..inner.bottom()).zip(lines.into_iter().skip(scrolled)) {
        let style = if is_head { Screen::bold() } else { Style::new() };
        buffer.set_stringn(inner.x, y, line, inner.width.into(), style);
    }
}

pub(super) fn signals(screen: &Screen, chosen: usize, pattern: &str, area: Rect, buffer: &mut Buffer) {
    let line = |(place, (number, does)): (usize, &(i32, &str))| {
        let name = signal(place).map(|signal| signal.to_string()).unwrap_or_default();
        format!(" {name:<8} {number:>2}  {does} ")
    };
    let lines: Vec<String> = SIGNALS.iter().enumerate().map(line).collect();
    let columns = lines.iter().map(|line| line.width()).max().unwrap_or(0);
    let inner = frame(screen, &format!("signal to {pattern}"), (columns, lines.len()), area, buffer);
    let first = chosen.saturating_sub(usize::from(inner.height).saturating_sub(1));
    for (y, (place, line)) in (inner.top()..inner.bottom()).zip(lines.into_iter().enumerate().skip(first)) {
        let style = if place == chosen { Screen::bar() } else { Style::new() };
        let line = format!("{line:<columns$}");
        buffer.set_stringn(inner.x, y, line, inner.width.into(), style);
    }
}

pub(super) fn question(screen: &Screen, text: &str, area: Rect, buffer: &mut Buffer) {
    let answers = "y yes   n no";
    let columns = text.width().max(answers.width());
    let inner = frame(screen, "sure?", (columns, 3), area, buffer);
    if inner.height < 3 {
        return;
    }
    buffer.set_stringn(inner.x, inner.y, cut(text, inner.width.into()), inner.width.into(), Style::new());
    buffer.set_stringn(inner.x, inner.y + 2, answers, inner.width.into(), Screen::dim());
}
