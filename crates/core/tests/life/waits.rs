//! Who waits for whom, who is ready, and who is not all right.

use ganger_spec::{Check, Condition, OnFatal, Probe, ProbeKind};

use super::*;

/// A group of one worker that is not restarted and is up at once.
fn group(name: &str, waits: &[(&str, Condition)]) -> Group {
    let mut group = Group::new(name, Run::Line("x".to_owned()), "/srv");
    group.depends_on = waits.iter().map(|(name, condition)| ((*name).to_owned(), *condition)).collect();
    group
}

fn app(groups: Vec<Group>) -> Spec {
    Spec { groups, ..spec(1) }
}

fn probe(kind: ProbeKind) -> Probe {
    Probe { failures: 2, successes: 2, ..Probe::new(kind, Check::Tcp { host: None, port: None }) }
}

fn probed(run: u64, kind: ProbeKind, answer: Result<(), &str>) -> Input {
    Input::Probed { run: RunId(run), kind, answer: answer.map_err(str::to_owned) }
}

fn passes(run: u64) -> Input {
    probed(run, ProbeKind::Readiness, Ok(()))
}

fn fails(run: u64, kind: ProbeKind) -> Input {
    probed(run, kind, Err("it answered 503"))
}

fn spawns(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.strip_prefix("spawn ")).collect()
}

impl Desk {
    fn why(&self, worker: &str) -> String {
        self.core.worker(&name(worker)).expect("there is such a worker").why
    }

    fn ready(&self, worker: &str) -> bool {
        self.core.worker(&name(worker)).expect("there is such a worker").ready
    }
}

#[test]
fn a_worker_waits_until_what_it_waits_for_is_ready_and_says_so() {
    let mut db = group("db", &[]);
    db.readiness = Some(probe(ProbeKind::Readiness));
    let mut desk = Desk::empty(Vec::new());
    // It stands before what it waits for.
    let lines = desk.apply(app(vec![group("web", &[("db", Condition::Ready)]), db]));
    assert_eq!(spawns(&lines), ["db.1 as run 1"]);
    let told = "event web.1 waits for db to be ready";
    assert_eq!(lines.iter().filter(|line| *line == told).count(), 1, "{lines:#?}");
    let web = desk.core.worker(&name("web.1")).unwrap();
    assert_eq!((web.wanted, web.state, web.ready), (Wanted::Up, State::Stopped, false));
    assert_eq!(web.why, "waits for db to be ready");
    assert_eq!(spawns(&desk.spawned(1)), [""; 0], "up is not ready");
    assert_eq!((desk.why("db.1").as_str(), desk.ready("db.1")), ("up, not ready yet", false));
    assert_eq!(spawns(&desk.input(passes(1))), [""; 0], "once is not twice");
    desk.input(fails(1, ProbeKind::Readiness));
    desk.input(passes(1));
    let lines = desk.input(passes(1));
    let began = "event web.1 STOPPED -> STARTING: started: all that it waits for is there";
    assert_eq!(lines, ["event db.1 run 1 is ready", "spawn web.1 as run 2", began]);
    assert_eq!((desk.why("db.1").as_str(), desk.ready("db.1")), ("up and ready", true));
    let lines = desk.spawned(2);
    assert!(lines.iter().any(|line| line == "reply to command 1: db.1 done, web.1 done"), "{lines:#?}");
    assert!(desk.ready("web.1"), "who has no probe is ready when it is up");
}

#[test]
fn what_goes_later_ends_nobody_and_holds_up_the_next_start() {
    let mut db = group("db", &[]);
    db.readiness = Some(probe(ProbeKind::Readiness));
    let mut web = with(|_| {}).groups.remove(0);
    web.depends_on = BTreeMap::from([("db".to_owned(), Condition::Ready)]);
    let mut desk = Desk::new(app(vec![db, web]));
    desk.spawned(1);
    desk.input(passes(1));
    desk.input(passes(1));
    desk.spawned(2);
    desk.tick();
    assert_eq!(desk.input(fails(1, ProbeKind::Readiness)), [""; 0]);
    let lines = desk.input(fails(1, ProbeKind::Readiness));
    assert_eq!(lines, ["event db.1 run 1 is not ready: up, not ready: it answered 503"]);
    assert_eq!((desk.state("web.1"), desk.state("db.1")), (State::Running, State::Running));
    assert_eq!(desk.input(fails(1, ProbeKind::Readiness)), [""; 0], "it is told once");
    let lines = desk.exited(2, 1);
    assert_eq!(spawns(&lines), [""; 0], "{lines:#?}");
    assert_eq!(
        (desk.state("web.1"), desk.why("web.1").as_str()),
        (State::Stopped, "waits for db to be ready")
    );
    desk.input(passes(1));
    assert_eq!(spawns(&desk.input(passes(1))), ["web.1 as run 3"]);
}

#[test]
fn what_cannot_come_any_more_is_told_and_fails_the_command() {
    let mut desk = Desk::empty(Vec::new());
    let chain = [("mid", Condition::Ready)];
    let lines = desk.apply(app(vec![
        group("job", &[]),
        group("mid", &[("job", Condition::Completed)]),
        group("web", &chain),
    ]));
    assert_eq!(spawns(&lines), ["job.1 as run 1"]);
    desk.spawned(1);
    let lines = desk.exited(1, 3);
    let why = "waits for job to be completed, in vain: job.1 is EXITED (exited with code 3 after 0 s; not to be started again)";
    let reply = lines.iter().find(|line| line.starts_with("reply")).expect("the command is answered");
    assert!(reply.contains(&format!("mid.1 failed: {why}")), "{reply}");
    assert!(reply.contains("web.1 failed: waits for mid to be ready, in vain: mid.1 is STOPPED"), "{reply}");
    assert_eq!(
        lines.last().unwrap(),
        "finish with status 3",
        "nothing is left that could change: {lines:#?}"
    );
}

#[test]
fn a_job_that_is_done_lets_the_others_begin_and_one_that_is_started_again_may_repair_it() {
    let mut desk = Desk::empty(Vec::new());
    let mut other = group("other", &[("job", Condition::Started)]);
    other.count = 2;
    desk.apply(app(vec![group("job", &[]), group("web", &[("job", Condition::Completed)]), other]));
    assert_eq!(spawns(&desk.spawned(1)), ["other.1 as run 2", "other.2 as run 3"]);
    desk.exited(1, 1);
    assert!(desk.why("web.1").contains("in vain"), "{}", desk.why("web.1"));
    desk.command(Command::Start(vec![name("job.1")]));
    assert_eq!(desk.why("web.1"), "waits for job to be completed");
    desk.spawned(4);
    assert_eq!(spawns(&desk.exited(4, 0)), ["web.1 as run 5"]);
}

#[test]
fn a_group_of_no_workers_and_workers_that_leave_are_not_waited_for() {
    let mut db = group("db", &[]);
    db.count = 0;
    let mut desk = Desk::empty(Vec::new());
    let lines = desk.apply(app(vec![db.clone(), group("web", &[("db", Condition::Ready)])]));
    assert_eq!(spawns(&lines), ["web.1 as run 1"]);
    db.count = 2;
    db.readiness = Some(probe(ProbeKind::Readiness));
    let mut desk = Desk::new(app(vec![db, group("web", &[("db", Condition::Ready)])]));
    desk.spawned(1);
    desk.input(passes(1));
    desk.input(passes(1));
    let lines = desk.command(Command::Scale(vec![("db".to_owned(), 1)]));
    assert_eq!(spawns(&lines), ["web.1 as run 3"], "one of two was ready, and now it is one of one");
}

#[test]
fn a_stop_and_a_shutdown_end_the_waiting_and_the_dependents_stop_first() {
    let ready = |name| [(name, Condition::Ready)];
    let groups =
        || vec![group("db", &[]), group("api", &ready("db")), group("web", &ready("api")), group("x", &[])];
    let mut desk = Desk::empty(Vec::new());
    desk.apply(app(groups()));
    let lines = desk.command(Command::Stop(vec![name("web.1")]));
    assert_eq!(lines.last().unwrap(), "reply to command 2: web.1 done", "{lines:#?}");
    assert_eq!(desk.state("web.1"), State::Stopped);
    desk.command(Command::Start(vec![name("web.1")]));
    (1..=2).for_each(|run| drop(desk.spawned(run)));
    (3..=4).for_each(|run| drop(desk.spawned(run)));
    let quit = Command::Shutdown { now: false, reason: "asked to quit".to_owned(), status: 0 };
    let lines = desk.command(quit);
    let asked = |lines: &[String]| -> Vec<String> {
        lines
            .iter()
            .filter_map(|line| line.strip_prefix("send SIGTERM to the tree of "))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(asked(&lines), ["run 4", "run 2"], "web, and x on which nobody depends: {lines:#?}");
    assert_eq!(asked(&desk.exited(4, 0)), [""; 0]);
    assert_eq!(asked(&desk.exited(2, 0)), ["run 3"]);
    assert_eq!(asked(&desk.exited(3, 0)), ["run 1"]);
    assert_eq!(desk.exited(1, 0).last().unwrap(), "finish with status 0");
}

#[test]
fn a_new_overseer_goes_on_waiting_and_knows_who_was_ready() {
    let mut db = group("db", &[]);
    db.readiness = Some(probe(ProbeKind::Readiness));
    let known = |run: u64, worker: &str| KnownRun {
        run: RunId(run),
        worker: name(worker),
        pid: 100 + u32::try_from(run).unwrap(),
        exit: None,
        leftovers: false,
    };
    let mut desk = Desk::new(app(vec![db, group("web", &[("db", Condition::Ready)])]));
    desk.spawned(1);
    desk.input(passes(1));
    assert_eq!(spawns(&desk.reborn(vec![known(1, "db.1")])), [""; 0]);
    assert_eq!(desk.why("web.1"), "waits for db to be ready");
    desk.input(passes(1));
    assert_eq!(spawns(&desk.input(passes(1))), ["web.1 as run 1001"], "answers are counted anew");
    desk.spawned(1001);
    desk.reborn(vec![known(1, "db.1"), known(1001, "web.1")]);
    assert!(desk.ready("db.1") && desk.ready("web.1"));
}

#[test]
fn who_is_not_all_right_is_ended_as_a_failure_and_started_again() {
    let mut desk = running(|web| {
        web.liveness = Some(probe(ProbeKind::Liveness));
        web.restart.mode = RestartMode::OnFailure;
    });
    desk.after(9);
    desk.input(fails(1, ProbeKind::Liveness));
    desk.input(probed(1, ProbeKind::Liveness, Ok(())));
    assert_eq!(desk.input(fails(1, ProbeKind::Liveness)), [""; 0], "a good answer begins anew");
    let lines = desk.input(fails(1, ProbeKind::Liveness));
    assert!(lines.contains(&"send SIGTERM to the tree of run 1".to_owned()), "{lines:#?}");
    let why = desk.why("web.1");
    assert!(
        why.starts_with(
            "failed its liveness probe: it answered 503 (2 times in a row) after 10 s; restarted at once"
        ),
        "{why}"
    );
    assert_eq!(desk.input(fails(1, ProbeKind::Liveness)), [""; 0], "it is on its way out");
    // That it then ends with code 0 makes it no success.
    assert_eq!(spawns(&desk.exited(1, 0)), ["web.1 as run 2"]);
    assert_eq!(desk.core.worker(&name("web.1")).unwrap().restarts, 1);
}

#[test]
fn who_takes_too_much_is_ended_and_a_command_that_comes_then_wins() {
    let mut desk = running(|web| web.restart.mode = RestartMode::Never);
    desk.after(9);
    let what = "used 400 MiB of memory, more than 300 MiB".to_owned();
    let lines = desk.input(Input::TooMuch { run: RunId(1), what: what.clone() });
    assert!(lines.contains(&"send SIGTERM to the tree of run 1".to_owned()), "{lines:#?}");
    desk.exited(1, 0);
    let why = desk.why("web.1");
    assert_eq!(why, format!("{what} after 10 s; not to be started again"));
    assert_eq!(desk.state("web.1"), State::Exited);
    let mut desk = running(|_| {});
    desk.input(Input::TooMuch { run: RunId(1), what });
    desk.command(Command::Stop(vec![name("web.1")]));
    assert_eq!(spawns(&desk.exited(1, 0)), [""; 0]);
    assert_eq!(desk.state("web.1"), State::Stopped);
}

#[test]
fn a_worker_that_is_given_up_or_failed_ends_the_app_where_its_group_says_so() {
    let fatal = |change: fn(&mut Group)| {
        let mut desk = Desk::empty(Vec::new());
        desk.apply(with(|web| {
            web.restart.attempts = Some(1);
            change(web);
        }));
        desk.spawned(1);
        desk.exited(1, 7).last().unwrap().clone()
    };
    assert_eq!(fatal(|web| web.on_fatal = OnFatal::Shutdown), "finish with status 7");
    assert_eq!(fatal(|web| web.on_end = OnEnd::Failure), "finish with status 7");
    let ends = |code: u8, change: fn(&mut Group)| {
        let mut desk = Desk::empty(Vec::new());
        let mut other = group("other", &[]);
        other.count = 1;
        let mut web = group("web", &[]);
        change(&mut web);
        desk.apply(app(vec![web, other]));
        desk.spawned(1);
        desk.spawned(2);
        desk.exited(1, code).iter().any(|line| line.contains("shutting down"))
    };
    assert!(!ends(7, |web| web.on_fatal = OnFatal::Shutdown), "it ended by itself, and was not given up");
    assert!(ends(7, |web| web.on_end = OnEnd::Failure));
    assert!(!ends(0, |web| web.on_end = OnEnd::Failure));
    assert!(!ends(7, |web| {
        web.on_end = OnEnd::Failure;
        web.exits = BTreeMap::from([(7, OnExit::Stop)]);
    }));
}
