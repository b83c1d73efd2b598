use std::ffi::OsString;
use std::fs;

use super::*;
use crate::{Check, Condition, Group, Loaded, OnEnd, RestartMode, StopScope, load};

struct Ground {
    dir: tempfile::TempDir,
}

impl Ground {
    fn new(yaml: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("process-compose.yaml"), yaml).unwrap();
        Self { dir }
    }

    fn options(&self) -> Options {
        let pair = |(name, value): (&str, &str)| (OsString::from(name), OsString::from(value));
        let inherited = [("HOME", "/home/x"), ("DB", "shell")].map(pair).into_iter().collect();
        Options { dir: self.dir.path().to_owned(), inherited, ..Options::default() }
    }

    fn import(&self) -> Result<String, LoadError> {
        import_compose(&self.options(), Path::new("process-compose.yaml"))
    }

    /// What was written, and what ganger makes of it.
    fn loaded(&self) -> (String, Loaded) {
        let text = self.import().unwrap_or_else(|error| panic!("{error}"));
        fs::write(self.dir.path().join("ganger.toml"), &text).unwrap();
        let loaded = load(&self.options()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        (text, loaded)
    }
}

fn import(yaml: &str) -> (String, Loaded) {
    Ground::new(yaml).loaded()
}

fn group<'a>(loaded: &'a Loaded, name: &str) -> &'a Group {
    loaded.spec.group(name).unwrap_or_else(|| panic!("no group {name}"))
}

const SHOP: &str = r#"
version: "0.5"
name: shop
vars:
  PORT: 8080
environment:
  - "LOG=info"
x-defaults: &defaults
  availability:
    restart: on_failure
    backoff_seconds: 3
    max_restarts: 5
processes:
  db:
    command: "postgres -D data"
    readiness_probe:
      exec:
        command: "pg_isready -q"
      initial_delay_seconds: 2
      period_seconds: 4
      timeout_seconds: 3
      failure_threshold: 7
    shutdown:
      signal: 2
      timeout_seconds: 30
      parent_only: yes
    log_configuration:
      rotation:
        max_size_mb: 5
        max_backups: 3
        max_age_days: 7
        compress: true
  migrate:
    command: |
      bin/migrate --all
      echo done
    depends_on:
      db:
        condition: process_healthy
    success_exit_codes: [0, 3]
  web:
    <<: *defaults
    description: The shop itself
    command: bin/web --port {{.PORT}}
    working_dir: ./web
    replicas: 2
    environment:
      - "URL=postgres://$DB/${NAME:-shop}"
      - "PRICE=5$$"
    depends_on:
      migrate:
        condition: process_completed_successfully
      db:
    liveness_probe:
      http_get:
        host: localhost
        path: health
        port: 8080
    watch:
      debounce: 500ms
      paths:
        - path: ./app
          include: ["*.rb"]
          exclude: ["tmp", "gen/**"]
        - path: config/
  test suite:
    entrypoint: ["cargo", "test", "$HOME"]
    disabled: true
    availability:
      restart: exit_on_failure
"#;

#[test]
fn what_both_can_say_is_the_same() {
    let (text, loaded) = import(SHOP);
    assert!(loaded.warnings.is_empty(), "{:?}\n{text}", loaded.warnings);
    assert_eq!((loaded.spec.app.as_str(), loaded.spec.env[0].value.as_str()), ("shop", "info"));
    let db = group(&loaded, "db");
    let probe = db.readiness.clone().unwrap();
    assert_eq!(probe.check, Check::Command(crate::Command::Line("pg_isready -q".to_owned())));
    let seconds = [probe.delay, probe.interval, probe.timeout].map(|time| time.as_secs());
    assert_eq!((seconds, probe.failures), ([2, 4, 3], 7));
    assert_eq!(
        (db.stop.signal, db.stop.timeout.as_secs(), db.stop.scope),
        (crate::Signal::INT, 30, StopScope::Main)
    );
    assert_eq!((db.logs.max_size, db.logs.keep, db.logs.compress), (Some(5 << 20), Some(3), true));
    let migrate = group(&loaded, "migrate");
    assert_eq!(migrate.depends_on["db"], Condition::Ready);
    assert_eq!(migrate.command, crate::Command::Line("bin/migrate --all\necho done".to_owned()));
    assert_eq!(
        (migrate.restart.mode, migrate.on_end, migrate.exits.len()),
        (RestartMode::Never, OnEnd::Stay, 2)
    );
    let web = group(&loaded, "web");
    assert_eq!(web.command, crate::Command::Line("bin/web --port 8080".to_owned()));
    assert!(web.dir.ends_with("web") && web.count == 2, "{web:?}");
    let mut values: Vec<&str> = web.env.iter().map(|variable| variable.value.as_str()).collect();
    values.sort_unstable();
    assert_eq!(values, ["5$", "postgres://shell/shop"]);
    assert_eq!((web.restart.mode, web.restart.backoff.max.as_secs()), (RestartMode::OnFailure, 3));
    assert_eq!(web.restart.budget.as_ref().map(|budget| budget.restarts), Some(5));
    assert_eq!((web.depends_on["migrate"], web.depends_on["db"]), (Condition::Completed, Condition::Started));
    let live = web.liveness.clone().unwrap().check;
    assert_eq!(live, Check::http("http://localhost:8080/health").unwrap());
    let watch = web.watch.clone().unwrap();
    assert_eq!(watch.globs, ["./app/**/*.rb", "config"]);
    assert!(watch.ignore.contains(&"tmp".to_owned()) && watch.ignore.contains(&"./app/gen/**".to_owned()));
    let test = group(&loaded, "test-suite");
    assert_eq!((test.autostart, test.on_end), (false, OnEnd::Failure));
    assert_eq!(test.command.argv().words, ["cargo", "test", "/home/x"]);
    assert!(
        text.contains("# The process `test suite` is the group `test-suite` here.")
            && text.contains("# The shop itself"),
        "{text}"
    );
}

#[test]
fn who_had_a_terminal_has_one() {
    let keys = [("a", "is_tty: true"), ("b", "is_interactive: true"), ("c", "is_tty: false")];
    let processes = keys.map(|(name, key)| format!("  {name}: {{command: {name}, {key}}}\n"));
    let (_, loaded) = import(&format!("processes:\n{}", processes.concat()));
    assert_eq!(["a", "b", "c"].map(|name| group(&loaded, name).tty), [true, true, false]);
}

const ODD: &str = r"
extends: base.yaml
log_location: ./all.log
mcp_server: {port: 1}
processes:
  a:
    command: a
    is_daemon: true
    launch_timeout_seconds: 3
    is_tty: true
    is_elevated: true
    namespace: [x, y]
    env_file: [.env.a]
    is_dotenv_disabled: true
    ready_log_line: up
    log_location: a.log
    truncate_log: true
    disable_ansi_colors: true
    monitor_for: silence
    schedule: {cron: '0 * * * *'}
    mcp: {type: tool}
    shutdown: {command: stop-it, send_keys: [q]}
    availability: {restart: always, exit_on_skipped: true}
    readiness_probe: {http_get: {scheme: https, host: x, headers: {a: b}, status_code: 204}}
  b:
    command: echo $PC_REPLICA_NUM {{ if .X }} ${NONE}
    is_foreground: true
    environment: {A: $NONE}
    depends_on:
      a: {condition: process_log_ready}
  c: {command: c, depends_on: {b: {condition: process_completed}}}
";

#[test]
fn what_ganger_says_otherwise_has_a_comment() {
    let (text, _) = import(ODD);
    for part in [
        "`extends` has",
        "`log_location` has",
        "`mcp_server` has",
        "`is_daemon` has",
        "`launch_timeout_seconds` has",
        "`ganger attach` shows its terminal and types there.",
        "`is_elevated` has",
        "`namespace` has",
        "`env_file` has",
        "`is_dotenv_disabled` has",
        "`ready_log_line` has",
        "`truncate_log` has",
        "`disable_ansi_colors` has",
        "`monitor_for` has",
        "`schedule` has",
        "`mcp` has",
        "`shutdown.command` has",
        "`shutdown.send_keys` has",
        "`exit_on_skipped` has",
        "TLS is asked by `curl`",
        "`http_get.headers` has",
        "`http_get.status_code` has",
        "GANGER_WORKER",
        "`{{ if .X }}` is not worked out",
        "`$NONE` had no value",
        "ganger run",
        "waited for a line in the log of a",
        "only success counts",
    ] {
        assert!(
            text.lines().any(|line| line.starts_with("# ") && line.contains(part)),
            "no {part:?} in\n{text}"
        );
    }
}

#[test]
fn a_process_inherits_from_another_and_commands_run_by_their_shell() {
    let (text, loaded) = import(
        "processes:\n  base:\n    command: '[[ -n $A ]] && a'\n    environment: ['A=1', 'B=1']\n    replicas: 3\n  own:\n    \
         extends: base\n    environment: ['B=2']\n",
    );
    let own = group(&loaded, "own");
    let pairs: Vec<String> = own.env.iter().map(|pair| format!("{}={}", pair.name, pair.value)).collect();
    assert_eq!((own.count, pairs), (3, vec!["A=1".to_owned(), "B=2".to_owned()]));
    assert_eq!(own.command.argv().words, ["bash", "-c", "[[ -n $A ]] && a"], "{text}");
    let (_, loaded) =
        import("shell: {shell_command: zsh, shell_argument: -lc}\nprocesses: {a: {command: x}}\n");
    assert_eq!(group(&loaded, "a").command.argv().words, ["zsh", "-lc", "x"]);
    let (_, loaded) =
        import("disable_env_expansion: true\nprocesses: {a: {command: x, working_dir: $HOME}}\n");
    assert!(group(&loaded, "a").dir.ends_with("$HOME"));
}

#[test]
fn variables_of_the_env_file_win_over_those_of_the_shell() {
    let ground = Ground::new("processes: {a: {command: x, environment: ['X=$DB']}}\n");
    fs::write(ground.dir.path().join(".env"), "DB=file\n").unwrap();
    let (_, loaded) = ground.loaded();
    assert_eq!(group(&loaded, "a").env[0].value, "file");
}

#[test]
fn names_that_no_group_can_have_are_replaced_by_ones_that_are_free() {
    let (_, loaded) = import(
        "processes: {'a b': {command: x}, a-b: {command: x}, all: {command: x}, 'w.1': {command: x}}\n",
    );
    let names: Vec<&str> = loaded.spec.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["a-b", "a-b-2", "all-group", "w-1-group"]);
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_a_hint() {
    for (yaml, expected) in [
        ("", "process-compose.yaml:1: has no processes"),
        ("processes:\n  a: {command: x}\nprocess: 1\n", "process-compose.yaml:3: unknown key `process`"),
        ("processes:\n  a:\n    comand: x\n", "process-compose.yaml:3: unknown key `comand` of `a`"),
        ("processes:\n  a:\n    replicas: 1\n", "process-compose.yaml:2: `a` has no command"),
        (
            "processes:\n  a:\n    command: x\n    replicas: many\n",
            "process-compose.yaml:4: `replicas` is `many`",
        ),
        ("processes:\n  a:\n    command: [x]\n", "process-compose.yaml:3: `command` is to be text"),
        (
            "processes:\n  a: {command: x, depends_on: {b: }}\n",
            "process-compose.yaml:2: there is no process `b`",
        ),
        (
            "processes:\n  a: {command: x, depends_on: {a: {condition: ready}}}\n",
            "process-compose.yaml:2: unknown condition `ready`",
        ),
        (
            "processes:\n  a: {command: x, extends: a}\n",
            "process-compose.yaml:2: `a` extends itself in the end",
        ),
        (
            "processes:\n  a: {command: x, extends: b}\n",
            "process-compose.yaml:2: `a` extends `b`, which is not there",
        ),
        (
            "processes:\n  a: {command: x, liveness_probe: {}}\n",
            "process-compose.yaml:2: `liveness_probe` asks nothing",
        ),
        ("processes:\n  a: {command: x, environment: [X]}\n", "process-compose.yaml:2: is no variable"),
        (
            "processes:\n  a: {command: x, disabled: maybe}\n",
            "process-compose.yaml:2: `disabled` is neither true nor false",
        ),
        (
            "processes:\n  a: {command: x, availability: {restart: often}}\n",
            "process-compose.yaml:2: unknown value `often`",
        ),
        ("processes: [\n", "process-compose.yaml:"),
    ] {
        let error = Ground::new(yaml).import().unwrap_err();
        assert!(error.to_string().starts_with(expected), "{yaml}\n{error}");
        assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{error}");
    }
    let missing = import_compose(&Ground::new("").options(), Path::new("other.yaml")).unwrap_err();
    assert!(missing.to_string().contains("there is no such file"), "{missing}");
}
