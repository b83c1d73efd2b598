//! The live terminal of a worker.

use ganger_api::{FromWorker, TerminalSize, Told, WorkerInfo, WorkerState};

use super::fixture::{Played, begin, looked, output, run_here, worker};
use crate::Press;
use crate::live::HISTORY_LINES;
use crate::message::{Effect, Message};

const SIZE: (u16, u16) = (80, 24);
/// That of the workers' terminals, which is larger than their place.
const WIDE: (u16, u16) = (100, 30);

/// The terminal of `web.1` is asked for.
fn asked() -> Played {
    let mut played = Played::new(SIZE);
    played.presses(Press::Down, 2).letters("v");
    played
}

fn size((columns, rows): (u16, u16)) -> TerminalSize {
    TerminalSize { rows, columns }
}

fn ended(text: &str) -> FromWorker {
    FromWorker::Told(Told::Ended { run: 1, text: text.to_owned() })
}

#[test]
fn a_terminal_is_looked_at_in_place_of_the_log_and_back() {
    let mut played = asked();
    let window = played.screen.live.number();
    let view = Effect::View { window, worker: "web.1".to_owned() };
    assert_eq!(played.asked, [Effect::Unfollow, view]);
    played.shows("─ terminal ─ … ─").shows("v log  a attach").hides("no line was written");
    played.terminal(WIDE, "\x1b[2J\x1b[Hname? ").shows("─ terminal 100×30 ─ live ─").shows("name?");
    played.view(output(6, "anna")).shows("name? anna");
    played.letters("v").shows("─ log ─ follows ─").shows("v terminal");
    assert_eq!(played.asked[0], Effect::Unview);
    assert_eq!(played.followed().1.names, ["web.1"]);
    played.tell(Message::Viewed { window, told: Ok(output(10, "late")) }).hides("late");
}

#[test]
fn whoever_wants_terminals_sees_that_of_each_worker_that_has_one() {
    let mut played = asked();
    played.terminal(WIDE, "first");
    played.press(Press::Down);
    assert!(
        matches!(&played.asked[1], Effect::View { worker, .. } if worker == "web.2"),
        "{:?}",
        played.asked
    );
    played.view(begin(Some(run_here(1, None)), 0)).shows("─ no terminal, log ─ follows ─").hides("v log");
    assert_eq!(played.followed().1.names, ["web.2"]);
    assert_eq!(played.asked[1], Effect::Unview, "nothing more is told of it");
    played.presses(Press::Up, 2).shows("─ web, 2 workers ─").shows("─ log ─ follows ─");
    assert_eq!(played.followed().1.names, ["web"]);
    played.letters("v").shows("choose one worker to see its terminal");
    assert_eq!(played.asked, []);
    played.press(Press::Down).terminal(WIDE, "first").shows("first").shows("live");
}

#[test]
fn the_end_of_a_run_is_told_in_its_terminal_and_the_next_one_goes_on_below() {
    let mut played = asked();
    played
        .terminal(WIDE, "\x1b[?1049h\x1b[2J\x1b[?25lpage\x1b[?1049lbefore")
        .view(ended("exited with code 3"));
    played.shows("before\n[web.1 exited with code 3]");
    played.view(FromWorker::Told(Told::Started(run_here(2, Some(size(WIDE))))));
    played.shows("[web.1 exited with code 3]\n[web.1 started with pid 4001]");
    played.view(output(50, "next")).shows("started with pid 4001]\nnext");
    // Its group writes to a pipe now.
    played.view(FromWorker::Told(Told::Started(run_here(3, None)))).shows("no terminal, log");
    assert_eq!(played.followed().1.names, ["web.1"]);
}

#[test]
fn of_a_worker_that_does_not_run_the_log_is_shown_until_it_does() {
    let mut played = asked();
    played.view(begin(None, 0)).shows("─ log ─ follows ─");
    assert_eq!(played.followed().1.names, ["web.1"]);
    assert!(!played.asked.contains(&Effect::Unview), "its next run is waited for");
    played.view(FromWorker::Told(Told::Started(run_here(2, Some(size(WIDE)))))).shows("100×30 ─ live");
    assert_eq!(played.asked, [Effect::Unfollow]);
}

#[test]
fn a_worker_that_is_gone_takes_its_terminal_with_it() {
    let mut played = asked();
    played.terminal(WIDE, "its terminal");
    played.tell(looked(vec![worker("api", 1, WorkerState::Running)], &[]));
    played.hides("its terminal");
    assert!(played.asked.iter().any(|effect| matches!(effect, Effect::Unview | Effect::View { .. })));
}

#[test]
fn a_terminal_that_cannot_be_shown_says_why_and_its_log_is_shown() {
    let mut played = asked();
    let window = played.screen.live.number();
    played.tell(Message::Viewed { window, told: Err("256 viewers are attached".to_owned()) });
    played.shows("256 viewers are attached").shows("─ log ─ follows ─");
    assert_eq!(played.followed().1.names, ["web.1"]);
}

#[test]
fn of_a_large_terminal_the_part_is_seen_where_something_is_written() {
    let rows = (1..=30).map(|at| format!("\x1b[{at};1Hrow {at}.")).collect::<Vec<_>>().concat();
    let mut played = asked();
    played.terminal(WIDE, "\x1b[2J\x1b[1;1Htop").shows("top");
    played.view(output(0, &rows)).shows("row 30.").hides("row 1.");
    // What is seen moves only as far as it must.
    played.view(output(0, "\x1b[25;1H")).shows("row 30.").hides("row 18.");
    played.view(output(0, "\x1b[10;1H")).shows("row 10.").hides("row 9.").hides("row 22.");
    // One that draws all of the screen and hides the cursor is seen from its top.
    played.view(output(0, &format!("\x1b[?1049h\x1b[?25l{rows}"))).shows("row 1.").hides("row 30.");
    played.view(output(0, "\x1b[1;95Hright")).hides("right");
    played.presses(Press::Right, 9).shows("right").shows("from column 21").presses(Press::Left, 9);
    played.hides("from column").shows("row 1.");
    played.letters("z").shows("row 20.").tell(Message::Resized(110, 40)).shows("right").shows("row 30.");
}

#[test]
fn a_terminal_that_is_held_does_not_move_and_goes_back_to_what_scrolled_off() {
    let lines =
        |from: u64, to: u64| (from..=to).map(|at| format!("line {at}.\r\n")).collect::<Vec<_>>().concat();
    let mut played = asked();
    played.terminal(WIDE, &lines(1, 2_000)).shows("line 2000.");
    played.press(Press::PageUp).shows("held").hides("line 2000.");
    let before = played.picture();
    played.view(output(0, &lines(2_001, 4_000)));
    assert_eq!(played.picture(), before);
    played.press(Press::Home);
    let oldest = 2_000 + 2 - u64::from(WIDE.1) - HISTORY_LINES as u64;
    played.shows(&format!("line {oldest}.")).hides(&format!("line {}.", oldest - 1));
    played
        .press(Press::Tab)
        .press(Press::Up)
        .shows(&format!("line {oldest}."))
        .press(Press::End)
        .shows("line 4000.")
        .shows("live");
    played.letters("p").shows("held").view(output(0, &lines(4_001, 4_001))).hides("line 4001.");
    played.letters("p").shows("line 4001.").press(Press::PageUp).shows("held");
    played.presses(Press::PageDown, 3).shows("live").press(Press::PageUp).press(Press::Escape).shows("live");
}

#[test]
fn a_key_of_the_log_shows_the_log() {
    let mut played = asked();
    played.terminal(WIDE, "text").letters("/");
    assert_eq!(played.followed().1.names, ["web.1"]);
    played.shows("search:").press(Press::Escape).shows("─ log ─ follows ─").shows("v terminal");
    played.letters("vt").shows("─ log ─");
}

#[test]
fn a_viewer_that_was_too_slow_sees_what_was_there_until_the_rest_is() {
    let mut played = asked();
    played.terminal(WIDE, "before").view(begin(Some(run_here(1, Some(size(WIDE)))), 10));
    played
        .view(output(0, "after"))
        .shows("before")
        .view(output(5, "wards"))
        .shows("afterwards")
        .hides("before");
}

#[test]
fn the_whole_terminal_is_given_to_a_worker_and_all_is_drawn_anew_afterwards() {
    let mut played = asked();
    played.terminal(WIDE, "text").letters("ma");
    assert_eq!(played.asked, [Effect::Unview, Effect::Attach("web.1".to_owned())]);
    played.tell(Message::Attached(None));
    let window = played.screen.live.number();
    let view = Effect::View { window, worker: "web.1".to_owned() };
    assert_eq!(played.asked, [Effect::Look, Effect::Mouse(true), Effect::Unfollow, view]);
    played.terminal((80, 24), "again").shows("again").shows("80×24");
    played.letters("v").letters("a");
    assert_eq!(played.asked, [Effect::Attach("web.1".to_owned())]);
    played.tell(Message::Attached(Some("no worker web.1".to_owned()))).shows("no worker web.1");
    played.presses(Press::Up, 2).letters("a").shows("choose one worker to attach to it");
    assert_eq!(played.asked, []);
}

#[test]
fn when_the_app_has_ended_its_last_picture_stays() {
    let mut played = asked();
    played.terminal(WIDE, "last words").tell(Message::Ended("it has ended".to_owned()));
    played.shows("last words").shows("ended ─").letters("v").shows("last words").letters("a");
    played.shows("nobody can be attached to: it has ended");
    assert_eq!(played.asked, Vec::<Effect>::new());
}

#[test]
fn the_key_is_told_of_where_there_is_a_terminal() {
    let mut played = Played::new(SIZE);
    let look = |job_has_one: bool| {
        let job = WorkerInfo { terminal: job_has_one, ..worker("job", 1, WorkerState::Running) };
        looked(vec![job, worker("web", 1, WorkerState::Running)], &[])
    };
    played.tell(look(false));
    played.press(Press::Down).hides("v terminal").shows("a attach");
    played.tell(look(false)).shows("no line was written").hides("v shows");
    played.press(Press::Down).shows("v terminal");
    // What a prompt writes is no line.
    played.tell(look(false)).shows("no line was written; v shows the terminal");
    // Its group has one now.
    played.press(Press::Up).hides("v terminal").tell(look(true)).shows("v terminal");
}
