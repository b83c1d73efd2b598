use super::*;
use ganger_api::{EndedUsageInfo, EventKind, OverriddenInfo, PortInfo, SourceInfo, WorkerInfo, WorkerState};
use ganger_spec::WorkerName;

fn usage() -> UsageInfo {
    UsageInfo {
        processes: 2,
        threads: 5,
        cpu_ms: 40,
        cpu_percent: Some(12.345),
        memory_bytes: 12_897_485,
        cgroup_memory_bytes: None,
        descriptors: 9,
        read_bytes: 0,
        written_bytes: 4096,
        hidden: 0,
    }
}

fn ended(run: u64, lasted_ms: Option<u64>, usage: Option<EndedUsageInfo>) -> EndedRunInfo {
    let ended = "2026-11-22T10:00:05Z".parse().unwrap();
    EndedRunInfo { run, ended, lasted_ms, exit: "exited with code 1".to_owned(), usage }
}

fn running() -> WorkerInfo {
    WorkerInfo {
        name: WorkerName::new("web", 1),
        group: "web".to_owned(),
        number: 1,
        state: WorkerState::Running,
        wanted: WantedState::Up,
        why: "started".to_owned(),
        ready: true,
        terminal: false,
        pid: Some(4711),
        run: Some(3),
        port: Some(5000),
        uptime_ms: Some(192_000),
        since: "2026-11-22T10:00:00Z".parse().unwrap(),
        restarts: 2,
        retry_in_ms: None,
        usage: Some(usage()),
        last_exit: Some("exited with code 1".to_owned()),
        command: "bin/web".to_owned(),
    }
}

fn waiting() -> WorkerInfo {
    WorkerInfo {
        ready: false,
        terminal: false,
        name: WorkerName::new("worker", 12),
        group: "worker".to_owned(),
        number: 12,
        state: WorkerState::Backoff,
        why: "exited with code 1 after 0s; try 2 in 5s".to_owned(),
        pid: None,
        run: None,
        port: None,
        uptime_ms: None,
        retry_in_ms: Some(4200),
        usage: None,
        ..running()
    }
}

fn happened() -> EventInfo {
    EventInfo {
        seq: 7,
        time: "2026-11-22T10:00:05Z".parse().unwrap(),
        kind: EventKind::Ended,
        worker: Some(WorkerName::new("web", 1)),
        text: "exited with code 1".to_owned(),
        details: serde_json::Map::new(),
    }
}

#[test]
fn ps_shows_state_wish_and_reason_of_each_worker() {
    let info = WorkersInfo { workers: vec![running(), waiting()], groups: vec![] };
    let expected = "\
NAME       STATE    READY  WANTED   PID  PORT  UPTIME  RESTARTS    CPU       MEM  WHY
web.1      RUNNING  yes    up      4711  5000  3m 12s         2  12.3%  12.3 MiB  started
worker.12  BACKOFF  no     up         -     -       -         2      -         -  exited with code 1 after 0s; try 2 in 5s
";
    assert_eq!(workers(&info, Style::PLAIN, None), expected);
    assert_eq!(workers(&WorkersInfo { workers: vec![], groups: vec![] }, Style::PLAIN, None), "no workers\n");
}

#[test]
fn in_eighty_columns_the_reasons_have_room() {
    let info = WorkersInfo { workers: vec![running(), waiting()], groups: vec![] };
    let expected = "\
NAME       STATE    WANTED   PID  WHY
web.1      RUNNING  up      4711  started
worker.12  BACKOFF  up         -  exited with code 1 after 0s; try 2 in 5s
";
    assert_eq!(workers(&info, Style::PLAIN, Some(80)), expected);
    let unready = WorkerInfo { ready: false, why: "up, not ready yet".to_owned(), ..running() };
    let info = WorkersInfo { workers: vec![unready, waiting()], groups: vec![] };
    let expected = "\
NAME       STATE    READY  WANTED   PID  WHY
web.1      RUNNING  no     up      4711  up, not ready yet
worker.12  BACKOFF  no     up         -  exited with code 1 after 0s; try 2 in …
";
    assert_eq!(workers(&info, Style::PLAIN, Some(80)), expected, "here the state does not tell");
    let wide = workers(&info, Style::PLAIN, Some(130));
    assert_eq!(wide, workers(&info, Style::PLAIN, None));
}

#[test]
fn what_may_not_be_looked_into_marks_the_sums() {
    let hidden = UsageInfo { hidden: 1, ..usage() };
    let info = WorkerInfo { usage: Some(hidden), ..running() };
    let story = why(&WhyInfo { worker: info, runs: vec![], events: vec![] }, &TimeZone::UTC, Style::PLAIN);
    assert!(story.contains(">12.3 MiB memory") && story.contains("another user"), "{story}");
}

#[test]
fn on_a_terminal_only_colours_are_added() {
    let info = WorkersInfo { workers: vec![running(), waiting()], groups: vec![] };
    let coloured = workers(&info, Style { coloured: true }, None);
    assert!(coloured.contains("\x1b[32mRUNNING\x1b[0m") && coloured.contains("\x1b[33mBACKOFF\x1b[0m"));
    let codes = ["\x1b[0m", "\x1b[1m", "\x1b[32m", "\x1b[33m"];
    let bare = codes.iter().fold(coloured, |text, code| text.replace(code, ""));
    assert_eq!(bare, workers(&info, Style::PLAIN, None));
}

#[test]
fn why_tells_the_story_of_a_worker() {
    let used = EndedUsageInfo { user_ms: 1200, system_ms: 56, peak_resident_bytes: 5 << 20 };
    let runs = vec![ended(1, None, None), ended(2, Some(61_000), Some(used))];
    let info = WhyInfo { worker: running(), runs, events: vec![happened()] };
    let expected = "\
web.1 is RUNNING and wanted up: started
pid 4711, port 5000, up 3m 12s, 2 restarts, the last run exited with code 1
runs: bin/web
uses: 12.3% CPU, 12.3 MiB memory, 2 processes, 5 threads, 9 descriptors, 0 B read, 4.0 KiB written

RUN  ENDED     LASTED    CPU     PEAK  EXIT
  1  10:00:05       -      -        -  exited with code 1
  2  10:00:05   1m 1s  1.25s  5.0 MiB  exited with code 1

     7  10:00:05  web.1         exited with code 1
";
    assert_eq!(why(&info, &TimeZone::UTC, Style::PLAIN), expected);
}

#[test]
fn the_next_try_is_told_once() {
    let info = WhyInfo { worker: waiting(), runs: vec![], events: vec![] };
    let told = why(&info, &TimeZone::UTC, Style::PLAIN);
    assert_eq!(told.matches("try").count(), 1, "{told}");
}

#[test]
fn an_event_of_the_app_has_no_worker() {
    let event_of_app = EventInfo { worker: None, text: "release 2".to_owned(), ..happened() };
    assert_eq!(event(&event_of_app, &TimeZone::UTC), "     7  10:00:05  -             release 2\n");
}

#[test]
fn ports_name_who_else_holds_them() {
    let port = |number, port, pid: Option<u32>, name: Option<&str>| PortInfo {
        worker: WorkerName::new("web", number),
        port,
        why: "web is group 1 and begins at 5000".to_owned(),
        holder: port.map(|_| HolderInfo { pid, name: name.map(str::to_owned) }),
    };
    let info = PortsInfo {
        ports: vec![
            port(1, Some(5000), Some(12), Some("nginx")),
            port(2, Some(5001), None, None),
            port(3, None, None, None),
        ],
    };
    let expected = "\
NAME   PORT  WHY                                HELD BY
web.1  5000  web is group 1 and begins at 5000  nginx (pid 12)
web.2  5001  web is group 1 and begins at 5000  a process of another user
web.3     -  web is group 1 and begins at 5000
";
    assert_eq!(ports(&info, Style::PLAIN), expected);
}

#[test]
fn an_environment_can_be_read_by_an_env_file() {
    assert_eq!(environment(&environment_of_web()), "A='1 # 1'\n");
}

#[test]
fn the_origin_of_a_variable_stands_beside_it_and_what_it_hides_below() {
    let expected = "\
NAME  FROM                       VALUE
A     .env:3                     '1 # 1'
      the environment of ganger  2 (overridden)
read: .env
not there: /etc/.foreman
";
    assert_eq!(explained(&environment_of_web(), Path::new("/srv"), Style::PLAIN), expected);
}

fn environment_of_web() -> EnvInfo {
    let hidden = OverriddenInfo { value: "2".to_owned(), origin: "the environment of ganger".to_owned() };
    let source = |path: &str, found| SourceInfo { path: path.into(), kind: "env".to_owned(), found };
    EnvInfo {
        name: "web.1".to_owned(),
        variables: vec![VariableInfo {
            name: "A".to_owned(),
            value: "1 # 1".to_owned(),
            origin: "/srv/.env:3".to_owned(),
            overridden: vec![hidden],
        }],
        sources: vec![source("/srv/.env", true), source("/etc/.foreman", false)],
    }
}
