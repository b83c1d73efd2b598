//! Calls and answers from XML.

use std::str::FromStr;

use super::xml::{Piece, Reader, is_space, shown};
use super::{Fault, MethodCall, Value};
use crate::base64;
use crate::limits::{
    MAX_XMLRPC_ANSWER_BYTES, MAX_XMLRPC_ANSWER_VALUES, MAX_XMLRPC_CALL_BYTES, MAX_XMLRPC_CALL_VALUES,
    MAX_XMLRPC_DEPTH,
};

/// Why bytes are no call, or no answer, of XML-RPC.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadXmlRpc {
    /// It is no XML, or not that of XML-RPC.
    #[error("line {line}, column {column}: {reason}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The byte of the line, from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// It is longer than its bound.
    #[error("XML-RPC of {bytes} bytes is too long (the limit is {limit})")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// It is not UTF-8.
    #[error("byte {at} is not UTF-8")]
    NotUtf8 {
        /// The first byte that is not, from 0.
        at: usize,
    },
}

type Result<T> = std::result::Result<T, BadXmlRpc>;

/// Reads a `<methodCall>`. As with supervisord, `<params>` may be left out.
pub fn read_call(bytes: &[u8]) -> Result<MethodCall> {
    let mut parser = Parser::new(bytes, MAX_XMLRPC_CALL_BYTES, MAX_XMLRPC_CALL_VALUES)?;
    parser.open("methodCall")?;
    let mut method = None;
    let mut params = None;
    while let Some(name) = parser.child()? {
        match name {
            "methodName" if method.is_none() => method = Some(parser.text()?),
            "params" if params.is_none() => params = Some(parser.params()?),
            other => return Err(parser.unexpected(other, "a methodCall")),
        }
    }
    let method = method.map(|name| name.trim_matches(is_space).to_owned()).filter(|name| !name.is_empty());
    let method = method.ok_or_else(|| parser.bad("the call has no methodName"))?;
    parser.end()?;
    Ok(MethodCall { method, params: params.unwrap_or_default() })
}

/// Reads a `<methodResponse>`: a value or a fault.
pub fn read_response(bytes: &[u8]) -> Result<std::result::Result<Value, Fault>> {
    let mut parser = Parser::new(bytes, MAX_XMLRPC_ANSWER_BYTES, MAX_XMLRPC_ANSWER_VALUES)?;
    parser.open("methodResponse")?;
    let answer = match parser.child()? {
        Some("params") => {
            let mut params = parser.params()?;
            match (params.pop(), params.is_empty()) {
                (Some(value), true) => Ok(value),
                _ => return Err(parser.bad("an answer has one value")),
            }
        }
        Some("fault") => {
            parser.open("value")?;
            let value = parser.value(0)?;
            parser.close()?;
            let (code, text) = (value.member("faultCode"), value.member("faultString"));
            let (Some(Value::Int(code)), Some(Value::String(text))) = (code, text) else {
                return Err(parser.bad("a fault has a faultCode and a faultString"));
            };
            Err(Fault { code: *code, text: text.clone() })
        }
        _ => return Err(parser.bad("an answer has params or a fault")),
    };
    parser.close()?;
    parser.end()?;
    Ok(answer)
}

struct Parser<'a> {
    reader: Reader<'a>,
    /// So many more values may come.
    left: usize,
}

impl<'a> Parser<'a> {
    fn new(bytes: &'a [u8], limit: usize, values: usize) -> Result<Self> {
        if bytes.len() > limit {
            return Err(BadXmlRpc::TooLong { bytes: bytes.len(), limit });
        }
        let text = str::from_utf8(bytes).map_err(|error| BadXmlRpc::NotUtf8 { at: error.valid_up_to() })?;
        Ok(Self { reader: Reader::new(text), left: values })
    }

    fn bad(&self, reason: impl Into<String>) -> BadXmlRpc {
        self.reader.bad(reason)
    }

    fn unexpected(&self, name: &str, within: &str) -> BadXmlRpc {
        self.bad(format!("<{}> cannot stand here in {within}", shown(name)))
    }

    /// The next child of the open element; none at that element's end. Only white space may be between.
    fn child(&mut self) -> Result<Option<&'a str>> {
        loop {
            match self.reader.next()? {
                Piece::Open(name) => return Ok(Some(name)),
                Piece::Close | Piece::End => return Ok(None),
                Piece::Text(text) if text.chars().all(is_space) => {}
                Piece::Text(text) => {
                    return Err(self.bad(format!("text where only tags may be: {}", shown(&text))));
                }
            }
        }
    }

    /// The next child is this one.
    fn open(&mut self, name: &str) -> Result<()> {
        match self.child()? {
            Some(found) if found == name => Ok(()),
            Some(found) => Err(self.bad(format!("<{}> where <{name}> must come", shown(found)))),
            None => Err(self.bad(format!("no <{name}>"))),
        }
    }

    /// The open element ends.
    fn close(&mut self) -> Result<()> {
        match self.child()? {
            None => Ok(()),
            Some(name) => Err(self.bad(format!("<{}> is one too many", shown(name)))),
        }
    }

    /// Nothing follows the document.
    fn end(&mut self) -> Result<()> {
        self.close()
    }

    /// All text of the open element, to its end.
    fn text(&mut self) -> Result<String> {
        let mut out = String::new();
        loop {
            match self.reader.next()? {
                Piece::Text(text) if out.is_empty() => out = text.into_owned(),
                Piece::Text(text) => out.push_str(&text),
                Piece::Close | Piece::End => return Ok(out),
                Piece::Open(name) => return Err(self.unexpected(name, "a text")),
            }
        }
    }

    /// The values of an open `<params>`.
    fn params(&mut self) -> Result<Vec<Value>> {
        let mut params = Vec::new();
        while let Some(name) = self.child()? {
            if name != "param" {
                return Err(self.unexpected(name, "params"));
            }
            self.open("value")?;
            params.push(self.value(0)?);
            self.close()?;
        }
        Ok(params)
    }

    /// The value of an open `<value>`, to its end, within so many arrays and structs.
    fn value(&mut self, depth: usize) -> Result<Value> {
        if depth > MAX_XMLRPC_DEPTH {
            return Err(self.bad(format!("values lie more than {MAX_XMLRPC_DEPTH} deep in each other")));
        }
        self.left = self.left.checked_sub(1).ok_or_else(|| self.bad("too many values"))?;
        let mut text = String::new();
        loop {
            match self.reader.next()? {
                Piece::Text(more) => text.push_str(&more),
                // Text without a type is a string.
                Piece::Close | Piece::End => return Ok(Value::String(text)),
                Piece::Open(name) if text.chars().all(is_space) => {
                    let value = self.typed(name, depth)?;
                    self.close()?;
                    return Ok(value);
                }
                Piece::Open(name) => return Err(self.unexpected(name, "a text")),
            }
        }
    }

    /// The value of an open element that tells its type, to its end.
    fn typed(&mut self, name: &str, depth: usize) -> Result<Value> {
        // `ex:nil` and `ex:i8` of Apache's extensions.
        let name = name.split_once(':').map_or(name, |(_, name)| name);
        match name {
            "array" => self.array(depth),
            "struct" => self.members(depth),
            _ => {
                let text = self.text()?;
                self.scalar(name, text)
            }
        }
    }

    fn scalar(&self, name: &str, text: String) -> Result<Value> {
        let word = text.trim_matches(is_space);
        Ok(match name {
            "string" => Value::String(text),
            "int" | "i4" | "i8" | "i2" | "i1" => Value::Int(self.number(name, word)?),
            "double" | "float" => Value::Double(self.number(name, word)?),
            "boolean" => Value::Bool(match word {
                "1" | "true" => true,
                "0" | "false" => false,
                other => return Err(self.bad(format!("{} is no boolean", shown(other)))),
            }),
            "dateTime.iso8601" => Value::DateTime(word.to_owned()),
            "base64" => {
                let digits: String = text.chars().filter(|char| !is_space(*char)).collect();
                Value::Base64(base64::decode(&digits).ok_or_else(|| self.bad("this is no base64"))?)
            }
            "nil" if word.is_empty() => Value::Nil,
            other => return Err(self.bad(format!("<{}> is no type of XML-RPC", shown(other)))),
        })
    }

    fn number<T: FromStr>(&self, name: &str, word: &str) -> Result<T> {
        word.parse().map_err(|_| self.bad(format!("{} is no {name}", shown(word))))
    }

    fn array(&mut self, depth: usize) -> Result<Value> {
        self.open("data")?;
        let mut values = Vec::new();
        while let Some(name) = self.child()? {
            if name != "value" {
                return Err(self.unexpected(name, "an array"));
            }
            values.push(self.value(depth + 1)?);
        }
        self.close()?;
        Ok(Value::Array(values))
    }

    fn members(&mut self, depth: usize) -> Result<Value> {
        let mut members = Vec::new();
        while let Some(name) = self.child()? {
            if name != "member" {
                return Err(self.unexpected(name, "a struct"));
            }
            self.open("name")?;
            let name = self.text()?;
            self.open("value")?;
            members.push((name, self.value(depth + 1)?));
            self.close()?;
        }
        Ok(Value::Struct(members))
    }
}
