//! Coming up: fresh with the app's files, or in place of an overseer that died, from the ledger and the keeper.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ganger_api::{AppFile, EventInfo, Place, Time};
use ganger_core::{Core, Input, KnownRun, Record};
use ganger_keeper::{
    LastingMemory, Link, RunReport, Signals, make_room_for_descriptors, raise_descriptor_limit,
};
use ganger_logs::{Capture, HAND_BYTES, Lasting, Limits, Store};
use ganger_spec::{Loaded, Settings, Spec, WorkerName};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot, watch};

use super::daemon::Outside;
use super::{Asked, End, Engine, Message, REQUESTS_MAX};
use crate::aside::Damaged;
use crate::attach::{Knock, Sizes};
use crate::commands::Owed;
use crate::config::{Messenger, Reading, Start};
use crate::forward::{Forwards, Tell};
use crate::hands::{self, Hands};
use crate::herald::Herald;
use crate::journal::Journal;
use crate::launch::Launcher;
use crate::lease::Lease;
use crate::ledger::{Found, Ledger, Owner};
use crate::listeners::Listeners;
use crate::narrator::Narrator;
use crate::output::{Kept, Outputs};
use crate::overmind::Counter;
use crate::prober::Prober;
use crate::readiness::{Source, register};
use crate::roster::Roster;
use crate::sockets::Sockets;
use crate::stdin::Stdins;
use crate::supervisor::{Called, Reread, Servers};
use crate::unattended::Unattended;
use crate::upgrade::Upgrades;
use crate::watch::Files;
use crate::wishes::WishFile;
use crate::{Config, Error, Life, clock, ledger, server, stats, survivors};

/// So many descriptors an overseer without workers gets by with, a few clients included.
const OWN_DESCRIPTORS: u64 = 40;
/// A worker that writes needs so many: its pipe, its log, the log's index and its process. A silent one needs the pipe.
const LOUD_DESCRIPTORS: u64 = 4;
/// Each forwarder needs so many for it: the log and its index.
const FORWARD_DESCRIPTORS: u64 = 2;

/// An engine that only has to be run, and what reaches it.
pub(super) struct Started {
    pub(super) engine: Engine,
    pub(super) lease: Lease,
    pub(super) clients: Clients,
    pub(super) messages: mpsc::UnboundedReceiver<Message>,
}

/// What clients ask, of the control API and of supervisord's interface, and what the terminal tells.
pub(super) struct Clients {
    pub(super) requests: mpsc::Sender<Asked>,
    pub(super) asked: mpsc::Receiver<Asked>,
    pub(super) called: mpsc::Receiver<Called>,
    pub(super) knocks: mpsc::Receiver<Knock>,
    /// The viewers that may type.
    pub(super) viewers: Arc<Sizes>,
    /// Tells that the viewer's window may have another size.
    pub(super) resized: Option<AsyncFd<Source<Signals>>>,
    /// Comes when everybody has been answered, after the receivers are gone.
    pub(super) answered: oneshot::Receiver<()>,
    /// Why Overmind's clients are not answered, if they were to be.
    pub(super) deaf: Option<Error>,
}

/// Takes the app, and makes an engine that only has to be run.
pub(super) fn start(
    config: Config,
    mut link: Link,
    keeper_pid: u32,
    is_kept: bool,
) -> Result<Started, Error> {
    let Config { name, life, heir, successor, place, load, inherited, limits, viewer, .. } = config;
    place.create(&config.environment)?;
    let mut kept = link.take_kept().into_iter();
    let (is_ours, lease) = (is_kept || kept.len() > 0, Lease::take(&place, kept.next())?);
    refuse_doubles(&place, is_ours)?;
    let mut past = Past::recall(config.recalls && life == Life::Background, &place, keeper_pid, is_ours)?;
    // A ledger that was damaged may name workers and not say what is to run: the files do.
    let (is_fresh, is_unreleased) = (past.records.is_empty(), past.spec.is_none());
    let loaded =
        past.spec.take().map_or_else(|| load(Reading::First).map(drawn), |spec| Ok(as_loaded(spec)))?;
    make_room(&loaded.spec, life, is_fresh)?;
    let sockets = sockets(kept.collect(), &loaded.spec, is_fresh && !is_ours)?;
    let (message_sender, messages) = mpsc::unbounded_channel();
    let capture = capture(&place, limits, message_sender.clone())?;
    let forwards = forwards(&place, &capture, &message_sender, &loaded.spec);
    let viewer = viewer(capture.store(), &loaded, Messenger(message_sender.clone()), from(is_fresh, is_ours))
        .map_err(|source| Error::System { action: "print", source })?;
    let journal = Arc::new(open_journal(&place, &mut past, keeper_pid)?);
    let outside = (is_fresh, config.resized);
    let (clients, main_news) = clients(&place, &loaded.spec, &journal, capture.store(), outside)?;
    let listeners = listeners(&place, is_fresh, message_sender.clone())?;
    let core = past.decider(is_unreleased);
    let Past { ledger, wishes, damaged, .. } = past;
    let mut engine = Engine {
        hands: hands(&place, link, (limits, heir.is_some()), &clients.viewers, message_sender.clone())?,
        prober: Prober::new(&place.id, message_sender.clone()),
        unattended: unattended(life, &capture, &clients.viewers, message_sender.clone())?,
        life,
        heir,
        core,
        files: files(&message_sender),
        narrator: Narrator::new(journal.clone(), viewer, message_sender),
        capture,
        forwards,
        sockets,
        journal,
        listeners,
        ledger,
        wishes,
        wishes_stale: true,
        herald: if name.is_some() { Herald::of_office() } else { Herald::of_environment(keeper_pid) },
        upgrades: Upgrades::new(successor, keeper_pid),
        launcher: Launcher { inherited, tag: format!("{}/{keeper_pid}", place.id) },
        load,
        owed: BTreeMap::new(),
        next_command: 0,
        reported_ports: BTreeSet::new(),
        reread: Reread::default(),
        ledger_fails: false,
        wishes_fail: false,
        killed: BTreeSet::new(),
        logs_dir: place.logs(),
        app_id: place.id,
        keeper_pid,
        started: announce(&lease, name.as_ref(), &loaded.spec, is_fresh, (keeper_pid, life))?,
        to_apply: is_unreleased.then_some(loaded.spec),
        end: End::NotYet,
        outside: Outside::new(main_news),
    };
    engine.greet(&lease, &damaged, clients.deaf.as_ref(), is_fresh && !is_ours)?;
    Ok(Started { engine, lease, clients, messages })
}

impl Engine {
    /// Says hello to the keeper, what is wrong with the files of ours, and why Overmind's clients hear nothing.
    fn greet(
        &mut self,
        lease: &Lease,
        damaged: &[Damaged],
        deaf: Option<&Error>,
        is_new: bool,
    ) -> Result<(), Error> {
        let lock = lease.descriptor().map_err(|source| Error::System { action: "hold the lock", source })?;
        self.hands.greet(lock, self.sockets.descriptors());
        for damaged in damaged {
            self.narrator.notice(damaged.to_string());
        }
        if let Some(error) = deaf {
            self.narrator.notice(format!("commands of Overmind's are not answered: {error}"));
        }
        self.begin_daemon(is_new)
    }

    /// The keeper told what it knows; `news` says why this overseer was started, if that is known.
    pub(super) fn connected(&mut self, runs: &[RunReport], news: Option<String>) {
        let known: Vec<_> = runs.iter().filter_map(hands::known_run).collect();
        for run in &known {
            self.hands.know(run.run, &run.worker);
            self.take_up(&run.worker);
            self.attend_again(run);
        }
        self.hold_sockets(&known);
        // What workers without a run wrote last may still be in their pipes.
        for worker in self.hands.outputs.uncaptured() {
            self.take_up(&worker);
            if self.core.worker(&worker).is_none() {
                self.hands.outputs.release(&worker, &self.capture);
            }
        }
        if self.core.spec().is_some() {
            self.keep_output();
            self.keep_files();
        }
        let ended = runs.iter().filter(|report| report.exit.is_some());
        self.narrator.used(ended.map(|report| (ganger_core::RunId(report.run.0), report.usage)));
        self.decide(Input::Connected { runs: known });
        if self.core.spec().is_some() {
            self.look_at_all();
        }
        if let Some(spec) = self.to_apply.take() {
            let command = self.owe(Owed::Nobody);
            self.apply(command, spec);
        } else {
            let again = || "the overseer was started again; the workers went on".to_owned();
            self.narrator.notice(news.unwrap_or_else(again));
            self.settle();
            self.adopt_listeners();
            self.echo_all();
        }
    }

    /// Goes on listening. What nobody has kept is taken from the workers that have it.
    fn hold_sockets(&mut self, known: &[KnownRun]) {
        let Some(spec) = self.to_apply.clone().map(Arc::new).or_else(|| self.core.spec().cloned()) else {
            return;
        };
        for run in known.iter().filter(|run| run.exit.is_none()) {
            if let Some(group) = spec.group(&run.worker.group) {
                self.sockets.take_up(group, run.pid);
            }
        }
        if let Err(error) = self.sockets.fit(&spec) {
            self.narrator.notice(error.to_string());
        }
    }

    /// Captures and shows on what the overseer before did.
    fn take_up(&mut self, worker: &WorkerName) {
        let spec = self.core.spec().map(Arc::as_ref).or(self.to_apply.as_ref());
        let kept = spec.and_then(|spec| Kept::of_worker(spec, worker));
        if let Err(error) = self.hands.outputs.adopt(worker, kept.as_ref(), &self.capture) {
            self.narrator.notice(format!("the output of {worker} cannot be captured: {error}"));
        }
        self.follow(worker, Start::WhereLeft);
    }
}

/// AUTO logs get names of this start.
fn drawn(mut loaded: Loaded) -> Loaded {
    use std::hash::BuildHasher;
    // Each state has secret keys that the system drew.
    let part = || std::hash::RandomState::new().hash_one(0_u8);
    loaded.spec.draw_auto_logs(format!("{:016x}{:016x}", part(), part()));
    loaded
}

/// What the ledger says is in force needs no files.
fn as_loaded(spec: Spec) -> Loaded {
    Loaded { spec, warnings: Vec::new(), settings: Settings::default(), left_out: Vec::new() }
}

/// Where no keeper kept the app, nothing of it may live: a start beside what survived would double it.
fn refuse_doubles(place: &Place, is_kept: bool) -> Result<(), Error> {
    let alive = if is_kept { 0 } else { survivors::look(place).alive.len() };
    if alive == 0 { Ok(()) } else { Err(Error::Survivors { workers: alive }) }
}

/// Answers clients from now on: on the socket of the app, on the servers that a supervisord.conf asks for, and on
/// Overmind's; what runs is not given up because of that one. News of the main log reach those of the servers.
fn clients(
    place: &Place,
    spec: &Spec,
    journal: &Arc<Journal>,
    store: Store,
    (is_fresh, resized): (bool, Option<Signals>),
) -> Result<(Clients, watch::Sender<()>), Error> {
    let (main_news, heard) = watch::channel(());
    let resized = resized.map(|signals| register(signals, Interest::READABLE)).transpose();
    let resized = resized.map_err(|source| Error::System { action: "watch the window", source })?;
    let (requests, asked) = mpsc::channel(REQUESTS_MAX);
    let (calls, called) = mpsc::channel(REQUESTS_MAX);
    let servers = spec.supervisor.as_ref();
    let servers = servers.map(|daemon| Servers::listen(daemon, &calls, &store, &heard)).transpose()?;
    let (overmind, deaf) = match spec.overmind.as_deref().map(Counter::open).transpose() {
        Ok(counter) => (counter, None),
        Err(error) if is_fresh => return Err(error),
        Err(error) => (None, Some(error)),
    };
    let ((doors, knocks), viewers) = (mpsc::channel(REQUESTS_MAX), Sizes::new());
    let engine = (requests.clone(), Some((doors, viewers.clone())));
    let answered = server::start(place, engine, journal.clone(), store, servers, overmind)?;
    Ok((Clients { requests, asked, called, knocks, viewers, resized, answered, deaf }, main_news))
}

/// Where the pipes of workers are.
fn pipes(place: &Place) -> Result<PathBuf, Error> {
    let pipes = place.runtime.join("pipes");
    make_private(&pipes)?;
    Ok(pipes)
}

/// What asks the keeper for things.
fn hands(
    place: &Place,
    link: Link,
    (limits, has_heir): (Limits, bool),
    viewers: &Arc<Sizes>,
    messages: mpsc::UnboundedSender<Message>,
) -> Result<Hands, Error> {
    let stdins = place.runtime.join("stdin");
    make_private(&stdins)?;
    let roster = Roster::new(place.runs(), has_heir);
    let outputs = Outputs::new(pipes(place)?, limits, viewers.clone(), messages);
    Hands::new(link, outputs, Stdins::new(stdins), roster).map_err(Error::Keeper)
}

/// Who listens to events, as the book of the overseer before has it.
fn listeners(
    place: &Place,
    is_fresh: bool,
    messages: mpsc::UnboundedSender<Message>,
) -> Result<Listeners, Error> {
    let pipes = place.runtime.join("listeners");
    make_private(&pipes)?;
    Ok(Listeners::new(place.state.join("listeners"), pipes, is_fresh, messages))
}

/// Captures what workers write; what the store has to say is told.
fn capture(place: &Place, limits: Limits, trouble: mpsc::UnboundedSender<Message>) -> Result<Capture, Error> {
    let on_event = Box::new(move |event| {
        // It fails only when the engine has ended, and nobody listens then.
        let _ = trouble.send(Message::Logs(event));
    });
    // It goes when the pipes go, whose bytes it carries. No log has this name.
    let hand = LastingMemory::open(&pipes(place)?.join("hand"), &clock::boot_id(), HAND_BYTES);
    // Without it, loud workers wait for their logs a little longer.
    let hand = hand.ok().map(|memory| Box::new(memory) as Box<dyn Lasting>);
    Ok(Capture::start(&place.logs(), limits, on_event, hand)?)
}

/// Whether there is something to start, and descriptors for it. What runs is not given up for them: what needs a
/// descriptor is tried until there is one. In the background there may be nothing to do yet.
fn make_room(spec: &Spec, life: Life, is_fresh: bool) -> Result<(), Error> {
    let workers: u64 = spec.groups.iter().map(|group| u64::from(group.count)).sum();
    if workers == 0 && is_fresh && life == Life::Foreground {
        return Err(Error::NothingToStart);
    }
    let each = LOUD_DESCRIPTORS + spec.forwards.len() as u64 * FORWARD_DESCRIPTORS;
    let failed = |source| Error::System { action: "raise the limit of open files", source };
    let wanted = OWN_DESCRIPTORS + workers * each;
    let limit = match raise_descriptor_limit(wanted) {
        Ok(limit) => limit,
        Err(error) if is_fresh => return Err(failed(error)),
        Err(_) => return Ok(()),
    };
    make_room_for_descriptors(wanted);
    let needed = OWN_DESCRIPTORS + workers;
    if limit < needed && is_fresh {
        return Err(Error::TooFewDescriptors { workers, needed, limit });
    }
    Ok(())
}

/// The sockets that were kept. Where nothing was before, one that cannot be made is an error before anything runs.
fn sockets(kept: Vec<OwnedFd>, spec: &Spec, is_new: bool) -> Result<Sockets, Error> {
    let mut sockets = Sockets::of(kept);
    if is_new {
        sockets.fit(spec)?;
    }
    Ok(sockets)
}

/// Lets the forwarders run, before any worker writes what they are to send.
fn forwards(
    place: &Place,
    capture: &Capture,
    messages: &mpsc::UnboundedSender<Message>,
    spec: &Spec,
) -> Forwards {
    let messages = messages.clone();
    let tell = move || -> Tell {
        let messages = messages.clone();
        Box::new(move |text| {
            // It fails only when the engine has ended, and nobody listens then.
            let _ = messages.send(Message::Forward(text));
        })
    };
    let forwards = Forwards::new(place.state.join("forward"), capture.store(), Box::new(tell));
    forwards.apply(&spec.app, &spec.forwards);
    forwards
}

/// In the foreground it is told of workers that wait for input.
fn unattended(
    life: Life,
    capture: &Capture,
    viewers: &Arc<Sizes>,
    messages: mpsc::UnboundedSender<Message>,
) -> Result<Unattended, Error> {
    let store = (life == Life::Foreground).then(|| capture.store());
    Ok(Unattended::new(store, viewers.clone(), messages)?)
}

/// Nothing is watched before a release says what.
fn files(messages: &mpsc::UnboundedSender<Message>) -> Files {
    let messages = messages.clone();
    Files::new(Box::new(move || {
        let messages = messages.clone();
        Box::new(move |seen| {
            // It fails only when the engine has ended, and nobody listens then.
            let _ = messages.send(Message::Files(seen));
        })
    }))
}

/// What was before this overseer.
struct Past {
    ledger: Ledger,
    records: Vec<Record>,
    /// What happened, which the journal may not have.
    events: Vec<EventInfo>,
    /// What is in force, if the ledger says so.
    spec: Option<Spec>,
    /// None where they are not recalled.
    wishes: Option<WishFile>,
    damaged: Vec<Damaged>,
}

impl Past {
    /// Whoever got the app's lock from the keeper goes on with the ledger of this boot, whichever keeper it began under.
    fn recall(recalls: bool, place: &Place, keeper_pid: u32, is_ours: bool) -> Result<Self, Error> {
        let (path, boot) = (place.ledger(), clock::boot_id());
        let before = ledger::owner(&path).filter(|before| is_ours && before.boot == boot);
        let keeper_started = stats::started(keeper_pid).unwrap_or(0);
        let owner = before.unwrap_or(Owner { keeper_pid, keeper_started, boot });
        let opened = Ledger::open(&path, owner);
        let (ledger, Found { records, events, damaged, .. }) =
            opened.map_err(|source| Error::File { action: "open", path, source })?;
        let mut damaged: Vec<Damaged> = damaged.into_iter().collect();
        let wishes = recalls.then(|| WishFile::open(&place.wishes()));
        let wishes = wishes.map(|(file, damage)| {
            damaged.extend(damage);
            file
        });
        Ok(Self { spec: ledger::spec_of(&records), ledger, records, events, wishes, damaged })
    }

    /// The decider that goes on from it. What operators asked for is in the ledger too, once a release is.
    fn decider(&mut self, is_unreleased: bool) -> Core {
        let (now, records) = (clock::now(), std::mem::take(&mut self.records));
        let core = Core::restore(now.0, now, records);
        match &self.wishes {
            Some(file) if is_unreleased => core.wishing(file.held().clone()),
            Some(_) | None => core,
        }
    }
}

/// Opens the journal. Its first entry is the first thing that a fresh start writes: on a full disk nothing starts.
fn open_journal(place: &Place, past: &mut Past, keeper_pid: u32) -> Result<Journal, Error> {
    let path = place.events();
    let failed = |action| {
        let path = path.clone();
        move |source| Error::File { action, path, source }
    };
    let journal = Journal::open(&path, std::mem::take(&mut past.events)).map_err(failed("open"))?;
    if past.records.is_empty() {
        let text = format!("ganger {} starts, its keeper has pid {keeper_pid}", env!("CARGO_PKG_VERSION"));
        journal.note(&text).map_err(failed("write"))?;
    }
    Ok(journal)
}

/// Where the viewer begins.
fn from(is_fresh: bool, is_ours: bool) -> Start {
    if is_fresh && !is_ours { Start::Now } else { Start::WhereLeft }
}

/// Says who oversees the app from now on; when the app was started.
fn announce(
    lease: &Lease,
    name: Option<&String>,
    spec: &Spec,
    is_fresh: bool,
    (keeper_pid, life): (u32, Life),
) -> Result<Time, Error> {
    let before = if is_fresh { None } else { lease.announced() };
    let started = before.unwrap_or(Time(jiff::Timestamp::now()));
    // Who looks for it knows the directory by the one name that has no `..` and no links.
    let root = spec.root.canonicalize().unwrap_or_else(|_| spec.root.clone());
    let name = name.unwrap_or(&spec.app).clone();
    let background = match life {
        Life::Foreground | Life::Screen => false,
        Life::Background => true,
    };
    let app = AppFile { name, root, keeper_pid, started, background };
    lease.announce(&app)?;
    Ok(started)
}

fn make_private(dir: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| Error::File { action: "make", path: dir.to_owned(), source })
}
