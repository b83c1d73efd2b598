//! The overseer asks workers whether they are ready and all right, and how much they take.

use std::time::Duration;

use ganger_core::{Input, RunId, State};
use ganger_spec::{ProbeKind, WorkerName};

use super::{Driver, Event};
use crate::invariants::Broken;
use crate::marks::Mark;

impl Driver {
    /// All that are up are asked. While things break, they answer badly now and then.
    pub(super) fn probe(&mut self) -> Result<(), Broken> {
        let pause = Duration::from_millis(200 + self.random.below(1_500));
        self.schedule(pause, Event::Probe);
        if !self.connected || self.inbox.is_some() {
            return Ok(());
        }
        for (worker, run, kind, failures) in self.asked() {
            let is_good = !self.faults || self.random.below(3) != 0;
            let answer = if is_good { Ok(()) } else { Err("it answered 503".to_owned()) };
            if kind == ProbeKind::Liveness {
                let row = self.failures.entry(run).or_default();
                *row = if is_good { 0 } else { *row + 1 };
                if *row >= failures {
                    self.mark(Mark::NotAlive);
                    self.model.is_unfit(&worker, run);
                }
            }
            self.feed(Input::Probed { run, kind, answer })?;
            if self.faults && self.random.below(150) == 0 && self.core.is_some() {
                self.mark(Mark::TookTooMuch);
                self.model.is_unfit(&worker, run);
                let what = "used 400 MiB of memory, more than 300 MiB".to_owned();
                self.feed(Input::TooMuch { run, what })?;
            }
        }
        Ok(())
    }

    /// Who is asked what, and how many bad answers in a row count.
    fn asked(&self) -> Vec<(WorkerName, RunId, ProbeKind, u32)> {
        let mut asked = Vec::new();
        let Some((core, spec)) = self.core.as_ref().and_then(|core| Some((core, core.spec()?))) else {
            return asked;
        };
        for view in core.workers().filter(|view| matches!(view.state, State::Starting | State::Running)) {
            let (Some(run), Some(_), Some(group)) = (view.run, view.pid, spec.group(&view.name.group)) else {
                continue;
            };
            for (kind, probe) in
                [(ProbeKind::Readiness, &group.readiness), (ProbeKind::Liveness, &group.liveness)]
            {
                asked.extend(probe.iter().map(|probe| (view.name.clone(), run, kind, probe.failures)));
            }
        }
        asked
    }
}
