//! Commands: what is asked of the app, and what is asked of the user first.
//!
//! The rule. What touches one worker is done at once. What touches several, leaves nothing of a group, kills or ends the
//! app is asked about first.

use std::collections::BTreeMap;

use ganger_api::{OutcomeInfo, OutcomeKind, Request};
use ganger_spec::Signal;

use crate::figures::count;
use crate::keys::Command;
use crate::mode::Question;
use crate::roster::{Roster, Row};

/// What a key comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It is done.
    Now { request: Request, words: String },
    /// It is asked about first.
    First(Question),
    /// It cannot be.
    Never(String),
}

/// What this command on this row comes to.
pub(crate) fn on(command: Command, row: &Row, roster: &Roster) -> Asked {
    let names = vec![row.pattern()];
    let workers = roster.workers_of(row).count();
    let (verb, request) = match command {
        Command::Start => ("start", Request::Start { names }),
        Command::Stop => ("stop", Request::Stop { names }),
        Command::Restart => ("restart", Request::Restart { names }),
        Command::More | Command::Fewer => return scale(command == Command::More, row, roster),
        _ => return Asked::Never("this is no command".to_owned()),
    };
    if workers == 0 {
        return Asked::Never(format!("{} has no workers: + adds one", row.pattern()));
    }
    let words = format!("{verb} {}", row.pattern());
    let is_mild = workers == 1 || command == Command::Start;
    ask_if(!is_mild, format!("{verb} {} of {}?", count(workers, "worker"), app_or(row)), request, words)
}

fn app_or(row: &Row) -> String {
    match row {
        Row::All => "the app".to_owned(),
        Row::Group(_) | Row::Worker(_) => row.pattern(),
    }
}

fn ask_if(is_dangerous: bool, text: String, request: Request, words: String) -> Asked {
    if is_dangerous { Asked::First(Question { text, request, words }) } else { Asked::Now { request, words } }
}

fn scale(more: bool, row: &Row, roster: &Roster) -> Asked {
    let Some(group) = row.group() else {
        return Asked::Never("choose a group or one of its workers to scale".to_owned());
    };
    let Some(now) = roster.count(group) else {
        return Asked::Never(format!("{group} is no group any more"));
    };
    let wanted = if more { now.checked_add(1) } else { now.checked_sub(1) };
    let Some(wanted) = wanted.filter(|wanted| *wanted <= ganger_api::limits::MAX_COUNT) else {
        return Asked::Never(format!("{group} cannot have {} workers", if more { "more" } else { "fewer" }));
    };
    let request = Request::Scale { counts: BTreeMap::from([(group.to_owned(), wanted)]) };
    let text = format!("stop the last worker of {group}?");
    ask_if(wanted == 0, text, request, format!("scale {group}={wanted}"))
}

/// Sends a signal to what is meant.
pub(crate) fn send(signal: Signal, pattern: &str, workers: usize) -> Asked {
    let request = Request::Signal { names: vec![pattern.to_owned()], signal };
    let text = format!("send {signal} to {} of {pattern}?", count(workers, "worker"));
    ask_if(signal == Signal::KILL || workers > 1, text, request, format!("signal {pattern} {signal}"))
}

/// Ends the app.
pub(crate) fn quit(app: &str, workers: usize) -> Question {
    Question {
        text: format!("stop {} and end {app}?", count(workers, "worker")),
        request: Request::Quit { now: false },
        words: format!("quit {app}"),
    }
}

/// What came of it, in a sentence.
pub(crate) fn told(words: &str, outcome: &OutcomeInfo) -> (String, bool) {
    let failed: Vec<String> = outcome
        .workers
        .iter()
        .filter(|worker| matches!(worker.outcome, OutcomeKind::Failed | OutcomeKind::Superseded))
        .map(|worker| {
            let why = worker.message.as_deref().unwrap_or("another command came first");
            format!("{}: {why}", worker.name)
        })
        .collect();
    if !failed.is_empty() {
        return (format!("{words}: {}", failed.join("; ")), false);
    }
    let done = outcome.workers.iter().filter(|worker| worker.outcome == OutcomeKind::Done).count();
    match done + outcome.groups.len() {
        0 => (format!("{words}: it is so already"), true),
        _ => (format!("{words}: done"), true),
    }
}
