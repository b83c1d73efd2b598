//! `ganger events`: what happened.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;

use ganger_api::{Data, EventInfo, EventQuery, Place, Request};
use ganger_spec::{WorkerName, is_meant};
use jiff::tz::TimeZone;

use crate::ask::{End, ask_at, find, find_running, follow_at, here, unexpected};
use crate::cli::{EventsArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::render::event;

/// Lists events, and goes on with `-f` until the app ends. Of an app that does not run, those that it left.
pub(crate) fn run(place: &Where, args: &EventsArgs) -> Outcome {
    let names = args.names.clone();
    let mut sink = Sink { output: Output::new(), zone: TimeZone::system(), json: args.json, names };
    if let Some((running, _)) = find_running(place)? {
        // A name that nobody has is an error; who is gone since then is found by a glob.
        if !args.names.is_empty() {
            ask_at(&running, &Request::Workers { names: args.names.clone() })?;
        }
        sink.follow(&running, args)?;
    } else {
        let here = here(place)?;
        if !here.events().exists() {
            find(place)?;
        }
        stored(&here, args.after.unwrap_or(0)).try_for_each(|happened| sink.event(&happened))?;
        if args.follow {
            sink.output.flush()?;
            let failure = Failure::new("the app is not running: nothing more will happen");
            return Err(failure.hinted("`ganger start` starts it"));
        }
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
    /// Whose events; everybody's if there are none.
    names: Vec<String>,
}

impl Sink {
    /// Gives what the running app has and tells; where it ends, the rest from its file.
    fn follow(&mut self, running: &Place, args: &EventsArgs) -> Result<(), Failure> {
        let query = EventQuery { follow: args.follow, after: args.after, sse: args.follow };
        let end = follow_at(running, &Request::Events(query), |data, progress| {
            let Data::Event(happened) = data else { return Err(unexpected()) };
            self.event(&happened)?;
            if progress.caught_up { self.output.flush() } else { Ok(()) }
        })?;
        if let End::AppEnded(Request::Events(rest)) = end {
            stored(running, rest.after.unwrap_or(0)).try_for_each(|happened| self.event(&happened))?;
        }
        Ok(())
    }

    fn is_meant(&self, happened: &EventInfo) -> bool {
        let is_named = |worker: &WorkerName| {
            let name = worker.to_string();
            self.names.iter().any(|pattern| is_meant(pattern, &worker.group, &name))
        };
        self.names.is_empty() || happened.worker.as_ref().is_some_and(is_named)
    }

    fn event(&mut self, happened: &EventInfo) -> Result<(), Failure> {
        if !self.is_meant(happened) {
            return Ok(());
        }
        if self.json {
            self.output.json_line(happened)
        } else {
            self.output.text(event(happened, &self.zone))
        }
    }
}
