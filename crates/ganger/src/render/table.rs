//! Tables: aligned columns, two spaces between them, no borders.

use std::borrow::Cow;

use crate::style::Style;

/// So many spaces are between two columns.
const GAP: usize = 2;

/// Where the text of a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

/// A cell: what is shown, and how wide that is without its colours.
struct Cell {
    shown: String,
    width: usize,
}

/// A table under a head.
pub(crate) struct Table {
    style: Style,
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<Cell>>,
    /// The last column, plain text, is cut where a line would be longer than this.
    limit: Option<usize>,
    /// Columns that are left out, from the first on, until the last column has its room.
    giving_way: Vec<&'static str>,
    /// So much room the last column should have, if it needs it.
    room: usize,
}

impl Table {
    /// A table with these columns; a `>` before a name aligns its column to the right.
    pub(crate) fn new(style: Style, columns: &[&'static str]) -> Self {
        let column = |name: &&'static str| match name.strip_prefix('>') {
            Some(name) => (name, Align::Right),
            None => (*name, Align::Left),
        };
        Self {
            style,
            columns: columns.iter().map(column).collect(),
            rows: Vec::new(),
            limit: None,
            giving_way: Vec::new(),
            room: 0,
        }
    }

    /// Cuts the last column where a line would be longer than `limit`; that column is never painted.
    pub(crate) fn within(mut self, limit: Option<usize>) -> Self {
        self.limit = limit;
        self
    }

    /// Leaves out these columns, one after the other, where the last one would have less room than this and than it
    /// needs.
    pub(crate) fn giving_way(mut self, columns: impl IntoIterator<Item = &'static str>, room: usize) -> Self {
        (self.giving_way, self.room) = (columns.into_iter().collect(), room);
        self
    }

    /// One more row of plain text.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cell = |text: String| {
            let shown = plain(&text);
            Cell { width: shown.chars().count(), shown }
        };
        self.rows.push(cells.into_iter().map(cell).collect());
    }

    /// Colours a cell of the last row.
    pub(crate) fn paint(&mut self, column: usize, paint: impl FnOnce(&str) -> String) {
        if let Some(cell) = self.rows.last_mut().and_then(|row| row.get_mut(column)) {
            cell.shown = paint(&cell.shown);
        }
    }

    /// The whole table; nothing if it has no rows.
    pub(crate) fn render(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width);
            cells.chain([self.columns[column].0.len()]).max().unwrap_or(0)
        };
        let widths = self.shown((0..self.columns.len()).map(width).collect());
        let head =
            self.columns.iter().map(|(name, _)| Cell { shown: self.style.head(name), width: name.len() });
        let mut out = self.line(&head.collect::<Vec<_>>(), &widths);
        for row in &self.rows {
            out.push_str(&self.line(row, &widths));
        }
        out
    }

    /// The width of each column; none for those that give way.
    fn shown(&self, widths: Vec<usize>) -> Vec<Option<usize>> {
        let mut shown: Vec<Option<usize>> = widths.into_iter().map(Some).collect();
        let Some((limit, last)) = self.limit.zip(shown.last().copied().flatten()) else { return shown };
        let wish = last.min(self.room);
        for name in &self.giving_way {
            let before: usize = shown.iter().rev().skip(1).flatten().map(|width| width + GAP).sum();
            if before + wish <= limit {
                break;
            }
            if let Some(index) = self.columns.iter().position(|(column, _)| column == name) {
                shown[index] = None;
            }
        }
        shown
    }

    /// What is shown of a cell: less than all only in the last column, but its head always fits.
    fn fitted<'a>(&self, cell: &'a Cell, index: usize, widths: &[Option<usize>]) -> Cow<'a, str> {
        let Some(limit) = self.limit.filter(|_| index + 1 == widths.len()) else {
            return Cow::Borrowed(&cell.shown);
        };
        let before: usize = widths[..index].iter().flatten().map(|width| width + GAP).sum();
        let room = limit.saturating_sub(before).max(self.columns[index].0.len());
        if cell.width <= room { Cow::Borrowed(&cell.shown) } else { Cow::Owned(cut(&cell.shown, room)) }
    }

    fn line(&self, cells: &[Cell], widths: &[Option<usize>]) -> String {
        let mut line = String::new();
        let mut owed = 0;
        for (index, cell) in cells.iter().enumerate() {
            let Some(width) = widths[index] else { continue };
            let padding = width - cell.width;
            let (before, after) = match self.columns[index].1 {
                Align::Left => (0, padding),
                Align::Right => (padding, 0),
            };
            let gap = if index == 0 { 0 } else { GAP };
            if cell.width > 0 {
                // Spaces are written only before something: no line ends in them.
                line.push_str(&" ".repeat(owed + gap + before));
                line.push_str(&self.fitted(cell, index, widths));
                owed = after;
            } else {
                owed += gap + before + after;
            }
        }
        line.push('\n');
        line
    }
}

/// The first letters of a text and a sign that there are more, together so wide.
fn cut(text: &str, width: usize) -> String {
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// The text without what would break the table or the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_control_letters_are_blanks() {
        let mut table = Table::new(Style::PLAIN, &["NAME", ">PID", "WHY"]);
        table.row(["web.1".into(), "7".into(), "asked".into()]);
        table.row(["w".into(), String::new(), String::new()]);
        table.row(["grün.1".into(), "12345".into(), "x\ny\x1b".into()]);
        let expected = "NAME      PID  WHY\nweb.1       7  asked\nw\ngrün.1  12345  x y \n";
        assert_eq!(table.render(), expected);
    }

    #[test]
    fn colours_do_not_shift_columns() {
        let mut table = Table::new(Style { coloured: true }, &["A", "B"]);
        table.row(["x".into(), "y".into()]);
        table.paint(0, |text| format!("\x1b[32m{text}\x1b[0m"));
        assert_eq!(table.render(), "\x1b[1mA\x1b[0m  \x1b[1mB\x1b[0m\n\x1b[32mx\x1b[0m  y\n");
    }

    #[test]
    fn the_last_column_is_cut_where_the_line_would_be_too_long() {
        let shown = |limit| {
            let mut table = Table::new(Style::PLAIN, &["NAME", "WHY"]).within(limit);
            table.row(["web.1".into(), "as it is".into()]);
            table.render()
        };
        let whole = "NAME   WHY\nweb.1  as it is\n";
        assert_eq!(shown(None), whole);
        assert_eq!(shown(Some(15)), whole);
        assert_eq!(shown(Some(14)), "NAME   WHY\nweb.1  as it …\n");
        assert_eq!(shown(Some(3)), "NAME   WHY\nweb.1  as…\n", "the head always fits");
    }

    #[test]
    fn columns_give_way_to_the_last_one_as_far_as_it_needs_it() {
        let shown = |limit, room| {
            let table = Table::new(Style::PLAIN, &["NAME", "B", "C", "WHY"]);
            let mut table = table.within(Some(limit)).giving_way(["C", "B"], room);
            table.row(["web.1".into(), "b".into(), "c".into(), "as it is".into()]);
            table.render()
        };
        assert_eq!(shown(21, 20), "NAME   B  C  WHY\nweb.1  b  c  as it is\n");
        assert_eq!(shown(20, 20), "NAME   B  WHY\nweb.1  b  as it is\n");
        assert_eq!(shown(17, 20), "NAME   WHY\nweb.1  as it is\n");
        assert_eq!(shown(17, 4), "NAME   B  C  WHY\nweb.1  b  c  as …\n");
    }

    #[test]
    fn a_table_without_rows_is_nothing() {
        assert_eq!(Table::new(Style::PLAIN, &["A"]).render(), "");
    }
}
