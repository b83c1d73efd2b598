//! `ganger logs`: what workers wrote.

use std::process::ExitCode;

use ganger_api::{Data, LogLine, LogQuery, Request};
use jiff::Zoned;
use jiff::tz::TimeZone;

use super::stored_logs;
use crate::ask::{find_running, follow_at, unexpected};
use crate::cli::{LogsArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::render::LogPrinter;
use crate::style::Style;
use crate::when;

/// Shows lines: from the running app, else from the files that it left.
pub(crate) fn run(place: &Where, args: &LogsArgs) -> Outcome {
    let query = query(args, &Zoned::now())?;
    let mut sink = Sink::new(args);
    match find_running(place)? {
        Some(running) => follow_at(&running, &Request::Logs(query), |data, progress| {
            let Data::LogLine(line) = data else { return Err(unexpected()) };
            sink.line(&line)?;
            if progress.caught_up { sink.output.flush() } else { Ok(()) }
        })?,
        None => stored_logs::each(place, &query, |line| sink.line(line))?,
    }
    sink.output.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn query(args: &LogsArgs, now: &Zoned) -> Result<LogQuery, Failure> {
    let moment = |text: &Option<String>| text.as_deref().map(|text| when::parse(text, now)).transpose();
    Ok(LogQuery {
        names: args.names.clone(),
        since: moment(&args.since)?,
        until: moment(&args.until)?,
        lines: args.lines,
        grep: args.grep.clone(),
        follow: args.follow,
        after: None,
        sse: args.follow,
    })
}

/// Where lines go: to people or to programs.
struct Sink {
    output: Output,
    printer: LogPrinter,
    json: bool,
}

impl Sink {
    fn new(args: &LogsArgs) -> Self {
        let printer = LogPrinter::new(Style::of_stdout(), TimeZone::system(), args.timestamps, args.raw);
        Self { output: Output::new(), printer, json: args.json }
    }

    fn line(&mut self, line: &LogLine) -> Result<(), Failure> {
        if self.json { self.output.json_line(line) } else { self.output.text(self.printer.line(line)) }
    }
}
