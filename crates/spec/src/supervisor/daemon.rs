//! What a file says of supervisord itself: `[supervisord]`, its servers, and `[supervisorctl]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::auto::AutoLogs;
use super::ini::Said;
use super::reader::{Names, Reader};
use super::syslog;
use super::users::{self, Found};
use super::value::{self, Value, Wrong};
use super::words;
use crate::{Origin, Target, Variable};

/// What a file says of supervisord itself. Paths are absolute.
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// The file.
    pub file: PathBuf,
    /// `identifier`.
    pub identifier: String,
    /// The main log; none for syslog.
    pub logfile: Option<PathBuf>,
    /// Where syslog is.
    #[serde(default = "super::syslog::local")]
    pub syslog: Target,
    /// It is rotated at so many bytes; 0 means never.
    pub logfile_maxbytes: i64,
    /// So many rotated main logs are kept.
    pub logfile_backups: i64,
    /// How much the main log says.
    pub loglevel: LogLevel,
    /// Where the process's number is written.
    pub pidfile: PathBuf,
    /// The file mode mask of a process in the background.
    pub umask: u32,
    /// Stay in the foreground.
    pub nodaemon: bool,
    /// Do not show the main log in the foreground.
    pub silent: bool,
    /// So many open files must be allowed.
    pub minfds: i64,
    /// So many processes must be allowed.
    pub minprocs: i64,
    /// Keep the AUTO logs of before.
    pub nocleanup: bool,
    /// Where AUTO logs are.
    pub childlogdir: PathBuf,
    /// That AUTO logs are there, and not in ganger's store.
    #[serde(default)]
    pub auto_logs: Option<AutoLogs>,
    /// The user to become.
    pub user: Option<String>,
    /// The directory to go to in the background.
    pub directory: Option<PathBuf>,
    /// Whether escape sequences are taken out of programs' logs.
    pub strip_ansi: bool,
    /// The variables of every program.
    pub environment: BTreeMap<String, String>,
    /// The HTTP servers, those of TCP first.
    pub servers: Vec<Server>,
    /// In whose way things are done that ganger does in a better way.
    #[serde(default)]
    pub compat: Compat,
    /// Whether `[rpcinterface:supervisor]` is there, without which the servers know no method of supervisord.
    pub has_rpcinterface: bool,
}

/// In whose way things are done where supervisord's is a trap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compat {
    /// In ganger's.
    #[default]
    Ganger,
    /// As supervisord 4.3 does, for scripts that count on it.
    Supervisor43,
}

/// How much the main log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LogLevel {
    /// CRIT.
    Critical,
    /// ERRO.
    Error,
    /// WARN.
    Warn,
    /// INFO.
    Info,
    /// DEBG.
    Debug,
    /// TRAC.
    Trace,
    /// BLAT.
    Blather,
}

/// An HTTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its section.
    pub section: String,
    /// Where it listens.
    pub address: Address,
    /// Who may use it: name and password, in clear or as `{SHA}` with hexadecimal digits. None means everybody, unless
    /// there is a reader.
    pub login: Option<(String, String)>,
    /// Who may look and change nothing, likewise.
    #[serde(default)]
    pub reader: Option<(String, String)>,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// On a Unix socket.
    Unix {
        /// Its path.
        path: PathBuf,
        /// Its file mode.
        mode: u32,
        /// Its user, if it is given another.
        uid: Option<u32>,
        /// Its group, if it is given another.
        gid: Option<u32>,
    },
    /// On a port of TCP over IPv4.
    Inet {
        /// The host; empty means all.
        host: String,
        /// The port.
        port: u16,
    },
}

impl Daemon {
    /// How programs reach a server: the first Unix socket, else the first port.
    pub fn server_url(&self) -> Option<String> {
        let unix = self.servers.iter().find_map(|server| match &server.address {
            Address::Unix { path, .. } => Some(format!("unix://{}", path.display())),
            Address::Inet { .. } => None,
        });
        unix.or_else(|| {
            self.servers.iter().find_map(|server| match &server.address {
                Address::Inet { host, port } if host.is_empty() => Some(format!("http://localhost:{port}")),
                Address::Inet { host, port } => Some(format!("http://{host}:{port}")),
                Address::Unix { .. } => None,
            })
        })
    }
}

const SECTION: &str = "supervisord";
const FIFTY_MB: i64 = 50 << 20;

fn compat(text: &str) -> Value<Compat> {
    match text.trim_matches(['"', '\'']) {
        "supervisor-4.3" => Ok(Compat::Supervisor43),
        other => Err(Wrong {
            message: format!("{} is nothing to be compatible with", crate::procfile::shown(other)),
            hint: "write `compat=supervisor-4.3`, or remove the key".to_owned(),
        }),
    }
}

pub(crate) fn level(text: &str) -> Value<LogLevel> {
    match text.to_lowercase().as_str() {
        "critical" => Ok(LogLevel::Critical),
        "error" => Ok(LogLevel::Error),
        "warn" => Ok(LogLevel::Warn),
        "info" => Ok(LogLevel::Info),
        "debug" => Ok(LogLevel::Debug),
        "trace" => Ok(LogLevel::Trace),
        "blather" => Ok(LogLevel::Blather),
        _ => Err(Wrong {
            message: format!("{} is no level", crate::procfile::shown(text)),
            hint: "write critical, error, warn, info, debug, trace or blather".to_owned(),
        }),
    }
}

impl Reader<'_> {
    /// Everything of `[supervisord]`, and the servers.
    pub(crate) fn daemon(&mut self, file: PathBuf) -> (Daemon, Vec<Variable>) {
        let names = self.usual();
        let env = self.app_environment();
        let paths = self.paths.clone();
        let path = |reader: &mut Self, key: &str, usual: &str| {
            let said = reader.value(SECTION, key, &names, |text| paths.existing_dirpath(text));
            reader.paths.normal(&said.unwrap_or_else(|| PathBuf::from(usual)))
        };
        let (logfile, pidfile) =
            (path(self, "logfile", "supervisord.log"), path(self, "pidfile", "supervisord.pid"));
        let to_syslog = self.raw(SECTION, "logfile").is_some_and(|said| said.text == "syslog");
        let directory = |reader: &mut Self, key: &str| {
            let said = reader.value(SECTION, key, &names, |text| paths.existing_directory(text));
            said.map(|dir| reader.paths.normal(&dir))
        };
        let (childlogdir, directory) = (directory(self, "childlogdir"), directory(self, "directory"));
        let user = self.text(SECTION, "user", &names);
        if let Some(said) = &user {
            self.known_user(said, "user");
        }
        let compat = self.value(SECTION, "compat", &names, compat).unwrap_or_default();
        let auto_dir = match compat {
            Compat::Ganger => childlogdir.clone(),
            Compat::Supervisor43 => Some(childlogdir.clone().unwrap_or_else(|| self.temporary())),
        };
        let daemon = Daemon {
            auto_logs: auto_dir.map(|dir| AutoLogs { dir, key: String::new() }),
            file,
            identifier: self
                .text(SECTION, "identifier", &names)
                .map_or_else(|| "supervisor".to_owned(), |said| said.text),
            logfile: (!to_syslog).then_some(logfile),
            syslog: self.value(SECTION, "syslog", &names, syslog::place).unwrap_or_else(syslog::local),
            logfile_maxbytes: self
                .value(SECTION, "logfile_maxbytes", &names, value::byte_size)
                .unwrap_or(FIFTY_MB),
            logfile_backups: self.value(SECTION, "logfile_backups", &names, value::integer).unwrap_or(10),
            loglevel: self.value(SECTION, "loglevel", &names, level).unwrap_or(LogLevel::Info),
            pidfile,
            umask: self.value(SECTION, "umask", &names, value::octal).unwrap_or(0o022),
            nodaemon: self.flag(SECTION, "nodaemon", &names, false),
            silent: self.flag(SECTION, "silent", &names, false),
            minfds: self.value(SECTION, "minfds", &names, value::integer).unwrap_or(1024),
            minprocs: self.value(SECTION, "minprocs", &names, value::integer).unwrap_or(200),
            nocleanup: self.flag(SECTION, "nocleanup", &names, false),
            childlogdir: childlogdir.unwrap_or_else(|| self.temporary()),
            user: user.map(|said| said.text),
            directory,
            strip_ansi: self.flag(SECTION, "strip_ansi", &names, false),
            environment: env.iter().map(|variable| (variable.name.clone(), variable.value.clone())).collect(),
            compat,
            has_rpcinterface: self.rpcinterface(),
            servers: self.servers(),
        };
        (daemon, env)
    }

    /// A key that is true or false.
    pub(crate) fn flag(&mut self, section: &str, key: &str, names: &Names, usual: bool) -> bool {
        self.value(section, key, names, value::boolean).unwrap_or(usual)
    }

    /// The variables of all programs, which are names everywhere from then on.
    fn app_environment(&mut self) -> Vec<Variable> {
        let mut names = self.usual();
        names.insert("host_node_name".to_owned(), super::each::Known::Text(self.host.clone()));
        let Some(said) = self.text(SECTION, "environment", &names) else { return Vec::new() };
        let variables = self.variables(&said);
        for variable in &variables {
            let name = format!("ENV_{}", variable.name);
            self.env.insert(name, super::each::Known::Text(variable.value.clone()));
        }
        variables
    }

    /// The variables that an `environment` says; what supervisord drops of it is told.
    pub(crate) fn variables(&mut self, said: &Said) -> Vec<Variable> {
        let pairs = match words::pairs(&said.text) {
            Ok(pairs) => pairs,
            Err(error) => {
                let problem = said.problem(format!("`environment`: {error}"));
                self.findings.error(problem.hinted(super::each::ENVIRONMENT_FORM));
                return Vec::new();
            }
        };
        let origin = Origin::File { path: said.path.clone(), line: said.line };
        let variable = |pair: words::Pair| {
            if let Some(skipped) = pair.skipped.filter(|skipped| skipped != ";") {
                let (name, value) = (&pair.name, &pair.value);
                let message =
                    format!("`environment`: {name} is only `{value}`: `{skipped}` after it is dropped");
                self.findings.warn(said.problem(message).hinted(super::each::ENVIRONMENT_FORM));
            }
            Variable { name: pair.name, value: pair.value, origin: origin.clone() }
        };
        pairs.into_iter().map(variable).collect()
    }

    /// The directory that Python takes for temporary files.
    fn temporary(&self) -> PathBuf {
        let said =
            ["ENV_TMPDIR", "ENV_TEMP", "ENV_TMP"].iter().filter_map(|name| match self.env.get(*name)? {
                super::each::Known::Text(text) => Some(text.as_str()),
                super::each::Known::Number(_) => None,
            });
        let usual = ["/tmp", "/var/tmp", "/usr/tmp"];
        let mut dirs =
            said.chain(usual).filter(|dir| !dir.is_empty()).map(|dir| self.paths.normal(dir.as_ref()));
        dirs.find(|dir| dir.is_dir()).unwrap_or_else(|| self.paths.base.clone())
    }

    /// The user of a key; none if there is no such user, which is told.
    pub(crate) fn known_user(&mut self, said: &Said, key: &str) -> Option<users::User> {
        let name = crate::procfile::shown(&said.text);
        match users::user(&said.text) {
            Found::Yes(user) => Some(user),
            Found::No => {
                let problem = said.problem(format!("`{key}`: there is no user {name}"));
                self.findings
                    .error(problem.hinted("make the user, or name another: `getent passwd` lists them"));
                None
            }
            Found::Unsure => {
                let message = format!("`{key}`: {name} is not in /etc/passwd: is it in a directory service?");
                self.findings.warn(said.problem(message).hinted("`getent passwd` lists all users"));
                None
            }
        }
    }

    /// Whether supervisord's own methods are served. No other plugin can be: they are Python.
    fn rpcinterface(&mut self) -> bool {
        const KEY: &str = "supervisor.rpcinterface_factory";
        const MAIN: &str = "supervisor.rpcinterface:make_main_rpcinterface";
        let mut has_main = false;
        let ini = self.ini;
        for section in ini.sections.iter().filter(|section| section.name.starts_with("rpcinterface:")) {
            match self.text(&section.name, KEY, &Names::new()) {
                Some(said) if said.text == MAIN => has_main = true,
                Some(said) => {
                    let message =
                        format!("[{}] is a plugin in Python, which ganger cannot load", section.name);
                    self.findings.error(said.problem(message).hinted(
                        "remove the section: `supervisor.rpcinterface:make_main_rpcinterface` alone is built in",
                    ));
                }
                None => {
                    let problem = section.problem(format!("[{}] has no `{KEY}`", section.name));
                    self.findings.error(problem.hinted(format!("write `{KEY} = {MAIN}`")));
                }
            }
        }
        has_main
    }
}
