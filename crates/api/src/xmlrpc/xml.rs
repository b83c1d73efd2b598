//! As much of XML as XML-RPC needs: elements, text, comments, CDATA. No document type, no entity but the five.

use std::borrow::Cow;

use super::BadXmlRpc;

/// The next piece of a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// `<name>`; of `<name/>` too, and then its end follows.
    Open(&'a str),
    /// `</name>`, that of the innermost open element.
    Close,
    /// Text, with its entities resolved. Text may come in several pieces.
    Text(Cow<'a, str>),
    /// The end of the document.
    End,
}

/// Reads a document piece by piece.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// The elements that are open.
    open: Vec<&'a str>,
    /// The last element was `<name/>`: its end comes next.
    empty: bool,
}

type Result<T> = std::result::Result<T, BadXmlRpc>;

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        // A byte order mark is no part of the text.
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, at, open: Vec::new(), empty: false }
    }

    /// An error at the present place.
    pub(super) fn bad(&self, reason: impl Into<String>) -> BadXmlRpc {
        self.bad_at(self.at, reason)
    }

    fn bad_at(&self, at: usize, reason: impl Into<String>) -> BadXmlRpc {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = before.split(|byte| *byte == b'\n').count();
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        BadXmlRpc::Syntax { line, column, reason: reason.into() }
    }

    pub(super) fn next(&mut self) -> Result<Piece<'a>> {
        loop {
            if std::mem::take(&mut self.empty) {
                self.open.pop();
                return Ok(Piece::Close);
            }
            let rest = self.rest();
            if rest.is_empty() {
                return match self.open.last() {
                    Some(name) => Err(self.bad(format!("the text ends within <{}>", shown(name)))),
                    None => Ok(Piece::End),
                };
            }
            if !rest.starts_with('<') {
                let end = rest.find('<').unwrap_or(rest.len());
                let text = self.unescape(&rest[..end])?;
                self.at += end;
                return Ok(Piece::Text(text));
            }
            if let Some(piece) = self.markup()? {
                return Ok(piece);
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// What begins with `<`; nothing for what says nothing.
    fn markup(&mut self) -> Result<Option<Piece<'a>>> {
        let rest = self.rest();
        if rest.starts_with("<!--") {
            self.until("<!--", "-->", "a comment")?;
        } else if rest.starts_with("<![CDATA[") {
            let text = self.until("<![CDATA[", "]]>", "a CDATA section")?;
            return Ok(Some(Piece::Text(lines(text))));
        } else if rest.starts_with("<?") {
            self.until("<?", "?>", "an instruction")?;
        } else if rest.starts_with("<!") {
            return Err(self.bad("document types and entities are refused"));
        } else if rest.starts_with("</") {
            return self.close().map(Some);
        } else {
            return self.open().map(Some);
        }
        Ok(None)
    }

    /// What stands between these two.
    fn until(&mut self, open: &str, close: &str, what: &str) -> Result<&'a str> {
        let body = &self.rest()[open.len()..];
        let end = body.find(close).ok_or_else(|| self.bad(format!("{what} does not end")))?;
        self.at += open.len() + end + close.len();
        Ok(&body[..end])
    }

    fn close(&mut self) -> Result<Piece<'a>> {
        let tag = self.until("</", ">", "a tag")?;
        match self.open.pop() {
            Some(name) if name == tag.trim_end_matches(is_space) => Ok(Piece::Close),
            Some(name) => Err(self.bad(format!("</{}> where </{}> must come", shown(tag), shown(name)))),
            None => Err(self.bad(format!("</{}> closes nothing", shown(tag)))),
        }
    }

    fn open(&mut self) -> Result<Piece<'a>> {
        let tag = self.tag()?;
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let name = tag.split(is_space).next().unwrap_or_default();
        let fits = |char: char| !char.is_ascii() || char.is_ascii_alphanumeric() || "_:.-".contains(char);
        if name.is_empty() || !name.chars().all(fits) {
            return Err(self.bad(format!("<{}> is no tag", shown(tag))));
        }
        self.open.push(name);
        self.empty = empty;
        Ok(Piece::Open(name))
    }

    /// What stands between `<` and `>`; a `>` within the quotes of an attribute does not count.
    fn tag(&mut self) -> Result<&'a str> {
        let body = &self.rest()[1..];
        let mut quote = None;
        for (index, byte) in body.bytes().enumerate() {
            match (quote, byte) {
                (None, b'"' | b'\'') => quote = Some(byte),
                (None, b'>') => {
                    self.at += 1 + index + 1;
                    return Ok(&body[..index]);
                }
                (Some(open), close) if open == close => quote = None,
                (_, b'<') => break,
                _ => {}
            }
        }
        Err(self.bad("a tag does not end"))
    }

    /// The text with its entities resolved.
    fn unescape(&self, text: &'a str) -> Result<Cow<'a, str>> {
        if !text.contains('&') {
            return Ok(lines(text));
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('&') {
            out.push_str(&lines(&rest[..start]));
            let at = self.at + (text.len() - rest.len()) + start;
            let after = &rest[start + 1..];
            let end = after.find(';').ok_or_else(|| self.bad_at(at, "an entity does not end"))?;
            let name = &after[..end];
            let char = entity(name).ok_or_else(|| {
                self.bad_at(at, format!("the entity &{}; is not one of XML's own", shown(name)))
            })?;
            out.push(char);
            rest = &after[end + 1..];
        }
        out.push_str(&lines(rest));
        Ok(Cow::Owned(out))
    }
}

/// The character that an entity stands for. Control characters are taken, though XML has none.
fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = name.strip_prefix('#')?;
            let (digits, radix) = digits.strip_prefix('x').map_or((digits, 10), |digits| (digits, 16));
            let plain = digits.chars().all(|digit| digit.is_digit(radix));
            char::from_u32(u32::from_str_radix(digits, radix).ok().filter(|_| plain)?)
        }
    }
}

/// The text with XML's line ends: a carriage return begins or is a line feed.
fn lines(text: &str) -> Cow<'_, str> {
    if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { text.into() }
}

pub(super) fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\n' | '\r')
}

/// The most characters of foreign text in a message.
const MAX_SHOWN: usize = 40;

/// As much of foreign text as a message can bear.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).flat_map(char::escape_default).collect()
}
