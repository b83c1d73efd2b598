//! Overseers that come, go, and do not as they should.

use std::io::ErrorKind;
use std::os::fd::AsFd;

use ganger_keeper::{Event, Exit, KEPT_MAX, Request, RunId, Scope};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, kill_process};

use crate::support::{HOST, Keeper, TERM, Tree, argv, command, exited, gone, line, locked_in_time, pid, sh};

#[test]
fn an_end_is_kept_through_deaths_of_the_overseer_until_it_is_acknowledged() {
    let mut keeper = Keeper::greeted(Tree::Best);
    let lives = keeper.run(1, "web.1", argv(&["sleep", "1000"]));
    keeper.run(2, "web.2", sh("exit 5", ""));
    assert_eq!(exited(keeper.event()).0, RunId(2));
    for _ in 0..2 {
        keeper.kill_overseer();
        keeper.reconnect();
        let runs = keeper.hello();
        let told: Vec<_> = runs.iter().map(|run| (run.run.0, run.worker.as_str(), run.exit)).collect();
        assert_eq!(told, [(1, "web.1", None), (2, "web.2", Some(Exit::Code(5)))]);
        assert_eq!(runs[0].pid, lives);
        assert!(runs[1].usage.max_rss_kib > 0);
    }
    keeper.send(&Request::Acknowledge { run: RunId(2) });
    keeper.kill_overseer();
    keeper.reconnect();
    assert_eq!(keeper.hello().len(), 1);
    let process = keeper.process.id();
    assert_eq!(keeper.quit(0), 0);
    assert!(!std::path::Path::new(&format!("/proc/{process}")).exists());
    gone(lives);
}

#[test]
fn an_overseer_that_talks_nonsense_is_replaced() {
    let mut keeper = Keeper::hasty(Tree::Best);
    keeper.run(1, "web.1", argv(&["sleep", "1000"]));
    let first = keeper.overseer;
    rustix::net::send(&keeper.link, b"nonsense", rustix::net::SendFlags::empty()).unwrap();
    keeper.reconnect();
    gone(first);
    assert_eq!(keeper.hello().len(), 1);
}

#[test]
fn an_overseer_that_reads_nothing_is_replaced_once_its_socket_is_full() {
    let mut keeper = Keeper::hasty(Tree::Best);
    keeper.run(1, "web.1", argv(&["sleep", "1000"]));
    let first = keeper.overseer;
    let ended = rustix::process::pidfd_open(pid(first), rustix::process::PidfdFlags::empty()).unwrap();
    // Each of these is answered, and no answer is read.
    let asked = Request::Signal { id: 1, run: RunId(9), signal: TERM, scope: Scope::Main };
    loop {
        match keeper.link.send(&asked, &[]) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let events = [(ended.as_fd(), PollFlags::IN), (keeper.link.as_fd(), PollFlags::OUT)];
                let mut waited = events.map(|(one, flags)| PollFd::from_borrowed_fd(one, flags));
                poll(&mut waited, None).unwrap();
                if !waited[0].revents().is_empty() {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    gone(first);
    keeper.reconnect();
    assert_eq!(keeper.hello().len(), 1);
}

#[test]
fn signals_to_the_keeper_reach_the_overseer() {
    let mut keeper = Keeper::greeted(Tree::Best);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR2] {
        kill_process(pid(keeper.process.id()), signal).unwrap();
        assert_eq!(keeper.event(), Event::Signal { signal: signal.as_raw() });
        keeper.send(&Request::Taken { signal: signal.as_raw() });
    }
    kill_process(pid(keeper.process.id()), Signal::TERM).unwrap();
    assert_eq!(keeper.event(), Event::Signal { signal: TERM });
    keeper.kill_overseer();
    keeper.reconnect();
    keeper.hello();
    assert_eq!(keeper.event(), Event::Signal { signal: TERM });
    keeper.send(&Request::Taken { signal: TERM });
}

#[test]
fn a_second_interrupt_ends_all_when_the_overseer_is_mute() {
    let mut keeper = Keeper::hasty(Tree::Best);
    let run = keeper.run(1, "web.1", sh("trap '' INT TERM; while :; do sleep 1000; done", ""));
    kill_process(pid(keeper.process.id()), Signal::INT).unwrap();
    assert_eq!(keeper.event(), Event::Signal { signal: 2 });
    kill_process(pid(keeper.process.id()), Signal::INT).unwrap();
    assert_eq!(keeper.wait(), 130);
    gone(run);
}

#[test]
fn a_mute_overseer_does_not_keep_the_keeper_from_stopping() {
    let mut keeper = Keeper::hasty(Tree::Best);
    let run = keeper.run(1, "web.1", argv(&["sleep", "1000"]));
    let overseer = keeper.overseer;
    kill_process(pid(keeper.process.id()), Signal::TERM).unwrap();
    assert_eq!(keeper.wait(), 143);
    gone(run);
    gone(overseer);
}

#[test]
fn runs_that_do_not_stop_are_killed_when_the_overseer_is_mute() {
    let mut keeper = Keeper::hasty(Tree::Best);
    let (run, mut out) =
        keeper.run_read(1, "web.1", sh("trap '' TERM; echo up; while :; do sleep 1000; done", ""));
    assert_eq!(line(&mut out), "up");
    kill_process(pid(keeper.process.id()), Signal::TERM).unwrap();
    assert_eq!(keeper.wait(), 143);
    gone(run);
}

#[test]
fn an_overseer_that_quits_but_does_not_end_is_ended() {
    let mut keeper = Keeper::hasty(Tree::Best);
    let (run, overseer) = (keeper.run(1, "web.1", argv(&["sleep", "1000"])), keeper.overseer);
    keeper.send(&Request::Quit { status: 9 });
    assert_eq!(keeper.wait(), 9);
    gone(run);
    gone(overseer);
}

#[test]
fn an_overseer_that_ends_before_its_first_word_ends_the_keeper() {
    let mut keeper = Keeper::start(Tree::Best);
    keeper.end_overseer(78);
    assert_eq!(keeper.wait(), 78);
}

#[test]
fn an_overseer_that_hung_up_may_still_say_why() {
    let ended = command(&[HOST, "farewell", "3"]).output().unwrap();
    assert_eq!(ended.status.code(), Some(3));
    assert_eq!(ended.stdout, b"last words\n");
}

#[test]
fn output_that_nobody_read_outlives_the_overseer() {
    let mut keeper = Keeper::greeted(Tree::Best);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let open = || {
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NONBLOCK;
        rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).unwrap()
    };
    let own = open();
    assert!(matches!(keeper.spawn_to(1, "web.1", sh("echo last words", ""), &own), Event::Spawned { .. }));
    exited(keeper.event());
    drop(own);
    let mut buffer = [0; 64];
    let length = rustix::io::read(open(), &mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"last words\n");
}

#[test]
fn a_lock_stays_with_the_keeper_while_overseers_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let file = || std::fs::File::create(&path).unwrap();
    let is_free = || file().try_lock().is_ok();
    let mut keeper = Keeper::start(Tree::Best);
    let lock = file();
    lock.lock().unwrap();
    keeper.hello_keeping(&[lock.as_fd()]);
    drop(lock);
    for _ in 0..2 {
        assert!(!is_free());
        keeper.kill_overseer();
        assert!(!is_free());
        keeper.reconnect();
        let kept = std::mem::take(&mut keeper.kept);
        let [lock] = kept.try_into().expect("one descriptor was kept");
        std::fs::File::from(lock.try_clone().unwrap()).try_lock().expect("it is the same lock");
        keeper.hello_keeping(&[lock.as_fd()]);
    }
    keeper.hello();
    // The latest hello had nothing to keep.
    let lock = locked_in_time(file());
    let many = [lock.as_fd(); KEPT_MAX + 1];
    let hello = Request::Hello { version: ganger_keeper::VERSION };
    keeper.link.send(&hello, &many).expect_err("one too many");
    keeper.hello_keeping(&many[1..]);
    drop(lock);
    assert!(!is_free());
    keeper.kill_overseer();
    keeper.reconnect();
    assert_eq!(std::mem::take(&mut keeper.kept).len(), KEPT_MAX);
    assert_eq!(keeper.quit(0), 0);
    locked_in_time(file());
}

#[test]
fn an_overseer_that_was_stopped_is_replaced_and_one_that_goes_on_in_time_is_not() {
    let mut keeper = Keeper::greeted(Tree::Best);
    let first = keeper.overseer;
    for signal in [Signal::STOP, Signal::CONT] {
        kill_process(pid(first), signal).unwrap();
    }
    let lives = keeper.run(1, "web.1", argv(&["sleep", "1000"]));
    assert_eq!(keeper.overseer, first);
    kill_process(pid(first), Signal::STOP).unwrap();
    keeper.reconnect();
    gone(first);
    assert_ne!(keeper.overseer, first);
    let runs = keeper.hello();
    assert_eq!(runs.iter().map(|run| (run.pid, run.exit)).collect::<Vec<_>>(), [(lives, None)]);
}
