//! What happens outside: the keeper carries out requests, processes end, output flows.

use std::time::Duration;

use ganger_core::{Action, Exit, Input, RunId};
use ganger_spec::WorkerName;

use super::{Driver, Event};
use crate::capture::Store;
use crate::invariants::{self, Broken};
use crate::kernel::{self, Fate, Later, News};
use crate::marks::Mark;

/// So many bytes fit into a pipe; who writes more waits.
const PIPE: usize = 200;

impl Driver {
    /// A request reaches the keeper.
    pub(super) fn keeper(&mut self, action: Action) -> Result<(), Broken> {
        match action {
            Action::Spawn { run, worker } => self.keeper_spawns(run, worker),
            Action::Signal { run, signal, scope } => {
                let fates = self.kernel.signal(self.now, run, signal, scope);
                if fates.is_empty() && self.kernel.runs.get(&run).is_some_and(kernel::Process::lives) {
                    self.mark(Mark::IgnoredStop);
                }
                self.await_fates(fates);
                Ok(())
            }
            Action::Acknowledge(run) => {
                invariants::may_forget(&self.kernel, &self.model, run)?;
                self.kernel.runs.remove(&run);
                Ok(())
            }
            Action::Record(_) | Action::Reply { .. } | Action::Event(_) | Action::Finish { .. } => Ok(()),
        }
    }

    fn keeper_spawns(&mut self, run: RunId, worker: WorkerName) -> Result<(), Broken> {
        if self.faults && self.random.below(12) == 0 {
            self.spawn_fails(run, worker);
            return Ok(());
        }
        let healthy = !self.faults;
        let script = kernel::script(&mut self.random, healthy);
        if script.ends.as_ref().is_some_and(|(after, _)| after.is_zero()) {
            self.mark(Mark::InstantExit);
        }
        if script.dies > Duration::from_secs(1) {
            self.mark(Mark::StuckInKernel);
        }
        let timeout = self.model.group(&worker).map_or(Duration::from_secs(10), |group| group.stop.timeout);
        let (pid, fates) = self.kernel.spawn(run, worker.clone(), script, timeout);
        self.note(|| format!("  keeper: {worker} {run} lives as PID {pid}"));
        self.notice(Input::Spawned { run, pid });
        self.await_fates(fates);
        invariants::one_run(&self.kernel, &worker)
    }

    fn spawn_fails(&mut self, run: RunId, worker: WorkerName) {
        self.unborn.insert(run, worker);
        let transient = self.random.below(2) == 0;
        if transient {
            self.mark(Mark::SpawnFailedForNow);
            let reason = "fork: resource temporarily unavailable".to_owned();
            self.notice(Input::SpawnFailed { run, reason, transient, status: 1 });
        } else {
            self.mark(Mark::SpawnFailed);
            let reason = "exec: command not found".to_owned();
            self.notice(Input::SpawnFailed { run, reason, transient, status: 127 });
        }
    }

    /// Something ends.
    pub(super) fn fulfil(&mut self, fate: &Fate) {
        let Some((run, news, fates)) = self.kernel.fulfil(fate) else {
            return;
        };
        self.await_fates(fates);
        self.note(|| format!("  kernel: {run} {news:?}"));
        match news {
            News::Exited { exit, leftovers } => {
                if leftovers {
                    self.mark(Mark::Leftovers);
                }
                if let Some(process) = self.kernel.runs.get(&run) {
                    let (worker, is_child) = (process.worker.clone(), process.is_child);
                    self.mark_end(exit, is_child);
                    self.model.ended(&worker, run, exit);
                }
                self.notice(Input::Exited { run, exit, leftovers });
            }
            News::Emptied => self.notice(Input::Emptied { run }),
        }
    }

    fn mark_end(&mut self, exit: Exit, is_child: bool) {
        match exit {
            Exit::Unknown => self.mark(Mark::EndedUnseen),
            Exit::Code(_) | Exit::Signal(_) if !is_child => self.mark(Mark::AdoptedEndSeen),
            Exit::Code(_) | Exit::Signal(_) => {}
        }
    }

    fn await_fates(&mut self, fates: impl IntoIterator<Item = Later>) {
        for (delay, fate) in fates {
            self.schedule(delay, Event::Fate(fate));
        }
    }

    /// Word goes to the overseer, in order; into the void while there is no connection.
    fn notice(&mut self, input: Input) {
        if !self.connected {
            self.mark(Mark::NoticeLost);
            return;
        }
        self.last_notice = self.last_notice.max(self.now.after(Duration::from_millis(self.random.below(15))));
        self.schedule(self.last_notice.since(self.now), Event::Notice(input));
    }

    /// Live workers write, and the overseer, if there is one, moves what they wrote.
    pub(super) fn flow(&mut self) {
        let pause = Duration::from_millis(200 + self.random.below(2_000));
        self.schedule(pause, Event::Flow);
        let writers: Vec<WorkerName> =
            self.kernel.live().map(|(_, process)| process.worker.clone()).collect();
        for worker in writers {
            let output = self.outputs.entry(worker).or_default();
            for _ in 0..self.random.below(12) {
                if output.pipe.len() < PIPE {
                    output.pipe.push_back(output.written);
                    output.written += 1;
                }
            }
        }
        if self.core.is_none() || self.inbox.is_some() {
            return;
        }
        let mut rotated = false;
        for output in self.outputs.values_mut() {
            for _ in 0..self.random.below(5) {
                rotated |= output.log.step(&mut output.pipe);
            }
        }
        if rotated {
            self.mark(Mark::Rotated);
        }
    }

    /// Reads every log. At the end, what is still in the pipes is moved first.
    pub(super) fn check_output(&mut self, end: bool) -> Result<(), Broken> {
        for (worker, output) in &mut self.outputs {
            while end && (!output.pipe.is_empty() || output.log.rotating()) {
                output.log.step(&mut output.pipe);
            }
            let written = end.then_some(output.written);
            invariants::log_is_exact(worker, &output.log.contents(), written)?;
        }
        Ok(())
    }
}
