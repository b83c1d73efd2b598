//! What there is to know about the configuration of a process.

use super::fields::{Fields, structure, wrong};
use super::{BadAnswer, NameSpec};
use crate::xmlrpc::Value;

/// A setting that may be left out or left to the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting<T> {
    /// `none`.
    None,
    /// `auto`.
    Auto,
    /// What it is.
    Is(T),
}

impl<T: Into<Value>> From<Setting<T>> for Value {
    fn from(setting: Setting<T>) -> Self {
        match setting {
            Setting::None => "none".into(),
            Setting::Auto => "auto".into(),
            Setting::Is(value) => value.into(),
        }
    }
}

impl<T> Setting<T> {
    fn read(value: &Value, is: impl Fn(&Value) -> Option<T>) -> Option<Self> {
        match value {
            Value::String(text) if text == "none" => Some(Self::None),
            Value::String(text) if text == "auto" => Some(Self::Auto),
            other => is(other).map(Self::Is),
        }
    }
}

/// What becomes of one stream of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The most bytes of a `PROCESS_COMMUNICATION` event; 0 for none.
    pub capture_maxbytes: i64,
    /// Whether each piece of output is an event.
    pub events_enabled: bool,
    /// Where it is kept.
    pub logfile: Setting<String>,
    /// So many old files are kept.
    pub logfile_backups: i64,
    /// So long a file may be.
    pub logfile_maxbytes: i64,
    /// Whether it goes to syslog too.
    pub syslog: bool,
}

/// One entry of `getAllConfigInfo`.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of the file")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigInfo {
    /// Its name, without that of the group.
    pub name: String,
    /// Its group.
    pub group: String,
    /// Whether the group is active, or only in the file.
    pub inuse: bool,
    /// Whether it is started with the daemon.
    pub autostart: bool,
    /// Its command, as written.
    pub command: String,
    /// Its working directory.
    pub directory: Setting<String>,
    /// The user that it runs as.
    pub uid: Setting<i64>,
    /// The statuses that are expected.
    pub exitcodes: Vec<i64>,
    /// The group's priority.
    pub group_prio: i64,
    /// Its priority in the group.
    pub process_prio: i64,
    /// Whether `SIGKILL` goes to its process group.
    pub killasgroup: bool,
    /// Whether its errors go where its output goes.
    pub redirect_stderr: bool,
    /// So often it is tried once more.
    pub startretries: i64,
    /// So many seconds it must stay up.
    pub startsecs: i64,
    /// The number of the signal that ends it.
    pub stopsignal: i64,
    /// So many seconds it has to end.
    pub stopwaitsecs: i64,
    /// Its output.
    pub stdout: LogConfig,
    /// Its errors.
    pub stderr: LogConfig,
    /// What `SUPERVISOR_SERVER_URL` says.
    pub serverurl: Setting<String>,
}

impl ConfigInfo {
    /// Its shortest full name.
    pub fn namespec(&self) -> NameSpec {
        NameSpec::of(&self.group, &self.name)
    }
}

impl From<ConfigInfo> for Value {
    fn from(info: ConfigInfo) -> Self {
        let ConfigInfo { stdout, stderr, .. } = info;
        structure([
            ("autostart", info.autostart.into()),
            ("directory", info.directory.into()),
            ("uid", info.uid.into()),
            ("command", info.command.into()),
            ("exitcodes", info.exitcodes.into()),
            ("group", info.group.into()),
            ("group_prio", info.group_prio.into()),
            ("inuse", info.inuse.into()),
            ("killasgroup", info.killasgroup.into()),
            ("name", info.name.into()),
            ("process_prio", info.process_prio.into()),
            ("redirect_stderr", info.redirect_stderr.into()),
            ("startretries", info.startretries.into()),
            ("startsecs", info.startsecs.into()),
            ("stdout_capture_maxbytes", stdout.capture_maxbytes.into()),
            ("stdout_events_enabled", stdout.events_enabled.into()),
            ("stdout_logfile", stdout.logfile.into()),
            ("stdout_logfile_backups", stdout.logfile_backups.into()),
            ("stdout_logfile_maxbytes", stdout.logfile_maxbytes.into()),
            ("stdout_syslog", stdout.syslog.into()),
            ("stopsignal", info.stopsignal.into()),
            ("stopwaitsecs", info.stopwaitsecs.into()),
            ("stderr_capture_maxbytes", stderr.capture_maxbytes.into()),
            ("stderr_events_enabled", stderr.events_enabled.into()),
            ("stderr_logfile", stderr.logfile.into()),
            ("stderr_logfile_backups", stderr.logfile_backups.into()),
            ("stderr_logfile_maxbytes", stderr.logfile_maxbytes.into()),
            ("stderr_syslog", stderr.syslog.into()),
            ("serverurl", info.serverurl.into()),
        ])
    }
}

impl TryFrom<&Value> for ConfigInfo {
    type Error = BadAnswer;

    fn try_from(value: &Value) -> Result<Self, BadAnswer> {
        let fields = Fields::of(value)?;
        Ok(Self {
            name: fields.string("name")?,
            group: fields.string("group")?,
            inuse: fields.bool("inuse")?,
            autostart: fields.bool("autostart")?,
            command: fields.string("command")?,
            directory: text(fields, "directory")?,
            uid: number(fields, "uid")?,
            exitcodes: numbers(fields, "exitcodes")?,
            group_prio: fields.int("group_prio")?,
            process_prio: fields.int("process_prio")?,
            killasgroup: fields.bool("killasgroup")?,
            redirect_stderr: fields.bool("redirect_stderr")?,
            startretries: fields.int("startretries")?,
            startsecs: fields.int("startsecs")?,
            stopsignal: fields.int("stopsignal")?,
            stopwaitsecs: fields.int("stopwaitsecs")?,
            stdout: log(fields, "stdout")?,
            stderr: log(fields, "stderr")?,
            serverurl: text(fields, "serverurl")?,
        })
    }
}

fn log(fields: Fields<'_>, stream: &str) -> Result<LogConfig, BadAnswer> {
    let name = |field: &str| format!("{stream}_{field}");
    Ok(LogConfig {
        capture_maxbytes: fields.int(&name("capture_maxbytes"))?,
        events_enabled: fields.bool(&name("events_enabled"))?,
        logfile: text(fields, &name("logfile"))?,
        logfile_backups: fields.int(&name("logfile_backups"))?,
        logfile_maxbytes: fields.int(&name("logfile_maxbytes"))?,
        syslog: fields.bool(&name("syslog"))?,
    })
}

fn text(fields: Fields<'_>, name: &str) -> Result<Setting<String>, BadAnswer> {
    let value = fields.value(name)?;
    let is = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        _ => None,
    };
    Setting::read(value, is).ok_or_else(|| wrong(name, value, "a string"))
}

fn number(fields: Fields<'_>, name: &str) -> Result<Setting<i64>, BadAnswer> {
    let value = fields.value(name)?;
    Setting::read(value, int).ok_or_else(|| wrong(name, value, "an int"))
}

fn numbers(fields: Fields<'_>, name: &str) -> Result<Vec<i64>, BadAnswer> {
    let value = fields.value(name)?;
    let numbers = match value {
        Value::Array(values) => values.iter().map(int).collect(),
        _ => None,
    };
    numbers.ok_or_else(|| wrong(name, value, "an array of ints"))
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}
