//! What only `[eventlistener:x]` and `[fcgi-program:x]` have.

use std::path::PathBuf;

use super::group::{FcgiSocket, Listener};
use super::ini::Section;
use super::program::Program;
use super::reader::{Names, Reader};
use super::users::{self, Found};
use super::value::{self, Value, Wrong};
use crate::suggest::hint_for;

/// The types of events, as `events` names them.
pub(crate) const EVENTS: [&str; 27] = [
    "EVENT",
    "PROCESS_STATE",
    "PROCESS_STATE_STOPPED",
    "PROCESS_STATE_EXITED",
    "PROCESS_STATE_STARTING",
    "PROCESS_STATE_STOPPING",
    "PROCESS_STATE_BACKOFF",
    "PROCESS_STATE_FATAL",
    "PROCESS_STATE_RUNNING",
    "PROCESS_STATE_UNKNOWN",
    "PROCESS_COMMUNICATION",
    "PROCESS_COMMUNICATION_STDOUT",
    "PROCESS_COMMUNICATION_STDERR",
    "PROCESS_LOG",
    "PROCESS_LOG_STDOUT",
    "PROCESS_LOG_STDERR",
    "REMOTE_COMMUNICATION",
    "SUPERVISOR_STATE_CHANGE",
    "SUPERVISOR_STATE_CHANGE_RUNNING",
    "SUPERVISOR_STATE_CHANGE_STOPPING",
    "TICK",
    "TICK_5",
    "TICK_60",
    "TICK_3600",
    "PROCESS_GROUP",
    "PROCESS_GROUP_ADDED",
    "PROCESS_GROUP_REMOVED",
];

const HANDLER: &str = "supervisor.dispatchers:default_handler";

fn events(text: &str) -> Value<Vec<String>> {
    let mut events: Vec<String> = value::list(text).iter().map(|name| name.to_uppercase()).collect();
    if events.is_empty() {
        return Err(Wrong {
            message: "it names no event".to_owned(),
            hint: "write `events=PROCESS_STATE`".to_owned(),
        });
    }
    if let Some(unknown) = events.iter().find(|name| !EVENTS.contains(&name.as_str())) {
        let message = format!("there is no event {}", crate::procfile::shown(unknown));
        return Err(Wrong { message, hint: hint_for(unknown, EVENTS).unwrap_or_default() });
    }
    events.sort();
    events.dedup();
    Ok(events)
}

/// A TCP address, or an absolute path.
fn socket(text: &str) -> Value<(String, Option<PathBuf>)> {
    let wrong = || {
        let message = format!("{} is no socket", crate::procfile::shown(text));
        Err(Wrong { message, hint: "write `unix:///path` or `tcp://host:port`".to_owned() })
    };
    if let Some(path) = text.strip_prefix("unix://") {
        return if path.starts_with('/') { Ok((String::new(), Some(PathBuf::from(path)))) } else { wrong() };
    }
    let Some((host, port)) = text.strip_prefix("tcp://").and_then(|rest| rest.split_once(':')) else {
        return wrong();
    };
    let is_host = !host.is_empty() && !host.contains(|c: char| super::ini::is_space(c));
    let is_number = !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(port) if is_host && is_number && port > 0 => {
            Ok((format!("tcp://{}:{port}", host.to_lowercase()), None))
        }
        Ok(_) | Err(_) => wrong(),
    }
}

impl Reader<'_> {
    /// What an event listener listens to.
    pub(crate) fn listener(&mut self, section: &Section) -> Option<Listener> {
        let (key, names) = (section.name.as_str(), self.usual());
        let buffer_size = match self.text(key, "buffer_size", &names) {
            Some(said) => {
                self.converted(&said, "buffer_size", value::at_least_one(&said.text, i64::from(i32::MAX)))
            }
            None => Some(10),
        };
        if let Some(said) = self.text(key, "result_handler", &names).filter(|said| said.text != HANDLER) {
            let problem = said.problem("`result_handler` is a plugin in Python, which ganger cannot load");
            self.findings.error(problem.hinted(format!("remove the key: `{HANDLER}` is built in")));
        }
        if self.flag(key, "redirect_stderr", &names, false) {
            let problem = section.problem(format!("[{key}] has `redirect_stderr=true`"));
            self.findings
                .error(problem.hinted("remove the key: its stdout carries the event protocol alone"));
        }
        if self.raw(key, "events").is_none() {
            let problem = section.problem(format!("[{key}] has no `events`"));
            self.findings.error(problem.hinted("write `events=PROCESS_STATE`"));
        }
        let events = self.value(key, "events", &names, events)?;
        Some(Listener { events, buffer_size: buffer_size? })
    }

    /// The socket of a `FastCGI` program. Only few names are known in it.
    pub(crate) fn socket(&mut self, program: &Program<'_>, uid: Option<u32>) -> Option<FcgiSocket> {
        let (key, usual) = (program.section.name.as_str(), self.usual());
        let mut names: Names = usual.clone();
        names.insert("program_name".to_owned(), super::each::Known::Text(program.name.clone()));
        let backlog = self.value(key, "socket_backlog", &usual, |text| value::at_least_one(text, 65_535));
        let owner_said = self.text(key, "socket_owner", &usual);
        let mode_said = self.text(key, "socket_mode", &usual);
        let owner = owner_said.clone().and_then(|said| self.owner(&said, "socket_owner"));
        let mode =
            mode_said.clone().and_then(|said| self.converted(&said, "socket_mode", value::octal(&said.text)));
        let said = self.text(key, "socket", &names).filter(|said| !said.text.is_empty());
        let Some(said) = said else {
            let problem = program.section.problem(format!("[{key}] has no `socket`"));
            self.findings.error(problem.hinted("write `socket=unix:///run/%(program_name)s.sock`"));
            return None;
        };
        let (url, path) = self.converted(&said, "socket", socket(&said.text))?;
        let Some(path) = path else {
            if let Some(said) = owner_said.or(mode_said) {
                let problem = said.problem("`socket_owner` and `socket_mode` are for Unix sockets");
                self.findings.error(problem.hinted("remove them, or write `socket=unix:///path`"));
            }
            return Some(FcgiSocket { url, backlog, owner: None, mode: None });
        };
        let own = std::fs::metadata("/proc/self").ok().map(|meta| std::os::unix::fs::MetadataExt::uid(&meta));
        let owner = owner.or_else(|| {
            let uid = uid.filter(|uid| own.is_some_and(|own| own != *uid))?;
            match users::user(&uid.to_string()) {
                Found::Yes(user) => Some((uid, Some(user.gid))),
                Found::No | Found::Unsure => Some((uid, None)),
            }
        });
        let url = format!("unix://{}", self.paths.normal(&path).display());
        Some(FcgiSocket { url, backlog, owner, mode: mode.or(Some(0o700)) })
    }
}
