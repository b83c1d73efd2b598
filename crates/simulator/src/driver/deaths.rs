//! Who dies, and what is found by those who come after: overseer, keeper, both, the machine, the ledger.

use std::time::Duration;

use ganger_core::{Action, Core, Exit, Input, Instant, KnownRun, Record, Scope};
use ganger_spec::{Signal, WorkerName};

use super::{Driver, Event};
use crate::capture::{Spoil, Store};
use crate::invariants::{Broken, Heard};
use crate::marks::Mark;
use crate::mutation::Mutation;

/// The keeper ends an overseer that does not answer for so long.
const HUNG_AFTER: Duration = Duration::from_secs(10);
/// Whoever was there to see everything of ganger's killed starts it again within this, in milliseconds.
const LATER_START: u64 = 60_000;

/// So long has a run to stop whose group is in no release that can be read.
const STOP_TIMEOUT_OF_UNKNOWN: Duration = Duration::from_secs(10);

impl Driver {
    /// The overseer is gone, with all that it had in mind.
    pub(super) fn die(&mut self) -> Result<(), Broken> {
        self.note(|| "the overseer dies".to_owned());
        self.forget_overseer();
        if self.connected {
            self.connected = false;
            self.cut()?;
            self.connect_later(2_000);
        }
        Ok(())
    }

    fn forget_overseer(&mut self) {
        self.core = None;
        self.inbox = None;
        self.failures.clear();
        if self.outputs.values().any(|output| output.log.rotating()) {
            self.mark(Mark::DiedInRotation);
        }
        if self.mutation == Some(Mutation::LoseByte) {
            self.outputs.values_mut().for_each(|output| output.log.spoil(Spoil::Lose));
        }
        self.model.owed.clear();
    }

    /// The keeper dies. Its runs live on; what it had not said yet, nobody will know.
    pub(super) fn lose_keeper(&mut self) -> Result<(), Broken> {
        self.note(|| "the keeper dies".to_owned());
        let was_connected = std::mem::replace(&mut self.connected, false);
        self.cut()?;
        self.kernel.orphan();
        self.lose_sight();
        if was_connected {
            self.connect_later(2_000);
        }
        Ok(())
    }

    /// Everything of ganger's is killed, and started again when somebody finds the time.
    pub(super) fn lose_both(&mut self) -> Result<(), Broken> {
        self.mark(Mark::BothDied);
        self.forget_overseer();
        let was_connected = self.connected;
        self.lose_keeper()?;
        if was_connected && self.random.below(2) == 0 {
            self.mark(Mark::StartedLater);
            self.events.retain(|_, event| !matches!(event, Event::Connect));
            self.connect_later(LATER_START);
        }
        Ok(())
    }

    /// Of the runs whose end is not in the ledger nobody may learn how they end.
    fn lose_sight(&mut self) {
        let unaccounted = self.kernel.runs.iter().filter(|(run, _)| !self.model.accounted.contains(run));
        let workers: Vec<WorkerName> = unaccounted.map(|(_, process)| process.worker.clone()).collect();
        for worker in &workers {
            self.model.lost_sight(worker);
        }
    }

    /// The machine starts again: no process is left, the clock begins anew, the disk is as it was.
    pub(super) fn reboot(&mut self) {
        self.mark(Mark::Rebooted);
        self.note(|| "the machine starts again".to_owned());
        self.lose_sight();
        self.forget_overseer();
        self.connected = false;
        self.kernel.reboot();
        self.model.rebooted();
        if self.mutation == Some(Mutation::RebootForgets) {
            self.ledger.clear();
        }
        for output in self.outputs.values_mut() {
            output.pipe.clear();
            output.written = output.log.contents().len() as u64;
        }
        self.now = Instant(1_000_000_000 * (1 + self.random.below(2_000)));
        self.calm_since = self.now;
        self.events.clear();
        self.schedule(Duration::ZERO, Event::Operate);
        self.schedule(Duration::ZERO, Event::Flow);
        self.schedule(Duration::ZERO, Event::Probe);
        self.connect_later(2_000);
    }

    /// The overseer does nothing any more, until it goes on or is replaced.
    pub(super) fn hang(&mut self) {
        self.note(|| "the overseer hangs".to_owned());
        self.inbox = Some(Vec::new());
        let pause = Duration::from_millis(self.random.below(20_000));
        self.schedule(pause.min(HUNG_AFTER), Event::Wake { is_replaced: pause > HUNG_AFTER });
    }

    /// The hanging overseer goes on with all that came meanwhile; or the keeper has had enough of it.
    pub(super) fn wake(&mut self, is_replaced: bool) -> Result<(), Broken> {
        if self.inbox.is_none() {
            return Ok(());
        }
        if is_replaced {
            self.mark(Mark::HungReplaced);
            return self.die();
        }
        self.mark(Mark::Hung);
        self.note(|| "the overseer goes on".to_owned());
        self.calm_since = self.now;
        for input in self.inbox.take().into_iter().flatten() {
            if self.core.is_some() && self.connected {
                self.feed(input)?;
            }
        }
        Ok(())
    }

    /// Keeper and overseer are replaced in place: all that was asked for is done before. If the new one cannot
    /// start, the old ones go on.
    pub(super) fn upgrade(&mut self) -> Result<(), Broken> {
        self.note(|| "an upgrade".to_owned());
        self.carry_out_requests()?;
        self.cut()?;
        self.connected = false;
        if self.random.below(3) == 0 {
            self.mark(Mark::UpgradeFailed);
        } else {
            self.mark(Mark::Upgraded);
            self.forget_overseer();
        }
        self.connect_later(500);
        Ok(())
    }

    /// A new overseer, or the old one connects again; to a new keeper, where the old one died.
    pub(super) fn connect(&mut self) -> Result<(), Broken> {
        if self.connected {
            return Ok(());
        }
        if self.inbox.is_some() {
            self.connect_later(2_000);
            return Ok(());
        }
        if self.core.is_none() {
            self.restore();
        }
        (self.connected, self.calm_since) = (true, self.now);
        self.last_request = self.now;
        self.last_notice = self.now;
        let runs = self.find_runs();
        if self.mutation == Some(Mutation::EndWhatIsFound)
            && let Some(run) = runs.first().map(|run| run.run)
        {
            self.carry_out(Action::Signal { run, signal: Signal::TERM, scope: Scope::Tree })?;
        }
        self.feed(Input::Connected { runs })?;
        self.check_output(false)
    }

    /// A new overseer goes on from the ledger.
    fn restore(&mut self) {
        self.read_ledger();
        let is_damaged = self.faults && self.random.below(40) == 0;
        if is_damaged {
            self.damage_ledger();
        }
        let core = Core::restore(self.random.bits(), self.now, self.ledger.iter().cloned());
        if self.unsure || is_damaged {
            self.model.adopt(&core);
            self.unsure = false;
        }
        if core.shutting_down().is_some() {
            self.model.ends();
        }
        let heard = core.workers().map(|view| {
            let passed = view.ready
                && core.spec().is_some_and(|spec| {
                    spec.group(&view.name.group).is_some_and(|group| group.readiness.is_some())
                });
            (view.name, Heard { state: view.state, has_process: view.pid.is_some(), passed })
        });
        self.heard = heard.collect();
        self.core = Some(core);
        for output in self.outputs.values_mut() {
            output.log.reopen();
            if self.mutation == Some(Mutation::DoubleByte) {
                output.log.spoil(Spoil::Double);
            }
        }
    }

    /// The ledger as it is on disk: lines, of which the last may be torn. A line that cannot be read ends it.
    fn read_ledger(&mut self) {
        let Some(torn) = self.torn.take() else {
            return;
        };
        self.mark(Mark::LedgerTorn);
        let line = |record: &Record| serde_json::to_string(record).unwrap_or_default();
        let half = line(&torn);
        let half = &half[..half.floor_char_boundary(half.len() / 2)];
        let text: Vec<String> = self.ledger.iter().map(line).chain([half.to_owned()]).collect();
        self.ledger = text.iter().map_while(|line| serde_json::from_str(line).ok()).collect();
    }

    /// The ledger cannot be read from some line on. What was told, accounted, judged and asked since then is not
    /// known any more.
    fn damage_ledger(&mut self) {
        let left = match self.random.below(2) {
            0 => 0,
            _ => self.random.below(1 + self.ledger.len() as u64),
        };
        self.mark(if left == 0 { Mark::LedgerLost } else { Mark::LedgerCut });
        self.note(|| format!("the ledger can be read up to its line {left}"));
        self.ledger.truncate(usize::try_from(left).unwrap_or(0));
        self.model.told.clear();
        for process in self.kernel.runs.values_mut() {
            process.asked = None;
            process.stop_timeout = process.stop_timeout.max(STOP_TIMEOUT_OF_UNKNOWN);
        }
        self.model.accounted.clear();
        self.model.is_damaged = true;
        self.model.doubtful = self.kernel.runs.keys().copied().collect();
    }

    /// What the keeper says that it has. A new one adopts what lives.
    fn find_runs(&mut self) -> Vec<KnownRun> {
        if !self.kernel.unwatched {
            return self.kernel.snapshot();
        }
        self.lose_sight();
        let before = self.kernel.snapshot();
        self.kernel.adopt();
        let mut runs = self.kernel.snapshot();
        for run in &runs {
            self.mark_adopted(run);
        }
        match self.mutation {
            Some(Mutation::AdoptTooFew) => runs.truncate(runs.len().saturating_sub(1)),
            Some(Mutation::AdoptStranger) => {
                let strangers = before.into_iter().filter(|run| !self.kernel.runs.contains_key(&run.run));
                runs.extend(strangers.map(|run| KnownRun { exit: None, leftovers: false, ..run }));
            }
            Some(_) | None => {}
        }
        runs
    }

    fn mark_adopted(&mut self, run: &KnownRun) {
        self.mark(Mark::Adopted);
        if run.exit == Some(Exit::Unknown) {
            self.mark(Mark::EndedUnseen);
        }
        if self.kernel.runs.get(&run.run).is_some_and(|process| process.asked.is_some()) {
            self.mark(Mark::AdoptedInStop);
        }
        let view = self.core.as_ref().and_then(|core| core.worker(&run.worker));
        if view.is_some_and(|view| view.run == Some(run.run) && view.pid.is_none()) {
            self.mark(Mark::AdoptedUnheardOf);
        }
    }

    /// The connection is cut: of the requests under way the first few are still carried out; no word comes through.
    pub(super) fn cut(&mut self) -> Result<(), Broken> {
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
                Event::Fate(_)
                | Event::Operate
                | Event::Flow
                | Event::Probe
                | Event::Connect
                | Event::Wake { .. } => {}
            }
        }
        Ok(())
    }

    /// Somebody connects within so many milliseconds.
    pub(super) fn connect_later(&mut self, within: u64) {
        let delay = Duration::from_millis(self.random.below(within));
        self.schedule(delay, Event::Connect);
    }
}
