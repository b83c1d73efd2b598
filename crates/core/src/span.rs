//! A length of time as people read it.

use std::fmt;
use std::time::Duration;

/// Prints a duration as `0.2 s`, `12 s`, `3 min 5 s` or `2 h 10 min`.
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let tenths = self.0.subsec_millis() / 100;
        match seconds {
            0..10 if tenths > 0 => write!(f, "{seconds}.{tenths} s"),
            0..60 => write!(f, "{seconds} s"),
            60..3600 if seconds.is_multiple_of(60) => write!(f, "{} min", seconds / 60),
            60..3600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            3600.. => write!(f, "{} h {} min", seconds / 3600, seconds / 60 % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        for (millis, text) in [
            (0, "0 s"),
            (210, "0.2 s"),
            (9_950, "9.9 s"),
            (12_900, "12 s"),
            (60_000, "1 min"),
            (185_000, "3 min 5 s"),
            (7_800_000, "2 h 10 min"),
        ] {
            assert_eq!(Span(Duration::from_millis(millis)).to_string(), text);
        }
    }
}
