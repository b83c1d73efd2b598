//! Viewers of terminals.

use std::os::fd::OwnedFd;

use ganger_api::ApiError;
use ganger_core::State;

use super::Engine;
use crate::attach::{Door, Knock, Way};
use crate::output::drain;

impl Engine {
    /// Answers a viewer.
    pub(super) fn knock(&self, knock: Knock) {
        // A viewer that did not wait is no fault.
        match knock {
            Knock::Door { name, answer } => drop(answer.send(self.door(&name))),
            Knock::Drained { worker, answer } => {
                drain(&worker, &self.capture, move |end| {
                    let _ = answer.send(end);
                });
            }
        }
    }

    fn door(&self, name: &str) -> Result<Door, ApiError> {
        let view = self.one(name)?;
        let run = view.run.map(|run| (run.0, view.pid));
        let is_ending = view.state == State::Stopping;
        let pipe = || self.hands.stdins.writer(&view.name).map_or(Way::Nowhere, Way::Pipe);
        let terminal = self.hands.outputs.terminals.screen(&view.name).map(OwnedFd::try_clone);
        let way = match terminal {
            _ if view.pid.is_none() || is_ending => Way::Nowhere,
            // What cannot be opened once more now can when the viewer comes again.
            Some(terminal) => terminal.map_or(Way::Nowhere, Way::Terminal),
            None => pipe(),
        };
        Ok(Door { run, why: view.why, way, worker: view.name })
    }
}
