//! What a file of supervisord's says of syslog: a forwarder that sends lines in supervisord's words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::daemon::Daemon;
use super::each::Each;
use super::value::{Value, Wrong};
use crate::forward::target;
use crate::{Facility, Forward, Group, LogName, SyslogFormat, SyslogSocket, Target, WorkerName};

/// The name of the forwarder.
const NAME: &str = "syslog of supervisord.conf";

/// What of a group's output is sent to syslog, each line behind the name of its process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyslogOf {
    /// What it writes to stdout, and to stderr where that goes the same way.
    pub out: bool,
    /// What it writes to stderr.
    pub err: bool,
    /// What its processes are called.
    each: Each,
}

impl Forward {
    /// What supervisord calls the process that a log is of; none where lines are sent in ganger's own form.
    pub fn process(&self, log: &LogName) -> Option<String> {
        let LogName { worker: WorkerName { group, number }, .. } = log;
        let name = self.supervisor.as_ref()?.get(group)?.each.name(*number);
        Some(name.unwrap_or_else(|| log.worker.to_string()))
    }
}

/// Where syslog is that nobody says otherwise of.
pub(crate) fn local() -> Target {
    Target::Syslog {
        at: SyslogSocket::Unix("/dev/log".into()),
        format: SyslogFormat::Rfc3164,
        facility: Facility::User,
    }
}

/// The place that `syslog` names.
pub(crate) fn place(text: &str) -> Value<Target> {
    let facility = (!text.starts_with("journald")).then_some(Facility::User);
    target(text, None, facility).map_err(|(message, hint)| Wrong { message, hint })
}

/// The forwarder that the programs ask for.
pub(crate) fn forward(daemon: &Daemon, groups: &[Group]) -> Option<Forward> {
    let of = |group: &Group| {
        // The output of an event listener is its protocol, and supervisord sends none of it.
        let own = group.supervisor.as_ref().filter(|own| own.listener.is_none())?;
        let (out, err) = (own.stdout.syslog, own.stderr.syslog && !own.redirect_stderr);
        (out || err).then(|| (group.name.clone(), SyslogOf { out, err, each: group.each.clone() }))
    };
    let sent: BTreeMap<String, SyslogOf> = groups.iter().filter_map(of).collect();
    (!sent.is_empty()).then(|| Forward {
        name: NAME.to_owned(),
        to: daemon.syslog.clone(),
        groups: Vec::new(),
        supervisor: Some(sent),
    })
}
