//! The keeper on the real kernel.

mod support;

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;

use ganger_keeper::{Event, Exit, Ids, KEPT_MAX, Launch, Limit, Request, Resource, RunId, Scope, Step};
use rustix::process::{Signal, kill_process};
use support::{HOST, Keeper, Tree, argv, exited, gone, line, locked_in_time, pid, sh};

const TERM: i32 = 15;
const KILL: i32 = 9;
const BOTH: [Tree; 2] = [Tree::Best, Tree::Walk];

fn failure(event: Event) -> (Step, i32, bool) {
    match event {
        Event::SpawnFailed { step, errno, transient, .. } => (step, errno, transient),
        other => panic!("not a failure: {other:?}"),
    }
}

#[test]
fn a_run_is_told_with_its_process_and_its_end_with_what_it_used() {
    for tree in BOTH {
        let mut keeper = Keeper::greeted(tree);
        keeper.run(1, "web.1", sh("exit 7", "a"));
        let Event::Exited { run, exit, usage, leftovers } = keeper.event() else { panic!("no end") };
        assert_eq!((run, exit, leftovers), (RunId(1), Exit::Code(7), vec![]));
        assert!(usage.max_rss_kib > 0);
        assert_eq!(keeper.quit(3), 3);
    }
}

#[test]
fn each_way_not_to_start_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let plain = file("plain", "", 0o644);
    let lost = file("lost", "#!/no/such/interpreter\n", 0o755);
    let mut keeper = Keeper::greeted(Tree::Best);
    let mut step = |launch| failure(keeper.spawn(1, "web.1", launch)).0;
    assert_eq!(step(argv(&["no-such-command"])), Step::NotFound);
    assert_eq!(step(argv(&["/no/such/command"])), Step::NotFound);
    assert_eq!(step(argv(&[])), Step::NotFound);
    assert_eq!(step(argv(&[&plain])), Step::NotExecutable);
    assert_eq!(step(argv(&["/"])), Step::NotExecutable);
    assert_eq!(step(argv(&[&lost])), Step::Interpreter);
    assert_eq!(step(Launch { dir: "/no/such/dir".into(), ..argv(&["true"]) }), Step::Directory);
    assert_eq!(step(argv(&["a\0b"])), Step::Request);
    let limit = Limit { resource: Resource::OpenFiles, soft: Some(2), hard: Some(1) };
    assert_eq!(step(Launch { limits: vec![limit], ..argv(&["true"]) }), Step::Limits);
    keeper.run(1, "web.1", argv(&["true"]));
}

#[test]
fn a_script_without_a_first_line_runs_in_the_shell_as_from_a_prompt() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("script");
    std::fs::write(&path, "exit $1\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut keeper = Keeper::greeted(Tree::Best);
    keeper.run(1, "web.1", argv(&[path.to_str().unwrap(), "9"]));
    assert_eq!(exited(keeper.event()).1, Exit::Code(9));
}

#[test]
fn a_run_starts_with_three_descriptors_and_default_signals() {
    for tree in BOTH {
        let mut keeper = Keeper::greeted(tree);
        keeper.run(1, "held.1", argv(&["sleep", "1000"]));
        let launch = Launch { tag: "the-tag".into(), ..argv(&[HOST, "state"]) };
        let (_, mut out) = keeper.run_read(2, "web.1", launch);
        assert_eq!(line(&mut out), "descriptors 0 1 2");
        let mut rest = String::new();
        exited(keeper.event());
        keeper.send(&Request::Release { worker: "web.1".into() });
        out.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("SigBlk: 0000000000000000\n"), "{rest}");
        // The Rust runtime of the program itself ignores SIGPIPE.
        assert!(rest.contains("SigIgn: 0000000000001000\n"), "{rest}");
        assert!(rest.contains("leader true\nrun the-tag\n"), "{rest}");
    }
}

#[test]
fn a_worker_never_has_two_runs() {
    for tree in BOTH {
        let mut keeper = Keeper::greeted(tree);
        let script = "setsid sleep 1000 & echo up; exec sleep 1000";
        let (_, mut out) = keeper.run_read(1, "web.1", sh(script, "one"));
        assert_eq!(line(&mut out), "up");
        assert_eq!(failure(keeper.spawn(2, "web.1", argv(&["true"]))).0, Step::Refused);
        assert_eq!(failure(keeper.spawn(1, "web.2", argv(&["true"]))).0, Step::Refused);
        keeper.signal(1, KILL, Scope::Main);
        assert_eq!(exited(keeper.event()).2.len(), 1, "{tree:?}");
        assert_eq!(failure(keeper.spawn(2, "web.1", argv(&["true"]))).0, Step::Refused);
        keeper.signal(1, KILL, Scope::Tree);
        assert_eq!(keeper.event(), Event::Emptied { run: RunId(1) });
        keeper.run(2, "web.1", argv(&["true"]));
    }
}

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
    let mut keeper = Keeper::greeted(Tree::Best);
    keeper.run(1, "web.1", argv(&["sleep", "1000"]));
    let first = keeper.overseer;
    rustix::net::send(&keeper.link, b"nonsense", rustix::net::SendFlags::empty()).unwrap();
    keeper.reconnect();
    gone(first);
    assert_eq!(keeper.hello().len(), 1);
}

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
    let script = "(env -i setsid sh -c 'echo $$; exec sleep 1000' &) ; sleep 1000";
    let (_, mut out) = keeper.run_read(1, "web.1", sh(script, ""));
    let stranger: u32 = line(&mut out).parse().unwrap();
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
    let mut keeper = Keeper::greeted(Tree::Best);
    let run = keeper.run(1, "web.1", sh("trap '' INT TERM; while :; do sleep 1000; done", ""));
    kill_process(pid(keeper.process.id()), Signal::INT).unwrap();
    assert_eq!(keeper.event(), Event::Signal { signal: 2 });
    kill_process(pid(keeper.process.id()), Signal::INT).unwrap();
    assert_eq!(keeper.wait(), 130);
    gone(run);
}

#[test]
fn a_mute_overseer_does_not_keep_the_keeper_from_stopping() {
    let mut keeper = Keeper::greeted(Tree::Best);
    let run = keeper.run(1, "web.1", argv(&["sleep", "1000"]));
    let overseer = keeper.overseer;
    kill_process(pid(keeper.process.id()), Signal::TERM).unwrap();
    assert_eq!(keeper.wait(), 143);
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
    let ended = std::process::Command::new(HOST).args(["farewell", "3"]).output().unwrap();
    assert_eq!(ended.status.code(), Some(3));
    assert_eq!(ended.stdout, b"last words\n");
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
fn a_long_request_travels_beside_its_frame() {
    let mut keeper = Keeper::greeted(Tree::Best);
    let mut launch = sh("echo ${#BIG}", "");
    launch.env.push(format!("BIG={}", "x".repeat(100_000)).into());
    launch.env.push(format!("MORE={}", "x".repeat(100_000)).into());
    let (_, mut out) = keeper.run_read(1, "web.1", launch);
    assert_eq!(line(&mut out), "100000");
}

#[test]
fn root_starts_runs_as_another_user() {
    assert!(rustix::process::geteuid().is_root(), "this test needs root");
    for tree in BOTH {
        let mut keeper = Keeper::greeted(tree);
        let ids = Some(Ids { uid: 65534, gid: 65533, groups: vec![65533, 60001] });
        let (_, mut out) = keeper.run_read(1, "web.1", Launch { ids, ..sh("id -u; id -g; id -G", "") });
        assert_eq!(line(&mut out), "65534");
        assert_eq!(line(&mut out), "65533");
        assert_eq!(line(&mut out), "65533 60001");
    }
}

#[test]
fn it_works_without_privileges() {
    let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut keeper = Keeper::start_by(&user, Tree::Best);
    keeper.hello();
    let (_, mut out) = keeper.run_read(1, "web.1", sh("id -u; setsid sleep 1000 & exit 0", "nobody"));
    assert_eq!(line(&mut out), "65534");
    assert_eq!(exited(keeper.event()).1, Exit::Code(0));
    keeper.signal(1, KILL, Scope::Tree);
    assert_eq!(keeper.event(), Event::Emptied { run: RunId(1) });
    let ids = Some(Ids { uid: 0, gid: 0, groups: vec![0] });
    let (step, _, transient) = failure(keeper.spawn(2, "web.1", Launch { ids, ..argv(&["true"]) }));
    assert_eq!((step, transient), (Step::Groups, false));
    assert_eq!(keeper.quit(0), 0);
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
fn no_free_descriptor_is_a_transient_failure() {
    let mut keeper = Keeper::start_by(&["prlimit", "--nofile=16:16"], Tree::Best);
    keeper.hello();
    let mut run = 0;
    let (step, errno, transient) = loop {
        run += 1;
        match keeper.spawn(run, &format!("web.{run}"), argv(&["sleep", "1000"])) {
            Event::Spawned { .. } => assert!(run < 16, "sixteen descriptors are enough for sixteen runs"),
            event => break failure(event),
        }
    };
    assert_eq!((step, errno, transient), (Step::Descriptors, 24, true));
    keeper.signal(1, KILL, Scope::Tree);
    exited(keeper.event());
    keeper.send(&Request::Release { worker: "web.1".into() });
    keeper.run(run + 1, "web.1", argv(&["true"]));
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
