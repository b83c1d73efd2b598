//! A file of process-compose's in the native form, with a comment wherever that says otherwise or cannot say it.
//!
//! What is not of process-compose's own keys, or wrong, is an error with its line. Nothing else is read than the file and the
//! `.env` beside it: what it extends is named in a comment.

mod expand;
mod notes;
mod probe;
mod process;
mod yaml;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::rc::Rc;

use crate::groups::MAX_GROUPS;
use crate::problem::{Findings, LoadError, Problem};
use crate::procfile::{MAX_NAME, check_name};
use crate::suggest::hint_for;
use crate::{Options, dotenv, input};
use expand::Expander;
use notes::Notes;
use process::Process;
use yaml::{Entry, Node};

/// How long a name of a process is at most in a chain of `extends`.
const MAX_EXTENDS: usize = 32;

/// The keys of a project that mean nothing here, and what there is instead.
const WITHOUT_MATCH: [(&str, &str); 12] = [
    ("extends", "Import that file too, and join both."),
    ("env_cmds", "Set the variables before ganger starts, or in the command."),
    ("log_location", "`ganger logs` shows what all wrote, and `[[forward]]` sends it on."),
    ("log_format", ""),
    ("log_level", ""),
    ("log_length", ""),
    ("mcp_server", "The control API is in docs/api.md."),
    ("is_strict", "Every unknown key is an error here."),
    ("is_tui_disabled", ""),
    ("disable_json", ""),
    ("tui", ""),
    ("theme", ""),
];

/// Whether a file is one of process-compose's, by its name.
pub fn is_compose(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ["yaml", "yml"].contains(&ending.to_ascii_lowercase().as_str())
}

/// The `ganger.toml` that says the same as a file of process-compose's.
pub fn import_compose(options: &Options, file: &Path) -> Result<String, LoadError> {
    let mut findings = Findings::default();
    let path = input::absolute(&options.dir, file);
    let text = findings.take(input::read(&path)).map(|text| {
        text.ok_or_else(|| {
            Problem::in_file(&path, "there is no such file").hinted("name a process-compose.yaml")
        })
    });
    let root =
        text.and_then(|text| findings.take(text)).and_then(|text| findings.take(yaml::parse(&path, &text)));
    let out = root.map(|root| Import::new(&path, options, &mut findings).project(file, root.as_deref()));
    findings.told_in(&options.dir).finish()?;
    Ok(out.unwrap_or_default())
}

/// What is known of the whole file.
struct Import<'a> {
    path: &'a Path,
    expander: Expander,
    /// The shell that runs commands and its argument; none means that of process-compose.
    shell: Option<(String, String)>,
    /// The names of the groups by those of the processes.
    names: BTreeMap<String, String>,
    findings: &'a mut Findings,
}

impl<'a> Import<'a> {
    fn new(path: &'a Path, options: &Options, findings: &'a mut Findings) -> Self {
        let own = |(name, value): (&std::ffi::OsString, &std::ffi::OsString)| {
            Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
        };
        let mut environment: BTreeMap<String, String> = options.inherited.iter().filter_map(own).collect();
        let dotenv = path.with_file_name(".env");
        if let Some(text) = findings.take(input::read(&dotenv)).flatten() {
            let known = environment.clone();
            let said = dotenv::parse(&dotenv, &text, |name| known.get(name).cloned(), findings);
            environment.extend(said.into_iter().map(|variable| (variable.name, variable.value)));
        }
        let expander = Expander { environment, ..Expander::default() };
        Self { path, expander, shell: None, names: BTreeMap::new(), findings }
    }

    fn project(mut self, file: &Path, root: Option<&Node>) -> String {
        let mut out = format!("# Made from {} by `ganger import`.\n", file.display());
        let Some(processes) = self.processes(root) else { return out };
        let mut notes = Notes::default();
        let entries = root.and_then(Node::map).unwrap_or_default();
        let (mut app, mut env, mut logs) = (None, Vec::new(), None);
        self.first(entries, &mut notes);
        for entry in entries {
            let value = &entry.value;
            match entry.name.as_str() {
                "processes" | "version" | "vars" | "shell" | "disable_env_expansion" => {}
                "name" => app = self.text(entry, &mut notes),
                "environment" => env = self.environment(entry, &mut notes),
                "log_configuration" => logs = self.rotation(value, &mut notes),
                "ordered_shutdown" => notes.add("Who depends on others stops before them, always."),
                key if key.starts_with("x-") => {}
                key => self.other(key, entry, &WITHOUT_MATCH, &mut notes),
            }
        }
        notes.add("Where a file's variable and one of the shell have the same name, the file's counts here.");
        notes.write(&mut out);
        if let Some(app) = app.filter(|app| !app.is_empty()) {
            let _ = writeln!(out, "app = {}", quoted(&app));
        }
        if let Some(logs) = logs {
            let _ = writeln!(out, "\n[logs]\n{}", logs.join("\n"));
        }
        if !env.is_empty() {
            out.push_str("\n[env]\n");
            for (name, value) in env {
                let _ = writeln!(out, "{} = {}", quoted(&name), quoted(&value));
            }
        }
        for entry in &processes {
            Process::new(&mut self, entry, &processes).write(&mut out);
        }
        out
    }

    /// The processes, with names for their groups.
    fn processes(&mut self, root: Option<&Node>) -> Option<Vec<Entry>> {
        let node = root.and_then(|root| root.get("processes"));
        let processes = node.and_then(|node| node.map()).unwrap_or_default().to_vec();
        if processes.is_empty() {
            let line = node.map_or(1, |node| node.line);
            let problem = Problem::at(self.path, line, "has no processes");
            self.findings.error(problem.hinted("a file of process-compose's has a map `processes`"));
            return None;
        }
        if processes.len() > MAX_GROUPS {
            let message =
                format!("{} processes are more than the {MAX_GROUPS} groups of an app", processes.len());
            self.findings.error(Problem::in_file(self.path, message).hinted("make several apps"));
            return None;
        }
        for process in &processes {
            let name = self.free_name(&process.name);
            self.names.insert(process.name.clone(), name);
        }
        Some(processes)
    }

    /// A name that a group can have, and that no other has.
    fn free_name(&self, process: &str) -> String {
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
        let plain: String = process
            .chars()
            .map(|letter| if allowed(letter) { letter } else { '-' })
            .take(MAX_NAME - 6)
            .collect();
        let mut name = plain.trim_matches('.').to_owned();
        if check_name(&name).is_err() {
            name = format!("{}-group", name.replace('.', "-"));
        }
        let (mut free, mut number) = (name.clone(), 2_u32);
        while self.names.values().any(|taken| *taken == free) {
            free = format!("{name}-{number}");
            number += 1;
        }
        free
    }

    /// What all else is worked out by.
    fn first(&mut self, entries: &[Entry], notes: &mut Notes) {
        for entry in entries {
            match entry.name.as_str() {
                "disable_env_expansion" => self.expander.is_off = self.is_true(entry),
                "vars" => {
                    let vars = entry.value.map().unwrap_or_default();
                    let said =
                        vars.iter().filter_map(|var| Some((var.name.clone(), var.value.text()?.to_owned())));
                    self.expander.vars.extend(said);
                }
                "shell" => self.shell(&entry.value, notes),
                _ => {}
            }
        }
    }

    fn shell(&mut self, node: &Node, notes: &mut Notes) {
        let text = |name: &str| node.get(name).and_then(|value| value.text().map(str::to_owned));
        let program = text("shell_command").unwrap_or_else(|| "bash".to_owned());
        self.shell = Some((program, text("shell_argument").unwrap_or_else(|| "-c".to_owned())));
        for key in ["elevated_shell_command", "elevated_shell_argument"] {
            if node.get(key).is_some() {
                notes.none(key, "");
            }
        }
    }

    /// A key that is not mapped: one that is known has a comment, any other is an error.
    fn other(&mut self, key: &str, entry: &Entry, without: &[(&str, &str)], notes: &mut Notes) {
        if let Some((_, instead)) = without.iter().find(|(name, _)| *name == key) {
            return notes.none(key, instead);
        }
        let known = KEYS.iter().copied().chain(without.iter().map(|(name, _)| *name));
        let hint = hint_for(key, known).unwrap_or_else(|| "a key of your own begins with `x-`".to_owned());
        self.wrong(entry.line, format!("unknown key `{key}`"), hint);
    }

    fn wrong(&mut self, line: u32, message: impl Into<String>, hint: impl Into<String>) {
        self.findings.error(Problem::at(self.path, line, message).hinted(hint));
    }

    /// The text of a key.
    fn text(&mut self, entry: &Entry, notes: &mut Notes) -> Option<String> {
        let Some(text) = entry.value.text() else {
            self.wrong(entry.line, format!("`{}` is to be text", entry.name), "put it into quotes");
            return None;
        };
        Some(self.expander.text(text, notes))
    }

    fn number(&mut self, entry: &Entry, most: u64) -> Option<u64> {
        let text = self.text(entry, &mut Notes::default())?;
        match text.parse() {
            Ok(number) if number <= most => Some(number),
            Ok(_) | Err(_) => {
                let message = format!("`{}` is `{text}`, and no number from 0 to {most}", entry.name);
                self.wrong(entry.line, message, "write a number");
                None
            }
        }
    }

    fn is_true(&mut self, entry: &Entry) -> bool {
        let text = self.text(entry, &mut Notes::default()).unwrap_or_default();
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => true,
            "false" | "no" | "off" | "" => false,
            _ => {
                self.wrong(
                    entry.line,
                    format!("`{}` is neither true nor false", entry.name),
                    "write true or false",
                );
                false
            }
        }
    }

    fn list(&mut self, entry: &Entry) -> Vec<Rc<Node>> {
        let list = entry.value.list().map(<[Rc<Node>]>::to_vec);
        if list.is_none() {
            self.wrong(entry.line, format!("`{}` is to be a list", entry.name), "begin each item with `- `");
        }
        list.unwrap_or_default()
    }

    fn map(&mut self, entry: &Entry) -> Vec<Entry> {
        let map = entry.value.map().map(<[Entry]>::to_vec);
        if map.is_none() {
            self.wrong(
                entry.line,
                format!("`{}` is to be a map", entry.name),
                "write `name: value` below it",
            );
        }
        map.unwrap_or_default()
    }

    /// Variables: a list of `NAME=value`, or a map. The last of a name counts.
    fn environment(&mut self, entry: &Entry, notes: &mut Notes) -> Vec<(String, String)> {
        let mut said: Vec<(String, String)> = Vec::new();
        let pairs: Vec<(u32, Option<(String, String)>)> = match (entry.value.map(), entry.value.list()) {
            (_, Some(list)) => list
                .iter()
                .map(|item| {
                    let pair = item.text().and_then(|text| text.split_once('='));
                    (item.line, pair.map(|(name, value)| (name.to_owned(), value.to_owned())))
                })
                .collect(),
            (Some(map), None) => map
                .iter()
                .map(|pair| (pair.line, pair.value.text().map(|value| (pair.name.clone(), value.to_owned()))))
                .collect(),
            (None, None) => vec![(entry.line, None)],
        };
        for (line, pair) in pairs {
            let Some((name, value)) = pair else {
                self.wrong(line, "is no variable", "write `- NAME=value`");
                continue;
            };
            let value = self.expander.text(&value, notes);
            said.retain(|(other, _)| *other != name);
            said.push((name, value));
        }
        said
    }

    /// `log_configuration`, as keys of `logs`.
    fn rotation(&mut self, node: &Node, notes: &mut Notes) -> Option<Vec<String>> {
        let mut keys = Vec::new();
        for entry in node.map().unwrap_or_default() {
            if entry.name != "rotation" {
                notes.none(&format!("log_configuration.{}", entry.name), "");
                continue;
            }
            for entry in self.map(entry) {
                let number = |import: &mut Self| import.number(&entry, 1_000_000);
                keys.extend(match entry.name.as_str() {
                    "max_size_mb" => number(self).map(|size| format!("max_size = '{size}MiB'")),
                    "max_backups" => {
                        number(self).map(|keep| format!("keep = {}", keep.min(u64::from(crate::MAX_KEEP))))
                    }
                    "max_age_days" => number(self).map(|days| format!("max_age = '{}d'", days.clamp(1, 366))),
                    "compress" => Some(format!("compress = {}", self.is_true(&entry))),
                    other => {
                        notes.none(
                            &format!("log_configuration.rotation.{other}"),
                            "`ganger logs` shows the log.",
                        );
                        None
                    }
                });
            }
        }
        (!keys.is_empty()).then_some(keys)
    }
}

/// The keys of a project that are mapped.
const KEYS: [&str; 9] = [
    "processes",
    "version",
    "vars",
    "shell",
    "disable_env_expansion",
    "name",
    "environment",
    "log_configuration",
    "ordered_shutdown",
];

/// A text in quotes: what JSON writes, TOML reads.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests;
