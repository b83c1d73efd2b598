//! Who dies, and how.

use ganger_testkit::{Deadline, Process, Sandbox, kill_nine, parent_of, signal, wait_gone};
use rustix::process::Signal;

/// The program under test.
pub(crate) const GANGER: &str = env!("CARGO_BIN_EXE_ganger");

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    /// The overseer is killed.
    Overseer,
    /// The overseer stands still, and whoever minds that kills it.
    StillOverseer,
    /// The keeper is killed, of an app in the background.
    Keeper,
    /// Both are killed, of an app in the background; then it is started again.
    Both,
    /// Every process of ganger's is killed, those that wait for an answer too; then the app is started again.
    All,
}

impl Victim {
    /// Whether the app is to be in the background: a terminal's app ends with its keeper.
    pub(crate) fn in_background(self) -> bool {
        match self {
            Self::Overseer | Self::StillOverseer => false,
            Self::Keeper | Self::Both | Self::All => true,
        }
    }

    /// Lets it die. What is started again is up when this returns.
    pub(crate) fn strike(self, sandbox: &Sandbox) {
        let [keeper, overseer] = parts(sandbox);
        match self {
            Self::Overseer => kill_nine(overseer, Deadline::generous()),
            Self::StillOverseer => {
                signal(overseer, Signal::STOP);
                assert!(wait_gone(overseer, Deadline::generous()), "nobody minds that it stands still");
            }
            Self::Keeper => kill_nine(keeper, Deadline::generous()),
            Self::Both => kill_and_start(sandbox, &[keeper, overseer]),
            Self::All => {
                let is_ours = |process: &&Process| process.command.split(' ').next() == Some(GANGER);
                let census = sandbox.census();
                let all: Vec<i32> = census.iter().filter(is_ours).map(|process| process.pid).collect();
                kill_and_start(sandbox, &all);
            }
        }
    }
}

/// The keeper and the overseer.
pub(crate) fn parts(sandbox: &Sandbox) -> [i32; 2] {
    let census = sandbox.census();
    let is_overseer = |process: &&Process| process.command.split(' ').nth(1) == Some("overseer");
    let overseer = census.iter().find(is_overseer).map(|process| process.pid);
    let parts = overseer.and_then(|overseer| Some([parent_of(overseer)?, overseer]));
    parts.unwrap_or_else(|| panic!("there is no overseer: {}", sandbox.report()))
}

/// Kills these, none of which can do anything about the death of another; the next start goes on.
fn kill_and_start(sandbox: &Sandbox, processes: &[i32]) {
    for kind in [Signal::STOP, Signal::KILL] {
        for process in processes {
            signal(*process, kind);
        }
    }
    for process in processes {
        assert!(wait_gone(*process, Deadline::generous()));
    }
    // Its status says whether workers crash, which some do.
    sandbox.run(["start", "-D"]);
}
