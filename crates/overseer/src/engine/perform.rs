//! Carrying out what the decider wants.

use ganger_api::{EventKind, HolderInfo};
use ganger_core::{Action, CommandId, Input, Record, Reply, RunId};
use ganger_keeper::Request;
use ganger_spec::{Spec, Stdin, WorkerName};

use super::{End, Engine, HELD};
use crate::config::Start;
use crate::hands::Reads;
use crate::herald::Standing;
use crate::launch::Failure;
use crate::ledger::Ledger;
use crate::output::Kept;
use crate::{clock, commands};

impl Engine {
    /// Gives the decider an input and carries out all that follows from it. What it asks of the keeper waits for
    /// [`Engine::settle`].
    pub(super) fn decide(&mut self, input: Input) {
        self.core.handle(clock::now(), input);
        let mut replies = Vec::new();
        while let Some(action) = self.core.poll_action() {
            match action {
                Action::Record(record) => self.record(&record),
                Action::Reply { id, reply } => replies.push((id, reply)),
                other => self.perform(other),
            }
        }
        self.reply(replies);
    }

    /// Answers those who asked, once all that was decided together is in the ledger together.
    fn reply(&mut self, replies: Vec<(CommandId, Reply)>) {
        if replies.is_empty() {
            return;
        }
        // Who gets the answer may rely on it, and ask for the events that led to it.
        self.keep_turn();
        self.keep_wishes();
        self.write_down();
        for (id, reply) in replies {
            let reloaded = self.herald.done(id);
            self.tell_manager(reloaded);
            if let Some(owed) = self.owed.remove(&id) {
                commands::answer(&self.core, owed, reply, &self.killed);
            }
        }
    }

    fn record(&mut self, record: &Record) {
        self.keep_book(|ledger| ledger.append(record));
        match record {
            Record::Worker { name, state: None } => {
                self.hands.outputs.release(name, &self.capture);
                self.hands.stdins.remove(name);
                self.listeners.forget(name);
                if !self.narrator.awaits(name) {
                    self.outside.echo.let_go(name);
                }
                self.look_at(name);
            }
            Record::Worker { name, state: Some(_) } => self.look_at(name),
            Record::Release { number, .. } => {
                self.listeners.renewed(self.journal.latest(), *number == 1);
                self.keep_output();
                self.keep_sockets();
                self.keep_main_log();
                self.look_at_all();
                self.keep_files();
            }
            Record::Scale { .. } | Record::NextRun(_) | Record::ShuttingDown(_) => {}
        }
    }

    /// Keeps output as the release in force says.
    pub(super) fn keep_output(&mut self) {
        if let Err(error) = self.hands.outputs.keep(&self.spec(), &self.capture) {
            self.narrator.notice(format!("output is kept as before: {error}"));
        }
    }

    /// Listens as the release in force says.
    pub(super) fn keep_sockets(&mut self) {
        if let Err(error) = self.sockets.fit(&self.spec()) {
            self.narrator.notice(error.to_string());
        }
    }

    /// Shows what a worker writes.
    pub(super) fn follow(&mut self, worker: &WorkerName, from: Start) {
        for log in self.hands.outputs.logs(worker) {
            self.narrator.follow(&log, from);
        }
    }

    /// Ends a turn: what was decided and what tells of it is in the ledger, in one write, before any of it is asked of
    /// the keeper; and that before it is told.
    pub(super) fn settle(&mut self) {
        self.keep_turn();
        if self.ledger.is_bloated() {
            self.write_down();
            let (records, events) = (self.core.records(), self.narrator.unwritten());
            self.keep_book(|ledger| ledger.rewrite(&records, &events));
        }
        self.keep_wishes();
        let standing = Standing {
            is_up: self.to_apply.is_none() && !self.hands.is_spawning(),
            is_stopping: self.core.shutting_down().is_some(),
            counts: self.core.counts(),
        };
        if standing.is_up && standing.counts.starting == 0 && self.hands.have_just_begun() {
            ganger_keeper::forget_beginning();
        }
        let news = self.herald.news(standing);
        self.tell_manager(news);
        // Those who are not written down are found by what their environment says.
        let _ = self.hands.write_roster();
        // An error shows again, and is dealt with, when the line is next read.
        let _ = self.hands.flush();
        self.narrator.drain(&self.capture);
        self.write_down();
        self.tell_listeners();
    }

    /// Puts into the ledger what this turn decided and what tells of it.
    fn keep_turn(&mut self) {
        self.narrator.hand(&mut self.ledger);
        self.keep_book(Ledger::flush);
    }

    /// Lets those who read the journal know what happened. While the ledger cannot be written its file waits: what it
    /// had before the ledger, the next overseer would tell again.
    fn write_down(&mut self) {
        if self.ledger_fails {
            self.narrator.publish();
        } else {
            self.narrator.write_down();
        }
    }

    /// Puts on disk what operators ask for now. What cannot be written is tried again in each turn; said once.
    fn keep_wishes(&mut self) {
        if !self.wishes_stale {
            return;
        }
        let Some(file) = &mut self.wishes else { return };
        let Some(wishes) = self.core.wishes() else { return };
        match file.hold(wishes) {
            Ok(()) => (self.wishes_stale, self.wishes_fail) = (false, false),
            Err(_) if self.wishes_fail => {}
            Err(error) => {
                self.wishes_fail = true;
                let what = "what operators ask for is in force, but will not outlive the next stop of ganger";
                self.narrator.notice(format!("{what}: it cannot be written: {error}"));
            }
        }
    }

    /// Lets the keeper tell the service manager.
    pub(super) fn tell_manager(&mut self, state: Option<String>) {
        if let Some(state) = state {
            self.hands.ask(Request::Notify { state });
        }
    }

    /// Tells the service manager that we live, if it is time.
    pub(super) fn beat(&mut self) {
        if let Some(state) = self.herald.watchdog().beat(clock::now()) {
            self.tell_manager(Some(state));
            let _ = self.hands.flush();
        }
    }

    /// Writes to the ledger. What a full disk keeps from it is written later; said once.
    fn keep_book(&mut self, write: impl FnOnce(&mut Ledger) -> std::io::Result<()>) {
        match write(&mut self.ledger) {
            Ok(()) => self.ledger_fails = false,
            Err(_) if self.ledger_fails => {}
            Err(error) => {
                self.ledger_fails = true;
                self.narrator.notice(format!("the ledger cannot be written: {error}"));
            }
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Record(_) | Action::Reply { .. } => unreachable!("is dealt with before all others"),
            Action::Spawn { run, worker } => self.hands.want_spawn(run, worker),
            Action::Signal { run, signal, scope } => self.hands.signal(run, signal, scope),
            Action::Acknowledge(run) => self.hands.acknowledge(run),
            Action::Event(event) => self.narrator.tell(&event),
            Action::Finish { status } => {
                self.end = End::Sweeping { status };
                let id = self.hands.id();
                self.hands.ask(Request::Sweep { id });
                self.keep_book(Ledger::flush);
                // An error shows again, and is dealt with, when the line is next read.
                let _ = self.hands.flush();
            }
        }
    }

    /// Starts the runs whose turn it is.
    pub(super) fn start_runs(&mut self) {
        while let Some((run, worker)) = self.hands.next_spawn() {
            self.check_port(&worker);
            self.start_run(run, &worker);
        }
    }

    fn start_run(&mut self, run: RunId, worker: &WorkerName) {
        let spec = self.spec();
        let before = self.hands.outputs.logs(worker);
        let prepared = self.launcher.launch(&spec, worker, run).and_then(|mut launch| {
            let reads = self.reads(&spec, worker)?;
            let kept = spec.worker(worker).map(|worker| Kept::of(worker.group, Some(&worker.logs)));
            let kept = kept.unwrap_or_default();
            self.fit_terminals();
            let prepared = self.hands.prepare(run, worker, &launch, (reads, &kept), &self.capture)?;
            let mut stdio = prepared.0;
            launch.terminal = prepared.1;
            let owner = launch.ids.as_ref().map(|ids| (ids.uid, ids.gid));
            if let Some(stdout) = self.listener_stdout(&spec, worker, owner)? {
                stdio[1] = stdout;
            }
            Ok((launch, stdio))
        });
        self.tell_refusal(worker);
        match prepared {
            Ok((launch, stdio)) => {
                for log in self.hands.outputs.logs(worker).iter().filter(|log| !before.contains(log)) {
                    self.narrator.follow(log, Start::Now);
                }
                self.overhear(worker);
                self.echo(worker);
                self.hands.spawn(run, worker, launch, stdio);
            }
            Err(failure) => self.spawn_failed(run, worker, failure),
        }
    }

    /// Says why a worker has no terminal that was to have one.
    fn tell_refusal(&mut self, worker: &WorkerName) {
        let Some(error) = self.hands.outputs.take_refusal() else { return };
        self.narrator.note(EventKind::Notice, Some(worker), format!("{error}; it has a pipe instead"));
        if let Some(hint) = error.hint() {
            self.narrator.note(EventKind::Notice, Some(worker), format!("hint: {hint}"));
        }
    }

    /// What a run of this worker has as its stdin.
    fn reads(&mut self, spec: &Spec, worker: &WorkerName) -> Result<Reads, Failure> {
        let Some(group) = spec.group(&worker.group) else { return Ok(Reads::Nothing) };
        Ok(match (self.sockets.get(group).map_err(Failure::transient)?, group.stdin) {
            (Some(socket), _) => Reads::Socket(socket),
            (None, Stdin::Pipe) => Reads::Pipe,
            (None, Stdin::Null) => Reads::Nothing,
        })
    }

    pub(super) fn spawn_failed(&mut self, run: RunId, worker: &WorkerName, failure: Failure) {
        let Failure { reason, transient, status, hint } = failure;
        self.decide(Input::SpawnFailed { run, reason, transient, status });
        if let Some(hint) = hint {
            self.narrator.note(EventKind::Notice, Some(worker), format!("hint: {hint}"));
        }
    }

    /// Says who holds the port of a worker before the worker fails on it.
    fn check_port(&mut self, worker: &WorkerName) {
        let port = self.spec().port(worker);
        let Some((port, holder)) = port.and_then(|port| Some((port, HolderInfo::of_port(port)?))) else {
            self.reported_ports.remove(worker);
            return;
        };
        if self.reported_ports.insert(worker.clone()) {
            self.narrator.note(HELD, Some(worker), format!("port {port} is held by {holder}"));
        }
    }
}
