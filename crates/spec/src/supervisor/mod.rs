//! supervisord's configuration file, as its own parser takes it.
//!
//! Each `[program:x]` becomes a group whose workers are its processes; whatever supervisord refuses is refused with a
//! place and a hint, and where it is silent about something that is probably not meant so, a warning tells it.

mod amend;
mod auto;
mod beyond;
mod daemon;
mod each;
mod echo;
mod expand;
mod file;
mod group;
mod include;
mod ini;
mod keys;
mod names;
mod probes;
mod program;
mod reader;
mod servers;
mod special;
mod syslog;
mod users;
mod value;
mod waits;
mod words;

pub use amend::amend;
pub use auto::AutoLogs;
pub use daemon::{Address, Compat, Daemon, LogLevel, Server};
pub use each::Each;
pub(crate) use echo::echo;
pub(crate) use file::{File, is_one};
pub use file::{load_ctl, search_paths};
pub use group::{Autorestart, FcgiSocket, Listener, SupervisorGroup, SupervisorStream};
pub use servers::Ctl;
pub use syslog::SyslogOf;
pub(crate) use syslog::forward as syslog_forward;
