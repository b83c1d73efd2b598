//! Pictures of every mode at three sizes, kept as files: `GANGER_BLESS=1` rewrites them, and the difference is for people
//! to look at.

use ganger_api::{EventInfo, EventKind, FromWorker, LogLine, Told};

use super::fixture::{Played, begin, line, looked, output, run_here, time, worker};
use crate::Press;
use crate::message::Message;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// What three workers wrote.
fn lines() -> Vec<LogLine> {
    let text = |at: u64| match at % 5 {
        0 => format!("\x1b[32mGET\x1b[0m /orders/{at} \x1b[1m200\x1b[0m in {}ms", at * 7 % 90),
        1 => format!("\x1b[31mERROR\x1b[0m payment {at} failed: no answer from the bank within 2 s"),
        2 => "日本語 ünïcode\ttabs".to_owned(),
        3 => format!("{at} {}", "a long line that does not fit into the screen, ".repeat(5)),
        _ => format!("job {at} done"),
    };
    let of = ["web.1", "web.2", "mailer.1"];
    (1..=60).map(|at| line(of[usize::try_from(at).unwrap() % 3], at, &text(at))).collect()
}

/// What a shell shows in which somebody looked at orders.
fn shell() -> String {
    let prompt = "\x1b[1;32mshop>\x1b[0m";
    let order = |at: u8| format!("order {at} \x1b[3{}mshipped\x1b[0m\r\n", at % 6 + 1);
    let orders = (1..=30).map(order).collect::<Vec<_>>().concat();
    format!("{prompt} orders\r\n{orders}{prompt} count 日本 \x1b[7m30\x1b[0m ")
}

/// What a program shows that draws all of a terminal of 100 × 30.
fn page() -> String {
    let head = format!("\x1b[44;97m{:<100}\x1b[0m\r\n", "  PID USER   CPU  COMMAND");
    let bar = "|".repeat(60);
    let row =
        |at: u8| format!("{at:>5} user  {:>5.1}  bin/run --number {at} {bar}\r\n", 100.0 / f64::from(at));
    let rows = (1..=28).map(row).collect::<Vec<_>>().concat();
    format!("\x1b[?1049h\x1b[?25l\x1b[H{head}{rows}\x1b[7mF1 Help\x1b[0m")
}

/// The terminal of `web.1` is asked for.
fn chosen_terminal(played: &mut Played) -> &mut Played {
    played.press(Press::Down).press(Press::Down).letters("v")
}

type Make = fn(&mut Played);

/// Makes the screen of each picture.
const PICTURES: [(&str, Make); 23] = [
    ("merged", |_| {}),
    ("worker", |played| {
        played.press(Press::Down).press(Press::Down);
        let of_web: Vec<_> = lines().into_iter().filter(|line| line.log.to_string() == "web.1").collect();
        played.write(of_web);
    }),
    ("group", |played| {
        played.press(Press::Down);
        played.write(lines());
        played.letters("t");
    }),
    ("failing", |played| {
        played.presses(Press::Down, 4);
        played.tell(Message::Happened(event(EventKind::Ended, "exited with code 1 after 0.2 s")));
    }),
    ("terminal", |played| {
        chosen_terminal(played).terminal((80, 24), &shell());
    }),
    ("terminal-page", |played| {
        chosen_terminal(played).terminal((100, 30), &page());
    }),
    ("terminal-held", |played| {
        chosen_terminal(played).terminal((80, 24), &shell()).press(Press::PageUp);
        played.view(output(0, "more\r\n"));
    }),
    ("terminal-ended", |played| {
        chosen_terminal(played).terminal((80, 24), &shell());
        played.view(FromWorker::Told(Told::Ended { run: 1, text: "exited with code 1".to_owned() }));
    }),
    ("terminal-zoomed", |played| {
        chosen_terminal(played).terminal((80, 24), &shell()).letters("z");
    }),
    ("no-terminal", |played| {
        chosen_terminal(played).view(begin(Some(run_here(1, None)), 0));
        played.write(lines());
    }),
    ("search", |played| {
        played.letters("/error");
    }),
    ("found", |played| {
        played.letters("/error").press(Press::Enter).letters("nn");
    }),
    ("filter", |played| {
        played.letters("fGET").press(Press::Enter);
        played.write(lines().into_iter().filter(|line| line.text.text.contains("GET")).collect());
    }),
    ("held", |played| {
        played.press(Press::PageUp);
        played.write(vec![line("web.1", 100, "one more"), line("web.1", 101, "and another")]);
    }),
    ("cut", |played| {
        played.letters("w").press(Press::Right).press(Press::Right);
    }),
    ("zoomed", |played| {
        played.letters("zt");
    }),
    ("help", |played| {
        played.letters("?");
    }),
    ("signals", |played| {
        played.press(Press::Down).letters("S").press(Press::Down);
    }),
    ("question", |played| {
        played.letters("x");
    }),
    ("resting", |played| {
        played.tell(Message::Rested);
    }),
    ("empty", |played| {
        played.tell(looked(Vec::new(), &["web"]));
    }),
    ("ended", |played| {
        played.tell(Message::Ended("it has ended".to_owned()));
    }),
    ("many", |played| {
        let workers =
            (1..200).map(|number| worker("web", number, ganger_api::WorkerState::Running)).collect();
        played.tell(looked(workers, &[]));
        played.presses(Press::Down, 100);
    }),
];

fn event(kind: EventKind, text: &str) -> EventInfo {
    EventInfo {
        seq: 7,
        time: time("2026-11-22T10:00:29Z"),
        kind,
        worker: Some(ganger_spec::WorkerName::new("mailer", 1)),
        text: text.to_owned(),
        details: serde_json::Map::new(),
    }
}

#[test]
fn every_mode_looks_as_it_was_looked_at_by_people() {
    let mut differing = Vec::new();
    for (name, make) in PICTURES {
        for size in SIZES {
            let mut played = Played::new(size);
            played.write(lines());
            make(&mut played);
            let path =
                format!("{}/tests/screens/{name}.{}x{}.txt", env!("CARGO_MANIFEST_DIR"), size.0, size.1);
            let picture = played.picture();
            if std::env::var_os("GANGER_BLESS").is_some() {
                std::fs::write(&path, &picture).unwrap();
            } else if std::fs::read_to_string(&path).unwrap_or_default() != picture {
                differing.push(format!("{name} at {}x{}:\n{picture}", size.0, size.1));
            }
        }
    }
    assert!(differing.is_empty(), "GANGER_BLESS=1 rewrites them:\n{}", differing.join("\n"));
}

#[test]
fn a_screen_of_any_size_is_drawn_without_a_fault() {
    for columns in [0, 1, 19, 20, 33, 150] {
        for rows in [0, 1, 2, 3, 4, 5, 6, 9, 11, 12, 24] {
            for (_, make) in PICTURES {
                let mut played = Played::new((columns, rows));
                played.write(lines());
                make(&mut played);
                played.screen.picture();
                played.letters("z").press(Press::PageUp).press(Press::Tab);
                played.screen.picture();
                played.tell(Message::Resized(rows, columns));
                played.screen.picture();
            }
        }
    }
}

#[test]
fn a_small_screen_has_what_matters_most() {
    let mut played = Played::new((40, 9));
    played.write(lines());
    played.shows("NAME").shows("web.1").shows("Tab log").shows("? help").hides("follows");
    played.press(Press::Tab);
    played.shows("follows").shows("Tab list").hides("NAME");
    Played::new((19, 24)).shows("at least 20×5");
}
