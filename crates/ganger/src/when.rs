//! Moments as people write them: `10m`, `2h`, `12:30`, `2026-11-22 12:30`, RFC 3339.

use ganger_api::Time;
use jiff::civil;
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::failure::Failure;

/// Seconds of each unit that an age may have.
const UNITS: [(char, i64); 5] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];

/// The moment that `text` means: an age before `now`, a time of the last 24 hours, or a date.
pub(crate) fn parse(text: &str, now: &Zoned) -> Result<Time, Failure> {
    let found = age(text, now).or_else(|| date(text, now)).or_else(|| clock(text, now));
    found.map(Time).ok_or_else(|| {
        Failure::usage(format!("{text:?} is not a time"))
            .hinted("write 10m, 2h, 1h30m, 12:30, \"2026-11-22 12:30\" or 2026-11-22T12:30:00Z")
    })
}

/// `1h30m` before now.
fn age(text: &str, now: &Zoned) -> Option<Timestamp> {
    let mut seconds: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let unit = rest[end..].chars().next()?;
        let (_, length) = UNITS.iter().find(|(letter, _)| *letter == unit)?;
        let count: i64 = rest[..end].parse().ok()?;
        seconds = seconds.checked_add(count.checked_mul(*length)?)?;
        rest = &rest[end + unit.len_utf8()..];
    }
    (!text.is_empty()).then(|| now.timestamp().checked_sub(SignedDuration::from_secs(seconds)).ok())?
}

/// `12:30`, the last time that it was.
fn clock(text: &str, now: &Zoned) -> Option<Timestamp> {
    // Without a colon it might as well be an age whose unit is missing.
    let time: civil::Time = text.contains(':').then(|| text.parse().ok())??;
    let today = now.date().to_datetime(time).to_zoned(now.time_zone().clone()).ok()?;
    if today.timestamp() <= now.timestamp() {
        return Some(today.timestamp());
    }
    let yesterday = now.date().yesterday().ok()?.to_datetime(time);
    Some(yesterday.to_zoned(now.time_zone().clone()).ok()?.timestamp())
}

/// A date with a time and a zone, with a time here, or with its midnight here.
fn date(text: &str, now: &Zoned) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let here: civil::DateTime = text.parse().ok()?;
    Some(here.to_zoned(now.time_zone().clone()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<String, Failure> {
        let now: Zoned = "2026-11-22T12:00:00+01:00[+01:00]".parse().unwrap();
        parse(text, &now).map(|time| time.to_string())
    }

    #[test]
    fn every_form_means_its_moment() {
        for (text, expected) in [
            ("90s", "2026-11-22T10:58:30Z"),
            ("10m", "2026-11-22T10:50:00Z"),
            ("1h30m", "2026-11-22T09:30:00Z"),
            ("2d", "2026-11-20T11:00:00Z"),
            ("1w", "2026-11-15T11:00:00Z"),
            ("11:30", "2026-11-22T10:30:00Z"),
            ("12:00", "2026-11-22T11:00:00Z"),
            ("12:30", "2026-11-21T11:30:00Z"),
            ("11:30:15", "2026-11-22T10:30:15Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("2026-11-20 08:15", "2026-11-20T07:15:00Z"),
            ("2026-11-20T08:15:30", "2026-11-20T07:15:30Z"),
            ("2026-11-20T08:15:00Z", "2026-11-20T08:15:00Z"),
            ("2026-11-20T08:15:00.25+02:00", "2026-11-20T06:15:00.25Z"),
        ] {
            assert_eq!(at(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_wrong_usage() {
        for text in
            ["", "soon", "10", "m", "10x", "-5m", "25:00", "2026-13-01", "99999999999999999999s", "5m ago"]
        {
            let failure = at(text).unwrap_err();
            assert_eq!(failure.status, crate::failure::USAGE, "{text}");
            assert_eq!(failure.message, format!("{text:?} is not a time"));
        }
    }
}
