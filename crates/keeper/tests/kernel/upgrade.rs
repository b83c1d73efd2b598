//! Another program in the keeper's place, in the same process.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use ganger_keeper::{Bereaved, Event, Exit, Request, RunId, Upgrade};
use ganger_testkit::{copy_program, write_program};
use rustix::process::{Signal, kill_process};

use crate::support::{BOTH, HOST, Keeper, TERM, Tree, argv, exited, gone, pid, sh};

/// A directory with another program, and what asks for it in this keeper's place.
pub(crate) struct Other {
    program: PathBuf,
    _dir: tempfile::TempDir,
}

impl Other {
    /// The same program under another name.
    pub(crate) fn copy() -> Self {
        let other = Self::named();
        copy_program(Path::new(HOST), &other.program);
        other
    }

    /// A script. `$HOST` is the program that it stands before.
    fn script(mode: u32, text: &str) -> Self {
        let other = Self::named();
        write_program(&other.program, text.replace("$HOST", HOST), mode);
        other
    }

    fn named() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { program: dir.path().join("other"), _dir: dir }
    }

    fn upgrade(&self, keeper: &Keeper, bereaved: Bereaved) -> Request {
        let upgrade = Upgrade {
            ticket: "t".to_owned(),
            program: self.program.clone(),
            keep: vec!["keep".into(), keeper.socket().into()],
            attempt: vec!["attempt".into()],
            from: "1".to_owned(),
            bereaved,
        };
        Request::Upgrade { id: 9, upgrade }
    }

    /// Asks for it, which is found good, and lets it happen.
    pub(crate) fn accepted(&self, keeper: &mut Keeper, bereaved: Bereaved) {
        keeper.send(&self.upgrade(keeper, bereaved));
        assert_eq!(keeper.event(), Event::Tried { id: 9, failure: None });
        keeper.send(&Request::Yielded);
    }
}

fn executes(process: u32, program: &Path) -> bool {
    std::fs::read_link(format!("/proc/{process}/exe")).unwrap() == program
}

fn parent(process: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap()
}

fn failure(keeper: &Keeper) -> String {
    keeper.upgraded.clone().expect("there was an upgrade").failure.expect("it failed")
}

#[test]
fn the_same_process_goes_on_with_its_children_and_each_end_is_told_once() {
    for tree in BOTH {
        let mut keeper = Keeper::start(tree);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let file = || std::fs::File::create(&path).unwrap();
        let lock = file();
        lock.lock().unwrap();
        keeper.hello_keeping(&[lock.as_fd()]);
        drop(lock);
        let lives = keeper.run(1, "web.1", argv(&["sleep", "1000"]));
        keeper.run(2, "web.2", sh("exit 5", ""));
        assert_eq!(exited(keeper.event()).0, RunId(2));
        keeper.run(3, "web.3", sh("exit 6", ""));
        assert_eq!(exited(keeper.event()).0, RunId(3));
        keeper.send(&Request::Acknowledge { run: RunId(3) });
        let (process, descriptors) = (keeper.process.id(), keeper.descriptors());
        let other = Other::copy();
        other.accepted(&mut keeper, Bereaved::GoOn);
        keeper.reconnect();
        assert!(executes(process, &other.program) && executes(keeper.overseer, &other.program));
        assert!(file().try_lock().is_err(), "the lock is held");
        assert_eq!(keeper.kept.len(), 1);
        let runs = keeper.hello();
        let told: Vec<_> = runs.iter().map(|run| (run.run.0, run.worker.as_str(), run.exit)).collect();
        assert_eq!(told, [(1, "web.1", None), (2, "web.2", Some(Exit::Code(5)))], "{tree:?}");
        assert!(runs[1].usage.max_rss_kib > 0);
        assert_eq!(parent(lives), process);
        assert_eq!(keeper.upgraded.as_ref().map(|upgraded| upgraded.failure.is_some()), Some(false));
        keeper.send(&Request::Settled);
        // What ends from now on is a child's end, with all that the kernel tells of it.
        kill_process(pid(lives), Signal::KILL).unwrap();
        match keeper.event() {
            Event::Exited { run: RunId(1), exit: Exit::Signal(9), usage, .. } => {
                assert!(usage.max_rss_kib > 0);
            }
            event => panic!("{event:?}"),
        }
        keeper.kill_overseer();
        keeper.reconnect();
        assert_eq!(keeper.hello().len(), 2);
        assert!(keeper.descriptors() <= descriptors, "{} of {descriptors}", keeper.descriptors());
        assert_eq!(keeper.quit(0), 0);
    }
}

#[test]
fn a_program_that_does_not_prove_itself_changes_nothing() {
    let mut keeper = Keeper::hasty(Tree::Best);
    keeper.run(1, "web.1", argv(&["sleep", "1000"]));
    let refused = [
        (Other::script(0o755, "#!/bin/sh\necho broken >&2; exit 1\n"), "it ended with status 1: broken"),
        (
            Other::script(0o644, "#!/bin/sh\n"),
            "$OTHER: command not executable: Permission denied (os error 13)",
        ),
        (Other::named(), "$OTHER: command not found: No such file or directory (os error 2)"),
        (Other::script(0o755, ""), "it is no ganger that knows how to take over"),
        (Other::script(0o755, "#!/bin/sh\nsleep 1000 & exec sleep 1000\n"), "it said nothing within 2 s"),
    ];
    let overseer = keeper.overseer;
    for (other, why) in refused {
        keeper.send(&other.upgrade(&keeper, Bereaved::GoOn));
        let why = why.replace("$OTHER", &other.program.to_string_lossy());
        assert_eq!(keeper.event(), Event::Tried { id: 9, failure: Some(why) });
    }
    assert!(executes(keeper.process.id(), Path::new(HOST)));
    assert!(matches!(keeper.spawn(2, "web.2", argv(&["sleep", "1000"])), Event::Spawned { .. }));
    assert_eq!(keeper.overseer, overseer);
}

#[test]
fn a_program_that_cannot_be_executed_after_all_leaves_the_old_one() {
    let mut keeper = Keeper::greeted(Tree::Best);
    let lives = keeper.run(1, "web.1", argv(&["sleep", "1000"]));
    // Without a first line that names a shell, only a shell would execute it.
    let other = Other::script(0o755, "exec $HOST \"$@\"\n");
    other.accepted(&mut keeper, Bereaved::GoOn);
    keeper.reconnect();
    let runs = keeper.hello();
    assert_eq!(runs.iter().map(|run| (run.pid, run.exit)).collect::<Vec<_>>(), [(lives, None)]);
    assert!(failure(&keeper).contains("cannot be executed: Exec format error"), "{}", failure(&keeper));
    assert!(executes(keeper.process.id(), Path::new(HOST)));
    // Another one is taken all the same.
    let other = Other::copy();
    other.accepted(&mut keeper, Bereaved::GoOn);
    keeper.reconnect();
    keeper.hello();
    assert!(executes(keeper.process.id(), &other.program));
}

#[test]
fn a_program_that_ends_at_once_is_followed_by_who_stands_by() {
    for tree in BOTH {
        let mut keeper = Keeper::greeted(tree);
        let lives = keeper.run(1, "web.1", sh("exec sleep 1000", "app/1/1"));
        let other = Other::script(0o755, "#!/bin/sh\n[ $1 = attempt ] && exec $HOST attempt\nexit 3\n");
        other.accepted(&mut keeper, Bereaved::GoOn);
        assert_eq!(keeper.wait(), 3);
        keeper.reconnect();
        let next = parent(keeper.overseer);
        assert!(executes(next, Path::new(HOST)));
        let runs = keeper.hello();
        assert_eq!(runs.iter().map(|run| (run.pid, run.exit)).collect::<Vec<_>>(), [(lives, None)]);
        assert_eq!(failure(&keeper), "the new program ended at once");
        kill_process(pid(lives), Signal::KILL).unwrap();
        assert_eq!(exited(keeper.event()).1, Exit::Signal(9), "{tree:?}");
        keeper.send(&Request::Quit { status: 0 });
        keeper.end_overseer(0);
        gone(next);
    }
}

#[test]
fn runs_of_a_terminal_end_with_a_program_that_ends_at_once() {
    let mut keeper = Keeper::greeted(Tree::Best);
    let tag = format!("upgrade-{}/1/1", std::process::id());
    let run = keeper.run(1, "web.1", sh("exec sleep 1000", &tag));
    let other = Other::script(0o755, "#!/bin/sh\n[ $1 = attempt ] && exec $HOST attempt\nexit 3\n");
    other.accepted(&mut keeper, Bereaved::End);
    assert_eq!(keeper.wait(), 3);
    gone(run);
}

#[test]
fn a_program_whose_overseer_dies_again_and_again_or_does_not_get_up_is_taken_back() {
    for dies in [true, false] {
        let mut keeper = Keeper::hasty(Tree::Best);
        let lives = keeper.run(1, "web.1", argv(&["sleep", "1000"]));
        let (process, other) = (keeper.process.id(), Other::copy());
        other.accepted(&mut keeper, Bereaved::GoOn);
        keeper.reconnect();
        keeper.hello();
        let mut ended = vec![keeper.overseer];
        for _ in 0..if dies { 2 } else { 0 } {
            keeper.kill_overseer();
            keeper.reconnect();
            keeper.hello();
            ended.push(keeper.overseer);
        }
        assert!(executes(process, &other.program));
        if dies {
            keeper.kill_overseer();
        }
        keeper.reconnect();
        ended.into_iter().for_each(gone);
        let runs = keeper.hello();
        assert_eq!(runs.iter().map(|run| (run.pid, run.exit)).collect::<Vec<_>>(), [(lives, None)]);
        assert!(executes(process, Path::new(HOST)) && executes(keeper.overseer, Path::new(HOST)));
        let why = if dies { "its overseer ended 3 times" } else { "its overseer was not up within 2 s" };
        assert_eq!(failure(&keeper), why);
        keeper.send(&Request::Settled);
        kill_process(pid(lives), Signal::KILL).unwrap();
        assert_eq!(exited(keeper.event()).1, Exit::Signal(9));
    }
}

#[test]
fn a_signal_that_nobody_acted_on_is_told_to_the_overseer_of_the_next_program() {
    let mut keeper = Keeper::greeted(Tree::Best);
    kill_process(pid(keeper.process.id()), Signal::TERM).unwrap();
    assert_eq!(keeper.event(), Event::Signal { signal: TERM });
    Other::copy().accepted(&mut keeper, Bereaved::GoOn);
    keeper.reconnect();
    keeper.hello();
    assert_eq!(keeper.event(), Event::Signal { signal: TERM });
    keeper.send(&Request::Taken { signal: TERM });
}

#[test]
fn an_overseer_that_settles_nothing_is_ended_and_one_that_died_meanwhile_does_no_harm() {
    for kills in [true, false] {
        let mut keeper = Keeper::hasty(Tree::Best);
        let other = Other::copy();
        let first = keeper.overseer;
        keeper.send(&other.upgrade(&keeper, Bereaved::GoOn));
        assert_eq!(keeper.event(), Event::Tried { id: 9, failure: None });
        if kills {
            keeper.kill_overseer();
        }
        keeper.reconnect();
        gone(first);
        keeper.hello();
        assert!(executes(keeper.process.id(), &other.program));
        keeper.send(&Request::Settled);
    }
}
