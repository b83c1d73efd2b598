//! What a terminal shows as a picture that scales. Each piece of text has its place and its width, so that columns stand
//! below each other in whatever font.

use std::fmt::Write as _;

use ganger_testkit::{Cell, Color, Screen};

/// A cell.
const WIDTH: f64 = 8.0;
const HEIGHT: f64 = 17.0;
/// The base line of a row.
const BASE: f64 = 12.5;
/// Around the text.
const BORDER: f64 = 14.0;
const GROUND: &str = "#0d1117";
const TEXT: &str = "#d1d7e0";
/// The sixteen colours, which can be told apart on the ground.
const COLOURS: [&str; 16] = [
    "#484f58", "#ff7b72", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#b1bac4", "#6e7681",
    "#ffa198", "#7ee787", "#f2cc60", "#a5d6ff", "#e2c5ff", "#b3f0ff", "#ffffff",
];
/// How much of the text's colour is left where it is dim.
const DIM: f64 = 0.62;

/// The look of a piece.
#[derive(Clone, PartialEq, Eq)]
struct Look {
    fill: String,
    ground: Option<String>,
    bold: bool,
    dim: bool,
}

/// The picture.
pub(super) fn of(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let width = f64::from(columns.get()) * WIDTH + 2.0 * BORDER;
    let height = f64::from(rows.get()) * HEIGHT + 2.0 * BORDER;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <title>ganger ui</title>\n\
         <style>text{{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;\
         fill:{TEXT};white-space:pre}}.b{{font-weight:bold}}.d{{opacity:{DIM}}}\
         rect,path{{shape-rendering:crispEdges}}</style>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{GROUND}\"/>\n"
    );
    for row in 0..rows.get() {
        let mut column = 0;
        while column < columns.get() {
            column += piece(screen, row, column, &mut svg);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Draws the piece of one look that begins here; how many columns it has.
fn piece(screen: &Screen, row: u16, column: u16, svg: &mut String) -> u16 {
    let Some(first) = screen.cell(row, column).map(look) else { return 1 };
    let cells: Vec<&Cell> = (column..)
        .map_while(|column| screen.cell(row, column))
        .take_while(|cell| look(cell) == first)
        .collect();
    let x = |at: usize| f64::from(column) * WIDTH + columns(at) + BORDER;
    let y = f64::from(row) * HEIGHT + BORDER;
    if let Some(ground) = &first.ground {
        let (x, width) = (x(0), columns(cells.len()));
        put(
            svg,
            format_args!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{HEIGHT}\" fill=\"{ground}\"/>"
            ),
        );
    }
    // Lines, and words that stand apart, are drawn alone: a font need not have them in this width.
    let mut at = 0;
    for run in cells.chunk_by(|one, next| is_line(one) == is_line(next)) {
        let text: Vec<&str> = run.iter().map(|cell| contents(cell)).collect();
        let mut rest = &text[..];
        while let Some(begin) = rest.iter().position(|letter| *letter != " ") {
            let words_from = &rest[begin..];
            let gap = words_from.windows(2).position(|pair| pair == [" ", " "]).unwrap_or(words_from.len());
            let last =
                words_from[..gap].iter().rposition(|letter| *letter != " ").map_or(gap, |last| last + 1);
            let from = at + text.len() - rest.len() + begin;
            words(&first, &words_from[..last].concat(), (x(from), y, columns(last)), svg);
            rest = &words_from[gap..];
        }
        at += text.len();
    }
    u16::try_from(cells.len()).unwrap_or(u16::MAX).max(1)
}

fn columns(count: usize) -> f64 {
    u32::try_from(count).map_or(0.0, f64::from) * WIDTH
}

/// What stands there; nothing in the second half of a wide letter.
fn contents(cell: &Cell) -> &str {
    match cell.contents() {
        _ if cell.is_wide_continuation() => "",
        "" => " ",
        text => text,
    }
}

fn is_line(cell: &Cell) -> bool {
    cell.contents() == "─"
}

/// Draws a few words, or a line.
fn words(look: &Look, word: &str, (x, y, width): (f64, f64, f64), svg: &mut String) {
    let class = match (look.bold, look.dim) {
        (false, false) => "",
        (true, false) => " class=\"b\"",
        (false, true) => " class=\"d\"",
        (true, true) => " class=\"b d\"",
    };
    let fill = if look.fill == TEXT { String::new() } else { format!(" style=\"fill:{}\"", look.fill) };
    if word.starts_with('─') {
        let middle = y + HEIGHT / 2.0;
        return put(svg, format_args!("<path d=\"M{x} {middle}h{width}\" stroke=\"{}\"{class}/>", look.fill));
    }
    let escaped = word.replace('&', "&amp;").replace('<', "&lt;");
    let base = y + BASE;
    put(
        svg,
        format_args!("<text x=\"{x}\" y=\"{base}\" textLength=\"{width}\"{class}{fill}>{escaped}</text>"),
    );
}

fn put(svg: &mut String, what: std::fmt::Arguments<'_>) {
    // What is written into a text never fails.
    let _ = writeln!(svg, "{what}");
}

fn look(cell: &Cell) -> Look {
    let (mut fill, mut ground) = (colour(cell.fgcolor()), colour(cell.bgcolor()));
    if cell.inverse() {
        (fill, ground) = (
            Some(ground.unwrap_or_else(|| GROUND.to_owned())),
            Some(fill.unwrap_or_else(|| TEXT.to_owned())),
        );
    }
    Look { fill: fill.unwrap_or_else(|| TEXT.to_owned()), ground, bold: cell.bold(), dim: cell.dim() }
}

/// None is that of the terminal.
fn colour(colour: Color) -> Option<String> {
    match colour {
        Color::Default => None,
        Color::Idx(number @ 0..16) => COLOURS.get(usize::from(number)).map(|colour| (*colour).to_owned()),
        Color::Idx(number @ 16..232) => {
            let level = |part: u8| if part == 0 { 0 } else { part * 40 + 55 };
            let number = number - 16;
            Some(hex(level(number / 36), level(number / 6 % 6), level(number % 6)))
        }
        Color::Idx(number) => {
            let grey = (number - 232) * 10 + 8;
            Some(hex(grey, grey, grey))
        }
        Color::Rgb(red, green, blue) => Some(hex(red, green, blue)),
    }
}

fn hex(red: u8, green: u8, blue: u8) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_its_place_its_colour_and_its_ground() {
        let screen = ganger_testkit::screen_of(
            "a  \x1b[31;1mred & <b>\x1b[m\r\n\x1b[2m──\x1b[m\x1b[7m x \x1b[m",
            (20, 2),
        );
        let svg = of(&screen);
        for part in [
            "viewBox=\"0 0 188 62\"",
            "<text x=\"14\" y=\"26.5\" textLength=\"8\">a</text>",
            "<text x=\"38\" y=\"26.5\" textLength=\"72\" class=\"b\" style=\"fill:#ff7b72\">red &amp; &lt;b></text>",
            "<path d=\"M14 39.5h16\" stroke=\"#d1d7e0\" class=\"d\"/>",
            "<rect x=\"30\" y=\"31\" width=\"24\" height=\"17\" fill=\"#d1d7e0\"/>",
            "<text x=\"38\" y=\"43.5\" textLength=\"8\" style=\"fill:#0d1117\">x</text>",
        ] {
            assert!(svg.contains(part), "no {part} in\n{svg}");
        }
    }

    #[test]
    fn the_256_colours_are_those_of_xterm() {
        for (number, expected) in
            [(16, "#000000"), (208, "#ff8700"), (231, "#ffffff"), (232, "#080808"), (255, "#eeeeee")]
        {
            assert_eq!(colour(Color::Idx(number)).as_deref(), Some(expected));
        }
    }
}
