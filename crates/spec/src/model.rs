//! The one model: what should run, parsed and checked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::policy::STOP_TIMEOUT;
use crate::{Condition, Daemon, Each, FileWatch, Forward, Logs, Overmind, Probe, Signal, SupervisorGroup};

/// What should run of one app. One numbered version of it is a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The app's name, for people; not unique on a machine.
    pub app: String,
    /// The app's directory: workers start here unless their group says otherwise. Absolute.
    pub root: PathBuf,
    /// Files that were looked for, in the order of rising precedence.
    pub sources: Vec<Source>,
    /// Variables of every worker, in the order of rising precedence; the last of a name counts.
    pub env: Vec<Variable>,
    /// In the order of their position, which numbers their ports.
    pub groups: Vec<Group>,
    /// All logs of the app together take at most so many bytes.
    #[serde(default)]
    pub logs_max_total: Option<u64>,
    /// Where lines are sent to, beside the store.
    #[serde(default)]
    pub forwards: Vec<Forward>,
    /// What a file of supervisord's says of supervisord itself.
    #[serde(default)]
    pub supervisor: Option<Box<Daemon>>,
    /// What clients of Overmind's know of it, where it was started by that name.
    #[serde(default)]
    pub overmind: Option<Box<Overmind>>,
}

/// A file that was looked for while a spec was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Where it was looked for.
    pub path: PathBuf,
    /// What it was taken for.
    pub kind: SourceKind,
    /// Whether it was there.
    pub found: bool,
}

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// Foreman's and Overmind's list of commands.
    Procfile,
    /// Variables.
    Env,
    /// Foreman's defaults for the command line (`.foreman`).
    Foreman,
    /// The native form.
    GangerToml,
    /// A file of supervisord's, or one that it includes.
    Supervisor,
}

/// One environment variable and where it was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name: no `=`, no NUL.
    pub name: String,
    /// Its value after quotes and expansion: no NUL.
    pub value: String,
    /// Where it was said, for `ganger env --explain`.
    pub origin: Origin,
}

/// Where a variable comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A line of a file.
    File {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: u32,
    },
    /// Set by ganger for each worker: `PORT`, `PS`, `GANGER_WORKER`.
    Ganger,
    /// Given on the command line.
    CommandLine,
    /// Inherited from the shell that started ganger.
    Shell,
}

/// A named command with a count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Letters, digits, `_`, `-` and inner `.`; unique in its spec, not `all`, not ending like a worker (`web.1`).
    pub name: String,
    /// What each worker of it runs.
    pub command: Command,
    /// How many workers are wanted; 0 means declared but not started.
    pub count: u32,
    /// Which port its workers get.
    pub port: Port,
    /// From the port of one of its workers to that of the next.
    #[serde(default = "usual_port_step")]
    pub port_step: u32,
    /// Variables beside the app's, in the order of rising precedence.
    pub env: Vec<Variable>,
    /// Where its workers start. Absolute.
    pub dir: PathBuf,
    /// The user to run as, by name or number; none means ganger's own.
    pub user: Option<String>,
    /// The user group to run as; none means the user's own.
    pub group: Option<String>,
    /// The file mode mask; none means ganger's own.
    pub umask: Option<u32>,
    /// Resource limits of each run.
    pub limits: BTreeMap<Limit, LimitValue>,
    /// When and how soon a worker that ended is started again.
    pub restart: Restart,
    /// What an exit code means, before `restart.mode` is asked.
    pub exits: BTreeMap<u8, OnExit>,
    /// What happens to the app when a worker ends for good.
    pub on_end: OnEnd,
    /// What happens to the app when a worker is given up, wherever it runs.
    #[serde(default)]
    pub on_fatal: OnFatal,
    /// How a worker is stopped.
    pub stop: Stop,
    /// How a worker's output is kept.
    #[serde(default)]
    pub logs: Logs,
    /// Its place among the groups of its family: those of a lower one start first.
    #[serde(default = "usual_priority")]
    pub priority: i32,
    /// The groups that it starts and stops with; none means that it is a family of its own.
    #[serde(default)]
    pub family: Option<Family>,
    /// Whether its workers start with the app. If not, they are declared, and down until a command starts them.
    #[serde(default = "yes")]
    pub autostart: bool,
    /// What a worker reads from its standard input.
    #[serde(default)]
    pub stdin: Stdin,
    /// How it is found out whether a worker is ready; none means that it is when it is up.
    #[serde(default)]
    pub readiness: Option<Probe>,
    /// How it is found out whether a worker is still all right: who is not is started anew.
    #[serde(default)]
    pub liveness: Option<Probe>,
    /// The groups that must have come so far before a worker is started.
    #[serde(default)]
    pub depends_on: BTreeMap<String, Condition>,
    /// A worker that takes more memory than so many bytes, with its whole tree, is started anew.
    #[serde(default)]
    pub max_memory: Option<u64>,
    /// The files whose changes restart its workers.
    #[serde(default)]
    pub watch: Option<FileWatch>,
    /// Whether each worker has a terminal of its own, for its input and its output.
    #[serde(default)]
    pub tty: bool,
    /// What differs from worker to worker: [`Spec::worker`] tells it. Where it says nothing, all are as this group says.
    #[serde(default)]
    pub each: Each,
    /// What only supervisord's surfaces know of it.
    #[serde(default)]
    pub supervisor: Option<Box<SupervisorGroup>>,
}

/// The port step of a group where nothing is said.
pub const USUAL_PORT_STEP: u32 = 1;
/// The priority of a group and of a family where nothing is said.
pub const USUAL_PRIORITY: i32 = 999;

fn usual_port_step() -> u32 {
    USUAL_PORT_STEP
}

fn usual_priority() -> i32 {
    USUAL_PRIORITY
}

fn yes() -> bool {
    true
}

impl Group {
    /// A group of one worker that is never started again, of which nothing else is said.
    pub fn new(name: impl Into<String>, command: Command, dir: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            command,
            count: 1,
            port: Port::None,
            port_step: USUAL_PORT_STEP,
            env: Vec::new(),
            dir: dir.into(),
            user: None,
            group: None,
            umask: None,
            limits: BTreeMap::new(),
            restart: Restart {
                mode: RestartMode::Never,
                startsecs: Duration::ZERO,
                backoff: Backoff::default(),
                budget: None,
                attempts: None,
                early: Early::Judge,
            },
            exits: BTreeMap::new(),
            on_end: OnEnd::Stay,
            on_fatal: OnFatal::Stay,
            stop: Stop { signal: Signal::TERM, timeout: STOP_TIMEOUT, scope: StopScope::Tree },
            logs: Logs::default(),
            priority: USUAL_PRIORITY,
            family: None,
            autostart: true,
            stdin: Stdin::Null,
            readiness: None,
            liveness: None,
            depends_on: BTreeMap::new(),
            max_memory: None,
            watch: None,
            tty: false,
            each: Each::default(),
            supervisor: None,
        }
    }

    /// Whether a change of files starts its workers anew.
    pub fn is_refreshed(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.signal.is_none())
    }

    /// What sets its directory, as its file has it.
    pub fn directory_key(&self) -> String {
        let Some(program) = &self.supervisor else {
            return format!("`dir` of [groups.{}] in ganger.toml", self.name);
        };
        let kind = match (&program.listener, &program.socket) {
            (Some(_), _) => "eventlistener",
            (None, Some(_)) => "fcgi-program",
            (None, None) => "program",
        };
        format!("`directory` of [{kind}:{}]", program.program)
    }

    /// The name of its family: its own, where it has none.
    pub fn family_name(&self) -> &str {
        self.family.as_ref().map_or(&self.name, |family| &family.name)
    }

    /// The priority of its family: its own, where it has none. The app stops in waves, those of the highest first.
    pub fn family_priority(&self) -> i32 {
        self.family.as_ref().map_or(self.priority, |family| family.priority)
    }
}

impl Spec {
    /// The places of the groups in the order in which they start: families by priority, and in each of them groups by
    /// theirs; where that does not tell, as they are written.
    pub fn start_order(&self) -> Vec<usize> {
        let mut firsts: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, group) in self.groups.iter().enumerate() {
            firsts.entry(group.family_name()).or_insert(place);
        }
        let rank = |place: &usize| {
            let group = &self.groups[*place];
            (group.family_priority(), firsts.get(group.family_name()).copied(), group.priority, *place)
        };
        let mut places: Vec<usize> = (0..self.groups.len()).collect();
        places.sort_by_key(rank);
        places
    }
}

/// Groups that start and stop together: supervisord's process group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// Families of a lower one start first and stop last.
    pub priority: i32,
}

/// What a worker reads from its standard input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stdin {
    /// Nothing: `/dev/null`.
    #[default]
    Null,
    /// What commands send: a pipe that stays open as long as its worker runs.
    Pipe,
}

/// What a worker runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// A line for the shell; run without one where the line needs none.
    Line(String),
    /// A program and its arguments.
    Words(Vec<String>),
}

/// The port rule of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Port {
    /// The port of worker 1, numbered by position; worker n gets n - 1 steps more. A group far down a long file has one
    /// beyond the last port; it can be declared, but not run.
    Auto(u32),
    /// The port of worker 1 as the group fixed it; worker n gets n - 1 steps more.
    Fixed(u16),
    /// No `PORT` is set.
    None,
}

/// A resource that a run may be limited in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Open file descriptors.
    OpenFiles,
    /// Processes of the user.
    Processes,
    /// Bytes of a core dump.
    Core,
    /// Bytes of address space.
    AddressSpace,
    /// Seconds of CPU time.
    CpuSeconds,
    /// Bytes of the largest file written.
    FileSize,
    /// Bytes of locked memory.
    LockedMemory,
    /// Bytes of stack.
    Stack,
}

/// A soft and a hard limit; none means unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitValue {
    /// What the run starts with.
    pub soft: Option<u64>,
    /// What it may raise it to.
    pub hard: Option<u64>,
}

/// When a worker that ended is started again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// Which ends are followed by a restart.
    pub mode: RestartMode,
    /// A run that lived this long was healthy: its end is followed by a restart at once and the back-off starts
    /// anew. Until then a worker is STARTING.
    pub startsecs: Duration,
    /// The delay before the next restart, while runs end before they were healthy.
    pub backoff: Backoff,
    /// How many restarts are allowed; none means without bound.
    pub budget: Option<Budget>,
    /// So many starts in a row that fail make the worker FATAL; none means without bound.
    #[serde(default)]
    pub attempts: Option<u32>,
    /// What follows an end before the run was healthy, or a start that came to nothing.
    #[serde(default)]
    pub early: Early,
}

/// What follows a start that failed: a run that ended before it was healthy, or that could not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Early {
    /// What `exits` and the mode say, as after any end.
    #[default]
    Judge,
    /// Another start, whatever they say.
    Retry,
}

/// Which ends are followed by a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RestartMode {
    /// Every end.
    Always,
    /// A non-zero exit code or a signal.
    OnFailure,
    /// None.
    Never,
}

/// A growing delay: `initial`, `initial * factor + step`, … up to `max`, each varied by up to `jitter` of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// The first delay.
    pub initial: Duration,
    /// What each delay is multiplied by, in thousandths: 2000 doubles.
    pub factor_permille: u32,
    /// What is added to each delay.
    #[serde(default)]
    pub step: Duration,
    /// The longest delay.
    pub max: Duration,
    /// The part of a delay that chance may add or take, in thousandths.
    pub jitter_permille: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(500),
            factor_permille: 2000,
            step: Duration::ZERO,
            max: Duration::from_secs(30),
            jitter_permille: 100,
        }
    }
}

/// At most `restarts` restarts in any time of the length `within`; the next one makes the worker FATAL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// How many.
    pub restarts: u32,
    /// In how long.
    pub within: Duration,
}

/// What an exit code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnExit {
    /// The worker is done.
    Stop,
    /// The worker is started again, whatever the mode.
    Restart,
    /// The worker failed for good.
    Fatal,
}

/// What happens to the app when a worker ends and is not started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnEnd {
    /// The whole app stops and takes this worker's exit status (Foreman's rule).
    Shutdown,
    /// The same, if the worker failed: it was given up, or its status is not 0 and no `exits` calls it done.
    Failure,
    /// The others go on.
    Stay,
}

/// What happens to the app when a worker is given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFatal {
    /// What `on_end` says.
    #[default]
    Stay,
    /// The whole app stops and takes this worker's exit status.
    Shutdown,
}

/// How a worker is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// What asks a run to end.
    pub signal: Signal,
    /// After this the whole tree is killed.
    pub timeout: Duration,
    /// Who of the run gets the signal.
    #[serde(default)]
    pub scope: StopScope,
}

/// Who of a run gets the stop signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StopScope {
    /// Its whole tree of processes.
    #[default]
    Tree,
    /// The main process; what is left of the tree when that has ended gets the signal then.
    Main,
}

/// One slot of a group, `web.1`. Numbers count from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct WorkerName {
    /// Its group's name.
    pub group: String,
    /// Its number in the group, from 1.
    pub number: u32,
}

impl WorkerName {
    /// Worker `number` of `group`.
    pub fn new(group: impl Into<String>, number: u32) -> Self {
        Self { group: group.into(), number }
    }
}

impl fmt::Display for WorkerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.group, self.number)
    }
}

/// A word that is no worker's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a worker name (GROUP.NUMBER)")]
pub struct BadWorkerName(pub String);

impl TryFrom<String> for WorkerName {
    type Error = BadWorkerName;

    fn try_from(text: String) -> Result<Self, BadWorkerName> {
        match text.rsplit_once('.').map(|(group, number)| (group, number.parse())) {
            Some((group, Ok(number))) if !group.is_empty() && number > 0 => Ok(Self::new(group, number)),
            _ => Err(BadWorkerName(text)),
        }
    }
}

impl Serialize for WorkerName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A log of a worker: `web.1`, or `web.1.err` for a stderr that is kept apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogName {
    /// Whose output it is.
    pub worker: WorkerName,
    /// It holds stderr alone.
    pub is_err: bool,
}

/// What the name of a log ends in that holds stderr alone.
const ERR: &str = ".err";

impl LogName {
    /// The log that holds this worker's stderr alone.
    pub fn err(worker: &WorkerName) -> Self {
        Self { worker: worker.clone(), is_err: true }
    }
}

impl From<WorkerName> for LogName {
    fn from(worker: WorkerName) -> Self {
        Self { worker, is_err: false }
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.worker, if self.is_err { ERR } else { "" })
    }
}

impl TryFrom<String> for LogName {
    type Error = BadWorkerName;

    fn try_from(text: String) -> Result<Self, BadWorkerName> {
        let (worker, is_err) = match text.strip_suffix(ERR) {
            Some(worker) => (worker.to_owned(), true),
            None => (text, false),
        };
        WorkerName::try_from(worker).map(|worker| Self { worker, is_err })
    }
}

impl From<LogName> for String {
    fn from(name: LogName) -> Self {
        name.to_string()
    }
}
