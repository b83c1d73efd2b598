//! Which sections and keys there are. supervisord says nothing of any other; ganger does.

use super::beyond::{BEYOND, NOT_OF_LISTENERS};
use super::ini::{Ini, Section};
use crate::problem::Findings;
use crate::suggest::suggest;

const SUPERVISORD: &[&str] = &[
    "logfile",
    "logfile_maxbytes",
    "logfile_backups",
    "loglevel",
    "pidfile",
    "umask",
    "nodaemon",
    "silent",
    "minfds",
    "minprocs",
    "nocleanup",
    "childlogdir",
    "user",
    "directory",
    "strip_ansi",
    "environment",
    "identifier",
    "compat",
    "syslog",
];
const PROGRAM: &[&str] = &[
    "command",
    "process_name",
    "numprocs",
    "numprocs_start",
    "priority",
    "autostart",
    "startsecs",
    "startretries",
    "autorestart",
    "exitcodes",
    "stopsignal",
    "stopwaitsecs",
    "stopasgroup",
    "killasgroup",
    "user",
    "umask",
    "directory",
    "redirect_stderr",
    "stdout_logfile",
    "stdout_logfile_maxbytes",
    "stdout_logfile_backups",
    "stdout_capture_maxbytes",
    "stdout_events_enabled",
    "stdout_syslog",
    "stderr_logfile",
    "stderr_logfile_maxbytes",
    "stderr_logfile_backups",
    "stderr_capture_maxbytes",
    "stderr_events_enabled",
    "stderr_syslog",
    "environment",
    "serverurl",
];
const LISTENER: &[&str] = &["events", "buffer_size", "result_handler"];
const FCGI: &[&str] = &["socket", "socket_backlog", "socket_owner", "socket_mode"];
const GROUP: &[&str] = &["programs", "priority"];
const UNIX_SERVER: &[&str] =
    &["file", "chmod", "chown", "username", "password", "readonly_username", "readonly_password"];
const INET_SERVER: &[&str] = &["port", "username", "password", "readonly_username", "readonly_password"];
const CTL: &[&str] = &["serverurl", "username", "password", "prompt", "history_file"];
const INCLUDE: &[&str] = &["files"];

const SECTIONS: &[&str] = &[
    "supervisord",
    "supervisorctl",
    "unix_http_server",
    "inet_http_server",
    "include",
    "program:x",
    "group:x",
    "fcgi-program:x",
    "eventlistener:x",
    "rpcinterface:supervisor",
];

/// The keys of a section of this name; none if there is no such section, and all words for a plugin's.
fn keys(section: &str) -> Option<Vec<&'static str>> {
    let kind = section.split_once(':').map_or(section, |(kind, _)| kind);
    let has_name = section.contains(':');
    let lists: &[&[&str]] = match kind {
        "supervisord" if !has_name => &[SUPERVISORD],
        "supervisorctl" if !has_name => &[CTL],
        "include" if !has_name => &[INCLUDE],
        "program" if has_name => &[PROGRAM, BEYOND, NOT_OF_LISTENERS],
        "eventlistener" if has_name => &[PROGRAM, LISTENER, BEYOND, NOT_OF_LISTENERS],
        "fcgi-program" if has_name => &[PROGRAM, FCGI, BEYOND, NOT_OF_LISTENERS],
        "group" if has_name => &[GROUP],
        kind if kind.starts_with("unix_http_server") => &[UNIX_SERVER],
        kind if kind.starts_with("inet_http_server") => &[INET_SERVER],
        _ => return None,
    };
    Some(lists.concat())
}

/// Tells of every section and key that nobody reads.
pub(crate) fn check(ini: &Ini, findings: &mut Findings) {
    for section in &ini.sections {
        if section.name.starts_with("rpcinterface:") || section.name.starts_with("ctlplugin:") {
            continue;
        }
        if let Some(known) = keys(&section.name) {
            check_keys(section, &known, findings);
            continue;
        }
        let problem = section.problem(format!("unknown section [{}]: nobody reads it", section.name));
        findings.warn(problem.hinted(match suggest_section(&section.name) {
            Some(near) => format!("did you mean [{near}]?"),
            None => format!("known: [{}]", SECTIONS.join("], [")),
        }));
    }
}

fn suggest_section(name: &str) -> Option<String> {
    match name.split_once(':') {
        Some((kind, rest)) => {
            let kinds = ["program", "group", "eventlistener", "fcgi-program", "rpcinterface"];
            suggest(kind.trim(), kinds).map(|kind| format!("{kind}:{}", rest.trim()))
        }
        None => suggest(name.trim(), SECTIONS.iter().copied()).map(str::to_owned),
    }
}

fn check_keys(section: &Section, known: &[&str], findings: &mut Findings) {
    for (key, said) in section.keys.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
        let problem = said.problem(format!("unknown key `{key}` of [{}]: nobody reads it", section.name));
        findings.warn(problem.hinted(match suggest(key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("docs/supervisor.md lists the keys of [{}]", section.name),
        }));
    }
}
