//! What ganger makes of a file of supervisord's, and what it says of it.

use std::time::Duration;

use ganger_spec::{
    Compat, Early, Group, Loaded, LogFile, OnExit, Options, RestartMode, Spec, Stderr, Stdin, StopScope,
    WorkerName, load, load_ctl, search_paths,
};

use super::{Path, stock, write};

/// A directory with files of which the first is read.
pub(crate) struct Site {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) options: Options,
}

impl Site {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let owned: Vec<_> =
            files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let file = Some(write(dir.path(), &owned));
        let options = Options {
            dir: dir.path().to_owned(),
            file,
            inherited: stock::VARIABLES.map(|(name, value)| (name.into(), value.into())).into(),
            ..Options::default()
        };
        Self { dir, options }
    }

    pub(crate) fn load(&self) -> Loaded {
        load(&self.options).unwrap_or_else(|error| panic!("{error}"))
    }

    /// What is told, a line each: errors if there are any, else warnings. The hints are apart.
    pub(crate) fn told(&self) -> (Vec<String>, Vec<String>) {
        let problems = match load(&self.options) {
            Ok(loaded) => loaded.warnings,
            Err(error) => error.problems().to_vec(),
        };
        let hints = problems.iter().filter_map(|problem| problem.hint.clone()).collect();
        (problems.iter().map(ToString::to_string).collect(), hints)
    }
}

/// A file in which nothing is missing but these lines.
pub(crate) fn whole(lines: &str) -> Site {
    let text = format!(
        "[supervisord]\n[unix_http_server]\nfile=s.sock\n[rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n{lines}"
    );
    Site::new(&[("supervisord.conf", text.as_str())])
}

pub(crate) fn group(lines: &str) -> Group {
    whole(&format!("[program:web]\ncommand=serve\n{lines}")).load().spec.groups.remove(0)
}

/// The configuration of the documentation of `SlmQueue`, and the worker that it adds.
const BASIC: &str = "[supervisord]\nlogfile          = LOGS/supervisord.log\nlogfile_maxbytes = 50MB\n\
    logfile_backups  = 10\nloglevel         = error\n\n[unix_http_server]\nfile             = /tmp/supervisor.sock\n\n\
    [supervisorctl]\nserverurl        = unix:///tmp/supervisor.sock\n\n";
const WORKER: &str = "[program:my-app]\ncommand     = php /var/www/mysite/public/index.php queue beanstalkd default\n\
    user        = nobody\nautorestart = true\n";
const WORKERS: &str = "[program:my-app]\nuser         = nobody\n\
    command      = php /var/www/mysite/public/index.php queue beanstalkd\nnumprocs     = 3\n\
    process_name = my-app-worker-%(process_num)\nautorestart  = true\n";

#[test]
fn the_basic_example_of_slmqueue_is_read_and_what_it_lacks_is_pointed_out() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("{BASIC}{WORKER}").replace("LOGS", &dir.path().display().to_string());
    let site = Site::new(&[("supervisord.conf", text.as_str())]);
    let (told, hints) = site.told();
    assert_eq!(told, ["supervisord.conf: has no [rpcinterface:supervisor]"]);
    assert!(hints[0].contains("supervisor.rpcinterface_factory"), "{hints:?}");
    let loaded = site.load();
    let [group] = loaded.spec.groups.as_slice() else { panic!("one program") };
    assert_eq!((group.name.as_str(), group.process_name(1).as_str()), ("my-app", "my-app"));
    assert_eq!(group.user.as_deref(), Some("nobody"));
    assert_eq!((group.restart.mode, group.exits.len()), (RestartMode::Always, 0));
    assert_eq!(loaded.spec.supervisor.unwrap().server_url().as_deref(), Some("unix:///tmp/supervisor.sock"));
}

#[test]
fn the_numprocs_example_of_slmqueue_is_refused_with_what_to_write() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("{BASIC}{WORKERS}").replace("LOGS", &dir.path().display().to_string());
    let (told, hints) = Site::new(&[("supervisord.conf", text.as_str())]).told();
    let expected = "supervisord.conf:17: `process_name`: `my-app-worker-%(process_num)` is badly formatted: incomplete format";
    assert_eq!(told, [expected]);
    assert_eq!(hints, ["write `%(process_num)02d`, or `%(process_num)s` without leading zeros"]);
    let text = text.replace("%(process_num)", "%(process_num)02d");
    let spec = Site::new(&[("supervisord.conf", text.as_str())]).load().spec;
    let names: Vec<String> = (1..=3).map(|number| spec.groups[0].process_name(number)).collect();
    assert_eq!(names, ["my-app-worker-00", "my-app-worker-01", "my-app-worker-02"]);
}

#[test]
fn a_program_becomes_a_group_with_the_policies_of_supervisord() {
    let usual = group("");
    assert_eq!(usual.restart.startsecs, Duration::from_secs(1));
    assert_eq!((usual.restart.attempts, usual.restart.early), (Some(4), Early::Retry));
    let backoff = &usual.restart.backoff;
    assert_eq!(
        (backoff.initial, backoff.step, backoff.factor_permille),
        (Duration::from_secs(1), Duration::from_secs(1), 1000)
    );
    assert_eq!((usual.restart.mode, usual.exits.get(&0)), (RestartMode::Always, Some(&OnExit::Stop)));
    assert_eq!((usual.stop.scope, usual.stop.timeout), (StopScope::Main, Duration::from_secs(10)));
    assert_eq!((usual.stdin, usual.priority, usual.autostart), (Stdin::Pipe, 999, true));
    assert_eq!((usual.logs.stderr, &usual.logs.out), (Stderr::Separate, &LogFile::Store));
    let other = group(
        "autorestart=false\nstartretries=0\nstopasgroup=true\nstopsignal=INT\npriority=-5\nautostart=no\nredirect_stderr=1\n\
         stdout_logfile=none\nstdout_logfile_maxbytes=0\nexitcodes=0,2\n",
    );
    assert_eq!(
        (other.restart.mode, other.exits.len(), other.restart.attempts),
        (RestartMode::Never, 0, Some(1))
    );
    assert_eq!((other.stop.scope, other.stop.signal.to_string().as_str()), (StopScope::Tree, "SIGINT"));
    assert_eq!((other.priority, other.family_priority(), other.autostart), (-5, -5, false));
    assert_eq!((other.logs.stderr, other.logs.max_size), (Stderr::Together, Some(u64::MAX)));
    assert_eq!(other.logs.out, LogFile::Dropped);
}

#[test]
fn programs_are_told_who_they_are_and_their_own_variables_win() {
    let text = "[group:base]\nprograms=web\n[program:web]\ncommand=serve %(process_num)s\nnumprocs=2\nnumprocs_start=7\n\
                process_name=%(program_name)s_%(process_num)02d\nenvironment=N=\"n%(process_num)d\",STAGE=own\n";
    let spec = whole(text).load().spec;
    let worker = spec.worker(&WorkerName::new("web", 5)).unwrap();
    assert_eq!((worker.process.as_str(), worker.line.as_str()), ("web_11", "serve 11"));
    let value = |name: &str| {
        worker
            .env
            .iter()
            .find(|variable| variable.name == name)
            .map(|variable| variable.value.clone())
            .unwrap()
    };
    assert_eq!(
        (value("N"), value("STAGE"), value("SUPERVISOR_ENABLED")),
        ("n11".into(), "own".into(), "1".into())
    );
    assert_eq!(
        (value("SUPERVISOR_PROCESS_NAME"), value("SUPERVISOR_GROUP_NAME")),
        ("web_11".into(), "base".into())
    );
    assert!(value("SUPERVISOR_SERVER_URL").starts_with("unix:///"), "{}", value("SUPERVISOR_SERVER_URL"));
    let line = |number: usize| spec.plan()[number].argv.words.join(" ");
    assert_eq!((line(0), line(1)), ("serve 7".to_owned(), "serve 8".to_owned()));
}

#[test]
fn another_numprocs_is_another_count_and_nothing_else() {
    let text = |count: u32| {
        let name = "process_name=w_%(process_num)d\ncommand=w -n %(process_num)d\n";
        whole(&format!("[program:w]\n{name}numprocs={count}\n"))
    };
    let site = text(3);
    let old = site.load().spec;
    let path = site.options.file.clone().unwrap();
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replace("numprocs=3", "numprocs=5"))
        .unwrap();
    let changes = Spec::changes(&old, &site.load().spec);
    let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["w: count from 3 to 5"]);
}

#[test]
fn families_and_listeners_start_by_their_priorities() {
    let text = "[program:b]\ncommand=b\n[program:a]\ncommand=a\npriority=5\n[program:c]\ncommand=c\n\
                [eventlistener:l]\ncommand=l\nevents=TICK_5\n[group:g]\nprograms=c,b\npriority=7\n";
    let spec = whole(text).load().spec;
    let names: Vec<&str> = spec.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["l", "a", "b", "c"]);
    assert_eq!(spec.start_order(), [0, 1, 2, 3]);
    assert_eq!((spec.groups[0].family_priority(), spec.groups[2].family_name()), (-1, "g"));
}

const REFUSED: &[(&str, &str, &str)] = &[
    ("[program:x]\n", ":6: [program:x] has no `command`", "write `command="),
    ("[program:a b]\ncommand=x\n", ":6: [program:a b]: `a b` is no name: it has ' ' in it", "use letters"),
    (
        "[program:x]\ncommand=x\nautostart=maybe\n",
        ":8: `autostart`: `maybe` is neither true nor false",
        "write `true`",
    ),
    (
        "[program:x]\ncommand=x\nstdout_logfile_maxbytes=10M\n",
        ":8: `stdout_logfile_maxbytes`: `10M` is no size",
        "`MB`",
    ),
    (
        "[program:x]\ncommand=x\nnumprocs=2\n",
        ":6: `process_name` needs `%(process_num)` where `numprocs` is more than 1",
        "_%(process_num)02d",
    ),
    (
        "[program:x]\ncommand=x\nstopasgroup=true\nkillasgroup=false\n",
        ":6: [program:x] has `stopasgroup=true` and `killasgroup=false`",
        "remove",
    ),
    (
        "[program:x]\ncommand=x %(program_nam)s\n",
        ":7: `command`: `%(program_nam)s` stands for nothing here",
        "did you mean `%(program_name)s`?",
    ),
    (
        "[program:x]\ncommand=x\npriority=%(process_num)d\n",
        ":8: `priority`: `%(process_num)s` stands for nothing here",
        "is known in `process_name`",
    ),
    (
        "[program:x]\ncommand=x\nenvironment=A=x@y\n",
        ":8: `environment`: `A=x@y` is badly formatted: it is not `KEY=value,KEY=value` all the way",
        "in double quotes",
    ),
    (
        "[program:x]\ncommand=date +%s\n",
        ":7: `command`: `date +%s` is badly formatted: `%s` has no name",
        "`%%`",
    ),
    (
        "[group:g]\nprograms=wbe\n[program:web]\ncommand=x\n",
        ":7: [group:g] names `wbe`, and no such program is there",
        "did you mean `web`?",
    ),
    (
        "[eventlistener:l]\ncommand=x\nevents=TICK_6\n",
        ":8: `events`: there is no event `TICK_6`",
        "did you mean `TICK_5`?",
    ),
    (
        "[rpcinterface:x]\nsupervisor.rpcinterface_factory=a:b\n",
        ":7: [rpcinterface:x] is a plugin in Python, which ganger cannot load",
        "built in",
    ),
    (
        "[inet_http_server]\nport=127.0.0.1:9001\nreadonly_username=eye\n",
        ":8: [inet_http_server] has only one of `readonly_username` and `readonly_password`",
        "both or neither",
    ),
    (
        "[supervisord]\nsyslog=logs.example\n",
        ":7: `syslog`: `logs.example` is no place to forward to",
        "syslog+udp://HOST:PORT",
    ),
    (
        "[supervisord]\ncompat=supervisor-3\n",
        ":7: `compat`: `supervisor-3` is nothing to be compatible with",
        "`compat=supervisor-4.3`",
    ),
    (
        "[program:x]\ncommand=x\nnumprocs=10001\nprocess_name=%(process_num)d\n",
        ":8: `numprocs` is more than the 10000 that a program can have",
        "split it",
    ),
];

#[test]
fn what_supervisord_refuses_is_refused_with_place_and_hint() {
    for (lines, message, hint) in REFUSED {
        let (told, hints) = whole(lines).told();
        assert_eq!(told, [format!("supervisord.conf{message}")], "{lines}");
        assert!(hints[0].contains(*hint), "{lines}: {hints:?}");
    }
}

const ODD: &[(&str, &str, &str)] = &[
    (
        "[program:x]\ncommand=x\nautorestrat=true\n",
        ":8: unknown key `autorestrat` of [program:x]: nobody reads it",
        "did you mean `autorestart`?",
    ),
    (
        "[progarm:x]\ncommand=x\n",
        ":6: unknown section [progarm:x]: nobody reads it",
        "did you mean [program:x]?",
    ),
    (
        "[program:x]\ncommand=x\nenvironment=A=a b\n",
        ":8: `environment`: A is only `a`: `b` after it is dropped",
        "in double quotes",
    ),
    (
        "[program:x]\ncommand=a ; b\n",
        ":7: `; b` is a comment here, no part of the command",
        "put no blank before",
    ),
    (
        "[program:x]\ncommand=x\nprocess_name=w-%(process_num)-app\n",
        ":8: `process_name`: `-a` after `%(process_num)` is taken for its format, and is not in the name",
        "write `%(process_num)02d-a`",
    ),
    (
        "[program:x]\ncommand=x\nstdout_logfile=syslog\n",
        ":8: `stdout_logfile=syslog` is deprecated",
        "stdout_syslog=true",
    ),
    (
        "[program:x]\ncommand=x\nredirect_stderr=true\nstderr_logfile=/tmp/e\n",
        ":9: `stderr_logfile` is not written: `redirect_stderr` is true",
        "remove one",
    ),
    (
        "[program:x]\ncommand=x\nstdout_logfile_maxbytes=0\n",
        ":6: `stdout_logfile` is AUTO and is never rotated: it may fill the disk",
        "50MB",
    ),
    (
        "[program:x]\ncommand=x 'y\n",
        ":7: can't parse command \"x 'y\": a quote is never closed",
        "close every quote",
    ),
    (
        "[include]\nfiles=none/*.conf\n[program:x]\ncommand=x\n",
        ":7: no file is named by `none/*.conf`",
        "patterns begin at",
    ),
    ("[group:g]\n[program:x]\ncommand=x\n", ":6: [group:g] has no `programs`", "names of programs"),
    (
        "[inet_http_server]\nport=9001\n[program:x]\ncommand=x\n",
        ":7: [inet_http_server] lets everybody who reaches the port control every program",
        "127.0.0.1",
    ),
    (
        "[program:a]\ncommand=x\nprocess_name=p\n[program:b]\ncommand=x\nprocess_name=p\n[group:g]\nprograms=a,b\n",
        "",
        "process_name",
    ),
];

#[test]
fn where_supervisord_is_silent_ganger_tells() {
    for (lines, message, hint) in ODD {
        let (told, hints) = whole(lines).told();
        let expected = if message.is_empty() {
            "two processes of `g` have the name `p`, one of them of `b`".to_owned()
        } else {
            format!("supervisord.conf{message}")
        };
        assert_eq!(told, [expected], "{lines}");
        assert!(hints[0].contains(*hint), "{lines}: {hints:?}");
    }
}

#[test]
fn a_command_that_cannot_be_split_is_loaded_and_fails_when_it_is_started() {
    let spec = whole("[program:x]\ncommand=x 'y\n").load().spec;
    let error = spec.worker(&WorkerName::new("x", 1)).unwrap_err();
    assert!(error.to_string().starts_with("can't parse command"), "{error}");
}

#[test]
fn keys_that_supervisord_passes_over_say_who_may_only_look_and_in_whose_way_things_are_done() {
    let site = whole(
        "[supervisord]\ncompat=\"supervisor-4.3\"\n[inet_http_server]\nport=9001\nreadonly_username=eye\n\
         readonly_password={SHA}00\n",
    );
    assert_eq!(site.told().0, Vec::<String>::new(), "a server with a reader alone is not open to all");
    let daemon = site.load().spec.supervisor.unwrap();
    assert_eq!(daemon.compat, Compat::Supervisor43);
    assert_eq!(daemon.servers[0].login, None);
    assert_eq!(daemon.servers[0].reader, Some(("eye".to_owned(), "{SHA}00".to_owned())));
    assert_eq!(whole("").load().spec.supervisor.unwrap().compat, Compat::Ganger);
}

#[test]
fn included_files_are_laid_over_the_first_and_have_their_own_here() {
    let site = Site::new(&[
        (
            "etc/s.conf",
            "[supervisord]\n[include]\nfiles=d/*.ini\n[program:p]\ncommand=old\nautostart=false\n",
        ),
        ("etc/d/a.ini", "[program:p]\ncommand=%(here)s/new\n"),
    ]);
    let loaded = site.load();
    let group = &loaded.spec.groups[0];
    assert_eq!(group.command.to_string(), site.dir.path().join("etc/d/new").display().to_string());
    assert!(!group.autostart);
    assert_eq!(loaded.spec.sources.len(), 2);
}

#[test]
fn the_client_has_its_own_section_and_the_search_its_order() {
    let site = Site::new(&[(
        "s.conf",
        "[supervisorctl]\nserverurl=unix://run/s.sock\nprompt=ours\nusername=%(ENV_STAGE)s\n",
    )]);
    let ctl = load_ctl(site.options.file.as_ref().unwrap(), &site.options).unwrap();
    assert_eq!(ctl.serverurl, format!("unix://{}/run/s.sock", site.dir.path().display()));
    assert_eq!((ctl.prompt.as_str(), ctl.username.as_deref()), ("ours", Some("test")));
    let found = search_paths(Path::new("/opt/x/bin/supervisord"), Path::new("/srv"));
    let expected = [
        "/opt/x/etc/supervisord.conf",
        "/opt/x/supervisord.conf",
        "/srv/supervisord.conf",
        "/srv/etc/supervisord.conf",
        "/etc/supervisord.conf",
        "/etc/supervisor/supervisord.conf",
    ];
    assert_eq!(found, expected.map(std::path::PathBuf::from));
}

#[test]
fn the_native_form_of_a_file_says_the_same_and_tells_what_it_cannot() {
    let text = "[program:web]\ncommand=serve \"a b\" %(process_num)d\nnumprocs=2\nprocess_name=w%(process_num)d\nexitcodes=0,2\n\
                environment=A='x \"y\" z'\nstopsignal=INT\nautostart=no\npriority=5\nstdout_logfile_maxbytes=5MB\n\
                [program:my@app]\ncommand=x\nautorestart=false\nstdout_logfile=none\nredirect_stderr=true\numask=027\n";
    let loaded = whole(text).load();
    let native = loaded.to_native().unwrap();
    for told in [
        "# Its processes were `w0` to `w1`.",
        "# `process_num` stood in its keys",
        "# `my@app` is no name of a group.",
    ] {
        assert!(native.contains(told), "{told}:\n{native}");
    }
    let mut again = Site::new(&[("ganger.toml", native.as_str())]);
    again.options.file = None;
    let plain = |group: &Group| Group {
        each: ganger_spec::Each::default(),
        supervisor: None,
        env: Vec::new(),
        logs: ganger_spec::Logs {
            out: LogFile::Store,
            err: LogFile::Store,
            err_size: None,
            ..group.logs.clone()
        },
        ..group.clone()
    };
    let expected: Vec<Group> = loaded.spec.groups.iter().map(plain).collect();
    let found: Vec<Group> = again.load().spec.groups.iter().map(plain).collect();
    assert_eq!(found, expected, "{native}");
    assert_eq!(again.load().spec.groups[0].env[0].value, "x \"y\" z");
}

#[test]
fn the_native_form_has_the_user_and_the_mask_that_are_said_for_all() {
    let text = "[supervisord]\nuser=nobody\numask=077\nstrip_ansi=true\n[program:own]\ncommand=x\nuser=root\numask=027\n\
                [program:web]\ncommand=x\n";
    let native = Site::new(&[("supervisord.conf", text)]).load().to_native().unwrap();
    assert!(
        native.contains("# `strip_ansi` has no match here") && native.contains("SUPERVISOR_ENABLED"),
        "{native}"
    );
    let mut again = Site::new(&[("ganger.toml", native.as_str())]);
    again.options.file = None;
    let groups = again.load().spec.groups;
    let whom: Vec<_> = groups.iter().map(|group| (group.user.as_deref(), group.umask)).collect();
    assert_eq!(whom, [(Some("root"), Some(0o27)), (Some("nobody"), Some(0o77))], "{native}");
}

#[test]
fn programs_that_name_no_user_run_as_that_of_all_where_they_can() {
    let text = "[supervisord]\nuser=nobody\n[program:own]\ncommand=x\nuser=root\n[program:web]\ncommand=x\n";
    for (is_root, web) in [(true, Some("nobody")), (false, None)] {
        let mut site = Site::new(&[("supervisord.conf", text)]);
        site.options.is_root = is_root;
        let groups = site.load().spec.groups;
        let whom: Vec<_> = groups.iter().map(|group| group.user.as_deref()).collect();
        assert_eq!(whom, [Some("root"), web]);
    }
}
