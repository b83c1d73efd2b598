//! Whom a run leaves behind, and how it is found.

use ganger_keeper::{Event, Exit, Request, RunId, Scope};
use rustix::process::{Signal, kill_process};

use crate::support::{BOTH, KILL, Keeper, TERM, Tree, argv, exited, gone, line, pid, sh};

#[test]
fn a_straggler_in_another_session_dies_with_its_tree() {
    for tree in BOTH {
        let mut keeper = Keeper::greeted(tree);
        let script = "(trap '' TERM; exec setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1000; done') & wait";
        let (_, mut out) = keeper.run_read(1, "web.1", sh(script, "straggler"));
        let straggler: u32 = line(&mut out).parse().unwrap();
        keeper.signal(1, TERM, Scope::Main);
        let (_, exit, left) = exited(keeper.event());
        assert_eq!(exit, Exit::Signal(TERM), "{tree:?}");
        assert!(left.contains(&"sh".to_owned()), "{tree:?}: {left:?}");
        let Event::Signalled { processes, errno, .. } = keeper.signal(1, KILL, Scope::Tree) else { panic!() };
        assert!(processes.iter().any(|process| process.pid == straggler));
        assert_eq!(errno, 0);
        gone(straggler);
        assert_eq!(keeper.event(), Event::Emptied { run: RunId(1) });
    }
}

#[test]
fn an_orphan_without_the_tag_is_known_from_the_signal_before() {
    let mut keeper = Keeper::greeted(Tree::Walk);
    let script = "env -i setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1000; done' & wait";
    let (_, mut out) = keeper.run_read(1, "web.1", sh(script, "hidden"));
    let straggler: u32 = line(&mut out).parse().unwrap();
    keeper.signal(1, TERM, Scope::Tree);
    assert!(!exited(keeper.event()).2.is_empty());
    keeper.signal(1, KILL, Scope::Tree);
    gone(straggler);
}

#[test]
fn what_belongs_to_no_run_is_swept() {
    let mut keeper = Keeper::greeted(Tree::Walk);
    // The second line says that the shell between the two is gone.
    let script = "(env -i setsid sh -c 'echo $$; exec sleep 1000' &) ; echo orphaned; sleep 1000";
    let (_, mut out) = keeper.run_read(1, "web.1", sh(script, ""));
    let lines = [line(&mut out), line(&mut out)];
    let stranger: u32 = lines.iter().find_map(|line| line.parse().ok()).unwrap();
    keeper.send(&Request::Sweep { id: 5 });
    let Event::Swept { id: 5, killed } = keeper.event() else { panic!("not swept") };
    assert_eq!(killed.iter().map(|process| process.pid).collect::<Vec<_>>(), [stranger]);
    gone(stranger);
    assert_eq!(keeper.signal(1, TERM, Scope::Main).id(), 77);
}

#[test]
fn a_stopped_process_is_woken_up_to_end() {
    let mut keeper = Keeper::greeted(Tree::Best);
    let (process, mut out) =
        keeper.run_read(1, "web.1", sh("trap 'exit 3' TERM; echo up; kill -STOP $$; :", ""));
    assert_eq!(line(&mut out), "up");
    let stopped = || std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap().contains(") T ");
    while !stopped() {
        std::thread::yield_now();
    }
    keeper.signal(1, TERM, Scope::Tree);
    assert_eq!(exited(keeper.event()).1, Exit::Code(3));
}

#[test]
fn nothing_is_left_after_quit() {
    for tree in BOTH {
        let mut keeper = Keeper::greeted(tree);
        let script = "(env -i setsid sh -c 'trap \"\" TERM INT HUP; echo $$; while :; do sleep 1000; done' &) ; exit 0";
        let (_, mut out) = keeper.run_read(1, "web.1", sh(script, ""));
        let straggler: u32 = line(&mut out).parse().unwrap();
        assert_eq!(keeper.quit(4), 4);
        gone(straggler);
    }
}

#[test]
fn it_is_the_first_process_of_a_namespace_and_reaps_strangers() {
    for tree in BOTH {
        let mut keeper = Keeper::start_by(&["unshare", "--pid", "--fork", "--mount-proc"], tree);
        keeper.hello();
        let (_, mut out) =
            keeper.run_read(1, "web.1", sh("(setsid sh -c 'echo orphan' &); exec sleep 1000", "x"));
        assert_eq!(line(&mut out), "orphan");
        keeper.run(2, "web.2", sh("setsid sleep 1000 & exit 0", "y"));
        assert_eq!(exited(keeper.event()).0, RunId(2));
        keeper.signal(2, KILL, Scope::Tree);
        assert_eq!(keeper.event(), Event::Emptied { run: RunId(2) });
        assert_eq!(keeper.quit(6), 6);
    }
}

#[test]
fn what_a_killed_keeper_left_is_removed_once_nothing_lives_in_it() {
    let mut keeper = Keeper::greeted(Tree::Best);
    let run = keeper.run(1, "web.1", argv(&["sleep", "1000"]));
    // Where there are no cgroups, nothing is left behind.
    let cgroup = keeper.cgroup.clone();
    keeper.kill();
    Keeper::greeted(Tree::Best);
    assert!(cgroup.iter().all(|cgroup| cgroup.join("1").exists()), "the run lives");
    kill_process(pid(run), Signal::KILL).unwrap();
    gone(run);
    Keeper::greeted(Tree::Best);
    assert!(!cgroup.is_some_and(|cgroup| cgroup.exists()));
}

#[test]
fn a_process_that_is_just_being_executed_is_found_without_a_cgroup() {
    let mut keeper = Keeper::greeted(Tree::Walk);
    for run in 1..=200 {
        // The main process ends while the other, in a session of its own by then, executes its program.
        keeper.run(run, "web.1", sh("setsid sleep 1000 & exit 0", &format!("tag {run}")));
        let (_, _, leftovers) = exited(keeper.event());
        assert_eq!(leftovers.len(), 1, "run {run}");
        keeper.signal(run, KILL, Scope::Tree);
        assert_eq!(keeper.event(), Event::Emptied { run: RunId(run) });
    }
}
