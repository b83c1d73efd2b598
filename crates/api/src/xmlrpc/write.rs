//! Values as XML, byte for byte as Python's `xmlrpc.client` writes them.

use std::fmt::Write as _;

use super::{Fault, Value};
use crate::base64;

const DECLARATION: &str = "<?xml version='1.0'?>\n";
/// Python breaks base64 into lines of this length.
const BASE64_LINE: usize = 76;

/// A `<methodCall>`.
pub fn write_call(method: &str, params: &[Value]) -> String {
    let mut out = String::from(DECLARATION);
    out.push_str("<methodCall>\n<methodName>");
    escape(&mut out, method);
    out.push_str("</methodName>\n<params>\n");
    for param in params {
        out.push_str("<param>\n");
        write(&mut out, param);
        out.push_str("</param>\n");
    }
    out.push_str("</params>\n</methodCall>\n");
    out
}

/// A `<methodResponse>`.
pub fn write_response(answer: &Result<Value, Fault>) -> String {
    let mut out = String::from(DECLARATION);
    out.push_str("<methodResponse>\n");
    match answer {
        Ok(value) => {
            out.push_str("<params>\n<param>\n");
            write(&mut out, value);
            out.push_str("</param>\n</params>\n");
        }
        Err(fault) => {
            out.push_str("<fault>\n");
            write(&mut out, &fault.clone().into());
            out.push_str("</fault>\n");
        }
    }
    out.push_str("</methodResponse>\n");
    out
}

fn write(out: &mut String, value: &Value) {
    out.push_str("<value>");
    match value {
        Value::Int(value) => {
            // Clients know `int` as 32 bits, many know `i8`.
            let tag = if i32::try_from(*value).is_ok() { "int" } else { "i8" };
            // Writing into a String cannot fail.
            let _ = write!(out, "<{tag}>{value}</{tag}>");
        }
        Value::Bool(value) => simple(out, "boolean", if *value { "1" } else { "0" }),
        Value::String(text) => simple(out, "string", text),
        Value::Double(value) => simple(out, "double", &value.to_string()),
        Value::DateTime(text) => simple(out, "dateTime.iso8601", text),
        Value::Base64(bytes) => write_base64(out, bytes),
        Value::Array(values) => {
            out.push_str("<array><data>\n");
            for value in values {
                write(out, value);
            }
            out.push_str("</data></array>");
        }
        Value::Struct(members) => {
            out.push_str("<struct>\n");
            for (name, value) in members {
                out.push_str("<member>\n");
                simple(out, "name", name);
                out.push('\n');
                write(out, value);
                out.push_str("</member>\n");
            }
            out.push_str("</struct>");
        }
        Value::Nil => out.push_str("<nil/>"),
    }
    out.push_str("</value>\n");
}

fn simple(out: &mut String, tag: &str, text: &str) {
    // Writing into a String cannot fail.
    let _ = write!(out, "<{tag}>");
    escape(out, text);
    let _ = write!(out, "</{tag}>");
}

fn write_base64(out: &mut String, bytes: &[u8]) {
    out.push_str("<base64>\n");
    let digits = base64::encode(bytes);
    let mut rest = digits.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(BASE64_LINE));
        out.push_str(line);
        out.push('\n');
        rest = more;
    }
    out.push_str("</base64>");
}

/// Text as XML can hold it. A control character becomes its picture (`␛`), since a parser refuses the whole answer for
/// one; a carriage return is written by number, since a parser makes a line feed of it.
fn escape(out: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(char),
            '\0'..'\x20' => out.push(char::from_u32(0x2400 + u32::from(char)).unwrap_or('\u{fffd}')),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(char),
        }
    }
}
