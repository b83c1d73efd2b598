//! The words of `ganger top`.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// Between these, `ganger top` may look again.
const INTERVAL_SECONDS: RangeInclusive<f64> = 0.1..=3600.0;

/// `ganger top`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopArgs {
    /// Workers, groups, globs or all
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Sort by this column
    #[arg(short = 's', long, value_name = "COLUMN", default_value = "cpu")]
    pub(crate) sort: Column,
    /// Look again after so many seconds
    #[arg(short = 'i', long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    pub(crate) interval: Duration,
    /// Look once and print, as where stdout is no terminal
    #[arg(short = '1', long)]
    pub(crate) once: bool,
    /// Look once and print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A column of `ganger top`, to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Column {
    /// In the order of the groups and numbers
    Name,
    Cpu,
    Memory,
    Processes,
    Threads,
    Descriptors,
    Read,
    Written,
    Uptime,
}

impl Column {
    /// As it is written after `--sort`.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| INTERVAL_SECONDS.contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| {
        let (least, most) = (INTERVAL_SECONDS.start(), INTERVAL_SECONDS.end());
        format!("expected seconds from {least} to {most}")
    })
}
