//! Keys that supervisord passes over and ganger reads: they become what `ganger.toml` says by the same words.

use std::time::Duration;

use ganger_spec::{
    Backoff, Check, Command, Condition, Each, Group, LogFile, Logs, OnFatal, ProbeKind, Restart, Spec,
    WorkerName, load,
};

use super::told::{Site, group, whole};

/// Two programs, and what more is said of the second.
fn two(lines: &str) -> Site {
    whole(&format!("[program:db]\ncommand=db\n[program:web]\ncommand=web\n{lines}"))
}

fn web(site: &Site) -> Group {
    site.load().spec.groups.into_iter().find(|group| group.name == "web").unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn nothing_is_there_that_is_not_written() {
    let usual = group("");
    let none = Group::new("x", usual.command.clone(), "/");
    assert_eq!(
        (
            &usual.depends_on,
            &usual.readiness,
            &usual.liveness,
            usual.max_memory,
            &usual.watch,
            usual.on_fatal
        ),
        (&none.depends_on, &none.readiness, &none.liveness, none.max_memory, &none.watch, none.on_fatal)
    );
    assert_eq!(usual.rules(), "");
}

#[test]
fn starts_that_fail_are_repeated_as_often_and_as_late_as_is_said() {
    let curve = |lines: &str| {
        let Restart { attempts, backoff, .. } = group(lines).restart;
        let Backoff { initial, factor_permille, step, max, jitter_permille } = backoff;
        (attempts, initial, factor_permille, step, max, jitter_permille)
    };
    let (one, long) = (seconds(1), seconds(366 * 86_400));
    assert_eq!(curve("startretries=9\n"), (Some(10), one, 1000, one, long, 0));
    assert_eq!(
        curve("attempts=unlimited\n"),
        (None, one, 1000, one, seconds(30), 0),
        "a second longer, up to 30 s"
    );
    let all = "attempts=7\nbackoff_initial=500ms\nbackoff_factor=1.5\nbackoff_step=2s\nbackoff_max=1m\nbackoff_jitter=0.1\n";
    assert_eq!(curve(all), (Some(7), Duration::from_millis(500), 1500, seconds(2), seconds(60), 100));
    assert_eq!(
        curve("backoff_factor=2\n"),
        (Some(4), one, 2000, Duration::ZERO, seconds(30), 0),
        "then there is no step"
    );
    assert_eq!(curve("backoff_initial=2m\n").4, seconds(120), "the longest is no shorter than the first");
}

#[test]
fn a_program_waits_for_others_for_all_of_a_group_and_until_what_is_said() {
    let site = whole(
        "[group:base]\nprograms=db,cache\n[program:db]\ncommand=x\n[program:cache]\ncommand=x\n\
         [program:migrate]\ncommand=x\nstartsecs=0\n[program:web]\ncommand=x\n\
         depends_on = base, migrate:completed,\n  my@log : Started\n[program:my@log]\ncommand=x\n",
    );
    assert_eq!(site.told().0, [""; 0]);
    let web = web(&site);
    let waits: Vec<(&str, Condition)> = web.dependencies().collect();
    let [cache, db, migrate, log] = waits[..] else { panic!("{waits:?}") };
    assert_eq!((cache, db), (("cache", Condition::Ready), ("db", Condition::Ready)));
    assert_eq!(migrate, ("migrate", Condition::Completed));
    assert!(log.0.starts_with("my_log-") && log.1 == Condition::Started, "{log:?}");
    assert!(web.rules().starts_with("waits for cache to be ready and for db to be ready"), "{}", web.rules());
}

#[test]
fn probes_ask_what_is_said_and_each_worker_its_own() {
    let site = whole(
        "[program:web]\ncommand=x\nnumprocs=3\nprocess_name=w%(process_num)d\nenvironment=DIR=/srv/%(process_num)d\n\
         readiness_http=http://127.0.0.1:80%(process_num)02d/%(program_name)s\nreadiness_interval=500ms\n\
         readiness_successes=2\nliveness_command=test -e %(ENV_DIR)s/x && true\nliveness_delay=1m\nliveness_timeout=5\n\
         liveness_failures=1\n",
    );
    let spec = site.load().spec;
    let asked = |number: u32, kind| spec.probe(&WorkerName::new("web", number), kind).unwrap();
    let readiness = asked(3, ProbeKind::Readiness);
    assert_eq!(readiness.check.to_string(), "GET http://127.0.0.1:8002/web");
    let half = Duration::from_millis(500);
    assert_eq!((readiness.interval, readiness.interval_ready, readiness.successes), (half, half, 2));
    let liveness = asked(1, ProbeKind::Liveness);
    assert_eq!(liveness.check, Check::Command(Command::Line("test -e /srv/0/x && true".to_owned())));
    assert_eq!((liveness.delay, liveness.timeout, liveness.failures), (seconds(60), seconds(5), 1));
    assert_eq!(asked(2, ProbeKind::Liveness).check.to_string(), "`test -e /srv/1/x && true`");
    assert!(spec.groups[0].rules().contains("8000/web, each its own"), "{}", spec.groups[0].rules());
    let plain = group("readiness_tcp=localhost:5432\nenvironment=A=1\n");
    assert_eq!(plain.readiness.unwrap().check.to_string(), "a connection to localhost:5432");
}

#[test]
fn memory_ends_and_files_are_watched() {
    let group = group(
        "on_fatal=shutdown\nmax_memory=300MB\ndirectory=/srv\nwatch=app/**/*.{rb,erb} config\nwatch_ignore=*.log\n\
         watch_usual_ignore=no\nwatch_debounce=1s\nwatch_signal=HUP\n",
    );
    assert_eq!((group.on_fatal, group.max_memory), (OnFatal::Shutdown, Some(300 << 20)));
    let watch = group.watch.clone().unwrap();
    assert_eq!(watch.globs, ["app/**/*.{rb,erb}", "config"]);
    assert_eq!((watch.ignore, watch.debounce), (vec!["*.log".to_owned()], seconds(1)));
    assert!(watch.signal.is_some() && watch.base.ends_with("srv"));
    let rules = group.rules();
    assert!(
        rules.contains("at most 300 MiB of memory; the app stops when it is given up; told by SIGHUP"),
        "{rules}"
    );
}

/// What stands at line 10 and is refused: what is said of it, and a part of the hint.
const REFUSED: &[(&str, &str, &str)] = &[
    ("attempts=0\n", "`attempts`: `0` is no number of starts", "`unlimited`"),
    ("attempts=infinite\n", "`attempts`: `infinite` is no number of starts", "`unlimited`"),
    ("backoff_factor=0.5\n", "`backoff_factor`: `0.5` is no number from 1 to 100", "such as `2`"),
    ("backoff_jitter=2\n", "`backoff_jitter`: `2` is no number from 0 to 1", "`0.1`"),
    ("backoff_max=soon\n", "`backoff_max`: `soon` is no duration", "write `500ms`, `5s`"),
    (
        "backoff_max=10ms\n",
        "`backoff_max` is shorter than the first delay, `backoff_initial`",
        "which is 1s by itself",
    ),
    ("on_fatal=exit\n", "`on_fatal`: `exit` is nothing that can follow", "known: shutdown, stay"),
    ("max_memory=300M\n", "`max_memory`: `300M` is no size", "`300MB`"),
    ("max_memory=0\n", "`max_memory`: `0` is no memory to run in", "leave the key out"),
    ("depends_on=bd\n", "`depends_on` names `bd`, and no such program is there", "did you mean `db`?"),
    (
        "depends_on=db:raedy\n",
        "`depends_on`: `raedy` is nothing that a program can be waited for to be",
        "did you mean `db:ready`?",
    ),
    (
        "depends_on=base:db_01\n",
        "`depends_on`: `db_01` is nothing that a program can be waited for to be",
        "it is programs that are named, not processes",
    ),
    ("depends_on=:ready\n", "`depends_on`: `:ready` names no program", "db:ready,cache"),
    ("depends_on=db,db:started\n", "`depends_on` names `db` twice", "leave one"),
    ("depends_on=web\n", "`web` waits for `web`: none of them can start", "leave one of these"),
    (
        "depends_on=%(process_num)d\n",
        "`depends_on`: `%(process_num)s` stands for nothing here",
        "what probes ask",
    ),
    ("readiness_http=/health\n", "`readiness_http`: `/health` names no port", "%(process_num)d"),
    ("readiness_http=https://x/\n", "`readiness_http`: `https://x/` is an https URL", "curl -fsS"),
    ("readiness_http=80%(process_num)z\n", "`readiness_http`: `80%(process_num)z` is badly formatted", "02d"),
    ("liveness_tcp=true\n", "`liveness_tcp`: `true` is no port and no place", "write a port, or `HOST:PORT`"),
    ("liveness_command=\n", "`liveness_command`: the command is empty or has a NUL", "a line for the shell"),
    ("liveness_tcp=1\nliveness_timeout=0\n", "`liveness_timeout`: `0` is no time at all", "500ms"),
    (
        "liveness_tcp=1\nliveness_failures=0\n",
        "`liveness_failures`: `0` is not from 1 to 2147483647",
        "range",
    ),
    ("readiness_interval=5s\n", "the readiness probe of [program:web] asks nothing", "`readiness_http`"),
    ("watch_signal=HUP\n", "`watch_signal` is said, and no `watch`", "write `watch=`"),
    ("watch=\n", "`watch`: there is no glob to watch", "`watch=app/**/*.rb config`"),
    ("watch=a[\n", "`watch`: `a[` is no glob", "`[a-z]`"),
];

#[test]
fn what_makes_no_sense_is_refused_with_place_and_hint() {
    for (lines, message, hint) in REFUSED {
        let (told, hints) = two(lines).told();
        let line = 9 + lines.lines().count();
        assert!(
            told.len() == 1 && told[0].starts_with(&format!("supervisord.conf:{line}: {message}")),
            "{lines}: {told:?}"
        );
        assert!(hints[0].contains(*hint), "{lines}: {hints:?}");
    }
    let (told, _) = two("liveness_tcp=1\nliveness_http=http://x/\n").told();
    assert_eq!(told, ["supervisord.conf:10: the liveness probe of [program:web] asks two things at once"]);
    let circle = "[program:a]\ncommand=x\ndepends_on=b\n[program:b]\ncommand=x\ndepends_on=a\n";
    assert_eq!(whole(circle).told().0.len(), 1);
    let always =
        "[program:job]\ncommand=x\nautorestart=true\n[program:w]\ncommand=x\ndepends_on=job:completed\n";
    assert!(whole(always).told().1[0].contains("autorestart=unexpected"));
}

#[test]
fn the_example_of_the_page_for_users_is_true() {
    let page = include_str!("../../../../docs/supervisor.md");
    let (_, section) = page.split_once("## What supervisord passes over").unwrap();
    let block = section.lines().skip_while(|line| !line.starts_with("    ["));
    let block = block.take_while(|line| line.is_empty() || line.starts_with("    "));
    let lines: Vec<&str> = block.map(str::trim_start).collect();
    let site = whole(&format!("{}\n", lines.join("\n")));
    assert_eq!(site.told().0, [""; 0]);
    let spec = site.load().spec;
    let rules: Vec<String> =
        spec.groups.iter().map(|group| format!("{}: {}", group.name, group.rules())).collect();
    assert_eq!(
        rules,
        [
            "db: readiness by a connection to port 5432",
            "migrate: waits for db to be ready",
            "web: waits for db to be ready and for migrate to be completed; readiness by GET \
             http://127.0.0.1:8000/health, each its own; liveness by `bin/alive`; at most 300 MiB of memory; failed starts \
             without bound, 1s to 1m apart"
        ]
    );
}

#[test]
fn no_more_pairs_wait_than_can_be_kept() {
    let programs = |count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("p{at}")).collect();
        let program = |name: &String| format!("[program:{name}]\ncommand=x\n");
        let waits = |at: usize| format!("[program:w{at}]\ncommand=x\ndepends_on=all-of-them\n");
        let sections: String = names.iter().map(program).chain((0..100).map(waits)).collect();
        whole(&format!("[group:all-of-them]\nprograms={}\n{sections}", names.join(","))).told().0
    };
    assert_eq!(programs(1_000), [""; 0]);
    assert!(programs(1_001)[0].contains("more than 100000 pairs of programs"));
}

#[test]
fn an_event_listener_has_what_makes_sense_for_it() {
    let listener = |lines: &str| whole(&format!("[eventlistener:l]\ncommand=x\nevents=TICK_5\n{lines}"));
    let (told, hints) = listener("depends_on=l\nreadiness_tcp=1\n").told();
    assert_eq!(
        told,
        [
            "supervisord.conf:9: `depends_on` is no key of [eventlistener:l]",
            "supervisord.conf:10: `readiness_tcp` is no key of [eventlistener:l]"
        ]
    );
    assert!(hints[0].contains("hears events from the beginning"), "{hints:?}");
    let site = listener("attempts=unlimited\nmax_memory=1GB\nliveness_command=true\non_fatal=shutdown\n");
    assert_eq!(site.told().0, [""; 0]);
    assert_eq!(site.load().spec.groups[0].restart.attempts, None);
}

#[test]
fn what_is_probably_not_meant_so_is_told() {
    for (lines, message, hint) in [
        (
            "[program:x]\ncommand=x\ndepend_on=y\n",
            ":8: unknown key `depend_on` of [program:x]: nobody reads it",
            "did you mean `depends_on`?",
        ),
        (
            "[program:x]\ncommand=x\nreadiness.http=http://x/\n",
            ":8: unknown key `readiness.http` of [program:x]: nobody reads it",
            "did you mean `readiness_http`?",
        ),
        (
            "[program:x]\ncommand=x\nliveness_command=a ; b\n",
            ":8: `; b` is a comment here, no part of the command",
            "no blank before",
        ),
        (
            "[program:x]\ncommand=x\ndepends_on=y:completed\n[program:y]\ncommand=y\n",
            ":8: `y` is waited for to be completed, and an end within its `startsecs` of 1 s is a failed start",
            "give `y` a line `startsecs=0`",
        ),
    ] {
        let (told, hints) = whole(lines).told();
        assert_eq!(told, [format!("supervisord.conf{message}")], "{lines}");
        assert!(hints[0].contains(hint), "{lines}: {hints:?}");
    }
}

#[test]
fn another_value_is_a_change_that_restarts_nobody() {
    let site = two("numprocs=2\nprocess_name=w%(process_num)d\n");
    let path = site.options.file.clone().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let of = |lines: &str| {
        std::fs::write(&path, format!("{text}{lines}")).unwrap();
        site.load().spec
    };
    for (lines, field) in [
        ("depends_on=db", "depends_on"),
        ("attempts=unlimited", "restart"),
        ("backoff_max=5s", "restart"),
        ("on_fatal=shutdown", "on_fatal"),
        ("max_memory=1GB", "max_memory"),
        ("liveness_tcp=80%(process_num)02d", "probes"),
        ("readiness_command=test -e x", "probes"),
        ("watch=app", "watch"),
    ] {
        let changes = Spec::changes(&of(""), &of(&format!("{lines}\n")));
        let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(told, [format!("web: {field} changed, no restart")], "{lines}");
    }
    let changes =
        Spec::changes(&of("liveness_tcp=80%(process_num)02d\n"), &of("liveness_tcp=81%(process_num)02d\n"));
    assert_eq!(changes.len(), 1, "{changes:?}");
}

#[test]
fn the_native_form_says_all_of_it() {
    let text = "[program:db]\ncommand=x\nstartsecs=0\nreadiness_tcp=[::1]:5432\nattempts=unlimited\nbackoff_factor=1.5\n\
                backoff_initial=250ms\nbackoff_jitter=0.1\n\
                [program:my@job]\ncommand=x\nstartsecs=0\nwatch=/srv/x app\nwatch_ignore=*.log tmp/x\nwatch_debounce=50ms\n\
                [program:web]\ncommand=x\nnumprocs=2\nprocess_name=w%(process_num)d\n\
                depends_on=db:started,my@job:completed\nreadiness_http=http://127.0.0.1:8000/?a=\"b\"\n\
                readiness_interval=500ms\nliveness_command=test -e 'a b'\nliveness_interval=30s\nliveness_failures=9\n\
                liveness_delay=1\nmax_memory=300MB\non_fatal=shutdown\nwatch=app\nwatch_signal=USR1\nwatch_usual_ignore=no\n";
    let loaded = whole(text).load();
    let native = loaded.to_native().unwrap();
    let mut again = Site::new(&[("ganger.toml", native.as_str())]);
    again.options.file = None;
    let again = load(&again.options).unwrap_or_else(|error| panic!("{error}\n{native}"));
    let plain = |group: &Group| Group {
        each: Each::default(),
        supervisor: None,
        env: Vec::new(),
        logs: Logs { out: LogFile::Store, err: LogFile::Store, err_size: None, ..group.logs.clone() },
        // Its globs are absolute there.
        watch: None,
        ..group.clone()
    };
    let expected: Vec<Group> = loaded.spec.groups.iter().map(plain).collect();
    let found: Vec<Group> = again.spec.groups.iter().map(plain).collect();
    assert_eq!(found, expected, "{native}");
    for (before, after) in loaded.spec.groups.iter().zip(&again.spec.groups) {
        let (Some(before), Some(after)) = (&before.watch, &after.watch) else { continue };
        assert_eq!((before.debounce, before.signal), (after.debounce, after.signal));
        let whole = |glob: &String| before.base.join(glob).display().to_string();
        assert_eq!(after.globs, before.globs.iter().map(whole).collect::<Vec<_>>());
        assert_eq!(after.ignore.len(), before.ignore.len(), "{native}");
    }
}
