//! Runs that have a terminal: the keeper holds the side of the screen.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::Instant;

use ganger_keeper::{Bereaved, Exit, Launch, Request, RunId, Step};
use rustix::io::Errno;
use rustix::process::{Signal, kill_process};

use crate::support::{BOTH, DEADLINE, HOST, Keeper, Tree, argv, exited, failure, pid, readable, sh};
use crate::upgrade::Other;

/// A worker that waits, and says how it was hung up.
const WAITS: &str = "trap 'exit 5' HUP; echo ready; while :; do sleep 1000 & wait; done";

/// What appears on a screen until it ends so.
fn shown(screen: &mut File, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        readable(screen, Instant::now() + DEADLINE);
        let mut byte = [0];
        assert_eq!(screen.read(&mut byte).expect("the terminal is open"), 1);
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// All that is left to be shown, once nobody has the terminal any more.
fn rest(screen: &mut File) -> String {
    let mut text = Vec::new();
    let error = screen.read_to_end(&mut text).unwrap_err();
    assert_eq!(Errno::from_io_error(&error), Some(Errno::IO));
    String::from_utf8(text).unwrap()
}

/// The only terminal that the last hello was told of.
fn only_terminal(keeper: &mut Keeper) -> (String, File) {
    assert_eq!(keeper.terminals.len(), 1);
    let (worker, terminal) = keeper.terminals.remove(0);
    (worker, terminal.into())
}

#[test]
fn a_run_has_its_terminal_as_all_its_streams_and_as_that_of_its_session() {
    for tree in BOTH {
        let mut keeper = Keeper::greeted(tree);
        let script =
            "test -t 0 -a -t 1 -a -t 2 && echo all >/dev/tty; ps -o tpgid= -p $$ | tr -d ' '; echo $$";
        let (main, mut screen) = keeper.run_on_terminal(1, "web.1", sh(script, "a"));
        assert_eq!(exited(keeper.event()).1, Exit::Code(0));
        assert_eq!(rest(&mut screen), format!("all\r\n{main}\r\n{main}\r\n"));
        let (_, mut screen) = keeper.run_on_terminal(2, "web.2", argv(&[HOST, "state"]));
        assert_eq!(shown(&mut screen, "\n"), "descriptors 0 1 2\r\n");
    }
}

#[test]
fn what_nobody_read_of_a_terminal_comes_with_it_to_the_next_overseer() {
    let mut keeper = Keeper::greeted(Tree::Best);
    let (_, screen) = keeper.run_on_terminal(1, "web.1", sh("echo unread; exit 3", "a"));
    drop(screen);
    assert_eq!(exited(keeper.event()).1, Exit::Code(3));
    keeper.run_read(2, "plain.1", argv(&["true"]));
    exited(keeper.event());
    keeper.kill_overseer();
    keeper.reconnect();
    assert_eq!(keeper.hello().len(), 2);
    let (worker, mut screen) = only_terminal(&mut keeper);
    assert_eq!((worker.as_str(), rest(&mut screen).as_str()), ("web.1", "unread\r\n"));
    keeper.send(&Request::Acknowledge { run: RunId(1) });
    keeper.send(&Request::Release { worker: "web.1".into() });
    keeper.kill_overseer();
    keeper.reconnect();
    keeper.hello();
    assert!(keeper.terminals.is_empty(), "it was let go");
}

#[test]
fn a_run_is_hung_up_when_its_terminal_is_let_go_and_not_before() {
    let mut keeper = Keeper::greeted(Tree::Best);
    let (_, mut screen) = keeper.run_on_terminal(1, "web.1", sh(WAITS, "a"));
    shown(&mut screen, "ready\r\n");
    drop(screen);
    keeper.kill_overseer();
    keeper.reconnect();
    assert!(keeper.hello()[0].exit.is_none());
    keeper.terminals.clear();
    keeper.send(&Request::Release { worker: "web.1".into() });
    assert_eq!(exited(keeper.event()).1, Exit::Code(5));
}

#[test]
fn another_program_in_the_keepers_place_holds_the_terminals_on() {
    let mut keeper = Keeper::greeted(Tree::Best);
    let (main, mut screen) = keeper.run_on_terminal(1, "web.1", sh(WAITS, "a"));
    shown(&mut screen, "ready\r\n");
    drop(screen);
    let other = Other::copy();
    other.accepted(&mut keeper, Bereaved::End);
    keeper.reconnect();
    let runs = keeper.hello();
    assert_eq!((runs[0].pid, runs[0].exit), (main, None));
    let (_, mut screen) = only_terminal(&mut keeper);
    keeper.send(&Request::Settled);
    kill_process(pid(main), Signal::HUP).unwrap();
    assert_eq!(exited(keeper.event()).1, Exit::Code(5));
    assert_eq!(rest(&mut screen), "");
}

#[test]
fn hundreds_of_terminals_come_to_the_next_overseer() {
    let mut keeper = Keeper::greeted(Tree::Walk);
    let workers: Vec<String> = (1..=300).map(|number| format!("web.{number}")).collect();
    for (run, worker) in (1..).zip(&workers) {
        keeper.run_on_terminal(run, worker, argv(&["true"]));
        exited(keeper.event());
    }
    keeper.kill_overseer();
    keeper.reconnect();
    keeper.hello();
    let mut told: Vec<&String> = keeper.terminals.iter().map(|(worker, _)| worker).collect();
    let mut expected: Vec<&String> = workers.iter().collect();
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
}

#[test]
fn what_is_no_terminal_cannot_be_that_of_a_session() {
    let mut keeper = Keeper::greeted(Tree::Best);
    let null: OwnedFd = File::open("/dev/null").unwrap().into();
    let launch = Launch { terminal: true, ..argv(&["true"]) };
    let event = keeper.spawn_with(1, "web.1", launch, [&null, &null]);
    assert_eq!(failure(event), (Step::Terminal, Errno::NOTTY.raw_os_error(), false));
}
