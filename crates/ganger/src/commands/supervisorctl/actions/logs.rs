//! What processes write, and what they read: tail, maintail, fg.

use std::io::{self, Write};

use ganger_api::supervisor::{
    Channel, Client, ClientError, Fault, Follow, NameSpec, ProcessInfo, ProcessState,
};
use ganger_api::xmlrpc::Value;

use super::{Done, exit, is_up, misused, raised, tried};
use crate::commands::supervisorctl::Stop;
use crate::commands::supervisorctl::python::{self, Exception};
use crate::commands::supervisorctl::session::{Session, Trouble};

/// So many bytes are shown unless something else is said.
const USUAL_BYTES: i64 = 1600;
const LEAVE_BY: &str = "==> Press Ctrl-C to exit <==";

/// How much of a log is to be shown.
enum Amount {
    Bytes(i64),
    /// All that comes.
    Follow,
}

/// What `-f` or `-N` says; none if it says nothing.
fn amount(modifier: &str) -> Option<Amount> {
    match modifier.strip_prefix('-')? {
        "f" => Some(Amount::Follow),
        number => number.parse().ok().map(Amount::Bytes),
    }
}

fn wrong(session: &mut Session, message: &str) -> Done {
    session.status = exit::GENERIC;
    session.say(message)
}

pub(super) fn tail(session: &mut Session, argument: &str) -> Done {
    if !is_up(session)? {
        return Ok(());
    }
    let words: Vec<&str> = argument.split_whitespace().collect();
    let number = match words.len() {
        0 => "few",
        1..=3 => "",
        _ => "many",
    };
    if !number.is_empty() {
        return misused(session, "tail", &format!("Error: too {number} arguments"), exit::GENERIC);
    }
    let (modifier, words) = match words.split_first() {
        Some((first, rest)) if first.starts_with('-') => (Some(*first), rest),
        _ => (None, words.as_slice()),
    };
    let (name, channel) = match words {
        [] => return wrong(session, "Error: tail requires process name"),
        [name] => (*name, "stdout".to_owned()),
        [name, .., channel] => (*name, channel.to_lowercase()),
    };
    let channel = match channel.as_str() {
        "stdout" => Channel::Stdout,
        "stderr" => Channel::Stderr,
        other => return wrong(session, &format!("Error: bad channel {}", python::repr(other))),
    };
    match modifier.map_or(Some(Amount::Bytes(USUAL_BYTES)), amount) {
        None => wrong(session, &format!("Error: bad argument {}", modifier.unwrap_or_default())),
        Some(Amount::Follow) => {
            let path = format!("/logtail/{name}/{}", word(channel));
            let (mut client, name) = (session.client()?, NameSpec::parse(name));
            let log = session.wait(client.follow_log(&name, channel));
            follow(session, log, &path)
        }
        Some(Amount::Bytes(bytes)) => {
            let method = match channel {
                Channel::Stdout => "readProcessStdoutLog",
                Channel::Stderr => "readProcessStderrLog",
            };
            let params = [name.into(), Value::Int(-bytes), Value::Int(0)];
            let no_name = Some("no such process name");
            read(session, name, method, &params, no_name)
        }
    }
}

fn word(channel: Channel) -> &'static str {
    match channel {
        Channel::Stdout => "stdout",
        Channel::Stderr => "stderr",
    }
}

/// Shows a part of a log.
fn read(session: &mut Session, name: &str, method: &str, params: &[Value], no_name: Option<&str>) -> Done {
    match tried(session.text(method, params))? {
        Ok(text) => session.say(&text),
        Err(fault) => {
            session.status = exit::GENERIC;
            let why = match (Fault::from_code(fault.code), no_name) {
                (Some(Fault::NoFile), _) => "no log file",
                (Some(Fault::Failed), _) => "unknown error reading log",
                (Some(Fault::BadName), Some(why)) => why,
                _ => return Err(raised(fault)),
            };
            session.say(&format!("{name}: ERROR ({why})"))
        }
    }
}

pub(super) fn maintail(session: &mut Session, argument: &str) -> Done {
    if !is_up(session)? {
        return Ok(());
    }
    let words: Vec<&str> = argument.split_whitespace().collect();
    let wanted = match words.as_slice() {
        [] => Some(Amount::Bytes(USUAL_BYTES)),
        [modifier] => amount(modifier),
        _ => return misused(session, "maintail", "Error: too many arguments", exit::GENERIC),
    };
    match wanted {
        None => wrong(session, &format!("Error: bad argument {}", words.join(" "))),
        Some(Amount::Follow) => {
            let mut client = session.client()?;
            let log = session.wait(client.follow_main_log());
            follow(session, log, "/mainlogtail")
        }
        Some(Amount::Bytes(bytes)) => {
            read(session, "supervisord", "readLog", &[Value::Int(-bytes), Value::Int(0)], None)
        }
    }
}

/// Shows a log as it is written, until Ctrl-C or its end.
fn follow(session: &mut Session, log: Result<Result<Follow, ClientError>, Trouble>, path: &str) -> Done {
    session.say(LEAVE_BY)?;
    let shown = log.and_then(|log| match opened(session, log, path)? {
        Some(mut log) => session.wait(async {
            while let Some(piece) = next(&mut log).await {
                show(&piece)?;
            }
            Ok(())
        })?,
        None => Ok(()),
    });
    match shown {
        Err(Trouble::Stop(Stop::Interrupted)) => session.say(""),
        other => other,
    }
}

/// The log, or a line on stderr on why there is none.
fn opened(
    session: &Session,
    log: Result<Follow, ClientError>,
    path: &str,
) -> Result<Option<Follow>, Trouble> {
    let why = match log {
        Ok(log) => return Ok(Some(log)),
        Err(ClientError::Status(code)) => format!("Cannot read, status code {code}"),
        Err(error) => format!("Cannot connect, {}", Exception::of(&error).line()),
    };
    writeln!(io::stderr(), "{}{path} {why}", session.settings.server_url)?;
    Ok(None)
}

/// The next piece; none at the end, however it came.
async fn next(log: &mut Follow) -> Option<impl AsRef<[u8]> + use<>> {
    log.next().await.ok().flatten()
}

fn show(piece: &impl AsRef<[u8]>) -> Result<(), Trouble> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(piece.as_ref())?;
    Ok(stdout.flush()?)
}

pub(super) fn fg(session: &mut Session, argument: &str) -> Done {
    if !is_up(session)? {
        return Ok(());
    }
    let words: Vec<&str> = argument.split_whitespace().collect();
    let name = match words.as_slice() {
        [] => return misused(session, "fg", "ERROR: no process name supplied", exit::GENERIC),
        [name] => *name,
        _ => return wrong(session, "ERROR: too many process names supplied"),
    };
    match tried(session.call("getProcessInfo", &[name.into()]))? {
        Ok(info) if ProcessInfo::try_from(&info)?.state == ProcessState::Running => {}
        Ok(_) => return wrong(session, "ERROR: process not running"),
        Err(fault) if fault.code == Fault::BadName.code() => {
            return wrong(session, "ERROR: bad process name supplied");
        }
        Err(fault) => return session.say(&format!("ERROR: {}", python::fault(fault.code, &fault.text))),
    }
    session.say(LEAVE_BY)?;
    let logs = match logs(session, name) {
        Ok(logs) => logs,
        Err(Trouble::Stop(Stop::Interrupted)) => return session.say("Exiting foreground"),
        Err(other) => return Err(other),
    };
    foreground(session, name, logs)
}

/// The output and the errors of a process, as far as it has logs of them.
fn logs(session: &Session, name: &str) -> Result<[Option<Follow>; 2], Trouble> {
    let open = |channel| {
        let path = format!("/logtail/{name}/{}", word(channel));
        let mut client: Client = session.client()?;
        let log = session.wait(client.follow_log(&NameSpec::parse(name), channel))?;
        opened(session, log, &path)
    };
    Ok([open(Channel::Stdout)?, open(Channel::Stderr)?])
}

/// What happened in the foreground.
enum Came {
    Line(io::Result<Option<String>>),
    Piece(usize, Option<Vec<u8>>),
}

/// Gives lines to a process and shows what it writes, until one of us ends.
fn foreground(session: &mut Session, name: &str, [mut output, mut errors]: [Option<Follow>; 2]) -> Done {
    loop {
        let mut input = std::mem::take(&mut session.input);
        let came = session.wait(async {
            tokio::select! {
                line = input.line() => Came::Line(line),
                piece = piece(&mut output) => Came::Piece(0, piece),
                piece = piece(&mut errors) => Came::Piece(1, piece),
            }
        });
        session.input = input;
        let line = match came {
            Ok(Came::Line(line)) => line?,
            Ok(Came::Piece(_, Some(piece))) => {
                show(&piece)?;
                continue;
            }
            Ok(Came::Piece(0, None)) => {
                output = None;
                continue;
            }
            Ok(Came::Piece(_, None)) => {
                errors = None;
                continue;
            }
            Err(Trouble::Stop(Stop::Interrupted)) => None,
            Err(other) => return Err(other),
        };
        let Some(line) = line else { return session.say("Exiting foreground") };
        if !given(session, name, &line)? {
            return session.say("Exiting foreground");
        }
    }
}

async fn piece(log: &mut Option<Follow>) -> Option<Vec<u8>> {
    match log {
        Some(log) => next(log).await.map(|piece| piece.as_ref().to_vec()),
        None => std::future::pending().await,
    }
}

/// Gives a process a line; whether it still runs.
fn given(session: &mut Session, name: &str, line: &str) -> Result<bool, Trouble> {
    match tried(session.call("sendProcessStdin", &[name.into(), format!("{line}\n").into()]))? {
        Ok(_) => {}
        Err(fault) if fault.code == Fault::NotRunning.code() => {
            session.say("Process got killed")?;
            return Ok(false);
        }
        Err(fault) => {
            session.say(&format!("ERROR: {}", python::fault(fault.code, &fault.text)))?;
            return Ok(false);
        }
    }
    let info = session.call("getProcessInfo", &[name.into()])?;
    if ProcessInfo::try_from(&info)?.state != ProcessState::Running {
        session.say("Process got killed")?;
        return Ok(false);
    }
    Ok(true)
}
