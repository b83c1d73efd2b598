use super::*;

use ganger_core::{Exit, RunId, State};
use ganger_spec::{Options, Signal, WorkerName};
use jiff::civil::date;
use jiff::tz::TimeZone;

/// What supervisord 4.3.0 wrote, without the times, while the programs below did what is told below.
const STOCK: &str = include_str!("stock-4.3.0.log");

const CONFIG: &str = "\
[supervisord]
logfile=main.log
[unix_http_server]
file=/nowhere/s.sock
[program:obedient]
command=/usr/bin/tail -f /dev/null
[program:stubborn]
command=/bin/sh -c 'trap : TERM'
[program:zero]
command=/bin/sh -c 'exit 3'
startsecs=0
[program:good]
command=/bin/true
startsecs=0
[program:flaky]
command=/bin/sh -c 'exit 4'
startsecs=5
[program:missing]
command=/no/such/program
[program:twice]
process_name=t_%(process_num)s
numprocs=2
command=/usr/bin/tail -f /dev/null
[program:late]
command=/bin/sh -c 'kill -9 $$'
";

fn spec(dir: &tempfile::TempDir) -> Arc<Spec> {
    let file = dir.path().join("s.conf");
    std::fs::write(&file, CONFIG).unwrap();
    let options = Options { dir: dir.path().to_owned(), file: Some(file), ..Options::default() };
    Arc::new(ganger_spec::load(&options).unwrap().spec)
}

fn worker(spec: &Spec, process: &str) -> WorkerName {
    let all = spec.groups.iter().flat_map(|group| (1..=group.count).map(|n| WorkerName::new(&group.name, n)));
    all.into_iter().find(|name| spec.worker(name).unwrap().process == process).unwrap()
}

/// What happened, as the decider tells it.
fn events(spec: &Spec) -> Vec<Event> {
    let name = |process: &str| worker(spec, process);
    let state = |process: &str, from, to| {
        let why = String::new();
        Event::State { worker: name(process), from, to, pid: None, why }
    };
    let started = |process: &str, pid| Event::Started { worker: name(process), run: RunId(1), pid };
    let ended = |process: &str, exit| Event::Ended { worker: name(process), run: RunId(1), exit };
    let missing = || Event::SpawnFailed {
        worker: name("missing"),
        reason: "command not found: /no/such/program".to_owned(),
    };
    let starting = |process: &str| state(process, State::Stopped, State::Starting);
    let running = |process: &str| state(process, State::Starting, State::Running);
    let fatal = |process: &str| state(process, State::Backoff, State::Fatal);
    vec![
        starting("obedient"),
        started("obedient", 11386),
        starting("flaky"),
        started("flaky", 11387),
        starting("good"),
        started("good", 11388),
        running("good"),
        ended("good", Exit::Code(0)),
        state("good", State::Running, State::Exited),
        starting("late"),
        started("late", 11389),
        missing(),
        starting("stubborn"),
        started("stubborn", 11390),
        starting("t_0"),
        started("t_0", 11393),
        starting("t_1"),
        started("t_1", 11394),
        starting("zero"),
        started("zero", 11395),
        ended("flaky", Exit::Code(4)),
        state("flaky", State::Starting, State::Backoff),
        running("zero"),
        ended("zero", Exit::Code(3)),
        state("zero", State::Running, State::Exited),
        running("obedient"),
        running("late"),
        fatal("missing"),
        running("stubborn"),
        running("t_0"),
        running("t_1"),
        fatal("flaky"),
        ended("late", Exit::Signal(Signal::KILL)),
        state("late", State::Running, State::Exited),
        state("obedient", State::Running, State::Stopping),
        ended("obedient", Exit::Signal(Signal::TERM)),
        state("obedient", State::Stopping, State::Stopped),
        Event::ShuttingDown { reason: "SIGTERM received".to_owned(), now: false },
        state("t_0", State::Running, State::Stopping),
        ended("t_0", Exit::Signal(Signal::TERM)),
        state("stubborn", State::Running, State::Stopping),
        Event::Killing { worker: name("stubborn"), why: String::new() },
        ended("stubborn", Exit::Signal(Signal::KILL)),
    ]
}

#[test]
fn what_happens_is_told_in_lines_that_supervisord_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(&dir);
    let mut main = MainLog::open(spec.supervisor.as_ref().unwrap(), watch::channel(()).0).unwrap();
    main.in_force(Arc::clone(&spec));
    for (level, text) in greeting(&spec, spec.supervisor.as_ref().unwrap(), true, 11341) {
        main.say(level, &text);
    }
    let told: Vec<String> = events(&spec).iter().flat_map(|event| main.tell(event)).collect();
    assert!(told.len() == 29, "{told:#?}");
    let text = std::fs::read_to_string(dir.path().join("main.log")).unwrap();
    let stock: Vec<&str> = STOCK.lines().collect();
    let ours: Vec<&str> = text.lines().map(|line| &line[24..]).collect();
    let good =
        "INFO success: good entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)";
    // supervisord tells no success of a process that has ended before it looked.
    let foreign: Vec<_> = ours.iter().filter(|line| !stock.contains(line) && **line != good).collect();
    assert!(foreign.is_empty(), "{foreign:#?}");
    assert!(text.ends_with("WARN stopped: stubborn (terminated by SIGKILL)\n"), "{text}");
}

#[test]
fn who_waits_and_who_is_ready_is_told_by_the_names_of_processes() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(&dir);
    let mut main = MainLog::open(spec.supervisor.as_ref().unwrap(), watch::channel(()).0).unwrap();
    main.in_force(Arc::clone(&spec));
    let worker = || worker(&spec, "t_1");
    let why = "waits for db to be ready".to_owned();
    let ready =
        |ready, why: &str| Event::Ready { worker: worker(), run: RunId(1), ready, why: why.to_owned() };
    let events = [
        Event::Waiting { worker: worker(), why, in_vain: false },
        ready(true, "up and ready"),
        ready(false, "`test -e go` exited with code 1"),
    ];
    let told: Vec<String> = events.iter().flat_map(|event| main.tell(event)).collect();
    let told: Vec<&str> = told.iter().map(|line| line[24..].trim_end()).collect();
    assert_eq!(
        told,
        [
            "INFO waiting: t_1 for db to be ready",
            "INFO ready: t_1",
            "WARN not ready: t_1 (`test -e go` exited with code 1)"
        ]
    );
}

#[test]
fn a_log_that_says_less_leaves_out_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(&dir);
    let daemon = Daemon { loglevel: LogLevel::Warn, ..Daemon::clone(spec.supervisor.as_ref().unwrap()) };
    let mut main = MainLog::open(&daemon, watch::channel(()).0).unwrap();
    main.in_force(Arc::clone(&spec));
    let told: Vec<String> = events(&spec).iter().flat_map(|event| main.tell(event)).collect();
    assert!(told.iter().all(|line| line.contains(" WARN ")) && told.len() > 5, "{told:#?}");
    let text = std::fs::read_to_string(dir.path().join("main.log")).unwrap();
    assert_eq!(text, told.concat());
}

#[test]
fn a_line_begins_with_the_local_time_and_a_level_of_four_letters() {
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    let time = date(2026, 11, 28).at(1, 20, 38, 7_000_000).to_zoned(zone).unwrap();
    assert_eq!(line(&time, LogLevel::Warn, "killing"), "2026-11-28 01:20:38,007 WARN killing\n");
}
