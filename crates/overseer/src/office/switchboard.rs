//! The switchboard: one line to the keeper, and one to each app's engine.
//!
//! To the keeper, the runs of all apps are runs of one overseer. So a run's number, and that of a request, has the
//! app's slot in its high bits, and a worker's name has it in front: `3/web.1`. Towards an engine they are as if the
//! engine had the keeper for itself. What concerns the whole, a signal or the end, is the office's.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;

use ganger_keeper::{Capabilities, Event, HandedRun, Link, Partner, Request, RunId, RunReport, Upgraded};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, mpsc};

use crate::readiness::{Source, register};

/// The bits of a number below the slot's.
const SLOT_SHIFT: u32 = 40;
/// While so many requests wait for the keeper, no more are taken from engines.
const WAITING_MAX: usize = 1024;
/// So much of what one side says is taken before others get their turn.
const PER_TURN: usize = 256;

/// What is told to the office.
#[derive(Debug)]
pub(crate) enum Told {
    /// Somebody sent the keeper a signal.
    Signal(i32),
    /// The engine of this slot says how it is, as to a service manager.
    State(u32, String),
    /// The keeper has tried another program out; why it cannot take our place.
    Tried(Option<String>),
    /// The keeper is gone.
    Lost(io::Error),
}

/// The lines and what waits on them.
pub(crate) struct Switchboard {
    keeper: RefCell<Link>,
    /// The same socket, to wait on.
    line: AsyncFd<Source<OwnedFd>>,
    /// What waits for the keeper.
    requests: RefCell<VecDeque<(Request, Vec<OwnedFd>)>>,
    engines: RefCell<BTreeMap<u32, Rc<Engine>>>,
    /// Something waits for the keeper that did not before.
    changed: Notify,
    /// Something that waited for the keeper has gone out.
    room: Notify,
    office: mpsc::UnboundedSender<Told>,
    /// The terminals of workers, as the keeper names them: they are handed on should it be killed.
    screens: RefCell<BTreeMap<String, OwnedFd>>,
    welcome: Welcome,
}

/// What the keeper said first.
struct Welcome {
    version: u16,
    keeper_pid: u32,
    capabilities: Capabilities,
    /// Runs of before, until the engine of their slot takes them.
    runs: RefCell<Vec<RunReport>>,
    /// How the latest upgrade ended, until the office takes it.
    upgraded: RefCell<Option<Upgraded>>,
}

/// An engine's line.
struct Engine {
    partner: RefCell<Partner>,
    /// The same socket, to wait on.
    line: AsyncFd<Source<OwnedFd>>,
    events: RefCell<VecDeque<(Event, Option<OwnedFd>)>>,
    changed: Notify,
}

impl Switchboard {
    /// Says hello to the keeper, which holds this lock from now on, and hears what it knows.
    pub(crate) async fn connect(
        mut link: Link,
        lock: OwnedFd,
        office: mpsc::UnboundedSender<Told>,
    ) -> io::Result<Rc<Self>> {
        let line = waited(&link)?;
        link.send(&Request::Hello { version: ganger_keeper::VERSION }, &[lock.as_fd()])?;
        let mut screens = BTreeMap::new();
        let welcome = loop {
            let mut received = link.receive()?;
            if let Some((Event::Terminal { worker }, descriptors)) = &mut received {
                screens.extend(descriptors.pop().map(|screen| (std::mem::take(worker), screen)));
            }
            if let Some((Event::Welcome { version, keeper_pid, capabilities, runs, upgraded }, _)) = received
            {
                let (runs, upgraded) = (RefCell::new(runs), RefCell::new(upgraded));
                break Welcome { version, keeper_pid, capabilities, runs, upgraded };
            }
            if received.is_none() {
                line.ready(Interest::READABLE).await?.clear_ready();
            }
        };
        Ok(Rc::new(Self {
            keeper: RefCell::new(link),
            line,
            requests: RefCell::default(),
            engines: RefCell::default(),
            changed: Notify::new(),
            room: Notify::new(),
            office,
            screens: RefCell::new(screens),
            welcome,
        }))
    }

    /// The directory of the cgroups of all runs, if they have any.
    pub(crate) fn cgroup(&self) -> Option<PathBuf> {
        self.welcome.capabilities.cgroup.as_ref().map(PathBuf::from)
    }

    /// A line for the engine of this slot, and whether the keeper has runs of it that no engine took yet.
    pub(crate) fn open(self: &Rc<Self>, slot: u32) -> io::Result<(Link, bool)> {
        let (link, partner) = Partner::pair()?;
        let line = waited(&partner)?;
        let mut rest = self.welcome.runs.borrow_mut();
        let (own, others) =
            std::mem::take(&mut *rest).into_iter().partition(|run| slot_of(run.run.0) == slot);
        *rest = others;
        let own: Vec<RunReport> = own;
        let is_kept = !own.is_empty();
        let Welcome { version, keeper_pid, capabilities, .. } = &self.welcome;
        let welcome = Event::Welcome {
            version: *version,
            keeper_pid: *keeper_pid,
            capabilities: capabilities.clone(),
            runs: own.into_iter().map(|run| local_report(slot, run)).collect(),
            // The office says it.
            upgraded: None,
        };
        let mut events: VecDeque<(Event, Option<OwnedFd>)> = self.screens_of(slot).collect();
        events.push_back((welcome, None));
        let events = RefCell::new(events);
        let engine = Rc::new(Engine { partner: RefCell::new(partner), line, events, changed: Notify::new() });
        self.engines.borrow_mut().insert(slot, engine.clone());
        let board = self.clone();
        tokio::task::spawn_local(async move {
            // It ends with the engine: what the engine says last is heard before.
            let _ = board.attend(slot, &engine).await;
            board.engines.borrow_mut().remove(&slot);
        });
        Ok((link, is_kept))
    }

    /// What an engine is told of the terminals that its workers have.
    fn screens_of(&self, slot: u32) -> impl Iterator<Item = (Event, Option<OwnedFd>)> {
        let prefix = worker_of(slot, "");
        self.screens().into_iter().filter_map(move |(worker, screen)| {
            let worker = worker.strip_prefix(&prefix)?.to_owned();
            Some((Event::Terminal { worker }, Some(screen)))
        })
    }

    /// The terminals of all workers, as the keeper names them. One that there is no room for is left out.
    pub(crate) fn screens(&self) -> Vec<(String, OwnedFd)> {
        let screens = self.screens.borrow();
        let copies = screens.iter().map(|(worker, screen)| Some((worker.clone(), screen.try_clone().ok()?)));
        copies.flatten().collect()
    }

    /// Notes which terminal a worker has from now on.
    fn note_screen(&self, request: &Request, descriptors: &[OwnedFd]) {
        match request {
            Request::Spawn { worker, launch, .. } => {
                let screen = descriptors.get(1).filter(|_| launch.terminal);
                let copy = screen.and_then(|screen| screen.try_clone().ok());
                match copy {
                    Some(screen) => drop(self.screens.borrow_mut().insert(worker.clone(), screen)),
                    None => drop(self.screens.borrow_mut().remove(worker)),
                }
            }
            Request::Release { worker } => drop(self.screens.borrow_mut().remove(worker)),
            Request::Signal { .. }
            | Request::Acknowledge { .. }
            | Request::Sweep { .. }
            | Request::Notify { .. }
            | Request::Hello { .. }
            | Request::Taken { .. }
            | Request::Upgrade { .. }
            | Request::Yielded
            | Request::Settled
            | Request::Quit { .. } => {}
        }
    }

    /// How the latest upgrade ended.
    pub(crate) fn take_upgraded(&self) -> Option<Upgraded> {
        self.welcome.upgraded.take()
    }

    /// Asks something of the keeper for the whole.
    pub(crate) fn ask(&self, request: Request) {
        self.forward(request, Vec::new());
    }

    /// Tells every engine that somebody sent a signal.
    pub(crate) fn signal_all(&self, signal: i32) {
        for engine in self.engines.borrow().values() {
            engine.tell(Event::Signal { signal });
        }
    }

    /// Passes on what the keeper says and what it is asked, until it is gone.
    pub(crate) async fn attend_keeper(self: Rc<Self>) {
        let error = loop {
            let more = match self.flush().and_then(|_| self.hear()) {
                Ok(more) => more,
                Err(error) => break error,
            };
            if more {
                tokio::task::yield_now().await;
                continue;
            }
            let behind = !self.requests.borrow().is_empty();
            tokio::select! {
                ready = self.line.ready(interest(behind)) => match ready {
                    Ok(mut ready) => ready.clear_ready(),
                    Err(error) => break error,
                },
                () = self.changed.notified() => {}
            }
        };
        let _ = self.office.send(Told::Lost(error));
    }

    /// Nobody takes the keeper's place: the engines find their lines closed, and end their apps.
    pub(crate) fn close(&self) {
        for engine in std::mem::take(&mut *self.engines.borrow_mut()).values() {
            engine.changed.notify_one();
        }
        self.room.notify_waiters();
    }

    /// Whether all that was asked of the keeper has gone out.
    pub(crate) async fn drained(&self) {
        while !self.requests.borrow().is_empty() {
            self.room.notified().await;
        }
    }

    /// Takes what the keeper says; whether there may be more.
    fn hear(&self) -> io::Result<bool> {
        for _ in 0..PER_TURN {
            let Some((event, _)) = self.keeper.borrow_mut().receive()? else { return Ok(false) };
            match to_engine(event) {
                Routed::Engine(slot, event) => {
                    // What is told of an engine that has ended concerns nobody.
                    if let Some(engine) = self.engines.borrow().get(&slot) {
                        engine.tell(event);
                    }
                }
                Routed::Office(told) => drop(self.office.send(told)),
                Routed::Nobody => {}
            }
        }
        Ok(true)
    }

    fn forward(&self, request: Request, descriptors: Vec<OwnedFd>) {
        self.requests.borrow_mut().push_back((request, descriptors));
        // An error shows again where the line is read.
        if !self.flush().unwrap_or(false) {
            self.changed.notify_one();
        }
    }

    /// Sends what waits, as far as it is taken; whether that is all.
    fn flush(&self) -> io::Result<bool> {
        let mut requests = self.requests.borrow_mut();
        while let Some((request, descriptors)) = requests.front() {
            let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
            match self.keeper.borrow().send(request, &borrowed) {
                Ok(()) => {
                    requests.pop_front();
                    self.room.notify_waiters();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Passes on what one engine asks and what it is told, until it has ended.
    async fn attend(&self, slot: u32, engine: &Engine) -> io::Result<()> {
        while self.engines.borrow().contains_key(&slot) {
            engine.flush()?;
            if self.requests.borrow().len() >= WAITING_MAX {
                self.room.notified().await;
                continue;
            }
            if self.take(slot, engine)? {
                tokio::task::yield_now().await;
                continue;
            }
            let behind = !engine.events.borrow().is_empty();
            tokio::select! {
                ready = engine.line.ready(interest(behind)) => ready?.clear_ready(),
                () = engine.changed.notified() => {}
            }
        }
        Ok(())
    }

    /// Takes what an engine asks; whether there may be more.
    fn take(&self, slot: u32, engine: &Engine) -> io::Result<bool> {
        for _ in 0..PER_TURN {
            let Some((request, descriptors)) = engine.partner.borrow_mut().receive()? else {
                return Ok(false);
            };
            match to_keeper(slot, request) {
                Asked::Keeper(request) => {
                    self.note_screen(&request, &descriptors);
                    self.forward(*request, descriptors);
                }
                Asked::Office(state) => drop(self.office.send(Told::State(slot, state))),
                Asked::Nobody => {}
            }
        }
        Ok(true)
    }
}

impl Engine {
    fn tell(&self, event: Event) {
        self.events.borrow_mut().push_back((event, None));
        // An error shows again where the line is read.
        if !self.flush().unwrap_or(false) {
            self.changed.notify_one();
        }
    }

    /// Sends what waits, as far as it is taken; whether that is all.
    fn flush(&self) -> io::Result<bool> {
        let mut events = self.events.borrow_mut();
        while let Some((event, descriptor)) = events.front() {
            let descriptors: Vec<BorrowedFd<'_>> = descriptor.iter().map(AsFd::as_fd).collect();
            match self.partner.borrow().send(event, &descriptors) {
                Ok(()) => drop(events.pop_front()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// A socket to wait on, beside the one who reads and writes it.
fn waited(socket: &impl AsFd) -> io::Result<AsyncFd<Source<OwnedFd>>> {
    register(socket.as_fd().try_clone_to_owned()?, Interest::READABLE | Interest::WRITABLE)
}

/// What to wait for on a line.
fn interest(behind: bool) -> Interest {
    if behind { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE }
}

/// Where an event of the keeper goes.
#[derive(Debug)]
enum Routed {
    Engine(u32, Event),
    Office(Told),
    Nobody,
}

/// Where a request of an engine goes.
#[derive(Debug, PartialEq)]
enum Asked {
    Keeper(Box<Request>),
    Office(String),
    Nobody,
}

fn slot_of(number: u64) -> u32 {
    u32::try_from(number >> SLOT_SHIFT).unwrap_or(0)
}

/// A number as the engine has it.
fn local(number: u64) -> u64 {
    number & ((1 << SLOT_SHIFT) - 1)
}

/// A number as the keeper has it; 0 stands for none.
fn global(slot: u32, number: u64) -> u64 {
    if number == 0 { 0 } else { u64::from(slot) << SLOT_SHIFT | number }
}

fn to_engine(event: Event) -> Routed {
    let run_of = |run: RunId| (slot_of(run.0), RunId(local(run.0)));
    let (slot, event) = match event {
        Event::Spawned { id, run, pid, started } => {
            let (slot, run) = run_of(run);
            (slot, Event::Spawned { id: local(id), run, pid, started })
        }
        Event::SpawnFailed { id, run, step, errno, transient } => {
            let (slot, run) = run_of(run);
            (slot, Event::SpawnFailed { id: local(id), run, step, errno, transient })
        }
        Event::Signalled { id, run, processes, errno } => {
            let (slot, run) = run_of(run);
            (slot, Event::Signalled { id: local(id), run, processes, errno })
        }
        Event::Exited { run, exit, usage, leftovers } => {
            let (slot, run) = run_of(run);
            (slot, Event::Exited { run, exit, usage, leftovers })
        }
        Event::Emptied { run } => {
            let (slot, run) = run_of(run);
            (slot, Event::Emptied { run })
        }
        Event::Swept { id, killed } => (slot_of(id), Event::Swept { id: local(id), killed }),
        Event::Rejected { id, errno } => (slot_of(id), Event::Rejected { id: local(id), errno }),
        Event::Signal { signal } => return Routed::Office(Told::Signal(signal)),
        Event::Tried { failure, .. } => return Routed::Office(Told::Tried(failure)),
        Event::Welcome { .. } | Event::Terminal { .. } => return Routed::Nobody,
    };
    Routed::Engine(slot, event)
}

fn to_keeper(slot: u32, request: Request) -> Asked {
    let run_of = |run: RunId| RunId(global(slot, run.0));
    Asked::Keeper(Box::new(match request {
        Request::Spawn { id, run, worker, launch } => {
            let (id, run, worker) = (global(slot, id), run_of(run), worker_of(slot, &worker));
            Request::Spawn { id, run, worker, launch }
        }
        Request::Signal { id, run, signal, scope } => {
            Request::Signal { id: global(slot, id), run: run_of(run), signal, scope }
        }
        Request::Acknowledge { run } => Request::Acknowledge { run: run_of(run) },
        Request::Release { worker } => Request::Release { worker: worker_of(slot, &worker) },
        Request::Sweep { id } => Request::Sweep { id: global(slot, id) },
        Request::Notify { state } => return Asked::Office(state),
        // The office greets, takes signals, is upgraded and ends for all.
        Request::Hello { .. }
        | Request::Taken { .. }
        | Request::Upgrade { .. }
        | Request::Yielded
        | Request::Settled
        | Request::Quit { .. } => return Asked::Nobody,
    }))
}

/// A run as the keeper has it.
pub(crate) fn handed_run(slot: u32, run: HandedRun) -> HandedRun {
    HandedRun { run: RunId(global(slot, run.run.0)), worker: worker_of(slot, &run.worker), ..run }
}

pub(crate) fn worker_of(slot: u32, worker: &str) -> String {
    format!("{slot}/{worker}")
}

fn local_report(slot: u32, report: RunReport) -> RunReport {
    let worker = report.worker.strip_prefix(&format!("{slot}/")).unwrap_or(&report.worker).to_owned();
    RunReport { run: RunId(local(report.run.0)), worker, ..report }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganger_keeper::Launch;

    #[test]
    fn what_two_engines_ask_alike_is_told_apart_and_each_hears_its_own() {
        let spawn =
            || Request::Spawn { id: 7, run: RunId(9), worker: "web.1".to_owned(), launch: Launch::default() };
        let asked: Vec<(u64, RunId, String)> = [1, 2]
            .into_iter()
            .filter_map(|slot| match to_keeper(slot, spawn()) {
                Asked::Keeper(request) => match *request {
                    Request::Spawn { id, run, worker, .. } => Some((id, run, worker)),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        assert_eq!((asked[0].2.as_str(), asked[1].2.as_str()), ("1/web.1", "2/web.1"));
        assert!(asked[0].0 != asked[1].0 && asked[0].1 != asked[1].1);
        for (slot, (id, run, worker)) in (1..).zip(asked) {
            let told = to_engine(Event::Spawned { id, run, pid: 5, started: 6 });
            let own = Event::Spawned { id: 7, run: RunId(9), pid: 5, started: 6 };
            let Routed::Engine(to, told) = told else { panic!("{told:?}") };
            assert_eq!((to, told), (slot, own));
            let report = RunReport {
                run,
                worker,
                pid: 5,
                started: 6,
                exit: None,
                usage: ganger_keeper::Usage::default(),
                tag: String::new(),
                leftovers: Vec::new(),
            };
            let report = local_report(slot, report);
            assert_eq!((report.run, report.worker.as_str()), (RunId(9), "web.1"));
        }
    }

    #[test]
    fn what_concerns_the_whole_goes_to_the_office() {
        let told = to_engine(Event::Signal { signal: 15 });
        assert!(matches!(told, Routed::Office(Told::Signal(15))), "{told:?}");
        assert_eq!(to_keeper(1, Request::Settled), Asked::Nobody, "an engine is not the whole");
        assert_eq!(to_keeper(1, Request::Quit { status: 3 }), Asked::Nobody);
        assert_eq!(to_keeper(1, Request::Taken { signal: 15 }), Asked::Nobody);
        let state = "READY=1".to_owned();
        assert_eq!(to_keeper(1, Request::Notify { state: state.clone() }), Asked::Office(state));
        assert_eq!(global(3, 0), 0, "a request that wants no answer still wants none");
    }
}
