//! What this machine lets us do, probed once: what `ganger doctor` shows.

use std::fmt;
use std::path::Path;

use minicbor::{Decode, Encode};
use rustix::process::{Pid, PidfdFlags, Resource, geteuid, getpid, getrlimit, pidfd_open};
use rustix::system::uname;

use crate::cgroup::Cgroups;
use crate::sys::{self, signals::become_subreaper};

/// What the kernel has and our rights allow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::struct_excessive_bools, reason = "each is the answer to a question of its own")]
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

/// The variable that forbids cgroups.
const NO_CGROUP: &str = "GANGER_NO_CGROUP";

/// An error says that cgroups are not wanted.
pub(crate) fn wants_cgroup() -> Result<(), String> {
    match std::env::var_os(NO_CGROUP) {
        Some(value) if !value.is_empty() && value != "0" => Err(format!("{NO_CGROUP} is set")),
        Some(_) | None => Ok(()),
    }
}

/// Probes for `ganger doctor`, as a keeper would when it starts.
pub fn capabilities() -> Capabilities {
    probe(&wants_cgroup().and_then(|()| Cgroups::create()))
}

/// Probes; the attempt to make a cgroup is made already.
pub(crate) fn probe(cgroups: &Result<Cgroups, String>) -> Capabilities {
    let own = getpid();
    let pidfd = pidfd_open(own, PidfdFlags::empty()).ok();
    Capabilities {
        kernel: uname().release().to_string_lossy().into_owned(),
        uid: geteuid().as_raw(),
        first_process: own == Pid::INIT,
        cgroup: cgroups.as_ref().ok().map(|cgroups| cgroups.root().display().to_string()),
        cgroup_missing: cgroups.as_ref().err().cloned().unwrap_or_default(),
        cgroup_kill: cgroups.as_ref().is_ok_and(Cgroups::can_kill),
        clone3: sys::probes::has_clone3(),
        pidfd_info: pidfd.as_ref().is_some_and(sys::probes::has_pidfd_info),
        pidfd: pidfd.is_some(),
        close_range: sys::probes::has_close_range(),
        children: Path::new("/proc/thread-self/children").exists(),
        open_files: getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX),
        subreaper: become_subreaper().is_ok(),
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |there: bool| if there { "yes" } else { "no" };
        writeln!(f, "kernel          {}", self.kernel)?;
        writeln!(f, "user            {}", self.uid)?;
        writeln!(f, "first process   {}", has(self.first_process))?;
        match &self.cgroup {
            Some(path) => writeln!(f, "cgroup          {path}")?,
            None => writeln!(f, "cgroup          no: {}", self.cgroup_missing)?,
        }
        writeln!(f, "cgroup.kill     {}", has(self.cgroup_kill))?;
        writeln!(f, "clone3          {}", has(self.clone3))?;
        writeln!(f, "pidfd           {}", has(self.pidfd))?;
        writeln!(f, "pidfd exit info {}", has(self.pidfd_info))?;
        writeln!(f, "close_range     {}", has(self.close_range))?;
        writeln!(f, "children list   {}", has(self.children))?;
        writeln!(f, "subreaper       {}", has(self.subreaper))?;
        write!(f, "open files      {}", self.open_files)
    }
}
