//! When somebody dies.

use std::collections::BTreeSet;

use ganger_testkit::{Deadline, Running, Watched, wait_gone};

use crate::app::{App, Life, WORKERS};

/// Amid what somebody dies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// Nothing is asked for.
    Steady,
    /// Workers are being started, some of them are up.
    Start,
    /// Workers are being stopped, some of them are gone.
    Stop,
    /// Workers are being replaced after a change of their spec.
    Reload,
    /// Workers come and go as their number changes.
    Scale,
    /// A log is being rotated.
    Rotation,
}

/// How many workers have changed when the death comes, in each round.
const REACHED: [usize; 4] = [1, 9, 16, 5];

impl Moment {
    /// Lets somebody die at this moment, and demands that all ends as if it had not.
    pub(crate) fn strike(self, app: &mut App, round: usize) {
        let reached = REACHED[round % REACHED.len()];
        match self {
            Self::Steady => steady(app, round),
            Self::Start => start(app, reached, round),
            Self::Stop => stop(app, reached),
            Self::Reload => reload(app, reached, round),
            Self::Scale => scale(app, reached),
            Self::Rotation => rotation(app, reached),
        }
    }
}

fn steady(app: &mut App, round: usize) {
    app.up();
    let before = (app.alive(), app.starts().len());
    match app.life {
        Life::Writing | Life::Forking => {
            let log = format!("w.{}.log", 1 + 5 * round);
            let watched = Watched::new(app.logs());
            assert!(watched.wait_name(Deadline::generous(), |name| name == log), "it writes nothing");
        }
        Life::Crashing => app.wait_starts(before.1 + 1 + 3 * round),
        Life::Quiet => {}
    }
    app.strike();
    app.settled(WORKERS);
    app.goes_on(&before.0, before.1);
}

/// The first start is that of the app itself.
fn start(app: &mut App, reached: usize, round: usize) {
    if round == 0 {
        app.launch();
        app.wait_starts(reached);
        app.strike();
        done(app, app.sandbox.start(["start", "w"]), &["start", "w"]);
        app.wait_starts(WORKERS);
        app.settled(WORKERS);
        return started_since(app, 0, WORKERS);
    }
    app.sandbox.run(["stop", "w"]).expect_code(0);
    assert_eq!(app.alive(), BTreeSet::new());
    let before = app.starts().len();
    let asked = app.sandbox.start(["start", "w"]);
    app.wait_starts(before + reached);
    app.strike();
    done(app, asked, &["start", "w"]);
    app.wait_starts(before + WORKERS);
    app.settled(WORKERS);
    started_since(app, before, WORKERS);
}

fn stop(app: &mut App, reached: usize) {
    app.up();
    let victims: Vec<i32> = app.alive().into_iter().collect();
    let asked = app.sandbox.start(["stop", "w"]);
    if let Some(victim) = victims.get(reached) {
        assert!(wait_gone(*victim, Deadline::generous()));
    }
    app.strike();
    done(app, asked, &["stop", "w"]);
    app.settled(0);
    assert_eq!(app.alive(), BTreeSet::new(), "stopped, and alive");
    let before = app.starts().len();
    done(app, app.sandbox.start(["start", "w"]), &["start", "w"]);
    app.wait_starts(before + WORKERS);
    app.settled(WORKERS);
    started_since(app, before, WORKERS);
}

fn reload(app: &mut App, reached: usize, round: usize) {
    app.up();
    let (old, before) = (app.alive(), app.starts().len());
    app.sandbox.file(".env", &format!("COLOUR=of round {round}\n"));
    let asked = app.sandbox.start(["reload"]);
    app.wait_starts(before + reached);
    app.strike();
    done(app, asked, &["start", "w"]);
    app.wait_starts(before + WORKERS);
    app.settled(WORKERS);
    started_since(app, before, WORKERS);
    let kept: Vec<i32> = app.alive().intersection(&old).copied().collect();
    assert!(app.life == Life::Crashing || kept.is_empty(), "not replaced: {kept:?}");
}

fn scale(app: &mut App, reached: usize) {
    app.up();
    let before = app.starts().len();
    let more = format!("w={}", 2 * WORKERS);
    let asked = app.sandbox.start(["scale", &more]);
    app.wait_starts(before + reached);
    app.strike();
    done(app, asked, &["scale", &more]);
    app.wait_starts(before + WORKERS);
    app.settled(2 * WORKERS);
    started_since(app, before, WORKERS);
    app.sandbox.run(["scale", &format!("w={WORKERS}")]).expect_code(0);
    app.settled(WORKERS);
}

fn rotation(app: &mut App, reached: usize) {
    app.up();
    let before = (app.alive(), app.starts().len());
    let watched = Watched::new(app.logs());
    let begins = |name: &str| name.ends_with(".log.new");
    for _ in 0..reached {
        assert!(watched.wait_name(Deadline::generous(), begins), "no log is rotated");
    }
    app.strike();
    app.settled(WORKERS);
    app.goes_on(&before.0, before.1);
}

/// The command that was under way ended; the same command again changes nothing but waits for its effect.
fn done(app: &App, asked: Running, again: &[&str]) {
    // Ganger does not repeat a command that may have been carried out, and dies itself as the case may be.
    asked.finish(Deadline::generous());
    let repeated = app.told(again);
    // To start one that crashes at once fails.
    assert!(repeated.code() == 0 || app.life == Life::Crashing, "{again:?}: {repeated}");
}

/// Demands that nobody was started twice.
fn started_since(app: &App, before: usize, count: usize) {
    let since = app.starts().len() - before;
    assert!(app.life == Life::Crashing || since == count, "{since} starts, not {count}");
}
