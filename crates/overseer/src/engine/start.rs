//! Coming up: fresh with the app's files, or in place of an overseer that died, from the ledger and the keeper.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use ganger_api::{AppFile, EventKind, Place, Time};
use ganger_core::{Core, Input, Record};
use ganger_keeper::{Link, RunReport, raise_descriptor_limit};
use ganger_logs::Capture;
use ganger_spec::{Loaded, Settings, Spec};
use tokio::sync::mpsc;

use super::{Asked, End, Engine, Message, REQUESTS_MAX};
use crate::commands::Owed;
use crate::config::{Messenger, Reading, Start};
use crate::forward::{Forwards, Tell};
use crate::hands::{self, Hands};
use crate::journal::{Entry, Journal};
use crate::launch::Launcher;
use crate::lease::Lease;
use crate::ledger::{Ledger, Owner};
use crate::narrator::Narrator;
use crate::output::Outputs;
use crate::{Config, Error, clock, server, stats};

/// So many descriptors an overseer without workers gets by with, a few clients included.
const OWN_DESCRIPTORS: u64 = 40;
/// A worker that writes needs so many: its pipe, its log and the log's index. A silent one needs the pipe.
const LOUD_DESCRIPTORS: u64 = 3;
/// Each forwarder needs so many for it: the log and its index.
const FORWARD_DESCRIPTORS: u64 = 2;

type Started = (Engine, Lease, mpsc::Receiver<Asked>, mpsc::UnboundedReceiver<Message>);

/// Takes the app, and makes an engine that only has to be run.
pub(super) fn start(config: Config) -> Result<Started, Error> {
    let Config { place, environment, load, inherited, limits, viewer } = config;
    let mut link = Link::from_env().map_err(Error::Keeper)?;
    place.create(&environment)?;
    let lease = Lease::take(&place, link.take_kept().into_iter().next())?;
    let keeper_pid = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
    let (ledger, records) = open_ledger(&place, keeper_pid)?;
    let is_fresh = records.is_empty();
    let released = restored_spec(&records);
    // A ledger that was damaged may name workers and not say what is to run: the files do.
    let is_unreleased = released.is_none();
    let loaded = match released {
        Some(spec) => as_loaded(spec),
        None => load(Reading::First)?,
    };
    match make_room(&loaded.spec) {
        Err(error) if is_fresh => return Err(error),
        // What runs is not given up for it: what needs a descriptor is tried until there is one.
        Ok(()) | Err(_) => {}
    }

    let (message_sender, messages) = mpsc::unbounded_channel();
    let trouble = message_sender.clone();
    let on_event = Box::new(move |event| {
        // It fails only when the engine has ended, and nobody listens then.
        let _ = trouble.send(Message::Logs(event));
    });
    let capture = Capture::start(&place.logs(), limits, on_event)?;
    let forwards = forwards(&place, &capture, &message_sender, &loaded.spec);
    let viewer = viewer(capture.store(), &loaded, Messenger(message_sender.clone()))
        .map_err(|source| Error::System { action: "print", source })?;
    let journal = Arc::new(open_journal(&place, is_fresh, keeper_pid)?);
    let (request_sender, requests) = mpsc::channel(REQUESTS_MAX);
    server::start(&place, request_sender, journal.clone(), capture.store())?;
    let started = announce(&lease, &loaded.spec, is_fresh, keeper_pid)?;

    let pipes = place.runtime.join("pipes");
    make_private(&pipes)?;
    let seed = clock::now().0;
    let mut engine = Engine {
        core: if is_fresh { Core::new(seed) } else { Core::restore(seed, clock::now(), records) },
        hands: Hands::new(link, Outputs::new(pipes, limits)).map_err(Error::Keeper)?,
        narrator: Narrator::new(journal.clone(), viewer, message_sender),
        capture,
        forwards,
        journal,
        ledger,
        launcher: Launcher { inherited, tag: format!("{}/{keeper_pid}", place.id) },
        load,
        owed: BTreeMap::new(),
        next_command: 0,
        reported_ports: BTreeSet::new(),
        ledger_fails: false,
        killed: BTreeSet::new(),
        app_id: place.id,
        keeper_pid,
        started,
        to_apply: is_unreleased.then_some(loaded.spec),
        end: End::NotYet,
    };
    let lock = lease.descriptor().map_err(|source| Error::System { action: "hold the lock", source })?;
    engine.hands.greet(lock);
    Ok((engine, lease, requests, messages))
}

impl Engine {
    /// The keeper told what it knows.
    pub(super) fn connected(&mut self, runs: &[RunReport]) {
        let known: Vec<_> = runs.iter().filter_map(hands::known_run).collect();
        for run in &known {
            if let Err(error) = self.hands.adopt(run.run, &run.worker, &self.capture) {
                self.narrator.notice(format!("the output of {} cannot be captured: {error}", run.worker));
            }
            self.follow(&run.worker, Start::WhereLeft);
        }
        if self.core.spec().is_some() {
            self.keep_output();
        }
        let ended = runs.iter().filter(|report| report.exit.is_some());
        self.narrator.used(ended.map(|report| (ganger_core::RunId(report.run.0), report.usage)));
        self.decide(Input::Connected { runs: known });
        match self.to_apply.take() {
            Some(spec) => {
                let command = self.owe(Owed::Nobody);
                self.decide(Input::Apply { command, spec: Arc::new(spec), finish_when_idle: true });
            }
            None => self.narrator.notice("the overseer was started again; the workers went on".to_owned()),
        }
    }
}

/// What the ledger says is in force needs no files.
fn as_loaded(spec: Spec) -> Loaded {
    Loaded { spec, warnings: Vec::new(), settings: Settings::default(), left_out: Vec::new() }
}

/// Whether there is something to start, and descriptors for it.
fn make_room(spec: &Spec) -> Result<(), Error> {
    let workers: u64 = spec.groups.iter().map(|group| u64::from(group.count)).sum();
    if workers == 0 {
        return Err(Error::NothingToStart);
    }
    let each = LOUD_DESCRIPTORS + spec.forwards.len() as u64 * FORWARD_DESCRIPTORS;
    let failed = |source| Error::System { action: "raise the limit of open files", source };
    let limit = raise_descriptor_limit(OWN_DESCRIPTORS + workers * each).map_err(failed)?;
    let needed = OWN_DESCRIPTORS + workers;
    if limit < needed {
        return Err(Error::TooFewDescriptors { workers, needed, limit });
    }
    Ok(())
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

fn open_ledger(place: &Place, keeper_pid: u32) -> Result<(Ledger, Vec<Record>), Error> {
    let path = place.runtime.join("ledger");
    let owner =
        Owner { keeper_pid, keeper_started: stats::started(keeper_pid).unwrap_or(0), boot: clock::boot_id() };
    Ledger::open(&path, owner).map_err(|source| Error::File { action: "open", path, source })
}

fn restored_spec(records: &[Record]) -> Option<Spec> {
    records.iter().rev().find_map(|record| match record {
        Record::Release { spec, .. } => Some(Spec::clone(spec)),
        Record::Scale { .. } | Record::Worker { .. } | Record::NextRun(_) | Record::ShuttingDown(_) => None,
    })
}

/// Opens the journal. Its first entry is the first thing that a fresh start writes: on a full disk nothing starts.
fn open_journal(place: &Place, is_fresh: bool, keeper_pid: u32) -> Result<Journal, Error> {
    let path = place.events();
    let failed = |action| {
        let path = path.clone();
        move |source| Error::File { action, path, source }
    };
    let journal = Journal::open(&path).map_err(failed("open"))?;
    if is_fresh {
        let text = format!("ganger {} starts, its keeper has pid {keeper_pid}", env!("CARGO_PKG_VERSION"));
        let entry = Entry { kind: EventKind::Notice, worker: None, text, details: serde_json::Map::new() };
        journal.write([entry]).map_err(failed("write"))?;
    }
    Ok(journal)
}

/// Says who oversees the app from now on; when the app was started.
fn announce(lease: &Lease, spec: &Spec, is_fresh: bool, keeper_pid: u32) -> Result<Time, Error> {
    let before = if is_fresh { None } else { lease.announced() };
    let started = before.unwrap_or(Time(jiff::Timestamp::now()));
    let app = AppFile { name: spec.app.clone(), root: spec.root.clone(), keeper_pid, started };
    lease.announce(&app)?;
    Ok(started)
}

fn make_private(dir: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| Error::File { action: "make", path: dir.to_owned(), source })
}
