//! How lines are written for the targets.

use std::collections::VecDeque;
use std::fmt::Write as _;

use ganger_logs::Line;
use ganger_spec::{Facility, LogName, SyslogFormat, SyslogSocket, Target};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A longer line becomes several messages: servers cut or refuse what is longer.
pub(super) const MESSAGE_BYTES: usize = 8 * 1024;
/// Syslog's longest name of an app.
const APP_BYTES: usize = 48;
/// Syslog's number for an informational message, journald's too.
const INFO: u8 = 6;

/// Writes lines for one target.
pub(super) struct Format {
    target: Target,
    app: String,
    host: String,
    zone: TimeZone,
}

impl Format {
    pub(super) fn new(target: &Target, app: &str) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { target: target.clone(), app: app.to_owned(), host, zone: TimeZone::system() }
    }

    /// Adds the messages of a line: datagrams, or one piece of a stream.
    pub(super) fn add(&self, line: &Line, messages: &mut VecDeque<Vec<u8>>) {
        for part in parts(&line.text) {
            match &self.target {
                Target::Journald { .. } => messages.push_back(self.journald(line, part)),
                Target::Syslog { at: SyslogSocket::Tcp(_), format, facility } => {
                    let message = self.syslog(line, part, *format, *facility, false);
                    let stream = match messages.back_mut() {
                        Some(stream) => stream,
                        None => messages.push_back_mut(Vec::new()),
                    };
                    frame(&message, *format, stream);
                }
                Target::Syslog { at, format, facility } => {
                    let is_local = matches!(at, SyslogSocket::Unix(_));
                    messages.push_back(self.syslog(line, part, *format, *facility, is_local));
                }
            }
        }
    }

    fn syslog(
        &self,
        line: &Line,
        text: &[u8],
        format: SyslogFormat,
        facility: Facility,
        is_local: bool,
    ) -> Vec<u8> {
        let time = Timestamp::from_nanosecond(line.time.into()).unwrap_or_default();
        let priority = facility.number() * 8 + INFO;
        let (app, host, worker) = (word(&self.app, APP_BYTES), word(&self.host, 255), &line.log);
        let head = match format {
            SyslogFormat::Rfc5424 => format!("<{priority}>1 {time:.6} {host} {app} {worker} - - "),
            SyslogFormat::Rfc3164 => {
                let time = time.to_zoned(self.zone.clone()).strftime("%b %e %H:%M:%S");
                // The local daemon knows the host.
                let host = if is_local { String::new() } else { format!("{host} ") };
                format!("<{priority}>{time} {host}{app}[{worker}]: ")
            }
        };
        [head.as_bytes(), text].concat()
    }

    fn journald(&self, line: &Line, text: &[u8]) -> Vec<u8> {
        let time = Timestamp::from_nanosecond(line.time.into()).unwrap_or_default();
        let app = self.app.replace('\n', " ");
        let (worker, stream) = match LogName::try_from(line.log.to_string()) {
            Ok(LogName { worker, is_err }) => (worker, if is_err { "GANGER_STREAM=stderr\n" } else { "" }),
            // Logs of other names are not forwarded.
            Err(_) => return Vec::new(),
        };
        let group = &worker.group;
        let mut fields = format!(
            "PRIORITY={INFO}\nSYSLOG_IDENTIFIER={app}\nGANGER_APP={app}\nGANGER_GROUP={group}\n\
             GANGER_WORKER={worker}\nGANGER_TIME={time}\n{stream}"
        );
        if line.run != 0 {
            // Writing to a string cannot fail.
            let _ = writeln!(fields, "GANGER_RUN={}", line.run);
        }
        // The form for any bytes: the name, the length as 64 bits, the bytes.
        let length = (text.len() as u64).to_le_bytes();
        [fields.as_bytes(), b"MESSAGE\n", &length, text, b"\n"].concat()
    }
}

/// Marks where a message of a stream ends: by its length before it, or in the old format by a newline.
fn frame(message: &[u8], format: SyslogFormat, stream: &mut Vec<u8>) {
    match format {
        SyslogFormat::Rfc5424 => {
            stream.extend_from_slice(format!("{} ", message.len()).as_bytes());
            stream.extend_from_slice(message);
        }
        SyslogFormat::Rfc3164 => {
            stream.extend_from_slice(message);
            stream.push(b'\n');
        }
    }
}

/// A line in pieces that fit in messages, cut between letters where it is text; an empty line is one piece.
fn parts(text: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::with_capacity(1);
    let mut rest = text;
    while rest.len() > MESSAGE_BYTES {
        let is_inside = |at: &usize| rest[*at] & 0b1100_0000 == 0b1000_0000;
        let back = (MESSAGE_BYTES - 3..=MESSAGE_BYTES).rev().find(|at| !is_inside(at));
        let (part, after) = rest.split_at(back.unwrap_or(MESSAGE_BYTES));
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
}

/// A name as syslog's head can have it: printable, in one word, and no longer than this.
fn word(text: &str, max: usize) -> String {
    let is_plain = |c: &char| c.is_ascii_graphic() && !matches!(c, '[' | ']' | ':');
    let word: String = text.chars().map(|c| if is_plain(&c) { c } else { '_' }).take(max).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &[u8]) -> Line {
        // 2026-11-22 10:00:05.25 in UTC.
        let time = 1_795_341_605_250_000_000;
        Line { log: "web.1".into(), time, run: 7, position: 0, end: 0, text: text.to_vec() }
    }

    fn messages(target: Target, text: &[u8]) -> VecDeque<Vec<u8>> {
        let (app, host) = ("my shop".to_owned(), "host".to_owned());
        let mut messages = VecDeque::new();
        Format { target, app, host, zone: TimeZone::UTC }.add(&line(text), &mut messages);
        messages
    }

    fn syslog(at: SyslogSocket, format: SyslogFormat, text: &[u8]) -> String {
        let facility = Facility::Local0;
        let messages = messages(Target::Syslog { at, format, facility }, text);
        String::from_utf8(messages.into_iter().next().unwrap()).unwrap()
    }

    #[test]
    fn syslog_messages_have_the_forms_of_the_standards() {
        let (unix, udp, tcp) = (
            SyslogSocket::Unix("/dev/log".into()),
            SyslogSocket::Udp(String::new()),
            SyslogSocket::Tcp(String::new()),
        );
        let new = "<134>1 2026-11-22T10:00:05.250000Z host my_shop web.1 - - hi [x]";
        assert_eq!(syslog(udp.clone(), SyslogFormat::Rfc5424, b"hi [x]"), new);
        assert_eq!(syslog(tcp.clone(), SyslogFormat::Rfc5424, b"hi [x]"), format!("{} {new}", new.len()));
        let old = "<134>Nov 22 10:00:05 host my_shop[web.1]: hi";
        assert_eq!(syslog(udp, SyslogFormat::Rfc3164, b"hi"), old);
        assert_eq!(syslog(tcp, SyslogFormat::Rfc3164, b"hi"), format!("{old}\n"));
        assert_eq!(syslog(unix, SyslogFormat::Rfc3164, b""), "<134>Nov 22 10:00:05 my_shop[web.1]: ");
    }

    #[test]
    fn journald_gets_fields_and_any_bytes() {
        let messages = messages(Target::Journald { socket: "/j".into() }, b"a\xffb");
        let fields = b"PRIORITY=6\nSYSLOG_IDENTIFIER=my shop\nGANGER_APP=my shop\nGANGER_GROUP=web\n\
                       GANGER_WORKER=web.1\nGANGER_TIME=2026-11-22T10:00:05.25Z\nGANGER_RUN=7\n\
                       MESSAGE\n\x03\0\0\0\0\0\0\0a\xffb\n";
        assert_eq!(messages[0], fields);
    }

    #[test]
    fn a_line_as_long_as_a_message_is_one_and_a_longer_one_is_cut_between_letters() {
        assert_eq!(parts(b""), [b""]);
        let longest = vec![b'x'; MESSAGE_BYTES];
        assert_eq!(parts(&longest), [longest.as_slice()]);
        let longer = "é".repeat(MESSAGE_BYTES) + "x";
        let cut = parts(longer.as_bytes());
        assert_eq!(cut.concat(), longer.as_bytes());
        assert!(cut.len() == 3 && cut.iter().all(|part| str::from_utf8(part).is_ok()));
        let odd = ["x", &"é".repeat(MESSAGE_BYTES)].concat();
        assert!(parts(odd.as_bytes()).iter().all(|part| str::from_utf8(part).is_ok()));
        assert_eq!(parts(&vec![0x80; MESSAGE_BYTES + 1]).len(), 2, "what is no text is cut anywhere");
    }
}
