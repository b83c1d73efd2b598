//! Limits, and what happens at them.

use ganger_keeper::{Event, INLINE_MAX, Request, RunId, Scope, Step};

use crate::support::{BOTH, HOST, KILL, Keeper, Tree, argv, command, exited, failure, line};

#[test]
fn two_hundred_runs_leave_no_descriptor_behind() {
    for tree in BOTH {
        let mut keeper = Keeper::greeted(tree);
        let mut before = None;
        for run in 1..=200 {
            keeper.run(run, "web.1", argv(&["true"]));
            exited(keeper.event());
            keeper.send(&Request::Acknowledge { run: RunId(run) });
            let now = keeper.descriptors();
            assert_eq!(*before.get_or_insert(now), now);
        }
        keeper.send(&Request::Release { worker: "web.1".into() });
        keeper.hello();
        assert!(Some(keeper.descriptors()) < before);
    }
}

#[test]
fn no_free_process_is_a_transient_failure() {
    // A user of its own, so that nobody else's processes count.
    let user = ["setpriv", "--reuid=64321", "--regid=64321", "--clear-groups", "prlimit", "--nproc=4"];
    let mut keeper = Keeper::start_by(&user, Tree::Walk);
    keeper.hello();
    keeper.run(1, "web.1", argv(&["sleep", "1000"]));
    keeper.run(2, "web.2", argv(&["sleep", "1000"]));
    let (step, errno, transient) = failure(keeper.spawn(3, "web.3", argv(&["sleep", "1000"])));
    assert_eq!((step, errno, transient), (Step::Fork, 11, true));
    keeper.signal(1, KILL, Scope::Tree);
    exited(keeper.event());
    keeper.run(4, "web.1", argv(&["sleep", "1000"]));
}

#[test]
fn no_free_descriptor_is_a_transient_failure_and_all_else_goes_on() {
    for tree in BOTH {
        let mut keeper = Keeper::start_by(&["prlimit", "--nofile=32:32"], tree);
        keeper.hello();
        // Such names make a welcome that needs a memory file.
        let worker = |run: u64| format!("{}.{run}", "w".repeat(INLINE_MAX / 4));
        let mut last = 0;
        let (step, errno, transient) = loop {
            match keeper.spawn(last + 1, &worker(last + 1), argv(&["sleep", "1000"])) {
                Event::Spawned { .. } => last += 1,
                event => break failure(event),
            }
        };
        assert_eq!((step, errno, transient), (Step::Descriptors, 24, true));
        assert!((8..32).contains(&last), "{last} runs with thirty-two descriptors");
        keeper.kill_overseer();
        keeper.reconnect();
        assert_eq!(keeper.hello().len() as u64, last);
        keeper.signal(1, KILL, Scope::Tree);
        assert_eq!(exited(keeper.event()).0, RunId(1));
        keeper.send(&Request::Release { worker: worker(1) });
        keeper.run(last + 2, "web.1", argv(&["sleep", "1000"]));
        assert_eq!(keeper.quit(0), 0);
    }
}

#[test]
fn the_limit_of_descriptors_is_raised_as_far_as_it_may_be() {
    let limited = |user: &[&str], needed: &str| {
        let words = [&["prlimit", "--nofile=64:128"], user, &[HOST, "limit", needed]].concat();
        let output = command(&words).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    assert_eq!(limited(&nobody, "10"), "64", "it is never lowered");
    assert_eq!(limited(&nobody, "64"), "64");
    assert_eq!(limited(&nobody, "65"), "65");
    assert_eq!(limited(&nobody, "128"), "128");
    assert_eq!(limited(&nobody, "129"), "128");
    // Whoever may raise a hard limit, which not every root may, gets further.
    let may =
        command(&["prlimit", "--nofile=64:128", "prlimit", "--nofile=64:129", "true"]).status().unwrap();
    assert_eq!(limited(&[], "129"), if may.success() { "129" } else { "128" });
    assert_eq!(limited(&[], "18446744073709551614"), "128", "no further than the kernel");
}

#[test]
fn overseer_and_runs_have_the_limit_of_descriptors_that_the_keeper_began_with() {
    let mut keeper = Keeper::start_by(&["prlimit", "--nofile=64:128"], Tree::Best);
    keeper.hello();
    let (_, mut out) = keeper.run_read(1, "web.1", argv(&["sh", "-c", "ulimit -Sn; ulimit -Hn"]));
    assert_eq!((line(&mut out).as_str(), line(&mut out).as_str()), ("64", "128"));
    let limits = |pid: u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let line = text.lines().find(|line| line.starts_with("Max open files")).unwrap();
        line.split_whitespace().skip(3).take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(limits(keeper.overseer), ["64", "128"]);
    assert_eq!(limits(keeper.process.id()), ["128", "128"]);
}
