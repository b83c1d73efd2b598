//! Lines of logs: `12:30:05 web.1    | text`.

use ganger_api::LogLine;
use jiff::tz::TimeZone;

use super::human::clock;
use crate::style::Style;

/// How the lines of logs are shown.
pub(crate) struct LogPrinter {
    pub(crate) style: Style,
    pub(crate) zone: TimeZone,
    pub(crate) timestamps: bool,
    pub(crate) raw: bool,
    /// The names that have come, in the order of their first line: each has its colour, and the longest one's
    /// width is that of all that follow.
    names: Vec<String>,
    width: usize,
}

impl LogPrinter {
    pub(crate) fn new(style: Style, zone: TimeZone, timestamps: bool, raw: bool) -> Self {
        Self { style, zone, timestamps, raw, names: Vec::new(), width: 0 }
    }

    /// One line with its end, as bytes: what a worker wrote need not be text.
    pub(crate) fn line(&mut self, line: &LogLine) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.raw {
            out.extend_from_slice(self.prefix(line).as_bytes());
        }
        out.extend_from_slice(&line.text.to_bytes());
        out.push(b'\n');
        out
    }

    fn prefix(&mut self, line: &LogLine) -> String {
        let name = line.log.to_string();
        let place = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.width = self.width.max(name.len());
            self.names.push(name.clone());
            self.names.len() - 1
        });
        let time = if self.timestamps { format!("{} ", clock(line.time, &self.zone)) } else { String::new() };
        let prefix = self.style.name(place, &format!("{time}{name:<width$} |", width = self.width));
        format!("{prefix} ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganger_api::Text;
    use ganger_spec::WorkerName;

    fn line(group: &str, bytes: &[u8]) -> LogLine {
        LogLine {
            log: WorkerName::new(group, 1).into(),
            time: "2026-11-22T10:00:05Z".parse().unwrap(),
            run: None,
            position: 0,
            text: Text::new(bytes),
        }
    }

    fn shown(printer: &mut LogPrinter, lines: &[(&str, &[u8])]) -> Vec<u8> {
        lines.iter().flat_map(|(group, bytes)| printer.line(&line(group, bytes))).collect()
    }

    #[test]
    fn lines_begin_with_the_padded_name() {
        let mut printer = LogPrinter::new(Style::PLAIN, TimeZone::UTC, false, false);
        let out = shown(&mut printer, &[("worker", b"a"), ("web", b""), ("worker", b"b\xff")]);
        assert_eq!(out, b"worker.1 | a\nweb.1    | \nworker.1 | b\xff\n");
    }

    #[test]
    fn times_and_colours_come_on_request_and_raw_lines_are_bare() {
        let mut printer = LogPrinter::new(Style { coloured: true }, TimeZone::UTC, true, false);
        let out = shown(&mut printer, &[("web", b"a"), ("db", b"b"), ("web", b"c")]);
        let expected = "\x1b[36m10:00:05 web.1 |\x1b[0m a\n\x1b[33m10:00:05 db.1  |\x1b[0m b\n\
                        \x1b[36m10:00:05 web.1 |\x1b[0m c\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let mut raw = LogPrinter::new(Style { coloured: true }, TimeZone::UTC, false, true);
        assert_eq!(shown(&mut raw, &[("web", b"\xffa")]), b"\xffa\n");
    }
}
