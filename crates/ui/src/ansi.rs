//! What a worker wrote as it would look: colours become styles, what moves a cursor is left out.

use std::ops::Range;

use ratatui_core::style::{Color, Modifier, Style};

/// A longer line is cut here.
pub(crate) const TEXT_MAX: usize = 64 << 10;
/// The columns between tab stops.
const TAB: usize = 8;
/// A sequence has no more numbers that count.
const NUMBERS_MAX: usize = 32;

/// A line without its sequences, and the styles of its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Styled {
    pub(crate) text: String,
    /// Parts of the text, in order, that are not plain.
    pub(crate) parts: Vec<(Range<usize>, Style)>,
    /// There was more than is kept.
    pub(crate) cut: bool,
}

/// What this line looks like.
pub(crate) fn interpret(line: &str) -> Styled {
    let mut out = Styled::default();
    let (mut style, mut since) = (Style::new(), 0);
    let mut letters = line.trim_end_matches('\r').chars();
    while let Some(letter) = letters.next() {
        if out.text.len() >= TEXT_MAX {
            out.cut = true;
            break;
        }
        match letter {
            '\x1b' => {
                if let Some(numbers) = sequence(&mut letters) {
                    out.end_part(since, style);
                    since = out.text.len();
                    turn(&mut style, &numbers);
                }
            }
            // Back to the first column: what comes takes the place of what was there.
            '\r' => {
                out.text.clear();
                out.parts.clear();
                since = 0;
            }
            '\t' => {
                let column = out.text.chars().count();
                out.text.extend(std::iter::repeat_n(' ', TAB - column % TAB));
            }
            '\x08' => {
                out.text.pop();
                since = since.min(out.text.len());
                out.parts.retain(|(part, _)| part.end <= out.text.len());
            }
            control if control.is_control() => {}
            letter => out.text.push(letter),
        }
    }
    out.end_part(since, style);
    out
}

impl Styled {
    /// The text since `since` has this style.
    fn end_part(&mut self, since: usize, style: Style) {
        if style != Style::new() && since < self.text.len() {
            self.parts.push((since..self.text.len(), style));
        }
    }
}

/// The numbers of a sequence that sets colours; none for any other, which is passed over as a whole.
fn sequence(letters: &mut std::str::Chars<'_>) -> Option<Vec<u16>> {
    let kind = letters.clone().next()?;
    match kind {
        '[' => {
            letters.next();
            let words: &str = letters.as_str();
            let end = words.find(|letter: char| ('\x40'..='\x7e').contains(&letter))?;
            let (numbers, last) = (&words[..end], words[end..].chars().next());
            *letters = words[end..].chars();
            letters.next();
            (last == Some('m')).then(|| parse(numbers)).flatten()
        }
        // A title or a link: up to BEL or ESC \.
        ']' | 'P' | '_' | '^' => {
            while let Some(letter) = letters.next() {
                if letter == '\x07' {
                    break;
                }
                if letter == '\x1b' {
                    letters.next();
                    break;
                }
            }
            None
        }
        // A character set has one more letter.
        '(' | ')' | '#' => {
            letters.nth(1);
            None
        }
        _ => {
            letters.next();
            None
        }
    }
}

fn parse(numbers: &str) -> Option<Vec<u16>> {
    let all = numbers.split([';', ':']).take(NUMBERS_MAX);
    all.map(|number| if number.is_empty() { Some(0) } else { number.parse().ok() }).collect()
}

/// Does to a style what these numbers say.
fn turn(style: &mut Style, numbers: &[u16]) {
    let mut numbers = numbers.iter().copied();
    while let Some(number) = numbers.next() {
        *style = match number {
            0 => Style::new(),
            1 => style.add_modifier(Modifier::BOLD),
            2 => style.add_modifier(Modifier::DIM),
            3 => style.add_modifier(Modifier::ITALIC),
            4 => style.add_modifier(Modifier::UNDERLINED),
            7 => style.add_modifier(Modifier::REVERSED),
            9 => style.add_modifier(Modifier::CROSSED_OUT),
            22 => without(*style, Modifier::BOLD | Modifier::DIM),
            23 => without(*style, Modifier::ITALIC),
            24 => without(*style, Modifier::UNDERLINED),
            27 => without(*style, Modifier::REVERSED),
            29 => without(*style, Modifier::CROSSED_OUT),
            30..=37 => style.fg(named(number - 30)),
            90..=97 => style.fg(named(number - 82)),
            40..=47 => style.bg(named(number - 40)),
            100..=107 => style.bg(named(number - 92)),
            39 => Style { fg: None, ..*style },
            49 => Style { bg: None, ..*style },
            38 | 48 => {
                let colour = extended(&mut numbers);
                match colour {
                    Some(colour) if number == 38 => style.fg(colour),
                    Some(colour) => style.bg(colour),
                    None => *style,
                }
            }
            _ => *style,
        }
    }
}

fn without(style: Style, modifier: Modifier) -> Style {
    Style { add_modifier: style.add_modifier - modifier, ..style }
}

/// `5;N` or `2;R;G;B`.
fn extended(numbers: &mut impl Iterator<Item = u16>) -> Option<Color> {
    let mut byte = || numbers.next().and_then(|number| u8::try_from(number).ok());
    match byte()? {
        5 => Some(Color::Indexed(byte()?)),
        2 => Some(Color::Rgb(byte()?, byte()?, byte()?)),
        _ => None,
    }
}

/// The colour with this number, from 0 to 15.
pub(crate) fn named(number: u16) -> Color {
    const NAMED: [Color; 16] = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    NAMED.get(usize::from(number)).copied().unwrap_or(Color::Reset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(line: &str) -> String {
        interpret(line).text
    }

    #[test]
    fn colours_become_styles_of_their_parts() {
        let line = interpret("a\x1b[1;31mred\x1b[0m b \x1b[38;5;208;44mx\x1b[39my\x1b[m.");
        assert_eq!(line.text, "ared b xy.");
        let bold = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
        let orange = Style::new().fg(Color::Indexed(208)).bg(Color::Blue);
        assert_eq!(line.parts, [(1..4, bold), (7..8, orange), (8..9, Style::new().bg(Color::Blue))]);
        let line = interpret("\x1b[38:2:1:2:3mx\x1b[22;1;22my");
        assert_eq!(line.parts.len(), 2);
        assert_eq!(line.parts[0].1.fg, Some(Color::Rgb(1, 2, 3)));
        assert_eq!(line.parts[1].1, line.parts[0].1, "bold was taken back");
    }

    #[test]
    fn what_moves_a_cursor_is_left_out_and_a_return_begins_anew() {
        assert_eq!(plain("a\x1b[2K\x1b[1Gb\x1b]0;title\x07c\x1b]8;;url\x1b\\d\x1b(Be"), "abcde");
        assert_eq!(plain("10%\r 20%\r 30%\r"), " 30%");
        assert_eq!(plain("a\tb\x00\x07"), "a       b");
        assert_eq!(plain("abc\x08\x08x"), "ax");
        assert_eq!(plain("end \x1b["), "end ");
        assert_eq!(plain("end \x1b"), "end ");
    }

    #[test]
    fn a_line_is_kept_up_to_its_bound() {
        let longest = "x".repeat(TEXT_MAX);
        assert!(!interpret(&longest).cut);
        let cut = interpret(&(longest.clone() + "y"));
        assert!(cut.cut && cut.text == longest);
    }
}
