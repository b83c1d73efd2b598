//! The process tree of each run: who is in it, and how a signal reaches all of it.
//!
//! With a cgroup the kernel knows. Without one, a run's tree is its main process with all below it, and each orphan
//! (the keeper is the subreaper: orphans become its children) that shares the run's session or group, carries its
//! tag in the environment, or was seen in the tree before. What escapes all of that is a stranger, and is swept.
//!
//! Signals go to process numbers. For our own children that is safe, since the number of a child is not used again
//! before we reap it; others are compared by their start time just before.

use std::collections::{BTreeSet, HashMap, HashSet};

use rustix::io::Errno;

use crate::TAG_VARIABLE;
use crate::adopted::{self, Adopted, Change};
use crate::cgroup::Cgroups;
use crate::processes::{self, Snapshot};
use crate::protocol::{Exit, Process, RunId, Usage};
use crate::runs::{End, Hold, Run, Runs, named};
use crate::sys::signals;
use crate::sys::wait::{Ended, is_stopped};

/// How often a tree is looked at again for processes that were forked while it was being signalled. A process to
/// which a kill was sent forks no more, so that each look finds fewer.
const PASSES_MAX: u32 = 64;

/// Signals that ask to end: a stopped process is woken up so that it can.
const ENDING: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];

/// Who got a signal, and why not everybody did.
pub(crate) struct Reached {
    pub(crate) processes: Vec<Process>,
    pub(crate) errno: Option<Errno>,
}

/// The runs and what belongs to them.
pub(crate) struct Trees {
    pub(crate) runs: Runs,
    pub(crate) cgroups: Option<Cgroups>,
    /// Not a stranger, though a child of ours.
    pub(crate) overseer: Option<u32>,
    /// Nor are those that an upgrade needs.
    pub(crate) helpers: BTreeSet<u32>,
    /// Watches what is no child of ours; none while there is nothing to watch.
    pub(crate) adopted: Option<Adopted>,
    /// Cgroups in which nothing is listed any more, but which the kernel does not yet let go.
    litter: Vec<RunId>,
    /// Runs whose main process got a signal that is for the whole tree. The others get it when nothing else is to be done:
    /// most runs have no others, and most of those that obey are over by then.
    half_told: BTreeSet<(RunId, i32)>,
}

impl Trees {
    /// None yet.
    pub(crate) fn new(cgroups: Option<Cgroups>) -> Self {
        Self {
            runs: Runs::default(),
            cgroups,
            overseer: None,
            helpers: BTreeSet::new(),
            adopted: None,
            litter: Vec::new(),
            half_told: BTreeSet::new(),
        }
    }

    /// Our children that are neither a run nor the overseer: orphans of some run.
    fn strangers(&self) -> Vec<Snapshot> {
        let known =
            |pid: &u32| self.runs.is_main(*pid) || self.overseer == Some(*pid) || self.helpers.contains(pid);
        let children = processes::children(std::process::id());
        children.into_iter().filter(|pid| !known(pid)).filter_map(Snapshot::of).collect()
    }

    /// Every live process of a run.
    fn members(&self, id: RunId) -> Vec<Snapshot> {
        match (self.runs.get(id), &self.cgroups) {
            (Some(Run { hold: Hold::Cgroup, .. }), Some(cgroups)) => cgroups.members(id),
            (Some(run), _) => {
                let main = run.end.is_none().then_some(run.pid).filter(|_| run.is_same());
                let orphans = if run.adopted {
                    processes::everybody().filter_map(Snapshot::of).collect()
                } else {
                    self.strangers()
                };
                let orphans = orphans.into_iter().filter(|stranger| belongs(run, stranger));
                processes::with_descendants(main.into_iter().chain(orphans.map(|orphan| orphan.pid)))
            }
            (None, _) => Vec::new(),
        }
    }

    /// Sends a signal to the main process alone.
    pub(crate) fn signal_main(&self, id: RunId, signal: i32) -> Reached {
        match self.runs.get(id).filter(|run| run.end.is_none() && run.is_same()) {
            Some(run) => deliver_to_main(run, signal),
            None => Reached { processes: Vec::new(), errno: Some(Errno::SRCH) },
        }
    }

    /// Whether a run is nothing but its main process, as the kernel tells.
    fn is_alone(&self, id: RunId) -> bool {
        let main = self.runs.get(id).filter(|run| run.end.is_none() && matches!(run.hold, Hold::Cgroup));
        let lone = self.cgroups.as_ref().and_then(|cgroups| cgroups.lone_member(id));
        main.is_some_and(|main| lone == Some(main.pid))
    }

    /// Sends a signal to every process of a run. A kill is repeated for those that are born meanwhile; any other
    /// signal leaves them to the kill that follows when it is not obeyed.
    pub(crate) fn signal_tree(&mut self, id: RunId, signal: i32) -> Reached {
        // Without a cgroup, those who lose their parent over it must be known before.
        let held = self.runs.get(id).is_some_and(|run| matches!(run.hold, Hold::Cgroup) && run.end.is_none());
        if signal == libc::SIGKILL || !held {
            let reached = self.signal_members(id, signal, |_| true);
            // Without a free descriptor nobody can be listed, and the main process is there all the same.
            return if reached.processes.is_empty() { self.signal_main(id, signal) } else { reached };
        }
        self.half_told.insert((id, signal));
        self.signal_main(id, signal)
    }

    /// Whether somebody has not got yet what the main process of the tree has.
    pub(crate) fn is_half_told(&self) -> bool {
        !self.half_told.is_empty()
    }

    /// Gives to the rest of some trees what their main processes got.
    pub(crate) fn tell_rest(&mut self, most: usize) {
        for _ in 0..most {
            let Some((id, signal)) = self.half_told.pop_first() else { return };
            let Some(run) = self.runs.get(id).filter(|run| run.is_live()) else { continue };
            let main = run.pid;
            if !self.is_alone(id) {
                self.signal_members(id, signal, |member| member.pid != main);
            }
        }
    }

    fn signal_members(&mut self, id: RunId, signal: i32, is_meant: impl Fn(&Snapshot) -> bool) -> Reached {
        let kill = signal == libc::SIGKILL;
        let mut reached = HashMap::new();
        let mut errno = None;
        for _ in 0..if kill { PASSES_MAX } else { 1 } {
            let mut members = self.members(id);
            members.retain(|member| is_meant(member) && !reached.contains_key(&member.identity()));
            if members.is_empty() {
                break;
            }
            let at_once = kill && self.kill_cgroup(id);
            for member in members {
                match if at_once { Ok(()) } else { deliver(&member, signal) } {
                    Ok(()) | Err(Errno::SRCH) => {}
                    Err(reason) => errno = Some(reason),
                }
                reached.insert(member.identity(), member);
            }
        }
        self.remember(id, kill, reached.keys().copied());
        Reached { processes: named(reached.values()), errno }
    }

    fn kill_cgroup(&self, id: RunId) -> bool {
        let held = self.runs.get(id).is_some_and(|run| matches!(run.hold, Hold::Cgroup));
        held && self.cgroups.as_ref().is_some_and(|cgroups| cgroups.kill(id))
    }

    /// Members that lose their parent over this signal, or have lost it, are known by it afterwards.
    fn remember(&mut self, id: RunId, kill: bool, members: impl Iterator<Item = (u32, u64)>) {
        let Some(run) = self.runs.get_mut(id) else { return };
        run.condemned |= kill;
        let main = run.pid;
        if let Hold::Walk { seen } = &mut run.hold {
            seen.extend(members.filter(|(pid, _)| *pid != main));
        }
    }

    /// Notes the end of a child. The run, if it was the main process of one.
    pub(crate) fn ended(&mut self, ended: &Ended) -> Option<RunId> {
        let id = self.runs.take_pid(ended.pid)?;
        let Ended { exit, usage, .. } = *ended;
        self.main_ended(id, exit, usage)
    }

    /// Notes what happened to processes that are no children of ours: runs whose main process ended.
    pub(crate) fn hear_adopted(&mut self) -> Vec<RunId> {
        let changes = self.adopted.as_mut().map(Adopted::changes).unwrap_or_default();
        let ended = changes.into_iter().filter_map(|change| match change {
            Change::Ended(run, exit) => self.main_ended(run, exit, Usage::default()),
            Change::Left => None,
        });
        ended.collect()
    }

    pub(crate) fn main_ended(&mut self, id: RunId, exit: Exit, usage: Usage) -> Option<RunId> {
        let run = self.runs.get_mut(id)?;
        run.end = Some(End { exit, usage, leftovers: Vec::new(), empty: false });
        let leftovers = self.leftovers(id);
        self.remember(id, false, leftovers.iter().map(Snapshot::identity));
        if leftovers.is_empty() {
            self.runs.emptied(id);
        } else if let Some(end) = self.runs.get_mut(id).and_then(|run| run.end.as_mut()) {
            end.leftovers = named(&leftovers);
        }
        self.kill_late(id);
        Some(id)
    }

    /// What lives on of a run whose main process ended. An empty cgroup is removed, another one watched.
    fn leftovers(&mut self, id: RunId) -> Vec<Snapshot> {
        let held = self.runs.get(id).is_some_and(|run| matches!(run.hold, Hold::Cgroup));
        let Some(cgroups) = self.cgroups.as_mut().filter(|_| held) else {
            let members = self.members(id);
            self.watch_left(id, &members);
            return members;
        };
        if cgroups.remove(id) {
            return Vec::new();
        }
        // Where it cannot be watched, the next end of an orphan makes us look again.
        let _ = cgroups.watch(id);
        // It may have got empty before it was watched.
        if cgroups.remove(id) {
            return Vec::new();
        }
        let members = cgroups.members(id);
        if members.is_empty() {
            self.litter.push(id);
        }
        members
    }

    /// The end of an orphan that is no child of ours is not told: it is watched.
    fn watch_left(&mut self, id: RunId, members: &[Snapshot]) {
        if self.runs.get(id).is_some_and(|run| run.adopted)
            && let Some(adopted) = &mut self.adopted
        {
            adopted.add_left(members);
        }
    }

    /// Kills what turns up in a tree that was killed.
    fn kill_late(&mut self, id: RunId) {
        if self.runs.get(id).is_some_and(|run| run.condemned && run.is_live()) {
            self.signal_tree(id, libc::SIGKILL);
        }
    }

    /// Looks again at runs that had left something. Those of which nothing lives any more.
    pub(crate) fn recheck(&mut self) -> Vec<RunId> {
        if let Some(cgroups) = &self.cgroups {
            cgroups.quiet();
            self.litter.retain(|id| !cgroups.remove(*id));
        }
        let mut emptied = Vec::new();
        for id in self.runs.unempty() {
            let held = self.runs.get(id).is_some_and(|run| matches!(run.hold, Hold::Cgroup));
            let gone = match &self.cgroups {
                Some(cgroups) if held => cgroups.remove(id),
                Some(_) | None => {
                    let members = self.members(id);
                    self.watch_left(id, &members);
                    members.is_empty()
                }
            };
            if gone {
                self.runs.emptied(id);
                emptied.push(id);
            } else {
                self.kill_late(id);
            }
        }
        emptied
    }

    /// Kills every process below us that belongs to no run and is not the overseer.
    pub(crate) fn sweep(&self) -> Vec<Process> {
        let live = self.runs.live();
        let live: Vec<&Run> = live.iter().filter_map(|id| self.runs.get(*id)).collect();
        let mut killed = HashMap::new();
        for _ in 0..PASSES_MAX {
            let strangers = self.strangers().into_iter();
            let nobodys = strangers.filter(|stranger| !self.is_held(stranger));
            let nobodys = nobodys.filter(|stranger| !live.iter().any(|run| belongs(run, stranger)));
            let mut found = processes::with_descendants(nobodys.map(|stranger| stranger.pid));
            found.retain(|process| !killed.contains_key(&process.identity()));
            if found.is_empty() {
                break;
            }
            for process in found {
                // One that ended by itself meanwhile is as gone as one that was killed.
                let _ = process.signal(libc::SIGKILL);
                killed.insert(process.identity(), process);
            }
        }
        named(killed.values())
    }

    /// Whether a process is in the cgroup of a run of which something lives.
    fn is_held(&self, process: &Snapshot) -> bool {
        let run = self.cgroups.as_ref().and_then(|cgroups| cgroups.run_of(process.pid));
        run.and_then(|id| self.runs.get(id)).is_some_and(Run::is_live)
    }

    /// Kills every run that is no child of ours. Whether any main process of them lives.
    pub(crate) fn kill_adopted(&mut self) -> bool {
        for id in self.runs.live() {
            if self.runs.get(id).is_some_and(|run| run.adopted) {
                self.signal_tree(id, libc::SIGKILL);
            }
        }
        self.hear_adopted();
        self.adopted.as_ref().is_some_and(|adopted| !adopted.is_over())
    }

    /// Kills all that is below this process, the overseer too, and everything in its cgroups. To be repeated until
    /// no child is left.
    pub(crate) fn kill_everything(&self, hit: &mut HashSet<(u32, u64)>) {
        if let Some(cgroups) = &self.cgroups {
            cgroups.kill_all();
        }
        kill_descendants(hit);
    }
}

/// Kills all that is below this process and not among `hit` yet, which they join. Those that were killed.
pub(crate) fn kill_descendants(hit: &mut HashSet<(u32, u64)>) -> Vec<Snapshot> {
    let mut killed = Vec::new();
    for _ in 0..PASSES_MAX {
        let mut found = processes::with_descendants(processes::children(std::process::id()));
        found.retain(|process| hit.insert(process.identity()));
        if found.is_empty() {
            break;
        }
        for process in found {
            if process.signal(libc::SIGKILL).is_ok() {
                killed.push(process);
            }
        }
    }
    killed
}

/// Sends a signal to the main process of a run that has not ended. The number of a child is its own until we reap it;
/// that of an adopted one may pass to a stranger at any time.
fn deliver_to_main(main: &Run, signal: i32) -> Reached {
    let is_stopped = || {
        if main.adopted {
            Snapshot::of(main.pid).is_some_and(|now| now.is_stopped())
        } else {
            is_stopped(main.pid)
        }
    };
    let send = |signal| {
        if main.adopted {
            adopted::send((main.pid, main.started), signal)
        } else {
            signals::send(main.pid, signal)
        }
    };
    let wakes = ENDING.contains(&signal) && is_stopped();
    match send(signal).and_then(|()| if wakes { send(libc::SIGCONT) } else { Ok(()) }) {
        Ok(()) => Reached { processes: vec![Process { pid: main.pid, name: String::new() }], errno: None },
        Err(errno) => Reached { processes: Vec::new(), errno: Some(errno) },
    }
}

/// Sends a signal to a process that was seen this very moment.
fn deliver(process: &Snapshot, signal: i32) -> Result<(), Errno> {
    // The number of a child is its own until we reap it; any other may pass to a stranger at any time.
    let is_child = process.parent == std::process::id();
    let send = |signal| {
        if is_child { signals::send(process.pid, signal) } else { adopted::send(process.identity(), signal) }
    };
    send(signal)?;
    if ENDING.contains(&signal) && process.is_stopped() {
        send(libc::SIGCONT)?;
    }
    Ok(())
}

fn belongs(run: &Run, stranger: &Snapshot) -> bool {
    let (Hold::Walk { seen }, tag) = (&run.hold, &run.tag) else { return false };
    // The number of a run that is not ours to reap may have passed to a stranger, who leads a session by it.
    let is_own = !run.adopted || Snapshot::of(run.pid).is_none_or(|main| main.started == run.started);
    // The number is 0 where nobody saw the main process, as are session and group of who came from another namespace.
    is_own && run.pid != 0 && (stranger.session == run.pid || stranger.group == run.pid)
        || seen.contains(&stranger.identity())
        || (!tag.is_empty()
            && processes::variable(stranger.pid, TAG_VARIABLE).is_some_and(|value| *value == **tag))
}
