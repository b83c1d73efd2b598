//! The keys of `ganger top`.

use clap::ValueEnum;

use crate::cli::Column;
use crate::render::View;

/// A key that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    /// The column to the left.
    Left,
    Right,
    Reverse,
    Groups,
    Sort(Column),
}

/// What becomes of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Stay,
    Leave,
}

/// The sequences that terminals send, and the letters.
const KEYS: [(&[u8], Key); 34] = [
    (b"\x1b[A", Key::Up),
    (b"\x1bOA", Key::Up),
    (b"\x1b[B", Key::Down),
    (b"\x1bOB", Key::Down),
    (b"\x1b[C", Key::Right),
    (b"\x1bOC", Key::Right),
    (b"\x1b[D", Key::Left),
    (b"\x1bOD", Key::Left),
    (b"\x1b[5~", Key::PageUp),
    (b"\x1b[6~", Key::PageDown),
    (b"\x1b[H", Key::First),
    (b"\x1bOH", Key::First),
    (b"\x1b[1~", Key::First),
    (b"\x1b[F", Key::Last),
    (b"\x1bOF", Key::Last),
    (b"\x1b[4~", Key::Last),
    (b"q", Key::Quit),
    (b"Q", Key::Quit),
    (b"k", Key::Up),
    (b"j", Key::Down),
    (b" ", Key::PageDown),
    (b"<", Key::Left),
    (b">", Key::Right),
    (b"r", Key::Reverse),
    (b"g", Key::Groups),
    (b"n", Key::Sort(Column::Name)),
    (b"c", Key::Sort(Column::Cpu)),
    (b"m", Key::Sort(Column::Memory)),
    (b"p", Key::Sort(Column::Processes)),
    (b"t", Key::Sort(Column::Threads)),
    (b"d", Key::Sort(Column::Descriptors)),
    (b"i", Key::Sort(Column::Read)),
    (b"o", Key::Sort(Column::Written)),
    (b"u", Key::Sort(Column::Uptime)),
];

/// The keys in what was read from the terminal; the rest means nothing.
pub(super) fn parse(mut bytes: &[u8]) -> Vec<Key> {
    let mut pressed = Vec::new();
    while !bytes.is_empty() {
        match KEYS.iter().find(|(sequence, _)| bytes.starts_with(sequence)) {
            Some((sequence, key)) => {
                pressed.push(*key);
                bytes = &bytes[sequence.len()..];
            }
            None => bytes = &bytes[unknown(bytes)..],
        }
    }
    pressed
}

/// The length of what is no key of ours: an unknown sequence is left out as a whole, or its letters would be keys.
fn unknown(bytes: &[u8]) -> usize {
    let Some(rest) = bytes.strip_prefix(b"\x1b[") else { return 1 };
    2 + rest.iter().position(|byte| (0x40..=0x7e).contains(byte)).map_or(rest.len(), |end| end + 1)
}

/// Does what a key says.
pub(super) fn press(key: Key, view: &mut View, page: usize) -> Wish {
    match key {
        Key::Quit => return Wish::Leave,
        Key::Up => view.scrolled = view.scrolled.saturating_sub(1),
        Key::Down => view.scrolled = view.scrolled.saturating_add(1),
        Key::PageUp => view.scrolled = view.scrolled.saturating_sub(page / 2),
        Key::PageDown => view.scrolled = view.scrolled.saturating_add(page / 2),
        Key::First => view.scrolled = 0,
        Key::Last => view.scrolled = usize::MAX,
        Key::Left => view.sort = beside(view.sort, Column::value_variants().len() - 1),
        Key::Right => view.sort = beside(view.sort, 1),
        Key::Reverse => view.reversed = !view.reversed,
        Key::Groups => view.folded = !view.folded,
        Key::Sort(column) => view.sort = column,
    }
    Wish::Stay
}

/// The column so many steps to the right, where the first follows on the last.
fn beside(column: Column, steps: usize) -> Column {
    let all = Column::value_variants();
    let place = all.iter().position(|other| *other == column).unwrap_or(0);
    all[(place + steps) % all.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_among_what_means_nothing() {
        assert_eq!(parse(b"x\x1b[Aq"), [Key::Up, Key::Quit]);
        assert_eq!(parse(b"\x1b[6~\x1bOD"), [Key::PageDown, Key::Left]);
        assert_eq!(parse(b"\x1b[15;2q\x1b[99"), [], "letters of other sequences are no keys");
        assert_eq!(parse("é\x1b".as_bytes()), []);
    }

    #[test]
    fn arrows_go_round_the_columns_and_never_above_the_first_worker() {
        let mut view = View { sort: Column::Name, reversed: false, folded: false, scrolled: 0 };
        assert_eq!(press(Key::Left, &mut view, 24), Wish::Stay);
        assert_eq!(view.sort, Column::Uptime);
        press(Key::Right, &mut view, 24);
        press(Key::Right, &mut view, 24);
        assert_eq!(view.sort, Column::Cpu);
        press(Key::Up, &mut view, 24);
        assert_eq!(view.scrolled, 0);
        press(Key::Last, &mut view, 24);
        press(Key::Down, &mut view, 24);
        assert_eq!(view.scrolled, usize::MAX);
        assert_eq!(press(Key::Quit, &mut view, 24), Wish::Leave);
    }
}
