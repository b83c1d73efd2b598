//! What runs use, and what those that ended have used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Time;

/// What processes use: those of a run with its whole tree, or of several runs together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UsageInfo {
    /// How many processes there are.
    pub processes: u32,
    /// How many threads they have together.
    pub threads: u32,
    /// CPU time so far, user and system, in milliseconds.
    pub cpu_ms: u64,
    /// The share of one CPU since the last look, if that was within a minute; else that of the whole life. In percent.
    pub cpu_percent: Option<f64>,
    /// Memory in bytes; pages shared with others count by their share (PSS).
    pub memory_bytes: u64,
    /// Memory in bytes that the kernel charges to the run's cgroup, with files that it keeps in memory for it; none
    /// without a cgroup that has the memory controller.
    pub cgroup_memory_bytes: Option<u64>,
    /// Open descriptors.
    pub descriptors: u64,
    /// Bytes that were fetched from storage.
    pub read_bytes: u64,
    /// Bytes that were sent to storage.
    pub written_bytes: u64,
    /// Processes, of other users, that may not be looked into: memory, descriptors and bytes are without them.
    pub hidden: u32,
}

impl UsageInfo {
    /// Adds what others use.
    pub fn add(&mut self, other: &Self) {
        let both = |one: Option<u64>, two: Option<u64>| Some(one? + two?);
        let first = self.processes == 0;
        self.processes += other.processes;
        self.threads += other.threads;
        self.cpu_ms += other.cpu_ms;
        self.cpu_percent = match (self.cpu_percent, other.cpu_percent) {
            (Some(one), Some(two)) => Some(one + two),
            (one, two) => one.or(two),
        };
        self.memory_bytes += other.memory_bytes;
        // A sum over some of them would be taken for that over all.
        self.cgroup_memory_bytes = if first {
            other.cgroup_memory_bytes
        } else {
            both(self.cgroup_memory_bytes, other.cgroup_memory_bytes)
        };
        self.descriptors += other.descriptors;
        self.read_bytes += other.read_bytes;
        self.written_bytes += other.written_bytes;
        self.hidden += other.hidden;
    }
}

/// What the runs of a group use together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupUsageInfo {
    /// The group.
    pub name: String,
    /// How many of the workers that were asked for have a run.
    pub runs: u32,
    /// What these use.
    pub usage: UsageInfo,
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndedRunInfo {
    /// Its number.
    pub run: u64,
    /// When it ended.
    pub ended: Time,
    /// How long it lasted, in milliseconds, if its start is still known.
    pub lasted_ms: Option<u64>,
    /// How it ended: "exited with code 1".
    pub exit: String,
    /// What it used; none where the kernel did not tell.
    pub usage: Option<EndedUsageInfo>,
}

/// What the main process of a run used until its end, with the children that it waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndedUsageInfo {
    /// CPU time in its own code, in milliseconds.
    pub user_ms: u64,
    /// CPU time in the kernel, in milliseconds.
    pub system_ms: u64,
    /// The most memory that one of its processes had resident, in bytes; shared pages count whole.
    pub peak_resident_bytes: u64,
}
