//! What two servers or two clients cannot say alike is made alike.

use super::server::{Client, Server};

/// The text as it would be anywhere at any time.
pub(crate) fn alike(text: &str, server: &Server, client: Client) -> String {
    let text = text
        .replace(&server.client_program(client), "PROGRAM")
        .replace(&server.sandbox.root().to_string_lossy().into_owned(), "ROOT")
        .replace(&server.port.to_string(), "PORT")
        .replace("\r\n", "\n")
        // A terminal shows the key where nobody edits the line.
        .replace("^C", "")
        // supervisord says so if the process ends before it looks, which nobody can know.
        .replace("instant: ERROR (abnormal termination)", "instant: started");
    text.split_inclusive('\n').map(line).collect()
}

fn line(line: &str) -> String {
    let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
    let text = without_place(text);
    let text = running(&text).or_else(|| stopped(&text)).or_else(|| number(&text)).unwrap_or(text);
    format!("{text}{end}")
}

/// A place in Python's files is none of ours.
fn without_place(text: &str) -> String {
    match text.split_once(": file: ") {
        Some((error, _)) if error.contains("error: <class ") => error.to_owned(),
        _ => text.to_owned(),
    }
}

/// `pid 7, uptime 0:00:01`.
fn running(text: &str) -> Option<String> {
    let (before, after) = text.split_once("pid ")?;
    let (pid, uptime) = after.split_once(", uptime ")?;
    assert!(pid.parse::<u32>().is_ok() && uptime.contains(':'), "no PID or no time: {text}");
    Some(format!("{before}pid PID, uptime TIME"))
}

/// `STOPPED   Nov 28 01:02 AM`.
fn stopped(text: &str) -> Option<String> {
    let state = ["STOPPED   ", "EXITED    "].into_iter().find(|state| text.contains(state))?;
    let (before, when) = text.split_once(state)?;
    if when == "Not started" {
        return None;
    }
    let words: Vec<&str> = when.split(' ').collect();
    let fits = matches!(words[..], [month, day, time, "AM" | "PM"]
        if month.len() == 3 && day.len() == 2 && time.len() == 5);
    assert!(fits, "no date: {text}");
    Some(format!("{before}{state}DATE"))
}

/// A PID by itself.
fn number(text: &str) -> Option<String> {
    (text != "0" && text.parse::<u32>().is_ok()).then(|| "PID".to_owned())
}
