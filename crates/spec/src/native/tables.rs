//! The tables of `ganger.toml`. Their doc comments are the reference: schema and page are made of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::values::{
    CommandValue, DependsValue, DurationValue, EnvValue, ExitsValue, LimitPair, LogFileValue, PortRule,
    SizeValue, TcpValue, Umask, WatchValue,
};
use crate::{Early, Facility, OnEnd, OnFatal, RestartMode, Signal, Stderr, Stdin, StopScope, SyslogFormat};

/// Variables by name.
pub(crate) type EnvTable = BTreeMap<Spanned<String>, EnvValue>;

/// What should run of one app. A `Procfile` beside this file is read first: its groups come first, and a table
/// `[groups.NAME]` here refines the group of that name or adds one. Relative paths are relative to this file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "ganger.toml", rename = "File")]
pub(crate) struct AppTable {
    /// The app's name, for people. Default: the name of its directory.
    pub(crate) app: Option<String>,
    /// Variables of every worker. Values are taken as they are, without expansion. Env files win over them.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, EnvValue>>")]
    pub(crate) env: EnvTable,
    /// Env files instead of `.env`; a later one wins over an earlier one. Each of them must exist. The command
    /// line's `-e` replaces them.
    #[schemars(with = "Option<Vec<PathBuf>>")]
    pub(crate) env_files: Option<Spanned<Vec<PathBuf>>>,
    /// The base of the ports: the first group's first worker has it. The command line's `-p` and `PORT` in an env
    /// file win over it. Default: `PORT` of the shell, else 5000.
    #[schemars(with = "Option<u16>")]
    pub(crate) port: Option<Spanned<u16>>,
    /// The Procfile to read first. Default: `Procfile` beside this file, if there is one.
    #[schemars(with = "Option<PathBuf>")]
    pub(crate) procfile: Option<Spanned<PathBuf>>,
    /// The groups, by name, in the order of this file, which numbers their ports. A name has letters, digits, `_` and
    /// `-`, and dots inside.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, GroupTable>>")]
    pub(crate) groups: BTreeMap<Spanned<String>, GroupTable>,
    /// How output is kept, of groups that do not say otherwise.
    #[schemars(with = "Option<LogsTable>")]
    pub(crate) logs: Option<Spanned<LogsTable>>,
    /// Where lines are sent to, beside the store; at most 16. The command line's `--forward` adds to them.
    #[serde(default)]
    #[schemars(with = "Option<Vec<ForwardTable>>")]
    pub(crate) forward: Vec<ForwardTable>,
}

/// A place that lines are sent to: docs/logs.md tells how. What cannot be sent waits in the store.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Forward")]
pub(crate) struct ForwardTable {
    /// Where to: `"journald"`, `"journald:///PATH"`, `"syslog:///dev/log"`, `"syslog+udp://HOST:PORT"` or
    /// `"syslog+tcp://HOST:PORT"`.
    #[schemars(with = "String")]
    pub(crate) to: Spanned<String>,
    /// Under this name it keeps how far it has sent; at most 80 bytes. Default: the text of `to`.
    pub(crate) name: Option<String>,
    /// Only what workers of these groups write: names or globs. Default: all.
    pub(crate) groups: Option<Vec<String>>,
    /// How syslog messages are written. Default: `"rfc3164"` for a Unix socket, else `"rfc5424"`.
    pub(crate) format: Option<SyslogFormat>,
    /// The facility of syslog messages. Default: `"daemon"`.
    pub(crate) facility: Option<Facility>,
}

/// A named command with a count.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Group")]
pub(crate) struct GroupTable {
    /// What each worker runs. Default: the command of the Procfile's entry of this name; without one the key is needed.
    pub(crate) command: Option<CommandValue>,
    /// How many workers run; 0 declares a group that can be scaled up later. At most 10000. Default: 1.
    #[schemars(with = "Option<u32>")]
    pub(crate) count: Option<Spanned<u32>>,
    /// The `PORT` of worker 1; each further worker gets one more. Default: `"auto"`.
    pub(crate) port: Option<PortRule>,
    /// Variables beside the app's; they win over all files.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, EnvValue>>")]
    pub(crate) env: EnvTable,
    /// Where workers start. Default: the app's directory.
    pub(crate) dir: Option<PathBuf>,
    /// The user to run as, by name or number. Default: ganger's own.
    pub(crate) user: Option<String>,
    /// The user group to run as, by name or number. Default: the user's own.
    pub(crate) group: Option<String>,
    /// The file mode mask, in octal digits, such as `"022"`. Default: ganger's own.
    pub(crate) umask: Option<Umask>,
    /// Resource limits of each run. Default: ganger's own.
    #[schemars(with = "Option<LimitsTable>")]
    pub(crate) limits: Option<Spanned<LimitsTable>>,
    /// Which ends of a worker are followed by a restart. Default: `"never"`, or `"always"` if the command line's
    /// `--auto-restart` names the group, which also wins over this key.
    pub(crate) restart: Option<RestartMode>,
    /// A run that lived this long was healthy: until then its worker is STARTING, and an end before that makes the next
    /// restart wait. Default: 1 s; 0 for a group that is never restarted.
    pub(crate) startsecs: Option<DurationValue>,
    /// How long to wait before a restart, while runs end before they were healthy.
    #[schemars(with = "Option<BackoffTable>")]
    pub(crate) backoff: Option<Spanned<BackoffTable>>,
    /// How many restarts are allowed; the next one makes the worker FATAL. Default: no bound.
    #[schemars(with = "Option<BudgetTable>")]
    pub(crate) budget: Option<Spanned<BudgetTable>>,
    /// What exit codes mean, before `restart` is asked. Default: nothing.
    pub(crate) exits: Option<ExitsValue>,
    /// So many starts in a row that fail make the worker FATAL: runs that end before `startsecs`, and starts that come to
    /// nothing. At least 1. Default: no bound.
    #[schemars(with = "Option<u32>")]
    pub(crate) attempts: Option<Spanned<u32>>,
    /// What follows a start that failed: `"judge"` asks `exits` and `restart`, as after any end; `"retry"` starts again
    /// whatever they say, as long as `attempts` allows. Default: `"judge"`.
    pub(crate) early: Option<Early>,
    /// What happens to the app when a worker ends for good: `"shutdown"` stops it, `"failure"` stops it if the worker failed,
    /// `"stay"` does not. Default: `"stay"` for a group that says `restart` or `exits`, that `--auto-restart` names or
    /// that `watch` restarts; `"failure"` for one that others wait for to be completed; else `"shutdown"`. The command
    /// line's `--can-die` and `--any-can-die` win, and in the background it is always `"stay"`.
    pub(crate) on_end: Option<OnEnd>,
    /// What happens to the app when a worker is FATAL: `"shutdown"` stops it, in the background too, and ganger ends with
    /// the worker's exit status. Default: `"stay"`.
    pub(crate) on_fatal: Option<OnFatal>,
    /// The groups that its workers wait for before they start: `["db", "cache"]` until these are ready, or how far each must
    /// have come: `{ db = "ready", migrate = "completed", log = "started" }`. docs/readiness.md tells more.
    pub(crate) depends_on: Option<DependsValue>,
    /// How to find out whether a worker is ready. Default: it is when it is up.
    #[schemars(with = "Option<ProbeTable>")]
    pub(crate) readiness: Option<Spanned<ProbeTable>>,
    /// How to find out whether a worker is still all right. Who is not is ended, as a failure, and `restart` is asked; where
    /// that is not said it is then `"on-failure"`.
    #[schemars(with = "Option<ProbeTable>")]
    pub(crate) liveness: Option<Spanned<ProbeTable>>,
    /// A worker that takes more memory than this, its whole tree together, is ended as a failure, and `restart` is asked;
    /// where that is not said it is then `"on-failure"`. Looked at each 15 s. Default: no bound.
    #[schemars(with = "Option<SizeValue>")]
    pub(crate) max_memory: Option<Spanned<SizeValue>>,
    /// Files whose changes restart its workers, which spends no budget: `["app/**/*.rb", "config"]`, or a table that says
    /// more. docs/watch.md tells how.
    #[schemars(with = "Option<WatchValue>")]
    pub(crate) watch: Option<Spanned<WatchValue>>,
    /// How a worker is stopped.
    #[serde(default)]
    pub(crate) stop: StopTable,
    /// Whether its workers start with the app; if not, they are down until a command starts them. Default: true.
    pub(crate) autostart: Option<bool>,
    /// Groups of a lower priority start first. When the app stops, those of the highest stop first, and the next ones when
    /// these are down. Default: 999.
    pub(crate) priority: Option<i32>,
    /// What a worker reads from its standard input: `"null"` for nothing, `"pipe"` for what commands send. Default: `"null"`.
    pub(crate) stdin: Option<Stdin>,
    /// Whether each worker has a terminal of its own: it writes colours and progress bars as to a person, and
    /// `ganger attach` types to it. Default: true for `ganger start` in a terminal, false in the background, where the
    /// output goes elsewhere, and where `stdin`, `logs.stderr` or `logs.out` says what a terminal cannot do.
    #[schemars(with = "Option<bool>")]
    pub(crate) tty: Option<Spanned<bool>>,
    /// How the output of its workers is kept.
    #[schemars(with = "Option<LogsTable>")]
    pub(crate) logs: Option<Spanned<LogsTable>>,
}

/// The delay before a restart: `initial`, then `factor` times as long and `step` longer each time, up to `max`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Backoff")]
pub(crate) struct BackoffTable {
    /// The first delay. Default: 500 ms.
    pub(crate) initial: Option<DurationValue>,
    /// What each delay is multiplied by: 1 to 100. Default: 2.
    pub(crate) factor: Option<f64>,
    /// What is added to each delay: `factor = 1` with a `step` grows evenly. Default: 0.
    pub(crate) step: Option<DurationValue>,
    /// The longest delay. Default: 30 s, or `initial` if that is longer.
    pub(crate) max: Option<DurationValue>,
    /// The part of a delay that chance may add or take: 0 to 1. Default: 0.1.
    pub(crate) jitter: Option<f64>,
}

/// At most so many restarts in any time of this length.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Budget")]
pub(crate) struct BudgetTable {
    /// How many restarts.
    pub(crate) restarts: u32,
    /// In how long.
    pub(crate) within: DurationValue,
}

/// How a worker is stopped: a signal, and after the timeout what is left of the whole tree of its run is killed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stop")]
pub(crate) struct StopTable {
    /// The signal, by name or number. Default: TERM.
    #[schemars(with = "Option<String>")]
    pub(crate) signal: Option<Signal>,
    /// How long a stop may take. Default: the command line's `--timeout`, else 5 s.
    pub(crate) timeout: Option<DurationValue>,
    /// Who gets the signal: the whole `"tree"` of processes, or the `"main"` one, and the others when that has ended.
    /// Default: `"tree"`.
    pub(crate) scope: Option<StopScope>,
}

/// What each worker is asked again and again while it runs: one of `http`, `tcp` and `command`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Probe")]
pub(crate) struct ProbeTable {
    /// A GET of this path at the worker's port, or of this URL, must be answered with a status from 200 to 399.
    pub(crate) http: Option<String>,
    /// A connection must be taken: `true` at the worker's port, or at this port, or at `"HOST:PORT"`.
    pub(crate) tcp: Option<TcpValue>,
    /// This command must end with code 0. It runs where, as whom and with what environment the worker does.
    pub(crate) command: Option<CommandValue>,
    /// How long after its start a worker is asked first. Default: 0.
    pub(crate) delay: Option<DurationValue>,
    /// How long after an answer it is asked again. Default: 10 s; 1 s for `readiness` until the worker is ready, and after a bad
    /// answer.
    pub(crate) interval: Option<DurationValue>,
    /// How long an answer may take. Default: 2 s.
    pub(crate) timeout: Option<DurationValue>,
    /// So many failures in a row count as one. Default: 3.
    pub(crate) failures: Option<u32>,
    /// So many successes in a row make it ready. Default: 1.
    pub(crate) successes: Option<u32>,
}

/// The files of a group, and what follows when one of them changes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Watch")]
pub(crate) struct WatchTable {
    /// Globs, relative to this file. `*`, `?` and `[a-z]` stand for letters of a name, `**` for any directories, `{a,b}` for
    /// one of these; a directory means all that is in it.
    pub(crate) paths: Vec<String>,
    /// What of them does not count: globs, or names of files and directories wherever they are.
    pub(crate) ignore: Option<Vec<String>>,
    /// Whether what is seldom meant does not count either, unless `paths` names it: `.git`, `target`, `node_modules`, what
    /// editors leave beside an open file and the like. Default: true.
    pub(crate) usual_ignore: Option<bool>,
    /// A change counts when nothing has changed any more for so long: at most 1 m. Default: 200 ms.
    pub(crate) debounce: Option<DurationValue>,
    /// The signal that the workers get, such as `"HUP"`, instead of a restart.
    #[schemars(with = "Option<String>")]
    pub(crate) signal: Option<Signal>,
}

/// Resource limits of each run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub(crate) struct LimitsTable {
    /// Open file descriptors.
    pub(crate) open_files: Option<LimitPair>,
    /// Processes of the user.
    pub(crate) processes: Option<LimitPair>,
    /// Bytes of a core dump.
    pub(crate) core: Option<LimitPair>,
    /// Bytes of address space.
    pub(crate) address_space: Option<LimitPair>,
    /// Seconds of CPU time.
    pub(crate) cpu_seconds: Option<LimitPair>,
    /// Bytes of the largest file written.
    pub(crate) file_size: Option<LimitPair>,
    /// Bytes of locked memory.
    pub(crate) locked_memory: Option<LimitPair>,
    /// Bytes of stack.
    pub(crate) stack: Option<LimitPair>,
}

/// How output is kept. A key of `[groups.NAME.logs]` wins over the same key of `[logs]`. A reload puts all of them in
/// force without a restart.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Logs")]
pub(crate) struct LogsTable {
    /// A log file is rotated, at a line's end, when it has grown to this. Default: 10 MiB.
    pub(crate) max_size: Option<SizeValue>,
    /// How many rotated files of a log are kept beside the current one: 0 to 1000. Default: 5.
    pub(crate) keep: Option<u32>,
    /// The first write that finds its log file older than this rotates it. A file that is not written to stays as it is.
    /// Default: no bound.
    pub(crate) max_age: Option<DurationValue>,
    /// In `[logs]`, what the logs of all workers together may take on the disk; in `[groups.NAME.logs]`, what those of each
    /// of its workers may. The oldest rotated files go first, the current one never. Default: no bound.
    pub(crate) max_total: Option<SizeValue>,
    /// Rotated files are compressed with zstd. Default: false.
    pub(crate) compress: Option<bool>,
    /// Whether stderr goes into one log with stdout or into one of its own, `web.1.err` beside `web.1`, from a worker's
    /// next start on. Default: `"together"`.
    pub(crate) stderr: Option<Stderr>,
    /// Where the log of each worker of the group is, instead of in the store; not in `[logs]`. Rotated files are beside it.
    pub(crate) file: Option<LogFileValue>,
    /// Where the log of a stderr is that is kept apart; not in `[logs]`.
    pub(crate) err_file: Option<LogFileValue>,
}
