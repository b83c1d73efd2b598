//! A keeper's beginning with runs that live already: what it takes over, and how that is passed on to a process that
//! becomes the keeper by executing its program.
//!
//! Three ways lead here. The keeper was killed, and its overseer becomes the next one in place. All of ganger's
//! processes were killed, and the next start found the survivors. A keeper executes another program over itself: then
//! the runs are its children still, which it sees by itself.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use minicbor::{Decode, Encode};
use rustix::fs::fstat;
use rustix::io::{FdFlags, fcntl_setfd};

use crate::codec;
use crate::link::{DESCRIPTOR_VARIABLE, sealed, unsealed};
use crate::protocol::{BODY_MAX, Exit, Process, RunId, Usage, VERSION};
use crate::sys::descriptors::{self, OpenFiles};

/// The variable that tells a keeper which descriptor holds what it begins with.
pub(crate) const HANDOVER_VARIABLE: &str = "GANGER_HANDOVER_FD";

/// What a keeper begins with.
#[derive(Debug, Default)]
pub struct Handover {
    /// Every run that is not forgotten.
    pub runs: Vec<HandedRun>,
    /// The directory of the runs' cgroups, if they have any.
    pub cgroup: Option<PathBuf>,
    /// What each overseer finds with [`crate::Link::take_kept`]: at most [`crate::KEPT_MAX`].
    pub kept: Vec<OwnedFd>,
    /// A descriptor of the output of each worker, by its name: what was written and not read lives as long as this.
    pub outputs: Vec<(String, OwnedFd)>,
    /// Descriptors of main processes, opened while they certainly lived: with them a status is known that nobody waited
    /// for.
    pub processes: Vec<(RunId, OwnedFd)>,
}

/// A run that is handed over.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HandedRun {
    /// The run.
    #[n(0)]
    pub run: RunId,
    /// The worker it was started for.
    #[n(1)]
    pub worker: String,
    /// Its main process.
    #[n(2)]
    pub pid: u32,
    /// When that started, in clock ticks since the machine booted.
    #[n(3)]
    pub started: u64,
    /// The tag in the environment of its processes.
    #[n(4)]
    pub tag: String,
    /// How the main process ended, if it did and that was not accounted, or left others behind.
    #[n(5)]
    pub exit: Option<Exit>,
    /// What it used; zero while it lives.
    #[n(6)]
    pub usage: Usage,
    /// Once the main process ended: processes of its tree that were alive then.
    #[n(7)]
    pub leftovers: Vec<Process>,
}

/// The same as it is written down. Descriptors are numbers, which stay as they are.
#[derive(Encode, Decode)]
struct Table {
    #[n(0)]
    version: u16,
    #[n(1)]
    runs: Vec<HandedRun>,
    /// Empty if there is none.
    #[cbor(n(2), with = "codec::os_string")]
    cgroup: PathBuf,
    #[n(3)]
    kept: Vec<RawFd>,
    #[n(4)]
    outputs: Vec<(String, RawFd)>,
    #[n(5)]
    processes: Vec<(RunId, RawFd)>,
    /// The limits of open descriptors that runs are to start with.
    #[n(6)]
    open_files: Option<(u64, u64)>,
}

/// Whether this process was handed runs by the program before it: then [`crate::keep`] goes on with them.
pub fn is_handed_over() -> bool {
    std::env::var_os(HANDOVER_VARIABLE).is_some()
}

impl Handover {
    /// Becomes the keeper that goes on with this: executes a program that calls [`crate::keep`] in place of this
    /// process. Gives the error if that fails; nothing has changed then.
    pub fn execute(&self, program: &Path, args: &[OsString]) -> io::Error {
        match self.written().and_then(|table| self.inherit(&table).map(|()| table)) {
            Ok(table) => Command::new(program)
                .args(args)
                .env_remove(DESCRIPTOR_VARIABLE)
                .env(HANDOVER_VARIABLE, table.as_raw_fd().to_string())
                .exec(),
            Err(error) => error,
        }
    }

    fn written(&self) -> io::Result<OwnedFd> {
        let number = AsRawFd::as_raw_fd;
        let table = Table {
            version: VERSION,
            runs: self.runs.clone(),
            cgroup: self.cgroup.clone().unwrap_or_default(),
            kept: self.kept.iter().map(number).collect(),
            outputs: self.outputs.iter().map(|(worker, one)| (worker.clone(), number(one))).collect(),
            processes: self.processes.iter().map(|(run, one)| (*run, number(one))).collect(),
            open_files: Some(descriptors::limits_at_birth()),
        };
        sealed(&minicbor::to_vec(table).map_err(io::Error::other)?)
    }

    /// Lets the next program have all descriptors.
    fn inherit(&self, table: &OwnedFd) -> io::Result<()> {
        let outputs = self.outputs.iter().map(|(_, one)| one);
        let processes = self.processes.iter().map(|(_, one)| one);
        let all = self.kept.iter().chain(outputs).chain(processes).chain([table]);
        for one in all {
            fcntl_setfd(one.as_fd(), FdFlags::empty())?;
        }
        Ok(())
    }

    /// What this process was handed, if it was, and the limits of open descriptors for its runs.
    pub(crate) fn from_env() -> io::Result<Option<(Self, Option<OpenFiles>)>> {
        let Ok(number) = std::env::var(HANDOVER_VARIABLE) else { return Ok(None) };
        let wrong =
            |what: &str| io::Error::new(ErrorKind::InvalidData, format!("{HANDOVER_VARIABLE}: {what}"));
        let number = number.parse().map_err(|_| wrong("no number"))?;
        let [table] = <[OwnedFd; 1]>::try_from(descriptors::handed_down(&[number])?)
            .map_err(|_| wrong("no descriptor"))?;
        let length = usize::try_from(fstat(&table)?.st_size).unwrap_or(usize::MAX);
        if length > BODY_MAX {
            return Err(wrong("too long"));
        }
        let bytes = unsealed(&table, length)?;
        let table: Table =
            minicbor::decode(&bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        if table.version == 0 {
            return Err(wrong("a version that makes no sense"));
        }
        let outputs: Vec<RawFd> = table.outputs.iter().map(|(_, number)| *number).collect();
        let processes: Vec<RawFd> = table.processes.iter().map(|(_, number)| *number).collect();
        let [kept, outputs, processes] =
            [&table.kept, &outputs, &processes].map(|all| descriptors::handed_down(all));
        let handover = Self {
            runs: table.runs,
            cgroup: Some(table.cgroup).filter(|path| !path.as_os_str().is_empty()),
            kept: kept?,
            outputs: table.outputs.into_iter().map(|(worker, _)| worker).zip(outputs?).collect(),
            processes: table.processes.into_iter().map(|(run, _)| run).zip(processes?).collect(),
        };
        Ok(Some((handover, table.open_files)))
    }
}
