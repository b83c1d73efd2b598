//! How runs start and end.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use ganger_keeper::{Event, Exit, Ids, Launch, Limit, Request, Resource, RunId, Scope, Step};
use ganger_testkit::write_program;

use crate::support::{BOTH, HOST, KILL, Keeper, Tree, argv, exited, failure, line, sh};

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
    for (uid, gid) in [(u32::MAX, 1), (1, u32::MAX)] {
        let ids = Some(Ids { uid, gid, groups: vec![1] });
        assert_eq!(step(Launch { ids, ..argv(&["true"]) }), Step::Request, "it would stay root");
    }
    let limit = Limit { resource: Resource::OpenFiles, soft: Some(2), hard: Some(1) };
    assert_eq!(step(Launch { limits: vec![limit], ..argv(&["true"]) }), Step::Limits);
    keeper.run(1, "web.1", argv(&["true"]));
}

#[test]
fn a_script_without_a_first_line_runs_in_the_shell_as_from_a_prompt() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("script");
    write_program(&path, "exit $1\n", 0o755);
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
fn limits_and_mask_are_in_force_in_the_run() {
    let limit = |resource, soft, hard| Limit { resource, soft, hard };
    let limits = vec![
        limit(Resource::OpenFiles, Some(50), Some(60)),
        limit(Resource::Core, Some(0), Some(0)),
        limit(Resource::CpuSeconds, Some(70), None),
        limit(Resource::FileSize, Some(512 * 1024), Some(512 * 1024)),
    ];
    let script = "umask; ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -St; ulimit -Ht; ulimit -f; pwd";
    let launch = Launch { umask: Some(0o027), limits, dir: "/usr".into(), ..sh(script, "") };
    let mut keeper = Keeper::greeted(Tree::Best);
    let (_, mut out) = keeper.run_read(1, "web.1", launch);
    for expected in ["0027", "50", "60", "0", "70", "unlimited", "1024", "/usr"] {
        assert_eq!(line(&mut out), expected);
    }
}
