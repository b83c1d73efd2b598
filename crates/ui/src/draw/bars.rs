//! The lines that are always there: the title, the head of the log, what is to be known, the keys.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use unicode_width::UnicodeWidthStr;

use super::Layout;
use crate::figures::count;
use crate::keys::{self, Binding, Command, binding};
use crate::live::Lack;
use crate::mode::{Mode, Purpose};
use crate::roster::Row;
use crate::screen::Screen;

/// Between keys.
const FOOTER_GAP: usize = 2;

/// Text at the left and at the right of a line; where there is no room for both, the right one gives way.
fn both_ends(area: Rect, left: &str, right: &str, style: Style, buffer: &mut Buffer) {
    buffer.set_style(area, style);
    let width = usize::from(area.width);
    buffer.set_stringn(area.x, area.y, left, width, style);
    let room = width.saturating_sub(left.width() + 1);
    if !right.is_empty() && right.width() <= room {
        let x = area.right() - u16::try_from(right.width()).unwrap_or(0);
        buffer.set_stringn(x, area.y, right, room, style);
    }
}

/// The app, and how it is.
pub(super) fn title(screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let (up, wanted) = screen.roster.up(&Row::All);
    let state = match (&screen.ended, &screen.roster.app) {
        (Some(why), _) => why.clone(),
        (None, None) => "…".to_owned(),
        (None, Some(_)) => format!("{up} of {wanted} up"),
    };
    let right = match screen.roster.looked {
        Some(at) if screen.rests || screen.ended.is_some() => format!("figures of {} ", screen.clock(at)),
        _ => String::new(),
    };
    let left = format!(" {}  {state}", screen.setup.app);
    let style = if screen.ended.is_some() { screen.bad() } else { Style::new() };
    both_ends(area, &left, &right, style.patch(Screen::bar()), buffer);
}

/// The line between the list and the log.
pub(super) fn divide(screen: &Screen, area: Rect, buffer: &mut Buffer) {
    for y in area.top()..area.bottom() {
        buffer.set_string(area.x, y, "│", screen.style(Screen::dim()));
    }
}

/// Whose log or terminal it is, and what is seen of it.
pub(super) fn pane(screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let whose = match &screen.shown {
        None => String::new(),
        Some(row @ Row::Worker(_)) => {
            let worker = screen.roster.workers_of(row).next();
            let why = worker.map(|worker| format!("{} {}, {}", worker.name, worker.state, worker.why));
            why.unwrap_or_else(|| row.pattern())
        }
        Some(row) => format!("{}, {}", row.pattern(), count(screen.roster.workers_of(row).count(), "worker")),
    };
    let facts = if screen.live.is_shown() { of_terminal(screen) } else { of_log(screen) };
    let style = if screen.log_has_focus || screen.zoomed { Screen::bold() } else { Screen::dim() };
    let right = format!("─ {} ─", facts.join(" ─ "));
    let room = usize::from(area.width).saturating_sub(right.width() + 4);
    let whose: String = cut(&whose, room);
    let left = format!("─ {whose} ");
    let filled = usize::from(area.width).saturating_sub(left.width() + right.width());
    let line = format!("{left}{}{right}", "─".repeat(filled));
    buffer.set_stringn(area.x, area.y, line, area.width.into(), screen.style(style));
}

/// What is seen of a log.
fn of_log(screen: &Screen) -> Vec<String> {
    let log = &screen.log;
    let mut facts = vec![match screen.live.lack() {
        Some(Lack::NoTerminal) => "no terminal, log".to_owned(),
        Some(Lack::NoRun | Lack::Failed) | None => "log".to_owned(),
    }];
    if let Some(filter) = &log.filter {
        facts.push(format!("only {:?}", filter.text));
    }
    if let Some(search) = &log.search {
        facts.push(format!("/{}", search.text));
    }
    if log.shift > 0 {
        facts.push(format!("from column {}", log.shift + 1));
    }
    facts.push(match (log.follows(), log.unseen) {
        (true, _) if screen.ended.is_some() => "ended".to_owned(),
        (true, _) => "follows".to_owned(),
        (false, 0) => "held".to_owned(),
        (false, unseen) => format!("held, {unseen} new"),
    });
    facts
}

/// What is seen of a terminal.
fn of_terminal(screen: &Screen) -> Vec<String> {
    let live = &screen.live;
    let mut facts = vec![match live.size() {
        Some(size) => format!("terminal {}×{}", size.columns, size.rows),
        None => "terminal".to_owned(),
    }];
    if live.shift() > 0 {
        facts.push(format!("from column {}", live.shift() + 1));
    }
    facts.push(match (live.size(), live.is_held()) {
        (None, _) => "…".to_owned(),
        (Some(_), true) => "held".to_owned(),
        (Some(_), false) if screen.ended.is_some() => "ended".to_owned(),
        (Some(_), false) => "live".to_owned(),
    });
    facts
}

/// A text that is cut to its room, and says so.
pub(super) fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        if kept.width() + unicode_width::UnicodeWidthChar::width(letter).unwrap_or(0) >= room {
            break;
        }
        kept.push(letter);
    }
    if room > 0 {
        kept.push('…');
    }
    kept
}

/// What is typed, or what people should know.
pub(super) fn status(screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    if let Mode::Typing(typing) = &screen.mode {
        let prompt = typing.purpose.prompt();
        let (x, _) = buffer.set_stringn(area.x, area.y, prompt, width, Screen::bold());
        let room = usize::from(area.right().saturating_sub(x)).saturating_sub(1);
        // The end is seen: that is where something is typed.
        let mut text = typing.text.as_str();
        while text.width() > room {
            let mut letters = text.chars();
            letters.next();
            text = letters.as_str();
        }
        let (x, _) = buffer.set_stringn(x, area.y, text, room, Style::new());
        buffer.set_stringn(x, area.y, " ", 1, Screen::bar());
        if let Some(notice) = screen.notice.as_ref().filter(|notice| notice.is_bad) {
            let room = usize::from(area.right().saturating_sub(x + 3));
            buffer.set_stringn(x + 3, area.y, cut(&notice.text, room), room, screen.bad());
        }
        return;
    }
    if let Some(notice) = &screen.notice {
        let style = if notice.is_bad { screen.bad() } else { Style::new() };
        buffer.set_stringn(area.x, area.y, cut(&notice.text, width), width, style);
    }
}

/// The keys that matter now.
pub(super) fn footer(screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let keys: Vec<(&str, &str)> = match &screen.mode {
        Mode::Keys => keys_that_fit(screen, area.width.into()),
        Mode::Typing(typing) => {
            let enter = match typing.purpose {
                Purpose::Search => "search upwards",
                Purpose::Filter => "show",
            };
            vec![("Enter", enter), ("Ctrl-U", "clear"), ("Esc", "back")]
        }
        Mode::Help(_) => vec![("↑↓", "scroll"), ("Esc", "back")],
        Mode::Signals { .. } => vec![("↑↓", "choose"), ("Enter", "send"), ("Esc", "back")],
        Mode::Question(_) => vec![("y", "yes"), ("n", "no")],
    };
    let mut x = area.x;
    for (key, word) in keys {
        let room = |x: u16| usize::from(area.right().saturating_sub(x));
        (x, _) = buffer.set_stringn(x, area.y, key, room(x), Screen::bold());
        (x, _) = buffer.set_stringn(x, area.y, format!(" {word}  "), room(x), Screen::dim());
    }
}

/// As many keys as there is room for; help and the way out always.
fn keys_that_fit(screen: &Screen, width: usize) -> Vec<(&'static str, &'static str)> {
    let has_worker = matches!(screen.shown, Some(Row::Worker(_)));
    let has_terminal = screen.live.is_shown();
    let last = [Command::Help, Command::Leave].into_iter().filter_map(binding).map(short).collect::<Vec<_>>();
    let size = |(label, word): &(&str, &str)| label.width() + word.width() + FOOTER_GAP + 1;
    // Nothing follows the last one.
    let mut left = (width + FOOTER_GAP).saturating_sub(last.iter().map(size).sum());
    let may_turn = has_terminal || screen.live.lack().is_none() && screen.has_terminal();
    let footer =
        keys::footer(has_worker, has_terminal, may_turn).into_iter().filter_map(binding).map(|binding| {
            match binding.command {
                Command::Terminal if has_terminal => (binding.label, "log"),
                _ => short(binding),
            }
        });
    let hidden = Layout::of(screen).hidden(screen).map(|hidden| ("Tab", hidden));
    let fits = |key: (&'static str, &'static str)| {
        left = left.checked_sub(size(&key))?;
        Some(key)
    };
    hidden.into_iter().chain(footer).map_while(fits).chain(last.iter().copied()).collect()
}

/// One key and a word; some words bring their keys.
fn short(binding: &'static Binding) -> (&'static str, &'static str) {
    let label = binding.label.split(' ').next().unwrap_or(binding.label);
    binding.short.split_once(' ').unwrap_or((label, binding.short))
}
