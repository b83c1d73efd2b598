//! The time before a line, in the form that somebody wants.

use std::str::FromStr;

use ganger_api::Time;
use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// How a moment is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// `12:30:05` where people are.
    Clock,
    /// `2026-11-22T10:30:05.123456Z`.
    Iso,
    /// Seconds since 1970: `1795343405.123456`.
    Unix,
    /// What `strftime` makes of this, where people are.
    Format(String),
}

impl Stamp {
    /// This moment.
    pub(crate) fn text(&self, time: Time, zone: &TimeZone) -> String {
        match self {
            Self::Clock => formatted("%H:%M:%S", time, zone),
            Self::Iso => format!("{:.6}", time.0),
            Self::Unix => format!("{}.{:06}", time.0.as_second(), time.0.subsec_microsecond()),
            Self::Format(format) => formatted(format, time, zone),
        }
    }
}

/// Empty where the format cannot be met: that was seen when it was parsed.
fn formatted(format: &str, time: Time, zone: &TimeZone) -> String {
    strtime::format(format, &time.0.to_zoned(zone.clone())).unwrap_or_default()
}

impl FromStr for Stamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "clock" => Ok(Self::Clock),
            "iso" => Ok(Self::Iso),
            "unix" => Ok(Self::Unix),
            format if format.contains('%') => {
                let now = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
                strtime::format(format, &now).map_err(|error| error.to_string())?;
                Ok(Self::Format(format.to_owned()))
            }
            _ => Err("write clock, iso, unix, or a format with %, such as %H:%M:%S.%3f".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_writes_the_same_moment() {
        let time: Time = "2026-11-22T10:00:05.0625Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        for (form, expected) in [
            ("clock", "11:00:05"),
            ("iso", "2026-11-22T10:00:05.062500Z"),
            ("unix", "1795341605.062500"),
            ("%d.%m. %H:%M:%S.%3f", "22.11. 11:00:05.062"),
        ] {
            assert_eq!(form.parse::<Stamp>().unwrap().text(time, &zone), expected, "{form}");
        }
    }

    #[test]
    fn what_is_no_form_is_refused() {
        assert!("soon".parse::<Stamp>().unwrap_err().contains("%H:%M:%S"));
        assert!("%".parse::<Stamp>().is_err() && "%!".parse::<Stamp>().is_err());
    }
}
