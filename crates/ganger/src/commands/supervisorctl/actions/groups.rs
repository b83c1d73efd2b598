//! Actions on groups and on the configuration: avail, reread, update, add, remove.

use std::collections::{BTreeMap, BTreeSet};

use ganger_api::supervisor::{BadAnswer, ConfigInfo, Fault, ProcessInfo, ProcessStatus};
use ganger_api::xmlrpc::Value;

use super::{Done, bare, exit, raised, tried};
use crate::commands::supervisorctl::session::{Session, Trouble};

pub(super) fn avail(session: &mut Session, argument: &str) -> Done {
    if !bare(session, "avail", argument)? {
        return Ok(());
    }
    let configs: Vec<ConfigInfo> = match tried(session.list("getAllConfigInfo", &[]))? {
        Ok(configs) => configs,
        Err(fault) => {
            session.status = exit::GENERIC;
            if fault.code == Fault::ShutdownState.code() {
                return session.say("ERROR: supervisor shutting down");
            }
            return Err(raised(fault));
        }
    };
    for config in configs {
        let name = config.namespec().to_string();
        let used = if config.inuse { "in use" } else { "avail" };
        let start = if config.autostart { "auto" } else { "manual" };
        let (group, process) = (config.group_prio, config.process_prio);
        session.say(&format!("{name:32} {used:9} {start:9} {group}:{process}"))?;
    }
    Ok(())
}

/// What reading the configuration again has changed: names of groups.
struct Changes {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
}

/// Reads `[[added, changed, removed]]`.
fn changes(value: &Value) -> Result<Changes, Trouble> {
    let bad = || BadAnswer("no three lists of groups".to_owned());
    let names = |value: &Value| match value {
        Value::Array(names) => names
            .iter()
            .map(|name| match name {
                Value::String(name) => Some(name.clone()),
                _ => None,
            })
            .collect::<Option<Vec<_>>>(),
        _ => None,
    };
    let Value::Array(outer) = value else { return Err(bad().into()) };
    let [Value::Array(lists)] = outer.as_slice() else { return Err(bad().into()) };
    let [added, changed, removed] = lists.as_slice() else { return Err(bad().into()) };
    let read = |list| names(list).ok_or_else(bad);
    Ok(Changes { added: read(added)?, changed: read(changed)?, removed: read(removed)? })
}

pub(super) fn reread(session: &mut Session, argument: &str) -> Done {
    if !bare(session, "reread", argument)? {
        return Ok(());
    }
    let changes = match tried(session.call("reloadConfig", &[]))? {
        Ok(value) => changes(&value)?,
        Err(fault) => {
            session.status = exit::GENERIC;
            return match Fault::from_code(fault.code) {
                Some(Fault::ShutdownState) => session.say("ERROR: supervisor shutting down"),
                Some(Fault::CantReread) => session.say(&format!("ERROR: {}", fault.text)),
                _ => Err(raised(fault)),
            };
        }
    };
    let lists =
        [(changes.added, "available"), (changes.changed, "changed"), (changes.removed, "disappeared")];
    let words: BTreeMap<String, &str> =
        lists.into_iter().flat_map(|(names, word)| names.into_iter().map(move |name| (name, word))).collect();
    if words.is_empty() {
        return session.say("No config updates to processes");
    }
    for (name, word) in words {
        session.say(&format!("{name}: {word}"))?;
    }
    Ok(())
}

pub(super) fn update(session: &mut Session, argument: &str) -> Done {
    let changes = match tried(session.call("reloadConfig", &[]))? {
        Ok(value) => changes(&value)?,
        Err(fault) => {
            session.status = exit::GENERIC;
            if fault.code == Fault::ShutdownState.code() {
                return session.say("ERROR: already shutting down");
            }
            return Err(raised(fault));
        }
    };
    let mut wanted: BTreeSet<&str> = argument.split_whitespace().collect();
    if wanted.contains("all") {
        wanted.clear();
    }
    if !wanted.is_empty() {
        complain_of_unknown(session, &wanted, &changes.added)?;
    }
    let is_wanted = |name: &String| wanted.is_empty() || wanted.contains(name.as_str());
    for group in changes.removed.iter().filter(|name| is_wanted(name)) {
        remove_old(session, group)?;
    }
    for group in changes.changed.iter().filter(|name| is_wanted(name)) {
        let name = [Value::from(group.as_str())];
        session.call("stopProcessGroup", &name)?;
        session.say(&format!("{group}: stopped"))?;
        session.call("removeProcessGroup", &name)?;
        session.call("addProcessGroup", &name)?;
        session.say(&format!("{group}: updated process group"))?;
    }
    for group in changes.added.iter().filter(|name| is_wanted(name)) {
        session.call("addProcessGroup", &[group.as_str().into()])?;
        session.say(&format!("{group}: added process group"))?;
    }
    Ok(())
}

/// Names that are neither groups now nor will be.
fn complain_of_unknown(session: &mut Session, wanted: &BTreeSet<&str>, added: &[String]) -> Done {
    let infos: Vec<ProcessInfo> = session.list("getAllProcessInfo", &[])?;
    let known: BTreeSet<&str> =
        infos.iter().map(|info| info.group.as_str()).chain(added.iter().map(String::as_str)).collect();
    for name in wanted.difference(&known) {
        session.say(&format!("ERROR: no such group: {name}"))?;
        session.status = exit::GENERIC;
    }
    Ok(())
}

/// Stops and removes a group that the configuration does not have any more.
fn remove_old(session: &mut Session, group: &str) -> Done {
    let results: Vec<ProcessStatus> = session.list("stopProcessGroup", &[group.into()])?;
    session.say(&format!("{group}: stopped"))?;
    if results.iter().any(|result| result.status == Fault::Failed.code()) {
        session.status = exit::GENERIC;
        return session.say(&format!("{group}: has problems; not removing"));
    }
    session.call("removeProcessGroup", &[group.into()])?;
    session.say(&format!("{group}: removed process group"))
}

pub(super) fn add(session: &mut Session, argument: &str) -> Done {
    for name in argument.split_whitespace() {
        let Err(fault) = tried(session.call("addProcessGroup", &[name.into()]))? else {
            session.say(&format!("{name}: added process group"))?;
            continue;
        };
        let message = match Fault::from_code(fault.code) {
            Some(Fault::AlreadyAdded) => {
                session.say("ERROR: process group already active")?;
                continue;
            }
            Some(Fault::ShutdownState) => "ERROR: shutting down".to_owned(),
            Some(Fault::BadName) => format!("ERROR: no such process/group: {name}"),
            _ => return Err(raised(fault)),
        };
        session.say(&message)?;
        session.status = exit::GENERIC;
    }
    Ok(())
}

pub(super) fn remove(session: &mut Session, argument: &str) -> Done {
    for name in argument.split_whitespace() {
        let Err(fault) = tried(session.call("removeProcessGroup", &[name.into()]))? else {
            session.say(&format!("{name}: removed process group"))?;
            continue;
        };
        session.status = exit::GENERIC;
        let message = match Fault::from_code(fault.code) {
            Some(Fault::StillRunning) => format!("ERROR: process/group still running: {name}"),
            Some(Fault::BadName) => format!("ERROR: no such process/group: {name}"),
            _ => return Err(raised(fault)),
        };
        session.say(&message)?;
    }
    Ok(())
}
