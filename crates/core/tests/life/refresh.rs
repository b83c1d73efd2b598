//! Workers whose files change.

use ganger_spec::{Condition, FileWatch};

use super::*;

fn refresh(names: &[&str]) -> Command {
    Command::Refresh(names.iter().map(|one| name(one)).collect(), "app.rb changed".into())
}

fn watch(signal: Option<Signal>) -> FileWatch {
    FileWatch {
        base: "/srv".into(),
        globs: vec!["app.rb".to_owned()],
        ignore: Vec::new(),
        debounce: Duration::ZERO,
        signal,
    }
}

#[test]
fn a_change_restarts_a_worker_says_so_and_spends_no_budget() {
    let budget = Some(Budget { restarts: 0, within: Duration::from_mins(10) });
    let mut desk = running(|web| web.restart.budget = budget);
    let lines = desk.command(refresh(&["web.1"]));
    assert_eq!(lines[0], "send SIGTERM to the tree of run 1");
    let why = "stopping since app.rb changed: got SIGTERM, is killed if it is not gone in 5 s";
    assert_eq!(lines[1], format!("event web.1 RUNNING -> STOPPING (PID 101): {why}"));
    let lines = desk.exited(1, 0);
    assert_eq!(
        lines[2..],
        ["spawn web.1 as run 2", "event web.1 STOPPING -> STARTING: started: app.rb changed"]
    );
    desk.spawned(2);
    let lines = desk.tick();
    assert_eq!(lines[1], "reply to command 2: web.1 done");
    assert_eq!(desk.core.worker(&name("web.1")).unwrap().restarts, 0);
}

#[test]
fn changes_that_come_while_it_stops_lead_to_one_run() {
    let mut desk = running(|_| {});
    desk.command(refresh(&["web.1"]));
    for _ in 0..9 {
        assert_eq!(desk.command(refresh(&["web.1"])), [""; 0]);
    }
    let lines = desk.exited(1, 0);
    assert_eq!(lines.iter().filter(|line| line.starts_with("spawn ")).count(), 1, "{lines:#?}");
    desk.spawned(2);
    let answered = desk.tick().iter().filter(|line| line.contains("web.1 done")).count();
    assert_eq!((answered, desk.state("web.1")), (10, State::Running));
}

#[test]
fn what_waits_for_a_retry_or_has_failed_is_started_at_once() {
    let mut desk = Desk::new(spec(1));
    desk.spawned(1);
    desk.exited(1, 1);
    assert_eq!(desk.state("web.1"), State::Backoff);
    assert_eq!(desk.command(refresh(&["web.1"]))[0], "spawn web.1 as run 2");
    let mut desk = running(|web| {
        web.restart.budget = Some(Budget { restarts: 0, within: Duration::from_secs(9) });
        web.watch = Some(watch(None));
    });
    desk.exited(1, 1);
    assert_eq!(desk.state("web.1"), State::Fatal);
    assert_eq!(desk.command(refresh(&["web.1"]))[0], "spawn web.1 as run 2");
}

#[test]
fn what_is_to_be_down_stays_down_and_what_waits_for_others_goes_on_waiting() {
    let mut desk = running(|_| {});
    desk.command(Command::Stop(vec![name("web.1")]));
    desk.exited(1, 0);
    assert_eq!(desk.command(refresh(&["web.1"])), ["reply to command 3: web.1 unchanged"]);
    assert_eq!(desk.state("web.1"), State::Stopped);

    let mut waiting = spec(1);
    let mut db = Group::new("db", Run::Line("x".to_owned()), "/srv");
    db.restart.startsecs = Duration::from_secs(1);
    waiting.groups[0].depends_on = BTreeMap::from([("db".to_owned(), Condition::Ready)]);
    waiting.groups.push(db);
    let mut desk = Desk::new(waiting);
    assert_eq!(desk.command(refresh(&["web.1"])), ["reply to command 2: web.1 unchanged"]);
    desk.spawned(1);
    assert!(desk.tick().contains(&"spawn web.1 as run 2".to_owned()));
}

#[test]
fn an_app_whose_workers_have_ended_goes_on_while_a_change_can_start_them() {
    let once = |signal| {
        with(|web| {
            web.restart.mode = RestartMode::Never;
            web.watch = Some(watch(signal));
        })
    };
    let mut desk = Desk::new(once(None));
    desk.spawned(1);
    desk.tick();
    let lines = desk.exited(1, 0);
    assert!(!lines.iter().any(|line| line.contains("finish")), "{lines:#?}");
    assert_eq!(desk.state("web.1"), State::Exited);
    assert_eq!(desk.command(refresh(&["web.1"]))[0], "spawn web.1 as run 2");

    let mut desk = Desk::new(once(Some(Signal::HUP)));
    desk.spawned(1);
    desk.tick();
    assert!(desk.exited(1, 0).iter().any(|line| line.contains("finish")), "nothing starts it anew");
}
