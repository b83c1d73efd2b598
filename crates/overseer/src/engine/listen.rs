//! Event listeners: what they are told, and when they are heard.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use ganger_core::Command;
use ganger_spec::{Spec, WorkerName};

use super::Engine;
use crate::commands::Owed;
use crate::launch::Failure;
use crate::listeners::payload;

impl Engine {
    /// Tells listeners what happened.
    pub(super) fn tell_listeners(&mut self) {
        if !self.listeners.is_awake() {
            return;
        }
        let Some(spec) = self.core.spec().cloned() else { return };
        let is_renewed = self.listeners.is_renewed();
        let write = |worker: &WorkerName, bytes: &[u8]| self.hands.stdins.write(worker, bytes);
        self.listeners.turn(&self.journal, &spec, &write);
        if is_renewed {
            let workers: Vec<WorkerName> = self.core.workers().map(|view| view.name).collect();
            for worker in &workers {
                self.overhear(worker);
            }
        }
        self.say_of_listeners();
    }

    /// A listener said something.
    pub(super) fn listen(&mut self, worker: &WorkerName) {
        let spec = self.spec();
        let write = |worker: &WorkerName, bytes: &[u8]| self.hands.stdins.write(worker, bytes);
        self.listeners.listen(worker, &spec, &write);
        self.say_of_listeners();
    }

    /// Listeners hear from now on what a worker writes, if they are to.
    pub(super) fn overhear(&mut self, worker: &WorkerName) {
        if self.listeners.is_awake() {
            let (spec, store) = (self.spec(), self.capture.store());
            for log in self.hands.outputs.logs(worker) {
                self.listeners.overhear(&log, &spec, &store);
            }
        }
    }

    /// Tells listeners, and supervisord's main log, what workers wrote.
    pub(super) fn tell_overheard(&mut self) {
        self.tell_echoed();
        let spec = self.spec();
        let write = |worker: &WorkerName, bytes: &[u8]| self.hands.stdins.write(worker, bytes);
        self.listeners.tell_overheard(&spec, &write);
        self.say_of_listeners();
    }

    /// Tells listeners that time has passed.
    pub(super) fn tick(&mut self) {
        let spec = self.spec();
        let write = |worker: &WorkerName, bytes: &[u8]| self.hands.stdins.write(worker, bytes);
        self.listeners.tick(&spec, &write);
        self.say_of_listeners();
    }

    /// Tells listeners what a client sent.
    pub(crate) fn tell_remote(&mut self, kind: &str, data: &str) {
        let spec = self.spec();
        let write = |worker: &WorkerName, bytes: &[u8]| self.hands.stdins.write(worker, bytes);
        self.listeners.tell("REMOTE_COMMUNICATION", payload::remote(kind, data), &spec, &write);
        self.say_of_listeners();
    }

    /// Takes up the listeners that were there before this overseer. One of whom nobody knows whether it has its event is
    /// begun anew: it gets the event again.
    pub(super) fn adopt_listeners(&mut self) {
        let views = self.core.workers().filter(|view| view.pid.is_some());
        let live: BTreeMap<WorkerName, u64> =
            views.filter_map(|view| Some((view.name, view.run?.0))).collect();
        let workers: Vec<WorkerName> = self.core.workers().map(|view| view.name).collect();
        for worker in &workers {
            self.overhear(worker);
        }
        let doubtful = self.listeners.adopt(&live);
        if doubtful.is_empty() {
            return;
        }
        for worker in &doubtful {
            self.narrator.notice(format!("{worker} is started anew: nobody knows which event it has"));
        }
        self.command(Command::Restart(doubtful), Owed::Nobody);
    }

    /// What becomes the stdout of a new run of a listener, in place of the pipe of its log.
    pub(super) fn listener_stdout(
        &mut self,
        spec: &Spec,
        worker: &WorkerName,
        owner: Option<(u32, u32)>,
    ) -> Result<Option<Rc<OwnedFd>>, Failure> {
        let supervisor = spec.group(&worker.group).and_then(|group| group.supervisor.as_ref());
        if supervisor.is_none_or(|supervisor| supervisor.listener.is_none()) {
            return Ok(None);
        }
        let stdout = self.listeners.open(worker, owner).map_err(Failure::transient)?;
        Ok(Some(Rc::new(stdout)))
    }

    fn say_of_listeners(&mut self) {
        for notice in self.listeners.notices() {
            self.narrator.notice(notice);
        }
    }
}
