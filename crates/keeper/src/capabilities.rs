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
    /// A line each: a name, two spaces or more, what there is, and what follows from what is missing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |there: bool, missing: &str| {
            if there { "yes".to_owned() } else { format!("no: {missing}") }
        };
        let user = match self.uid {
            0 => "0: workers may run as any user".to_owned(),
            uid => format!("{uid}: workers run as this user and no other"),
        };
        let cgroup = match &self.cgroup {
            Some(path) => path.clone(),
            None => format!(
                "no: {}; a worker's processes are found by parent, session and tag instead",
                self.cgroup_missing
            ),
        };
        let lines = [
            ("kernel", self.kernel.clone()),
            ("user", user),
            (
                "first process",
                if self.first_process { "yes: every orphan is reaped" } else { "no" }.to_owned(),
            ),
            ("cgroup", cgroup),
            ("cgroup.kill", has(self.cgroup_kill, "a worker's processes are killed one by one")),
            ("clone3", has(self.clone3, "a process joins its cgroup only after it is made, which is slower")),
            ("pidfd", has(self.pidfd, "a process is known by its number and start time alone")),
            ("pidfd exit info", has(self.pidfd_info, "only a parent learns how a process ended")),
            (
                "close_range",
                has(self.close_range, "workers inherit the descriptors that ganger was started with"),
            ),
            ("children list", has(self.children, "all of /proc is searched for a worker's processes")),
            ("subreaper", has(self.subreaper, "a process whose parent ended may escape")),
            ("open files", self.open_files.to_string()),
        ];
        let lines = lines.map(|(name, value)| format!("{name:<15}  {value}"));
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_what_follows_from_it() {
        let none = Capabilities {
            kernel: "4.18".to_owned(),
            uid: 1000,
            cgroup_missing: "no cgroup2 file system is mounted".to_owned(),
            open_files: 1024,
            ..Capabilities::default()
        };
        let text = none.to_string();
        let cgroup = "cgroup           no: no cgroup2 file system is mounted; a worker's processes are found";
        assert!(text.contains(cgroup), "{text}");
        assert!(text.contains("user             1000: workers run as this user and no other\n"), "{text}");
        assert!(text.ends_with("open files       1024"), "{text}");
        assert_eq!(text.lines().filter(|line| line.contains("  no: ")).count(), 8, "{text}");
    }

    #[test]
    fn every_line_is_a_name_and_a_value_with_two_spaces_between() {
        let text = capabilities().to_string();
        assert_eq!(text.lines().count(), 12);
        for line in text.lines() {
            let (name, value) = line.split_once("  ").unwrap();
            assert!(!name.ends_with(' ') && !value.trim().is_empty(), "{line}");
        }
    }

    #[test]
    fn what_is_probed_here_is_so() {
        let found = capabilities();
        assert_eq!(found.uid, geteuid().as_raw());
        assert!(!found.first_process);
        assert_eq!(found.cgroup.is_some(), found.cgroup_missing.is_empty());
        assert!(found.cgroup.is_some() || !found.cgroup_kill);
        // Whatever this builds on has these.
        assert!(found.pidfd && found.subreaper && found.close_range && found.open_files > 0, "{found:?}");
        // The probe for a cgroup leaves nothing behind.
        assert!(found.cgroup.is_none_or(|path| !Path::new(&path).exists()));
    }
}
