//! What breaks between two steps: somebody dies, hangs or is replaced, the connection breaks, the clock leaps.

use std::time::Duration;

use ganger_core::{Action, Core, Input};

use super::Driver;
use crate::invariants::Broken;
use crate::marks::Mark;
use crate::mutation::Mutation;

impl Driver {
    /// Now and then something breaks.
    pub(super) fn maybe_break(&mut self) -> Result<(), Broken> {
        let lives = self.core.is_some();
        match self.random.below(600) {
            0..6 if lives => {
                self.mark(Mark::DiedIdle);
                self.die()
            }
            6..10 if lives && self.connected => {
                self.mark(Mark::Disconnected);
                self.connected = false;
                self.cut()?;
                self.connect_later(2_000);
                Ok(())
            }
            10..13 if !self.kernel.unwatched => {
                self.mark(Mark::KeeperDied);
                self.lose_keeper()
            }
            13..16 if lives && self.connected => self.lose_both(),
            16..19 => {
                self.mark(Mark::ClockLeapt);
                self.now = self.now.after(Duration::from_millis(self.random.below(90_000)));
                self.calm_since = self.now;
                self.note(|| "the clock leaps".to_owned());
                Ok(())
            }
            19..22 if lives && self.inbox.is_none() => {
                self.hang();
                Ok(())
            }
            22..25 if lives && self.connected && self.inbox.is_none() => self.upgrade(),
            25 => {
                self.reboot();
                Ok(())
            }
            26..36 if self.inbox.is_none() => {
                self.mark(Mark::NeedlessTick);
                self.feed(Input::Tick)
            }
            36..38 => {
                self.compact();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn compact(&mut self) {
        if let Some(core) = &self.core
            && self.inbox.is_none()
            && self.mutation != Some(Mutation::ForgetRecord)
        {
            self.ledger = core.records();
            self.mark(Mark::Compacted);
        }
    }

    /// While the actions of one input are carried out, somebody may die between any two of them. Whether the
    /// overseer did.
    pub(super) fn maybe_die_between_actions(&mut self, in_command: bool) -> Result<bool, Broken> {
        if !self.faults || self.random.below(120) != 0 {
            return Ok(false);
        }
        let who = self.random.below(6);
        if who == 0 && !self.kernel.unwatched {
            self.mark(Mark::KeeperDiedBetweenActions);
            self.lose_keeper()?;
            return Ok(false);
        }
        self.mark(Mark::DiedBetweenActions);
        if let Some(Action::Record(record)) = self.core.as_mut().and_then(Core::poll_action) {
            self.torn = Some(record);
        }
        self.unsure |= in_command;
        if in_command {
            self.mark(Mark::DiedInCommand);
        }
        if who == 1 && self.connected { self.lose_both() } else { self.die() }?;
        Ok(true)
    }
}
