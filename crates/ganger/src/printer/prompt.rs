//! A partial line on a terminal: how much of it fits.

/// The part of a prompt that can be shown on one line of `columns`, so that it can be erased again: what follows
/// its last carriage return, cut to the width, without control characters but colours.
pub(super) fn fitting(prompt: &[u8], columns: usize) -> Vec<u8> {
    let start = memchr::memrchr(b'\r', prompt).map_or(0, |n| n + 1);
    let mut shown = Vec::new();
    let mut used = 0;
    let mut rest = &prompt[start..];
    while let Some(&byte) = rest.first() {
        let len = match byte {
            0x1b => match color(rest) {
                Some(len) => {
                    shown.extend(&rest[..len]);
                    len
                }
                None => 1,
            },
            0..=0x1f | 0x7f => 1,
            _ => {
                let len = character(rest);
                // Wide characters take two columns; to count all that are not ASCII as such errs on the safe side.
                let wide = if byte < 0x80 { 1 } else { 2 };
                if used + wide > columns {
                    break;
                }
                used += wide;
                shown.extend(&rest[..len]);
                len
            }
        };
        rest = &rest[len..];
    }
    shown
}

/// The length of a colour sequence (`ESC [ … m`) at the begin of some bytes.
fn color(bytes: &[u8]) -> Option<usize> {
    let inner = bytes.strip_prefix(b"\x1b[")?;
    let len = inner.iter().position(|b| !(b.is_ascii_digit() || matches!(b, b';' | b':')))?;
    (inner[len] == b'm').then_some(len + 3)
}

/// The length of the UTF-8 character at the begin of some bytes.
fn character(bytes: &[u8]) -> usize {
    1 + bytes[1..].iter().take(3).take_while(|b| **b & 0xc0 == 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn a_prompt_is_cut_to_the_width_and_keeps_nothing_but_colours() {
        assert_eq!(fitting(b"name? ", 10), b"name? ");
        assert_eq!(fitting(b"a long prompt", 6), b"a long");
        assert_eq!(fitting(b"10%\r20%", 10), b"20%");
        assert_eq!(
            fitting(b"\x1b[1;31mred\x1b[0m\x07\x1b[2J", 3),
            b"\x1b[1;31mred\x1b[0m[2J".get(..14).unwrap()
        );
        assert_eq!(fitting("é日".as_bytes(), 3), "é".as_bytes());
        assert_eq!(fitting(b"x", 0), b"");
    }
}
