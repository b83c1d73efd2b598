//! The overseer's hands: what it asks of the keeper, and what it holds for the runs.
//!
//! Requests that the socket does not take at once wait here. Spawns wait apart, so that only [`SPAWNS_MAX`] of them
//! are under way and a start of thousands needs no more descriptors than that at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;

use ganger_core::{Exit, Input, KnownRun, RunId, Scope};
use ganger_keeper::{Event, Handover, Launch, Link, Process, Request, RunReport};
use ganger_logs::Capture;
use ganger_spec::{Group, LogName, Signal, WorkerName};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::launch::Failure;
use crate::output::{Kept, Opened, Outputs};
use crate::readiness::{Source, register};
use crate::roster::Roster;
use crate::stdin::Stdins;

/// So many spawns are asked of the keeper before one is answered.
const SPAWNS_MAX: usize = 32;

/// What a run has as its stdin.
pub(crate) enum Reads {
    Nothing,
    /// What it is told.
    Pipe,
    /// The socket of its group.
    Socket(Rc<OwnedFd>),
}

/// What is held for the runs, and the line to the keeper.
pub(crate) struct Hands {
    link: AsyncFd<Source<Link>>,
    /// The same socket, while it takes nothing: waiting for that all the time would mean a wake-up for each message
    /// that the keeper reads.
    full: Option<AsyncFd<Source<OwnedFd>>>,
    /// All that the keeper said has been taken.
    heard: bool,
    waiting: VecDeque<(Request, Vec<Rc<OwnedFd>>)>,
    spawns: VecDeque<(RunId, WorkerName)>,
    under_way: BTreeSet<RunId>,
    runs: BTreeMap<RunId, WorkerName>,
    kills: BTreeMap<u64, WorkerName>,
    /// The commands of probes, by the names that the keeper has for them.
    probes: BTreeMap<RunId, String>,
    next_id: u64,
    /// What was to run at first has been started.
    have_begun: bool,
    null: Rc<OwnedFd>,
    pub(crate) outputs: Outputs,
    pub(crate) stdins: Stdins,
    roster: Roster,
}

impl Hands {
    pub(crate) fn new(link: Link, outputs: Outputs, stdins: Stdins, roster: Roster) -> io::Result<Self> {
        Ok(Self {
            link: register(link, Interest::READABLE)?,
            full: None,
            heard: true,
            waiting: VecDeque::new(),
            spawns: VecDeque::new(),
            under_way: BTreeSet::new(),
            runs: BTreeMap::new(),
            kills: BTreeMap::new(),
            probes: BTreeMap::new(),
            next_id: 1,
            have_begun: false,
            null: Rc::new(File::open("/dev/null")?.into()),
            outputs,
            stdins,
            roster,
        })
    }

    /// Says hello; the keeper holds the app's lock and the sockets from now on.
    pub(crate) fn greet(&mut self, lock: OwnedFd, sockets: Vec<OwnedFd>) {
        let kept = [lock].into_iter().chain(sockets).map(Rc::new).collect();
        self.send(Request::Hello { version: ganger_keeper::VERSION }, kept);
    }

    /// Asks for something; it is sent by the next [`Hands::flush`], after all that was asked before.
    pub(crate) fn ask(&mut self, request: Request) {
        self.waiting.push_back((request, Vec::new()));
    }

    /// A number for a request whose answer matters.
    pub(crate) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Wants this run started; [`Hands::next_spawn`] gives it out when its turn comes.
    pub(crate) fn want_spawn(&mut self, run: RunId, worker: WorkerName) {
        self.runs.insert(run, worker.clone());
        self.spawns.push_back((run, worker));
    }

    /// The next run to start, if one more may be under way.
    pub(crate) fn next_spawn(&mut self) -> Option<(RunId, WorkerName)> {
        if self.under_way.len() >= SPAWNS_MAX || !self.waiting.is_empty() {
            return None;
        }
        self.spawns.pop_front()
    }

    /// Whether a run was asked for that has not come to be yet, or failed to.
    pub(crate) fn is_spawning(&self) -> bool {
        !self.spawns.is_empty() || !self.under_way.is_empty()
    }

    /// To be asked when all that was to run has been started: whether that is so for the first time.
    pub(crate) fn have_just_begun(&mut self) -> bool {
        !std::mem::replace(&mut self.have_begun, true)
    }

    /// Captures what this run will write, and opens what it will read: the descriptors that its spawn
    /// needs, and whether they are those of a terminal.
    pub(crate) fn prepare(
        &mut self,
        run: RunId,
        worker: &WorkerName,
        launch: &Launch,
        (reads, kept): (Reads, &Kept),
        capture: &Capture,
    ) -> Result<(Vec<Rc<OwnedFd>>, bool), Failure> {
        let owner = launch.ids.as_ref().map(|ids| (ids.uid, ids.gid));
        let opened = self.outputs.open(worker, run.0, owner, kept, capture);
        let opened = opened.map_err(|error| Failure { hint: error.hint(), ..Failure::transient(error) })?;
        let pipes = match opened {
            Opened::Pipes(pipes) => pipes,
            Opened::Terminal(all) => return Ok((all.into(), true)),
        };
        let stdin = match reads {
            Reads::Nothing => Rc::clone(&self.null),
            Reads::Pipe => Rc::new(self.stdins.open(worker, owner).map_err(Failure::transient)?),
            Reads::Socket(socket) => socket,
        };
        Ok(([stdin].into_iter().chain(pipes).collect(), false))
    }

    /// Asks for the run.
    pub(crate) fn spawn(&mut self, run: RunId, worker: &WorkerName, launch: Launch, stdio: Vec<Rc<OwnedFd>>) {
        let id = self.id();
        self.under_way.insert(run);
        self.roster.asked(run, worker, &launch.tag);
        let run = ganger_keeper::RunId(run.0);
        self.send(Request::Spawn { id, run, worker: worker.to_string(), launch }, stdio);
    }

    /// Asks for the command of a probe, which reads nothing and writes to nobody.
    pub(crate) fn spawn_probe(&mut self, run: RunId, name: String, launch: Launch) {
        let (id, stdio) = (self.id(), vec![Rc::clone(&self.null); 3]);
        self.take_probe(run, name.clone());
        self.send(Request::Spawn { id, run: ganger_keeper::RunId(run.0), worker: name, launch }, stdio);
    }

    /// The keeper has the command of a probe.
    pub(crate) fn take_probe(&mut self, run: RunId, name: String) {
        self.probes.insert(run, name);
    }

    /// The command of a probe ended, and the keeper may forget it.
    pub(crate) fn forget_probe(&mut self, run: RunId) {
        self.ask(Request::Acknowledge { run: ganger_keeper::RunId(run.0) });
        if let Some(worker) = self.probes.remove(&run) {
            self.ask(Request::Release { worker });
        }
    }

    /// Kills all that is left of the command of a probe.
    pub(crate) fn kill(&mut self, run: RunId) {
        self.signal(run, Signal::KILL, Scope::Tree);
    }

    /// Sends a signal; a kill's answer names those that it hit.
    pub(crate) fn signal(&mut self, run: RunId, signal: Signal, scope: Scope) {
        let mut id = 0;
        if let (Signal::KILL, Scope::Tree, Some(worker)) = (signal, scope, self.runs.get(&run).cloned()) {
            id = self.id();
            self.kills.insert(id, worker);
        }
        let scope = match scope {
            Scope::Main => ganger_keeper::Scope::Main,
            Scope::Tree => ganger_keeper::Scope::Tree,
        };
        self.ask(Request::Signal { id, run: ganger_keeper::RunId(run.0), signal: signal.number(), scope });
    }

    /// The end of this run is accounted.
    pub(crate) fn acknowledge(&mut self, run: RunId) {
        self.runs.remove(&run);
        self.roster.forget(run);
        self.ask(Request::Acknowledge { run: ganger_keeper::RunId(run.0) });
    }

    /// What a worker that is no more wrote is stored: nothing is kept for it any more.
    pub(crate) fn stored(&mut self, log: &LogName, number: u64) {
        if !self.outputs.has_left(log, number) {
            return;
        }
        self.ask(Request::Release { worker: log.worker.to_string() });
        self.outputs.forget(log);
    }

    /// The keeper has this run.
    pub(crate) fn know(&mut self, run: RunId, worker: &WorkerName) {
        self.runs.insert(run, worker.clone());
    }

    /// The signal by which the run with this tag is stopped.
    pub(crate) fn stop_signal(&self, groups: &[Group], tag: &str) -> Signal {
        let run = tag.rsplit('/').next().and_then(|number| number.parse().ok()).map(RunId);
        let worker = run.and_then(|run| self.runs.get(&run));
        let group = worker.and_then(|worker| groups.iter().find(|group| group.name == worker.group));
        group.map_or(Signal::TERM, |group| group.stop.signal)
    }

    /// Whom a kill was meant for, once it is answered.
    pub(crate) fn killed(&mut self, id: u64) -> Option<WorkerName> {
        self.kills.remove(&id)
    }

    /// The run's spawn is answered; its worker.
    pub(crate) fn answered(&mut self, run: RunId) -> Option<WorkerName> {
        self.under_way.remove(&run);
        self.runs.get(&run).cloned()
    }

    /// Asks for something at once.
    fn send(&mut self, request: Request, fds: Vec<Rc<OwnedFd>>) {
        self.waiting.push_back((request, fds));
        // An error shows again, and is dealt with, when the line is next read.
        let _ = self.flush();
    }

    /// Sends what waits, as far as the socket takes it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while let Some((request, fds)) = self.waiting.front() {
            let link = &self.link.get_ref().0;
            let sent = if fds.is_empty() {
                let plain = self.waiting.iter().take_while(|(_, fds)| fds.is_empty());
                link.send_together(plain.map(|(request, _)| request))
            } else {
                let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
                link.send(request, &borrowed).map(|()| 1)
            };
            match sent {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.wait_for_room(),
                Err(error) => return Err(error),
            }
        }
        self.full = None;
        // The keeper was told first: as long as a pipe has its name, the next overseer will ask for the same.
        self.outputs.remove_forgotten();
        Ok(())
    }

    fn wait_for_room(&mut self) -> io::Result<()> {
        if self.full.is_none() {
            let socket = self.link.get_ref().0.as_fd().try_clone_to_owned()?;
            self.full = Some(register(socket, Interest::WRITABLE)?);
        }
        Ok(())
    }

    /// Whether something waits for the socket.
    pub(crate) fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What the keeper says next; none if nothing is there now.
    pub(crate) fn receive(&mut self) -> io::Result<Option<Event>> {
        let received = self.link.get_mut().0.receive()?;
        self.heard = received.is_none();
        let event = received.map(|(event, descriptors)| {
            if let Event::Terminal { worker } = &event {
                self.take_up(worker, descriptors);
            }
            event
        });
        if let Some(event) = &event {
            self.roster.hear(event);
        }
        Ok(event)
    }

    /// A worker has a terminal, of which one side came. Where it did not, since this process has too many descriptors, it
    /// goes on with that of the keeper's, and is taken up by the next overseer.
    fn take_up(&mut self, worker: &str, descriptors: Vec<OwnedFd>) {
        if let (Ok(worker), Some(side)) =
            (WorkerName::try_from(worker.to_owned()), descriptors.into_iter().next())
        {
            self.outputs.terminals.adopt(worker, side);
        }
    }

    /// The keeper told all that it knows.
    pub(crate) fn welcome(&mut self, runs: &[RunReport], cgroup: Option<PathBuf>) {
        self.roster.welcome(runs, cgroup);
    }

    /// Writes down who runs.
    pub(crate) fn write_roster(&mut self) -> io::Result<()> {
        self.roster.flush()
    }

    /// Nothing will write into or read from any pipe any more.
    pub(crate) fn forget_pipes(&self) {
        self.outputs.forget_pipes();
        self.stdins.remove_all();
    }

    /// The keeper is gone: what the next one begins with. What is in the pipes lives as long as that.
    pub(crate) fn into_handover(
        self,
        prefix: &str,
        lock: OwnedFd,
        expects: &BTreeMap<RunId, WorkerName>,
    ) -> Handover {
        let mut handover = self.roster.into_handover(prefix, lock, expects);
        handover.outputs = self.outputs.readers();
        handover
    }

    /// Until the keeper says something, or takes something while it is behind.
    pub(crate) async fn ready(&self) -> io::Result<()> {
        if !self.heard {
            return Ok(());
        }
        match &self.full {
            None => self.link.readable().await?.clear_ready(),
            Some(full) => tokio::select! {
                guard = self.link.readable() => guard?.clear_ready(),
                guard = full.writable() => guard?.clear_ready(),
            },
        }
        Ok(())
    }
}

/// What the keeper says of a run, as core takes it.
pub(crate) fn known_run(report: &RunReport) -> Option<KnownRun> {
    Some(KnownRun {
        run: RunId(report.run.0),
        worker: WorkerName::try_from(report.worker.clone()).ok()?,
        pid: report.pid,
        exit: report.exit.map(exit),
        leftovers: !report.leftovers.is_empty(),
    })
}

/// How a run ended, as core takes it.
pub(crate) fn exit(exit: ganger_keeper::Exit) -> Exit {
    match exit {
        ganger_keeper::Exit::Code(code) => Exit::Code(code),
        ganger_keeper::Exit::Signal(number) => {
            Signal::from_number(number).map_or(Exit::Unknown, Exit::Signal)
        }
        ganger_keeper::Exit::Unknown => Exit::Unknown,
    }
}

/// The end of a run, as core takes it.
pub(crate) fn exited(run: ganger_keeper::RunId, how: ganger_keeper::Exit, leftovers: &[Process]) -> Input {
    Input::Exited { run: RunId(run.0), exit: exit(how), leftovers: !leftovers.is_empty() }
}

/// Processes in a sentence: `sleep (123), sh (124)`.
pub(crate) fn listed(processes: &[Process]) -> String {
    processes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
