//! What operators asked for, over the end of the app and its next start.

#![expect(clippy::unwrap_used, reason = "a test may fail by panic, its helpers too")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ganger_core::*;
use ganger_spec::{Command as Run, Group, Spec, WorkerName};

fn spec(counts: [(&str, u32); 2]) -> Spec {
    let group =
        |(name, count): (&str, u32)| Group { count, ..Group::new(name, Run::Line(name.to_owned()), "/srv") };
    let groups = counts.map(group).into();
    Spec {
        forwards: Vec::new(),
        supervisor: None,
        overmind: None,
        app: "shop".to_owned(),
        root: "/srv".into(),
        sources: Vec::new(),
        env: Vec::new(),
        logs_max_total: None,
        groups,
    }
}

/// Lets a decider take an input; its records go to the ledger, and the names of those that it starts come back.
fn give(core: &mut Core, ledger: &mut Vec<Record>, input: Input) -> Vec<String> {
    core.handle(Instant(1), input);
    let mut started = Vec::new();
    while let Some(action) = core.poll_action() {
        match action {
            Action::Record(record) => ledger.push(record),
            Action::Spawn { worker, .. } => started.push(worker.to_string()),
            _ => {}
        }
    }
    started
}

/// A decider whose keeper has nothing, and its ledger.
fn met(mut core: Core) -> (Core, Vec<Record>) {
    let mut ledger = Vec::new();
    give(&mut core, &mut ledger, Input::Connected { runs: Vec::new() });
    (core, ledger)
}

/// No two commands of a decider have the same number.
fn number() -> CommandId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    CommandId(NEXT.fetch_add(1, Ordering::Relaxed))
}

fn apply(spec: Spec) -> Input {
    Input::Apply { command: number(), spec: Arc::new(spec), finish_when_idle: false }
}

fn command(command: Command) -> Input {
    Input::Command { id: number(), command }
}

fn name(text: &str) -> WorkerName {
    WorkerName::try_from(text.to_owned()).unwrap()
}

/// An app in which an operator has set a count and stopped a worker.
fn operated() -> (Core, Vec<Record>) {
    let (mut core, mut ledger) = met(Core::new(1));
    give(&mut core, &mut ledger, apply(spec([("web", 1), ("job", 1)])));
    give(&mut core, &mut ledger, command(Command::Scale(vec![("web".to_owned(), 3)])));
    give(&mut core, &mut ledger, command(Command::Stop(vec![name("web.2"), name("job.1")])));
    (core, ledger)
}

#[test]
fn counts_and_stopped_workers_are_the_same_after_the_next_start() {
    let (core, _) = operated();
    let wishes = core.wishes().unwrap();
    let (mut next, mut ledger) = met(Core::new(1).wishing(wishes.clone()));
    let started = give(&mut next, &mut ledger, apply(spec([("web", 1), ("job", 1)])));
    assert_eq!(started, ["web.1", "web.3"]);
    assert_eq!(next.wishes(), Some(wishes.clone()));
    let job = next.worker(&name("job.1")).unwrap();
    assert_eq!((job.wanted, job.state), (Wanted::Down, State::Stopped));
    assert!(job.why.contains("stopped by a command"), "{}", job.why);
    let restored = Core::restore(1, Instant(2), ledger);
    assert_eq!(restored.wishes(), Some(wishes), "they are in the ledger from the first release on");
}

#[test]
fn a_count_gives_way_to_files_that_say_another_one_and_a_start_undoes_a_stop() {
    let (core, _) = operated();
    let (mut next, mut ledger) = met(Core::new(1).wishing(core.wishes().unwrap()));
    let started = give(&mut next, &mut ledger, apply(spec([("web", 2), ("job", 1)])));
    assert_eq!(started, ["web.1"]);
    give(&mut next, &mut ledger, command(Command::Start(vec![name("web.2"), name("job.1")])));
    assert_eq!(next.wishes(), Some(Wishes::default()));
}

#[test]
fn what_was_asked_for_counts_for_the_first_release_alone() {
    let (core, _) = operated();
    let (mut next, mut ledger) = met(Core::new(1).wishing(core.wishes().unwrap()));
    give(&mut next, &mut ledger, apply(spec([("web", 1), ("job", 0)])));
    assert_eq!(next.group_count("web"), Some(3));
    let started = give(&mut next, &mut ledger, apply(spec([("web", 1), ("job", 1)])));
    assert_eq!(started, ["job.1"], "it was stopped in another life, and came back as a new worker");
}

#[test]
fn the_end_of_the_app_is_no_wish() {
    let (mut core, mut ledger) = operated();
    let shutdown = Command::Shutdown { now: false, reason: "asked to quit".to_owned(), status: 0 };
    give(&mut core, &mut ledger, command(shutdown));
    assert_eq!(core.wishes(), None);
}

#[test]
fn an_app_in_the_background_outlives_all_its_workers() {
    let (mut core, mut ledger) = met(Core::new(1));
    give(&mut core, &mut ledger, apply(spec([("web", 1), ("job", 0)])));
    give(&mut core, &mut ledger, Input::Spawned { run: RunId(1), pid: 7 });
    let end = Input::Exited { run: RunId(1), exit: Exit::Code(3), leftovers: false };
    give(&mut core, &mut ledger, end);
    assert_eq!(core.worker(&name("web.1")).unwrap().state, State::Exited);
    assert_eq!(core.shutting_down(), None);
}

#[test]
fn a_number_that_the_keeper_knows_is_not_given_again_though_the_ledger_is_lost() {
    let (mut core, mut ledger) = (Core::new(1), Vec::new());
    let stray = KnownRun { run: RunId(41), worker: name("web.1"), pid: 7, exit: None, leftovers: false };
    give(&mut core, &mut ledger, Input::Connected { runs: vec![stray] });
    give(&mut core, &mut ledger, apply(spec([("web", 1), ("job", 1)])));
    assert_eq!(core.worker(&name("job.1")).unwrap().run, Some(RunId(42)));
}
