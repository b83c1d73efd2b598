//! Bytes that are text most of the time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a worker wrote: text, and the exact bytes where it is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Text {
    /// The text; bytes that are not UTF-8 are replaced by U+FFFD.
    pub text: String,
    /// The exact bytes in base64, only where they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
}

/// The digits of base64.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Text {
    /// What these bytes are on the wire.
    pub fn new(bytes: &[u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) => Self { text: text.to_owned(), bytes: None },
            Err(_) => Self { text: String::from_utf8_lossy(bytes).into_owned(), bytes: Some(encode(bytes)) },
        }
    }

    /// The bytes as they were written; those of the text if `bytes` is damaged.
    pub fn to_bytes(&self) -> Vec<u8> {
        let exact = self.bytes.as_deref().and_then(decode);
        exact.unwrap_or_else(|| self.text.as_bytes().to_vec())
    }
}

fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(group >> (18 - 6 * place)) as usize & 63];
            out.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    for chunk in digits.chunks(4) {
        let mut group = 0u32;
        for digit in chunk {
            let value = DIGITS.iter().position(|known| known == digit)?;
            group = group << 6 | u32::try_from(value).ok()?;
        }
        let group = group << (6 * (4 - chunk.len()));
        out.extend_from_slice(&group.to_be_bytes()[1..chunk.len()]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_common_one() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
    }

    #[test]
    fn bytes_survive_whatever_they_are() {
        for length in 0..=32 {
            let bytes: Vec<u8> = (0..length).map(|n: u8| n.wrapping_mul(37) ^ 0xf0).collect();
            assert_eq!(Text::new(&bytes).to_bytes(), bytes);
        }
    }

    #[test]
    fn bytes_are_sent_only_where_the_text_is_not_exact() {
        assert_eq!(Text::new("grün".as_bytes()).bytes, None);
        let broken = Text::new(b"a\xff");
        assert_eq!((broken.text.as_str(), broken.bytes.as_deref()), ("a\u{fffd}", Some("Yf8=")));
    }

    #[test]
    fn damaged_bytes_fall_back_to_the_text() {
        let damaged = Text { text: "x".to_owned(), bytes: Some("!".to_owned()) };
        assert_eq!(damaged.to_bytes(), b"x");
    }
}
