//! The loop: everything that happens becomes one input of the decider, and all its actions are carried out before
//! the next.

mod attach;
mod daemon;
mod listen;
mod perform;
mod probes;
mod requests;
mod start;
mod unattended;
mod watched;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ganger_api::{ApiError, Data, EventKind, Request, Time};
use ganger_core::{Command, CommandId, Core, Input, RunId, WorkerView};
use ganger_keeper::{Event, Link, Signals};
use ganger_logs::Capture;
use ganger_spec::{LogLevel, LogName, ProbeKind, Signal, Spec, WorkerName};
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot};

use crate::commands::Owed;
use crate::config::Load;
use crate::forward::Forwards;
use crate::hands::{self, Hands};
use crate::herald::Herald;
pub(crate) use crate::herald::Watchdog;
use crate::launch::{self, Launcher};
use crate::lease::Lease;
use crate::ledger::Ledger;
use crate::listeners::Listeners;
use crate::narrator::Narrator;
use crate::prober::Prober;
use crate::readiness::Source;
use crate::sockets::Sockets;
use crate::supervisor::Reread;
use crate::unattended::Unattended;
use crate::upgrade::Upgrades;
use crate::watch::{Files, Seen};
use crate::wishes::WishFile;
use crate::{Config, Error, Heir, Life, clock, server};

/// What other threads tell the engine.
#[derive(Debug)]
pub(crate) enum Message {
    /// What was in the worker's pipe is stored up to this position.
    Drained(WorkerName, u64),
    /// What a worker wrote that is no more is in its log; the number of that farewell.
    Stored(LogName, u64),
    /// The store has something to say.
    Logs(ganger_logs::Event),
    /// An event listener has something to say.
    Listener(WorkerName),
    /// A forwarder has something to say.
    Forward(String),
    /// A worker was asked, and this is what came of it.
    Probed { run: RunId, kind: ProbeKind, answer: Result<(), String> },
    /// A run takes more than its group allows.
    TooMuch { run: RunId, what: String },
    /// Files that are watched changed, or cannot be watched.
    Files(Seen),
    /// These runs wait for what is typed at their terminals.
    Unattended(Vec<(WorkerName, RunId)>),
    /// The terminal is gone, or nobody reads our output any more.
    OutputBroken(io::Error),
}

/// A request of a client, with the place for its answer.
pub(crate) type Asked = (Request, oneshot::Sender<Result<Data, ApiError>>);

/// So many requests of clients wait before the next client has to.
pub(crate) const REQUESTS_MAX: usize = 256;

/// So much of what the keeper says is taken before others get their turn, and of what other threads say.
const EVENTS_PER_TURN: usize = 256;

pub(crate) struct Engine {
    life: Life,
    /// None for an app that ends with its keeper.
    heir: Option<Heir>,
    pub(crate) core: Core,
    pub(crate) hands: Hands,
    pub(crate) capture: Capture,
    forwards: Forwards,
    files: Files,
    sockets: Sockets,
    pub(crate) narrator: Narrator,
    journal: Arc<crate::journal::Journal>,
    listeners: Listeners,
    prober: Prober,
    unattended: Unattended,
    ledger: Ledger,
    /// Where operators' wishes are kept; none in the foreground.
    wishes: Option<WishFile>,
    /// An operator asked for something since the wishes were last kept.
    wishes_stale: bool,
    herald: Herald,
    upgrades: Upgrades,
    pub(crate) launcher: Launcher,
    pub(crate) load: Box<Load>,
    owed: BTreeMap<CommandId, Owed>,
    next_command: u64,
    /// Ports that were reported as held, so that a worker that is tried again says so once.
    reported_ports: BTreeSet<WorkerName>,
    /// The files as a client of supervisord's interface had them read.
    pub(crate) reread: Reread,
    ledger_fails: bool,
    wishes_fail: bool,
    /// Workers of which processes had to be killed.
    killed: BTreeSet<WorkerName>,
    app_id: String,
    /// Where logs are that have no path of their own.
    pub(crate) logs_dir: PathBuf,
    pub(crate) keeper_pid: u32,
    started: Time,
    /// What a fresh start applies once the keeper has told what it knows.
    to_apply: Option<Spec>,
    end: End,
    outside: daemon::Outside,
}

/// How far the end of the app has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The decider goes on.
    NotYet,
    /// It said to finish; the keeper was asked to kill what is left below it.
    Sweeping { status: u8 },
    /// Nothing of the app is left.
    Clean { status: u8 },
}

/// Oversees the app; the exit status of the whole.
pub(crate) fn run(config: Config) -> Result<u8, Error> {
    let failed = |source| Error::System { action: "start the event loop", source };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(failed)?;
    runtime.block_on(async {
        let link = Link::from_env().map_err(Error::Keeper)?;
        let (_, life) = begin(config, link, keeper_pid(), false)?;
        life.await
    })
}

/// Takes the app, which is overseen as long as what is given back is polled, over a line to the keeper with this
/// PID. Requests may be sent beside those of clients. Whether the keeper has runs of an app that is one of several must be
/// said: their lock is not the app's.
pub(crate) fn begin(
    config: Config,
    link: Link,
    keeper_pid: u32,
    is_kept: bool,
) -> Result<(mpsc::Sender<Asked>, impl Future<Output = Result<u8, Error>>), Error> {
    let started = start::start(config, link, keeper_pid, is_kept)?;
    let start::Started { engine, lease, clients, messages } = started;
    // It is moved to whoever runs it.
    Ok((clients.requests.clone(), Box::pin(engine.oversee(lease, clients, messages))))
}

/// The process that started us.
pub(crate) fn keeper_pid() -> u32 {
    rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs())
}

impl Engine {
    async fn oversee(
        mut self,
        lease: Lease,
        clients: start::Clients,
        mut messages: mpsc::UnboundedReceiver<Message>,
    ) -> Result<u8, Error> {
        let start::Clients { asked: mut requests, called: mut calls, mut knocks, .. } = clients;
        let start::Clients { viewers, resized, answered, .. } = clients;
        let mut seats = viewers.watch();
        let mut had_clients = false;
        loop {
            self.settle();
            self.start_runs();
            self.settle();
            if let End::Clean { status } = self.end
                && self.narrator.is_quiet()
            {
                let finished = self.finish(lease, status).await;
                drop((requests, calls, knocks));
                // Who asked for the end gets the answer before the process is gone. Where nobody asks, nobody waits.
                if had_clients {
                    let _ = tokio::time::timeout(server::ANSWERED_WITHIN, answered).await;
                }
                return finished;
            }
            self.beat();
            let deadline = self.core.next_deadline().map(|at| at.since(clock::now()));
            let tick = self.listeners.next_tick();
            let probe = self.next_probe().map(|at| at.since(clock::now()));
            let look = self.unattended.next().map(|at| at.since(clock::now()));
            let beat = self.herald.watchdog().next_beat().map(|at| at.since(clock::now()));
            tokio::select! {
                biased;
                ready = self.hands.ready() => {
                    if let Err(error) = ready.and_then(|()| self.hear()) {
                        return Err(match self.heir.take() {
                            Some(heir) => self.succeed(&lease, &heir, error),
                            None => self.give_up(lease, error),
                        });
                    }
                }
                Some(message) = messages.recv(), if self.core.is_connected() => self.messages(message, &mut messages),
                Some((request, answer)) = requests.recv(), if self.is_open() => {
                    had_clients = true;
                    self.request(request, answer);
                }
                Some((call, answer)) = calls.recv(), if self.is_open() => {
                    had_clients = true;
                    self.call(call, answer);
                }
                Some(knock) = knocks.recv(), if self.is_open() => {
                    had_clients = true;
                    self.knock(knock);
                }
                () = sleep_for(deadline) => self.decide(Input::Tick),
                () = sleep_for(beat) => {}
                () = sleep_for(probe) => self.probe(),
                () = sleep_for(look) => self.look_at_unattended(),
                () = self.unattended.news() => self.unattended.hear(clock::now()),
                () = self.outside.overheard(&self.listeners), if self.core.is_connected() => self.tell_overheard(),
                () = sleep_for(tick) => self.tick(),
                () = change(resized.as_ref()) => self.fit_terminals(),
                _ = seats.changed() => self.reseated(),
            }
        }
    }

    /// Whether requests are taken: a spec is in force, and the keeper has told what it has.
    fn is_open(&self) -> bool {
        self.core.is_connected() && self.to_apply.is_none()
    }

    /// Takes what the keeper says.
    fn hear(&mut self) -> io::Result<()> {
        for _ in 0..EVENTS_PER_TURN {
            match self.hands.receive()? {
                Some(event) => self.event(event),
                None => break,
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event) {
        let Some(event) = self.of_probe(event) else { return };
        match event {
            Event::Welcome { runs, capabilities, upgraded, .. } => {
                self.end_stray_probes(&runs);
                self.hands.welcome(&runs, capabilities.cgroup.map(PathBuf::from));
                let news = self.upgrades.welcome(upgraded);
                let is_on_trial = news.is_some();
                self.connected(&runs, news);
                if is_on_trial {
                    self.hands.ask(ganger_keeper::Request::Settled);
                }
            }
            Event::Spawned { run, pid, .. } => {
                let run = ganger_core::RunId(run.0);
                if let Some(worker) = self.hands.answered(run) {
                    self.attend(&worker, run);
                }
                self.decide(Input::Spawned { run, pid });
            }
            Event::SpawnFailed { run, step, errno, transient, .. } => {
                let run = ganger_core::RunId(run.0);
                if let Some(worker) = self.hands.answered(run) {
                    let spec = self.core.spec().cloned();
                    let failure = launch::failure(spec.as_deref(), &worker, step, errno, transient);
                    self.spawn_failed(run, &worker, failure);
                }
            }
            Event::Signalled { id, processes, .. } => {
                if let Some(worker) = self.hands.killed(id) {
                    self.narrator.killed(Some(&worker), &processes);
                    if !processes.is_empty() {
                        self.killed.insert(worker);
                    }
                }
            }
            Event::Exited { run, exit, usage, leftovers } => {
                self.narrator.used([(ganger_core::RunId(run.0), usage)]);
                self.unattended.ended(ganger_core::RunId(run.0));
                self.decide(hands::exited(run, exit, &leftovers));
            }
            Event::Emptied { run } => self.decide(Input::Emptied { run: ganger_core::RunId(run.0) }),
            Event::Swept { killed, .. } => {
                self.narrator.killed(None, &killed);
                if let End::Sweeping { status } = self.end {
                    self.end = End::Clean { status };
                }
            }
            Event::Signal { signal } => self.signalled(signal),
            // Its descriptor is taken up.
            Event::Terminal { .. } => {}
            Event::Tried { failure, .. } => {
                if self.upgrades.tried(failure) {
                    self.make_way();
                }
            }
            Event::Rejected { id, errno } => {
                let error = io::Error::from_raw_os_error(errno);
                self.narrator.notice(format!("the keeper did not take request {id}: {error}"));
            }
        }
    }

    /// Another program takes our place: what is under way is settled, then the keeper ends this process.
    fn make_way(&mut self) {
        self.narrator.notice("another ganger takes the place of this one".to_owned());
        self.settle();
        self.forwards.finish();
        let told = self.herald.exchanging();
        self.tell_manager(told);
        self.hands.ask(ganger_keeper::Request::Yielded);
    }

    /// Somebody sent the keeper a signal.
    fn signalled(&mut self, number: i32) {
        self.hands.ask(ganger_keeper::Request::Taken { signal: number });
        let Some(signal) = Signal::from_number(number) else { return };
        match signal {
            Signal::HUP if self.life == Life::Background => {
                self.narrator.say_in_main(LogLevel::Warn, "received SIGHUP indicating restart request");
                self.reread();
            }
            Signal::INT | Signal::TERM | Signal::HUP | Signal::QUIT => {
                // The second one means: now. To supervisord it means nothing new, and who sends it counts on that.
                let again = self.core.shutting_down().is_some() && signal != Signal::HUP;
                let now = again && self.narrator.main().is_none();
                self.shut_down(now, format!("{signal} received"));
            }
            Signal::USR2 if self.reopen_logs() => {}
            other => {
                let running: Vec<_> =
                    self.core.workers().filter(|view| view.pid.is_some()).map(|view| view.name).collect();
                self.narrator.notice(format!("{other} received, forwarded to all workers"));
                self.command(Command::Signal(running, other), Owed::Nobody);
            }
        }
    }

    pub(crate) fn shut_down(&mut self, now: bool, reason: String) {
        self.command(Command::Shutdown { now, reason, status: 0 }, Owed::Nobody);
    }

    /// Takes what another thread said, and what others said since: a turn costs more than a message.
    fn messages(&mut self, first: Message, others: &mut mpsc::UnboundedReceiver<Message>) {
        self.message(first);
        for _ in 1..EVENTS_PER_TURN {
            let Ok(message) = others.try_recv() else { return };
            self.message(message);
        }
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Drained(worker, position) => {
                self.narrator.drained(&worker, position);
                self.listeners.drained(&worker, &self.capture.store());
                self.echo_drained(&worker);
                self.let_go(&worker);
            }
            Message::Stored(log, number) => self.hands.stored(&log, number),
            Message::Logs(event) => self.narrator.notice(log_trouble(&event)),
            Message::Listener(worker) => self.listen(&worker),
            Message::Probed { run, kind, answer } => self.answered(run, kind, answer),
            Message::TooMuch { run, what } => self.decide(Input::TooMuch { run, what }),
            Message::Forward(text) => self.narrator.notice(text),
            Message::Files(seen) => self.saw(seen),
            Message::Unattended(found) => self.tell_unattended(found),
            Message::OutputBroken(error) => match self.life {
                Life::Foreground if self.core.shutting_down().is_none() => {
                    self.shut_down(false, format!("the output is closed ({error})"));
                }
                Life::Foreground | Life::Screen | Life::Background => {}
            },
        }
    }

    /// An app that ends needs no pipe of a worker that is down: it goes now, while others end, not with all at the end.
    fn let_go(&mut self, worker: &WorkerName) {
        let is_down = |view: WorkerView| view.run.is_none();
        if self.core.shutting_down().is_some() && self.core.worker(worker).is_none_or(is_down) {
            self.hands.outputs.release(worker, &self.capture);
        }
    }

    /// Lets what workers write to their terminals fit into the viewer's window.
    fn fit_terminals(&mut self) {
        if let Some(size) = self.narrator.window() {
            self.hands.outputs.terminals.resize(size);
        }
    }

    /// Viewers of terminals have come, gone or changed.
    fn reseated(&mut self) {
        if self.narrator.window().is_some() {
            self.hands.outputs.terminals.reseated();
        }
    }

    /// Asks the decider for something.
    pub(crate) fn command(&mut self, command: Command, owed: Owed) {
        let id = self.owe(owed);
        self.wishes_stale = true;
        self.decide(Input::Command { id, command });
    }

    fn owe(&mut self, owed: Owed) -> CommandId {
        self.next_command += 1;
        let id = CommandId(self.next_command);
        self.owed.insert(id, owed);
        id
    }

    pub(crate) fn spec(&self) -> Arc<Spec> {
        match self.core.spec() {
            Some(spec) => spec.clone(),
            None => unreachable!("a spec is applied or restored before the loop begins"),
        }
    }

    /// The name by which clients of supervisord's interface know us.
    pub(crate) fn identifier(&self) -> String {
        self.spec().supervisor.as_ref().map_or("supervisor".to_owned(), |daemon| daemon.identifier.clone())
    }

    /// The keeper is gone, and with it the terminal's process: nothing of the app may be left behind.
    fn give_up(mut self, lease: Lease, error: io::Error) -> Error {
        self.narrator.notice("the keeper was killed: ending the app".to_owned());
        let groups = self.core.spec().map(|spec| spec.groups.clone()).unwrap_or_default();
        let patience = groups.iter().map(|group| group.stop.timeout).max().unwrap_or_default();
        let signal = |tag: &str| self.hands.stop_signal(&groups, tag).number();
        let killed = ganger_keeper::end_orphans(&format!("{}/", self.app_id), signal, patience);
        self.narrator.killed(None, &killed);
        self.forget_daemon();
        let Self { capture, forwards, narrator, hands, .. } = self;
        capture.stop();
        narrator.finish();
        forwards.finish();
        hands.forget_pipes();
        lease.end();
        Error::Keeper(error)
    }

    /// The keeper is gone, and the service manager starts another: it finds the workers once we let go of the app.
    fn step_aside(mut self, error: io::Error) -> Error {
        self.narrator.notice("the keeper was killed: the service manager starts the next one".to_owned());
        self.settle();
        let Self { capture, narrator, .. } = self;
        capture.stop();
        narrator.finish();
        Error::Keeper(error)
    }

    /// The keeper is gone, and the app is to go on: this process becomes the next one. Returns only if that fails; then
    /// the next start finds the workers.
    fn succeed(mut self, lease: &Lease, heir: &Heir, error: io::Error) -> Error {
        let Heir::Overseer(program, args) = heir else { return self.step_aside(error) };
        self.narrator.notice("the keeper was killed: this overseer takes its place".to_owned());
        // Where that cannot be written, commands wait for no next overseer, but find it when they are given again.
        let _ = lease.inherit();
        if let Some(file) = &self.outside.pid_file {
            // As for the lease.
            let _ = file.renew(std::process::id());
        }
        self.settle();
        let Self { capture, narrator, hands, ledger, app_id, mut sockets, .. } = self;
        let lock = match lease.descriptor() {
            Ok(lock) => lock,
            Err(source) => return Error::System { action: "hold the lock", source },
        };
        // The pipes are opened once more before capture lets go of them: nothing in them is lost.
        let mut handover = hands.into_handover(&format!("{app_id}/"), lock, &ledger.expects());
        handover.kept.extend(sockets.descriptors());
        capture.stop();
        narrator.finish();
        let source = handover.execute(program, args);
        if source.raw_os_error().is_none() {
            return Error::Keeper(error);
        }
        Error::System { action: "become the keeper", source }
    }

    /// Ends: everything is shown, our files are gone, and the keeper is told with which status.
    async fn finish(mut self, lease: Lease, status: u8) -> Result<u8, Error> {
        self.finish_echo();
        self.forget_daemon();
        let Self { capture, forwards, narrator, listeners, mut hands, .. } = self;
        capture.stop();
        listeners.end();
        hands.forget_pipes();
        narrator.finish();
        forwards.finish();
        lease.end();
        hands.ask(ganger_keeper::Request::Quit { status });
        loop {
            hands.flush().map_err(Error::Keeper)?;
            if !hands.is_behind() {
                return Ok(status);
            }
            hands.ready().await.map_err(Error::Keeper)?;
        }
    }
}

/// Until a signal has come; for ever where none is caught.
async fn change(signals: Option<&AsyncFd<Source<Signals>>>) {
    if let Some(signals) = signals
        && let Ok(mut ready) = signals.readable().await
    {
        ready.clear_ready();
        while signals.get_ref().0.next().is_some() {}
    } else {
        std::future::pending::<()>().await;
    }
}

/// Until the delay is over; for ever where there is none: no timer is armed then.
pub(crate) async fn sleep_for(delay: Option<Duration>) {
    match delay {
        Some(delay) => tokio::time::sleep_until(tokio::time::Instant::now() + delay).await,
        None => std::future::pending().await,
    }
}

fn log_trouble(event: &ganger_logs::Event) -> String {
    match event {
        ganger_logs::Event::Failed { log, path, errno, .. } => format!(
            "the output of {log} cannot be stored in {}: {}; it waits in its pipe and nothing is lost",
            path.display(),
            io::Error::from(*errno)
        ),
        ganger_logs::Event::Recovered { logs, attempts, .. } => {
            format!("all output is stored again (logs that could not be: {logs}, attempts: {attempts})")
        }
        ganger_logs::Event::NotCopied { path, errno } => format!(
            "output cannot be copied to {}: {}; it waits in the store",
            path.display(),
            io::Error::from(*errno)
        ),
        ganger_logs::Event::Untidy { log, path, errno } => format!(
            "a rotated file of {log} cannot be compressed or removed: {}: {}; nothing is lost",
            path.display(),
            io::Error::from(*errno)
        ),
    }
}

/// A kind of event of ours.
const HELD: EventKind = EventKind::PortHeld;
