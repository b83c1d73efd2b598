//! An app of 20 workers that keep books of their own.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::PathBuf;

use ganger_testkit::{Deadline, Finished, Running, Sandbox, parent_of, signal, wait_for_file, wait_gone};
use rustix::process::Signal;

use crate::books::{self, Start, Wrong};
use crate::victim::{GANGER, Victim, parts};

/// Workers of the app, unless it was scaled.
pub(crate) const WORKERS: usize = 20;

/// What the workers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Numbered lines, as fast as makes sense for twenty.
    Writing,
    /// Nothing.
    Quiet,
    /// A few lines, and then they crash.
    Crashing,
    /// Numbered lines, and a child in a session of its own.
    Forking,
}

/// The app, running.
pub(crate) struct App {
    pub(crate) sandbox: Sandbox,
    victim: Victim,
    pub(crate) life: Life,
    kills: Cell<u32>,
    /// What was found wrong while it ran.
    wrong: RefCell<Vec<Wrong>>,
    /// The app in the foreground, or who started it in the background.
    running: Option<Running>,
}

impl App {
    /// An app that is not started yet.
    pub(crate) fn new(victim: Victim, life: Life) -> Self {
        let sandbox = Sandbox::new(GANGER);
        books::keep(&sandbox);
        let dummy = sandbox.dummy();
        let does = match life {
            Life::Writing => "--lines 1000000000 --line-length 100 --rate 250",
            Life::Quiet => "--run-for forever",
            Life::Crashing => "--lines 5 --line-length 100 --rate 500 --exit 1",
            Life::Forking => "--straggler --lines 1000000000 --line-length 100 --rate 50",
        };
        sandbox.procfile(&format!("w: {dummy} {} {does}", books::FLAGS));
        sandbox.file(
            "ganger.toml",
            &format!(
                "[groups.w]\ncount = {WORKERS}\nrestart = \"always\"\n\
                 backoff = {{ initial = \"50ms\", max = \"400ms\" }}\n\
                 logs = {{ max_size = 20_000, keep = 1000 }}\n"
            ),
        );
        let (kills, wrong) = Default::default();
        Self { sandbox, victim, life, kills, wrong, running: None }
    }

    /// Starts the app, without waiting for its workers.
    pub(crate) fn launch(&mut self) {
        let words: &[&str] = if self.victim.in_background() { &["start", "-D"] } else { &["start"] };
        self.running = Some(self.sandbox.ganger_with(words).start());
    }

    /// Starts the app if it does not run, and blocks until all workers are up.
    pub(crate) fn up(&mut self) {
        if self.running.is_none() {
            self.launch();
            self.wait_starts(WORKERS);
            self.settled(WORKERS);
        }
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().expect("the app was started")
    }

    /// Every start of a worker so far.
    pub(crate) fn starts(&self) -> Vec<Start> {
        books::starts(&self.sandbox.read("starts"))
    }

    /// Blocks until workers were started so often.
    pub(crate) fn wait_starts(&self, count: usize) {
        let enough = |text: &str| text.lines().count() >= count;
        if let Err(why) = wait_for_file(self.sandbox.path("starts"), Deadline::generous(), enough) {
            self.running().fail(&format!("no {count} starts: {why}"));
        }
    }

    /// The PIDs of the workers that are alive, as the kernel has it.
    pub(crate) fn alive(&self) -> BTreeSet<i32> {
        let census = self.sandbox.census();
        let workers = census.iter().filter(|process| process.command.contains("--alone"));
        let pids: BTreeSet<i32> = workers.map(|process| process.pid).collect();
        // A child of a worker has the worker's arguments until it has its own.
        let is_main = |pid: &i32| parent_of(*pid).is_none_or(|parent| !pids.contains(&parent));
        pids.iter().copied().filter(is_main).collect()
    }

    /// Lets the victim die.
    pub(crate) fn strike(&self) {
        self.victim.strike(&self.sandbox);
        self.kills.set(self.kills.get() + 1);
    }

    /// Looks whether those who lived before live on, and nobody else was started.
    pub(crate) fn goes_on(&self, before: &BTreeSet<i32>, starts: usize) {
        if self.life == Life::Crashing {
            return;
        }
        let alive = self.alive();
        let died = before.difference(&alive).map(|pid| Wrong::Died(format!("{pid} died")));
        let since = self.starts().split_off(starts);
        let doubled = since.iter().map(|start| Wrong::Doubled(format!("{start:?}, and nobody asked for it")));
        self.wrong.borrow_mut().extend(died.chain(doubled));
    }

    /// Where the logs are.
    pub(crate) fn logs(&self) -> PathBuf {
        self.sandbox.state().join("logs")
    }

    /// Blocks until an overseer answers, and demands that `count` workers are up and no other process of theirs is.
    pub(crate) fn settled(&self, count: usize) {
        let told = self.sandbox.run(["ps", "--json"]).json();
        let workers = told["workers"].as_array().expect("a list of workers");
        let is_up = |worker: &&serde_json::Value| worker["wanted"].as_str() == Some("up");
        assert_eq!(workers.iter().filter(is_up).count(), count, "{told:#}");
        // One that crashes again and again may be down just now.
        if self.life != Life::Crashing {
            let pids: BTreeSet<i32> = workers
                .iter()
                .filter_map(|worker| worker["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()))
                .collect();
            let alive = self.alive();
            if (pids.len(), &pids) != (count, &alive) {
                self.running().fail(&format!("{count} are up, {pids:?} told, {alive:?} alive"));
            }
        }
    }

    /// Runs a command to its end.
    pub(crate) fn told(&self, words: &[&str]) -> Finished {
        let told = self.sandbox.ganger_with(words).run();
        if told.errors.contains("the overseer died before it answered") {
            // It reached one that did not know yet that its keeper was dead, and took its place before it answered.
            return self.sandbox.ganger_with(words).run();
        }
        told
    }

    /// Stops everything, and demands that the books balance.
    pub(crate) fn finish(mut self) {
        let [keeper, _] = parts(&self.sandbox);
        if self.victim.in_background() {
            self.told(&["quit"]).expect_code(0);
        } else {
            signal(keeper, Signal::INT);
        }
        assert!(wait_gone(keeper, Deadline::generous()), "it does not end");
        self.sandbox.assert_nothing_left();
        let running = self.running.take().expect("the app was started");
        let finished = running.finish(Deadline::generous());
        let mut wrong = self.wrong.take();
        wrong.extend(books::audit(&self.sandbox, &self.starts()));
        let Self { victim, life, .. } = &self;
        eprintln!("{}", books::tally(self.kills.get(), &wrong));
        assert!(wrong.is_empty(), "{victim:?}, {life:?}: the books do not balance: {wrong:#?}\n{finished}");
    }
}
