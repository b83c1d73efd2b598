//! `ganger logs`: what workers wrote.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use ganger_api::{Data, LogLine, LogQuery, Place, Request, Stream};
use jiff::Zoned;
use jiff::tz::TimeZone;

use super::export_logs::Export;
use super::stored_logs;
use crate::ask::{End, find_running, follow_at, here, unexpected};
use crate::clean::Keep;
use crate::cli::{LogsArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::render::LogPrinter;
use crate::style::Style;
use crate::when;

/// Shows lines: from the running app, else from the files that it left.
pub(crate) fn run(place: &Where, args: &LogsArgs) -> Outcome {
    let query = query(args, &Zoned::now())?;
    let mut sink = Sink::new(args)?;
    if let Some((running, _)) = find_running(place)? {
        sink.expect(stored_logs::longest_name(&running, &query));
        sink.follow(&running, query)?;
    } else {
        let here = here(place)?;
        sink.expect(stored_logs::longest_name(&here, &query));
        stored_logs::each(&here, &query, |line| sink.line(line))?;
        if query.follow {
            sink.show()?;
            let failure = Failure::new("the app is not running: nothing more will come");
            return Err(failure.hinted("`ganger start` starts it"));
        }
    }
    sink.finish()?;
    Ok(ExitCode::SUCCESS)
}

fn query(args: &LogsArgs, now: &Zoned) -> Result<LogQuery, Failure> {
    let moment = |text: &Option<String>| text.as_deref().map(|text| when::parse(text, now)).transpose();
    let stream = match (args.stdout, args.stderr) {
        (true, _) => Some(Stream::Stdout),
        (_, true) => Some(Stream::Stderr),
        (false, false) => None,
    };
    Ok(LogQuery {
        names: args.names.clone(),
        stream,
        since: moment(&args.since)?,
        until: moment(&args.until)?,
        lines: args.lines,
        grep: args.grep.clone(),
        ignore_case: args.ignore_case,
        invert: args.invert_match,
        follow: args.follow,
        after: None,
        sse: args.follow,
    })
}

/// Where lines go: to people or to programs.
enum Sink {
    Shown { output: Output, printer: Box<LogPrinter>, json: bool },
    Exported(Export),
}

impl Sink {
    fn new(args: &LogsArgs) -> Result<Self, Failure> {
        if let Some(to) = &args.export {
            return Export::open(to).map(Self::Exported);
        }
        let (zone, stamp) = (TimeZone::system(), args.timestamps.clone());
        let keep = Keep::suiting(io::stdout().is_terminal(), args.raw);
        let with_names = !(args.no_names || args.raw);
        let printer = LogPrinter::new(Style::of_stdout(), zone, stamp, with_names, keep);
        Ok(Self::Shown { output: Output::new(), printer: Box::new(printer), json: args.json })
    }

    /// Names are at most this long, as far as is known.
    fn expect(&mut self, width: usize) {
        if let Self::Shown { printer, .. } = self {
            printer.expect(width);
        }
    }

    /// Gives what the running app sends; where it ends, the rest from its files.
    fn follow(&mut self, running: &Place, query: LogQuery) -> Result<(), Failure> {
        let end = follow_at(running, &Request::Logs(query), |data, progress| {
            let Data::LogLine(line) = data else { return Err(unexpected()) };
            self.line(&line)?;
            if progress.caught_up { self.show() } else { Ok(()) }
        })?;
        match end {
            End::AppEnded(Request::Logs(rest)) => stored_logs::each(running, &rest, |line| self.line(line)),
            End::AppEnded(_) | End::Complete => Ok(()),
        }
    }

    fn line(&mut self, line: &LogLine) -> Result<(), Failure> {
        match self {
            Self::Shown { output, json: true, .. } => output.json_line(line),
            Self::Shown { output, printer, json: false } => output.text(printer.line(line)),
            Self::Exported(export) => export.line(line),
        }
    }

    /// Nothing more comes now.
    fn show(&mut self) -> Result<(), Failure> {
        match self {
            Self::Shown { output, .. } => output.flush(),
            Self::Exported(_) => Ok(()),
        }
    }

    /// All lines were given.
    fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Shown { mut output, .. } => output.flush(),
            Self::Exported(export) => export.finish(),
        }
    }
}
