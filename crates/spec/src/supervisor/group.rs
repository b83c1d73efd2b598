//! What only supervisord's surfaces know of a group.

use serde::{Deserialize, Serialize};

/// What supervisord says of a program beside what [`Group`](crate::Group) has. Numbers are as they are written.
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorGroup {
    /// The program's name, `x` of `[program:x]`.
    pub program: String,
    /// The `process_num` of worker 1.
    pub numprocs_start: i64,
    /// `autorestart`.
    pub autorestart: Autorestart,
    /// `exitcodes`.
    pub exitcodes: Vec<u8>,
    /// `startsecs`.
    pub startsecs: i64,
    /// `startretries`.
    pub startretries: i64,
    /// `stopwaitsecs`.
    pub stopwaitsecs: i64,
    /// `killasgroup`.
    pub killasgroup: bool,
    /// Whether stderr goes where stdout goes.
    pub redirect_stderr: bool,
    /// Whether escape sequences are taken out of logs.
    pub strip_ansi: bool,
    /// Whether `directory` is said.
    pub has_directory: bool,
    /// The number of the user, where `user` is said.
    pub uid: Option<u32>,
    /// `serverurl`, where it is said.
    pub serverurl: Option<String>,
    /// What is said of stdout.
    pub stdout: SupervisorStream,
    /// What is said of stderr.
    pub stderr: SupervisorStream,
    /// What an `[eventlistener:x]` listens to.
    pub listener: Option<Listener>,
    /// What an `[fcgi-program:x]` listens on.
    pub socket: Option<FcgiSocket>,
}

/// What supervisord says of an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorStream {
    /// `*_logfile_maxbytes`; 0 means that it is never rotated.
    pub maxbytes: i64,
    /// `*_logfile_backups`.
    pub backups: i64,
    /// `*_capture_maxbytes`; 0 means that nothing is captured.
    pub capture_maxbytes: i64,
    /// `*_events_enabled`.
    pub events_enabled: bool,
    /// `*_syslog`.
    pub syslog: bool,
}

/// Which ends are followed by a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Autorestart {
    /// None.
    False,
    /// Those whose code is not in `exitcodes`.
    Unexpected,
    /// All.
    True,
}

/// What an event listener listens to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Names of event types, in capitals, each once and in order.
    pub events: Vec<String>,
    /// So many events wait for it.
    pub buffer_size: u32,
}

/// What a `FastCGI` program gets as its standard input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FcgiSocket {
    /// `tcp://host:port` or `unix:///path`.
    pub url: String,
    /// How many connections wait; none means as many as the system lets.
    pub backlog: Option<u32>,
    /// User and group of a Unix socket; a group of none is not changed.
    pub owner: Option<(u32, Option<u32>)>,
    /// The file mode of a Unix socket.
    pub mode: Option<u32>,
}
