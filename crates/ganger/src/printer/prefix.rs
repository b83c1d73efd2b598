//! What stands before each line: the time, the name, a bar; in the group's colour.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use ganger_api::overmind;
use ganger_spec::{LogName, Overmind, SYSTEM_COLOR};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Options;
use crate::clean::Cleaner;

/// The colours of groups, in the order in which they are added.
const PALETTE: [u8; 12] = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94, 91, 31];
/// The colour of ganger's own lines.
const SYSTEM: u8 = 37;
/// Stands where a time will.
const NO_TIME: &str = "--:--:--";
/// Names are padded to at least this.
const NARROWEST: usize = 6;

/// Gives out colours and widths.
pub(super) struct Prefixes {
    options: Options,
    width: usize,
    groups: Vec<String>,
    zone: TimeZone,
    /// The columns of a prefix, for others.
    shared: Arc<AtomicU16>,
}

/// The prefix of one name, ready to be copied.
#[derive(Default)]
pub(super) struct Prefix {
    bytes: Vec<u8>,
    /// Where in `bytes` the time is.
    time_at: usize,
    /// The second that stands there.
    second: i64,
}

impl Prefixes {
    pub(super) fn new(options: Options) -> Self {
        let width = options.name_width.max(NARROWEST);
        let (groups, zone, shared) = (Vec::new(), TimeZone::system(), Arc::default());
        let prefixes = Self { options, width, groups, zone, shared };
        prefixes.share();
        prefixes
    }

    /// Makes room for a name; says whether that made the prefixes wider.
    pub(super) fn make_room(&mut self, name: &str) -> bool {
        let length = self.shown(name).chars().count();
        let wider = length > self.width;
        self.width = self.width.max(length);
        self.share();
        wider
    }

    pub(super) fn of(&mut self, name: &str) -> Prefix {
        if let Some(overmind) = &self.options.overmind {
            return self.as_overminds(name, overmind);
        }
        let mut bytes = Vec::new();
        if self.options.color {
            bytes.extend(format!("\x1b[0;{}m", self.color(name)).bytes());
        }
        let time_at = bytes.len();
        if self.options.timestamps {
            bytes.extend(NO_TIME.bytes());
            bytes.push(b' ');
        }
        bytes.extend(format!("{name:0$} | ", self.width).bytes());
        if self.options.color {
            bytes.extend(b"\x1b[0m");
        }
        Prefix { bytes, time_at, second: i64::MIN }
    }

    /// Where others find how many columns a prefix takes.
    pub(super) fn shared_columns(&self) -> Arc<AtomicU16> {
        Arc::clone(&self.shared)
    }

    fn share(&self) {
        self.shared.store(u16::try_from(self.columns()).unwrap_or(u16::MAX), Ordering::Relaxed);
    }

    /// A name as people see it.
    fn shown<'a>(&self, name: &'a str) -> Cow<'a, str> {
        match (&self.options.overmind, LogName::try_from(name.to_owned())) {
            (Some(overmind), Ok(log)) => Cow::Owned(overmind.name(&log.worker)),
            (Some(_), Err(_)) | (None, _) => Cow::Borrowed(name),
        }
    }

    fn as_overminds(&self, name: &str, overmind: &Overmind) -> Prefix {
        let worker = LogName::try_from(name.to_owned()).map(|log| log.worker);
        let color = worker.map_or(SYSTEM_COLOR, |worker| overmind.color(&worker.group));
        let color = self.options.color.then_some(color);
        let time = self.options.timestamps.then_some(NO_TIME);
        let text = overmind::prefix(&self.shown(name), self.width, color, time);
        let time_at = time.and_then(|time| text.find(time)).unwrap_or(0);
        Prefix { bytes: text.into_bytes(), time_at, second: i64::MIN }
    }

    /// How many columns a prefix takes.
    pub(super) fn columns(&self) -> usize {
        self.width + " | ".len() + if self.options.timestamps { "HH:MM:SS ".len() } else { 0 }
    }

    /// What of the lines of a log is printed.
    pub(super) fn cleaner(&self) -> Cleaner {
        Cleaner::new(self.options.keep)
    }

    /// Are lines objects?
    pub(super) fn json(&self) -> bool {
        self.options.json
    }

    /// Are lines to bear their time?
    pub(super) fn timed(&self) -> bool {
        self.options.timestamps
    }

    /// Puts the local time of `time` (nanoseconds since 1970) into a prefix.
    pub(super) fn set_time(&self, prefix: &mut Prefix, time: i64) {
        let second = time.div_euclid(1_000_000_000);
        if prefix.second != second
            && let Ok(timestamp) = Timestamp::from_second(second)
        {
            let time = timestamp.to_zoned(self.zone.clone()).time();
            let text = format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
            prefix.bytes[prefix.time_at..prefix.time_at + text.len()].copy_from_slice(text.as_bytes());
            prefix.second = second;
        }
    }

    fn color(&mut self, name: &str) -> u8 {
        if name == "system" {
            return SYSTEM;
        }
        let group = name.rsplit_once('.').map_or(name, |(group, _)| group);
        let known = self.groups.iter().position(|g| g == group);
        let number = known.unwrap_or_else(|| {
            self.groups.push(group.to_owned());
            self.groups.len() - 1
        });
        PALETTE[number % PALETTE.len()]
    }
}

impl Prefix {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
