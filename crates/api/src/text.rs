//! Bytes that are text most of the time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base64::{decode, encode};

/// What a worker wrote: text, and the exact bytes where it is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Text {
    /// The text; bytes that are not UTF-8 are replaced by U+FFFD.
    pub text: String,
    /// The exact bytes in base64, only where they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
}

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

#[cfg(test)]
mod tests {
    use super::*;

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
