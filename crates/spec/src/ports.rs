//! The ports of workers, and whether a count is possible.

use std::collections::BTreeMap;

use crate::problem::MAX_PROBLEMS;
use crate::suggest::hint_for;
use crate::{Group, Port, Spec, WorkerName};

/// The base of the ports where nothing is said.
pub const DEFAULT_PORT: u16 = 5000;
/// From one group to the next.
pub const GROUP_STEP: u32 = 100;
/// The highest port there is.
pub const MAX_PORT: u32 = 65_535;
/// The most workers of one group.
pub const MAX_COUNT: u32 = 10_000;

/// Why a group cannot have that many workers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScaleError {
    /// There is no such group.
    #[error("no group `{group}`")]
    UnknownGroup {
        /// What was asked for.
        group: String,
        /// What was probably meant.
        hint: Option<String>,
    },
    /// More than [`MAX_COUNT`].
    #[error("{count} workers of `{group}` are more than the {MAX_COUNT} that a group can have")]
    TooMany {
        /// The group.
        group: String,
        /// What was asked for.
        count: u32,
    },
    /// A worker would have a port that does not exist.
    #[error("port {port} of {worker} is out of range (1 to {MAX_PORT})")]
    PortOutOfRange {
        /// The first such worker.
        worker: WorkerName,
        /// Its port.
        port: u32,
    },
}

impl ScaleError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownGroup { hint, .. } => hint.clone(),
            Self::TooMany { .. } => Some("ask for fewer, or make several groups".to_owned()),
            Self::PortOutOfRange { .. } => Some(
                "choose a lower base with -p, fewer workers, or `port = false` for this group in ganger.toml"
                    .to_owned(),
            ),
        }
    }
}

impl Group {
    /// The port of worker `number`, which may be beyond the last one.
    fn port_number(&self, number: u32) -> Option<u32> {
        let first = match self.port {
            Port::Auto(first) => first,
            Port::Fixed(first) => u32::from(first),
            Port::None => return None,
        };
        Some(first.saturating_add(number.saturating_sub(1).saturating_mul(self.port_step)))
    }

    /// The port of worker `number`; none if it gets none, or if there is no such port.
    pub(crate) fn port_of(&self, number: u32) -> Option<u16> {
        self.port_number(number).and_then(|port| u16::try_from(port).ok())
    }

    /// Whether it can have that many workers.
    pub(crate) fn check_count(&self, count: u32) -> Result<(), ScaleError> {
        if count > MAX_COUNT {
            return Err(ScaleError::TooMany { group: self.name.clone(), count });
        }
        let beyond = |number: u32| self.port_number(number).filter(|port| *port > MAX_PORT);
        match (1..=count).find_map(|number| Some((number, beyond(number)?))) {
            None => Ok(()),
            Some((number, port)) => {
                Err(ScaleError::PortOutOfRange { worker: WorkerName::new(&self.name, number), port })
            }
        }
    }
}

impl Spec {
    /// The group of this name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// The port of a worker, of any number; none if it gets none, or if there is no such port or group.
    pub fn port(&self, worker: &WorkerName) -> Option<u16> {
        self.group(&worker.group)?.port_of(worker.number)
    }

    /// Whether this group can have that many workers.
    pub fn check_scale(&self, group: &str, count: u32) -> Result<(), ScaleError> {
        let Some(found) = self.group(group) else {
            let hint = hint_for(group, self.groups.iter().map(|group| group.name.as_str()));
            return Err(ScaleError::UnknownGroup { group: group.to_owned(), hint });
        };
        found.check_count(count)
    }

    /// Workers of different groups that get the same port: the first such pair of each two groups, and no more
    /// pairs than are told.
    pub(crate) fn shared_ports(&self) -> Vec<(WorkerName, WorkerName, u16)> {
        let mut spans: BTreeMap<u32, Vec<(&Group, u32)>> = BTreeMap::new();
        for group in self.groups.iter().filter(|group| group.count > 0) {
            if let (Some(first), Some(last)) = (group.port_number(1), group.port_number(group.count)) {
                spans.entry(first).or_default().push((group, last));
            }
        }
        let spans: Vec<(u32, &Group, u32)> = spans
            .into_iter()
            .flat_map(|(first, groups)| groups.into_iter().map(move |(group, last)| (first, group, last)))
            .collect();
        let mut shared = Vec::new();
        for (index, (first, group, last)) in spans.iter().enumerate() {
            for (port, other, _) in spans[index + 1..].iter().take_while(|(start, ..)| start <= last) {
                let Ok(held) = u16::try_from(*port) else { continue };
                let worker = WorkerName::new(&group.name, port - first + 1);
                shared.push((worker, WorkerName::new(&other.name, 1), held));
                if shared.len() > MAX_PROBLEMS {
                    return shared;
                }
            }
        }
        shared
    }
}
