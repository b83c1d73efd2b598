//! Stored lines as clients ask for them: for the server's streams, and for commands that read the files of an app
//! that does not run.

use ganger_api::{ApiError, ErrorCode, LogLine, LogQuery, Stream, Text, Time};
use ganger_logs::{Filter, From, Line, Merged, Query, Store};
use ganger_spec::LogName;
use regex::bytes::RegexBuilder;

/// So much memory a compiled expression may take, and as much again while it searches.
const EXPRESSION_BYTES: usize = 1 << 20;

/// The lines of these logs that are asked for, after what was seen of each.
pub fn stored_lines(store: &Store, logs: &[String], query: &LogQuery) -> Result<Merged, ApiError> {
    let wanted = wanted(query)?;
    let merged = match &query.after {
        None => Merged::new(store, logs, wanted),
        Some(cursor) => {
            let seen =
                |log: &str| cursor.0.iter().find(|(name, _)| name.to_string() == log).map(|(_, at)| *at);
            let from = |log: &String| (log.clone(), seen(log).map_or(From::Start, From::Position));
            Merged::resume(store, &logs.iter().map(from).collect::<Vec<_>>(), wanted)
        }
    };
    merged.map_err(|error| unreadable(&error))
}

/// A line as the API has it; none of a log that is no worker's.
pub fn api_line(store: &Store, line: &Line) -> Option<LogLine> {
    let log = LogName::try_from(line.log.to_string()).ok()?;
    Some(LogLine {
        worker: log.worker.clone(),
        stream: stream_of(store, &log),
        log,
        time: Time::from_unix_nanos(line.time.into())?,
        run: (line.run != 0).then_some(line.run),
        position: line.end,
        newline: line.end - line.position > line.text.len() as u64,
        text: Text::new(&line.text),
    })
}

/// What was written into a log: one stream, where there is another log for the other.
pub fn stream_of(store: &Store, log: &LogName) -> Stream {
    if log.is_err {
        Stream::Stderr
    } else if store.holds(&LogName::err(&log.worker).to_string()) {
        Stream::Stdout
    } else {
        Stream::Output
    }
}

/// Whether lines of a log are wanted by somebody who wants those of a stream, or of all.
pub fn is_of(stream: Option<Stream>, log: &str) -> bool {
    let is_err = || LogName::try_from(log.to_owned()).is_ok_and(|log| log.is_err);
    stream.is_none_or(|stream| (stream == Stream::Stderr) == is_err())
}

/// That no stderr is kept apart where it is asked for.
pub fn no_stderr() -> ApiError {
    let message = "no stderr is kept apart from stdout in the logs that are meant";
    ApiError::new(ErrorCode::UnknownName, message).with_hint(
        "`stderr = \"separate\"` below `[logs]` in ganger.toml keeps it apart from the next start on",
    )
}

/// That so many bytes of what is asked for cannot be given.
pub fn incomplete(bytes: u64) -> ApiError {
    let message =
        format!("{bytes} bytes of the logs are missing here: they were removed by rotation, or are damaged");
    ApiError::new(ErrorCode::Incomplete, message).with_hint("all else was read")
}

/// Why stored lines cannot be given.
pub(crate) fn unreadable(error: &ganger_logs::Error) -> ApiError {
    ApiError { hint: error.hint(), ..ApiError::new(ErrorCode::Internal, error.to_string()) }
}

fn wanted(query: &LogQuery) -> Result<Query, ApiError> {
    let nanos = |time: Time| i64::try_from(time.unix_nanos()).unwrap_or(i64::MAX);
    Ok(Query {
        since: query.since.map(nanos),
        until: query.until.map(nanos),
        last: query.lines.map(|lines| lines as usize),
        filter: query.grep.as_deref().map(|grep| filter(grep, query)).transpose()?,
        follow: query.follow,
    })
}

fn filter(grep: &str, query: &LogQuery) -> Result<Filter, ApiError> {
    let expression = RegexBuilder::new(grep)
        .case_insensitive(query.ignore_case)
        .size_limit(EXPRESSION_BYTES)
        .dfa_size_limit(EXPRESSION_BYTES)
        .build();
    let expression = expression.map_err(|error| no_expression(grep, &error))?;
    let invert = query.invert;
    Ok(Box::new(move |line| expression.is_match(line) != invert))
}

fn no_expression(grep: &str, error: &regex::Error) -> ApiError {
    let why = match error {
        regex::Error::CompiledTooBig(limit) => format!("compiled it takes more than {limit} bytes"),
        other => {
            let text = other.to_string();
            // The lines before the last one draw where it is.
            let last = text.lines().last().unwrap_or_default();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    };
    ApiError::new(ErrorCode::BadRequest, format!("{grep:?} is no regular expression: {why}"))
        .with_hint(r"a sign that is meant as it is wants a backslash: \[ \( \* \. \\")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grep(grep: &str) -> LogQuery {
        LogQuery { grep: Some(grep.to_owned()), ..LogQuery::default() }
    }

    fn fits(query: &LogQuery, line: &[u8]) -> bool {
        wanted(query).unwrap().filter.unwrap()(line)
    }

    #[test]
    fn lines_are_chosen_by_an_expression_over_bytes() {
        assert!(fits(&grep("^a.*b$"), b"a - b") && !fits(&grep("^a.*b$"), b"xa - b"));
        assert!(fits(&grep("b$"), b"\xff b"), "bytes that are no text do not hide the rest");
        assert!(!fits(&grep("error"), b"ERROR"));
        assert!(fits(&LogQuery { ignore_case: true, ..grep("error") }, b"ERROR"));
        assert!(fits(&LogQuery { invert: true, ..grep("error") }, b"fine"));
        assert!(!fits(&LogQuery { invert: true, ..grep("error") }, b"an error"));
    }

    #[test]
    fn what_is_no_expression_or_too_large_a_one_is_refused() {
        let refused = |text: &str| wanted(&grep(text)).err().unwrap();
        let error = refused("a[b");
        assert_eq!(error.code, ErrorCode::BadRequest);
        assert_eq!(error.message, "\"a[b\" is no regular expression: unclosed character class");
        assert!(refused(r"(\w{100}){100}").message.ends_with("more than 1048576 bytes"));
    }

    #[test]
    fn a_stored_line_is_a_line_of_the_api() {
        let (log, text) = ("web.1".into(), b"hello".to_vec());
        let stored = Line { log, time: 1_000_000_000, run: 0, position: 10, end: 16, text };
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let line = api_line(&store, &stored).unwrap();
        assert_eq!((line.worker.to_string(), line.stream), ("web.1".to_owned(), Stream::Output));
        assert_eq!((line.run, line.position, line.text.text.as_str()), (None, 16, "hello"));
        assert!(line.newline && !api_line(&store, &Line { end: 15, ..stored }).unwrap().newline);
        assert_eq!(line.time.to_string(), "1970-01-01T00:00:01Z");
    }
    #[test]
    fn a_log_is_stdout_where_stderr_has_one_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        for log in ["web.1", "web.1.err", "web.2"] {
            std::fs::write(dir.path().join(format!("{log}.log")), "a line\n").unwrap();
        }
        let store = Store::open(dir.path()).unwrap();
        let of = |log: &str| stream_of(&store, &LogName::try_from(log.to_owned()).unwrap());
        assert_eq!(["web.1", "web.1.err", "web.2"].map(of), [Stream::Stdout, Stream::Stderr, Stream::Output]);
        assert!(is_of(None, "web.1.err") && is_of(Some(Stream::Stderr), "web.1.err"));
        assert!(!is_of(Some(Stream::Stdout), "web.1.err") && is_of(Some(Stream::Stdout), "web.2"));
    }
}
