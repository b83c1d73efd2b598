//! Where a server listens.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a server listens: `unix:///path` or `http://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// A port of a host.
    Tcp {
        /// The host's name or address.
        host: String,
        /// The port; 80 if none is written.
        port: u16,
    },
}

/// What a server cannot be reached by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// Neither `unix` nor `http`.
    #[error("Unknown protocol for serverurl {0}")]
    Protocol(String),
    /// The port is none.
    #[error("Port could not be cast to integer value as '{0}'")]
    Port(String),
}

impl Address {
    /// What the header `Host` says.
    pub(super) fn host(&self) -> String {
        match self {
            // A path is no host, and every server takes this one.
            Self::Unix(_) => "localhost".to_owned(),
            Self::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port } => format!("{host}:{port}"),
        }
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(url: &str) -> Result<Self, BadAddress> {
        if let Some(path) = url.strip_prefix("unix://") {
            return Ok(Self::Unix(path.into()));
        }
        let rest = url.strip_prefix("http://").ok_or_else(|| BadAddress::Protocol(url.to_owned()))?;
        let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = match port.filter(|port| !port.is_empty()) {
            Some(port) => port.parse().map_err(|_| BadAddress::Port(port.to_owned()))?,
            None => 80,
        };
        Ok(Self::Tcp { host: host.to_lowercase(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { .. } => write!(f, "http://{}", self.host()),
        }
    }
}
