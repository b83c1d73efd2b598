use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::{OnEnd, OnExit, RestartMode, Signal, WorkerName};

/// A directory with files, and the options of a command line in it.
struct App {
    dir: tempfile::TempDir,
    options: Options,
}

impl App {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let options = Options { dir: dir.path().to_owned(), ..Options::default() };
        Self { dir, options }
    }

    fn with(mut self, set: impl FnOnce(&mut Options)) -> Self {
        set(&mut self.options);
        self
    }

    fn load(&self) -> Loaded {
        match load(&self.options) {
            Ok(loaded) => loaded,
            Err(error) => panic!("{error}"),
        }
    }

    /// Paths relative to the directory.
    fn relative(&self, text: &str) -> String {
        let dir = self.dir.path().display().to_string();
        text.replace(&format!("{dir}/"), "").replace(&dir, "DIR")
    }

    fn error(&self) -> (String, Option<String>) {
        let error = load(&self.options).unwrap_err();
        (self.relative(&error.to_string()), error.hint().map(|hint| self.relative(&hint)))
    }

    fn warnings(&self) -> Vec<String> {
        self.load().warnings.iter().map(|warning| self.relative(&warning.to_string())).collect()
    }

    fn counts(&self) -> Vec<u32> {
        self.load().spec.groups.iter().map(|group| group.count).collect()
    }

    fn ports(&self) -> Vec<String> {
        let plan = self.load().spec.plan();
        plan.iter().map(|worker| format!("{}={:?}", worker.name, worker.port.unwrap_or(0))).collect()
    }
}

const THREE: (&str, &str) = ("Procfile", "web: w\nworker: k\nclock: c\n");

fn three() -> App {
    App::new(&[THREE])
}

fn native(text: &str) -> App {
    App::new(&[("ganger.toml", text)])
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn value(app: &App, worker: &str, name: &str) -> Option<String> {
    let worker = WorkerName::try_from(worker.to_owned()).unwrap();
    let environment = app.load().spec.environment(&worker);
    environment.into_iter().find(|variable| variable.name == name).map(|variable| variable.value)
}

#[test]
fn a_procfile_is_a_whole_app() {
    let app = App::new(&[("shop/Procfile", "web: bin/web\n\njob: exec job\n")]);
    let app = app.with(|options| options.dir.push("shop"));
    let loaded = app.load();
    let spec = &loaded.spec;
    assert_eq!((spec.app.as_str(), spec.root.as_path()), ("shop", app.options.dir.as_path()));
    assert_eq!(spec.groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["web", "job"]);
    let web = &spec.groups[0];
    assert_eq!((web.count, web.port, web.on_end), (1, Port::Auto(5000), OnEnd::Shutdown));
    assert_eq!((web.restart.mode, web.restart.startsecs), (RestartMode::Never, Duration::ZERO));
    assert_eq!((web.stop.signal, web.stop.timeout), (Signal::TERM, Duration::from_secs(5)));
    assert_eq!(web.dir, app.options.dir);
    assert_eq!((loaded.warnings, loaded.left_out), (vec![], vec![]));
}

#[test]
fn every_file_that_was_looked_for_is_a_source() {
    let sources = three().load().spec.sources;
    let seen: Vec<(String, SourceKind, bool)> = sources
        .into_iter()
        .map(|source| {
            (source.path.file_name().unwrap().to_string_lossy().into_owned(), source.kind, source.found)
        })
        .collect();
    let expected = [
        (".foreman", SourceKind::Foreman, false),
        ("ganger.toml", SourceKind::GangerToml, false),
        ("Procfile", SourceKind::Procfile, true),
        (".env", SourceKind::Env, false),
    ];
    assert_eq!(seen, expected.map(|(name, kind, found)| (name.to_owned(), kind, found)));
}

#[test]
fn the_ports_of_ui_api_and_websocket_are_those_of_the_guide() {
    let app = App::new(&[("Procfile", "ui: u\napi: a\nwebsocket: w\n")]);
    assert_eq!(
        app.with(|options| options.port = some("3000")).ports(),
        ["ui.1=3000", "api.1=3100", "websocket.1=3200"]
    );
}

#[test]
fn ports_are_numbered_by_position_also_of_groups_that_stay_down() {
    let app = three().with(|options| options.groups = vec!["clock".to_owned()]);
    assert_eq!(app.ports(), ["clock.1=5200"]);
    let app = three().with(|options| options.formation = some("web=2,clock=1"));
    assert_eq!(app.ports(), ["web.1=5000", "web.2=5001", "clock.1=5200"]);
}

#[test]
fn the_base_of_the_ports_is_asked_in_the_documented_order() {
    let shell = |options: &mut Options| drop(options.inherited.insert("PORT".into(), "4000".into()));
    assert_eq!(three().with(shell).ports()[0], "web.1=4000");
    let files = [THREE, ("ganger.toml", "port = 4100")];
    assert_eq!(App::new(&files).with(shell).ports()[0], "web.1=4100");
    let files = [THREE, ("ganger.toml", "port = 4100"), (".env", "PORT=4200")];
    assert_eq!(App::new(&files).with(shell).ports()[0], "web.1=4200");
    let files = [THREE, ("ganger.toml", "port = 4100"), (".env", "PORT=4200"), (".foreman", "port: 4300")];
    assert_eq!(App::new(&files).with(shell).ports()[0], "web.1=4300");
    let app = App::new(&files).with(shell).with(|options| options.port = some("4400"));
    assert_eq!(app.ports()[0], "web.1=4400");
}

#[test]
fn a_bad_base_is_an_error_in_files_and_options_and_a_warning_in_the_shell() {
    for text in ["", "0", "x", "65536", "-1", "+80", "80 "] {
        let (message, hint) = three().with(|options| options.port = some(text)).error();
        assert_eq!(message, format!("-p: `{text}` is no port"));
        assert_eq!(hint.as_deref(), Some("a port is a number from 1 to 65535"));
    }
    assert_eq!(App::new(&[THREE, (".env", "A=1\nPORT=")]).error().0, ".env:2: `` is no port");
    assert_eq!(App::new(&[THREE, (".foreman", "port: y")]).error().0, ".foreman:1: `y` is no port");
    assert_eq!(App::new(&[THREE, ("ganger.toml", "port = 0")]).error().0, "ganger.toml:1: `0` is no port");
    let app = three().with(|options| drop(options.inherited.insert("PORT".into(), "".into())));
    assert_eq!(app.warnings(), ["PORT of the shell: `` is no port"]);
    assert_eq!(app.ports()[0], "web.1=5000");
}

#[test]
fn a_port_past_the_last_one_is_an_error_only_for_a_worker_that_would_run() {
    let app = three().with(|options| options.port = some("65400"));
    let (message, hint) = app.error();
    assert_eq!(message, "port 65600 of clock.1 is out of range (1 to 65535)");
    assert!(hint.unwrap().starts_with("choose a lower base with -p"));
    let app = three().with(|options| {
        options.port = some("65400");
        options.formation = some("web=1,worker=36");
    });
    assert_eq!(app.ports().last().map(String::as_str), Some("worker.36=65535"));
    let spec = app.load().spec;
    assert_eq!(spec.check_scale("worker", 36), Ok(()));
    let error = spec.check_scale("worker", 37).unwrap_err();
    assert_eq!(error.to_string(), "port 65536 of worker.37 is out of range (1 to 65535)");
    assert_eq!(spec.check_scale("clock", 0), Ok(()));
    assert!(spec.check_scale("clock", 1).is_err());
    assert_eq!(spec.port(&WorkerName::new("clock", 1)), None);
}

#[test]
fn a_scale_is_checked() {
    let app = native("[groups.web]\ncommand = 'w'\nport = false\n");
    let spec = app.load().spec;
    assert_eq!(spec.check_scale("web", 10_000), Ok(()));
    let error = spec.check_scale("web", 10_001).unwrap_err();
    assert_eq!(error.to_string(), "10001 workers of `web` are more than the 10000 that a group can have");
    let error = spec.check_scale("wbe", 1).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.hint()), ("no group `wbe`", some("did you mean `web`?")));
}

#[test]
fn workers_with_one_port_are_told() {
    let app = three().with(|options| options.formation = some("web=101,worker=1"));
    assert_eq!(app.warnings(), ["web.101 and worker.1 have the same port, 5100"]);
    let app = native("[groups.a]\ncommand='x'\nport=80\ncount=2\n[groups.b]\ncommand='x'\nport=81\n");
    assert_eq!(app.warnings(), ["a.2 and b.1 have the same port, 81"]);
}

#[test]
fn a_formation_has_foremans_rule() {
    let app = three().with(|options| options.formation = some("web=2"));
    assert_eq!(app.counts(), [2, 0, 0]);
    assert_eq!(app.load().left_out, ["worker", "clock"]);
    let app = three().with(|options| options.formation = some("web=0,all=3"));
    assert_eq!((app.counts(), app.load().left_out), (vec![0, 3, 3], vec![]));
    let app = App::new(&[THREE, (".foreman", "formation: clock=4")]);
    assert_eq!(app.counts(), [0, 0, 4]);
    assert_eq!(app.with(|options| options.formation = some("all=1")).counts(), [1, 1, 1]);
    let app = three().with(|options| options.formation = some("all=0"));
    assert_eq!(app.warnings(), ["no worker starts: every group has a count of 0"]);
}

#[test]
fn a_bad_formation_is_an_error_that_says_where() {
    let (message, hint) = three().with(|options| options.formation = some("web=1,wroker=2")).error();
    assert_eq!(message, "-m: no group `wroker` for the formation");
    assert_eq!(hint.as_deref(), Some("did you mean `worker`?"));
    let app = App::new(&[THREE, (".foreman", "\nformation: web=x")]);
    assert_eq!(app.error().0, ".foreman:2: `web=x` is no `group=count`");
}

#[test]
fn a_subset_starts_nothing_else() {
    let subset = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        three().with(|options| options.groups = names)
    };
    assert_eq!(subset(&["web", "clock"]).counts(), [1, 0, 1]);
    assert_eq!(subset(&["w*"]).counts(), [1, 1, 0]);
    assert_eq!(subset(&["all"]).counts(), [1, 1, 1]);
    assert_eq!(subset(&["web"]).load().left_out, [""; 0]);
    let counted = subset(&["web", "clock"]).with(|options| options.formation = some("web=3,clock=0"));
    assert_eq!(counted.counts(), [3, 0, 1]);
    let (message, hint) = subset(&["wbe"]).error();
    assert_eq!((message.as_str(), hint.as_deref()), ("no group `wbe`", Some("did you mean `web`?")));
    let app = native("[groups.a]\ncommand='x'\ncount=4\n[groups.b]\ncommand='x'\ncount=0\n");
    assert_eq!(app.with(|options| options.groups = vec!["b".to_owned()]).counts(), [0, 1]);
}

#[test]
fn no_app_is_a_clear_error() {
    let (message, hint) = App::new(&[]).error();
    assert_eq!(message, "no Procfile and no ganger.toml in DIR");
    assert_eq!(hint.as_deref(), Some("go to the app's directory, name it with -d, or name a file with -f"));
    for (app, message) in [
        (App::new(&[("Procfile", "# nothing\n")]), "Procfile: defines no group"),
        (native("app = 'x'"), "ganger.toml: defines no group"),
        (App::new(&[("Procfile/x", "")]), "Procfile: is a directory, not a file"),
        (three().with(|options| options.file = Some("Procfile.dev".into())), "-f: no file Procfile.dev"),
        (three().with(|options| options.file = Some("x.toml".into())), "-f: no file x.toml"),
        (three().with(|options| options.root = Some("none".into())), "-d: none is no directory"),
        (three().with(|options| options.env_files = Some(vec!["no.env".into()])), "-e: no file no.env"),
        (App::new(&[THREE, (".foreman", "env: no.env")]), ".foreman:1: no file no.env"),
        (App::new(&[THREE, ("ganger.toml", "\nenv_files = ['no.env']")]), "ganger.toml:2: no file no.env"),
        (App::new(&[THREE, ("ganger.toml", "procfile = 'no'")]), "ganger.toml:1:12: no file no"),
        (App::new(&[THREE, (".env", "bad line")]), ".env:1: no `=` in `bad line`"),
        (App::new(&[THREE, (".env/x", "")]), ".env: is a directory, not a file"),
    ] {
        assert_eq!(app.error().0, message);
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let app = App::new(&[("Procfile", "web: w\nbad\n"), (".env", "worse\n"), (".foreman", "port: x\n")]);
    let app = app.with(|options| options.formation = some("web"));
    let expected = "Procfile:2: no `name:` in `bad`\n.env:1: no `=` in `worse`\n.foreman:1: `x` is no port\n\
                    -m: no `=` in `web` of the formation";
    assert_eq!(app.error().0, expected);
}

#[test]
fn files_are_found_as_foreman_finds_them() {
    let files =
        [("a/Procfile", "web: a"), ("a/.env", "X=a"), (".env", "X=here"), ("e1", "X=1\nY=1"), ("e2", "X=2")];
    let app = App::new(&files).with(|options| options.file = Some("a/Procfile".into()));
    assert_eq!(app.load().spec.root, app.dir.path().join("a"));
    assert_eq!(value(&app, "web.1", "X"), some("here"));
    let app = App::new(&files).with(|options| options.root = Some("a".into()));
    assert_eq!(app.load().spec.root, app.dir.path().join("a"));
    assert_eq!(value(&app, "web.1", "X"), some("a"));
    let app = app.with(|options| options.env_files = Some(vec!["e1".into(), "e2".into()]));
    assert_eq!((value(&app, "web.1", "X"), value(&app, "web.1", "Y")), (some("2"), some("1")));
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
        factor = 1.5, max = '1m30s', jitter = 0 }\nbudget = { restarts = 4, within = '1h' }\n\
        exits = { preset = 'paas', 3 = 'fatal' }\non_end = 'shutdown'\nstop = { signal = 'INT', timeout = '500ms' }\n";
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
    assert_eq!(
        web.restart.budget.as_ref().map(|budget| (budget.restarts, budget.within.as_secs())),
        Some((4, 3600))
    );
    let exits = [(0, OnExit::Stop), (1, OnExit::Restart), (2, OnExit::Stop), (3, OnExit::Fatal)];
    assert_eq!(web.exits, BTreeMap::from(exits));
    assert_eq!((web.on_end, web.stop.timeout), (OnEnd::Shutdown, Duration::from_millis(500)));
    assert_eq!((value(&app, "web.2", "A"), value(&app, "web.2", "PORT")), (some("own"), some("81")));
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
    assert_eq!(ends(&three().with(|options| options.can_die = some("web, clock"))), [dies, plain, dies]);
    assert_eq!(ends(&three().with(|options| options.any_can_die = true)), [dies; 3]);
    assert_eq!(ends(&three().with(|options| options.auto_restart = some("worker"))), [plain, again, plain]);
    assert_eq!(ends(&three().with(|options| options.auto_restart = some("all"))), [again; 3]);
    let but_web = three().with(|options| {
        options.auto_restart = some("all");
        options.can_die = some("web");
    });
    assert_eq!(ends(&but_web), [dies, again, again]);
    let restart = &three().with(|options| options.auto_restart = some("all")).load().spec.groups[0].restart;
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
fn bad_names_in_the_exit_policy_are_errors() {
    let (message, hint) = three()
        .with(|options| {
            options.can_die = some("web,worker");
            options.auto_restart = some("worker");
        })
        .error();
    assert_eq!(message, "`worker` is in --can-die and in --auto-restart");
    assert!(hint.is_some());
    let (message, hint) = three().with(|options| options.can_die = some("wbe")).error();
    assert_eq!(
        (message.as_str(), hint.as_deref()),
        ("--can-die: no group `wbe`", Some("did you mean `web`?"))
    );
    let (message, _) = three().with(|options| options.auto_restart = some("web,")).error();
    assert_eq!(message, "--auto-restart: there is an empty name in `web,`");
}

#[test]
fn the_timeout_is_for_groups_that_do_not_say_one() {
    let app = App::new(&[THREE, ("ganger.toml", "[groups.web]\nstop.timeout = '2h'")]);
    let app = app.with(|options| options.timeout = some("1m30s"));
    let timeouts: Vec<u64> =
        app.load().spec.groups.iter().map(|group| group.stop.timeout.as_secs()).collect();
    assert_eq!(timeouts, [7200, 90, 90]);
    let (message, _) = three().with(|options| options.timeout = some("soon")).error();
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
    assert_eq!(value(&app, "web.1", "PORT"), some("9"));
    assert_eq!(value(&three(), "web.1", "PORT"), some("5000"));
    let app = native("[groups.web]\ncommand = 'w'\nport = false");
    assert_eq!(value(&app, "web.1", "PORT"), None);
}

#[test]
fn too_many_groups_or_workers_are_refused() {
    let many = |count: usize| (0..count).map(|i| format!("g{i}: x\n")).collect::<String>();
    let of = |text: &str| App::new(&[("Procfile", text)]).with(|options| options.formation = some("all=0"));
    assert_eq!(of(&many(crate::MAX_GROUPS)).counts().len(), crate::MAX_GROUPS);
    let (message, _) = of(&many(crate::MAX_GROUPS + 1)).error();
    assert_eq!(message, "10001 groups are more than the 10000 that an app can have");
    let tables: String = (0..11).map(|i| format!("[groups.g{i}]\ncommand='x'\nport=false\n")).collect();
    let workers = |formation: &str| native(&tables).with(|options| options.formation = some(formation));
    assert_eq!(workers("all=10000,g0=0").counts().iter().sum::<u32>(), 100_000);
    assert_eq!(
        workers("all=10000,g0=1").error().0,
        "100001 workers are more than the 100000 that an app can have"
    );
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
