//! `stop`, `restart`, `scale`, `signal`, and `start` while the app runs: an effect on workers, told after it.

use std::collections::BTreeMap;
use std::process::ExitCode;

use ganger_api::{Data, Place, Request};

use crate::ask::{ask_at, find, unexpected};
use crate::cli::{NamesArgs, ScaleArgs, SignalArgs, Where};
use crate::failure::{FAILED, Failure, Outcome};
use crate::output::show;
use crate::render::{Verb, any_failed, outcomes};
use crate::style::Style;

/// Brings workers down.
pub(crate) fn stop(place: &Where, args: NamesArgs) -> Outcome {
    act(&find(place)?.0, Verb::Stop, &Request::Stop { names: args.names }, args.json)
}

/// Gives workers new runs.
pub(crate) fn restart(place: &Where, args: NamesArgs) -> Outcome {
    act(&find(place)?.0, Verb::Restart, &Request::Restart { names: args.names }, args.json)
}

/// Sends a signal.
pub(crate) fn signal(place: &Where, args: SignalArgs) -> Outcome {
    let request = Request::Signal { names: args.names, signal: args.signal };
    act(&find(place)?.0, Verb::Signal, &request, args.json)
}

/// Sets counts.
pub(crate) fn scale(place: &Where, args: ScaleArgs) -> Outcome {
    let counts = distinct(args.counts)?;
    act(&find(place)?.0, Verb::Scale, &Request::Scale { counts }, args.json)
}

/// Asks for an effect and tells what came of it; fails if it failed for any worker.
pub(crate) fn act(place: &Place, verb: Verb, request: &Request, json: bool) -> Outcome {
    let Data::Outcome(info) = ask_at(place, request)? else { return Err(unexpected()) };
    show(json, &info, |info| outcomes(verb, info, Style::of_stdout()))?;
    Ok(if any_failed(&info.workers) { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

fn distinct(counts: Vec<(String, u32)>) -> Result<BTreeMap<String, u32>, Failure> {
    let mut distinct = BTreeMap::new();
    for (group, count) in counts {
        if let Some(other) = distinct.insert(group.clone(), count).filter(|other| *other != count) {
            return Err(Failure::usage(format!("{group} cannot have both {other} and {count} workers")));
        }
    }
    Ok(distinct)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_one_count() {
        let counts = |pairs: &[(&str, u32)]| {
            distinct(pairs.iter().map(|(group, count)| ((*group).to_owned(), *count)).collect())
        };
        assert_eq!(counts(&[("web", 2), ("db", 0), ("web", 2)]).unwrap().len(), 2);
        let failure = counts(&[("web", 2), ("web", 3)]).unwrap_err();
        assert_eq!(failure.message, "web cannot have both 2 and 3 workers");
    }
}
