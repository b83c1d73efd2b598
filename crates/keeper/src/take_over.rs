//! Taking over runs that live already.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::os::fd::OwnedFd;

use crate::adopted::{Adopted, open};
use crate::handover::HandedRun;
use crate::processes::Snapshot;
use crate::protocol::{Exit, RunId, Usage};
use crate::runs::{End, Hold, Run};
use crate::sys::pidfd;
use crate::trees::Trees;

impl Trees {
    /// Enters runs that another keeper started, or this process before it executed this program. Nobody is told of ends
    /// that are found: the overseer that comes is told of all that there is.
    pub(crate) fn take_over(
        &mut self,
        runs: Vec<HandedRun>,
        processes: Vec<(RunId, OwnedFd)>,
    ) -> io::Result<()> {
        let mut processes: BTreeMap<RunId, OwnedFd> = processes.into_iter().collect();
        for handed in runs {
            let process = processes.remove(&handed.run);
            self.take_over_one(handed, process)?;
        }
        Ok(())
    }

    fn take_over_one(&mut self, handed: HandedRun, process: Option<OwnedFd>) -> io::Result<()> {
        let HandedRun { run: id, worker, pid, started, tag, exit, usage, leftovers, .. } = handed;
        let HandedRun { condemned, acknowledged, seen, is_child, .. } = handed;
        // A number is given again to the main process of no other run, but a table may be wrong.
        if id.0 == 0 || self.runs.refuses(id, &worker) {
            return Ok(());
        }
        let main = Snapshot::of(pid).filter(|main| main.started == started);
        let is_ours = main.as_ref().map_or(is_child, |main| main.parent == std::process::id());
        let adopted = !is_ours;
        let held = self.cgroups.as_ref().is_some_and(|cgroups| cgroups.has(id));
        let hold =
            if held { Hold::Cgroup } else { Hold::Walk { seen: seen.into_iter().collect::<HashSet<_>>() } };
        let end = exit.map(|exit| End { exit, usage, leftovers, empty: false });
        let ended = end.is_some();
        self.runs.add(
            id,
            Run {
                worker: worker.into(),
                pid,
                started,
                tag: tag.into_bytes().into(),
                hold,
                adopted,
                end,
                condemned,
                acknowledged,
            },
        );
        if adopted && self.adopted.is_none() {
            self.adopted = Some(Adopted::new()?);
        }
        if ended {
            if held && let Some(cgroups) = &mut self.cgroups {
                // Where it cannot be watched, the next end of an orphan makes us look again.
                let _ = cgroups.watch(id);
            }
            self.recheck();
        } else if adopted {
            self.watch_main(id, process, (pid, started))?;
        }
        Ok(())
    }

    /// A descriptor that was opened in time tells how it ended even if that is long ago.
    fn watch_main(&mut self, id: RunId, process: Option<OwnedFd>, identity: (u32, u64)) -> io::Result<()> {
        match (process.or_else(|| open(identity)), &mut self.adopted) {
            (Some(process), Some(adopted)) => Ok(adopted.add(id, process, identity)?),
            (process, _) => {
                let exit = process.and_then(|process| pidfd::exit(std::os::fd::AsFd::as_fd(&process)));
                self.main_ended(id, exit.unwrap_or(Exit::Unknown), Usage::default());
                Ok(())
            }
        }
    }
}
