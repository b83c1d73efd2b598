//! The live terminal of a worker.

use ganger_terminal::{Cell, Color as Colour};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};

use crate::ansi::named;
use crate::log::Space;
use crate::screen::Screen;

pub(super) fn draw(screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let space = Space { columns: area.width.into(), rows: area.height.into() };
    let Some(part) = screen.live.part(space) else { return };
    for y in 0..area.height {
        for x in 0..area.width {
            let Some(cell) = part.screen.cell(part.top + y, part.left + x) else { break };
            if cell.is_wide_continuation() {
                continue;
            }
            let (x, y) = (area.x + x, area.y + y);
            let text = if cell.has_contents() { cell.contents() } else { " " };
            buffer.set_stringn(x, y, text, (area.right() - x).into(), screen.style(style(cell)));
        }
    }
    let (row, column) = part.screen.cursor_position();
    let place = row.checked_sub(part.top).zip(column.checked_sub(part.left));
    if let Some((y, x)) = place.filter(|(y, x)| part.has_cursor && *y < area.height && *x < area.width) {
        let cell = &mut buffer[(area.x + x, area.y + y)];
        cell.modifier.toggle(Modifier::REVERSED);
    }
}

fn style(cell: &Cell) -> Style {
    let mut style = Style::new();
    for (is_so, modifier) in [
        (cell.bold(), Modifier::BOLD),
        (cell.dim(), Modifier::DIM),
        (cell.italic(), Modifier::ITALIC),
        (cell.underline(), Modifier::UNDERLINED),
        (cell.inverse(), Modifier::REVERSED),
    ] {
        if is_so {
            style = style.add_modifier(modifier);
        }
    }
    Style { fg: colour(cell.fgcolor()), bg: colour(cell.bgcolor()), ..style }
}

/// None is that of the viewer's terminal.
fn colour(colour: Colour) -> Option<Color> {
    match colour {
        Colour::Default => None,
        Colour::Idx(number @ 0..16) => Some(named(number.into())),
        Colour::Idx(number) => Some(Color::Indexed(number)),
        Colour::Rgb(red, green, blue) => Some(Color::Rgb(red, green, blue)),
    }
}
