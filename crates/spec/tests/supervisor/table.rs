//! The same table from what ganger makes of a file.

use std::collections::BTreeMap;
use std::path::Path;

use ganger_spec::{
    Address, Autorestart, Daemon, Group, Loaded, LogFile, LogLevel, Server, Spec, StopScope, Worker,
    WorkerName,
};
use serde_json::{Value, json};

/// Variables that ganger sets and supervisord's parser does not have.
const OWN: [&str; 6] = [
    "PS",
    "GANGER_WORKER",
    "SUPERVISOR_ENABLED",
    "SUPERVISOR_SERVER_URL",
    "SUPERVISOR_PROCESS_NAME",
    "SUPERVISOR_GROUP_NAME",
];

/// The table of a file that ganger has read.
pub(crate) fn of(loaded: &Loaded) -> Value {
    let daemon = loaded.spec.supervisor.as_ref().unwrap();
    let mut families: Vec<(String, Vec<&Group>)> = Vec::new();
    for group in loaded.spec.groups.iter().filter(|group| group.count > 0) {
        let program = &group.supervisor.as_ref().unwrap().program;
        let name = group.family.as_ref().map_or(program, |family| &family.name);
        match families
            .iter_mut()
            .find(|(known, members)| known == name && group.family.is_some() && members[0].family.is_some())
        {
            Some((_, members)) => members.push(group),
            None => families.push((name.clone(), vec![group])),
        }
    }
    let groups: Vec<Value> =
        families.iter().map(|(name, members)| family(&loaded.spec, name, members)).collect();
    json!({ "groups": groups, "daemon": of_daemon(daemon) })
}

fn family(spec: &Spec, name: &str, members: &[&Group]) -> Value {
    let mut processes: Vec<Value> = Vec::new();
    for group in members {
        for number in 1..=group.count {
            let worker = spec.worker(&WorkerName::new(&group.name, number)).ok();
            processes.push(process(group, worker.as_ref(), number));
        }
    }
    processes.sort_by_key(|process| ["name", "command"].map(|key| process[key].as_str().map(str::to_owned)));
    let own = members[0].supervisor.as_ref().unwrap();
    let listener = own.listener.as_ref();
    let socket = own.socket.as_ref();
    json!({
        "name": name,
        "priority": members[0].family_priority(),
        "processes": processes,
        "listener": listener.map(|own| json!({ "buffer_size": own.buffer_size, "events": own.events })),
        "socket": socket.map(|own| json!({
            "url": own.url,
            "backlog": own.backlog,
            "mode": own.mode,
            "owner": own.owner.map(|(uid, gid)| json!([uid, gid.map_or(-1, i64::from)])),
        })),
    })
}

fn process(group: &Group, worker: Option<&Worker<'_>>, number: u32) -> Value {
    let own = group.supervisor.as_ref().unwrap();
    let environment: BTreeMap<&str, &str> = worker
        .iter()
        .flat_map(|worker| &worker.env)
        .filter(|variable| !OWN.contains(&variable.name.as_str()))
        .map(|variable| (variable.name.as_str(), variable.value.as_str()))
        .collect();
    let log = |file: &LogFile| match file {
        LogFile::Store | LogFile::Auto(_) => json!("auto"),
        LogFile::Dropped | LogFile::Sent | LogFile::Echoed => Value::Null,
        LogFile::Path(path) => json!(path),
    };
    let has_err = !own.redirect_stderr;
    json!({
        "name": group.process_name(number),
        "command": worker.map(|worker| &worker.line),
        "directory": worker.filter(|_| own.has_directory).map(|worker| &worker.dir),
        "umask": group.umask,
        "priority": group.priority,
        "autostart": group.autostart,
        "autorestart": match own.autorestart {
            Autorestart::False => "false",
            Autorestart::Unexpected => "unexpected",
            Autorestart::True => "true",
        },
        "startsecs": own.startsecs,
        "startretries": own.startretries,
        "uid": own.uid,
        "stopsignal": group.stop.signal.number(),
        "stopwaitsecs": own.stopwaitsecs,
        "stopasgroup": group.stop.scope == StopScope::Tree,
        "killasgroup": own.killasgroup,
        "exitcodes": own.exitcodes,
        "redirect_stderr": own.redirect_stderr,
        "environment": environment,
        "serverurl": own.serverurl,
        "stdout_logfile": worker.map(|worker| log(&worker.logs.out)),
        "stdout_logfile_maxbytes": own.stdout.maxbytes,
        "stdout_logfile_backups": own.stdout.backups,
        "stdout_capture_maxbytes": own.stdout.capture_maxbytes,
        "stdout_events_enabled": own.stdout.events_enabled,
        "stdout_syslog": own.stdout.syslog,
        "stderr_logfile": worker.filter(|_| has_err).map(|worker| log(&worker.logs.err)),
        "stderr_logfile_maxbytes": own.stderr.maxbytes,
        "stderr_logfile_backups": own.stderr.backups,
        "stderr_capture_maxbytes": own.stderr.capture_maxbytes,
        "stderr_events_enabled": own.stderr.events_enabled,
        "stderr_syslog": own.stderr.syslog,
    })
}

fn of_daemon(daemon: &Daemon) -> Value {
    let level = match daemon.loglevel {
        LogLevel::Critical => "critical",
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
        LogLevel::Blather => "blather",
    };
    json!({
        "logfile": daemon.logfile.as_ref().map_or_else(|| json!("syslog"), |path| json!(path)),
        "logfile_maxbytes": daemon.logfile_maxbytes,
        "logfile_backups": daemon.logfile_backups,
        "loglevel": level,
        "pidfile": daemon.pidfile,
        "umask": daemon.umask,
        "minfds": daemon.minfds,
        "minprocs": daemon.minprocs,
        "childlogdir": daemon.childlogdir,
        "user": daemon.user,
        "directory": daemon.directory,
        "identifier": daemon.identifier,
        "nodaemon": daemon.nodaemon,
        "silent": daemon.silent,
        "nocleanup": daemon.nocleanup,
        "strip_ansi": daemon.strip_ansi,
        "environment": daemon.environment,
        "servers": daemon.servers.iter().map(server).collect::<Vec<_>>(),
        "serverurl": daemon.server_url(),
    })
}

fn server(server: &Server) -> Value {
    let (username, password) = server.login.clone().unzip();
    let mut row = json!({ "section": server.section, "username": username, "password": password });
    let more = match &server.address {
        Address::Unix { path, mode, uid, gid } => {
            let number = |id: &Option<u32>| id.map_or(-1, i64::from);
            json!({ "file": path, "chmod": mode, "chown": [number(uid), number(gid)] })
        }
        Address::Inet { host, port } => json!({ "host": host, "port": port }),
    };
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

/// Paths as supervisord leaves them, relative to where it was started, made absolute as ganger's are.
pub(crate) fn absolute(table: &mut Value, dir: &Path) {
    let join = |value: &mut Value| joined(value, dir);
    for key in ["childlogdir", "directory"] {
        join(&mut table["daemon"][key]);
    }
    // In the background supervisord goes there before it starts a program.
    let to = table["daemon"]["directory"].as_str().filter(|_| table["daemon"]["nodaemon"] == json!(false));
    let dir = to.map_or_else(|| dir.to_owned(), std::path::PathBuf::from);
    let join = |value: &mut Value| joined(value, &dir);
    for group in table["groups"].as_array_mut().unwrap() {
        for process in group["processes"].as_array_mut().unwrap() {
            for key in ["directory", "stdout_logfile", "stderr_logfile"] {
                join(&mut process[key]);
            }
        }
    }
}

fn joined(value: &mut Value, dir: &Path) {
    if let Some(text) = value.as_str().filter(|text| *text != "auto" && *text != "syslog") {
        *value = json!(dir.join(text).components().collect::<std::path::PathBuf>());
    }
}
