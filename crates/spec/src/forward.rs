//! Where lines are forwarded to: what `[[forward]]` and `--forward` say, checked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::native::ForwardTable;
use crate::problem::{Findings, Problem};
use crate::select::{ALL, matches};
use crate::sources::Sources;
use crate::suggest::hint_for;
use crate::{LogName, Options, Spec, SyslogOf};

/// The most forwarders of an app.
pub const MAX_FORWARDS: usize = 16;
/// The longest name of a forwarder, in bytes.
pub const MAX_FORWARD_NAME: usize = 80;
/// Where journald listens.
pub const JOURNALD_SOCKET: &str = "/run/systemd/journal/socket";

/// A place that lines are sent to, beside the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// Unique in its spec. How far it has sent is kept under this name.
    pub name: String,
    /// Where to.
    pub to: Target,
    /// Only workers of groups that fit one of these; all if there are none.
    pub groups: Vec<String>,
    /// Only these groups, in supervisord's words, where a file of supervisord's asks for it.
    #[serde(default)]
    pub supervisor: Option<BTreeMap<String, SyslogOf>>,
}

/// Where lines are sent to, and how they are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// A syslog server.
    Syslog {
        /// Where it listens.
        at: SyslogSocket,
        /// How messages are written.
        format: SyslogFormat,
        /// Which part of the system they are said to come from.
        facility: Facility,
    },
    /// systemd's journal, by its native protocol.
    Journald {
        /// Its socket.
        socket: PathBuf,
    },
}

/// Where a syslog server listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyslogSocket {
    /// A Unix datagram socket.
    Unix(PathBuf),
    /// `HOST:PORT`.
    Udp(String),
    /// `HOST:PORT`.
    Tcp(String),
}

/// How syslog messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SyslogFormat {
    /// The format of today; over TCP each message has its length before it (RFC 6587).
    Rfc5424,
    /// The old BSD format; over TCP each message ends with a newline.
    Rfc3164,
}

/// A facility of syslog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are those of syslog")]
pub enum Facility {
    User,
    Mail,
    Daemon,
    Auth,
    Syslog,
    Lpr,
    News,
    Uucp,
    Cron,
    Authpriv,
    Ftp,
    Local0,
    Local1,
    Local2,
    Local3,
    Local4,
    Local5,
    Local6,
    Local7,
}

impl Facility {
    /// Its number in the protocol.
    pub fn number(self) -> u8 {
        match self {
            Self::User => 1,
            Self::Mail => 2,
            Self::Daemon => 3,
            Self::Auth => 4,
            Self::Syslog => 5,
            Self::Lpr => 6,
            Self::News => 7,
            Self::Uucp => 8,
            Self::Cron => 9,
            Self::Authpriv => 10,
            Self::Ftp => 11,
            Self::Local0 => 16,
            Self::Local1 => 17,
            Self::Local2 => 18,
            Self::Local3 => 19,
            Self::Local4 => 20,
            Self::Local5 => 21,
            Self::Local6 => 22,
            Self::Local7 => 23,
        }
    }
}

impl fmt::Display for Target {
    /// As `to` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journald { socket } => write!(f, "journald://{}", socket.display()),
            Self::Syslog { at: SyslogSocket::Unix(path), .. } => write!(f, "syslog://{}", path.display()),
            Self::Syslog { at: SyslogSocket::Udp(address), .. } => write!(f, "syslog+udp://{address}"),
            Self::Syslog { at: SyslogSocket::Tcp(address), .. } => write!(f, "syslog+tcp://{address}"),
        }
    }
}

impl Forward {
    /// Whether it sends what is in this log: that of a worker of a group that it names.
    pub fn wants(&self, log: &str) -> bool {
        let Ok(LogName { worker, is_err }) = LogName::try_from(log.to_owned()) else { return false };
        if let Some(groups) = &self.supervisor {
            return groups.get(&worker.group).is_some_and(|of| if is_err { of.err } else { of.out });
        }
        let fits = |pattern: &String| pattern == ALL || matches(pattern, &worker.group);
        self.groups.is_empty() || self.groups.iter().any(fits)
    }
}

impl Spec {
    /// What becomes of the forwarders where `new` takes the place of this spec, a line each.
    pub fn forward_changes(&self, new: &Self) -> Vec<String> {
        let of = |spec: &Self, name: &str| spec.forwards.iter().find(|forward| forward.name == name).cloned();
        let in_new = new.forwards.iter().filter_map(|forward| match of(self, &forward.name) {
            None => Some(format!("forward {}: new", forward.name)),
            Some(old) if old != *forward => Some(format!("forward {}: changed", forward.name)),
            Some(_) => None,
        });
        let gone = self.forwards.iter().filter(|forward| of(new, &forward.name).is_none());
        in_new.chain(gone.map(|forward| format!("forward {}: removed", forward.name))).collect()
    }
}

/// The forwarders of the files, then those of the command line.
pub(crate) fn forwards(
    options: &Options,
    sources: &Sources,
    groups: &[&str],
    findings: &mut Findings,
) -> Vec<Forward> {
    let mut forwards: Vec<Forward> = Vec::new();
    let mut add =
        |made: Result<Forward, Problem>, placed: &dyn Fn(String) -> Problem, findings: &mut Findings| {
            let Some(forward) = findings.take(made) else { return };
            if forwards.iter().any(|known| known.name == forward.name) {
                let problem = placed(format!("two forwarders have the name `{}`", forward.name));
                findings.error(problem.hinted("give one of them another `name`"));
            } else {
                forwards.push(forward);
            }
        };
    if let Some(native) = &sources.native {
        for table in &native.table.forward {
            let placed = |message: String| native.problem(&table.to.span(), message);
            add(of_table(table, groups, &placed), &placed, findings);
        }
    }
    for to in &options.forward {
        let placed = |message: String| Problem::new(format!("--forward: {message}"));
        let made = target(to, None, None).map_err(|(message, hint)| placed(message).hinted(hint));
        let made = made.and_then(|target| named(to.clone(), target, Vec::new(), &placed));
        add(made, &placed, findings);
    }
    if forwards.len() > MAX_FORWARDS {
        let message =
            format!("{} forwarders are more than the {MAX_FORWARDS} that an app can have", forwards.len());
        findings.error(Problem::new(message).hinted("send to one server, which sends on"));
    }
    forwards
}

fn of_table(
    table: &ForwardTable,
    groups: &[&str],
    placed: &dyn Fn(String) -> Problem,
) -> Result<Forward, Problem> {
    let to = table.to.get_ref();
    let target =
        target(to, table.format, table.facility).map_err(|(message, hint)| placed(message).hinted(hint))?;
    let patterns = table.groups.clone().unwrap_or_default();
    let known = |pattern: &String| pattern == ALL || groups.iter().any(|group| matches(pattern, group));
    if let Some(unknown) = patterns.iter().find(|pattern| !known(pattern)) {
        let problem = placed(format!("no group `{unknown}` to forward"));
        return Err(problem.maybe_hinted(hint_for(unknown, groups.iter().copied())));
    }
    named(table.name.clone().unwrap_or_else(|| to.clone()), target, patterns, placed)
}

fn named(
    name: String,
    to: Target,
    groups: Vec<String>,
    placed: &dyn Fn(String) -> Problem,
) -> Result<Forward, Problem> {
    if name.is_empty() || name.len() > MAX_FORWARD_NAME || name.chars().any(char::is_control) {
        let problem = placed(format!("`{}` cannot be the name of a forwarder", name.escape_debug()));
        return Err(problem.hinted(format!("give it a `name` of at most {MAX_FORWARD_NAME} bytes")));
    }
    Ok(Forward { name, to, groups, supervisor: None })
}

const FORMS: &str = "write `journald`, `journald:///PATH`, `syslog:///dev/log`, `syslog+udp://HOST:PORT` or \
                     `syslog+tcp://HOST:PORT`";

/// What the text of `to` means; an error with its hint.
pub(crate) fn target(
    to: &str,
    format: Option<SyslogFormat>,
    facility: Option<Facility>,
) -> Result<Target, (String, String)> {
    let bad = || (format!("`{to}` is no place to forward to"), FORMS.to_owned());
    let syslog = |at: SyslogSocket, usual: SyslogFormat| Target::Syslog {
        at,
        format: format.unwrap_or(usual),
        facility: facility.unwrap_or(Facility::Daemon),
    };
    let (kind, rest) = to.split_once("://").unwrap_or((to, ""));
    let path = || Some(Path::new(rest)).filter(|path| path.is_absolute()).map(Path::to_owned).ok_or_else(bad);
    match kind {
        "syslog" => Ok(syslog(SyslogSocket::Unix(path()?), SyslogFormat::Rfc3164)),
        "syslog+udp" => Ok(syslog(SyslogSocket::Udp(address(rest).ok_or_else(bad)?), SyslogFormat::Rfc5424)),
        "syslog+tcp" => Ok(syslog(SyslogSocket::Tcp(address(rest).ok_or_else(bad)?), SyslogFormat::Rfc5424)),
        "journald" if format.is_some() || facility.is_some() => {
            let message = "`format` and `facility` are syslog's, and this forwards to journald".to_owned();
            Err((message, "leave them out".to_owned()))
        }
        "journald" if rest.is_empty() => Ok(Target::Journald { socket: JOURNALD_SOCKET.into() }),
        "journald" => Ok(Target::Journald { socket: path()? }),
        _ => Err(bad()),
    }
}

/// `HOST:PORT`; an IPv6 address stands in brackets.
fn address(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let is_host = !host.is_empty() && (!host.contains(':') || host.starts_with('[') && host.ends_with(']'));
    let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
    (is_host && is_port).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::load;

    fn loaded(native: &str, flags: &[&str]) -> Result<Spec, String> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("Procfile"), "web: x\nworker: y\n").unwrap();
        fs::write(dir.path().join("ganger.toml"), native).unwrap();
        let forward = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let options = Options { dir: dir.path().to_owned(), forward, ..Options::default() };
        load(&options).map(|loaded| loaded.spec).map_err(|error| format!("{error}"))
    }

    #[test]
    fn every_form_of_a_place_is_understood() {
        let targets: Vec<Target> = loaded(
            "[[forward]]\nto = 'syslog:///dev/log'\nfacility = 'local3'\n\
             [[forward]]\nto = 'journald'\ngroups = ['w*']\nname = 'j'",
            &["syslog+udp://[::1]:514", "syslog+tcp://logs.example:601", "journald:///tmp/j"],
        )
        .unwrap()
        .forwards
        .into_iter()
        .map(|forward| forward.to)
        .collect();
        let syslog = |at, format, facility| Target::Syslog { at, format, facility };
        let expected = [
            syslog(SyslogSocket::Unix("/dev/log".into()), SyslogFormat::Rfc3164, Facility::Local3),
            Target::Journald { socket: JOURNALD_SOCKET.into() },
            syslog(SyslogSocket::Udp("[::1]:514".to_owned()), SyslogFormat::Rfc5424, Facility::Daemon),
            syslog(SyslogSocket::Tcp("logs.example:601".to_owned()), SyslogFormat::Rfc5424, Facility::Daemon),
            Target::Journald { socket: "/tmp/j".into() },
        ];
        assert_eq!(targets, expected);
    }

    #[test]
    fn what_is_no_place_or_cannot_be_meant_is_told_where_it_stands() {
        for (native, message) in [
            ("[[forward]]\nto = 'syslog'", "ganger.toml:2:6: `syslog` is no place to forward to"),
            (
                "[[forward]]\nto = 'syslog+udp://host'",
                "ganger.toml:2:6: `syslog+udp://host` is no place to forward to",
            ),
            (
                "[[forward]]\nto = 'journald://rel'",
                "ganger.toml:2:6: `journald://rel` is no place to forward to",
            ),
            ("[[forward]]\nto = 'journald'\ngroups = ['wbe']", "ganger.toml:2:6: no group `wbe` to forward"),
            (
                "[[forward]]\nto = 'journald'\nfacility = 'mail'",
                "ganger.toml:2:6: `format` and `facility` are syslog's, and this forwards to journald",
            ),
            (
                "[[forward]]\nto = 'journald'\n[[forward]]\nto = 'journald'",
                "ganger.toml:4:6: two forwarders have the name `journald`",
            ),
            (
                "[[forward]]\nto = 'journald'\nname = ''",
                "ganger.toml:2:6: `` cannot be the name of a forwarder",
            ),
        ] {
            assert_eq!(loaded(native, &[]).unwrap_err(), message);
        }
        assert_eq!(
            loaded("", &["kafka://x"]).unwrap_err(),
            "--forward: `kafka://x` is no place to forward to"
        );
        let many: Vec<String> = (0..=MAX_FORWARDS).map(|n| format!("journald:///{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(loaded("", &many).unwrap_err().starts_with("17 forwarders are more than the 16"));
        assert_eq!(loaded("", &many[1..]).unwrap().forwards.len(), MAX_FORWARDS);
    }

    #[test]
    fn a_forwarder_wants_the_groups_that_it_names() {
        let all = Forward {
            name: String::new(),
            to: Target::Journald { socket: "/j".into() },
            groups: Vec::new(),
            supervisor: None,
        };
        assert!(all.wants("web.1"));
        let some = Forward { groups: vec!["w?b".to_owned()], ..all };
        assert!(some.wants("web.12") && some.wants("web.12.err") && !some.wants("worker.1"));
    }

    #[test]
    fn a_reload_tells_what_becomes_of_forwarders() {
        let one = |text: &str| loaded(text, &[]).unwrap();
        let old = one("[[forward]]\nto = 'journald'\n[[forward]]\nto = 'syslog:///a'");
        let new = one("[[forward]]\nto = 'journald'\ngroups = ['web']\n[[forward]]\nto = 'syslog:///b'");
        let expected =
            ["forward journald: changed", "forward syslog:///b: new", "forward syslog:///a: removed"];
        assert_eq!(old.forward_changes(&new), expected);
        assert!(old.forward_changes(&old).is_empty());
    }
}
