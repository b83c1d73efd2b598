//! Much at once: overseers that die at any moment, trees that grow while they are killed, readers that do not read.

use std::collections::{BTreeMap, BTreeSet};

use ganger_keeper::{Event, Launch, Request, RunId, Scope, Step};

use crate::support::{BOTH, KILL, Keeper, Tree, argv, exited, gone, line, numbers, sh};

/// Runs of one storm.
const RUNS: u64 = 100;

/// A small generator of numbers: the same seed, the same storm.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn launch(run: u64) -> Launch {
    // Some have ended when they are asked for, some live on.
    if run.is_multiple_of(3) { argv(&["sleep", "1000"]) } else { argv(&["true"]) }
}

#[test]
fn every_run_is_accounted_once_wherever_the_overseer_dies() {
    for seed in 1..=8 {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let mut keeper = Keeper::greeted(if seed % 2 == 0 { Tree::Best } else { Tree::Walk });
        let mut asked = 0;
        let (mut ended, mut acknowledged) = (BTreeSet::new(), BTreeSet::new());
        while asked < RUNS {
            for _ in 0..dice.below(RUNS) {
                if asked < RUNS && keeper.try_spawn(asked + 1, &format!("w.{}", asked + 1), launch(asked + 1))
                {
                    asked += 1;
                }
            }
            for _ in 0..dice.below(RUNS / 2) {
                match keeper.event_if_any() {
                    Some(Event::Exited { run, .. }) => {
                        assert!(!acknowledged.contains(&run.0), "seed {seed}: {run} is told again");
                        ended.insert(run.0);
                        if dice.below(2) == 0 && keeper.try_send(&Request::Acknowledge { run }) {
                            acknowledged.insert(run.0);
                        }
                    }
                    Some(Event::Spawned { .. }) => {}
                    Some(other) => panic!("seed {seed}: {other:?}"),
                    None => break,
                }
            }
            keeper.kill_overseer();
            keeper.reconnect();
            let report = keeper.hello();
            let known: BTreeMap<u64, bool> =
                report.iter().map(|run| (run.run.0, run.exit.is_some())).collect();
            assert_eq!(known.len(), report.len(), "seed {seed}: a run is told twice");
            let expected: Vec<u64> = (1..=asked).filter(|run| !acknowledged.contains(run)).collect();
            assert_eq!(known.keys().copied().collect::<Vec<_>>(), expected, "seed {seed}");
            assert!(known.iter().all(|(run, over)| *over || !ended.contains(run)), "seed {seed}");
            ended.extend(known.iter().filter(|(_, over)| **over).map(|(run, _)| *run));
        }
        while ended.len() as u64 != RUNS - RUNS / 3 {
            let (run, ..) = exited(keeper.event());
            assert!(ended.insert(run.0), "seed {seed}: {run} ended twice");
        }
        assert!(ended.iter().all(|run| !run.is_multiple_of(3)), "seed {seed}");
        assert_eq!(keeper.quit(0), 0);
    }
}

#[test]
fn a_tree_that_grows_while_it_is_killed_is_killed_whole() {
    for tree in BOTH {
        let mut keeper = Keeper::greeted(tree);
        // Two hundred processes, each the parent of the next, each with a session of its own.
        let script =
            "if [ $0 -lt 200 ]; then setsid sh -c \"$SELF\" $(($0 + 1)) & fi; echo $$; exec sleep 1000";
        let mut launch = Launch { tag: "bomb".into(), ..argv(&["sh", "-c", script, "1"]) };
        launch.env.push(format!("SELF={script}").into());
        let (main, mut out) = keeper.run_read(1, "web.1", launch);
        assert_eq!(line(&mut out), main.to_string());
        let Event::Signalled { errno: 0, .. } = keeper.signal(1, KILL, Scope::Tree) else {
            panic!("{tree:?}")
        };
        let (_, _, leftovers) = exited(keeper.event());
        if !leftovers.is_empty() {
            assert_eq!(keeper.event(), Event::Emptied { run: RunId(1) });
        }
        keeper.send(&Request::Sweep { id: 1 });
        assert_eq!(keeper.event(), Event::Swept { id: 1, killed: vec![] }, "{tree:?}: some hid");
        keeper.send(&Request::Release { worker: "web.1".into() });
        // The output ends only when nobody has it open any more.
        numbers(&mut out).into_iter().for_each(gone);
    }
}

#[test]
fn more_processes_than_can_be_named_are_killed_all_the_same() {
    for tree in BOTH {
        let mut keeper = Keeper::greeted(tree);
        let many = ganger_keeper::NAMES_MAX + 4;
        let script = format!("for i in $(seq {many}); do sleep 1000 & done; echo up; wait");
        let (_, mut out) = keeper.run_read(1, "web.1", sh(&script, "many"));
        assert_eq!(line(&mut out), "up");
        let Event::Signalled { processes, errno: 0, .. } = keeper.signal(1, KILL, Scope::Tree) else {
            panic!()
        };
        assert_eq!(processes.len(), ganger_keeper::NAMES_MAX);
        if !exited(keeper.event()).2.is_empty() {
            assert_eq!(keeper.event(), Event::Emptied { run: RunId(1) });
        }
        keeper.send(&Request::Release { worker: "web.1".into() });
        assert_eq!(numbers(&mut out), Vec::<u32>::new());
    }
}

#[test]
fn an_overseer_that_asks_and_does_not_listen_waits_and_gets_every_answer_in_order() {
    let mut keeper = Keeper::greeted(Tree::Best);
    let ask = |id| Request::Signal { id, run: RunId(1), signal: 15, scope: Scope::Main };
    let mut asked = 0;
    // The keeper takes no more requests once its answers are not read; then the socket is full.
    while asked < 100_000 && keeper.try_send(&ask(asked + 1)) {
        asked += 1;
    }
    assert!((1..100_000).contains(&asked), "{asked} requests were taken");
    for id in 1..=asked {
        assert_eq!(keeper.event().id(), id);
    }
}

#[test]
fn a_kernel_without_clone3_does_as_well() {
    let old = ["env", "KEEPER_HOST_NO_CLONE3=1"];
    for tree in BOTH {
        let mut keeper = Keeper::start_by(&old, tree);
        keeper.hello();
        assert!(!keeper.clone3);
        let script = "(trap '' TERM; exec setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1000; done') & wait";
        let (_, mut out) = keeper.run_read(1, "web.1", sh(script, "straggler"));
        let straggler: u32 = line(&mut out).parse().expect("a number");
        if let Some(cgroup) = &keeper.cgroup {
            let members = std::fs::read_to_string(cgroup.join("1/cgroup.procs")).expect("its cgroup");
            assert!(members.lines().any(|member| member == straggler.to_string()), "it was born into it");
        }
        let Event::SpawnFailed { step, .. } = keeper.spawn(2, "web.2", argv(&["no-such-command"])) else {
            panic!("{tree:?}")
        };
        assert_eq!(step, Step::NotFound);
        keeper.signal(1, KILL, Scope::Tree);
        gone(straggler);
    }
}
