//! Files, the native form, policies and environments.

use super::*;
use crate::{Condition, Early, LogFile, OnFatal, Stderr, Stdin, StopScope};

#[test]
fn files_are_found_as_foreman_finds_them() {
    let files =
        [("a/Procfile", "web: a"), ("a/.env", "X=a"), (".env", "X=here"), ("e1", "X=1\nY=1"), ("e2", "X=2")];
    let app = App::new(&files).with(|options| options.file = Some("a/Procfile".into()));
    assert_eq!(app.load().spec.root, app.dir.path().join("a"));
    assert_eq!(value(&app, "web.1", "X"), Some("here".to_owned()));
    let app = App::new(&files).with(|options| options.root = Some("a".into()));
    assert_eq!(app.load().spec.root, app.dir.path().join("a"));
    assert_eq!(value(&app, "web.1", "X"), Some("a".to_owned()));
    let app = app.with(|options| options.env_files = Some(vec!["e1".into(), "e2".into()]));
    assert_eq!(
        (value(&app, "web.1", "X"), value(&app, "web.1", "Y")),
        (Some("2".to_owned()), Some("1".to_owned()))
    );
    let files =
        [("dev/Procfile", "web: a"), (".foreman", "procfile: dev/Procfile\ntimeout: 9\ntimestamp: no")];
    let loaded = App::new(&files).load();
    assert_eq!(loaded.spec.groups[0].stop.timeout, Duration::from_secs(9));
    assert_eq!(loaded.settings.timestamps, Some(false));
}

#[test]
fn the_native_form_refines_the_procfile_and_adds_to_it() {
    let text = "app = 'shop'\n[groups.zeta]\ncommand = ['z', 'a b']\n[groups.worker]\ncount = 3\nstop.signal = 'QUIT'\n\
                [groups.alpha]\ncommand = 'a'\n";
    let spec = App::new(&[THREE, ("ganger.toml", text)]).load().spec;
    let seen: Vec<(&str, u32, Port)> =
        spec.groups.iter().map(|group| (group.name.as_str(), group.count, group.port)).collect();
    let expected =
        [("web", 1, 5000), ("worker", 3, 5100), ("clock", 1, 5200), ("zeta", 1, 5300), ("alpha", 1, 5400)];
    assert_eq!(seen, expected.map(|(name, count, port)| (name, count, Port::Auto(port))));
    assert_eq!(spec.app, "shop");
    assert_eq!(spec.groups[1].stop.signal.to_string(), "SIGQUIT");
    assert_eq!(spec.groups[3].command.argv().words, ["z", "a b"]);
    let only =
        App::new(&[THREE, ("ganger.toml", text)]).with(|options| options.file = Some("Procfile".into()));
    assert_eq!(only.counts(), [1, 1, 1]);
}

#[test]
fn all_keys_of_a_group_arrive() {
    let text = "[env]\nA = 1\n[groups.web]\ncommand = 'w'\ncount = 2\nport = 80\nenv = { B = true, A = 'own' }\n\
        dir = 'sub'\nuser = 'www'\ngroup = '33'\numask = '027'\nlimits = { open_files = 99, core = 'unlimited', \
        stack = { soft = '1MiB', hard = '2MiB' } }\nrestart = 'on-failure'\nstartsecs = 3\nbackoff = { initial = '1s', \
        factor = 1.5, max = '1m30s', step = '250ms', jitter = 0 }\nbudget = { restarts = 4, within = '1h' }\n\
        exits = { preset = 'paas', 3 = 'fatal' }\non_end = 'shutdown'\n\
        stop = { signal = 'INT', timeout = '500ms', scope = 'main' }\n\
        attempts = 4\nearly = 'retry'\nautostart = false\npriority = -3\nstdin = 'pipe'\n";
    let app = native(text);
    let spec = app.load().spec;
    let web = &spec.groups[0];
    assert_eq!((web.count, web.port, web.umask), (2, Port::Fixed(80), Some(0o027)));
    assert_eq!((web.user.as_deref(), web.group.as_deref()), (Some("www"), Some("33")));
    assert_eq!(web.dir, app.dir.path().join("sub"));
    let limits: Vec<_> = web.limits.values().map(|value| (value.soft, value.hard)).collect();
    assert_eq!(limits, [(Some(99), Some(99)), (None, None), (Some(1 << 20), Some(1 << 21))]);
    assert_eq!((web.restart.mode, web.restart.startsecs.as_secs()), (RestartMode::OnFailure, 3));
    let backoff = &web.restart.backoff;
    assert_eq!((backoff.initial.as_secs(), backoff.max.as_secs()), (1, 90));
    assert_eq!((backoff.factor_permille, backoff.jitter_permille), (1500, 0));
    assert_eq!(backoff.step, Duration::from_millis(250));
    assert_eq!(
        web.restart.budget.as_ref().map(|budget| (budget.restarts, budget.within.as_secs())),
        Some((4, 3600))
    );
    let exits = [(0, OnExit::Stop), (1, OnExit::Restart), (2, OnExit::Stop), (3, OnExit::Fatal)];
    assert_eq!(web.exits, BTreeMap::from(exits));
    assert_eq!((web.on_end, web.stop.timeout), (OnEnd::Shutdown, Duration::from_millis(500)));
    assert_eq!((web.restart.attempts, web.restart.early), (Some(4), Early::Retry));
    assert_eq!((web.stop.scope, web.stdin), (StopScope::Main, Stdin::Pipe));
    assert_eq!((web.autostart, web.priority, web.family_name()), (false, -3, "web"));
    assert_eq!(
        (value(&app, "web.2", "A"), value(&app, "web.2", "PORT")),
        (Some("own".to_owned()), Some("81".to_owned()))
    );
}

#[test]
fn what_the_app_says_of_logs_holds_for_groups_that_do_not() {
    let text = "[logs]\nmax_size = '1MiB'\nmax_age = '1d'\nmax_total = '1GiB'\ncompress = true\n[groups.web]\n\
                command = 'w'\nlogs = { max_size = 5000, keep = 3, max_total = 9000, compress = false, stderr = 'separate' }\n\
                [groups.job]\ncommand = 'j'\n";
    let spec = native(text).load().spec;
    let day = Some(Duration::from_hours(24));
    let web = Logs {
        max_size: Some(5000),
        keep: Some(3),
        max_age: day,
        max_total: Some(9000),
        compress: false,
        stderr: Stderr::Separate,
        ..Logs::default()
    };
    let job = Logs { max_size: Some(1 << 20), max_age: day, compress: true, ..Logs::default() };
    let found = |name: &str| spec.group(name).unwrap().logs.clone();
    assert_eq!((found("web"), found("job"), spec.logs_max_total), (web.clone(), job, Some(1 << 30)));
    let shown = "files of 5000 bytes, 3 rotated ones kept, rotated after 1d, at most 9000 bytes a worker, stderr apart";
    assert_eq!(web.to_string(), shown);
    let app = native("[logs]\nmax_total = 5\n[groups.web]\ncommand = 'w'\n");
    assert_eq!(
        app.error().0,
        "ganger.toml:1:1: `max_total` is less than `max_size` (10 MiB where it is not said)"
    );
}

#[test]
fn each_worker_has_a_log_file_of_its_own() {
    let app = native(
        "[groups.web]\ncommand = 'w'\ncount = 2\n[groups.web.logs]\nfile = 'log/w{number}.log'\nstderr = 'separate'\n\
         err_file = false\n",
    );
    let spec = app.load().spec;
    let logs = spec.worker(&WorkerName::new("web", 2)).unwrap().logs;
    assert_eq!(logs.out, LogFile::Path(app.dir.path().join("log/w2.log")));
    assert_eq!(logs.err, LogFile::Dropped);
    let of_all = native("[logs]\nfile = 'x'\n[groups.web]\ncommand = 'w'\n").error().0;
    assert_eq!(of_all, "ganger.toml:1:1: a file in `[logs]` would be that of all workers");
}

#[test]
fn contradictions_of_the_native_form_are_errors_with_their_place() {
    for (lines, message) in [
        (
            "limits = { core = { soft = 2, hard = 1 } }",
            "3:10: the soft limit of `core` is above the hard one",
        ),
        (
            "limits = { core = { soft = 'unlimited', hard = 1 } }",
            "3:10: the soft limit of `core` is above the hard one",
        ),
        (
            "backoff = { initial = 9, max = 8 }",
            "3:11: the longest delay of the backoff, `max`, is shorter than the first, `initial`",
        ),
        ("backoff = { factor = 0.5 }", "3:11: the factor of the backoff is 0.5, not 1 to 100"),
        ("backoff = { factor = nan }", "3:11: the factor of the backoff is NaN, not 1 to 100"),
        ("backoff = { jitter = 1.5 }", "3:11: the jitter of the backoff is 1.5, not 0 to 1"),
        ("budget = { restarts = 1, within = 0 }", "3:10: a budget within no time allows nothing"),
        ("logs = { max_size = 0 }", "3:8: a `max_size` of 0 keeps nothing"),
        ("logs = { keep = 1001 }", "3:8: more than 1000 rotated files cannot be kept"),
        ("logs = { max_age = 0.5 }", "3:8: a `max_age` of less than a second makes a file of each line"),
        (
            "logs = { max_total = '9MiB' }",
            "3:8: `max_total` is less than `max_size` (10 MiB where it is not said)",
        ),
        (
            "logs = { max_size = 'big' }",
            "3:21: `big` is no size: write a number of bytes, or `512KiB`, `10MiB`, `2GiB`",
        ),
        ("logs = { err_file = 'e' }", "3:8: `err_file` is said, but stderr is in one log with stdout"),
        ("logs = { file = 3 }", "3:17: a log is in a file: write its path, or `false` to keep nothing"),
        ("count = 2\nlogs = { file = 'web.log' }", "4:8: the workers of the group cannot have one log file"),
        ("dir = \"a\\u0000\"", "1:9: the `dir` of `web` is empty or has a NUL"),
        ("user = ''", "1:9: the `user` of `web` is empty or has a NUL"),
        ("count = 10001", "3:9: a count of 10001 is more than the 10000 that a group can have"),
        ("env = { PORT = 3 }", "3: `PORT` is set by ganger"),
        ("env = { 'A B' = 3 }", "3:9: `A B` is no name of a variable"),
    ] {
        let app = native(&format!("[groups.web]\ncommand = 'w'\n{lines}\n"));
        assert_eq!(app.error().0, format!("ganger.toml:{message}"), "{lines}");
    }
    let (message, hint) = App::new(&[THREE, ("ganger.toml", "[groups.wroker]\ncount = 2")]).error();
    assert_eq!(message, "ganger.toml:1:9: `wroker` has no command, and no Procfile has an entry for it");
    assert_eq!(hint.as_deref(), Some("did you mean `worker`? Else give it a `command`"));
    let app = native("[groups.all]\ncommand = 'x'");
    assert_eq!(app.error().0, "ganger.toml:1:9: `all` stands for every group and is no name of one");
}

#[test]
fn the_exit_policy_is_foremans_until_somebody_says_otherwise() {
    let ends = |app: &App| -> Vec<(RestartMode, OnEnd)> {
        app.load().spec.groups.iter().map(|group| (group.restart.mode, group.on_end)).collect()
    };
    let plain = (RestartMode::Never, OnEnd::Shutdown);
    let dies = (RestartMode::Never, OnEnd::Stay);
    let again = (RestartMode::Always, OnEnd::Stay);
    assert_eq!(ends(&three()), [plain; 3]);
    assert_eq!(
        ends(&three().with(|options| options.can_die = Some("web, clock".to_owned()))),
        [dies, plain, dies]
    );
    assert_eq!(ends(&three().with(|options| options.any_can_die = true)), [dies; 3]);
    assert_eq!(
        ends(&three().with(|options| options.auto_restart = Some("worker".to_owned()))),
        [plain, again, plain]
    );
    assert_eq!(ends(&three().with(|options| options.auto_restart = Some("all".to_owned()))), [again; 3]);
    let but_web = three().with(|options| {
        options.auto_restart = Some("all".to_owned());
        options.can_die = Some("web".to_owned());
    });
    assert_eq!(ends(&but_web), [dies, again, again]);
    let restart =
        &three().with(|options| options.auto_restart = Some("all".to_owned())).load().spec.groups[0].restart;
    assert_eq!(
        (restart.startsecs, restart.backoff.initial),
        (Duration::from_secs(1), Duration::from_millis(500))
    );
    assert_eq!((restart.backoff.max, restart.backoff.factor_permille), (Duration::from_secs(30), 2000));
    let own = "[groups.web]\nrestart = 'on-failure'\n[groups.worker]\nexits = 'paas'\n[groups.clock]\nexits = 'procfile'";
    let app = App::new(&[THREE, ("ganger.toml", own)]);
    assert_eq!(ends(&app), [(RestartMode::OnFailure, OnEnd::Stay), dies, plain]);
    assert_eq!(app.load().spec.groups[1].restart.startsecs, Duration::from_secs(1));
}

#[test]
fn in_the_background_what_is_not_said_is_restarted_and_no_end_is_the_apps() {
    let ends = |app: &App| -> Vec<(RestartMode, OnEnd)> {
        app.load().spec.groups.iter().map(|group| (group.restart.mode, group.on_end)).collect()
    };
    let again = (RestartMode::Always, OnEnd::Stay);
    let dies = (RestartMode::Never, OnEnd::Stay);
    let background = |app: App| app.with(|options| options.background = true);
    assert_eq!(ends(&background(three())), [again; 3]);
    let but_web = background(three()).with(|options| options.can_die = Some("web".to_owned()));
    assert_eq!(ends(&but_web), [dies, again, again]);
    let own = "[groups.web]\nrestart = 'on-failure'\n[groups.worker]\nrestart = 'never'\n[groups.clock]\non_end = 'shutdown'";
    let app = background(App::new(&[THREE, ("ganger.toml", own)]));
    assert_eq!(ends(&app), [(RestartMode::OnFailure, OnEnd::Stay), dies, again]);
}

#[test]
fn bad_names_in_the_exit_policy_are_errors() {
    let (message, hint) = three()
        .with(|options| {
            options.can_die = Some("web,worker".to_owned());
            options.auto_restart = Some("worker".to_owned());
        })
        .error();
    assert_eq!(message, "`worker` is in --can-die and in --auto-restart");
    assert!(hint.is_some());
    let (message, hint) = three().with(|options| options.can_die = Some("wbe".to_owned())).error();
    assert_eq!(
        (message.as_str(), hint.as_deref()),
        ("--can-die: no group `wbe`", Some("did you mean `web`?"))
    );
    let (message, _) = three().with(|options| options.auto_restart = Some("web,".to_owned())).error();
    assert_eq!(message, "--auto-restart: there is an empty name in `web,`");
}

#[test]
fn the_timeout_is_for_groups_that_do_not_say_one() {
    let app = App::new(&[THREE, ("ganger.toml", "[groups.web]\nstop.timeout = '2h'")]);
    let app = app.with(|options| options.timeout = Some("1m30s".to_owned()));
    let timeouts: Vec<u64> =
        app.load().spec.groups.iter().map(|group| group.stop.timeout.as_secs()).collect();
    assert_eq!(timeouts, [7200, 90, 90]);
    let (message, _) = three().with(|options| options.timeout = Some("soon".to_owned())).error();
    assert!(message.starts_with("--timeout: `soon` is no duration: write `500ms`"), "{message}");
}

#[test]
fn an_environment_has_each_name_once_and_explains_what_it_hides() {
    let files = [
        THREE,
        (".env", "A=env\nB=$A-$HOME\nPORT=3000\nPS=x\n"),
        ("ganger.toml", "[env]\nA = 'toml'\nC = 'toml'\n[groups.web.env]\nC = 'web'\n"),
    ];
    let app = App::new(&files).with(|options| {
        options.inherited.insert("HOME".into(), "/ann".into());
        options.inherited.insert("A".into(), "shell".into());
    });
    let worker = WorkerName::new("web", 1);
    let spec = app.load().spec;
    let environment: Vec<(String, String)> =
        spec.environment(&worker).into_iter().map(|variable| (variable.name, variable.value)).collect();
    let expected = [
        ("A", "env"),
        ("C", "web"),
        ("B", "env-/ann"),
        ("PORT", "3000"),
        ("PS", "web.1"),
        ("GANGER_WORKER", "web.1"),
    ];
    assert_eq!(environment, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let explained = spec.explain(&worker, &app.options.inherited);
    assert!(explained.windows(2).all(|pair| pair[0].variable.name < pair[1].variable.name));
    let a = explained.iter().find(|explained| explained.variable.name == "A").unwrap();
    assert_eq!(a.variable.origin, Origin::File { path: app.dir.path().join(".env"), line: 1 });
    let hidden: Vec<&str> = a.overrides.iter().map(|variable| variable.value.as_str()).collect();
    assert_eq!(hidden, ["toml", "shell"]);
    assert_eq!(a.overrides[1].origin, Origin::Shell);
    assert_eq!(app.warnings(), [".env:4: `PS` is set by ganger for each worker: this value is not used"]);
    assert!(spec.app_environment().iter().all(|variable| variable.name != "GANGER_WORKER"));
    assert!(
        spec.explain_app(&app.options.inherited).iter().any(|explained| explained.variable.name == "HOME")
    );
}

#[test]
fn a_group_can_refuse_its_port() {
    let app = App::new(&[
        THREE,
        (".env", "PORT=3000"),
        ("ganger.toml", "[groups.web]\nport = false\nenv.PORT = 9"),
    ]);
    assert_eq!(app.ports(), ["web.1=0", "worker.1=3100", "clock.1=3200"]);
    assert_eq!(value(&app, "web.1", "PORT"), Some("9".to_owned()));
    assert_eq!(value(&three(), "web.1", "PORT"), Some("5000".to_owned()));
    let app = native("[groups.web]\ncommand = 'w'\nport = false");
    assert_eq!(value(&app, "web.1", "PORT"), None);
}

#[test]
fn a_spec_survives_being_written_down() {
    let text =
        "[groups.web]\nexits = 'supervisord'\nlimits.open_files = 9\nbudget = { restarts = 1, within = 5 }";
    let spec = App::new(&[THREE, ("ganger.toml", text), (".env", "A=1")]).load().spec;
    let json = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<Spec>(&json).unwrap(), spec);
}

#[test]
fn paths_of_options_are_relative_to_the_directory() {
    let app =
        App::new(&[("x/Procfile", "web: w")]).with(|options| options.root = Some(PathBuf::from("./x/.")));
    assert_eq!(app.load().spec.root, app.dir.path().join("x"));
}

/// The first indented block after a heading of the page for users.
fn example(heading: &str) -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/formats.md")).unwrap();
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let lines = section
        .lines()
        .skip_while(|line| !line.starts_with("    "))
        .take_while(|line| line.starts_with("    "));
    lines.map(|line| format!("{}\n", &line[4..])).collect::<Vec<_>>().concat()
}

#[test]
fn the_examples_of_the_page_for_users_are_true() {
    let (procfile, env, native) = (example("Procfile"), example("Env files"), example("ganger.toml"));
    let app = App::new(&[("Procfile", &procfile), (".env", &env), ("ganger.toml", &native)]);
    let app = app.with(|options| drop(options.inherited.insert("HOST".into(), "shop".into())));
    assert_eq!((app.counts(), app.warnings()), (vec![1, 2], vec![]));
    for (name, expected) in [
        ("NAME", "value"),
        ("URL", "http://shop:80/"),
        ("PASSWORD", "as it is: $5 # really"),
        ("TEXT", "two\nlines, value, and a $dollar"),
        ("KEY", "a value\nover several lines"),
    ] {
        assert_eq!(value(&app, "web.1", name).as_deref(), Some(expected));
    }
}

#[test]
fn a_spec_that_an_older_ganger_wrote_into_its_ledger_is_read() {
    let spec = App::new(&[THREE]).load().spec;
    let mut old = serde_json::to_value(&spec).unwrap();
    for group in old["groups"].as_array_mut().unwrap() {
        let group = group.as_object_mut().unwrap();
        for key in ["logs", "priority", "family", "autostart", "stdin", "each", "supervisor"] {
            assert!(group.remove(key).is_some(), "{key}");
        }
        for (key, inner) in [("restart", "attempts"), ("restart", "early"), ("stop", "scope")] {
            assert!(group[key].as_object_mut().unwrap().remove(inner).is_some(), "{inner}");
        }
        assert!(group["restart"]["backoff"].as_object_mut().unwrap().remove("step").is_some());
    }
    assert_eq!(serde_json::from_value::<Spec>(old).unwrap(), spec);
}

fn told(text: &str) -> (String, String) {
    let (message, hint) = native(text).error();
    (message.replace("ganger.toml:", ""), hint.unwrap_or_default())
}

const WEB_AND_DB: &str = "[groups.db]\ncommand = 'd'\n[groups.web]\ncommand = 'w'\n";

#[test]
fn dependencies_and_probes_arrive() {
    let text = format!(
        "{WEB_AND_DB}depends_on = {{ db = 'started', job = 'completed' }}\nmax_memory = '300MiB'\non_fatal = 'shutdown'\n\
         readiness = {{ http = '/up', delay = 1, interval = '2s', timeout = '500ms', failures = 5, successes = 2 }}\n\
         liveness.tcp = true\n[groups.job]\ncommand = 'j'\ndepends_on = ['db']\n\
         [groups.x]\ncommand = 'x'\nreadiness.command = ['pg_isready', '-q']"
    );
    let spec = native(&text).load().spec;
    let group = |name| spec.group(name).unwrap();
    let (web, job) = (group("web"), group("job"));
    let waits = [("db".to_owned(), Condition::Started), ("job".to_owned(), Condition::Completed)];
    assert_eq!(web.depends_on, BTreeMap::from(waits));
    assert_eq!(job.depends_on, BTreeMap::from([("db".to_owned(), Condition::Ready)]));
    assert_eq!((web.max_memory, web.on_fatal), (Some(300 << 20), OnFatal::Shutdown));
    let (ready, live) = (web.readiness.as_ref().unwrap(), web.liveness.as_ref().unwrap());
    assert_eq!((ready.check.to_string().as_str(), ready.delay.as_secs()), ("GET /up", 1));
    assert_eq!((ready.interval.as_secs(), ready.timeout.as_millis()), (2, 500));
    assert_eq!((ready.failures, ready.successes), (5, 2));
    assert_eq!((live.check.to_string().as_str(), live.interval.as_secs()), ("a connection to its port", 10));
    assert_eq!((live.timeout.as_secs(), live.failures, live.successes), (2, 3, 1));
    let asked = |name| group(name).readiness.as_ref().unwrap().check.to_string();
    assert_eq!(asked("x"), "`pg_isready -q`");
}

#[test]
fn what_is_watched_is_restarted_and_what_is_to_be_completed_is_not() {
    let text = format!(
        "{WEB_AND_DB}depends_on.job = 'completed'\nliveness.tcp = true\n[groups.job]\ncommand = 'j'\n"
    );
    let ends = |app: &App| -> Vec<(RestartMode, OnEnd)> {
        app.load().spec.groups.iter().map(|group| (group.restart.mode, group.on_end)).collect()
    };
    let plain = (RestartMode::Never, OnEnd::Shutdown);
    let watched = (RestartMode::OnFailure, OnEnd::Stay);
    assert_eq!(ends(&native(&text)), [plain, watched, (RestartMode::Never, OnEnd::Failure)]);
    let app = native(&text).with(|options| options.background = true);
    let always = (RestartMode::Always, OnEnd::Stay);
    assert_eq!(ends(&app), [always, always, watched]);
}

#[test]
fn a_group_brings_what_it_waits_for() {
    let app = native(&format!("{WEB_AND_DB}depends_on = ['db']\n[groups.x]\ncommand = 'x'\n"));
    let app = app.with(|options| options.groups = vec!["web".to_owned()]);
    assert_eq!(app.counts(), [1, 1, 0]);
    let app = app.with(|options| options.groups = vec!["x".to_owned()]);
    assert_eq!(app.counts(), [0, 0, 1]);
}

#[test]
fn a_dependency_that_cannot_be_met_is_told_where_it_is_written() {
    for (line, message, hint) in [
        (
            "depends_on = ['bd']",
            "5:15: `web` waits for `bd`, and there is no such group",
            "did you mean `db`?",
        ),
        (
            "depends_on = { web = 'ready' }",
            "5:16: `web` waits for `web`: none of them can start",
            "leave one of these dependencies out",
        ),
        ("depends_on.db = 'redy'", "5:17: unknown value `redy`", "did you mean `ready`?"),
    ] {
        assert_eq!(told(&format!("{WEB_AND_DB}{line}")), (message.to_owned(), hint.to_owned()), "{line}");
    }
    let circle =
        "[groups.a]\ncommand = 'a'\ndepends_on = ['b']\n[groups.b]\ncommand = 'b'\ndepends_on = ['a']\n";
    assert_eq!(told(circle).0, "3:15: `a` waits for `b`, which waits for `a`: none of them can start");
    let always =
        format!("[groups.job]\ncommand = 'j'\nrestart = 'always'\n{WEB_AND_DB}depends_on.job = 'completed'");
    let (message, hint) = told(&always);
    assert_eq!(
        message,
        "8:12: `web` waits for `job` to be completed, and that is started again whenever it ends"
    );
    assert!(hint.contains("on-failure"), "{hint}");
}

#[test]
fn a_probe_that_makes_no_sense_is_told_where_it_is_written() {
    for (line, message) in [
        ("readiness.delay = 1", "5:1: the probe asks nothing"),
        ("readiness = { tcp = true, http = '/' }", "5:13: the probe asks two things at once"),
        ("readiness.http = 'up'", "5:1: `up` is no path and no http URL"),
        ("port = false\nreadiness.http = '/'", "6:1: the probe asks at the worker's port, and it gets none"),
        ("liveness = { tcp = 1, interval = 0 }", "5:12: a probe takes time, and is repeated after some"),
        ("liveness = { tcp = 1, failures = 0 }", "5:12: no answer in a row says nothing"),
        ("max_memory = 0", "5:14: no worker runs without memory"),
    ] {
        let (told, hint) = told(&format!("{WEB_AND_DB}{line}"));
        assert_eq!((told.as_str(), hint.is_empty()), (message, false), "{line}");
    }
    assert!(told(&format!("{WEB_AND_DB}readiness.tcp = 'x'")).0.contains("`x` is no port and no place"));
    native(&format!("{WEB_AND_DB}port = false\nreadiness.tcp = 99")).load();
}
