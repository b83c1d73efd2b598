//! Lines that are typed on a terminal: editing, history, completion.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;

use ganger_api::supervisor::{Client, ProcessInfo};
use ganger_api::xmlrpc::Value;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::{History, MemHistory, SearchDirection};
use rustyline::validate::Validator;
use rustyline::{Config, Context, Helper};

use super::Stop;
use super::actions::NAMES;
use crate::failure::Failure;

/// So many lines are remembered.
const MAX_HISTORY: usize = 1000;

/// What came of waiting for a line.
pub(super) enum Typed {
    Line(String),
    End,
    Interrupted,
}

/// The keyboard of a terminal.
pub(super) struct Editor {
    lines: rustyline::Editor<Completion, MemHistory>,
    history_file: Option<PathBuf>,
}

impl Editor {
    pub(super) fn open(history_file: Option<PathBuf>) -> Result<Self, Stop> {
        let config = Config::builder()
            .max_history_size(MAX_HISTORY)
            .map_err(|error| failed(&error))?
            .completion_type(rustyline::CompletionType::List)
            .auto_add_history(true)
            .build();
        let history = MemHistory::with_config(&config);
        let mut lines = rustyline::Editor::with_history(config, history).map_err(|error| failed(&error))?;
        let before = history_file.as_ref().and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        for line in before.lines() {
            lines.add_history_entry(line).map_err(|error| failed(&error))?;
        }
        Ok(Self { lines, history_file })
    }

    /// The next line; `client` is whom completion may ask for names.
    pub(super) fn line(&mut self, prompt: &str, client: Option<Client>) -> Result<Typed, Stop> {
        self.lines.set_helper(Some(Completion { known: RefCell::new(Known::Unasked(client)) }));
        match self.lines.readline(prompt) {
            Ok(line) => Ok(Typed::Line(line)),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(ReadlineError::Interrupted) => Ok(Typed::Interrupted),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Keeps what was typed for the next session. A file that cannot be written is no reason to fail.
    fn keep(&self) {
        let Some(file) = &self.history_file else { return };
        let history = self.lines.history();
        let line = |index| history.get(index, SearchDirection::Forward).ok().flatten();
        let lines = (0..history.len()).filter_map(line);
        let text = lines.fold(String::new(), |text, found| text + &found.entry + "\n");
        let _ = fs::write(file, text);
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        self.keep();
    }
}

fn failed(error: &ReadlineError) -> Stop {
    Stop::Failed(Failure::new(format!("cannot read what is typed: {error}")))
}

/// Completes actions, processes and groups.
struct Completion {
    known: RefCell<Known>,
}

/// Names that can be completed, asked for once a line.
enum Known {
    Unasked(Option<Client>),
    Asked(Vec<ProcessInfo>),
}

impl Completion {
    /// The words that may stand behind `before`, the words of the line so far.
    fn words(&self, before: &str, word: &str) -> Vec<String> {
        match before.split_whitespace().next() {
            None | Some("help") => NAMES.map(str::to_owned).to_vec(),
            Some("add" | "remove" | "update") => self.processes(|info| vec![info.group.clone()]),
            Some("clear" | "fg" | "pid" | "restart" | "signal" | "start" | "status" | "stop" | "tail") => {
                self.processes(|info| {
                    if word.contains(':') || info.name != info.group {
                        vec![format!("{}:{}", info.group, info.name), format!("{}:*", info.group)]
                    } else {
                        vec![info.name.clone()]
                    }
                })
            }
            Some(_) => Vec::new(),
        }
    }

    fn processes(&self, words: impl Fn(&ProcessInfo) -> Vec<String>) -> Vec<String> {
        let mut known = self.known.borrow_mut();
        if let Known::Unasked(client) = &mut *known {
            let infos = client.take().and_then(ask).unwrap_or_default();
            *known = Known::Asked(infos);
        }
        match &*known {
            Known::Asked(infos) => infos.iter().flat_map(words).collect(),
            Known::Unasked(_) => Vec::new(),
        }
    }
}

/// All processes; none if the server does not tell.
fn ask(mut client: Client) -> Option<Vec<ProcessInfo>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    match runtime.block_on(client.call("supervisor.getAllProcessInfo", &[])).ok()? {
        Value::Array(values) => values.iter().map(|value| ProcessInfo::try_from(value).ok()).collect(),
        _ => None,
    }
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let before = &line[..at];
        let start = before.rfind(char::is_whitespace).map_or(0, |space| space + 1);
        let (before, word) = before.split_at(start);
        let mut words = self.words(before, word);
        words.retain(|candidate| candidate.starts_with(word));
        words.sort();
        words.dedup();
        Ok((start, words.into_iter().map(|word| format!("{word} ")).collect()))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}
