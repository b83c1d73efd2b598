//! The office: one overseer for several apps.
//!
//! 1. Each app has its own engine, with its own decider, ledger, logs and socket, and knows of no other.
//! 2. They share one keeper by the [switchboard]. Signals go to all: TERM ends every app and then the daemon, HUP
//!    lets each read its files again.
//! 3. An app that cannot be started is said, and stops no other; HUP, or adding it once more, tries again.
//! 4. An app that is asked to quit ends alone, and stays on the list: the next start of the daemon, or adding it once
//!    more, starts it again.
//! 5. What was added is on disk before the operator gets the reply.

mod list;
mod switchboard;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use ganger_api::{
    AddedApp, ApiError, AppFile, AppState, AppsInfo, Data, Environment, ErrorCode, Place, QuitInfo, Request,
    Time,
};
use ganger_keeper::{HandedRun, Handover, Link, raise_descriptor_limit};
use ganger_logs::Store;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use crate::engine::{self, Asked, REQUESTS_MAX};
use crate::journal::Journal;
use crate::lease::Lease;
use crate::roster::Found;
use crate::survivors::{self, Survivors};
use crate::upgrade::{Upgrades, can_go_on};
use crate::{Config, Error, Heir, Successor, abort, clock, herald, ledger, output, roster, server, stats};

pub use list::Entry;
pub(crate) use list::entries_in;
use list::{APPS_MAX, List};
use switchboard::{Switchboard, Told, handed_run, worker_of};

/// An app and its engine need so many descriptors beside its workers'.
const DESCRIPTORS_OF_APP: u64 = 100;

/// Why an app is down that nobody has to worry about.
const ASKED_TO_QUIT: &str = "asked to quit";

type Answer = oneshot::Sender<Result<Data, ApiError>>;

/// What the office is given.
pub struct Office {
    /// What of the environment decides where things are.
    pub environment: Environment,
    /// How an app is overseen.
    pub make: Box<MakeConfig>,
    /// Who goes on with the apps when the keeper is killed.
    pub heir: Heir,
    /// How another program takes the place of this one.
    pub successor: Successor,
    /// Says a line of the office's own.
    pub say: Box<dyn Fn(&str)>,
}

/// Says how an app is overseen.
pub type MakeConfig = dyn Fn(&Entry) -> Result<Config, Error>;

/// Oversees all apps that were added, until told to end; the exit status. To be called in a process that a keeper
/// started.
pub fn run_all(office: Office) -> Result<u8, Error> {
    abort::on_panic();
    let failed = |source| Error::System { action: "start the event loop", source };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(failed)?;
    runtime.block_on(LocalSet::new().run_until(async { Desk::open(office).await?.work().await }))
}

/// Looks at or changes the list of apps while no daemon runs.
pub fn edit(environment: &Environment, request: &Request) -> Result<Result<Data, ApiError>, Error> {
    let place = Place::of_daemon(environment)?;
    place.create(environment)?;
    let lease = Lease::take(&place, None)?;
    let (mut list, _) = List::open(&place);
    let changed = match request {
        Request::AddApp { dir, name } => list.add(dir, name.as_deref()).map(drop),
        Request::RemoveApp { name } => list.find(name).and_then(|entry| list.remove(entry.slot)),
        _ => Ok(()),
    };
    let why = "`ganger daemon` starts it";
    let one = |entry: &Entry| added(entry, AppState::Waiting, why);
    let apps = list.entries().iter().map(one).collect();
    lease.end();
    Ok(changed.map(|()| Data::Apps(AppsInfo { apps })))
}

/// Looks for runs of all apps that were added which have no keeper; none if there are none. An error if a daemon runs.
pub fn survivors_of_all(environment: &Environment) -> Result<Option<Survivors>, Error> {
    let place = Place::of_daemon(environment)?;
    place.create(environment)?;
    let lease = Lease::take(&place, None)?;
    let mut found = Found::default();
    for entry in List::open(&place).0.entries() {
        let place = entry.place(environment)?;
        place.create(environment)?;
        // An app that somebody has is not for us to go on with.
        let Ok(_lease) = Lease::take(&place, None) else { continue };
        let Found { runs, alive } = survivors::look(&place);
        if !alive.is_empty() {
            let is_alive = |run: &HandedRun| alive.contains(&run.run);
            let (living, ended): (Vec<_>, Vec<_>) = runs.into_iter().partition(is_alive);
            let [living, ended] = [living, ended]
                .map(|runs| runs.into_iter().map(|run| handed_run(entry.slot, run)).collect::<Vec<_>>());
            found.alive.extend(living.iter().map(|run| run.run));
            found.runs.extend(living.into_iter().chain(ended));
        }
    }
    Survivors::of(&place, &lease, found)
}

/// Whether this program can go on with all apps that were added.
pub fn can_go_on_with_all(environment: &Environment) -> Result<(), Error> {
    for entry in entries_in(&Place::of_daemon(environment)?)? {
        can_go_on(&entry.place(environment)?)?;
    }
    Ok(())
}

fn added(entry: &Entry, state: AppState, why: &str) -> AddedApp {
    AddedApp { name: entry.name(), root: entry.root.clone(), state, why: why.to_owned() }
}

/// Who runs the office.
struct Desk {
    office: Office,
    list: List,
    lease: Lease,
    board: Rc<Switchboard>,
    keeper_pid: u32,
    keeper_started: u64,
    journal: Arc<Journal>,
    apps: BTreeMap<u32, App>,
    told: mpsc::UnboundedReceiver<Told>,
    asked: mpsc::Receiver<Asked>,
    ended: (mpsc::UnboundedSender<Ended>, mpsc::UnboundedReceiver<Ended>),
    stopping: bool,
    /// The manager was told that all is up.
    is_ready: bool,
    quitters: Vec<Answer>,
    upgrades: Upgrades,
}

type Ended = (u32, Result<u8, Error>);

/// An app on the list.
struct App {
    entry: Entry,
    state: AppState,
    why: String,
    /// Every worker was started once.
    is_up: bool,
    /// Who waits for its removal.
    removal: Option<Answer>,
    requests: Option<mpsc::Sender<Asked>>,
}

impl App {
    fn new(entry: Entry, state: AppState, why: &str) -> Self {
        Self { entry, state, why: why.to_owned(), is_up: false, removal: None, requests: None }
    }
}

impl Desk {
    async fn open(office: Office) -> Result<Self, Error> {
        let mut link = Link::from_env().map_err(Error::Keeper)?;
        let place = Place::of_daemon(&office.environment)?;
        place.create(&office.environment)?;
        let kept = link.take_kept().into_iter().next();
        let goes_on = kept.is_some();
        let lease = Lease::take(&place, kept)?;
        let keeper_pid = engine::keeper_pid();
        let (list, damaged) = List::open(&place);
        let journal = Journal::open(&place.events(), Vec::new());
        let journal = journal.map(Arc::new).map_err(|source| Error::File {
            action: "open",
            path: place.events(),
            source,
        })?;
        // What cannot be raised is dealt with where a descriptor is missing.
        let _ = raise_descriptor_limit(DESCRIPTORS_OF_APP * APPS_MAX as u64);
        let lock = lease.descriptor().map_err(|source| Error::System { action: "hold the lock", source })?;
        let (sender, told) = mpsc::unbounded_channel();
        let board = Switchboard::connect(link, lock, sender).await.map_err(Error::Keeper)?;
        tokio::task::spawn_local(board.clone().attend_keeper());
        let (requests, asked) = mpsc::channel(REQUESTS_MAX);
        server::start(&place, (requests, None), journal.clone(), Store::open(&place.logs())?, None, None)?;
        let started = lease.announced().unwrap_or(Time(jiff::Timestamp::now()));
        lease.announce(&AppFile {
            name: place.id,
            root: place.state,
            keeper_pid,
            started,
            background: true,
        })?;
        let ended = mpsc::unbounded_channel();
        let mut upgrades = Upgrades::new(Some(office.successor.clone()), keeper_pid);
        let news = upgrades.welcome(board.take_upgraded());
        let mut desk = Self {
            office,
            list,
            lease,
            board,
            keeper_pid,
            keeper_started: stats::started(keeper_pid).unwrap_or(0),
            journal,
            apps: BTreeMap::new(),
            told,
            asked,
            ended,
            stopping: false,
            is_ready: false,
            quitters: Vec::new(),
            upgrades,
        };
        let is_on_trial = news.is_some();
        for text in news.into_iter().chain(damaged.map(|damaged| damaged.to_string())) {
            desk.say(&text);
        }
        desk.start_all(goes_on);
        if is_on_trial {
            desk.board.ask(ganger_keeper::Request::Settled);
        }
        Ok(desk)
    }

    /// Starts the apps, or goes on with them, but for those that were asked to quit under this keeper. The overseer
    /// before may have died before it noted that: then the app's ledger tells.
    fn start_all(&mut self, goes_on: bool) {
        for entry in self.list.entries() {
            let slot = entry.slot;
            let place = entry.place(&self.office.environment).ok();
            let is_noted = entry.ended_under == Some(self.keeper_started);
            if is_noted || goes_on && place.is_some_and(|place| ledger::says_ended(&place.ledger())) {
                self.apps.insert(slot, App::new(entry, AppState::Ended, ASKED_TO_QUIT));
                if !is_noted {
                    self.close_books(slot);
                }
            } else {
                self.start(entry);
            }
        }
    }

    async fn work(mut self) -> Result<u8, Error> {
        let mut beat = engine::Watchdog::of_environment(self.keeper_pid);
        loop {
            self.tell_ready();
            if self.stopping && self.apps.values().all(|app| app.requests.is_none()) {
                return self.finish().await;
            }
            if let Some(state) = beat.beat(clock::now()) {
                self.board.ask(ganger_keeper::Request::Notify { state });
            }
            let next = beat.next_beat().map(|at| at.since(clock::now()));
            tokio::select! {
                Some(told) = self.told.recv() => match told {
                    Told::Signal(signal) => self.signalled(signal),
                    Told::Tried(failure) => {
                        if self.upgrades.tried(failure) {
                            self.make_way();
                        }
                    }
                    Told::State(slot, state) => self.stated(slot, &state),
                    Told::Lost(error) if self.office.heir == Heir::Manager => {
                        self.say("the keeper was killed: the service manager starts the next one");
                        return Err(Error::Keeper(error));
                    }
                    Told::Lost(error) => {
                        self.succeed();
                        return self.give_up(error).await;
                    }
                },
                Some((slot, outcome)) = self.ended.1.recv() => self.ended(slot, outcome),
                Some((request, answer)) = self.asked.recv() => self.request(request, answer),
                () = engine::sleep_for(next) => {}
            }
        }
    }

    /// Another program takes our place: the keeper ends this process.
    fn make_way(&mut self) {
        self.say("another ganger takes the place of this one");
        let state = herald::reloading();
        self.board.ask(ganger_keeper::Request::Notify { state });
        self.board.ask(ganger_keeper::Request::Yielded);
    }

    /// Starts an app. One that cannot be started is said, and stops no other.
    fn start(&mut self, entry: Entry) {
        let slot = entry.slot;
        let name = entry.name();
        let begun = self.begin(&entry);
        let mut app = App::new(entry, AppState::Running, "overseen");
        match begun {
            Ok(requests) => app.requests = Some(requests),
            Err(error) => {
                app.state = AppState::Failed;
                app.why = error.to_string();
                self.say(&format!("{name} cannot be started: {error}"));
                if let Some(hint) = error.hint() {
                    self.say(&format!("hint: {hint}"));
                }
            }
        }
        self.apps.insert(slot, app);
    }

    fn begin(&self, entry: &Entry) -> Result<mpsc::Sender<Asked>, Error> {
        let config = (self.office.make)(entry)?;
        let (link, is_kept) = self.board.open(entry.slot).map_err(Error::Keeper)?;
        let (requests, life) = engine::begin(config, link, self.keeper_pid, is_kept)?;
        let (slot, ended) = (entry.slot, self.ended.0.clone());
        tokio::task::spawn_local(async move {
            // The office outlives its apps.
            let _ = ended.send((slot, life.await));
        });
        Ok(requests)
    }

    fn ended(&mut self, slot: u32, outcome: Result<u8, Error>) {
        let Some(app) = self.apps.get_mut(&slot) else { return };
        (app.requests, app.is_up) = (None, false);
        let name = app.entry.name();
        let text = match outcome {
            Ok(_) => {
                (app.state, app.why) = (AppState::Ended, ASKED_TO_QUIT.to_owned());
                format!("{name} has ended")
            }
            Err(error) => {
                (app.state, app.why) = (AppState::Failed, error.to_string());
                format!("{name} is not overseen any more: {error}")
            }
        };
        let removal = app.removal.take();
        if app.state == AppState::Ended && !self.stopping {
            self.close_books(slot);
        }
        self.say(&text);
        if let Some(answer) = removal {
            self.forget(slot, answer);
        }
    }

    /// An app was asked to quit: it stays down under this keeper, also when an overseer has to take over, and its
    /// ledger, which says how it ended, does not end its next life.
    fn close_books(&mut self, slot: u32) {
        let marked = self.list.mark(slot, Some(self.keeper_started));
        let place = self.apps.get(&slot).and_then(|app| app.entry.place(&self.office.environment).ok());
        match (marked, place) {
            (Ok(()), Some(place)) => drop(std::fs::remove_file(place.ledger())),
            (Err(error), _) => self.say(&error.to_string()),
            (Ok(()), None) => {}
        }
    }

    fn signalled(&mut self, signal: i32) {
        self.board.ask(ganger_keeper::Request::Taken { signal });
        self.board.signal_all(signal);
        match ganger_spec::Signal::from_number(signal) {
            Some(ganger_spec::Signal::HUP) => self.retry(),
            Some(ganger_spec::Signal::INT | ganger_spec::Signal::TERM | ganger_spec::Signal::QUIT) => {
                self.stop();
            }
            Some(_) | None => {}
        }
    }

    /// Tries once more what could not be started.
    fn retry(&mut self) {
        let failed = self.apps.values().filter(|app| app.state == AppState::Failed && app.requests.is_none());
        for entry in failed.map(|app| app.entry.clone()).collect::<Vec<_>>() {
            self.start(entry);
        }
    }

    fn stop(&mut self) {
        if !std::mem::replace(&mut self.stopping, true) {
            self.say("stopping every app");
            self.board.ask(ganger_keeper::Request::Notify { state: "STOPPING=1".to_owned() });
        }
    }

    /// What an engine would tell its service manager.
    fn stated(&mut self, slot: u32, state: &str) {
        if let Some(app) = self.apps.get_mut(&slot) {
            app.is_up |= state.lines().any(|line| line == "READY=1");
            if let Some(status) = state.lines().find_map(|line| line.strip_prefix("STATUS=")) {
                status.clone_into(&mut app.why);
            }
        }
    }

    fn tell_ready(&mut self) {
        let waits = |app: &App| app.requests.is_some() && !app.is_up;
        if self.is_ready || self.stopping || self.apps.values().any(waits) {
            return;
        }
        self.is_ready = true;
        let up = self.apps.values().filter(|app| app.is_up).count();
        let state = format!("READY=1\nSTATUS={up} of {} apps up", self.apps.len());
        self.board.ask(ganger_keeper::Request::Notify { state });
    }

    fn request(&mut self, request: Request, answer: Answer) {
        let now = match request {
            Request::Apps => Ok(self.apps()),
            Request::AddApp { .. } | Request::RemoveApp { .. } if self.stopping => {
                Err(ApiError::new(ErrorCode::ShuttingDown, "the daemon is stopping"))
            }
            Request::AddApp { dir, name } => self.add(&dir, name.as_deref()),
            Request::RemoveApp { name } => match self.list.find(&name) {
                Ok(entry) => return self.remove(entry.slot, answer),
                Err(error) => Err(error),
            },
            Request::Quit { now } => {
                self.quit_all(now);
                self.quitters.push(answer);
                return;
            }
            Request::Upgrade { program, ticket } => {
                if let Some(request) = self.upgrades.request(0, program, ticket, answer) {
                    self.board.ask(request);
                }
                return;
            }
            _ => Err(ApiError::new(ErrorCode::BadRequest, "this is the daemon, and no app")
                .with_hint("ask on the app's own socket")),
        };
        // A client that did not wait for its answer is no fault.
        let _ = answer.send(now);
    }

    fn apps(&self) -> Data {
        let mut apps: Vec<AddedApp> =
            self.apps.values().map(|app| added(&app.entry, app.state, &app.why)).collect();
        apps.sort_by(|one, other| one.name.cmp(&other.name));
        Data::Apps(AppsInfo { apps })
    }

    fn add(&mut self, dir: &std::path::Path, name: Option<&str>) -> Result<Data, ApiError> {
        let entry = self.list.add(dir, name)?;
        let runs = self.apps.get(&entry.slot).is_some_and(|app| app.requests.is_some());
        if !runs {
            self.list.mark(entry.slot, None)?;
            self.say(&format!("{} in {} is overseen from now on", entry.name(), entry.root.display()));
            self.start(entry);
        }
        Ok(self.apps())
    }

    /// It ends first; the answer comes when it is gone.
    fn remove(&mut self, slot: u32, answer: Answer) {
        let running = self.apps.get_mut(&slot).and_then(|app| Some((app.requests.clone()?, app)));
        match running {
            Some((requests, app)) => {
                app.removal = Some(answer);
                ask_to_quit(requests, false);
            }
            None => self.forget(slot, answer),
        }
    }

    fn forget(&mut self, slot: u32, answer: Answer) {
        let removed = self.list.remove(slot).map(|()| {
            self.apps.remove(&slot);
            self.apps()
        });
        let _ = answer.send(removed);
    }

    fn quit_all(&mut self, now: bool) {
        self.stop();
        for requests in self.apps.values().filter_map(|app| app.requests.clone()) {
            ask_to_quit(requests, now);
        }
    }

    /// Says something of the office's own, in its events too.
    fn say(&self, text: &str) {
        (self.office.say)(text);
        // What the file does not take now it gets with the next.
        let _ = self.journal.note(text);
    }

    async fn finish(self) -> Result<u8, Error> {
        for answer in self.quitters {
            let _ = answer.send(Ok(Data::Quit(QuitInfo::default())));
        }
        self.lease.end();
        self.board.ask(ganger_keeper::Request::Quit { status: 0 });
        self.board.drained().await;
        Ok(0)
    }

    /// The keeper is gone, and the apps are to go on: this process becomes the next one. Returns only if that fails.
    fn succeed(&mut self) {
        let Heir::Overseer(program, args) = self.office.heir.clone() else { return };
        self.say("the keeper was killed: this overseer takes its place");
        // Where that cannot be written, commands wait for no next overseer, but find it when they are given again.
        let _ = self.lease.inherit();
        let (mut handover, lock) = (self.runs(), self.lease.descriptor());
        let lock = match lock {
            Ok(lock) => lock,
            Err(error) => return self.say(&format!("cannot hold the lock: {error}")),
        };
        handover.kept.push(lock);
        self.keep_ended();
        let error = handover.execute(&program, &args);
        self.say(&format!("cannot become the keeper: {error}"));
    }

    /// What lives of all apps. What was written and not read of their output lives on with it.
    fn runs(&self) -> Handover {
        let mut handover = Handover::default();
        let mut expected = Vec::new();
        for entry in self.list.entries() {
            let Ok(place) = entry.place(&self.office.environment) else { continue };
            let readers = output::readers_in(&place.runtime.join("pipes"));
            let named = readers.into_iter().map(|(log, pipe)| (worker_of(entry.slot, &log), pipe));
            handover.outputs.extend(named);
            let runs = survivors::look(&place).runs;
            handover.runs.extend(runs.into_iter().map(|run| handed_run(entry.slot, run)));
            let open = ledger::expects(&place.ledger()).into_iter();
            let open = open.map(|(run, worker)| roster::unseen(run, worker.to_string(), String::new()));
            expected.extend(open.map(|run| handed_run(entry.slot, run)));
        }
        handover.outputs.extend(self.board.screens());
        handover.cgroup = self.board.cgroup().or_else(|| roster::cgroup_of(&handover.runs));
        roster::add_unseen(&mut handover, expected);
        handover
    }

    /// Apps that were asked to quit stay down under the keeper that this process becomes.
    fn keep_ended(&mut self) {
        let next = stats::started(std::process::id());
        for entry in self.list.entries() {
            if entry.ended_under == Some(self.keeper_started)
                && let Err(error) = self.list.mark(entry.slot, next)
            {
                self.say(&error.to_string());
            }
        }
    }

    /// The keeper is gone: the engines end their apps, each by its own rules.
    async fn give_up(mut self, error: std::io::Error) -> Result<u8, Error> {
        self.board.close();
        while self.apps.values().any(|app| app.requests.is_some()) {
            let Some((slot, outcome)) = self.ended.1.recv().await else { break };
            self.ended(slot, outcome);
        }
        self.lease.end();
        Err(Error::Keeper(error))
    }
}

/// Lets an app end, as `ganger quit` does.
fn ask_to_quit(requests: mpsc::Sender<Asked>, now: bool) {
    tokio::task::spawn_local(async move {
        let (answer, _) = oneshot::channel();
        // It fails only when the app has ended.
        let _ = requests.send((Request::Quit { now }, answer)).await;
    });
}
