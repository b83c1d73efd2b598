//! Errors as Python prints them, for those who read them.

use std::fmt::Write as _;
use std::io;

use ganger_api::supervisor::ClientError;

/// An exception: its class and what it says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exception {
    class: &'static str,
    text: String,
}

impl Exception {
    pub(super) fn new(class: &'static str, text: impl Into<String>) -> Self {
        Self { class, text: text.into() }
    }

    /// The line that tells it. A place in Python's files does not follow, since there is none.
    pub(super) fn line(&self) -> String {
        format!("error: <class '{}'>, {}", self.class, self.text)
    }

    /// The exception that Python's client raises for this.
    pub(super) fn of(error: &ClientError) -> Self {
        match error {
            ClientError::Fault(fault) => {
                Self::new("xmlrpc.client.Fault", self::fault(fault.code, &fault.text))
            }
            ClientError::Status(code) => {
                let text = format!("<ProtocolError for 127.0.0.1/RPC2: {code} {}>", reason(*code));
                Self::new("xmlrpc.client.ProtocolError", text)
            }
            ClientError::Connect(error) => connect(error),
            ClientError::Closed => {
                Self::new("http.client.RemoteDisconnected", "Remote end closed connection without response")
            }
            ClientError::Broken(_) => Self::new("ConnectionResetError", error.to_string()),
            ClientError::Timeout => Self::new("TimeoutError", error.to_string()),
            ClientError::BadXmlRpc(_) => Self::new("xml.parsers.expat.ExpatError", error.to_string()),
            ClientError::BadAnswer(_) => Self::new("ValueError", error.to_string()),
        }
    }
}

/// A fault as Python's `repr` has it.
pub(super) fn fault(code: i64, text: &str) -> String {
    format!("<Fault {code}: {}>", repr(text))
}

fn connect(error: &io::Error) -> Exception {
    let class = match error.kind() {
        io::ErrorKind::NotFound => "FileNotFoundError",
        io::ErrorKind::ConnectionRefused => "ConnectionRefusedError",
        io::ErrorKind::PermissionDenied => "PermissionError",
        io::ErrorKind::ConnectionReset => "ConnectionResetError",
        io::ErrorKind::TimedOut => "TimeoutError",
        _ => "OSError",
    };
    match error.raw_os_error() {
        Some(number) => {
            let text = error.to_string();
            let text = text.strip_suffix(&format!(" (os error {number})")).unwrap_or(&text);
            Exception::new(class, format!("[Errno {number}] {text}"))
        }
        None => Exception::new("socket.gaierror", error.to_string()),
    }
}

fn reason(code: u16) -> &'static str {
    match code {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Unknown",
    }
}

/// Text as Python's `repr` quotes it.
pub(super) fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for char in text.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            char if char == quote => {
                out.push('\\');
                out.push(char);
            }
            // Writing into a String cannot fail.
            char if char.is_control() => drop(write!(out, "\\x{:02x}", u32::from(char))),
            char => out.push(char),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_as_python_quotes_it() {
        for (text, quoted) in
            [("a", "'a'"), ("a'b", "\"a'b\""), ("a'\"b", "'a\\'\"b'"), ("\n\\\x1b", "'\\n\\\\\\x1b'")]
        {
            assert_eq!(repr(text), quoted);
        }
    }

    #[test]
    fn an_exception_is_told_by_class_and_number() {
        let error = ClientError::Connect(io::Error::from_raw_os_error(2));
        let line = Exception::of(&error).line();
        assert_eq!(line, "error: <class 'FileNotFoundError'>, [Errno 2] No such file or directory");
        let line = Exception::of(&ClientError::Status(500)).line();
        let expected = "error: <class 'xmlrpc.client.ProtocolError'>, \
             <ProtocolError for 127.0.0.1/RPC2: 500 Internal Server Error>";
        assert_eq!(line, expected);
    }
}
