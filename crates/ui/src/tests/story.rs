//! What keys and news do.

use std::collections::BTreeMap;

use ganger_api::{EventInfo, EventKind, LogLine, OutcomeInfo, Request, TerminalSize, WorkerState};
use ganger_spec::Signal;

use super::fixture::{Played, line, looked, shop, time, worker};
use crate::message::{Effect, Message, Place};
use crate::window::LINES_MAX;
use crate::{Press, screen};

const SIZE: (u16, u16) = (80, 24);

/// Lines with these numbers.
fn numbered(numbers: std::ops::RangeInclusive<u64>) -> Vec<LogLine> {
    numbers.map(|at| line("web.1", at, &format!("line {at}."))).collect()
}

fn ask(request: Request, words: &str) -> Effect {
    Effect::Ask { request, words: words.to_owned() }
}

fn names(name: &str) -> Vec<String> {
    vec![name.to_owned()]
}

#[test]
fn a_screen_looks_first_and_follows_the_logs_of_the_row_that_is_chosen() {
    let mut played = Played::of(SIZE, false);
    assert_eq!(played.asked, [Effect::Look]);
    played.tell(shop());
    let (_, query) = played.followed();
    assert!(query.names.is_empty() && query.follow && query.lines.is_some(), "{query:?}");
    played.press(Press::Down);
    assert_eq!(played.followed().1.names, ["web"]);
    let before = played.followed().0;
    played.press(Press::Down);
    assert_eq!(played.followed().1.names, ["web.1"]);
    played.tell(Message::Lines { window: before, lines: numbered(1..=1) }).hides("line 1.");
    played.tell(shop());
    assert_eq!(played.asked, [], "the same row is chosen: the same log is shown");
    played.presses(Press::Down, 100);
    assert_eq!(played.screen.roster.selected().unwrap().pattern(), "cron");
}

#[test]
fn that_nothing_was_written_is_said_only_when_it_is_known() {
    let mut played = Played::new(SIZE);
    played.hides("no line was written").tell(shop()).shows("no line was written");
    played.press(Press::Down).hides("no line was written").write(numbered(1..=1)).shows("line 1.");
    played.press(Press::Down).tell(shop()).shows("no line was written");
    played
        .letters("fx")
        .press(Press::Enter)
        .hides("was written")
        .tell(shop())
        .shows("no such line was written");
}

#[test]
fn what_is_chosen_stays_chosen_when_the_list_changes() {
    let mut played = Played::new(SIZE);
    played.presses(Press::Down, 3);
    let two = |played: &Played| played.screen.roster.selected().unwrap().pattern();
    assert_eq!(two(&played), "web.2");
    let more = vec![worker("api", 1, WorkerState::Running), worker("web", 1, WorkerState::Running)];
    let mut grown = more.clone();
    grown.push(worker("web", 2, WorkerState::Running));
    played.tell(looked(grown, &[]));
    assert_eq!(two(&played), "web.2");
    played.tell(looked(more, &[]));
    assert_eq!(two(&played), "web.1", "what is left of its group");
    assert_eq!(played.followed().1.names, ["web.1"]);
}

#[test]
fn what_touches_one_worker_is_done_and_what_touches_several_is_asked_about() {
    let mut played = Played::new(SIZE);
    played.presses(Press::Down, 2).letters("r");
    assert_eq!(played.asked, [ask(Request::Restart { names: names("web.1") }, "restart web.1")]);
    played.shows("restart web.1 …");
    played.tell(Message::Answered { words: "restart web.1".to_owned(), result: Ok(OutcomeInfo::default()) });
    played.shows("restart web.1: it is so already");
    played.press(Press::Up).letters("x").shows("stop 2 workers of web?").letters("n");
    assert_eq!(played.asked, []);
    played.letters("x").press(Press::PageUp).shows("stop 2 workers").letters("y");
    assert_eq!(played.asked, [ask(Request::Stop { names: names("web") }, "stop web")]);
    played.letters("s");
    assert_eq!(
        played.asked,
        [ask(Request::Start { names: names("web") }, "start web")],
        "nothing is lost by that"
    );
    played.press(Press::Up).letters("r").shows("restart 4 workers of the app?").press(Press::Escape);
    played.presses(Press::Down, 6).letters("r").shows("cron has no workers: + adds one");
}

#[test]
fn a_group_is_scaled_by_one_and_its_last_worker_is_asked_about() {
    let scale = |group: &str, count| Request::Scale { counts: BTreeMap::from([(group.to_owned(), count)]) };
    let mut played = Played::new(SIZE);
    played.letters("+").shows("choose a group");
    played.presses(Press::Down, 3).letters("+");
    assert_eq!(played.asked, [ask(scale("web", 3), "scale web=3")]);
    played.letters("-");
    assert_eq!(played.asked, [ask(scale("web", 1), "scale web=1")]);
    played.press(Press::Down).letters("-").shows("stop the last worker of mailer?").press(Press::Enter);
    assert_eq!(played.asked, [ask(scale("mailer", 0), "scale mailer=0")]);
    played.presses(Press::Down, 2).letters("-").shows("cron cannot have fewer workers").letters("+");
    assert_eq!(played.asked, [ask(scale("cron", 1), "scale cron=1")]);
}

#[test]
fn a_signal_is_chosen_and_kill_is_asked_about() {
    let mut played = Played::new(SIZE);
    played.presses(Press::Down, 2).letters("S").shows("signal to web.1").press(Press::Enter);
    let hup = Request::Signal { names: names("web.1"), signal: Signal::HUP };
    assert_eq!(played.asked, [ask(hup, "signal web.1 SIGHUP")]);
    played
        .letters("S")
        .presses(Press::Down, 6)
        .press(Press::Enter)
        .shows("send SIGKILL to 1 worker of web.1?");
    played.letters("y");
    let kill = Request::Signal { names: names("web.1"), signal: Signal::KILL };
    assert_eq!(played.asked, [ask(kill, "signal web.1 SIGKILL")]);
    played.letters("S").presses(Press::Down, 100).presses(Press::Up, 100).press(Press::Escape);
    assert_eq!(played.asked, []);
}

#[test]
fn so_many_commands_may_be_under_way_and_no_more() {
    let mut played = Played::new(SIZE);
    played.presses(Press::Down, 2);
    for _ in 0..screen::UNDER_WAY_MAX {
        assert_eq!(played.letters("r").asked.len(), 1);
    }
    assert_eq!(played.letters("r").asked, []);
    played.shows("commands are under way");
    played.tell(Message::Answered { words: "restart web.1".to_owned(), result: Err("no".to_owned()) });
    played.shows("restart web.1: no");
    assert_eq!(played.letters("r").asked.len(), 1);
}

#[test]
fn the_screen_of_a_running_app_is_left_and_the_app_goes_on() {
    let mut played = Played::new(SIZE);
    assert_eq!(played.letters("q").asked, [Effect::Leave]);
    assert_eq!(played.press(Press::Ctrl('c')).asked, [Effect::Leave]);
    played.letters("Q").shows("stop 2 workers and end shop?").letters("q");
    assert_eq!(played.asked, [], "the key that leaves says no");
    played.letters("Qy");
    assert_eq!(played.asked, [ask(Request::Quit { now: false }, "quit shop")]);
}

#[test]
fn workers_of_a_screens_own_app_draw_for_the_room_that_there_is_for_them() {
    let fit = |rows, columns| Effect::Fit(TerminalSize { rows, columns });
    let mut played = Played::of((100, 30), true);
    assert_eq!(played.asked, [Effect::Look], "how long the list is, nobody knows yet");
    played.tell(shop());
    assert!(played.asked.contains(&fit(18, 100)), "{:?}", played.asked);
    assert_eq!(played.tell(shop()).asked, [], "it is told once");
    assert_eq!(played.letters("z").asked, [fit(26, 100)]);
    assert_eq!(played.tell(Message::Resized(160, 40)).asked, [fit(36, 160)]);
    let mut guest = Played::of((100, 30), false);
    guest.tell(shop()).letters("z").tell(Message::Resized(160, 40));
    assert!(!guest.asked.iter().any(|effect| matches!(effect, Effect::Fit(_))), "another's app");
}

#[test]
fn a_screen_that_owns_its_app_ends_it_after_a_second_key() {
    for second in [Press::Char('q'), Press::Char('y'), Press::Ctrl('c'), Press::Enter] {
        let mut played = Played::of(SIZE, true);
        played.tell(shop()).letters("q").shows("end shop?");
        assert_eq!(played.asked, []);
        played.press(second);
        assert_eq!(played.asked, [ask(Request::Quit { now: false }, "quit shop")]);
        assert_eq!(played.tell(Message::Ended("it has ended".to_owned())).asked, [Effect::Leave]);
    }
}

#[test]
fn the_end_of_the_app_is_told_and_nothing_is_asked_of_it_any_more() {
    let mut played = Played::new(SIZE);
    played.write(numbered(1..=50)).letters("/");
    played.tell(Message::Ended("it has ended".to_owned())).shows("shop  it has ended").shows("line 50.");
    played.presses(Press::Down, 2).letters("r").shows("restart web.1: it has ended");
    assert_eq!(played.asked, []);
    assert_eq!(played.press(Press::Home).asked, []);
    assert_eq!(played.letters("q").asked, [Effect::Leave]);
}

#[test]
fn what_happens_is_told_and_looked_at_but_not_what_happened_before() {
    let event = |seq, at: &str, kind| EventInfo {
        seq,
        time: time(at),
        kind,
        worker: Some(ganger_spec::WorkerName::new("web", 1)),
        text: "exited with code 3".to_owned(),
        details: serde_json::Map::new(),
    };
    let mut played = Played::new(SIZE);
    played.tell(Message::Happened(event(1, "2026-11-22T09:59:59Z", EventKind::Ended)));
    assert_eq!(played.asked, []);
    played.hides("exited with code 3");
    played.tell(Message::Rested).shows("figures of 10:00:30");
    played.tell(Message::Happened(event(2, "2026-11-22T10:00:05Z", EventKind::Ended)));
    assert_eq!(played.asked, [Effect::Look]);
    played.shows("10:00:05 web.1 exited with code 3").hides("figures of");
}

#[test]
fn a_view_that_is_held_stays_while_lines_come() {
    let mut played = Played::new(SIZE);
    played.write(numbered(1..=100)).shows("line 100.").letters("p");
    let before = seen(&played);
    played.write(numbered(101..=102)).hides("line 101.").shows("held, 2 new");
    assert_eq!(seen(&played), before);
    played.letters("p").shows("line 102.").shows("follows");
    played.press(Press::Tab).press(Press::Up).shows("held").press(Press::Down).shows("follows");
    played.letters("z").press(Press::PageUp).shows("held").press(Press::End).shows("follows");
}

#[test]
fn a_page_that_is_asked_for_is_waited_for() {
    let mut played = Played::new(SIZE);
    played.write(numbered(50_000..=50_020)).press(Press::PageUp);
    let page = played.paged();
    assert_eq!(page.place, Place::Older);
    assert!(page.query.until > Some(line("web.1", 50_000, "").time), "up to its time, and with it");
    assert_eq!(page.query.lines, Some(1_001), "one of them is here already");
    played.press(Press::PageUp);
    assert_eq!(played.asked, [], "one page at a time");
    played.tell(Message::Paged { page, lines: numbered(49_000..=50_000), complete: true });
    assert_eq!(played.asked, [], "there is enough above now");
    played.presses(Press::PageUp, 2).shows("line 49995.");
}

/// More lines than are kept.
fn long_log() -> Vec<LogLine> {
    numbered(1..=LINES_MAX as u64 + 5_000)
}

/// The numbers of the lines that are seen.
fn seen(played: &Played) -> Vec<u64> {
    let number = |line: &str| line.split("line ").nth(1)?.trim_end_matches('.').parse().ok();
    played.picture().lines().filter_map(number).collect()
}

#[test]
fn a_log_that_is_longer_than_what_is_kept_is_seen_from_end_to_end() {
    let store = long_log();
    let last = store.len() as u64;
    let kept = |played: &Played| played.screen.log.window.from(i64::MIN).count();
    let mut played = Played::new((80, 60));
    played.letters("z").serve(&store);
    let mut first = last + 1;
    while first > 1 {
        let rows = seen(&played);
        assert_eq!(rows, (rows[0]..rows[0] + 56).collect::<Vec<_>>(), "without a gap");
        assert!(rows[0] < first, "it goes up");
        first = rows[0];
        played.press(Press::PageUp).serve(&store);
        assert!(kept(&played) <= LINES_MAX);
    }
    played
        .hides("follows")
        .write(vec![line("web.1", 90_000, "written meanwhile")])
        .hides("written meanwhile");
    let mut bottom = 0;
    while bottom < last {
        let rows = seen(&played);
        assert_eq!(rows, (rows[0]..rows[0] + 56).collect::<Vec<_>>(), "without a gap");
        assert!(rows[55] > bottom, "it goes down");
        bottom = rows[55];
        played.press(Press::PageDown).serve(&store);
        assert!(kept(&played) <= LINES_MAX);
    }
    played.press(Press::PageDown).serve(&store).shows("follows");
    played.write(vec![line("web.1", 90_000, "written at last")]).shows("written at last");
}

#[test]
fn the_beginning_and_the_end_are_one_key_away() {
    let store = long_log();
    let mut played = Played::new(SIZE);
    played.serve(&store).press(Press::Home).serve(&store).shows("| line 1.").shows("held");
    played.presses(Press::PageDown, 200).serve(&store).shows("| line 1000.");
    played.press(Press::End).serve(&store).shows(&format!("line {}.", store.len())).shows("follows");
}

#[test]
fn a_search_finds_what_is_seen_what_is_kept_and_what_is_stored() {
    let store = long_log();
    let mut played = Played::new(SIZE);
    let last = store.len();
    played.serve(&store).letters("/LINE \\d+00\\.").press(Press::Enter).serve(&store).shows("is not above");
    played.letters("/line \\d+00\\.").press(Press::Enter).serve(&store).shows(&format!("line {last}."));
    played.letters("n").serve(&store).shows(&format!("line {}.", last - 100));
    played.letters("n").serve(&store).shows(&format!("line {}.", last - 200));
    played.letters("N").serve(&store).shows(&format!("line {}.", last - 100));
    played.letters("NN").serve(&store).shows("is not below").shows(&format!("line {last}."));
    // Far above what is kept.
    played.press(Press::End).serve(&store);
    played
        .letters("/ 1234[56]\\.")
        .press(Press::Enter)
        .serve(&store)
        .shows("line 12346.")
        .shows("line 12345.");
    played.letters("n").serve(&store).letters("n").serve(&store).shows("is not above");
    played.letters("/line 20000\\.").press(Press::Enter).serve(&store).shows("is not above");
    played.letters("N").serve(&store).shows("line 20000.").shows("held");
    played.press(Press::Escape).letters("n").shows("nothing is searched for");
}

#[test]
fn a_match_is_found_among_thousands_of_lines_of_one_time() {
    let mut store = numbered(1..=6_000);
    let now = store[0].time;
    for line in &mut store {
        line.time = now;
    }
    let mut played = Played::new(SIZE);
    played.serve(&store).letters("/line 4\\.").press(Press::Enter).serve(&store).shows("line 4.");
    played
        .press(Press::End)
        .serve(&store)
        .shows("line 6000.")
        .press(Press::Home)
        .serve(&store)
        .shows("line 1.");
}

#[test]
fn a_filter_shows_only_what_it_finds_and_an_empty_one_shows_all() {
    let store = long_log();
    let mut played = Played::new(SIZE);
    played.serve(&store).letters("f(").press(Press::Enter).shows("unclosed group").shows("show only");
    played.press(Press::Ctrl('u')).letters(" 7\\d*0\\.").press(Press::Enter);
    assert_eq!(played.followed().1.grep.as_deref(), Some(" 7\\d*0\\."));
    played.serve(&store).shows("line 7990.").hides("line 7991.").shows("only");
    played.presses(Press::PageUp, 40).serve(&store).shows("line 70.");
    played.letters("/nothing").press(Press::Enter).shows("is not above");
    played.press(Press::Escape).press(Press::Escape).serve(&store).shows(&format!("line {}.", store.len()));
}

#[test]
fn lines_are_cut_or_broken_and_have_times_when_asked_for() {
    let mut played = Played::new(SIZE);
    let long = format!("{}end", "0123456789".repeat(9));
    played.write(vec![line("web.1", 5, &long)]).shows("end").letters("w").hides("end").shows("…");
    played.presses(Press::Right, 4).shows("end").presses(Press::Left, 4).hides("end").letters("wt");
    played.shows("10:00:01 web.1 | 0123456789");
}

#[test]
fn the_mouse_is_taken_by_a_key_and_chooses_and_scrolls_then() {
    let mut played = Played::new(SIZE);
    played.write(numbered(1..=100));
    assert_eq!(played.letters("m").asked, [Effect::Mouse(true)]);
    played.press(Press::Click(3, 4));
    assert_eq!(played.screen.roster.selected().unwrap().pattern(), "web.1");
    played.write(numbered(1..=100)).press(Press::WheelUp(3, 20)).shows("held");
    played.press(Press::WheelDown(3, 20)).shows("follows").press(Press::WheelDown(3, 4));
    assert_eq!(played.screen.roster.selected().unwrap().pattern(), "web.2");
    assert_eq!(played.letters("m").asked, [Effect::Mouse(false)]);
}

#[test]
fn a_prompt_without_an_end_of_line_is_seen_and_goes_on() {
    let mut played = Played::new(SIZE);
    let open = |position, text: &str| LogLine { newline: false, ..line("web.1", position, text) };
    played.write(vec![open(5, "name? ")]).shows("| name?");
    played.write(vec![open(9, "anna"), line("web.1", 10, "!")]).shows("| name? anna!");
}

#[test]
fn a_log_that_cannot_be_shown_says_why() {
    let mut played = Played::new(SIZE);
    let window = played.screen.log.number();
    played.tell(Message::LogFailed { window: window - 1, why: "of before".to_owned() }).hides("of before");
    played.tell(Message::LogFailed { window, why: "no such log".to_owned() }).shows("no such log");
}
