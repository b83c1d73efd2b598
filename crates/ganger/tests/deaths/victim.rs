//! Who dies, and how.

use std::path::{Path, PathBuf};

use ganger_testkit::{Deadline, Process, Sandbox, copy_program, kill_nine, parent_of, signal, wait_gone};
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
    /// Keeper and overseer make way for another program, in the foreground.
    Upgraded,
    /// The same in the background.
    UpgradedBehind,
}

impl Victim {
    /// Whether the app is to be in the background: a terminal's app ends with its keeper.
    pub(crate) fn in_background(self) -> bool {
        match self {
            Self::Overseer | Self::StillOverseer | Self::Upgraded => false,
            Self::Keeper | Self::Both | Self::All | Self::UpgradedBehind => true,
        }
    }

    /// Whether nothing of ganger lives for a while: what somebody writes who ends then is lost with the pipe, and the kernel
    /// tells nobody of that end.
    pub(crate) fn leaves_nobody(self) -> bool {
        match self {
            Self::Both | Self::All => true,
            Self::Overseer | Self::StillOverseer | Self::Keeper | Self::Upgraded | Self::UpgradedBehind => {
                false
            }
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
            Self::Upgraded | Self::UpgradedBehind => upgrade(sandbox, keeper),
            Self::All => {
                let is_ours = |process: &&Process| process.command.split(' ').next() == Some(GANGER);
                let census = sandbox.census();
                let all: Vec<i32> = census.iter().filter(is_ours).map(|process| process.pid).collect();
                kill_and_start(sandbox, &all);
            }
        }
    }
}

/// Puts a copy of the program in its place, and the next time the program again.
fn upgrade(sandbox: &Sandbox, keeper: i32) {
    let copy = sandbox.root().join("ganger");
    let executed = || std::fs::read_link(format!("/proc/{keeper}/exe")).unwrap_or_default();
    let to = if executed() == copy { PathBuf::from(GANGER) } else { copy };
    if to != Path::new(GANGER) {
        copy_program(Path::new(GANGER), &to);
    }
    let path = to.to_string_lossy().into_owned();
    let told = sandbox.ganger_with(&["upgrade", "--json", "--binary", &path]).run();
    // Who asks with a ticket is answered whatever dies.
    assert_eq!(told.json()["keeper_pid"], keeper);
    assert_eq!(executed(), to);
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
