//! Sizes, shares and moments for narrow columns.

use ganger_api::{Time, UsageInfo};
use jiff::tz::TimeZone;

/// `12.3M`: at most six letters.
pub(crate) fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    // Tenths of the next smaller unit, so that nothing is lost to floating point.
    let mut tenths = bytes.saturating_mul(10) / 1024;
    for unit in ["K", "M", "G"] {
        if tenths < 10_000 {
            return format!("{}.{}{unit}", tenths / 10, tenths % 10);
        }
        tenths /= 1024;
    }
    format!("{}.{}T", tenths / 10, tenths % 10)
}

/// `12.5%`.
pub(crate) fn cpu(usage: &UsageInfo) -> Option<String> {
    usage.cpu_percent.map(|percent| format!("{percent:.1}%"))
}

/// `12:30:05` where people are.
pub(crate) fn clock(time: Time, zone: &TimeZone) -> String {
    time.0.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// `12:30:05`, with the day if that was another one than `now`.
pub(crate) fn moment(time: Time, now: Time, zone: &TimeZone) -> String {
    let (time, now) = (time.0.to_zoned(zone.clone()), now.0.to_zoned(zone.clone()));
    let format = if time.date() == now.date() { "%H:%M:%S" } else { "%b %d %H:%M" };
    time.strftime(format).to_string()
}

/// `1 worker`, `2 workers`.
pub(crate) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_at_most_six_letters() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.0K"),
            (1000 << 10, "0.9M"),
            (11 << 20, "11.0M"),
            (1023 << 30, "0.9T"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert!((0..50).all(|power| size((1 << power) - 1).len() <= 6));
    }

    #[test]
    fn another_day_is_said() {
        let time = |text: &str| text.parse().unwrap();
        let now = time("2026-11-22T10:00:00Z");
        assert_eq!(moment(time("2026-11-22T09:00:05Z"), now, &TimeZone::UTC), "09:00:05");
        assert_eq!(moment(time("2026-11-21T09:00:05Z"), now, &TimeZone::UTC), "Nov 21 09:00");
    }
}
