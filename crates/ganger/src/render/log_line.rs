//! Lines of logs: `12:30:05 web.1    | text`.

use std::collections::HashMap;

use ganger_api::LogLine;
use jiff::tz::TimeZone;

use crate::clean::{Cleaner, Keep};
use crate::stamp::Stamp;
use crate::style::Style;

/// How the lines of logs are shown.
pub(crate) struct LogPrinter {
    style: Style,
    zone: TimeZone,
    stamp: Option<Stamp>,
    with_names: bool,
    keep: Keep,
    /// One for each log that has come.
    cleaners: HashMap<String, Cleaner>,
    /// The names that have come, in the order of their first line: each has its colour, and the longest one's
    /// width is that of all that follow.
    names: Vec<String>,
    width: usize,
}

impl LogPrinter {
    pub(crate) fn new(
        style: Style,
        zone: TimeZone,
        stamp: Option<Stamp>,
        with_names: bool,
        keep: Keep,
    ) -> Self {
        Self { style, zone, stamp, with_names, keep, cleaners: HashMap::new(), names: Vec::new(), width: 0 }
    }

    /// Leaves room for names of this length, though none has come yet.
    pub(crate) fn expect(&mut self, width: usize) {
        self.width = self.width.max(width);
    }

    /// One line with its end, as bytes: what a worker wrote need not be text. Nothing, if nothing of it is to be shown.
    pub(crate) fn line(&mut self, line: &LogLine) -> Vec<u8> {
        let mut out = self.prefix(line).into_bytes();
        let cleaner = self.cleaners.entry(line.log.to_string()).or_insert_with(|| Cleaner::new(self.keep));
        if !cleaner.line(&line.text.to_bytes(), &mut out) {
            return Vec::new();
        }
        out.push(b'\n');
        out
    }

    fn prefix(&mut self, line: &LogLine) -> String {
        let time = self.stamp.as_ref().map(|stamp| stamp.text(line.time, &self.zone) + " ");
        let time = time.unwrap_or_default();
        if !self.with_names {
            return time;
        }
        let name = line.log.to_string();
        let place = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.width = self.width.max(name.len());
            self.names.push(name.clone());
            self.names.len() - 1
        });
        self.style.name(place, &format!("{time}{name:<width$} |", width = self.width)) + " "
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganger_api::{Stream, Text};
    use ganger_spec::WorkerName;

    fn line(group: &str, bytes: &[u8]) -> LogLine {
        LogLine {
            log: WorkerName::new(group, 1).into(),
            worker: WorkerName::new(group, 1),
            stream: Stream::Output,
            time: "2026-11-22T10:00:05Z".parse().unwrap(),
            run: None,
            position: 0,
            newline: true,
            text: Text::new(bytes),
        }
    }

    fn shown(printer: &mut LogPrinter, lines: &[(&str, &[u8])]) -> Vec<u8> {
        lines.iter().flat_map(|(group, bytes)| printer.line(&line(group, bytes))).collect()
    }

    #[test]
    fn lines_begin_with_the_padded_name() {
        let mut printer = LogPrinter::new(Style::PLAIN, TimeZone::UTC, None, true, Keep::Text);
        let out = shown(&mut printer, &[("worker", b"a"), ("web", b""), ("worker", b"b\xff")]);
        assert_eq!(out, b"worker.1 | a\nweb.1    | \nworker.1 | b\xff\n");
    }

    #[test]
    fn there_is_room_for_a_longer_name_from_the_first_line_on() {
        let mut printer = LogPrinter::new(Style::PLAIN, TimeZone::UTC, None, true, Keep::Text);
        printer.expect("worker.1".len());
        let out = shown(&mut printer, &[("web", b"a"), ("worker", b"b")]);
        assert_eq!(out, b"web.1    | a\nworker.1 | b\n");
    }

    #[test]
    fn times_and_colours_come_on_request_and_lines_without_names_are_bare() {
        let mut printer =
            LogPrinter::new(Style { coloured: true }, TimeZone::UTC, Some(Stamp::Clock), true, Keep::Colors);
        let out = shown(&mut printer, &[("web", b"a"), ("db", b"b"), ("web", b"c")]);
        let expected = "\x1b[36m10:00:05 web.1 |\x1b[0m a\n\x1b[33m10:00:05 db.1  |\x1b[0m b\n\
                        \x1b[36m10:00:05 web.1 |\x1b[0m c\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let raw = |stamp| {
            let mut printer =
                LogPrinter::new(Style { coloured: true }, TimeZone::UTC, stamp, false, Keep::All);
            shown(&mut printer, &[("web", b"\xffa")])
        };
        assert_eq!(raw(None), b"\xffa\n");
        assert_eq!(raw(Some(Stamp::Clock)), b"10:00:05 \xffa\n");
    }
}
