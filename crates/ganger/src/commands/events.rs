//! `ganger events`: what happened.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;

use ganger_api::{Data, EventInfo, EventQuery, Place, Request};
use jiff::tz::TimeZone;

use crate::ask::{End, find, follow_at, unexpected};
use crate::cli::{EventsArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::render::event;

/// Lists events, and goes on with `-f` until the app ends.
pub(crate) fn run(place: &Where, args: &EventsArgs) -> Outcome {
    let query = EventQuery { follow: args.follow, after: args.after, sse: args.follow };
    let running = find(place)?.0;
    let mut sink = Sink { output: Output::new(), zone: TimeZone::system(), json: args.json };
    let end = follow_at(&running, &Request::Events(query), |data, progress| {
        let Data::Event(happened) = data else { return Err(unexpected()) };
        sink.event(&happened)?;
        if progress.caught_up { sink.output.flush() } else { Ok(()) }
    })?;
    if let End::AppEnded(Request::Events(rest)) = end {
        stored(&running, rest.after.unwrap_or(0)).try_for_each(|happened| sink.event(&happened))?;
    }
    sink.output.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The events after this number that an app which has ended left in its file.
fn stored(place: &Place, after: u64) -> impl Iterator<Item = EventInfo> {
    let lines = File::open(place.events()).into_iter().flat_map(|file| BufReader::new(file).split(b'\n'));
    let events =
        lines.map_while(Result::ok).filter_map(|line| serde_json::from_slice::<EventInfo>(&line).ok());
    events.filter(move |event| event.seq > after)
}

/// Where events go: to people or to programs.
struct Sink {
    output: Output,
    zone: TimeZone,
    json: bool,
}

impl Sink {
    fn event(&mut self, happened: &EventInfo) -> Result<(), Failure> {
        if self.json {
            self.output.json_line(happened)
        } else {
            self.output.text(event(happened, &self.zone))
        }
    }
}
