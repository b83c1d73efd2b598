//! Actions on processes: start, stop, restart, signal, clear.

use ganger_api::supervisor::{Fault, NameSpec, ProcessStatus};
use ganger_api::xmlrpc;

use super::{Done, Exception, exit, is_up, misused, raised, remember, tried};
use crate::commands::supervisorctl::session::{Session, Trouble};

/// An action, as far as it is like the others.
struct Effect {
    /// Its name.
    action: &'static str,
    /// What it has done where it worked.
    done: &'static str,
    /// The method for all, for a group and for one process.
    methods: [&'static str; 3],
    /// A fault that the exit status does not count.
    ignored: Option<Fault>,
    /// The words for the faults that may come of it; any other is unheard of.
    faults: &'static [(Fault, &'static str)],
}

const NO_SUCH_PROCESS: &str = "no such process";

const START: Effect = Effect {
    action: "start",
    done: "started",
    methods: ["startAllProcesses", "startProcessGroup", "startProcess"],
    ignored: Some(Fault::AlreadyStarted),
    faults: &[
        (Fault::BadName, NO_SUCH_PROCESS),
        (Fault::NoFile, "no such file"),
        (Fault::NotExecutable, "file is not executable"),
        (Fault::AlreadyStarted, "already started"),
        (Fault::SpawnError, "spawn error"),
        (Fault::AbnormalTermination, "abnormal termination"),
    ],
};

const SIGNAL_FAULTS: &[(Fault, &str)] = &[
    (Fault::BadName, NO_SUCH_PROCESS),
    (Fault::BadSignal, "bad signal name"),
    (Fault::NotRunning, "not running"),
    // The server's own words follow.
    (Fault::Failed, ""),
];

const STOP: Effect = Effect {
    action: "stop",
    done: "stopped",
    methods: ["stopAllProcesses", "stopProcessGroup", "stopProcess"],
    ignored: Some(Fault::NotRunning),
    faults: SIGNAL_FAULTS,
};

const SIGNAL: Effect = Effect {
    action: "signal",
    done: "signalled",
    methods: ["signalAllProcesses", "signalProcessGroup", "signalProcess"],
    ignored: None,
    faults: SIGNAL_FAULTS,
};

const CLEAR: Effect = Effect {
    action: "clear",
    done: "cleared",
    // There is none for a group: the server says of `group:*` that there is no such process.
    methods: ["clearAllProcessLogs", "clearProcessLogs", "clearProcessLogs"],
    ignored: None,
    faults: &[(Fault::BadName, NO_SUCH_PROCESS), (Fault::Failed, "failed")],
};

impl Effect {
    /// The line that tells of one process.
    fn line(&self, name: &str, code: i64, description: &str) -> Result<String, Trouble> {
        if code == Fault::Success.code() {
            return Ok(format!("{name}: {}", self.done));
        }
        let known = self.faults.iter().find(|(fault, _)| fault.code() == code);
        match known {
            Some((_, "")) => Ok(description.to_owned()),
            Some((_, words)) => Ok(format!("{name}: ERROR ({words})")),
            // supervisord has no users who may only look.
            None if code == Fault::NotPermitted.code() => Ok(format!("{name}: ERROR ({description})")),
            None => {
                let text = format!("Unknown result code {code} for {name}");
                Err(Trouble::Exception(Exception::new("ValueError", text)))
            }
        }
    }

    /// Does it to all, to groups or to processes; `signal` is a parameter behind the name.
    fn run(&self, session: &mut Session, names: &[&str], signal: Option<&str>) -> Done {
        let [all, of_group, of_process] = self.methods;
        let params = |name: Option<&str>| name.into_iter().chain(signal).map(Into::into).collect::<Vec<_>>();
        if names.contains(&"all") {
            let results = session.list(all, &params(None))?;
            return self.several(session, &results);
        }
        for name in names {
            let wanted = NameSpec::parse(name);
            if wanted.process.is_none() && of_group != of_process {
                match tried(session.list(of_group, &params(Some(&wanted.group))))? {
                    Ok(results) => self.several(session, &results)?,
                    Err(fault) => self.no_group(session, &wanted, fault)?,
                }
                continue;
            }
            let label = wanted.to_string();
            match tried(session.call(of_process, &params(Some(name))))? {
                Ok(_) => session.say(&self.line(&label, Fault::Success.code(), "")?)?,
                Err(fault) => {
                    let line = self.line(&label, fault.code, &fault.text)?;
                    session.say(&line)?;
                    remember(session, fault.code, self.ignored);
                }
            }
        }
        Ok(())
    }

    fn several(&self, session: &mut Session, results: &[ProcessStatus]) -> Done {
        for result in results {
            let name = NameSpec::of(&result.group, &result.name).to_string();
            let line = self.line(&name, result.status, &result.description)?;
            session.say(&line)?;
            remember(session, result.status, self.ignored);
        }
        Ok(())
    }

    fn no_group(&self, session: &mut Session, wanted: &NameSpec, fault: xmlrpc::Fault) -> Done {
        session.status = exit::GENERIC;
        if fault.code != Fault::BadName.code() {
            return Err(raised(fault));
        }
        if self.action == START.action {
            session.status = exit::INVALID_ARGUMENTS;
        }
        session.say(&format!("{}: ERROR (no such group)", wanted.group))
    }

    /// The names of the argument; none if there are none, which was told.
    fn named<'a>(&self, session: &mut Session, argument: &'a str) -> Result<Option<Vec<&'a str>>, Trouble> {
        let names: Vec<&str> = argument.split_whitespace().collect();
        if names.is_empty() {
            let status = if self.action == START.action { exit::INVALID_ARGUMENTS } else { exit::GENERIC };
            let message = format!("Error: {} requires a process name", self.action);
            misused(session, self.action, &message, status)?;
            return Ok(None);
        }
        Ok(Some(names))
    }

    fn act(&self, session: &mut Session, argument: &str) -> Done {
        if !is_up(session)? {
            return Ok(());
        }
        match self.named(session, argument)? {
            Some(names) => self.run(session, &names, None),
            None => Ok(()),
        }
    }
}

pub(super) fn start(session: &mut Session, argument: &str) -> Done {
    START.act(session, argument)
}

pub(super) fn stop(session: &mut Session, argument: &str) -> Done {
    STOP.act(session, argument)
}

pub(super) fn clear(session: &mut Session, argument: &str) -> Done {
    CLEAR.act(session, argument)
}

/// Stops all that are named, then starts all that are named.
pub(super) fn restart(session: &mut Session, argument: &str) -> Done {
    if !is_up(session)? {
        return Ok(());
    }
    if argument.is_empty() {
        return misused(session, "restart", "Error: restart requires a process name", exit::GENERIC);
    }
    STOP.act(session, argument)?;
    START.act(session, argument)
}

pub(super) fn signal(session: &mut Session, argument: &str) -> Done {
    if !is_up(session)? {
        return Ok(());
    }
    let words: Vec<&str> = argument.split_whitespace().collect();
    match words.as_slice() {
        [signal, names @ ..] if !names.is_empty() => SIGNAL.run(session, names, Some(signal)),
        _ => misused(
            session,
            "signal",
            "Error: signal requires a signal name and a process name",
            exit::GENERIC,
        ),
    }
}
