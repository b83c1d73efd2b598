//! What events carry that workers wrote.

use std::fmt::Write;

/// So much of what a worker wrote is in an event: with its envelope it fits into a listener's pipe, even if each byte is
/// written as four characters.
pub(crate) const DATA_MAX_BYTES: usize = 15_000;

/// So much of the type that a client gives to what it sends.
const KIND_MAX_BYTES: usize = 1_000;

/// What a client sent, as far as it fits.
pub(crate) fn remote(kind: &str, data: &str) -> String {
    let end = data.floor_char_boundary(DATA_MAX_BYTES);
    let start = kind.floor_char_boundary(KIND_MAX_BYTES);
    format!("type:{}\n{}", &kind[..start], &data[..end])
}

/// Bytes as a listener gets them: as they are, or where they are no UTF-8 as Python would show them.
pub(crate) fn text(data: &[u8]) -> String {
    match std::str::from_utf8(data) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("Undecodable: {}", shown(data)),
    }
}

/// Bytes as `repr` of Python's `bytes` shows them.
fn shown(data: &[u8]) -> String {
    let quote = if data.contains(&b'\'') && !data.contains(&b'"') { '"' } else { '\'' };
    let mut text = format!("b{quote}");
    for byte in data {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            b'\'' if quote == '\'' => text.push_str("\\'"),
            b' '..=b'~' => text.push(char::from(*byte)),
            // Writing into a string does not fail.
            _ => drop(write!(text, "\\x{byte:02x}")),
        }
    }
    text.push(quote);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_shown_as_python_shows_it() {
        assert_eq!(text("héllo\n".as_bytes()), "héllo\n");
        assert_eq!(text(b"a\xff\n\t\\'\x00"), r#"Undecodable: b"a\xff\n\t\\'\x00""#);
        assert_eq!(text(b"\xff'\""), r#"Undecodable: b'\xff\'"'"#);
    }
}
