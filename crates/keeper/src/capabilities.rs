//! What this machine lets us do, probed once: what `ganger doctor` shows.

use std::fmt;

use minicbor::{Decode, Encode};

/// What the kernel has and our rights allow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Capabilities {
    /// The release of the kernel.
    #[n(0)]
    pub kernel: String,
    /// The effective user.
    #[n(1)]
    pub uid: u32,
    /// Whether this is the first process of its PID namespace.
    #[n(2)]
    pub first_process: bool,
    /// Where a cgroup (v2) of ours can be made; none if nowhere, and why.
    #[n(3)]
    pub cgroup: Option<String>,
    /// Why there is no cgroup, empty if there is.
    #[n(4)]
    pub cgroup_missing: String,
    /// A whole cgroup can be killed at once.
    #[n(5)]
    pub cgroup_kill: bool,
    /// A process can be born into its cgroup.
    #[n(6)]
    pub clone3: bool,
    /// Processes have descriptors.
    #[n(7)]
    pub pidfd: bool,
    /// Such a descriptor tells the exit status of a process that was not our child.
    #[n(8)]
    pub pidfd_info: bool,
    /// Ranges of descriptors can be closed at once.
    #[n(9)]
    pub close_range: bool,
    /// The kernel lists the children of a process.
    #[n(10)]
    pub children: bool,
    /// The most descriptors that a process of ours may open.
    #[n(11)]
    pub open_files: u64,
    /// Orphans below us become our children.
    #[n(12)]
    pub subreaper: bool,
}
