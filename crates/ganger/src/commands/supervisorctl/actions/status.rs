//! How processes are.

use ganger_api::supervisor::{Fault, NameSpec, ProcessInfo};

use super::{Done, exit, is_up, tried};
use crate::commands::supervisorctl::session::{Session, Trouble};

/// The least width of the column of names, and the space behind it.
const NAME_WIDTH: usize = 30;
const NAME_GAP: usize = 3;

pub(super) fn status(session: &mut Session, argument: &str) -> Done {
    if !is_up(session)? {
        session.status = exit::STATUS_UNKNOWN;
        return Ok(());
    }
    let all: Vec<ProcessInfo> = session.list("getAllProcessInfo", &[])?;
    let names: Vec<&str> = argument.split_whitespace().collect();
    let chosen =
        if names.is_empty() || names.contains(&"all") { all } else { matching(session, &all, &names)? };
    let labels: Vec<String> = chosen.iter().map(|info| info.namespec().to_string()).collect();
    let width =
        labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(NAME_WIDTH) + NAME_GAP;
    for (label, info) in labels.iter().zip(&chosen) {
        session.say(&format!("{label:width$}{:10}{}", info.state.name(), info.description))?;
    }
    if chosen.iter().any(|info| info.state.is_stopped()) {
        session.status = exit::STATUS_NOT_RUNNING;
    }
    Ok(())
}

/// Those that the names mean, in the order of the names.
fn matching(session: &mut Session, all: &[ProcessInfo], names: &[&str]) -> Result<Vec<ProcessInfo>, Trouble> {
    let mut chosen = Vec::new();
    for name in names {
        let wanted = NameSpec::parse(name);
        let fits = |info: &&ProcessInfo| {
            info.group == wanted.group && wanted.process.as_ref().is_none_or(|process| info.name == *process)
        };
        let before = chosen.len();
        chosen.extend(all.iter().filter(fits).cloned());
        if chosen.len() == before {
            let message = match wanted.process {
                None => format!("{}: ERROR (no such group)", wanted.group),
                Some(_) => format!("{name}: ERROR (no such process)"),
            };
            session.say(&message)?;
            session.status = exit::STATUS_UNKNOWN;
        }
    }
    Ok(chosen)
}

pub(super) fn pid(session: &mut Session, argument: &str) -> Done {
    if !is_up(session)? {
        return Ok(());
    }
    let names: Vec<&str> = argument.split_whitespace().collect();
    if names.is_empty() {
        let pid = session.text("getPID", &[])?;
        return session.say(&pid);
    }
    if names.contains(&"all") {
        for info in session.list::<ProcessInfo>("getAllProcessInfo", &[])? {
            session.say(&info.pid.to_string())?;
        }
        return Ok(());
    }
    for name in names {
        match tried(session.call("getProcessInfo", &[name.into()]))? {
            Ok(value) => {
                let pid = ProcessInfo::try_from(&value)?.pid;
                session.say(&pid.to_string())?;
                if pid == 0 {
                    session.status = exit::NOT_RUNNING;
                }
            }
            Err(fault) => {
                session.status = exit::GENERIC;
                if fault.code != Fault::BadName.code() {
                    return Err(super::raised(fault));
                }
                session.say(&format!("No such process {name}"))?;
            }
        }
    }
    Ok(())
}
