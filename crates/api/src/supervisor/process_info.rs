//! What there is to know about a process.

use super::fields::{Fields, structure};
use super::{BadAnswer, Fault, NameSpec, ProcessState};
use crate::xmlrpc::Value;

/// `getProcessInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Its name, without that of the group.
    pub name: String,
    /// Its group.
    pub group: String,
    /// When it was started last, in seconds since 1970; 0 if never.
    pub start: i64,
    /// When it ended last; 0 if never.
    pub stop: i64,
    /// When this was written.
    pub now: i64,
    /// Its state, also by name on the wire.
    pub state: ProcessState,
    /// Why it could not be started; empty if it could.
    pub spawnerr: String,
    /// The status with which it ended, -1 if by a signal; 0 if never.
    pub exitstatus: i64,
    /// Its log, on the wire also as `logfile`; empty if it has none.
    pub stdout_logfile: String,
    /// Its log of errors.
    pub stderr_logfile: String,
    /// Its PID; 0 if it does not run.
    pub pid: i64,
    /// A word for people, such as `pid 7, uptime 0:00:09`.
    pub description: String,
}

impl ProcessInfo {
    /// Its shortest full name.
    pub fn namespec(&self) -> NameSpec {
        NameSpec::of(&self.group, &self.name)
    }
}

/// What the wire can hold: until 2038 that is any time.
fn capped(value: i64) -> Value {
    Value::Int(value.clamp(i64::from(i32::MIN), i64::from(i32::MAX)))
}

impl From<ProcessInfo> for Value {
    fn from(info: ProcessInfo) -> Self {
        structure([
            ("name", info.name.into()),
            ("group", info.group.into()),
            ("start", capped(info.start)),
            ("stop", capped(info.stop)),
            ("now", capped(info.now)),
            ("state", info.state.code().into()),
            ("statename", info.state.name().into()),
            ("spawnerr", info.spawnerr.into()),
            ("exitstatus", info.exitstatus.into()),
            ("logfile", info.stdout_logfile.clone().into()),
            ("stdout_logfile", info.stdout_logfile.into()),
            ("stderr_logfile", info.stderr_logfile.into()),
            ("pid", info.pid.into()),
            ("description", info.description.into()),
        ])
    }
}

impl TryFrom<&Value> for ProcessInfo {
    type Error = BadAnswer;

    fn try_from(value: &Value) -> Result<Self, BadAnswer> {
        let fields = Fields::of(value)?;
        let state = fields.int("state")?;
        let unknown = || BadAnswer(format!("{state} is no state of a process"));
        Ok(Self {
            name: fields.string("name")?,
            group: fields.string("group")?,
            start: fields.int("start")?,
            stop: fields.int("stop")?,
            now: fields.int("now")?,
            state: ProcessState::from_code(state).ok_or_else(unknown)?,
            spawnerr: fields.string("spawnerr")?,
            exitstatus: fields.int("exitstatus")?,
            stdout_logfile: fields.string("stdout_logfile")?,
            stderr_logfile: fields.string("stderr_logfile")?,
            pid: fields.int("pid")?,
            description: fields.string("description")?,
        })
    }
}

/// What came of an effect on one of several processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessStatus {
    /// Its name, without that of the group.
    pub name: String,
    /// Its group.
    pub group: String,
    /// The code of [`Fault::Success`] or of the fault.
    pub status: i64,
    /// `OK`, or the fault's text.
    pub description: String,
}

impl ProcessStatus {
    /// It worked, or it did not.
    pub fn new(
        group: impl Into<String>,
        name: impl Into<String>,
        result: Result<(), super::RpcError>,
    ) -> Self {
        let (status, description) = match result {
            Ok(()) => (Fault::Success.code(), "OK".to_owned()),
            Err(error) => (error.fault.code(), error.text()),
        };
        Self { name: name.into(), group: group.into(), status, description }
    }
}

impl From<ProcessStatus> for Value {
    fn from(status: ProcessStatus) -> Self {
        structure([
            ("name", status.name.into()),
            ("group", status.group.into()),
            ("status", status.status.into()),
            ("description", status.description.into()),
        ])
    }
}

impl TryFrom<&Value> for ProcessStatus {
    type Error = BadAnswer;

    fn try_from(value: &Value) -> Result<Self, BadAnswer> {
        let fields = Fields::of(value)?;
        Ok(Self {
            name: fields.string("name")?,
            group: fields.string("group")?,
            status: fields.int("status")?,
            description: fields.string("description")?,
        })
    }
}
