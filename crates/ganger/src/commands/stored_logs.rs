//! The logs of an app that does not run, from the files that it left.

use ganger_api::{LogLine, LogQuery, Place, Stream};
use ganger_logs::Store;
use ganger_overseer::{api_line, incomplete, is_of, no_stderr, stored_lines};
use ganger_spec::{ALL, LogName, is_meant, matches};

use crate::failure::Failure;

/// How much is read at a time.
const BATCH_BYTES: usize = 256 * 1024;

/// Gives each line that is asked for and kept in this place to `each`.
pub(crate) fn each(
    place: &Place,
    query: &LogQuery,
    mut each: impl FnMut(&LogLine) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let logs = place.logs();
    let store = logs.is_dir().then(|| Store::open(&logs)).transpose().map_err(Failure::new)?;
    let Some(store) = store.filter(|store| !store.logs().is_empty()) else {
        let failure = Failure::new(format!("there are no logs of {}: nothing was started", place.id));
        return Err(failure.hinted("`ganger start` starts it; -d names another directory"));
    };
    let mut chosen = chosen(&query.names, store.logs())?;
    chosen.retain(|log| is_of(query.stream, log));
    if chosen.is_empty() && query.stream == Some(Stream::Stderr) {
        return Err(no_stderr().into());
    }
    let mut merged = stored_lines(&store, &chosen, query)?;
    loop {
        let batch = merged.next_batch(BATCH_BYTES).map_err(Failure::new)?;
        if batch.is_empty() {
            return match merged.take_skipped() {
                0 => Ok(()),
                bytes => Err(incomplete(bytes).into()),
            };
        }
        batch.iter().filter_map(|line| api_line(&store, line)).try_for_each(|line| each(&line))?;
    }
}

/// How long the longest name is of the logs that there are of these; 0 where there is none yet.
pub(crate) fn longest_name(place: &Place, query: &LogQuery) -> usize {
    let logs = place.logs();
    let store = logs.is_dir().then(|| Store::open(&logs).ok()).flatten();
    // Where that cannot be told, the width of names grows as they come.
    let chosen = store.and_then(|store| chosen(&query.names, store.logs()).ok()).unwrap_or_default();
    chosen.iter().filter(|log| is_of(query.stream, log)).map(String::len).max().unwrap_or(0)
}

/// The logs that patterns name; all if there are none.
fn chosen(patterns: &[String], known: Vec<String>) -> Result<Vec<String>, Failure> {
    if patterns.is_empty() {
        return Ok(known);
    }
    let fits = |pattern: &String, log: &String| {
        let name = LogName::try_from(log.clone()).ok();
        let of_worker =
            |LogName { worker, .. }: LogName| is_meant(pattern, &worker.group, &worker.to_string());
        pattern == ALL || matches(pattern, log) || name.is_some_and(of_worker)
    };
    if let Some(unknown) = patterns.iter().find(|pattern| !known.iter().any(|log| fits(pattern, log))) {
        let failure = Failure::new(format!("there is no log of {unknown:?}"));
        let hint = match known.as_slice() {
            [] => "no worker has written anything yet".to_owned(),
            names => format!("there are logs of {}", names.join(", ")),
        };
        return Err(failure.hinted(hint));
    }
    Ok(known.into_iter().filter(|log| patterns.iter().any(|pattern| fits(pattern, log))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_named_as_workers_are() {
        let known = || ["web.1", "web.2", "web.2.err", "worker.1"].map(str::to_owned).to_vec();
        let found = |pattern: &str| chosen(&[pattern.to_owned()], known());
        assert_eq!(found("web").unwrap(), ["web.1", "web.2", "web.2.err"]);
        assert_eq!(found("web.2").unwrap(), ["web.2", "web.2.err"]);
        assert_eq!(found("web.2.err").unwrap(), ["web.2.err"]);
        assert_eq!(found("*.1").unwrap(), ["web.1", "worker.1"]);
        assert_eq!(found("all").unwrap(), known());
        assert_eq!(chosen(&[], known()).unwrap(), known());
        let failure = found("db").unwrap_err();
        assert_eq!(failure.message, "there is no log of \"db\"");
        assert_eq!(failure.hint.as_deref(), Some("there are logs of web.1, web.2, web.2.err, worker.1"));
        let none_yet = chosen(&["web".to_owned()], Vec::new()).unwrap_err();
        assert_eq!(none_yet.hint.as_deref(), Some("no worker has written anything yet"));
    }
}
