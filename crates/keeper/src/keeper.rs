//! The keeper's life: wait for a signal, a request or an emptied cgroup, act on it, wait again. It has one thread
//! and never waits for one child.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::alarm::Alarm;
use crate::capabilities::{self, Capabilities};
use crate::cgroup::Cgroups;
use crate::guard::{self, Duty};
use crate::handover::{Baggage, Handover};
use crate::link::{Letter, Message};
use crate::manager::Manager;
use crate::overseer::{Overseer, OverseerCommand};
use crate::patience::Patience;
use crate::processes;
use crate::protocol::{Event, Launch, MESSAGES_MAX, Process, Request, RunId, Scope, Step, VERSION};
use crate::runs::{Hold, Run};
use crate::sys::Failure;
use crate::sys::descriptors::{self, OpenFiles};
use crate::sys::program::{forget_beginning, take_own_name};
use crate::sys::signals::{self, Set};
use crate::sys::spawn::{Session, Setting, Spawner};
use crate::sys::wait::{Ended, Reaped, reap};
use crate::trees::{Reached, Trees};
use crate::upgrade::{Stage, Upgraded};

/// Signals that arrive on a descriptor.
const HEARD: [i32; 7] =
    [libc::SIGCHLD, libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];
/// How long killed processes may take to be gone before the keeper ends without them: they are stuck in the kernel.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// Requests taken before other things get their turn.
const REQUESTS_MAX: usize = 64;
/// Children reaped before the overseer is told of them: it accounts those while we reap the next.
const REAPED_MAX: usize = 16;
/// So many of the highest descriptors are no run's: with them a keeper at its limit can still answer, look at
/// processes and start an overseer.
const SPARE: u64 = 8;
/// Trees whose rest is told of a signal before other things get their turn.
const TREES_MAX: usize = 16;
/// Answers that go out together: the overseer prepares the next runs while we still start those before.
const ANSWERS_TOGETHER: usize = 8;
/// The status when not even the beginning works.
const CANNOT_BEGIN: u8 = 70;

/// The keeper's whole life: starts the overseer, keeps the runs that it asks for, and gives the status to exit with
/// when all is over. Call it early, in a process with one thread.
pub fn keep(overseer: OverseerCommand) -> u8 {
    keep_patiently(overseer, Patience::default())
}

/// The same with other bounds for its waits.
pub fn keep_patiently(overseer: OverseerCommand, patience: Patience) -> u8 {
    let handed = Handover::from_env().and_then(|handed| {
        let (mut handover, baggage) = handed.unwrap_or_default();
        Ok((guard::stand_by(&mut handover, &patience)?, handover, baggage))
    });
    lived(match handed {
        Ok((Duty::End(status), ..)) => return status,
        Ok((Duty::Keep, handover, baggage)) => Keeper::begin(overseer, patience, handover, baggage),
        Err(error) => Err(error),
    })
}

/// The same for an app whose keeper and overseer are gone while some of its runs live.
pub fn keep_on(overseer: OverseerCommand, handover: Handover) -> u8 {
    lived(Keeper::begin(overseer, Patience::default(), handover, Baggage::default()))
}

fn lived(begun: io::Result<Keeper>) -> u8 {
    match begun {
        Ok(mut keeper) => {
            forget_beginning();
            keeper.live()
        }
        Err(error) => {
            eprintln!("ganger: {error}");
            CANNOT_BEGIN
        }
    }
}

/// What an overseer must be told beside answers, in the order in which it happened. At most two for each run.
enum News {
    Exited(RunId),
    Emptied(RunId),
}

/// How it comes to an end.
pub(crate) enum Course {
    /// Not yet.
    Keep,
    /// The overseer has said that all is done, and is to end until then.
    Quit { status: u8, until: Instant },
    /// The overseer is mute: runs were asked to stop and have until then.
    Stop { status: u8, until: Instant },
    /// Now.
    End { status: u8 },
}

pub(crate) struct Keeper {
    signals: signals::Descriptor,
    pub(crate) spawner: Spawner,
    pub(crate) open_files: OpenFiles,
    /// The first of the [`SPARE`] descriptors.
    spare_from: RawFd,
    capabilities: Capabilities,
    pub(crate) trees: Trees,
    pub(crate) overseer: Overseer,
    news: VecDeque<News>,
    /// More children may have ended than were reaped.
    unreaped: bool,
    pub(crate) alarm: Alarm,
    pub(crate) manager: Manager,
    pub(crate) course: Course,
    pub(crate) patience: Patience,
    /// How far an upgrade has come, and how the latest one ended.
    pub(crate) stage: Stage,
    pub(crate) upgraded: Option<Upgraded>,
}

impl Keeper {
    fn begin(
        command: OverseerCommand,
        patience: Patience,
        handover: Handover,
        baggage: Baggage,
    ) -> io::Result<Self> {
        let set = Set::of(&HEARD);
        set.block();
        take_own_name();
        let signals = signals::Descriptor::open(&set)?;
        signals::become_subreaper()?;
        let Baggage { open_files, signals: untaken, notices, upgraded, exchange } = baggage;
        let open_files = open_files.unwrap_or_else(descriptors::limits_at_birth);
        descriptors::raise_limit();
        let spare_from = descriptors::limit().saturating_sub(SPARE);
        let Handover { runs, cgroup, kept, outputs, processes } = handover;
        let cgroups = match cgroup {
            Some(root) => Cgroups::resume(&root),
            None => capabilities::wants_cgroup().and_then(|()| Cgroups::create()),
        };
        let capabilities = capabilities::probe(&cgroups);
        let alarm = Alarm::new(command.background);
        let mut keeper = Self {
            signals,
            spawner: Spawner::new()?,
            open_files,
            spare_from: RawFd::try_from(spare_from).unwrap_or(RawFd::MAX),
            capabilities,
            trees: Trees::new(cgroups.ok()),
            overseer: Overseer::new(command, open_files, patience, kept)?,
            news: VecDeque::new(),
            // Whose end the program before in this process was told of, it may not have reaped.
            unreaped: true,
            alarm,
            manager: Manager::of_environment(),
            course: Course::Keep,
            patience,
            stage: Stage::Idle,
            upgraded,
        };
        // Runs that live already are not ended because their first overseer here never said a word.
        keeper.overseer.ever_greeted = !runs.is_empty() || exchange.is_some();
        keeper.trees.take_over(runs, processes)?;
        for (worker, output) in outputs {
            keeper.trees.runs.keep_handed(&worker, output);
        }
        for signal in untaken {
            keeper.alarm.raise(signal, Instant::now());
        }
        for state in notices {
            keeper.manager.tell(state);
        }
        let is_exchanged = exchange.is_some();
        if let Some(exchange) = exchange {
            keeper.take_up(exchange);
        }
        match keeper.overseer.start(&mut keeper.spawner) {
            Ok(pid) => keeper.trees.overseer = Some(pid),
            // It is tried again, or the program before is.
            Err(_) if is_exchanged => {}
            Err(failure) => return Err(io::Error::other(keeper.overseer.explain(failure))),
        }
        Ok(keeper)
    }

    fn live(&mut self) -> u8 {
        loop {
            self.act_on_time();
            if let Course::End { status } = self.course {
                self.leave_nothing();
                return status;
            }
            self.tell_news();
            self.manager.flush();
            self.wait();
            self.hear();
            self.take_requests();
            self.trees.tell_rest(if self.is_pressed() { 1 } else { TREES_MAX });
        }
    }

    /// Whether children may have ended that were not reaped, or the overseer has asked for more.
    fn is_pressed(&self) -> bool {
        self.unreaped || self.overseer.has_request()
    }

    /// The next moment at which something is due although nothing happens. In quiet times there is none.
    fn next_deadline(&self) -> Option<Instant> {
        let course = match self.course {
            Course::Keep | Course::End { .. } => self.alarm.due(&self.patience).map(|due| due.at),
            Course::Quit { until, .. } | Course::Stop { until, .. } => Some(until),
        };
        [course, self.overseer.again_at(), self.overseer.kill_at(), self.stage.due()]
            .into_iter()
            .flatten()
            .min()
    }

    fn wait(&self) {
        let mut waited = vec![PollFd::new(&self.signals, PollFlags::IN)];
        if let Some((socket, readable, writable)) = self.overseer.interest() {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, readable);
            flags.set(PollFlags::OUT, writable);
            waited.push(PollFd::new(socket, flags));
        }
        if let Some(adopted) = &self.trees.adopted {
            waited.push(PollFd::new(adopted, PollFlags::IN));
        }
        let watcher = self.trees.cgroups.as_ref().and_then(Cgroups::watcher);
        if let Some(watcher) = &watcher {
            waited.push(PollFd::new(watcher, PollFlags::IN));
        }
        if let Some(socket) = self.manager.interest() {
            waited.push(PollFd::new(socket, PollFlags::OUT));
        }
        let timeout = if self.is_pressed() || self.trees.is_half_told() {
            Some(Timespec::default())
        } else {
            self.next_deadline().map(until)
        };
        // Interrupted or failed: whatever may have happened is looked at.
        let _ = poll(&mut waited, timeout.as_ref());
    }

    fn hear(&mut self) {
        while let Some(signal) = self.signals.next() {
            if signal == libc::SIGCHLD {
                self.unreaped = true;
            } else {
                self.alarm.raise(signal, Instant::now());
            }
        }
        let orphans = self.unreaped && self.reap();
        self.news.extend(self.trees.hear_adopted().into_iter().map(News::Exited));
        let watcher = self.trees.cgroups.as_ref().is_some_and(|cgroups| cgroups.watcher().is_some());
        if orphans || watcher || self.trees.adopted.is_some() {
            let emptied = self.trees.recheck();
            self.news.extend(emptied.into_iter().map(News::Emptied));
        }
    }

    /// Takes some of the children that ended. Whether one was an orphan of some run.
    fn reap(&mut self) -> bool {
        let mut orphans = false;
        self.overseer.look();
        for _ in 0..REAPED_MAX {
            let Reaped::Ended(ended) = reap() else {
                self.unreaped = false;
                break;
            };
            if self.overseer.pid() == Some(ended.pid) {
                self.overseer_ended(&ended);
            } else if self.helper_ended(&ended) {
                // It was no run's.
            } else if let Some(run) = self.trees.ended(&ended) {
                self.news.push_back(News::Exited(run));
            } else {
                orphans = true;
            }
        }
        orphans
    }

    fn overseer_ended(&mut self, ended: &Ended) {
        // What it said before it died counts: a `Quit` above all.
        self.overseer.reaped();
        while let Some(letter) = self.overseer.receive() {
            self.take_letter(letter);
            self.overseer.reaped();
        }
        self.trees.overseer = None;
        self.overseer.ended();
        self.news.clear();
        self.alarm.tell_again();
        if let Course::Quit { status, .. } = self.course {
            self.course = Course::End { status };
        } else if !self.overseer.ever_greeted {
            self.course = Course::End { status: ended.exit.status() };
        }
        self.step_on();
    }

    fn act_on_time(&mut self) {
        let now = Instant::now();
        match self.course {
            Course::Keep => {
                if let Some(due) = self.alarm.due(&self.patience).filter(|due| due.at <= now) {
                    self.stop_runs(due.signal, due.kill);
                }
            }
            Course::Quit { status, until } if until <= now => self.course = Course::End { status },
            Course::Stop { status, until } if until <= now || self.trees.runs.live().is_empty() => {
                self.course = Course::End { status };
            }
            Course::Quit { .. } | Course::Stop { .. } | Course::End { .. } => {}
        }
        self.upgrade_on_time(now);
        if self.overseer.kill_at().is_some_and(|at| at <= now) {
            self.overseer.kill();
        }
        let keep = matches!(self.course, Course::Keep);
        if keep && self.overseer.again_at().is_some_and(|at| at <= now) {
            // A failure counts as a death: the next try is already set.
            self.trees.overseer = self.overseer.start(&mut self.spawner).ok();
        }
    }

    /// Does what a mute overseer does not.
    fn stop_runs(&mut self, signal: i32, kill: bool) {
        let status = u8::try_from(128 + signal).unwrap_or(u8::MAX);
        if kill {
            self.course = Course::End { status };
            return;
        }
        for run in self.trees.runs.live() {
            self.trees.signal_tree(run, libc::SIGTERM);
        }
        self.course = Course::Stop { status, until: Instant::now() + self.patience.stop };
    }

    /// Kills and reaps until nothing is below us.
    fn leave_nothing(&mut self) {
        let deadline = Instant::now() + GONE_WITHIN;
        let mut hit = HashSet::new();
        loop {
            let adopted = self.trees.kill_adopted();
            self.trees.kill_everything(&mut hit);
            while self.signals.next().is_some() {}
            loop {
                match reap() {
                    Reaped::Ended(_) => {}
                    Reaped::NoneYet => break,
                    Reaped::NoChildren if adopted => break,
                    Reaped::NoChildren => return,
                }
            }
            let now = Instant::now();
            if now >= deadline {
                return;
            }
            let mut waited = vec![PollFd::new(&self.signals, PollFlags::IN)];
            waited.extend(self.trees.adopted.as_ref().map(|adopted| PollFd::new(adopted, PollFlags::IN)));
            // Interrupted or failed: the children are looked at again.
            let _ = poll(&mut waited, Some(&until(deadline)));
        }
    }

    /// Tells the overseer what it does not know, as far as it listens. What does not fit stays in the table.
    fn tell_news(&mut self) {
        if !self.overseer.is_greeted() {
            return;
        }
        loop {
            while self.overseer.waiting() < MESSAGES_MAX
                && let Some(event) = self.next_event()
            {
                self.overseer.tell(event);
            }
            let waited = self.overseer.waiting();
            self.overseer.flush(&self.trees.runs);
            if waited == 0 || self.overseer.waiting() > 0 {
                return;
            }
        }
    }

    fn next_event(&mut self) -> Option<Event> {
        if let Some(signal) = self.alarm.next_untold() {
            return Some(Event::Signal { signal });
        }
        loop {
            match self.news.pop_front()? {
                News::Emptied(run) => return Some(Event::Emptied { run }),
                News::Exited(run) => {
                    let end = self.trees.runs.get(run).and_then(|run| run.end.as_ref());
                    if let Some(end) = end {
                        let leftovers = end.leftovers.clone();
                        return Some(Event::Exited { run, exit: end.exit, usage: end.usage, leftovers });
                    }
                }
            }
        }
    }

    fn take_requests(&mut self) {
        for _ in 0..REQUESTS_MAX {
            let Some(letter) = self.overseer.receive() else { return };
            self.take_letter(letter);
            if self.overseer.waiting() >= ANSWERS_TOGETHER {
                self.overseer.flush(&self.trees.runs);
            }
        }
    }

    fn take_letter(&mut self, Letter { id, message, descriptors, truncated }: Letter<Request>) {
        match message {
            Message::Known(request) => self.take(request, descriptors, truncated),
            Message::Unknown => self.reject(id, Errno::NOSYS),
            Message::Lost => self.reject(id, Errno::MFILE),
        }
    }

    fn reject(&mut self, id: u64, errno: Errno) {
        self.overseer.tell(Event::Rejected { id, errno: errno.raw_os_error() });
    }

    fn take(&mut self, request: Request, descriptors: Vec<OwnedFd>, truncated: bool) {
        match request {
            Request::Hello { version: _ } => self.welcome((!truncated).then_some(descriptors)),
            Request::Spawn { id, run, worker, launch } => {
                // The lowest free number is always taken: a high one means that few are left.
                let scarce = truncated || descriptors.iter().any(|one| one.as_raw_fd() >= self.spare_from);
                let spawned = streams(descriptors, scarce)
                    .and_then(|streams| self.spawn(run, &worker, &launch, streams));
                self.overseer.tell(match spawned {
                    Ok((pid, started)) => Event::Spawned { id, run, pid, started },
                    Err(failure) => spawn_failed(id, run, failure),
                });
            }
            Request::Signal { id, run, signal, scope } => {
                let Reached { processes, errno } = match scope {
                    Scope::Main => self.trees.signal_main(run, signal),
                    Scope::Tree => self.trees.signal_tree(run, signal),
                };
                if id != 0 {
                    let errno = errno.map_or(0, Errno::raw_os_error);
                    self.overseer.tell(Event::Signalled { id, run, processes, errno });
                }
            }
            Request::Acknowledge { run } => self.trees.runs.acknowledge(run),
            Request::Release { worker } => self.trees.runs.release(&worker),
            Request::Taken { signal } => self.alarm.taken(signal),
            Request::Sweep { id } => {
                let killed: Vec<Process> = self.trees.sweep();
                self.overseer.tell(Event::Swept { id, killed });
            }
            Request::Notify { state } => self.manager.tell(state),
            Request::Upgrade { id, upgrade } => self.try_out(id, upgrade),
            Request::Yielded => self.yielded(),
            Request::Settled => self.settled(),
            Request::Quit { status } => {
                // Nobody reads on. Now there is time for it, while the overseer ends.
                self.trees.runs.release_all();
                self.course = Course::Quit { status, until: Instant::now() + self.patience.quit };
            }
        }
    }

    fn welcome(&mut self, kept: Option<Vec<OwnedFd>>) {
        self.news.clear();
        self.overseer.greet(kept);
        for worker in self.trees.runs.terminals() {
            self.overseer.tell(Event::Terminal { worker });
        }
        self.overseer.tell(Event::Welcome {
            version: VERSION,
            keeper_pid: std::process::id(),
            capabilities: self.capabilities.clone(),
            runs: self.trees.runs.report(),
            upgraded: self.upgraded.clone(),
        });
    }

    fn spawn(
        &mut self,
        id: RunId,
        worker: &str,
        launch: &Launch,
        [stdin, stdout, stderr]: [OwnedFd; 3],
    ) -> Result<(u32, u64), Failure> {
        if !matches!(self.course, Course::Keep) || self.trees.runs.refuses(id, worker) {
            return Err(Failure { step: Step::Refused, errno: Errno::EXIST });
        }
        let cgroup = self.make_cgroup(id)?;
        let setting = Setting {
            session: if launch.terminal { Session::OnTerminal } else { Session::Own },
            stdio: Some(if launch.terminal {
                [stdin.as_fd(); 3]
            } else {
                [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]
            }),
            cgroup: cgroup.as_ref().map(AsFd::as_fd),
            open_files: Some(self.open_files),
            witnesses: self.overseer.witnesses(),
            ..Setting::default()
        };
        let tick = processes::ticks();
        let spawned = self.spawner.spawn(launch, setting);
        // Room for what follows, should there be no descriptor left.
        let held = cgroup.is_some();
        drop((stdin, cgroup));
        let pid = spawned.inspect_err(|_| self.unmake_cgroup(id, held))?;
        let started = processes::started_since(tick, pid);
        let tag = launch.tag.as_bytes().into();
        let hold = if held { Hold::Cgroup } else { Hold::Walk { seen: HashSet::new() } };
        let worker_name = worker.into();
        let run = Run {
            worker: worker_name,
            pid,
            started,
            tag,
            hold,
            adopted: false,
            end: None,
            condemned: false,
            acknowledged: false,
        };
        self.trees.runs.add(id, run);
        self.trees.runs.keep(worker, stdout, stderr);
        Ok((pid, started))
    }

    /// The cgroup of a new run. Where one more cannot be made, the run does without.
    fn make_cgroup(&self, run: RunId) -> Result<Option<OwnedFd>, Failure> {
        let Some(cgroups) = &self.trees.cgroups else { return Ok(None) };
        match cgroups.add(run) {
            Ok(directory) => Ok(Some(directory)),
            Err(error) => {
                cgroups.remove(run);
                match Errno::from_io_error(&error) {
                    Some(errno @ (Errno::MFILE | Errno::NFILE)) => {
                        Err(Failure { step: Step::Descriptors, errno })
                    }
                    Some(_) | None => Ok(None),
                }
            }
        }
    }

    fn unmake_cgroup(&self, run: RunId, made: bool) {
        if let Some(cgroups) = self.trees.cgroups.as_ref().filter(|_| made) {
            cgroups.remove(run);
        }
    }
}

fn streams(descriptors: Vec<OwnedFd>, scarce: bool) -> Result<[OwnedFd; 3], Failure> {
    if scarce {
        return Err(Failure { step: Step::Descriptors, errno: Errno::MFILE });
    }
    descriptors.try_into().map_err(|_| Failure { step: Step::Request, errno: Errno::INVAL })
}

fn spawn_failed(id: u64, run: RunId, Failure { step, errno }: Failure) -> Event {
    let scarce = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE, Errno::TXTBSY, Errno::INTR];
    Event::SpawnFailed { id, run, step, errno: errno.raw_os_error(), transient: scarce.contains(&errno) }
}

/// The time until then, rounded up so that then has come when it is over.
pub(crate) fn until(deadline: Instant) -> Timespec {
    let left = deadline.saturating_duration_since(Instant::now());
    Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(left.subsec_nanos()),
    }
}
