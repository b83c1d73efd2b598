//! Lengths, sizes and moments in words.

use ganger_api::Time;
use jiff::tz::TimeZone;

/// `12s`, `3m 12s`, `2h 5m`, `4d 7h`: the two largest units.
pub(crate) fn length(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if days > 0 {
        format!("{days}d {}h", hours % 24)
    } else if hours > 0 {
        format!("{hours}h {}m", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes}m {}s", seconds % 60)
    } else {
        format!("{seconds}s")
    }
}

/// `12.3 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Tenths of the next smaller unit, so that nothing is lost to floating point.
    let mut tenths = bytes.saturating_mul(10) / 1024;
    for unit in ["KiB", "MiB", "GiB"] {
        if tenths < 10_240 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        tenths /= 1024;
    }
    format!("{}.{} TiB", tenths / 10, tenths % 10)
}

/// `12.3M`: at most six letters, for tables where room is scarce.
pub(crate) fn short_size(bytes: u64) -> String {
    match size(bytes).split_once(' ') {
        Some((number, unit)) => format!("{number}{}", &unit[..1]),
        None => String::new(),
    }
}

/// `1 worker`, `2 workers`.
pub(crate) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// `12:30:05` where people are.
pub(crate) fn clock(time: Time, zone: &TimeZone) -> String {
    time.0.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_their_two_largest_units() {
        for (milliseconds, expected) in [
            (0, "0s"),
            (999, "0s"),
            (59_999, "59s"),
            (60_000, "1m 0s"),
            (192_000, "3m 12s"),
            (3_599_999, "59m 59s"),
            (3_600_000, "1h 0m"),
            (90_000_000, "1d 1h"),
        ] {
            assert_eq!(length(milliseconds), expected);
        }
    }

    #[test]
    fn sizes_have_the_unit_that_fits() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1024 * 1024 - 1, "1023.9 KiB"),
            (1024 * 1024, "1.0 MiB"),
            (12_897_485, "12.3 MiB"),
            (5 << 30, "5.0 GiB"),
            (3 << 40, "3.0 TiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
        assert!(size(u64::MAX).ends_with(" TiB"));
        assert_eq!((short_size(1023), short_size(12_897_485)), ("1023B".to_owned(), "12.3M".to_owned()));
    }

    #[test]
    fn moments_are_told_in_the_zone_of_the_people() {
        let time = "2026-11-22T10:00:05Z".parse().unwrap();
        assert_eq!(clock(time, &TimeZone::fixed(jiff::tz::offset(1))), "11:00:05");
    }
}
