//! An app to show, and a screen to show it on.

use std::collections::BTreeMap;

use ganger_api::{
    AppInfo, Begin, FromWorker, GroupInfo, GroupUsageInfo, LogLine, LogQuery, RunHere, Stream, TerminalSize,
    Text, Time, Told, UsageInfo, WantedState, WorkerInfo, WorkerState, WorkersInfo,
};
use ganger_spec::WorkerName;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

use crate::message::{Effect, Message, Page, Setup};
use crate::{Press, Screen};

pub(crate) fn time(text: &str) -> Time {
    text.parse().unwrap()
}

/// A line of this worker's log that ends at this position; three of them have the same time.
pub(crate) fn line(worker: &str, position: u64, text: &str) -> LogLine {
    let (group, number) = worker.split_once('.').unwrap();
    let name = WorkerName::new(group, number.parse().unwrap());
    let start: jiff::Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    let seconds = i64::try_from(position).unwrap_or(0) % 100_000 / 3;
    LogLine {
        log: name.clone().into(),
        worker: name,
        stream: Stream::Output,
        time: Time(start + jiff::SignedDuration::from_secs(seconds)),
        run: Some(1),
        position,
        newline: true,
        text: Text::new(text.as_bytes()),
    }
}

pub(crate) fn worker(group: &str, number: u32, state: WorkerState) -> WorkerInfo {
    let is_up = matches!(state, WorkerState::Running | WorkerState::Starting);
    let pid = is_up.then_some(4_000 + number);
    let usage = UsageInfo {
        processes: 1,
        cpu_percent: Some(f64::from(number) * 1.5),
        memory_bytes: u64::from(number) << 24,
        ..UsageInfo::default()
    };
    WorkerInfo {
        name: WorkerName::new(group, number),
        group: group.to_owned(),
        number,
        state,
        wanted: if state == WorkerState::Stopped { WantedState::Down } else { WantedState::Up },
        why: match state {
            WorkerState::Running => "up".to_owned(),
            WorkerState::Stopped => "stopped by a command".to_owned(),
            _ => "exited with code 1 after 0.2 s: the next try is the 3rd of 5".to_owned(),
        },
        terminal: group == "web",
        pid,
        run: pid.map(u64::from),
        port: (group == "web").then_some(5_000),
        uptime_ms: None,
        since: time("2026-11-22T09:59:00Z"),
        ready: state == WorkerState::Running && number == 1,
        restarts: if state == WorkerState::Backoff { 2 } else { 0 },
        retry_in_ms: None,
        usage: is_up.then_some(usage),
        last_exit: None,
        command: "bin/run".to_owned(),
    }
}

pub(crate) fn looked(workers: Vec<WorkerInfo>, empty: &[&str]) -> Message {
    let mut groups: Vec<GroupInfo> = Vec::new();
    let names = workers.iter().map(|worker| worker.group.as_str()).chain(empty.iter().copied());
    for name in names {
        if groups.iter().any(|group| group.name == name) {
            continue;
        }
        let count = workers.iter().filter(|worker| worker.group == name).count();
        let count = u32::try_from(count).unwrap();
        groups.push(GroupInfo {
            name: name.to_owned(),
            count,
            running: 0,
            command: "bin/run".to_owned(),
            port: None,
        });
    }
    let mut usage: Vec<GroupUsageInfo> = Vec::new();
    for worker in &workers {
        let Some(used) = &worker.usage else { continue };
        match usage.iter_mut().find(|group| group.name == worker.group) {
            Some(group) => group.usage.add(used),
            None => usage.push(GroupUsageInfo { name: worker.group.clone(), runs: 1, usage: used.clone() }),
        }
    }
    let app = AppInfo {
        name: "shop".to_owned(),
        id: "shop-1".to_owned(),
        root: "/srv/shop".into(),
        keeper_pid: 1,
        overseer_pid: 2,
        version: "0.1.0".to_owned(),
        release: 1,
        started: time("2026-11-22T09:00:00Z"),
        groups,
        workers: BTreeMap::new(),
    };
    Message::Looked {
        app: Box::new(app),
        workers: WorkersInfo { workers, groups: usage },
        at: time("2026-11-22T10:00:30Z"),
    }
}

/// Three groups: two workers, one that fails, one that is stopped, and none.
pub(crate) fn shop() -> Message {
    let workers = vec![
        worker("web", 1, WorkerState::Running),
        worker("web", 2, WorkerState::Running),
        worker("mailer", 1, WorkerState::Backoff),
        worker("clock", 1, WorkerState::Stopped),
    ];
    looked(workers, &["cron"])
}

/// A screen, and what it has asked for.
pub(crate) struct Played {
    pub(crate) screen: Screen,
    pub(crate) asked: Vec<Effect>,
    /// What of all that has no answer yet.
    open: Vec<Effect>,
}

impl Played {
    pub(crate) fn of(size: (u16, u16), owns_app: bool) -> Self {
        let setup = Setup {
            app: "shop".to_owned(),
            owns_app,
            now: time("2026-11-22T10:00:00Z"),
            zone: TimeZone::UTC,
            size,
            coloured: true,
        };
        let (screen, asked) = Screen::new(setup);
        Self { screen, asked, open: Vec::new() }
    }

    /// One that shows the shop.
    pub(crate) fn new(size: (u16, u16)) -> Self {
        let mut played = Self::of(size, false);
        played.tell(shop());
        played
    }

    /// Gives a message; what it asks for is kept.
    pub(crate) fn tell(&mut self, message: Message) -> &mut Self {
        self.asked = self.screen.update(message);
        self.open.extend(self.asked.iter().cloned());
        self
    }

    /// Presses these letters.
    pub(crate) fn letters(&mut self, letters: &str) -> &mut Self {
        for letter in letters.chars() {
            self.press(Press::Char(letter));
        }
        self
    }

    pub(crate) fn press(&mut self, press: Press) -> &mut Self {
        self.tell(Message::Press(press))
    }

    pub(crate) fn presses(&mut self, press: Press, count: usize) -> &mut Self {
        (0..count).fold(self, |played, _| played.press(press))
    }

    /// Which lines are followed, of what was asked last.
    pub(crate) fn followed(&self) -> (u64, &LogQuery) {
        let follow = self.asked.iter().find_map(|effect| match effect {
            Effect::Follow { window, query } => Some((*window, &**query)),
            _ => None,
        });
        follow.unwrap_or_else(|| panic!("nothing is followed: {:?}", self.asked))
    }

    /// Which stored lines were asked for last.
    pub(crate) fn paged(&self) -> Page {
        let page = self.asked.iter().find_map(|effect| match effect {
            Effect::Page(page) => Some(page.clone()),
            _ => None,
        });
        page.unwrap_or_else(|| panic!("no page was asked for: {:?}", self.asked))
    }

    /// These lines are written.
    pub(crate) fn write(&mut self, lines: Vec<LogLine>) -> &mut Self {
        let window = self.screen.log.number();
        self.tell(Message::Lines { window, lines })
    }

    /// The terminal of the worker that is chosen is looked at, and tells this.
    pub(crate) fn view(&mut self, told: FromWorker) -> &mut Self {
        let window = self.screen.live.number();
        self.tell(Message::Viewed { window, told: Ok(told) })
    }

    /// The same for what was written before, into a terminal of so many columns and rows.
    pub(crate) fn terminal(&mut self, (columns, rows): (u16, u16), text: &str) -> &mut Self {
        let run = run_here(1, Some(TerminalSize { rows, columns }));
        self.view(begin(Some(run), text.len() as u64)).view(output(0, text))
    }

    /// Answers what was asked for, and what follows on that, from these lines.
    pub(crate) fn serve(&mut self, store: &[LogLine]) -> &mut Self {
        while !self.open.is_empty() {
            for effect in std::mem::take(&mut self.open) {
                if let Some(message) = answer(&effect, store) {
                    self.tell(message);
                }
            }
        }
        self
    }

    /// What is seen, as text.
    pub(crate) fn picture(&self) -> String {
        let buffer = self.screen.picture();
        let area = buffer.area;
        let row = |y: u16| {
            let mut text = String::new();
            let mut x = 0;
            while x < area.width {
                let symbol = buffer[(x, y)].symbol();
                text.push_str(symbol);
                // A wide letter covers the next cell.
                x += u16::try_from(symbol.width()).unwrap().max(1);
            }
            text.trim_end().to_owned()
        };
        (0..area.height).map(row).collect::<Vec<_>>().join("\n") + "\n"
    }

    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) -> &mut Self {
        let picture = self.picture();
        assert!(picture.contains(text), "no {text:?} in\n{picture}");
        self
    }

    #[track_caller]
    pub(crate) fn hides(&mut self, text: &str) -> &mut Self {
        let picture = self.picture();
        assert!(!picture.contains(text), "{text:?} in\n{picture}");
        self
    }
}

/// A run with a terminal of this size, or without one.
pub(crate) fn run_here(run: u64, terminal: Option<TerminalSize>) -> RunHere {
    RunHere { run, pid: Some(4_001), terminal, reads: terminal.is_some() }
}

/// A viewer of `web.1` begins, before whom so much was written.
pub(crate) fn begin(run: Option<RunHere>, until: u64) -> FromWorker {
    let (why, modes) = (String::new(), String::new());
    let worker = WorkerName::new("web", 1);
    FromWorker::Told(Told::Begin(Begin { worker, run, why, position: 0, until, cut: false, modes }))
}

/// This was written.
pub(crate) fn output(position: u64, text: &str) -> FromWorker {
    FromWorker::Output { position, bytes: text.as_bytes().to_vec() }
}

/// What the app answers that has these lines stored.
fn answer(effect: &Effect, store: &[LogLine]) -> Option<Message> {
    match effect {
        Effect::Follow { window, query } => {
            Some(Message::Lines { window: *window, lines: stored(query, usize::MAX, store).0 })
        }
        Effect::Page(page) => {
            let (lines, complete) = stored(&page.query, page.take, store);
            Some(Message::Paged { page: page.clone(), lines, complete })
        }
        _ => None,
    }
}

/// These lines of a store, at most so many, and whether they are all.
fn stored(query: &LogQuery, take: usize, store: &[LogLine]) -> (Vec<LogLine>, bool) {
    let pattern = query
        .grep
        .as_deref()
        .map(|grep| regex::RegexBuilder::new(grep).case_insensitive(query.ignore_case).build().unwrap());
    let is_meant = |line: &&LogLine| {
        let after = query.after.as_ref().and_then(|after| after.0.get(&line.log));
        after.is_none_or(|after| line.position > *after)
            && query.since.is_none_or(|since| line.time >= since)
            && query.until.is_none_or(|until| line.time < until)
            && pattern.as_ref().is_none_or(|pattern| pattern.is_match(&line.text.text))
    };
    let mut lines: Vec<LogLine> = store.iter().filter(is_meant).cloned().collect();
    if let Some(count) = query.lines {
        lines.drain(..lines.len().saturating_sub(count as usize));
    }
    let complete = lines.len() < take;
    lines.truncate(take);
    (lines, complete)
}
