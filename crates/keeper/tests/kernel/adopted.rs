//! Runs whose keeper was killed: the next one goes on with them.

use ganger_keeper::{Event, Exit, Request, RunId, Scope, Step};
use rustix::process::{Signal, kill_process};

use crate::support::{BOTH, KILL, Keeper, TERM, Tree, argv, exited, failure, gone, line, pid, sh};

/// Where there is no cgroup, processes are known by it on the whole machine.
fn tag(tree: Tree) -> String {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    format!("{}/{test}/{tree:?}/7", std::process::id())
}

#[test]
fn a_run_lives_on_under_the_next_keeper_which_stops_its_whole_tree() {
    for tree in BOTH {
        let mut keeper = Keeper::greeted(tree);
        let script = "setsid sleep 1000 & echo $!; trap 'exit 3' TERM; echo; while :; do wait; done";
        let (main, mut output) = keeper.run_read(7, "web.1", sh(script, &tag(tree)));
        let straggler: u32 = line(&mut output).parse().unwrap();
        line(&mut output);
        let run = keeper.only_run();
        let mut keeper = keeper.succeeded(tree, &run, || {});
        let runs = keeper.hello();
        assert_eq!(runs, [run]);
        assert_eq!(failure(keeper.spawn(8, "web.1", argv(&["true"]))).0, Step::Refused);
        match keeper.signal(7, TERM, Scope::Main) {
            Event::Signalled { processes, errno: 0, .. } => assert_eq!(processes[0].pid, main),
            other => panic!("{other:?}"),
        }
        assert_eq!(exited(keeper.event()).1, Exit::Code(3), "{tree:?}");
        match keeper.signal(7, KILL, Scope::Tree) {
            Event::Signalled { processes, errno: 0, .. } => assert_eq!(processes[0].pid, straggler),
            other => panic!("{other:?}"),
        }
        assert_eq!(keeper.event(), Event::Emptied { run: RunId(7) });
        keeper.send(&Request::Acknowledge { run: RunId(7) });
        keeper.run(8, "web.1", argv(&["sleep", "1000"]));
        assert_eq!(keeper.quit(0), 0);
    }
}

#[test]
fn an_end_between_two_keepers_is_told_once_with_its_status() {
    for tree in BOTH {
        let mut keeper = Keeper::greeted(tree);
        keeper.run(7, "web.1", sh("exec tail -f /dev/null", &tag(tree)));
        let run = keeper.only_run();
        let mut keeper = keeper.succeeded(tree, &run, || {
            kill_process(pid(run.pid), Signal::KILL).unwrap();
            gone(run.pid);
        });
        let runs = keeper.hello();
        let told = if runs[0].exit.is_some() { runs[0].exit } else { Some(exited(keeper.event()).1) };
        assert_eq!((runs[0].run, told), (RunId(7), Some(Exit::Signal(9))), "{tree:?}");
        keeper.send(&Request::Acknowledge { run: RunId(7) });
        keeper.kill_overseer();
        keeper.reconnect();
        assert_eq!(keeper.hello(), []);
    }
}

#[test]
fn a_stranger_that_got_the_number_of_a_run_is_left_alone() {
    let mut first = Keeper::greeted(Tree::Walk);
    let mut stranger = crate::support::command(&["sleep", "1000"]).spawn().unwrap();
    first.run(7, "web.1", sh("exec sleep 1000", &tag(Tree::Walk)));
    let mut run = first.only_run();
    kill_process(pid(run.pid), Signal::KILL).unwrap();
    gone(run.pid);
    run.pid = stranger.id();
    // Nothing of ours started with the machine; of each other, both may have within the same tick.
    run.started = 1;
    let mut keeper = Keeper::greeted(Tree::Walk).succeeded(Tree::Walk, &run, || {});
    assert_eq!(keeper.hello()[0].exit, Some(Exit::Unknown));
    for scope in [Scope::Main, Scope::Tree] {
        match keeper.signal(7, KILL, scope) {
            Event::Signalled { processes, errno, .. } => assert!(processes.is_empty() && errno != 0),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(keeper.quit(0), 0);
    assert_eq!(stranger.try_wait().unwrap(), None);
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn whoever_ends_the_next_keeper_leaves_nothing_of_an_adopted_run_behind() {
    for tree in BOTH {
        let mut keeper = Keeper::greeted(tree);
        let script = "trap '' TERM; setsid sleep 1000 & echo $!; while :; do wait; done";
        let (main, mut output) = keeper.run_read(7, "web.1", sh(script, &tag(tree)));
        let straggler: u32 = line(&mut output).parse().unwrap();
        let run = keeper.only_run();
        let mut keeper = keeper.succeeded(tree, &run, || {});
        keeper.hello();
        assert_eq!(keeper.quit(0), 0);
        gone(main);
        gone(straggler);
    }
}

#[test]
fn an_adopted_run_outlives_the_first_overseer_of_its_keeper_even_before_it_says_a_word() {
    let mut keeper = Keeper::greeted(Tree::Best);
    keeper.run(7, "web.1", sh("exec sleep 1000", &tag(Tree::Best)));
    let run = keeper.only_run();
    let mut keeper = keeper.succeeded(Tree::Best, &run, || {});
    keeper.kill_overseer();
    keeper.reconnect();
    assert_eq!(keeper.hello(), [run]);
}
