//! The words of effects on workers.

use clap::Args;

/// An effect on workers.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NamesArgs {
    /// Workers, groups, globs or all
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ganger scale`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScaleArgs {
    /// The count of a group; GROUP may be a glob or all
    #[arg(value_name = "GROUP=N", required = true, value_parser = count)]
    pub(crate) counts: Vec<(String, u32)>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn count(text: &str) -> Result<(String, u32), String> {
    match text.split_once('=').map(|(group, count)| (group, count.parse())) {
        Some((group, Ok(count))) if !group.is_empty() => Ok((group.to_owned(), count)),
        Some(_) | None => Err("expected GROUP=N, as in web=3".to_owned()),
    }
}

/// `ganger signal`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignalArgs {
    /// Workers, groups, globs or all
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
    /// HUP, SIGHUP or 1
    #[arg(value_name = "SIGNAL", required = true, value_parser = signal)]
    pub(crate) signal: ganger_spec::Signal,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn signal(text: &str) -> Result<ganger_spec::Signal, String> {
    text.parse().map_err(|error| format!("{error}; it comes after the names, as in `signal web HUP`"))
}
