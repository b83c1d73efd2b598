//! What breaks: the overseer, the connection, the keeper, the clock.

use std::time::Duration;

use ganger_core::{Core, Input};

use super::{Driver, Event};
use crate::capture::{Spoil, Store};
use crate::invariants::Broken;
use crate::marks::Mark;
use crate::mutation::Mutation;

impl Driver {
    /// Now and then something breaks.
    pub(super) fn maybe_break(&mut self) -> Result<(), Broken> {
        match self.random.below(600) {
            0..6 if self.core.is_some() => {
                self.mark(Mark::DiedIdle);
                self.die()
            }
            6..12 if self.core.is_some() && self.connected => {
                self.mark(Mark::Disconnected);
                self.connected = false;
                self.cut()?;
                self.connect_later();
                Ok(())
            }
            12 => self.lose_keeper(),
            13..16 => {
                self.mark(Mark::ClockLeapt);
                self.now = self.now.after(Duration::from_millis(self.random.below(90_000)));
                self.calm_since = self.now;
                self.note(|| "the clock leaps".to_owned());
                Ok(())
            }
            16..26 => {
                self.mark(Mark::NeedlessTick);
                self.feed(Input::Tick)
            }
            26..28 => {
                if let Some(core) = &self.core
                    && self.mutation != Some(Mutation::ForgetRecord)
                {
                    self.ledger = core.records();
                    self.mark(Mark::Compacted);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The overseer is gone, with all that it had in mind.
    pub(super) fn die(&mut self) -> Result<(), Broken> {
        self.note(|| "the overseer dies".to_owned());
        self.core = None;
        if self.outputs.values().any(|output| output.log.rotating()) {
            self.mark(Mark::DiedInRotation);
        }
        if self.mutation == Some(Mutation::LoseByte) {
            self.outputs.values_mut().for_each(|output| output.log.spoil(Spoil::Lose));
        }
        self.model.owed.clear();
        if self.connected {
            self.connected = false;
            self.cut()?;
            self.connect_later();
        }
        Ok(())
    }

    /// A new overseer, or the old one connects again.
    pub(super) fn connect(&mut self) -> Result<(), Broken> {
        if self.connected {
            return Ok(());
        }
        if self.core.is_none() {
            let core = Core::restore(self.random.bits(), self.now, self.ledger.iter().cloned());
            if self.unsure {
                self.model.adopt(&core);
                self.unsure = false;
            }
            if core.shutting_down().is_some() {
                self.model.ends();
            }
            self.core = Some(core);
            for output in self.outputs.values_mut() {
                output.log.reopen();
                if self.mutation == Some(Mutation::DoubleByte) {
                    output.log.spoil(Spoil::Double);
                }
            }
        }
        (self.connected, self.calm_since) = (true, self.now);
        self.last_request = self.now;
        self.last_notice = self.now;
        let runs = self.kernel.snapshot();
        self.feed(Input::Connected { runs })?;
        self.check_output(false)
    }

    /// The connection is cut: of the requests under way the first few are still carried out; no word comes through.
    fn cut(&mut self) -> Result<(), Broken> {
        let mut spare = self.random.below(4);
        let under_way =
            self.events.extract_if(.., |_, event| matches!(event, Event::Request(_) | Event::Notice(_)));
        for (_, event) in under_way.collect::<Vec<_>>() {
            match event {
                Event::Request(action) if spare > 0 => {
                    spare -= 1;
                    self.keeper(action)?;
                }
                Event::Request(_) => self.mark(Mark::RequestLost),
                Event::Notice(_) => self.mark(Mark::NoticeLost),
                Event::Fate(_) | Event::Operate | Event::Flow | Event::Connect => {}
            }
        }
        Ok(())
    }

    fn connect_later(&mut self) {
        let delay = Duration::from_millis(self.random.below(2_000));
        self.schedule(delay, Event::Connect);
    }

    /// The keeper dies and takes every run with it.
    fn lose_keeper(&mut self) -> Result<(), Broken> {
        self.mark(Mark::KeeperDied);
        self.note(|| "the keeper dies with all runs".to_owned());
        let was_connected = std::mem::replace(&mut self.connected, false);
        self.cut()?;
        self.kernel.runs.clear();
        self.model.lost_sight();
        if was_connected {
            self.connect_later();
        }
        Ok(())
    }
}
