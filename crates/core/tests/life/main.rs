//! Walks through the life of workers: what goes in, and the exact actions that come out.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panic, its helpers too")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ganger_core::*;
use ganger_spec::{
    Backoff, Budget, Command as Run, Early, Group, OnEnd, OnExit, Restart, RestartMode, Signal, Spec,
    StopScope, WorkerName,
};

mod refresh;
mod waits;
mod waves;

/// A decider, its clock and its ledger.
struct Desk {
    core: Core,
    now: Instant,
    ledger: Vec<Record>,
    commands: u64,
}

impl Desk {
    fn new(spec: Spec) -> Self {
        let mut desk = Self::empty(Vec::new());
        desk.apply(spec);
        desk
    }

    /// Nothing was ever applied, and the keeper has these.
    fn empty(runs: Vec<KnownRun>) -> Self {
        let mut desk = Self { core: Core::new(1), now: Instant(0), ledger: Vec::new(), commands: 0 };
        let lines = desk.input(Input::Connected { runs });
        assert!(lines.iter().all(|line| !line.starts_with("send")), "{lines:?}");
        desk
    }

    /// What the decider wants done, one line each; records go to the ledger.
    fn input(&mut self, input: Input) -> Vec<String> {
        self.core.handle(self.now, input);
        let mut lines = Vec::new();
        while let Some(action) = self.core.poll_action() {
            match action {
                Action::Record(record) => self.ledger.push(record),
                action => lines.push(action.to_string()),
            }
        }
        lines
    }

    fn apply(&mut self, spec: Spec) -> Vec<String> {
        self.commands += 1;
        let command = CommandId(self.commands);
        self.input(Input::Apply { command, spec: Arc::new(spec), finish_when_idle: true })
    }

    fn command(&mut self, command: Command) -> Vec<String> {
        self.commands += 1;
        self.input(Input::Command { id: CommandId(self.commands), command })
    }

    fn spawned(&mut self, run: u64) -> Vec<String> {
        self.input(Input::Spawned { run: RunId(run), pid: 100 + u32::try_from(run).unwrap() })
    }

    fn exited(&mut self, run: u64, code: u8) -> Vec<String> {
        self.input(Input::Exited { run: RunId(run), exit: Exit::Code(code), leftovers: false })
    }

    fn after(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now.after(Duration::from_secs(seconds));
        self
    }

    /// Time goes on to the next deadline.
    fn tick(&mut self) -> Vec<String> {
        self.now = self.core.next_deadline().expect("something waits for time");
        self.input(Input::Tick)
    }

    fn reborn(&mut self, runs: Vec<KnownRun>) -> Vec<String> {
        self.core = Core::restore(2, self.now, self.ledger.clone());
        self.input(Input::Connected { runs })
    }

    fn state(&self, worker: &str) -> State {
        self.core.worker(&name(worker)).expect("there is such a worker").state
    }
}

fn name(text: &str) -> WorkerName {
    text.to_owned().try_into().unwrap()
}

fn spec(count: u32) -> Spec {
    let restart = Restart {
        mode: RestartMode::Always,
        startsecs: Duration::from_secs(1),
        backoff: Backoff {
            initial: Duration::from_secs(1),
            max: Duration::from_mins(1),
            jitter_permille: 0,
            ..Backoff::default()
        },
        budget: None,
        attempts: None,
        early: Early::Judge,
    };
    let web = Group { count, restart, ..Group::new("web", Run::Line("serve".to_owned()), "/srv") };
    Spec {
        app: "shop".to_owned(),
        root: "/srv".into(),
        sources: Vec::new(),
        env: Vec::new(),
        groups: vec![web],
        logs_max_total: None,
        forwards: Vec::new(),
        supervisor: None,
        overmind: None,
    }
}

fn with(change: impl FnOnce(&mut Group)) -> Spec {
    let mut spec = spec(1);
    change(&mut spec.groups[0]);
    spec
}

/// One worker that is RUNNING as run 1.
fn running(change: impl FnOnce(&mut Group)) -> Desk {
    let mut desk = Desk::new(with(change));
    desk.spawned(1);
    desk.tick();
    desk
}

#[test]
fn a_worker_is_starting_until_it_has_lived_for_startsecs_and_then_the_command_is_answered() {
    let mut desk = Desk::empty(Vec::new());
    assert_eq!(
        desk.apply(spec(1)),
        [
            "spawn web.1 as run 1",
            "event web.1 STOPPED -> STARTING: started with the app",
            "event release 1: web: new, 1 worker",
        ]
    );
    assert_eq!(desk.spawned(1), ["event web.1 started run 1 as PID 101"]);
    assert_eq!(
        desk.tick(),
        ["event web.1 STARTING -> RUNNING (PID 101): up", "reply to command 1: web.1 done"]
    );
    assert_eq!(desk.core.next_deadline(), None, "an idle app arms no timer");
}

#[test]
fn with_no_startsecs_a_worker_is_running_once_it_is_spawned() {
    let mut desk = Desk::new(with(|web| web.restart.startsecs = Duration::ZERO));
    desk.spawned(1);
    assert_eq!(desk.state("web.1"), State::Running);
}

#[test]
fn after_a_healthy_run_a_worker_is_restarted_at_once() {
    let mut desk = running(|_| {});
    assert_eq!(
        desk.after(60).exited(1, 3),
        [
            "event web.1 run 1 exited with code 3",
            "acknowledge run 1",
            "spawn web.1 as run 2",
            "event web.1 RUNNING -> STARTING: exited with code 3 after 1 min 1 s; restarted at once",
        ]
    );
}

#[test]
fn failed_starts_wait_longer_and_longer_and_a_healthy_run_begins_anew() {
    let mut desk = Desk::new(spec(1));
    for (run, wait) in [(1, 1), (2, 2), (3, 4)] {
        desk.spawned(run);
        desk.exited(run, 1);
        assert_eq!(desk.state("web.1"), State::Backoff);
        assert_eq!(desk.core.next_deadline(), Some(desk.now.after(Duration::from_secs(wait))));
        desk.tick();
    }
    desk.spawned(4);
    desk.tick();
    desk.after(5).exited(4, 1);
    desk.spawned(5);
    desk.exited(5, 1);
    assert_eq!(desk.core.next_deadline(), Some(desk.now.after(Duration::from_secs(1))));
}

#[test]
fn one_restart_more_than_the_budget_is_fatal_and_an_operators_start_forgets_that() {
    let budget = Some(Budget { restarts: 1, within: Duration::from_mins(1) });
    let mut desk = running(|web| web.restart.budget = budget);
    desk.after(5).exited(1, 1);
    desk.spawned(2);
    desk.tick();
    let lines = desk.after(5).exited(2, 1);
    assert!(lines.iter().any(|line| line.contains("given up: more than 1 restarts in 1 min")), "{lines:#?}");
}

#[test]
fn an_operators_restart_never_spends_the_budget() {
    let budget = Some(Budget { restarts: 1, within: Duration::from_mins(10) });
    let mut desk = running(|web| web.restart.budget = budget);
    for run in 1..6 {
        desk.command(Command::Restart(vec![name("web.1")]));
        desk.exited(run, 0);
        desk.spawned(run + 1);
        desk.tick();
    }
    desk.after(5).exited(6, 1);
    assert_eq!(desk.state("web.1"), State::Starting, "the one restart of the budget is still there");
    assert_eq!(desk.core.worker(&name("web.1")).unwrap().restarts, 1);
}

#[test]
fn a_stop_is_a_signal_then_a_kill_then_a_report_and_never_a_second_run() {
    let mut desk = running(|_| {});
    assert_eq!(desk.command(Command::Stop(vec![name("web.1")]))[0], "send SIGTERM to the tree of run 1");
    assert_eq!(
        desk.tick(),
        [
            "send SIGKILL to the tree of run 1",
            "event web.1 not gone 5 s after the stop signal: killed, with its whole tree",
        ]
    );
    let stuck = desk.tick();
    assert_eq!(stuck[0], "event web.1 does not die of SIGKILL (PID 101)");
    assert!(stuck[1].starts_with("reply to command 2: web.1 failed: "), "{stuck:?}");
    let start = desk.command(Command::Start(vec![name("web.1")]));
    assert!(start[0].starts_with("reply to command 3: web.1 failed: "), "{start:?}");
    assert_eq!(desk.exited(1, 0)[2], "spawn web.1 as run 2", "it starts when the old run is truly gone");
}

#[test]
fn what_the_main_process_leaves_behind_is_stopped_before_the_restart() {
    let mut desk = running(|_| {});
    let lines = desk.after(9).input(Input::Exited { run: RunId(1), exit: Exit::Code(1), leftovers: true });
    assert_eq!(lines[..2], ["event web.1 run 1 exited with code 1", "send SIGTERM to the tree of run 1"]);
    assert_eq!(desk.state("web.1"), State::Stopping);
    assert_eq!(desk.tick()[0], "send SIGKILL to the tree of run 1");
    assert_eq!(
        desk.input(Input::Emptied { run: RunId(1) })[..2],
        ["acknowledge run 1", "spawn web.1 as run 2"]
    );
}

#[test]
fn a_stop_before_the_keeper_answered_waits_for_the_answer() {
    let mut desk = Desk::new(spec(1));
    let lines = desk.command(Command::Stop(vec![name("web.1")]));
    assert_eq!(lines[0], "reply to command 1: web.1 superseded by a later command");
    assert_eq!(desk.spawned(1)[1], "send SIGTERM to the tree of run 1");
    assert_eq!(desk.exited(1, 0).last().unwrap(), "reply to command 2: web.1 done");
}

#[test]
fn a_spawn_that_fails_for_a_passing_reason_is_tried_again_whatever_the_mode() {
    let mut desk = Desk::new(with(|web| web.restart.mode = RestartMode::Never));
    let reason = "fork: resource temporarily unavailable".to_owned();
    desk.input(Input::SpawnFailed { run: RunId(1), reason, transient: true, status: 1 });
    assert_eq!(desk.state("web.1"), State::Backoff);
    assert_eq!(desk.tick()[0], "spawn web.1 as run 2");
}

#[test]
fn a_command_that_is_not_found_ends_the_app_with_127_where_its_end_is_to_end_it() {
    let change = |web: &mut Group| (web.restart.mode, web.on_end) = (RestartMode::Never, OnEnd::Shutdown);
    let mut desk = Desk::new(with(change));
    let reason = "exec serve: command not found".to_owned();
    let lines = desk.input(Input::SpawnFailed { run: RunId(1), reason, transient: false, status: 127 });
    assert_eq!(desk.state("web.1"), State::Fatal);
    assert_eq!(lines.last().unwrap(), "finish with status 127");
}

#[test]
fn the_exit_map_is_asked_before_the_mode() {
    let exits = BTreeMap::from([(3, OnExit::Stop), (4, OnExit::Fatal)]);
    for (code, state) in [(3, State::Exited), (4, State::Fatal), (5, State::Starting)] {
        let mut desk = running(|web| web.exits = exits.clone());
        desk.after(9).exited(1, code);
        assert_eq!(desk.state("web.1"), state, "code {code}");
    }
}

#[test]
fn an_app_whose_every_worker_ended_finishes_with_the_first_failure_but_not_after_a_stop() {
    let mut spec = spec(2);
    spec.groups[0].restart.mode = RestartMode::Never;
    let mut desk = Desk::new(spec);
    desk.spawned(1);
    desk.spawned(2);
    desk.tick();
    desk.exited(2, 7);
    assert_eq!(desk.after(1).exited(1, 0).last().unwrap(), "finish with status 7");

    let mut stopped = running(|_| {});
    stopped.command(Command::Stop(vec![name("web.1")]));
    let lines = stopped.exited(1, 0);
    assert_eq!(lines.last().unwrap(), "reply to command 2: web.1 done", "an operator's stop is no end");
}

#[test]
fn a_second_shutdown_kills_at_once_and_both_are_answered_just_before_the_end() {
    let mut desk = running(|_| {});
    let shutdown = |now| Command::Shutdown { now, reason: "interrupted".to_owned(), status: 130 };
    desk.command(shutdown(false));
    let lines = desk.command(shutdown(true));
    assert!(lines.contains(&"send SIGKILL to the tree of run 1".to_owned()), "{lines:?}");
    let refused = desk.command(Command::Start(vec![name("web.1")]));
    assert_eq!(refused, ["reply to command 4: refused: the app is shutting down: interrupted"]);
    let end = desk.exited(1, 0);
    let tail = ["reply to command 2: web.1 done", "reply to command 3: web.1 done", "finish with status 130"];
    assert_eq!(end[end.len() - 3..], tail);
}

#[test]
fn scaling_down_and_up_again_starts_the_worker_after_its_old_run_is_gone() {
    let mut desk = running(|_| {});
    desk.command(Command::Scale(vec![("web".to_owned(), 0)]));
    let up = desk.command(Command::Scale(vec![("web".to_owned(), 1)]));
    assert!(up.iter().all(|line| !line.starts_with("spawn")), "{up:?}");
    assert_eq!(desk.exited(1, 0)[2], "spawn web.1 as run 2");
}

#[test]
fn a_reload_restarts_what_runs_differently_and_leaves_the_rest_alone() {
    let mut desk = running(|_| {});
    let policy = desk.apply(with(|web| web.stop.timeout = Duration::from_secs(9)));
    assert_eq!(policy, ["event release 2: web: stop changed, in force at once", "reply to command 2: "]);
    let command = desk.apply(with(|web| web.command = Run::Line("serve --fast".to_owned())));
    assert_eq!(command[0], "send SIGTERM to the tree of run 1");
    let last = command.last().unwrap();
    assert!(last.starts_with("event release 3: web: command changed, 1 worker restarted if up"), "{last}");
}

#[test]
fn a_dry_run_tells_the_plan_and_changes_nothing() {
    let desk = running(|_| {});
    let plan = desk.core.plan(&spec(3));
    assert_eq!(plan.to_string(), "web: count 1 becomes 3");
    assert_eq!(desk.core.plan(&spec(1)).to_string(), "nothing changes");
    assert_eq!(desk.core.counts().running, 1);
}

#[test]
fn an_operators_count_stays_over_a_reload_unless_the_files_count_changed() {
    let mut desk = running(|_| {});
    desk.command(Command::Scale(vec![("web".to_owned(), 2)]));
    desk.apply(with(|web| web.on_end = OnEnd::Shutdown));
    assert_eq!(desk.core.group_count("web"), Some(2));
    desk.apply(spec(3));
    assert_eq!(desk.core.group_count("web"), Some(3));
}

#[test]
fn a_signal_reaches_the_main_process_or_says_why_not() {
    let mut desk = running(|_| {});
    let hup = Command::Signal(vec![name("web.1")], Signal::HUP);
    assert_eq!(desk.command(hup.clone()), ["send SIGHUP to run 1", "reply to command 2: web.1 done"]);
    desk.command(Command::Stop(vec![name("web.1")]));
    desk.exited(1, 0);
    let failed = "reply to command 4: web.1 failed: it has no process (STOPPED: stopped by a command)";
    assert_eq!(desk.command(hup), [failed]);
}

#[test]
fn a_new_overseer_goes_on_with_live_runs_and_spawns_again_what_was_never_spawned() {
    let mut desk = Desk::new(spec(2));
    desk.spawned(1);
    desk.tick();
    let live = KnownRun { run: RunId(1), worker: name("web.1"), pid: 101, exit: None, leftovers: false };
    let lines = desk.reborn(vec![live]);
    assert_eq!(lines, ["spawn web.2 as run 1001"]);
    assert_eq!(desk.state("web.1"), State::Running);
}

#[test]
fn a_run_that_came_and_went_without_an_overseer_is_told_with_its_pid() {
    let mut desk = Desk::new(spec(1));
    let gone = KnownRun {
        run: RunId(1),
        worker: name("web.1"),
        pid: 101,
        exit: Some(Exit::Code(3)),
        leftovers: false,
    };
    let lines = desk.reborn(vec![gone]);
    let told: Vec<_> = lines.iter().filter(|line| line.contains("run 1")).collect();
    assert!(told[0].contains("web.1 started run 1 as PID 101"), "{lines:#?}");
    assert_eq!(told.last().map(|line| line.as_str()), Some("acknowledge run 1"), "{lines:#?}");
    assert_eq!(desk.state("web.1"), State::Backoff);
}

/// A decider without a ledger whose keeper has run 7 of web.1, alive.
fn without_ledger() -> Desk {
    Desk::empty(vec![KnownRun { run: RunId(7), worker: name("web.1"), pid: 9, exit: None, leftovers: false }])
}

#[test]
fn a_run_that_the_ledger_has_lost_goes_on_as_that_of_its_worker() {
    let mut desk = without_ledger();
    assert_eq!(desk.state("web.1"), State::Running);
    let lines = desk.apply(spec(2));
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("spawn")).collect::<Vec<_>>(),
        ["spawn web.2 as run 8"]
    );
    assert!(lines.iter().all(|line| !line.starts_with("send")), "{lines:?}");
    assert!(desk.exited(7, 0).contains(&"acknowledge run 7".to_owned()));
}

#[test]
fn a_run_that_the_ledger_has_lost_is_stopped_once_a_release_has_no_such_worker() {
    let mut desk = without_ledger();
    assert!(desk.apply(spec(0)).iter().any(|line| line == "send SIGTERM to the tree of run 7"));
}

#[test]
fn of_two_runs_of_a_worker_that_which_the_ledger_has_goes_on() {
    let mut desk = running(|_| {});
    let run = |run| KnownRun { run: RunId(run), worker: name("web.1"), pid: 9, exit: None, leftovers: false };
    let lines = desk.reborn(vec![run(1), run(7)]);
    assert_eq!(lines, ["send SIGKILL to the tree of run 7"]);
    assert_eq!(desk.state("web.1"), State::Running);
}

#[test]
fn the_records_of_a_core_restore_the_same_core() {
    let mut desk = running(|_| {});
    desk.command(Command::Scale(vec![("web".to_owned(), 3)]));
    let restored = Core::restore(9, desk.now, desk.core.records());
    assert_eq!(restored.workers().collect::<Vec<_>>(), desk.core.workers().collect::<Vec<_>>());
    assert_eq!(restored.records(), desk.core.records());
}

#[test]
fn nothing_is_due_before_the_keeper_has_told_what_it_has() {
    let mut desk = Desk::new(spec(1));
    desk.spawned(1);
    desk.exited(1, 3);
    let retry = desk.core.next_deadline();
    assert_eq!(desk.state("web.1"), State::Backoff);
    let restored = Core::restore(9, desk.now.after(Duration::from_mins(1)), desk.ledger.clone());
    assert_eq!((restored.is_connected(), restored.next_deadline()), (false, None));
    desk.reborn(Vec::new());
    assert_eq!((desk.core.is_connected(), desk.core.next_deadline()), (true, retry));
}

#[test]
fn a_start_that_fails_is_tried_again_whatever_its_code_and_after_so_many_the_worker_is_fatal() {
    let mut desk = Desk::new(with(|web| {
        web.restart.mode = RestartMode::Never;
        web.restart.early = Early::Retry;
        web.restart.attempts = Some(4);
        web.restart.backoff.factor_permille = 1000;
        web.restart.backoff.step = Duration::from_secs(1);
        web.exits.insert(0, OnExit::Stop);
    }));
    for (run, wait) in [(1, 1), (2, 2), (3, 3)] {
        let lines = if run == 2 {
            let reason = "command not found: serve".to_owned();
            desk.input(Input::SpawnFailed { run: RunId(run), reason, transient: false, status: 127 })
        } else {
            desk.spawned(run);
            desk.exited(run, 0)
        };
        let tries = format!("; try {} of 4 in {wait} s", run + 1);
        assert!(lines.iter().any(|line| line.ends_with(&tries)), "{lines:#?}");
        assert_eq!(desk.core.next_deadline(), Some(desk.now.after(Duration::from_secs(wait))));
        desk.tick();
    }
    desk.spawned(4);
    let lines = desk.exited(4, 0);
    assert!(lines.iter().any(|line| line.contains("given up: 4 starts in a row failed")), "{lines:#?}");
    assert_eq!(desk.state("web.1"), State::Fatal);
}

#[test]
fn a_healthy_run_and_a_passing_failure_spend_no_attempt() {
    let mut desk = Desk::new(with(|web| web.restart.attempts = Some(2)));
    desk.spawned(1);
    desk.exited(1, 1);
    desk.tick();
    let reason = "fork: out of memory".to_owned();
    desk.input(Input::SpawnFailed { run: RunId(2), reason, transient: true, status: 1 });
    desk.tick();
    desk.spawned(3);
    desk.tick();
    desk.after(5).exited(3, 1);
    desk.spawned(4);
    desk.exited(4, 1);
    assert_eq!(desk.state("web.1"), State::Backoff, "the second attempt of two is left");
    desk.tick();
    desk.spawned(5);
    desk.exited(5, 1);
    assert_eq!(desk.state("web.1"), State::Fatal);
}

#[test]
fn a_stop_of_the_main_process_reaches_what_is_left_when_that_has_ended_and_a_kill_reaches_all() {
    let mut desk = running(|web| web.stop.scope = StopScope::Main);
    assert_eq!(desk.command(Command::Stop(vec![name("web.1")]))[0], "send SIGTERM to run 1");
    let known = KnownRun { run: RunId(1), worker: name("web.1"), pid: 101, exit: None, leftovers: false };
    let lines = desk.reborn(vec![known]);
    assert!(lines.contains(&"send SIGTERM to run 1".to_owned()), "{lines:#?}");
    let exited = Input::Exited { run: RunId(1), exit: Exit::Code(0), leftovers: true };
    assert!(desk.input(exited).contains(&"send SIGTERM to the tree of run 1".to_owned()));
    assert_eq!(desk.tick()[0], "send SIGKILL to the tree of run 1");
}

#[test]
fn a_group_that_does_not_start_by_itself_waits_for_a_command_and_a_count_starts_none_of_it() {
    let mut desk = Desk::empty(Vec::new());
    let lines = desk.apply(with(|web| web.autostart = false));
    assert_eq!(lines, ["event release 1: web: new, 1 worker", "reply to command 1: "]);
    let view = desk.core.worker(&name("web.1")).unwrap();
    assert_eq!((view.wanted, view.state), (Wanted::Down, State::Stopped));
    assert!(view.why.contains("waits for a command"), "{}", view.why);
    desk.command(Command::Scale(vec![("web".to_owned(), 2)]));
    assert_eq!(desk.state("web.2"), State::Stopped);
    assert_eq!(desk.core.wishes().unwrap().stopped.len(), 0, "nobody stopped it");
    assert_eq!(desk.command(Command::Start(vec![name("web.2")]))[0], "spawn web.2 as run 1");
}
