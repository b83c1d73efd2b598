//! The keeper's part in an [upgrade](crate::upgrade): trying out, executing, going back.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::Instant;

use rustix::pipe::{PipeFlags, pipe_with};

use crate::guard;
use crate::handover::{Baggage, HANDOVER_VARIABLE, Handover, OUR_VARIABLES};
use crate::keeper::{Course, Keeper};
use crate::processes;
use crate::protocol::{Event, Launch};
use crate::sys::program;
use crate::sys::spawn::{Session, Setting};
use crate::sys::wait::Ended;
use crate::upgrade::{Before, Bereaved, Probe, SAID_MAX, Stage, TRIES, Trial, Upgrade, Upgraded, verdict};

/// What is handed over just for an upgrade that is under way.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The program before; none if that is the one that is executed again.
    pub(crate) program: Option<OwnedFd>,
    /// Its name.
    pub(crate) name: PathBuf,
    /// The arguments with which it keeps.
    pub(crate) keep: Vec<OsString>,
    /// The process that stands by, and the line to it.
    pub(crate) guard: Option<(u32, OwnedFd)>,
}

impl Exchange {
    /// All its descriptors.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        self.program.iter().chain(self.guard.iter().map(|(_, line)| line))
    }
}

impl Keeper {
    /// Begins with what the program before left of an upgrade.
    pub(crate) fn take_up(&mut self, exchange: Exchange) {
        let Exchange { program, name, keep, guard } = exchange;
        let before = program.map(|program| Before { program, name, keep });
        let until = before.is_some().then(|| Instant::now() + self.patience.trial);
        self.trees.helpers.extend(guard.as_ref().map(|(pid, _)| *pid));
        self.stage = Stage::Trial(Trial { before, guard, deaths: 0, until, given_up: None });
    }

    /// Tries out another program.
    pub(crate) fn try_out(&mut self, id: u64, upgrade: Upgrade) {
        let probe = match (&self.stage, &self.course) {
            (Stage::Idle, Course::Keep) => self.probe(&upgrade).map_err(|error| error.to_string()),
            (_, Course::Keep) => Err("another upgrade is under way".to_owned()),
            _ => Err("the keeper is ending".to_owned()),
        };
        match probe {
            Ok(probe) => {
                self.trees.helpers.insert(probe.pid);
                self.stage = Stage::Trying { id, upgrade, probe };
            }
            Err(failure) => self.overseer.tell(Event::Tried { id, failure: Some(failure) }),
        }
    }

    fn probe(&mut self, upgrade: &Upgrade) -> io::Result<Probe> {
        let handover = Handover { runs: self.trees.runs.handed(), ..Handover::default() };
        let table = handover.written(&Baggage::default())?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        let (output, its) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let mut env = program::environment(&OUR_VARIABLES);
        env.push(format!("{HANDOVER_VARIABLE}=3").into());
        let argv = std::iter::once(upgrade.program.clone().into()).chain(upgrade.attempt.iter().cloned());
        let dir = std::env::current_dir()?;
        let launch = Launch { argv: argv.collect(), env, dir, ..Launch::default() };
        let setting = Setting {
            session: Session::Own,
            stdio: Some([null.as_fd(), its.as_fd(), its.as_fd()]),
            fourth: Some(table.as_fd()),
            open_files: Some(self.open_files),
            witnesses: self.overseer.witnesses(),
            ..Setting::default()
        };
        let pid = self.spawner.spawn(&launch, setting).map_err(|failure| {
            let (program, why) = (upgrade.program.display(), io::Error::from(failure.errno));
            io::Error::other(format!("{program}: {}: {why}", failure.step))
        })?;
        Ok(Probe { pid, output, until: Instant::now() + self.patience.attempt, is_overdue: false })
    }

    /// Notes the end of a process that an upgrade needed. Whether it was one.
    pub(crate) fn helper_ended(&mut self, ended: &Ended) -> bool {
        if !self.trees.helpers.remove(&ended.pid) {
            return false;
        }
        self.stage = match std::mem::take(&mut self.stage) {
            Stage::Trying { id, upgrade, probe } if probe.pid == ended.pid => {
                let mut said = [0; SAID_MAX];
                // What it cannot say does not help it.
                let length = rustix::io::read(&probe.output, &mut said).unwrap_or(0);
                let failure = verdict(ended.exit, probe.is_overdue, &said[..length], self.patience.attempt);
                self.overseer.tell(Event::Tried { id, failure: failure.clone() });
                let until = Some(Instant::now() + self.patience.quit);
                if failure.is_none() { Stage::Yielding { upgrade, until } } else { Stage::Idle }
            }
            other => other,
        };
        true
    }

    /// The overseer has settled what was under way.
    pub(crate) fn yielded(&mut self) {
        if let Stage::Yielding { until, .. } = &mut self.stage {
            *until = None;
            self.overseer.kill();
        }
    }

    /// An overseer has taken up all that there is.
    pub(crate) fn settled(&mut self) {
        if let Some(upgraded) = &mut self.upgraded {
            upgraded.is_fresh = false;
        }
        if let Stage::Trial(trial) = &self.stage {
            trial.guard.iter().for_each(|(_, line)| guard::dismiss(line));
            self.stage = Stage::Idle;
        }
    }

    /// Does what is due by now.
    pub(crate) fn upgrade_on_time(&mut self, now: Instant) {
        if self.stage.due().is_none_or(|due| due > now) {
            return;
        }
        match &mut self.stage {
            Stage::Idle => {}
            Stage::Trying { probe, .. } => {
                probe.is_overdue = true;
                kill_tree(probe.pid);
            }
            Stage::Yielding { until, .. } => {
                *until = None;
                self.overseer.kill();
            }
            Stage::Trial(trial) => {
                trial.until = None;
                let bound = self.patience.trial.as_secs();
                trial.given_up = Some(format!("its overseer was not up within {bound} s"));
                if self.overseer.pid().is_some() {
                    self.overseer.kill();
                } else {
                    self.go_back();
                }
            }
        }
    }

    /// The overseer is gone: the next step is due, if an upgrade is under way.
    pub(crate) fn step_on(&mut self) {
        if !matches!(self.course, Course::Keep) {
            return;
        }
        match std::mem::take(&mut self.stage) {
            Stage::Idle => {}
            // Nobody waits for the answer any more.
            Stage::Trying { probe, .. } => kill_tree(probe.pid),
            Stage::Yielding { upgrade, .. } => self.exchange(&upgrade),
            Stage::Trial(mut trial) => {
                trial.deaths += 1;
                if trial.deaths >= TRIES && trial.before.is_some() {
                    trial.given_up.get_or_insert_with(|| format!("its overseer ended {TRIES} times"));
                }
                let is_over = trial.given_up.is_some();
                self.stage = Stage::Trial(trial);
                if is_over {
                    self.go_back();
                }
            }
        }
    }

    /// Executes the new program. Comes back if that fails.
    fn exchange(&mut self, upgrade: &Upgrade) {
        let Upgrade { ticket, from, program, .. } = upgrade;
        let upgraded = |failure| {
            let (ticket, from) = (ticket.clone(), from.clone());
            Some(Upgraded { ticket, from, failure, is_fresh: true })
        };
        let handover = self.give_away();
        let error = match self.execute_other(&handover, upgrade, &upgraded) {
            Ok(never) => match never {},
            Err(error) => error,
        };
        self.take_back(handover);
        self.upgraded = upgraded(Some(format!("{} cannot be executed: {error}", program.display())));
    }

    fn execute_other(
        &mut self,
        handover: &Handover,
        upgrade: &Upgrade,
        upgraded: &dyn Fn(Option<String>) -> Option<Upgraded>,
    ) -> io::Result<std::convert::Infallible> {
        let name = self.overseer.program();
        let mut baggage = self.baggage();
        let own = program::open_own()?;
        let mut guard = None;
        if upgrade.bereaved != Bereaved::Wait {
            baggage.upgraded = upgraded(Some("the new program ended at once".to_owned()));
            guard = Some(guard::post(&mut self.spawner, handover, &baggage, upgrade, &name)?);
            self.trees.helpers.extend(guard.as_ref().map(|(pid, _)| *pid));
        }
        // From here on nothing but the exec itself can fail.
        baggage.upgraded = upgraded(None);
        baggage.exchange = Some(Exchange { program: Some(own), name, keep: upgrade.keep.clone(), guard });
        let error = handover.execute_as(&upgrade.program, &upgrade.program, &upgrade.keep, &baggage);
        if let Some((_, line)) = baggage.exchange.and_then(|exchange| exchange.guard) {
            guard::dismiss(&line);
        }
        Err(error)
    }

    /// Executes the program before. If even that fails, this one goes on.
    fn go_back(&mut self) {
        let Stage::Trial(Trial { before: Some(before), guard, given_up, .. }) =
            std::mem::take(&mut self.stage)
        else {
            return;
        };
        let handover = self.give_away();
        let mut baggage = self.baggage();
        if let Some(upgraded) = &mut baggage.upgraded {
            upgraded.failure = given_up;
        }
        let Before { program, name, keep } = before;
        baggage.exchange = Some(Exchange { program: None, name: name.clone(), keep: keep.clone(), guard });
        let path = PathBuf::from(format!("/proc/self/fd/{}", program.as_raw_fd()));
        handover.execute_as(&path, &name, &keep, &baggage);
        if let Some((_, line)) = baggage.exchange.and_then(|exchange| exchange.guard) {
            guard::dismiss(&line);
        }
        self.take_back(handover);
    }

    /// All that is handed over but what [`Keeper::baggage`] has.
    fn give_away(&mut self) -> Handover {
        // The next program does not know who was told in part.
        self.trees.tell_rest(usize::MAX);
        Handover {
            runs: self.trees.runs.handed(),
            cgroup: self.trees.cgroups.as_ref().map(|cgroups| cgroups.root().to_owned()),
            kept: std::mem::take(&mut self.overseer.kept),
            outputs: self.trees.runs.take_kept(),
            processes: self
                .trees
                .adopted
                .as_ref()
                .map(crate::adopted::Adopted::processes)
                .unwrap_or_default(),
        }
    }

    fn take_back(&mut self, handover: Handover) {
        self.overseer.kept = handover.kept;
        for (worker, output) in handover.outputs {
            self.trees.runs.keep_handed(&worker, output);
        }
    }

    fn baggage(&self) -> Baggage {
        Baggage {
            open_files: Some(self.open_files),
            signals: self.alarm.untaken(),
            notices: self.manager.waiting(),
            upgraded: self.upgraded.clone(),
            exchange: None,
        }
    }
}

/// Kills a process that an upgrade needed, and what it has started.
fn kill_tree(pid: u32) {
    for process in processes::with_descendants([pid]) {
        // One that has ended meanwhile is what is wanted.
        let _ = process.signal(libc::SIGKILL);
    }
}
