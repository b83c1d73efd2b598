//! What is answered.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use ganger_spec::WorkerName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{EndedRunInfo, GroupUsageInfo, LogLine, Operation, TerminalSize, Time, UsageInfo};

/// What is answered. On the wire each is its content alone; the request tells which it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Data {
    /// To [`crate::Request::App`].
    App(AppInfo),
    /// To [`crate::Request::Workers`].
    Workers(WorkersInfo),
    /// To start, stop, restart, signal and scale.
    Outcome(OutcomeInfo),
    /// To [`crate::Request::Reload`].
    Plan(PlanInfo),
    /// To [`crate::Request::Env`].
    Env(EnvInfo),
    /// To [`crate::Request::Ports`].
    Ports(PortsInfo),
    /// To [`crate::Request::Forwards`].
    Forwards(ForwardsInfo),
    /// To [`crate::Request::Why`].
    Why(WhyInfo),
    /// To [`crate::Request::Window`]: the same.
    Window(TerminalSize),
    /// An item of [`crate::Request::Logs`].
    LogLine(LogLine),
    /// An item of [`crate::Request::Events`].
    Event(EventInfo),
    /// To [`crate::Request::Quit`].
    Quit(QuitInfo),
    /// To [`crate::Request::Upgrade`].
    Upgrade(UpgradeInfo),
    /// To [`crate::Request::Apps`], and to adding and removing one.
    Apps(AppsInfo),
    /// To [`crate::Request::OpenApi`].
    OpenApi(serde_json::Value),
    /// To [`crate::Request::Version`].
    Version(VersionInfo),
}

impl Data {
    /// What these bytes say in answer to that operation; of a stream, one item.
    pub fn decode(operation: Operation, json: &[u8]) -> Result<Self, serde_json::Error> {
        use serde_json::from_slice;
        match operation {
            Operation::App => from_slice(json).map(Self::App),
            Operation::Workers => from_slice(json).map(Self::Workers),
            Operation::Start
            | Operation::Stop
            | Operation::Restart
            | Operation::Signal
            | Operation::Scale => from_slice(json).map(Self::Outcome),
            Operation::Reload => from_slice(json).map(Self::Plan),
            Operation::Env => from_slice(json).map(Self::Env),
            Operation::Ports => from_slice(json).map(Self::Ports),
            Operation::Forwards => from_slice(json).map(Self::Forwards),
            Operation::Why => from_slice(json).map(Self::Why),
            Operation::Window => from_slice(json).map(Self::Window),
            Operation::Logs => from_slice(json).map(Self::LogLine),
            Operation::Events => from_slice(json).map(Self::Event),
            Operation::Quit => from_slice(json).map(Self::Quit),
            Operation::Upgrade => from_slice(json).map(Self::Upgrade),
            Operation::Apps | Operation::AddApp | Operation::RemoveApp => from_slice(json).map(Self::Apps),
            Operation::OpenApi => from_slice(json).map(Self::OpenApi),
            Operation::Version => from_slice(json).map(Self::Version),
            Operation::Attach | Operation::View => {
                Err(serde::de::Error::custom("frames follow, and no document"))
            }
        }
    }
}

/// The state of a worker, by supervisord's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum WorkerState {
    /// Not running, as asked.
    Stopped,
    /// Started, not yet for as long as a healthy run takes.
    Starting,
    /// Up.
    Running,
    /// Ended too soon; waits for the next try.
    Backoff,
    /// Asked to end; its tree is not empty yet.
    Stopping,
    /// Ended by itself and not to be restarted.
    Exited,
    /// Given up.
    Fatal,
}

impl WorkerState {
    /// Its name, supervisord's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stopped => "STOPPED",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Backoff => "BACKOFF",
            Self::Stopping => "STOPPING",
            Self::Exited => "EXITED",
            Self::Fatal => "FATAL",
        }
    }
}

impl fmt::Display for WorkerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a worker is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WantedState {
    /// Running.
    Up,
    /// Not running.
    Down,
}

impl fmt::Display for WantedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}

/// One worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerInfo {
    /// `web.1`.
    #[schemars(with = "String")]
    pub name: WorkerName,
    /// `web`.
    pub group: String,
    /// `1`.
    pub number: u32,
    /// What it is.
    pub state: WorkerState,
    /// What it is to be.
    pub wanted: WantedState,
    /// Why it is so: a sentence.
    pub why: String,
    /// Whether it does its work: it passes its readiness probe, or is RUNNING where its group has none.
    #[serde(default)]
    pub ready: bool,
    /// Whether its latest run has a terminal of its own, or the next one is to have one.
    #[serde(default)]
    pub terminal: bool,
    /// Its main process, if it has a run.
    pub pid: Option<u32>,
    /// The number of its present run.
    pub run: Option<u64>,
    /// The port that it was given.
    pub port: Option<u16>,
    /// How long its present run has lasted, in milliseconds.
    pub uptime_ms: Option<u64>,
    /// When its present state began.
    pub since: Time,
    /// How often policy has restarted it.
    pub restarts: u64,
    /// How long until the next try, in milliseconds, in BACKOFF.
    pub retry_in_ms: Option<u64>,
    /// What its present run uses now; none if it has no run, or where nobody looked.
    pub usage: Option<UsageInfo>,
    /// How the last run ended: "exited with code 1".
    pub last_exit: Option<String>,
    /// What it runs.
    pub command: String,
}

/// Workers, in the order of their groups and numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkersInfo {
    /// The workers.
    pub workers: Vec<WorkerInfo>,
    /// What those of them that have a run use, by group.
    #[serde(default)]
    pub groups: Vec<GroupUsageInfo>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupInfo {
    /// Its name.
    pub name: String,
    /// How many workers are wanted.
    pub count: u32,
    /// How many are RUNNING.
    pub running: u32,
    /// What each worker runs.
    pub command: String,
    /// The port of its first worker.
    pub port: Option<u16>,
}

/// The app as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppInfo {
    /// Its name, for people.
    pub name: String,
    /// Its name on this machine: unique.
    pub id: String,
    /// Its directory.
    pub root: PathBuf,
    /// The parent of its workers.
    pub keeper_pid: u32,
    /// The process that decides.
    pub overseer_pid: u32,
    /// The version of ganger that oversees it.
    pub version: String,
    /// The number of the spec in force.
    pub release: u64,
    /// When the app was started.
    pub started: Time,
    /// Its groups, in order.
    pub groups: Vec<GroupInfo>,
    /// How many workers are in each state; states without workers are left out.
    pub workers: BTreeMap<WorkerState, u32>,
}

/// What a command came to for one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeKind {
    /// It is as asked.
    Done,
    /// It was so already.
    Unchanged,
    /// It could not be.
    Failed,
    /// A later command asked for something else first.
    Superseded,
}

/// What a command came to for one worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerOutcome {
    /// Which worker.
    #[schemars(with = "String")]
    pub name: WorkerName,
    /// What became of it.
    pub outcome: OutcomeKind,
    /// Why it failed, or what else is to say.
    pub message: Option<String>,
    /// Its state afterwards; none if it is no more.
    pub state: Option<WorkerState>,
    /// Its process afterwards.
    pub pid: Option<u32>,
}

/// The change of a group's count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupChange {
    /// Which group.
    pub name: String,
    /// Its count before.
    pub from: u32,
    /// Its count now.
    pub to: u32,
}

/// What a command came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeInfo {
    /// For each worker that it was about.
    pub workers: Vec<WorkerOutcome>,
    /// The groups that were scaled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupChange>,
}

/// What a reload changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanInfo {
    /// The changes, a sentence each; none if the files say what is in force.
    pub lines: Vec<String>,
    /// What is probably not meant so, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Whether this is only what would be done.
    pub dry_run: bool,
    /// The release in force afterwards.
    pub release: u64,
    /// What became of each worker that it was about; empty for a dry run.
    pub workers: Vec<WorkerOutcome>,
}

/// An environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvInfo {
    /// Whose it is: a worker, a group, or the app.
    pub name: String,
    /// In the order of their names.
    pub variables: Vec<VariableInfo>,
    /// The files that were looked for, in the order of rising precedence.
    pub sources: Vec<SourceInfo>,
}

/// A variable and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VariableInfo {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where it was said: `.env:3`, `ganger`, `the command line`, `the environment of ganger`.
    pub origin: String,
    /// What it would be if that were not there, the strongest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overridden: Vec<OverriddenInfo>,
}

/// A value that a stronger one hides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OverriddenInfo {
    /// The hidden value.
    pub value: String,
    /// Where it was said.
    pub origin: String,
}

/// A file that was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceInfo {
    /// Where.
    pub path: PathBuf,
    /// What for: `procfile`, `env`, `foreman`, `ganger-toml`, `supervisor`.
    pub kind: String,
    /// Whether it was there.
    pub found: bool,
}

/// The ports of all workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortsInfo {
    /// In the order of the workers.
    pub ports: Vec<PortInfo>,
}

/// The port of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortInfo {
    /// Which worker.
    #[schemars(with = "String")]
    pub worker: WorkerName,
    /// Its port; none if its group has none.
    pub port: Option<u16>,
    /// Why it is this one: a sentence.
    pub why: String,
    /// Who listens on it, if it is somebody else.
    pub holder: Option<HolderInfo>,
}

/// A process that holds a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HolderInfo {
    /// Its number; none if it belongs to another user.
    pub pid: Option<u32>,
    /// Its name, if it can be known.
    pub name: Option<String>,
}

/// Why a worker is as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WhyInfo {
    /// The worker.
    pub worker: WorkerInfo,
    /// Its last runs that have ended, the oldest first.
    #[serde(default)]
    pub runs: Vec<EndedRunInfo>,
    /// What happened to it lately, the oldest first.
    pub events: Vec<EventInfo>,
}

/// What is forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForwardsInfo {
    /// In the order of their names.
    pub forwards: Vec<ForwardInfo>,
}

/// A place that lines are sent to. Counts are those since the overseer started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForwardInfo {
    /// Its name.
    pub name: String,
    /// Where to: `journald:///PATH`, `syslog:///PATH`, `syslog+udp://HOST:PORT` or `syslog+tcp://HOST:PORT`.
    pub to: String,
    /// Only what these groups write; all if empty.
    pub groups: Vec<String>,
    /// Whether it takes lines.
    pub state: ForwardState,
    /// Why it takes none.
    pub why: Option<String>,
    /// Lines that were sent; one that is sent again counts again.
    pub sent_lines: u64,
    /// The bytes of all messages.
    pub sent_bytes: u64,
    /// Bytes of logs that are not sent yet.
    pub waiting_bytes: u64,
    /// Bytes of logs that the store removed before they were sent.
    pub dropped_bytes: u64,
}

/// Whether a place takes lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ForwardState {
    /// It does, as far as is known.
    Up,
    /// It does not; it is tried again.
    Failing,
}

impl fmt::Display for ForwardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Up => "up",
            Self::Failing => "failing",
        })
    }
}

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A worker is in another state.
    State,
    /// A run started.
    Started,
    /// A run could not be started.
    SpawnFailed,
    /// A run ended.
    Ended,
    /// A worker waits for what its group depends on.
    Waiting,
    /// A worker has become ready by its probe, or is not ready any more.
    Ready,
    /// A stop took too long: the tree is killed.
    Killing,
    /// Even a kill did not end it.
    Stuck,
    /// A new release is in force.
    Released,
    /// A group has another count.
    Scaled,
    /// Everything stops.
    ShuttingDown,
    /// Somebody holds the port of a worker.
    PortHeld,
    /// Something that people should know.
    Notice,
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::State => "state",
            Self::Started => "started",
            Self::SpawnFailed => "spawn_failed",
            Self::Ended => "ended",
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Killing => "killing",
            Self::Stuck => "stuck",
            Self::Released => "released",
            Self::Scaled => "scaled",
            Self::ShuttingDown => "shutting_down",
            Self::PortHeld => "port_held",
            Self::Notice => "notice",
        })
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventInfo {
    /// Its number, from 1; rises by one with each event. It is the id of the item in a stream.
    pub seq: u64,
    /// When.
    pub time: Time,
    /// What kind of event.
    pub kind: EventKind,
    /// The worker that it is about.
    #[schemars(with = "Option<String>")]
    pub worker: Option<WorkerName>,
    /// What happened: a sentence for people.
    pub text: String,
    /// The same for programs; its keys depend on `kind`.
    #[serde(default)]
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// The end of the app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuitInfo {
    /// How many workers were stopped.
    pub stopped: u32,
    /// Those whose processes had to be killed.
    #[schemars(with = "Vec<String>")]
    pub killed: Vec<WorkerName>,
}

/// Another program is in place of the one that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpgradeInfo {
    /// The version before.
    pub from: String,
    /// The version that runs now.
    pub to: String,
    /// Its file.
    pub program: PathBuf,
    /// The keeper's process: the same as before, unless the new program ended at once and another took its place.
    pub keeper_pid: u32,
}

/// How an app of a daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AppState {
    /// It is overseen.
    Running,
    /// It could not be started.
    Failed,
    /// It was asked to quit; the next start of the daemon starts it again.
    Ended,
    /// The daemon does not run.
    Waiting,
}

impl fmt::Display for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Ended => "ended",
            Self::Waiting => "waiting",
        })
    }
}

/// An app of a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddedApp {
    /// `app/deployment`.
    pub name: String,
    /// Its directory.
    pub root: PathBuf,
    /// How it is.
    pub state: AppState,
    /// Why it is so: a sentence.
    pub why: String,
}

/// The apps of a daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppsInfo {
    /// In the order of their names.
    pub apps: Vec<AddedApp>,
}

/// The versions of the program and the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionInfo {
    /// The program's.
    pub version: String,
    /// The API's.
    pub api: String,
}
