//! The fake keeper and the fake kernel: runs, their processes, and what becomes of them.
//!
//! The keeper's own guard against a second run of a worker is left out on purpose: the decider must never ask for one.

use std::collections::BTreeMap;
use std::time::Duration;

use ganger_core::{Exit, Instant, KnownRun, Random, RunId, Scope};
use ganger_spec::{Signal, WorkerName};

/// How a process will live, decided when it is born.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// When and how it ends by itself.
    pub(crate) ends: Option<(Duration, Exit)>,
    /// How long it takes to obey its stop signal; none if it ignores it.
    pub(crate) obeys: Option<Duration>,
    /// How long it takes to die of KILL.
    pub(crate) dies: Duration,
    /// Whether it has a child in another session.
    pub(crate) straggler: Option<Straggler>,
    /// Whether the kernel says how it ended to one who is not its parent.
    pub(crate) tells: bool,
}

/// A child that outlives the main process.
#[derive(Clone, Debug)]
pub(crate) struct Straggler {
    pub(crate) obeys: bool,
    /// When it ends by itself, after the main process.
    pub(crate) ends: Option<Duration>,
}

/// A run that the keeper has not forgotten.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) worker: WorkerName,
    pub(crate) pid: u32,
    /// Whether it is a child of the present keeper; if not, it was adopted, or is to be.
    pub(crate) is_child: bool,
    pub(crate) script: Script,
    /// How the main process ended.
    pub(crate) ended: Option<Exit>,
    /// Whether the straggler lives.
    pub(crate) straggles: bool,
    /// When the tree was first asked to end.
    pub(crate) asked: Option<Instant>,
    pub(crate) stop_timeout: Duration,
    /// Whether the tree has got a KILL.
    pub(crate) killed: bool,
}

impl Process {
    pub(crate) fn lives(&self) -> bool {
        self.ended.is_none() || self.straggles
    }
}

/// What the kernel will do by itself.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    MainEnds(RunId, Exit),
    StragglerEnds(RunId),
}

/// A fate and when it comes.
pub(crate) type Later = (Duration, Fate);

/// What the keeper tells the overseer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum News {
    Exited { exit: Exit, leftovers: bool },
    Emptied,
}

#[derive(Debug, Default)]
pub(crate) struct Kernel {
    pub(crate) runs: BTreeMap<RunId, Process>,
    /// Whether the keeper is gone and no other has come.
    pub(crate) unwatched: bool,
    last_pid: u32,
}

impl Kernel {
    /// Starts a process.
    pub(crate) fn spawn(
        &mut self,
        run: RunId,
        worker: WorkerName,
        script: Script,
        stop_timeout: Duration,
    ) -> (u32, Vec<Later>) {
        self.last_pid += 1;
        let fates = script.ends.iter().map(|(after, exit)| (*after, Fate::MainEnds(run, *exit))).collect();
        let process = Process {
            worker,
            pid: self.last_pid,
            is_child: true,
            straggles: script.straggler.is_some(),
            script,
            ended: None,
            asked: None,
            stop_timeout,
            killed: false,
        };
        self.runs.insert(run, process);
        (self.last_pid, fates)
    }

    /// Sends a signal.
    pub(crate) fn signal(&mut self, now: Instant, run: RunId, signal: Signal, scope: Scope) -> Vec<Later> {
        let Some(process) = self.runs.get_mut(&run).filter(|process| process.lives()) else {
            return Vec::new();
        };
        let mut fates = Vec::new();
        match (scope, signal) {
            // The operator's signal, which nobody heeds.
            (Scope::Main, Signal::HUP) => {}
            (Scope::Main, _) => {
                process.asked.get_or_insert(now);
                if let Some(after) = process.script.obeys {
                    fates.push((after, Fate::MainEnds(run, Exit::Signal(signal))));
                }
            }
            (Scope::Tree, Signal::KILL) => {
                process.asked.get_or_insert(now);
                process.killed = true;
                fates.push((process.script.dies, Fate::MainEnds(run, Exit::Signal(signal))));
                fates.push((process.script.dies, Fate::StragglerEnds(run)));
            }
            (Scope::Tree, _) => {
                process.asked.get_or_insert(now);
                if let Some(after) = process.script.obeys {
                    fates.push((after, Fate::MainEnds(run, Exit::Signal(signal))));
                }
                if process.script.straggler.as_ref().is_some_and(|straggler| straggler.obeys) {
                    fates.push((Duration::from_millis(30), Fate::StragglerEnds(run)));
                }
            }
        }
        fates
    }

    /// Lets a fate come true, if it still can.
    pub(crate) fn fulfil(&mut self, fate: &Fate) -> Option<(RunId, News, Option<Later>)> {
        match *fate {
            Fate::MainEnds(run, exit) => {
                let process = self.runs.get_mut(&run).filter(|process| process.ended.is_none())?;
                let is_seen = process.is_child || (process.script.tells && !self.unwatched);
                let exit = if is_seen { exit } else { Exit::Unknown };
                process.ended = Some(exit);
                let straggler = process.script.straggler.as_ref().filter(|_| process.straggles);
                let later = straggler.and_then(|straggler| straggler.ends);
                let later = later.map(|after| (after, Fate::StragglerEnds(run)));
                Some((run, News::Exited { exit, leftovers: process.straggles }, later))
            }
            Fate::StragglerEnds(run) => {
                let process = self.runs.get_mut(&run).filter(|process| process.straggles)?;
                process.straggles = false;
                process.ended.map(|_| (run, News::Emptied, None))
            }
        }
    }

    /// The keeper is gone: its runs live on, and how they end nobody may see.
    pub(crate) fn orphan(&mut self) {
        self.unwatched = true;
        for process in self.runs.values_mut() {
            process.is_child = false;
            process.ended = process.ended.map(|_| Exit::Unknown);
        }
    }

    /// A new keeper finds what lives. Of what ended meanwhile there is no trace.
    pub(crate) fn adopt(&mut self) {
        self.unwatched = false;
        self.runs.retain(|_, process| process.lives());
    }

    /// The machine starts anew.
    pub(crate) fn reboot(&mut self) {
        self.unwatched = false;
        self.runs.clear();
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = (&RunId, &Process)> {
        self.runs.iter().filter(|(_, process)| process.lives())
    }

    pub(crate) fn live_of(&self, worker: &WorkerName) -> Vec<RunId> {
        self.live().filter(|(_, process)| process.worker == *worker).map(|(run, _)| *run).collect()
    }

    /// What an overseer is told when it connects.
    pub(crate) fn snapshot(&self) -> Vec<KnownRun> {
        let known = |(run, process): (&RunId, &Process)| KnownRun {
            run: *run,
            worker: process.worker.clone(),
            pid: process.pid,
            exit: process.ended,
            leftovers: process.straggles,
        };
        self.runs.iter().map(known).collect()
    }
}

/// A random life.
pub(crate) fn script(random: &mut Random, healthy: bool) -> Script {
    let millis = |random: &mut Random, from, to| Duration::from_millis(from + random.below(to - from));
    if healthy {
        let obeys = Some(millis(random, 0, 500));
        return Script { ends: None, obeys, dies: Duration::from_millis(1), straggler: None, tells: true };
    }
    let exit = match random.below(6) {
        0 => Exit::Signal(Signal::TERM),
        1 => Exit::Signal(Signal::INT),
        code => Exit::Code(u8::try_from(code - 2).unwrap_or(0)),
    };
    let ends = match random.below(5) {
        0 => Some((Duration::ZERO, exit)),
        1 => Some((millis(random, 1, 1_500), exit)),
        2 | 3 => Some((millis(random, 1_000, 20_000), exit)),
        _ => None,
    };
    let obeys = (random.below(4) != 0).then(|| millis(random, 0, 3_000));
    let dies = match random.below(8) {
        0 => millis(random, 1_000, 30_000),
        _ => millis(random, 0, 20),
    };
    let straggler = (random.below(4) == 0).then(|| Straggler {
        obeys: random.below(2) == 0,
        ends: (random.below(2) == 0).then(|| millis(random, 0, 8_000)),
    });
    let tells = random.below(2) == 0;
    Script { ends, obeys, dies, straggler, tells }
}
