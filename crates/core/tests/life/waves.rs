//! In which order groups start and a shutdown stops them.

use ganger_spec::Family;

use super::*;

/// Name, family and priority of a group.
type Rank = (&'static str, Option<(&'static str, i32)>, i32);

/// Groups of one worker each, by name, family and priority.
fn ranked(groups: &[Rank]) -> Spec {
    let group = |(name, family, priority): &Rank| Group {
        name: (*name).to_owned(),
        family: family.map(|(name, priority)| Family { name: name.to_owned(), priority }),
        priority: *priority,
        ..with(|_| {}).groups.remove(0)
    };
    Spec { groups: groups.iter().map(group).collect(), ..spec(1) }
}

/// All of them up, in the order in which they were asked for.
fn started(groups: &[Rank]) -> (Desk, Vec<String>) {
    let mut desk = Desk::empty(Vec::new());
    let lines = desk.apply(ranked(groups));
    (1..=groups.len()).for_each(|run| drop(desk.spawned(run as u64)));
    desk.tick();
    let spawns = lines.iter().filter_map(|line| line.strip_prefix("spawn ")?.split('.').next());
    (desk, spawns.map(str::to_owned).collect())
}

fn stopped(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.strip_prefix("send SIGTERM to the tree of ")).collect()
}

const RANKS: [Rank; 4] =
    [("web", None, 999), ("db", Some(("base", 1)), 20), ("queue", Some(("base", 1)), 10), ("log", None, 1)];

fn quit() -> Command {
    Command::Shutdown { now: false, reason: "asked to quit".to_owned(), status: 0 }
}

#[test]
fn groups_start_by_the_priority_of_their_families_and_then_by_their_own() {
    assert_eq!(started(&RANKS).1, ["queue", "db", "log", "web"]);
    assert_eq!(started(&[("b", None, 999), ("a", None, 999)]).1, ["b", "a"], "else as they are written");
}

#[test]
fn a_shutdown_stops_the_highest_priority_first_and_the_next_when_that_is_down() {
    let (mut desk, _) = started(&RANKS);
    assert_eq!(stopped(&desk.command(quit())), ["run 4"]);
    let waiting = desk.core.worker(&name("db.1")).unwrap();
    assert_eq!((waiting.wanted, waiting.state), (Wanted::Down, State::Running));
    let lines = desk.exited(1, 0);
    assert_eq!(stopped(&lines), [""; 0], "it ended by itself, and the first wave is not over: {lines:#?}");
    assert!(!lines.iter().any(|line| line.starts_with("spawn")), "nothing follows any more: {lines:#?}");
    assert_eq!(stopped(&desk.exited(4, 0)), ["run 2", "run 3"]);
    desk.exited(2, 0);
    assert_eq!(desk.exited(3, 0).last().unwrap(), "finish with status 0");
}

#[test]
fn the_order_of_a_shutdown_survives_the_overseer_and_what_is_stuck_holds_nobody_up() {
    let (mut desk, _) = started(&RANKS);
    desk.command(quit());
    let known = |run: u64, worker: &str| KnownRun {
        run: RunId(run),
        worker: name(worker),
        pid: 100 + u32::try_from(run).unwrap(),
        exit: None,
        leftovers: false,
    };
    let runs = vec![known(1, "queue.1"), known(2, "db.1"), known(3, "log.1"), known(4, "web.1")];
    assert_eq!(stopped(&desk.reborn(runs)), ["run 4"]);
    desk.tick();
    assert_eq!(stopped(&desk.tick()), ["run 2", "run 3", "run 1"], "web does not even die of KILL");
}

#[test]
fn a_shutdown_by_kill_has_no_order() {
    let (mut desk, _) = started(&RANKS);
    let kill = Command::Shutdown { now: true, reason: "asked to quit".to_owned(), status: 0 };
    let lines = desk.command(kill);
    assert_eq!(lines.iter().filter(|line| line.starts_with("send SIGKILL")).count(), 4, "{lines:#?}");
}
