use super::*;

/// An app on disk, as its files say.
fn spec(dir: &std::path::Path) -> Spec {
    let options = ganger_spec::Options { dir: dir.to_owned(), ..ganger_spec::Options::default() };
    ganger_spec::load(&options).unwrap().spec
}

fn app(procfile: &str, port: Option<&str>) -> Spec {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("Procfile"), procfile).unwrap();
    std::fs::write(dir.path().join(".env"), "A=1\nQUEUE=any\n").unwrap();
    let port = port.map(str::to_owned);
    let options =
        ganger_spec::Options { dir: dir.path().to_owned(), port, ..ganger_spec::Options::default() };
    ganger_spec::load(&options).unwrap().spec
}

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').filter(|word| !word.is_empty()).map(OsString::from).collect()
}

/// What would run: its name, its words, and its `PORT` and `QUEUE`.
fn planned(spec: &Spec, line: &str) -> (String, String, Option<String>, Option<String>) {
    let words = words(line);
    let task = match what(spec, &words).unwrap() {
        What::Worker(group, after) => {
            worker(spec, group, &merged(&RunWorkerArgs::default(), &after), &after.args)
        }
        What::Command(words) => command(spec, words, &RunWorkerArgs::default()),
    };
    let env: BTreeMap<_, _> = task.variables.iter().cloned().collect();
    let argv: Vec<_> = task.argv.iter().map(|word| word.to_str().unwrap()).collect();
    (task.name, argv.join("|"), env.get(PORT).cloned(), env.get(QUEUE).cloned())
}

#[test]
fn one_worker_alone_has_the_port_that_it_has_among_all() {
    let spec = app("ui: bin/ui\napi: bin/api\nwebsocket: bin/websocket\n", Some("3000"));
    for (group, port) in [("ui", "3000"), ("api", "3100"), ("websocket", "3200")] {
        let expected =
            (format!("{group}.run"), format!("bin/{group}"), Some(port.to_owned()), Some("any".to_owned()));
        assert_eq!(planned(&spec, group), expected);
    }
}

#[test]
fn a_queue_and_a_port_may_be_said_after_the_group() {
    let spec = app("generic: bin/worker\n", None);
    let (name, argv, port, queue) = planned(&spec, "generic --queue=mail --port 7000 -- --once");
    assert_eq!((name.as_str(), argv.as_str()), ("generic.run", "bin/worker|--once"));
    assert_eq!((port, queue), (Some("7000".to_owned()), Some("mail".to_owned())));
}

#[test]
fn a_group_followed_by_a_plain_word_is_a_command_of_that_name() {
    let spec = app("rake: bin/rake all\n", None);
    assert_eq!(planned(&spec, "rake").1, "bin/rake|all");
    let (name, argv, port, _) = planned(&spec, "rake db:migrate -- x");
    assert_eq!((name.as_str(), argv.as_str(), port), ("rake", "rake|db:migrate|--|x", None));
}

#[test]
fn arguments_reach_a_line_of_the_shell_untouched() {
    let spec = app("web: cd x && bin/web\n", None);
    assert_eq!(planned(&spec, "web -- a;b").1, "/bin/sh|-c|cd x && bin/web \"$@\"|sh|a;b");
}

#[test]
fn one_word_may_be_a_whole_line() {
    let spec = app("web: bin/web\n", None);
    let line = [OsString::from("echo $A")];
    let task = command(&spec, &line, &RunWorkerArgs::default());
    assert_eq!(task.argv, ["/bin/sh", "-c", "echo $A"]);
}

#[test]
fn a_mistyped_flag_is_wrong_usage_and_nothing_named_too() {
    let spec = app("web: bin/web\n", None);
    let failure = what(&spec, &words("web --quue mail")).unwrap_err();
    assert_eq!(failure.message, "after the group web: unexpected argument '--quue' found");
    assert_eq!(failure.status, USAGE);
    assert_eq!(what(&spec, &[]).unwrap_err().status, USAGE);
}

#[test]
fn the_environment_is_that_of_the_shell_under_that_of_the_app() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("Procfile"), "web: bin/web\n").unwrap();
    std::fs::write(dir.path().join(".env"), "A=1\n").unwrap();
    let spec = spec(dir.path());
    let task = worker(&spec, spec.group("web").unwrap(), &RunWorkerArgs::default(), &[]);
    let shell = [("A", "shell"), ("HOME", "/root")].map(|(name, value)| (name.into(), value.into()));
    let launch = task.launch(&BTreeMap::from(shell)).unwrap();
    let expected = ["A=1", "GANGER_WORKER=web.run", "HOME=/root", "PORT=5000", "PS=web.run"];
    assert_eq!(launch.env, expected);
    assert_eq!(launch.dir, spec.root);
}

#[test]
fn what_can_be_run_is_listed() {
    let groups = vec![
        Runnable { name: "web".to_owned(), port: Some(5000), command: "bin/web".to_owned() },
        Runnable { name: "clock".to_owned(), port: None, command: "bin/clock".to_owned() },
    ];
    let expected = "NAME   PORT  COMMAND\nweb    5000  bin/web\nclock     -  bin/clock\n";
    assert_eq!(listed(&groups, Style::PLAIN), expected);
}
