//! Every configuration format in, one checked [`Spec`] out.
//!
//! Nothing past this crate knows which file a setting came from in which dialect: a Procfile, an `.env`
//! file, `.foreman` and `ganger.toml` all become the same model.

mod argv;
mod changes;
mod compose;
mod depends;
mod dotenv;
mod environment;
mod foreman;
mod formation;
mod forward;
mod groups;
mod import;
mod input;
mod load;
mod logs;
mod model;
mod native;
mod options;
mod overmind;
mod plan;
mod policy;
mod ports;
mod probe;
mod problem;
mod procfile;
mod select;
mod signal;
mod sources;
mod suggest;
mod supervisor;
mod watch;
mod wishes;
mod worker;

pub use argv::{Argv, SHELL};
pub use changes::{Change, ChangeKind, Field};
pub use compose::{import_compose, is_compose};
pub use dotenv::{MAX_ENV_BYTES, MAX_VALUE_BYTES, quote};
pub use environment::{Explained, GANGER_WORKER, PORT, PS};
pub use forward::{
    Facility, Forward, JOURNALD_SOCKET, MAX_FORWARD_NAME, MAX_FORWARDS, SyslogFormat, SyslogSocket, Target,
};
pub use groups::MAX_GROUPS;
pub use input::MAX_FILE_BYTES;
pub use load::{MAX_WORKERS, load};
pub use logs::{Bytes, LOG_FILE_BYTES, LogFile, LogSize, Logs, MAX_KEEP, Stderr};
pub use model::*;
pub use native::{parse_duration, reference_page, schema};
pub use options::{Loaded, Options, Settings, Terminals};
pub use overmind::{MAX_OTHER_PORTS, Overmind, OvermindListen, OvermindOptions, SYSTEM_COLOR, read_env_file};
pub use plan::PlannedWorker;
pub use ports::{DEFAULT_PORT, GROUP_STEP, MAX_COUNT, MAX_PORT, ScaleError};
pub use probe::{Check, Condition, Probe, ProbeKind};
pub use problem::{LoadError, MAX_PROBLEMS, Problem, Warning};
pub use procfile::MAX_NAME;
pub use select::{ALL, UnknownName, is_meant, matches, select};
pub use signal::Signal;
pub use suggest::suggest;
pub use supervisor::{
    Address, AutoLogs, Autorestart, Compat, Ctl, Daemon, Each, FcgiSocket, Listener, LogLevel, Server,
    SupervisorGroup, SupervisorStream, SyslogOf, amend, load_ctl, search_paths,
};
pub use watch::{FileWatch, Globs, MAX_GLOBS, USUALLY_IGNORED};
pub use worker::{Worker, WorkerError};
