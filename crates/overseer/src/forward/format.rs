//! How lines are written for the targets.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use ganger_logs::Line;
use ganger_spec::{Facility, Forward, LogName, SyslogFormat, SyslogSocket, Target};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// A longer line becomes several messages: servers cut or refuse what is longer.
pub(super) const MESSAGE_BYTES: usize = 8 * 1024;
/// Syslog's longest name of an app.
const APP_BYTES: usize = 48;
/// Syslog's numbers for a warning and for an informational message, journald's too.
const WARNING: u8 = 4;
const INFO: u8 = 6;
/// Under this name supervisord sends.
const SUPERVISORD: &str = "supervisord";
/// Marks the structured data of syslog as ganger's; the number is the one that the standard has for examples.
const DATA_ID: &str = "ganger@32473";

/// Writes lines for one target.
pub(super) struct Format {
    forward: Forward,
    app: String,
    host: String,
    zone: TimeZone,
    /// What supervisord calls the processes of logs, where lines are sent in its words.
    processes: BTreeMap<Arc<str>, Option<String>>,
}

impl Format {
    pub(super) fn new(forward: Forward, app: &str) -> Self {
        let (host, zone) = (own_host(), TimeZone::system());
        Self { forward, app: app.to_owned(), host, zone, processes: BTreeMap::new() }
    }

    /// Adds the messages of a line: datagrams, or one piece of a stream.
    pub(super) fn add(&mut self, line: &Line, messages: &mut VecDeque<Vec<u8>>) {
        if let Some(process) = self.process(&line.log) {
            let time = Timestamp::from_nanosecond(line.time.into()).unwrap_or_default();
            for part in parts(&line.text) {
                let text = [process.as_bytes(), b" ", part].concat();
                let message = self.supervisords(time, &text);
                match (&self.forward.to, messages.back_mut()) {
                    (Target::Syslog { at: SyslogSocket::Tcp(_), .. }, Some(stream)) => stream.extend(message),
                    (Target::Syslog { .. } | Target::Journald { .. }, _) => messages.push_back(message),
                }
            }
            return;
        }
        for part in parts(&line.text) {
            match &self.forward.to {
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

    /// The name before the lines of this log, where they are sent in supervisord's words.
    fn process(&mut self, log: &Arc<str>) -> Option<String> {
        self.forward.supervisor.as_ref()?;
        if let Some(known) = self.processes.get(log) {
            return known.clone();
        }
        let name = LogName::try_from(log.to_string()).ok().and_then(|log| self.forward.process(&log));
        self.processes.insert(Arc::clone(log), name.clone());
        name
    }

    fn supervisords(&self, time: Timestamp, text: &[u8]) -> Vec<u8> {
        supervisords(&self.forward.to, &time.to_zoned(self.zone.clone()), &self.host, text)
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
        let is_err = LogName::try_from(line.log.to_string()).is_ok_and(|log| log.is_err);
        let priority = facility.number() * 8 + severity(is_err);
        let (app, host, worker) = (word(&self.app, APP_BYTES), word(&self.host, 255), &line.log);
        let head = match format {
            SyslogFormat::Rfc5424 => {
                format!("<{priority}>1 {time:.6} {host} {app} {worker} - {} ", data(line.run))
            }
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
        // Logs of other names are not forwarded.
        let Ok(LogName { worker, is_err }) = LogName::try_from(line.log.to_string()) else {
            return Vec::new();
        };
        let stream = if is_err { "GANGER_STREAM=stderr\n" } else { "" };
        let (group, priority) = (&worker.group, severity(is_err));
        let mut fields = format!(
            "PRIORITY={priority}\nSYSLOG_IDENTIFIER={app}\nGANGER_APP={app}\nGANGER_GROUP={group}\n\
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

fn own_host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// A message of supervisord's own, of now, as it is sent to this target.
pub(crate) fn of_supervisord(target: &Target, text: &[u8]) -> Vec<u8> {
    supervisords(target, &Zoned::now(), &own_host(), text)
}

/// supervisord sends everything under its own name, as information.
fn supervisords(target: &Target, time: &Zoned, host: &str, text: &[u8]) -> Vec<u8> {
    let (at, format, facility) = match target {
        Target::Syslog { at, format, facility } => (at, *format, *facility),
        Target::Journald { .. } => {
            let length = (text.len() as u64).to_le_bytes();
            let fields = format!("PRIORITY={INFO}\nSYSLOG_IDENTIFIER={SUPERVISORD}\nMESSAGE\n");
            return [fields.as_bytes(), &length, text, b"\n"].concat();
        }
    };
    let priority = facility.number() * 8 + INFO;
    let host = word(host, 255);
    let head = match (format, at) {
        (SyslogFormat::Rfc5424, _) => {
            format!("<{priority}>1 {:.6} {host} {SUPERVISORD} - - - ", time.timestamp())
        }
        // The local daemon knows the host.
        (SyslogFormat::Rfc3164, SyslogSocket::Unix(_)) => {
            format!("<{priority}>{} {SUPERVISORD}: ", time.strftime("%b %e %H:%M:%S"))
        }
        (SyslogFormat::Rfc3164, SyslogSocket::Udp(_) | SyslogSocket::Tcp(_)) => {
            format!("<{priority}>{} {host} {SUPERVISORD}: ", time.strftime("%b %e %H:%M:%S"))
        }
    };
    let message = [head.as_bytes(), text].concat();
    match at {
        SyslogSocket::Tcp(_) => {
            let mut stream = Vec::new();
            frame(&message, format, &mut stream);
            stream
        }
        SyslogSocket::Unix(_) | SyslogSocket::Udp(_) => message,
    }
}

/// How severe a line is: what is written to a stderr that is kept apart is a warning.
fn severity(is_err: bool) -> u8 {
    if is_err { WARNING } else { INFO }
}

/// The structured data of a line: its run, where that is known.
fn data(run: u64) -> String {
    if run == 0 { "-".to_owned() } else { format!("[{DATA_ID} run=\"{run}\"]") }
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
        format(target, app, host).add(&line(text), &mut messages);
        messages
    }

    fn format(to: Target, app: String, host: String) -> Format {
        let forward = Forward { name: "f".to_owned(), to, groups: Vec::new(), supervisor: None };
        Format { forward, app, host, zone: TimeZone::UTC, processes: BTreeMap::new() }
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
        let new = "<134>1 2026-11-22T10:00:05.250000Z host my_shop web.1 - [ganger@32473 run=\"7\"] hi [x]";
        assert_eq!(syslog(udp.clone(), SyslogFormat::Rfc5424, b"hi [x]"), new);
        assert_eq!(syslog(tcp.clone(), SyslogFormat::Rfc5424, b"hi [x]"), format!("{} {new}", new.len()));
        let old = "<134>Nov 22 10:00:05 host my_shop[web.1]: hi";
        assert_eq!(syslog(udp, SyslogFormat::Rfc3164, b"hi"), old);
        assert_eq!(syslog(tcp, SyslogFormat::Rfc3164, b"hi"), format!("{old}\n"));
        assert_eq!(syslog(unix, SyslogFormat::Rfc3164, b""), "<134>Nov 22 10:00:05 my_shop[web.1]: ");
    }

    #[test]
    fn supervisords_messages_have_its_name_alone() {
        let time = Timestamp::from_nanosecond(1_795_341_605_250_000_000).unwrap().to_zoned(TimeZone::UTC);
        let told = |at, format| {
            let target = Target::Syslog { at, format, facility: Facility::User };
            String::from_utf8(supervisords(&target, &time, "host", b"web hi")).unwrap()
        };
        let (unix, udp) = (SyslogSocket::Unix("/dev/log".into()), SyslogSocket::Udp(String::new()));
        let tcp = SyslogSocket::Tcp(String::new());
        assert_eq!(told(unix, SyslogFormat::Rfc3164), "<14>Nov 22 10:00:05 supervisord: web hi");
        let new = "<14>1 2026-11-22T10:00:05.250000Z host supervisord - - - web hi";
        assert_eq!(told(udp, SyslogFormat::Rfc5424), new);
        assert_eq!(told(tcp.clone(), SyslogFormat::Rfc5424), format!("{} {new}", new.len()));
        let old = "<14>Nov 22 10:00:05 host supervisord: web hi\n";
        assert_eq!(told(tcp, SyslogFormat::Rfc3164), old);
        let journald = supervisords(&Target::Journald { socket: "/j".into() }, &time, "host", b"hi");
        assert_eq!(journald, b"PRIORITY=6\nSYSLOG_IDENTIFIER=supervisord\nMESSAGE\n\x02\0\0\0\0\0\0\0hi\n");
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
    fn a_stderr_that_is_kept_apart_is_a_warning_and_a_run_that_is_not_known_is_not_named() {
        let err = Line { log: "web.1.err".into(), run: 0, ..line(b"oh") };
        let format = |target| {
            let mut messages = VecDeque::new();
            let (app, host) = ("shop".to_owned(), "host".to_owned());
            self::format(target, app, host).add(&err, &mut messages);
            String::from_utf8_lossy(&messages[0]).into_owned()
        };
        let (at, facility) = (SyslogSocket::Udp(String::new()), Facility::Local0);
        let syslog = format(Target::Syslog { at, format: SyslogFormat::Rfc5424, facility });
        assert_eq!(syslog, "<132>1 2026-11-22T10:00:05.250000Z host shop web.1.err - - oh");
        let journald = format(Target::Journald { socket: "/j".into() });
        assert!(journald.starts_with("PRIORITY=4\n") && journald.contains("\nGANGER_STREAM=stderr\n"));
        assert!(!journald.contains("GANGER_RUN"));
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
