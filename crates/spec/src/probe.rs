//! How it is found out whether a worker is ready, and whether it is still all right.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Command;

/// The longest path of an HTTP probe.
const MAX_PATH: usize = 2_000;

/// What a group's workers are asked, again and again, and what the answers mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What is asked.
    pub check: Check,
    /// How long after its start a run is asked first.
    pub delay: Duration,
    /// How long after an answer it is asked again.
    pub interval: Duration,
    /// The same after a good answer of a worker that is ready.
    pub interval_ready: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// So many failures in a row mean that it is not so.
    pub failures: u32,
    /// So many successes in a row mean that it is so.
    pub successes: u32,
}

/// What is asked of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// A GET, whose answer has a status from 200 to 399.
    Http {
        /// Where: a name or an address; none means this machine.
        host: Option<String>,
        /// At which port; none means the worker's own.
        port: Option<u16>,
        /// What: begins with `/`.
        path: String,
    },
    /// A connection, which is taken.
    Tcp {
        /// Where: a name or an address; none means this machine.
        host: Option<String>,
        /// At which port; none means the worker's own.
        port: Option<u16>,
    },
    /// A command, which ends with code 0. It runs where, as whom and with what environment the worker does.
    Command(Command),
}

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeKind {
    /// Whether the worker does its work, so that others may begin with theirs.
    Readiness,
    /// Whether it is still all right: if not, it is started anew.
    Liveness,
}

impl fmt::Display for ProbeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Readiness => "readiness",
            Self::Liveness => "liveness",
        })
    }
}

/// What workers of one group wait for of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Each of its workers has a process, or had one and is done.
    Started,
    /// Each of its workers is up, and passes its readiness probe if it has one.
    Ready,
    /// Each of its workers has ended with success.
    Completed,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Started => "started",
            Self::Ready => "ready",
            Self::Completed => "completed",
        })
    }
}

impl Probe {
    /// The usual numbers: who is to become ready is asked often, who is to stay alive now and then.
    pub fn new(kind: ProbeKind, check: Check) -> Self {
        let interval_ready = Duration::from_secs(10);
        let interval = match kind {
            ProbeKind::Readiness => Duration::from_secs(1),
            ProbeKind::Liveness => interval_ready,
        };
        let timeout = Duration::from_secs(2);
        Self { check, delay: Duration::ZERO, interval, interval_ready, timeout, failures: 3, successes: 1 }
    }
}

impl Check {
    /// From a URL, or from a path on the worker's own port.
    pub(crate) fn http(text: &str) -> Result<Self, (String, &'static str)> {
        const HINT: &str =
            "write a path on the worker's port, such as \"/health\", or \"http://HOST:PORT/health\"";
        let bad = |what: &str| Err((format!("`{text}` {what}"), HINT));
        if text.starts_with("https://") {
            let hint = "TLS is not spoken: ask the plain port, or write `command = \"curl -fsS https://…\"`";
            return Err((format!("`{text}` is an https URL"), hint));
        }
        if text.len() > MAX_PATH || text.chars().any(|c| !c.is_ascii_graphic()) {
            return bad("is no URL");
        }
        if text.starts_with('/') {
            return Ok(Self::Http { host: None, port: None, path: without_fragment(text) });
        }
        let Some(rest) = text.strip_prefix("http://") else { return bad("is no path and no http URL") };
        let (place, path) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
        let (host, port) = match host_and_port(place) {
            Some((host, port)) => (host, port.unwrap_or(80)),
            None => return bad("names no host"),
        };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self::Http { host: Some(host), port: Some(port), path: without_fragment(&path) })
    }

    /// From a port, or `HOST:PORT`.
    pub(crate) fn tcp(text: &str) -> Result<Self, (String, &'static str)> {
        const HINT: &str = "write `true` for the worker's own port, a port, or \"HOST:PORT\"";
        let bad = || (format!("`{text}` is no port and no place"), HINT);
        if let Ok(port) = text.parse::<u16>() {
            return if port > 0 { Ok(Self::Tcp { host: None, port: Some(port) }) } else { Err(bad()) };
        }
        match host_and_port(text) {
            Some((host, Some(port))) => Ok(Self::Tcp { host: Some(host), port: Some(port) }),
            Some((_, None)) | None => Err(bad()),
        }
    }

    /// Whether it asks at the worker's own port.
    pub fn needs_port(&self) -> bool {
        match self {
            Self::Http { port, .. } | Self::Tcp { port, .. } => port.is_none(),
            Self::Command(_) => false,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |f: &mut fmt::Formatter<'_>, host: &Option<String>, port: &Option<u16>| {
            match host {
                Some(host) if host.contains(':') => write!(f, "[{host}]")?,
                Some(host) => f.write_str(host)?,
                None => {}
            }
            port.map_or(Ok(()), |port| write!(f, ":{port}"))
        };
        match self {
            Self::Http { host, port, path } => {
                f.write_str("GET ")?;
                if host.is_some() || port.is_some() {
                    f.write_str("http://")?;
                }
                place(f, host, port)?;
                f.write_str(path)
            }
            Self::Tcp { host: None, port: None } => f.write_str("a connection to its port"),
            Self::Tcp { host: None, port: Some(port) } => write!(f, "a connection to port {port}"),
            Self::Tcp { host, port } => {
                f.write_str("a connection to ")?;
                place(f, host, port)
            }
            Self::Command(command) => write!(f, "`{command}`"),
        }
    }
}

/// A server never sees what comes after `#`.
fn without_fragment(path: &str) -> String {
    path.split('#').next().unwrap_or(path).to_owned()
}

/// `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`.
fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(fits) {
        return None;
    }
    let port = match port {
        Some(port) => Some(port.parse::<u16>().ok().filter(|port| *port > 0)?),
        None => None,
    };
    Some((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_asked_at_the_workers_port_and_a_url_where_it_says() {
        let http = |text| Check::http(text).map(|check| check.to_string()).map_err(|(message, _)| message);
        for (text, told) in [
            ("/health", "GET /health"),
            ("/a?b=c#d", "GET /a?b=c"),
            ("http://localhost:3000/up", "GET http://localhost:3000/up"),
            ("http://10.0.0.1", "GET http://10.0.0.1:80/"),
            ("http://[::1]:80?x", "GET http://[::1]:80/?x"),
        ] {
            assert_eq!(http(text).as_deref(), Ok(told), "{text}");
        }
        for text in ["health", "", "http://", "http://:80/", "http://a:0/", "http://a:x/", "/a b", "/a\r\n"] {
            assert!(http(text).is_err(), "{text}");
        }
        assert!(http("http://[::1/x").is_err() && http("http://user@host/").is_err());
        assert!(Check::http("https://x/").unwrap_err().1.contains("TLS"));
        assert!(Check::http(&format!("/{}", "a".repeat(MAX_PATH))).is_err());
    }

    #[test]
    fn a_port_alone_is_one_of_this_machine() {
        let tcp = |text| Check::tcp(text).map(|check| check.to_string()).map_err(|(message, _)| message);
        assert_eq!(tcp("5432").as_deref(), Ok("a connection to port 5432"));
        assert_eq!(tcp("db.local:5432").as_deref(), Ok("a connection to db.local:5432"));
        assert_eq!(tcp("[::1]:1").as_deref(), Ok("a connection to [::1]:1"));
        for text in ["0", "65536", "db", "db:", ":1", "", "a b:1"] {
            assert!(tcp(text).is_err(), "{text}");
        }
    }
}
