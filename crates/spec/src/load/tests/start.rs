//! Formations, subsets, ports and clear errors.

use super::*;

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
        app.with(|options| options.port = Some("3000".to_owned())).ports(),
        ["ui.1=3000", "api.1=3100", "websocket.1=3200"]
    );
}

#[test]
fn ports_are_numbered_by_position_also_of_groups_that_stay_down() {
    let app = three().with(|options| options.groups = vec!["clock".to_owned()]);
    assert_eq!(app.ports(), ["clock.1=5200"]);
    let app = three().with(|options| options.formation = Some("web=2,clock=1".to_owned()));
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
    let app = App::new(&files).with(shell).with(|options| options.port = Some("4400".to_owned()));
    assert_eq!(app.ports()[0], "web.1=4400");
}

#[test]
fn a_bad_base_is_an_error_in_files_and_options_and_a_warning_in_the_shell() {
    for text in ["", "0", "x", "65536", "-1", "+80", "80 "] {
        let (message, hint) = three().with(|options| options.port = Some(text.to_owned())).error();
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
    let app = three().with(|options| options.port = Some("65400".to_owned()));
    let (message, hint) = app.error();
    assert_eq!(message, "port 65600 of clock.1 is out of range (1 to 65535)");
    assert!(hint.unwrap().starts_with("choose a lower base with -p"));
    let app = three().with(|options| {
        options.port = Some("65400".to_owned());
        options.formation = Some("web=1,worker=36".to_owned());
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
    assert_eq!(
        (error.to_string().as_str(), error.hint()),
        ("no group `wbe`", Some("did you mean `web`?".to_owned()))
    );
}

#[test]
fn workers_with_one_port_are_told() {
    let app = three().with(|options| options.formation = Some("web=101,worker=1".to_owned()));
    assert_eq!(app.warnings(), ["web.101 and worker.1 have the same port, 5100"]);
    let app = native("[groups.a]\ncommand='x'\nport=80\ncount=2\n[groups.b]\ncommand='x'\nport=81\n");
    assert_eq!(app.warnings(), ["a.2 and b.1 have the same port, 81"]);
}

#[test]
fn a_formation_has_foremans_rule() {
    let app = three().with(|options| options.formation = Some("web=2".to_owned()));
    assert_eq!(app.counts(), [2, 0, 0]);
    assert_eq!(app.load().left_out, ["worker", "clock"]);
    let app = three().with(|options| options.formation = Some("web=0,all=3".to_owned()));
    assert_eq!((app.counts(), app.load().left_out), (vec![0, 3, 3], vec![]));
    let app = App::new(&[THREE, (".foreman", "formation: clock=4")]);
    assert_eq!(app.counts(), [0, 0, 4]);
    assert_eq!(app.with(|options| options.formation = Some("all=1".to_owned())).counts(), [1, 1, 1]);
    let app = three().with(|options| options.formation = Some("all=0".to_owned()));
    assert_eq!(app.warnings(), ["no worker starts: every group has a count of 0"]);
}

#[test]
fn a_bad_formation_is_an_error_that_says_where() {
    let (message, hint) =
        three().with(|options| options.formation = Some("web=1,wroker=2".to_owned())).error();
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
    let counted =
        subset(&["web", "clock"]).with(|options| options.formation = Some("web=3,clock=0".to_owned()));
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
    let app = app.with(|options| options.formation = Some("web".to_owned()));
    let expected = "Procfile:2: no `name:` in `bad`\n.env:1: no `=` in `worse`\n.foreman:1: `x` is no port\n\
                    -m: no `=` in `web` of the formation";
    assert_eq!(app.error().0, expected);
}

#[test]
fn too_many_groups_or_workers_are_refused() {
    let many = |count: usize| (0..count).map(|i| format!("g{i}: x")).collect::<Vec<_>>().join("\n");
    let of = |text: &str| {
        App::new(&[("Procfile", text)]).with(|options| options.formation = Some("all=0".to_owned()))
    };
    assert_eq!(of(&many(crate::MAX_GROUPS)).counts().len(), crate::MAX_GROUPS);
    let (message, _) = of(&many(crate::MAX_GROUPS + 1)).error();
    assert_eq!(message, "10001 groups are more than the 10000 that an app can have");
    let tables: Vec<String> = (0..11).map(|i| format!("[groups.g{i}]\ncommand='x'\nport=false\n")).collect();
    let workers = |formation: &str| {
        native(&tables.concat()).with(|options| options.formation = Some(formation.to_owned()))
    };
    assert_eq!(workers("all=10000,g0=0").counts().iter().sum::<u32>(), 100_000);
    assert_eq!(
        workers("all=10000,g0=1").error().0,
        "100001 workers are more than the 100000 that an app can have"
    );
}

/// Bytes that look like one of the formats here and there.
fn bytes() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::*;
    let words = [
        "web: x", "job: y\n", "A=", "$A", "${", "'", "\"", "\\\n", "[groups.", "]", "port: ", "= 3", "\n",
        "\u{feff}",
    ];
    let part = prop_oneof![
        4 => proptest::sample::select(words.map(|word| word.as_bytes().to_vec()).to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest::proptest! {
    #[test]
    fn any_bytes_in_any_file_are_loaded_or_refused_without_a_panic(
        procfile in bytes(), native in bytes(), env in bytes(), foreman in bytes(), with_native: bool,
    ) {
        let app = App::new(&[]);
        for (name, bytes) in [("Procfile", &procfile), (".env", &env), (".foreman", &foreman), ("ganger.toml", &native)] {
            if name != "ganger.toml" || with_native {
                fs::write(app.dir.path().join(name), bytes).unwrap();
            }
        }
        if let Err(error) = load(&app.options) {
            proptest::prop_assert!(!error.problems().is_empty());
        }
    }
}

#[test]
fn a_command_needs_no_groups_where_it_asks_for_none() {
    let app = App::new(&[(".env", "A=1\n")]).with(|options| options.without_groups = true);
    let spec = app.load().spec;
    assert_eq!((spec.groups.len(), spec.env.len(), spec.root.as_path()), (0, 1, app.dir.path()));
    // What is there must still be right, and what is named must be there.
    let bad = App::new(&[("Procfile", "nonsense")]).with(|options| options.without_groups = true);
    assert_eq!(bad.error().0.lines().count(), 1);
    let named = App::new(&[]).with(|options| {
        options.without_groups = true;
        options.file = Some("Elsewhere".into());
    });
    assert_eq!(named.error().0, "-f: no file Elsewhere");
}
