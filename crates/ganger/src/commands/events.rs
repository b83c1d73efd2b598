//! `ganger events`: what happened.

use std::process::ExitCode;

use ganger_api::{Data, EventQuery, Request};
use jiff::tz::TimeZone;

use crate::ask::{find, follow_at, unexpected};
use crate::cli::{EventsArgs, Where};
use crate::failure::Outcome;
use crate::output::Output;
use crate::render::event;

/// Lists events, and goes on with `-f`.
pub(crate) fn run(place: &Where, args: &EventsArgs) -> Outcome {
    let request = Request::Events(EventQuery { follow: args.follow, after: args.after, sse: args.follow });
    let zone = TimeZone::system();
    let mut output = Output::new();
    follow_at(&find(place)?.0, &request, |data, progress| {
        let Data::Event(happened) = data else { return Err(unexpected()) };
        if args.json {
            output.json_line(&happened)?;
        } else {
            output.text(event(&happened, &zone))?;
        }
        if progress.caught_up { output.flush() } else { Ok(()) }
    })?;
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
