//! What there is to know about a process, in supervisord's words.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ganger_api::supervisor::{Channel, ConfigInfo, LogConfig, ProcessInfo, ProcessState, Setting};
use ganger_core::{Exit, Wanted, WorkerView};
use ganger_spec::{Family, Group, LogFile, LogName, Spec, Stderr, SupervisorStream, WorkerName};
use jiff::{Timestamp, tz::TimeZone};

use super::processes::{self, Process};
use crate::clock;

/// Said of a process whose first seconds were its last.
const TOO_QUICK: &str = "Exited too quickly (process log may have details)";

/// A process as `getProcessInfo` tells it.
pub(crate) fn info(spec: &Spec, process: &Process, view: &WorkerView, logs: &Path) -> ProcessInfo {
    let state = processes::state(view);
    let seconds = |at: Option<ganger_core::Instant>| at.map_or(0, |at| clock::wall(at).as_second());
    let (start, stop, now) = (seconds(view.began), seconds(view.ended), Timestamp::now().as_second());
    let spawnerr = spawnerr(spec, view, state);
    let mut info = ProcessInfo {
        name: process.name.clone(),
        group: process.family.clone(),
        start,
        stop,
        now,
        state,
        exitstatus: view.last_exit.map_or(0, exit_status),
        stdout_logfile: shown(log(spec, &process.worker, Channel::Stdout, logs)),
        stderr_logfile: shown(log(spec, &process.worker, Channel::Stderr, logs)),
        pid: view.pid.map_or(0, i64::from),
        description: String::new(),
        spawnerr,
    };
    info.description = description(&info, view);
    info
}

fn shown(path: Option<PathBuf>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

/// The file that has a stream of a worker; none if nothing is kept of it, or it goes where the other goes.
pub(crate) fn log(spec: &Spec, worker: &WorkerName, channel: Channel, logs: &Path) -> Option<PathBuf> {
    let kept = spec.worker(worker).ok()?.logs;
    let (file, name) = match channel {
        Channel::Stdout => (kept.out, LogName::from(worker.clone())),
        Channel::Stderr if kept.stderr == Stderr::Together => return None,
        Channel::Stderr => (kept.err, LogName::err(worker)),
    };
    match file {
        LogFile::Store => Some(logs.join(format!("{name}.log"))),
        LogFile::Path(path) | LogFile::Auto(path) => Some(path),
        LogFile::Dropped | LogFile::Sent | LogFile::Echoed => None,
    }
}

fn exit_status(exit: Exit) -> i64 {
    match exit {
        Exit::Code(code) => i64::from(code),
        Exit::Signal(_) | Exit::Unknown => -1,
    }
}

/// Why it is not up; supervisord's words where clients look for them.
fn spawnerr(spec: &Spec, view: &WorkerView, state: ProcessState) -> String {
    let failed = matches!(state, ProcessState::Backoff | ProcessState::Fatal);
    match view.unspawned.as_ref().filter(|_| failed) {
        Some(why) => unspawned(spec, &view.name, why),
        None if failed => TOO_QUICK.to_owned(),
        None => String::new(),
    }
}

/// Why there is no process; supervisord's words where clients look for them.
pub(crate) fn unspawned(spec: &Spec, worker: &WorkerName, why: &str) -> String {
    let words = spec.worker(worker).map(|worker| worker.argv.words).unwrap_or_default();
    let program = words.first().map(String::as_str).unwrap_or_default();
    if why.starts_with("command not found") {
        format!("can't find command '{program}'")
    } else if why.starts_with("command not executable") {
        format!("command at '{program}' is not executable")
    } else {
        why.to_owned()
    }
}

/// A word for people, as `supervisorctl status` shows it.
fn description(info: &ProcessInfo, view: &WorkerView) -> String {
    match info.state {
        ProcessState::Running => {
            let started = view.started.map_or(Duration::ZERO, |started| clock::now().since(started));
            format!("pid {}, uptime {}", info.pid, timedelta(started.as_secs()))
        }
        ProcessState::Fatal | ProcessState::Backoff => info.spawnerr.clone(),
        // Where programs wait for others, it is told for what.
        ProcessState::Stopped if view.wanted == Wanted::Up => view.why.clone(),
        ProcessState::Stopped | ProcessState::Exited if info.start == 0 => "Not started".to_owned(),
        ProcessState::Stopped | ProcessState::Exited => local(info.stop),
        ProcessState::Starting | ProcessState::Stopping | ProcessState::Unknown => String::new(),
    }
}

/// As Python prints a `timedelta`: `0:00:02`, `1 day, 2:03:04`.
fn timedelta(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    match days {
        0 => clock,
        1 => format!("1 day, {clock}"),
        days => format!("{days} days, {clock}"),
    }
}

/// As supervisord prints a time: `Nov 28 01:02 AM`, where we are.
fn local(seconds: i64) -> String {
    let at = Timestamp::from_second(seconds).unwrap_or_default().to_zoned(TimeZone::system());
    at.strftime("%b %d %I:%M %p").to_string()
}

/// A process as `getAllConfigInfo` tells it; `logs` is where those are that have no path of their own.
pub(crate) fn config(spec: &Spec, group: &Group, number: u32, inuse: bool) -> ConfigInfo {
    let said = group.supervisor.as_deref();
    let worker = spec.worker(&WorkerName::new(&group.name, number)).ok();
    let logs = worker.as_ref().map(|worker| worker.logs.clone()).unwrap_or_default();
    let is_together = logs.stderr == Stderr::Together;
    let number_of = |value: Duration| i64::try_from(value.as_secs()).unwrap_or(i64::MAX);
    ConfigInfo {
        name: group.process_name(number),
        group: group.family_name().to_owned(),
        inuse,
        autostart: group.autostart,
        command: worker.as_ref().map(|worker| worker.line.clone()).unwrap_or_default(),
        directory: match worker {
            Some(worker) if said.is_none_or(|said| said.has_directory) => {
                Setting::Is(worker.dir.display().to_string())
            }
            Some(_) | None => Setting::None,
        },
        uid: said.and_then(|said| said.uid).map_or(Setting::None, |uid| Setting::Is(i64::from(uid))),
        exitcodes: said
            .map_or_else(|| vec![0], |said| said.exitcodes.iter().map(|code| i64::from(*code)).collect()),
        group_prio: i64::from(
            group.family.as_ref().map_or(group.priority, |Family { priority, .. }| *priority),
        ),
        process_prio: i64::from(group.priority),
        killasgroup: said.is_some_and(|said| said.killasgroup),
        redirect_stderr: is_together,
        startretries: said.map_or(0, |said| said.startretries),
        startsecs: number_of(group.restart.startsecs),
        stopsignal: i64::from(group.stop.signal.number()),
        stopwaitsecs: number_of(group.stop.timeout),
        serverurl: said.and_then(|said| said.serverurl.clone()).map_or(Setting::None, Setting::Is),
        stdout: stream(said.map(|said| &said.stdout), &logs.out),
        stderr: stream(
            said.map(|said| &said.stderr),
            if is_together { &LogFile::Dropped } else { &logs.err },
        ),
    }
}

fn stream(said: Option<&SupervisorStream>, file: &LogFile) -> LogConfig {
    LogConfig {
        capture_maxbytes: said.map_or(0, |said| said.capture_maxbytes),
        events_enabled: said.is_some_and(|said| said.events_enabled),
        logfile: match file {
            LogFile::Store | LogFile::Auto(_) => Setting::Auto,
            LogFile::Path(path) => Setting::Is(path.display().to_string()),
            LogFile::Dropped | LogFile::Sent | LogFile::Echoed => Setting::None,
        },
        logfile_backups: said.map_or(0, |said| said.backups),
        logfile_maxbytes: said.map_or(0, |said| said.maxbytes),
        syslog: said.is_some_and(|said| said.syslog),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_python_does() {
        let day = 86_400;
        for (seconds, text) in [
            (0, "0:00:00"),
            (3_671, "1:01:11"),
            (day + 7_384, "1 day, 2:03:04"),
            (2 * day, "2 days, 0:00:00"),
        ] {
            assert_eq!(timedelta(seconds), text);
        }
    }
}
